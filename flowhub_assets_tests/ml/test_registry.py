"""The registry over a real embedded MLflow, and a server: one champion, the better one, and a way back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from flowhub_assets.errors import InputError, ProfileError
from flowhub_assets.ml import registry
from flowhub_assets.ml.registry import champion, history, promote, register, require_champion, rollback
from flowhub_assets.ml.tracking import tracking
from flowhub_assets_tests.ml.mlflow_server import mlflow_server
from flowhub_assets_tests.ml.trained import BETTER, WORSE, env_of, publish_iris, registered


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A workspace in which iris is published."""
    env = env_of(tmp_path_factory.mktemp("registry"))
    publish_iris(env)
    return env


@pytest.fixture(autouse=True)
def _no_model_before(env: dict[str, Any]) -> Iterator[None]:
    """Each test begins without any version."""
    yield
    client = tracking(env)
    for model in client.search_registered_models():
        client.delete_registered_model(model.name)


def tags_of(env: Mapping[str, Any], version: str) -> dict[str, str]:
    return dict(tracking(env).get_model_version("iris", version).tags)


def aliases(env: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(one) for name, one in tracking(env).get_registered_model("iris").aliases.items()}


def stands(env: Mapping[str, Any]) -> str | None:
    now = champion("iris", env)
    return now.version if now else None


def test_what_is_registered_is_the_challenger_and_knows_where_it_comes_from(env: dict[str, Any]) -> None:
    assert champion("iris", env) is None
    with pytest.raises(InputError, match="no champion"):
        require_champion("iris", env)
    made = registered(env, BETTER)
    assert made["version"] == "1"
    assert aliases(env) == {"challenger": "1"}
    tags = tags_of(env, "1")
    assert {name: tags[name] for name in ("model", "kind", "data_set_version", "model_uri")} == {
        name: made[name] for name in ("model", "kind", "data_set_version", "model_uri")
    }
    assert float(tags["balanced_accuracy"]) == made["evaluated"]["metrics"]["balanced_accuracy"]
    again = register(made, made["evaluated"], env)
    assert again["version"] == "1", "the step tried once more"
    assert again["url"].endswith("/#/models/iris/versions/1")
    assert tracking(env).get_model_version("iris", "1").run_id == made["mlflow_run_id"]


def test_the_better_one_takes_the_place_and_a_tie_does_not(env: dict[str, Any]) -> None:
    worse, better, alike = (registered(env, one)["version"] for one in (WORSE, BETTER, BETTER))
    first = promote("iris", worse, env)
    assert first["promoted"]
    assert first["before"] is None
    second = promote("iris", better, env)
    assert (second["promoted"], second["champion"], second["before"]) == (True, better, worse)
    third = promote("iris", alike, env)
    assert (third["promoted"], third["champion"]) == (False, better)
    assert "a tie, which keeps the champion" in third["reason"]
    back = promote("iris", worse, env)
    assert (back["promoted"], back["champion"]) == (False, better)
    assert "the champion is better" in back["reason"]
    assert promote("iris", better, env)["reason"] == "it is the champion already"
    assert stands(env) == better
    assert [one["version"] for one in history("iris", env)] == [better, worse]


def test_a_tie_goes_to_what_has_learnt_from_other_rows(env: dict[str, Any]) -> None:
    first = registered(env, BETTER)["version"]
    promote("iris", first, env)
    publish_iris(env, lambda frame: frame.iloc[:-2])
    try:
        second = registered(env, BETTER)["version"]
        done = promote("iris", second, env)
        assert done["promoted"]
        assert "it has learnt from another version" in done["reason"]
    finally:
        publish_iris(env)


def test_by_approval_a_person_decides(env: dict[str, Any]) -> None:
    asked = {**env, "PROMOTION": "approval"}
    worse, better, alike = (registered(env, one)["version"] for one in (WORSE, BETTER, BETTER))
    waiting = promote("iris", better, asked)
    assert not waiting["promoted"]
    assert waiting["reason"].endswith(f"flowhub run promote-model --param model=iris --param version={better}")
    assert stands(env) is None
    assert promote("iris", better, asked, by="Ada", why="looks good")["promoted"]
    tags = tags_of(env, better)
    assert (tags["champion.by"], tags["champion.why"], tags["champion.number"]) == ("Ada", "looks good", "1")
    assert tags["champion.since"].endswith("Z")
    assert not promote("iris", worse, asked, by="Ada")["promoted"]
    assert promote("iris", alike, asked, by="Ada")["promoted"], "a person settles a tie"
    assert promote("iris", worse, asked, by="Ada", force=True)["promoted"]
    assert stands(env) == worse


def test_rollback_goes_further_each_time_and_is_kept(env: dict[str, Any]) -> None:
    first, second, third = (registered(env, one)["version"] for one in (WORSE, BETTER, BETTER))
    promote("iris", first, env)
    promote("iris", second, env)
    promote("iris", third, env, by="Ada")
    step = {**env, "run_id": "back1"}
    assert rollback("iris", step, by="Grace", why="complaints") == {"name": "iris", "version": second, "before": third}
    assert rollback("iris", step)["version"] == second, "the step tried once more"
    assert tags_of(env, third)["rolled_back.by"] == "Grace"
    assert tags_of(env, third)["rolled_back.why"] == "complaints"
    assert rollback("iris", {**env, "run_id": "back2"})["version"] == first
    with pytest.raises(InputError, match="is the first champion"):
        rollback("iris", {**env, "run_id": "back3"})
    assert stands(env) == first
    for version in (second, third):
        refused = promote("iris", version, env)
        assert not refused["promoted"]
        assert "only a person promotes it again" in refused["reason"]
    assert stands(env) == first
    assert promote("iris", second, env, by="Ada")["promoted"]
    assert "rolled_back.at" not in tags_of(env, second)
    assert rollback("iris", {**env, "run_id": "back4"})["version"] == first


def test_a_champion_that_somebody_set_by_hand_can_be_rolled_back(env: dict[str, Any]) -> None:
    first, second = (registered(env, one)["version"] for one in (WORSE, BETTER))
    promote("iris", first, env)
    tracking(env).set_registered_model_alias("iris", "champion", second)
    assert rollback("iris", env)["version"] == first


def test_a_rollback_that_died_in_between_ends_when_it_is_tried_again(env: dict[str, Any]) -> None:
    first, second = (registered(env, one)["version"] for one in (WORSE, BETTER))
    promote("iris", first, env)
    promote("iris", second, env)
    tracking(env).set_model_version_tag("iris", second, "rolled_back.at", "2026-01-01T00:00:00Z")
    tracking(env).set_model_version_tag("iris", second, "rolled_back.run", env["run_id"])
    assert rollback("iris", env)["version"] == first


def test_what_is_not_there(env: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="has no champion"):
        rollback("iris", env)
    version = registered(env, WORSE)["version"]
    with pytest.raises(InputError, match="no version '7'") as raised:
        promote("iris", "7", env)
    assert f"It has {version}." in str(raised.value)
    with pytest.raises(InputError, match="of the model 'irs'") as raised:
        promote("irs", "1", env)
    assert "did you mean 'iris'?" in str(raised.value).lower()
    with pytest.raises(ProfileError, match="'aproval'") as wrong:
        promote("iris", version, {**env, "PROMOTION": "aproval"})
    assert "'approval'" in str(wrong.value)
    assert stands(env) is None


@pytest.mark.parametrize("last", ["worse", "better"])
def test_two_machines_at_once_leave_the_better_one(
    env: dict[str, Any], monkeypatch: pytest.MonkeyPatch, last: str
) -> None:
    """Both have compared with the same champion before either sets the alias, and no lock is between them."""
    versions = {"worse": registered(env, WORSE)["version"], "better": registered(env, BETTER)["version"]}
    compared, first_has_set = threading.Barrier(2), threading.Event()
    mark = registry._mark

    def marked(client: Any, candidate: Any, by: str, why: str) -> None:
        compared.wait(60)
        if candidate.version == versions[last]:
            assert first_has_set.wait(60)
        mark(client, candidate, by, why)

    monkeypatch.setattr(registry, "_one_at_a_time", lambda name, env: nullcontext())
    monkeypatch.setattr(registry, "_mark", marked)
    done: dict[str, Any] = {}

    def promoted(which: str) -> None:
        done[which] = promote("iris", versions[which], {**env, "run_id": which})
        if which != last:
            first_has_set.set()

    run_all([lambda: promoted("worse"), lambda: promoted("better")])
    assert stands(env) == versions["better"]
    assert done["better"]["promoted"]
    assert done["worse"]["promoted"] == (last == "better"), "the worse one gave way, or was there before"
    if last == "worse":
        assert "promoted at the same time, is better" in done["worse"]["reason"]
        assert "champion.number" not in tags_of(env, versions["worse"])


def test_many_at_once_on_one_machine_leave_the_best(env: dict[str, Any]) -> None:
    versions = [registered(env, one)["version"] for one in (WORSE, BETTER, WORSE, BETTER)]
    run_all([lambda one=one: promote("iris", one, env) for one in versions])  # type: ignore[misc]
    best = stands(env)
    assert best in (versions[1], versions[3])
    numbers = [one["number"] for one in history("iris", env)]
    assert numbers == sorted(set(numbers), reverse=True)


def run_all(calls: list[Callable[[], object]]) -> None:
    """All at once; raises what one of them raised."""
    errors: list[BaseException] = []

    def guarded(call: Callable[[], object]) -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - whatever it was, the test's own thread tells it
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
    assert not errors, errors


@pytest.mark.timeout(400)
def test_over_a_server_all_is_the_same(tmp_path: Path) -> None:
    with mlflow_server(f"sqlite:///{tmp_path / 'server.db'}") as url:
        env = env_of(tmp_path / "work", MLFLOW_TRACKING_URI=url)
        publish_iris(env)
        worse, better = registered(env, WORSE), registered(env, BETTER)
        assert promote("iris", worse["version"], env)["promoted"]
        assert promote("iris", better["version"], env)["promoted"]
        assert stands(env) == better["version"]
        assert rollback("iris", env)["version"] == worse["version"]
        assert aliases(env) == {"challenger": better["version"], "champion": worse["version"]}
