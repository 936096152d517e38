"""MLflow's registry: a data set is a registered model, its versions have the aliases challenger and champion.

No stages. The champions of before stand in the tags of their versions, champion.number counts them: nothing is written
that two writers could write over each other. A rollback goes to the next lower number, and what it left is tagged
rolled_back.at, which only a person can promote again.

Two promotions at once: those of one machine wait for each other at a file's lock. Over machines, each writes its number
before it sets the alias, and looks at all numbers afterwards: whoever sets the alias last sees every other, and gives
way to the better one.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import math
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flowhub_assets.errors import InputError, ProfileError
from flowhub_assets.ir.spelling import did_you_mean
from flowhub_assets.ml.comparison import MEASURES, MOVED, is_better, on_same_rows, score
from flowhub_assets.ml.data_set_versions import published
from flowhub_assets.ml.evaluation import evaluate
from flowhub_assets.ml.tracking import mlflow_errors, tracking, tracking_uri, ui_url

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHAMPION, CHALLENGER = "champion", "challenger"
POLICIES = ("automatic", "approval")

_NUMBER, _SINCE, _BY, _WHY = "champion.number", "champion.since", "champion.by", "champion.why"
_MARKS = (_NUMBER, _SINCE, _BY, _WHY)
_BACK, _BACK_BY, _BACK_WHY, _BACK_RUN = "rolled_back.at", "rolled_back.by", "rolled_back.why", "rolled_back.run"
_UNSET = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
_LONGEST_TEXT = 500


@dataclass(frozen=True)
class Version:
    """One version of a registered model. ``trained_as`` is the model_uri that ``train`` returned."""

    name: str
    version: str
    tags: Mapping[str, str]

    @property
    def model_uri(self) -> str:
        """By what ``load_model`` finds it."""
        return f"models:/{self.name}/{self.version}"

    @property
    def trained_as(self) -> str:
        """The URI of the model before it was registered."""
        return self.tags.get("model_uri", "")

    @property
    def data_set_version(self) -> str:
        """The version of the data set that it was trained on."""
        return self.tags.get("data_set_version", "")

    @property
    def model(self) -> str:
        """The library that trained it."""
        return self.tags.get("model", "")

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """What it was trained with, where that is known."""
        found: dict[str, Any] = json.loads(self.tags.get("hyperparameters") or "{}")
        return found

    @property
    def number(self) -> int:
        """Which champion it was, from 1; 0 if it never was."""
        told = self.tags.get(_NUMBER, "")
        return int(told) if told.isascii() and told.isdigit() else 0

    @property
    def rolled_back(self) -> bool:
        """Whether a rollback took it from the champion's place."""
        return _BACK in self.tags


def register(trained: Mapping[str, Any], evaluated: Mapping[str, Any], env: Mapping[str, Any]) -> dict[str, Any]:
    """Registers what ``train`` returned as a version of the model named after its data set, alias challenger.

    Registered again, the step tried once more say, it is the same version. Returns {name, version, url}. Raises
    RunError where MLflow does not answer.
    """
    name = trained["data_set"]
    with mlflow_errors(env), _one_at_a_time(name, env):
        client = tracking(env)
        _make_model(client, name)
        there = [one for one in _versions(client, name) if one.trained_as == trained["model_uri"]]
        version = there[0].version if there else _make_version(client, name, trained, evaluated, env)
        client.set_registered_model_alias(name, CHALLENGER, version)
    return {"name": name, "version": version, "url": f"{ui_url(env)}/#/models/{name}/versions/{version}"}


def champion(name: str, env: Mapping[str, Any]) -> Version | None:
    """The champion of a data set; None if there is none. Raises RunError where MLflow does not answer."""
    with mlflow_errors(env):
        return _champion(tracking(env), name)


def require_champion(name: str, env: Mapping[str, Any]) -> Version:
    """As ``champion``. Raises InputError where there is none."""
    found = champion(name, env)
    if found is None:
        raise _no_champion(name)
    return found


def promote(
    name: str,
    version: str | int,
    env: Mapping[str, Any],
    *,
    by: str | None = None,
    why: str = "",
    force: bool = False,
) -> dict[str, Any]:
    """Makes a version the champion if it is better than the one that is there, on the held-out rows of the newest data.

    ``by`` is the person who approves it; without one the profile's PROMOTION decides: automatic, or approval, which
    leaves it a challenger. Nothing but a person promotes what was rolled back, or a tie on the same version of the data
    set; ``force`` spares the comparison.

    Returns {name, version, promoted, reason, champion, before}: the version that is champion now, and the one that was.
    Raises InputError where there is no such version, ProfileError for another PROMOTION, RunError where MLflow does not
    answer.
    """
    with mlflow_errors(env), _one_at_a_time(name, env):
        client = tracking(env)
        candidate, before = _require(client, name, str(version)), _champion(client, name)
        refused = None if by else _not_by_itself(candidate, env)
        if refused:
            return _told(candidate, before, before, refused)
        if before is not None and before.version == candidate.version:
            return _told(candidate, candidate, before, "it is the champion already", promoted=True)
        better, reason = (True, "without comparison") if force else _compare(candidate, before, env, by)
        if not better:
            return _told(candidate, before, before, reason)
        _mark(client, candidate, by or _run_of(env), why or reason)
        client.set_registered_model_alias(name, CHAMPION, candidate.version)
        rival = None if force else _better_rival(client, candidate, before, env)
        if rival is None:
            return _told(candidate, candidate, before, reason, promoted=True)
        client.set_registered_model_alias(name, CHAMPION, rival.version)
        _unmark(client, candidate)
        return _told(candidate, rival, before, f"version {rival.version}, promoted at the same time, is better")


def rollback(name: str, env: Mapping[str, Any], *, by: str = "", why: str = "") -> dict[str, Any]:
    """Gives the champion's place back to the one before; called again, to the one before that.

    Within one Dagster run it is done once, however often its step is tried. Returns {name, version, before}. Raises
    InputError where there is no champion, or none before; RunError where MLflow does not answer.
    """
    with mlflow_errors(env), _one_at_a_time(name, env):
        client = tracking(env)
        now, versions, run = _champion(client, name), _versions(client, name), str(env.get("run_id", ""))
        done = [one for one in versions if run and one.tags.get(_BACK_RUN) == run]
        if now is None:
            raise _no_champion(name)
        if done and done[0].version != now.version:
            return {"name": name, "version": now.version, "before": done[0].version}
        # A champion whose alias was set by hand has no number: all others were before it.
        earlier = [one for one in versions if one.number and not one.rolled_back and one.version != now.version]
        earlier = [one for one in earlier if not now.number or one.number < now.number]
        if not earlier:
            raise InputError(
                f"version {now.version} of {name!r} is the first champion",
                effect="It stays the champion.",
                remedy="Promote another version: flowhub run promote-model.",
            )
        told = {_BACK: _now(), _BACK_BY: by or _run_of(env), _BACK_WHY: why, _BACK_RUN: run}
        _tag(client, now, told)
        to = max(earlier, key=lambda one: one.number)
        client.set_registered_model_alias(name, CHAMPION, to.version)
        return {"name": name, "version": to.version, "before": now.version}


def history(name: str, env: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All that were champion, the latest first: version, number, since, by, why and when it was rolled back."""
    with mlflow_errors(env):
        found = [one for one in _versions(tracking(env), name) if one.number]
    return [
        {
            "version": one.version,
            "number": one.number,
            "since": one.tags.get(_SINCE),
            "by": one.tags.get(_BY),
            "why": one.tags.get(_WHY),
            "rolled back": one.tags.get(_BACK),
        }
        for one in sorted(found, key=lambda one: -one.number)
    ]


def _no_champion(name: str) -> InputError:
    remedy = "Train it, or promote a version: flowhub run promote-model."
    return InputError(f"the model {name!r} has no champion", remedy=remedy)


def _make_model(client: MlflowClient, name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name, description=f"Models of the data set {name}.")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _make_version(
    client: MlflowClient, name: str, trained: Mapping[str, Any], evaluated: Mapping[str, Any], env: Mapping[str, Any]
) -> str:
    told = {key: str(trained[key]) for key in ("model_uri", "data_set_version", "model", "kind")}
    told["hyperparameters"] = json.dumps(trained["hyperparameters"])
    told |= {MEASURES[evaluated["kind"]]: f"{score(evaluated):.6f}", "registered.by": _run_of(env)}
    made = client.create_model_version(
        name,
        trained["model_source"],
        run_id=trained["mlflow_run_id"],
        tags=told,
        model_id=trained["model_id"],
        await_creation_for=None,  # type: ignore[arg-type]  # its files are there: nothing is waited for, or said of it
    )
    return str(made.version)


def _champion(client: MlflowClient, name: str) -> Version | None:
    from mlflow.exceptions import MlflowException

    try:
        return _as_version(client.get_model_version_by_alias(name, CHAMPION))
    except MlflowException as error:
        if error.error_code in _UNSET:
            return None
        raise


def _require(client: MlflowClient, name: str, version: str) -> Version:
    there = {one.version: one for one in _versions(client, name)}
    if version not in there:
        near = did_you_mean(name, [one.name for one in client.search_registered_models()])
        versions = f"It has {', '.join(there)}." if there else near or "Train it first."
        raise InputError(f"there is no version {version!r} of the model {name!r}", remedy=versions)
    return there[version]


def _versions(client: MlflowClient, name: str) -> list[Version]:
    """All versions of the model, by their numbers."""
    quoted = name.replace("'", "")
    found, token = [], None
    while True:
        page = client.search_model_versions(f"name='{quoted}'", page_token=token)
        found += [_as_version(one) for one in page]
        token = page.token
        if not token:
            return sorted(found, key=lambda one: int(one.version))


def _as_version(found: Any) -> Version:
    return Version(found.name, str(found.version), dict(found.tags))


def _not_by_itself(candidate: Version, env: Mapping[str, Any]) -> str | None:
    """Why a version is not promoted without a person; None if it may be."""
    policy = env.get("PROMOTION") or POLICIES[0]
    if policy not in POLICIES:
        raise ProfileError(
            f"PROMOTION is {policy!r}",
            effect="Nothing was promoted.",
            remedy=did_you_mean(str(policy), POLICIES) or f"Write {' or '.join(POLICIES)} into the profile.",
        )
    command = f"flowhub run promote-model --param model={candidate.name} --param version={candidate.version}"
    if candidate.rolled_back:
        return f"it was rolled back, and only a person promotes it again: {command}"
    return None if policy == POLICIES[0] else f"it waits for a person's approval: {command}"


def _compare(candidate: Version, before: Version | None, env: Mapping[str, Any], by: str | None) -> tuple[bool, str]:
    """Whether it is better than the champion on the held-out rows of the newest data; a person may settle a tie."""
    if before is None:
        return True, "there was no champion"
    newest = published(candidate.name, env)[2]["version"]
    rows = {"data_set": candidate.name, "data_set_version": newest, "model_uri": candidate.model_uri}
    new = evaluate(rows, env)
    tie = MOVED if candidate.data_set_version != before.data_set_version else "and a person approves it" if by else ""
    return is_better(new, on_same_rows(before.model_uri, new, env), tie)


def _better_rival(
    client: MlflowClient, candidate: Version, before: Version | None, env: Mapping[str, Any]
) -> Version | None:
    """Another that was promoted since ``before`` was the champion, and is better; of two alike the older version."""
    least = before.number if before is not None else 0
    rivals = [one for one in _versions(client, candidate.name) if one.number > least and not one.rolled_back]
    if all(one.version == candidate.version for one in rivals):
        return None
    newest = published(candidate.name, env)[2]["version"]
    rows = {"data_set": candidate.name, "data_set_version": newest}

    def rank(one: Version) -> tuple[float, int]:
        evaluated = on_same_rows(one.model_uri, rows, env)
        return (round(score(evaluated), 9) if evaluated else -math.inf, -int(one.version))

    best = max(rivals, key=rank)
    return best if best.version != candidate.version else None


def _mark(client: MlflowClient, candidate: Version, by: str, why: str) -> None:
    number = max((one.number for one in _versions(client, candidate.name)), default=0) + 1
    _tag(client, candidate, {_NUMBER: str(number), _SINCE: _now(), _BY: by, _WHY: why})
    for tag in (_BACK, _BACK_BY, _BACK_WHY, _BACK_RUN):
        if tag in candidate.tags:
            client.delete_model_version_tag(candidate.name, candidate.version, tag)


def _unmark(client: MlflowClient, candidate: Version) -> None:
    for tag in _MARKS:
        client.delete_model_version_tag(candidate.name, candidate.version, tag)


def _tag(client: MlflowClient, version: Version, tags: Mapping[str, str]) -> None:
    for tag, value in tags.items():
        client.set_model_version_tag(version.name, version.version, tag, value[:_LONGEST_TEXT])


def _told(
    candidate: Version, now: Version | None, before: Version | None, reason: str, *, promoted: bool = False
) -> dict[str, Any]:
    return {
        "name": candidate.name,
        "version": candidate.version,
        "promoted": promoted,
        "reason": reason,
        "champion": now.version if now is not None else None,
        "before": before.version if before is not None else None,
    }


@contextlib.contextmanager
def _one_at_a_time(name: str, env: Mapping[str, Any]) -> Iterator[None]:
    """Those of this machine that change the same model, one after the other; it ends with its process at the latest."""
    key = hashlib.sha256(f"{tracking_uri(env)} {name}".encode()).hexdigest()[:24]
    path = os.path.join(tempfile.gettempdir(), f"flowhub-registry-{os.getuid()}-{key}.lock")
    # Not through a link that somebody else has put there.
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _run_of(env: Mapping[str, Any]) -> str:
    return f"run {env.get('run_id', '')} of {env.get('project', '')}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
