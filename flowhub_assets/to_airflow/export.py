"""One pipeline → the texts of its two files, and all that is to be said about them. Nothing is written here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from flowhub_assets.errors import DefinitionError, FlowhubError
from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.ir.problem import Problem
from flowhub_assets.ir.task_tree import all_tasks
from flowhub_assets.names import dag_id, kubernetes_name
from flowhub_assets.runtime.profiles import choose_profile
from flowhub_assets.to_airflow.code_files import Code, code_files
from flowhub_assets.to_airflow.code_secrets import clean_code
from flowhub_assets.to_airflow.configmap import ConfigMapFile, Contents, config_maps
from flowhub_assets.to_airflow.credentials import Credentials, create_secret_command, credentials
from flowhub_assets.to_airflow.dag_data import SECONDS_TO_START, dag_data
from flowhub_assets.to_airflow.dag_file import dag_file
from flowhub_assets.to_airflow.node_files import node_files
from flowhub_assets.to_airflow.pipeline_document import pipeline_text
from flowhub_assets.to_airflow.pod_manifest import Clone, PodSettings, runs_in_bare_image
from flowhub_assets.to_airflow.rows import needs_of, travelling_rows
from flowhub_assets.to_airflow.unsupported import refused, unsupported

#: What a task without image= runs in, where the profile has no K8S_IMAGE.
PYTHON_IMAGE = "python:3.11-slim"
#: What clones the code, where the profile has no GIT_IMAGE; git takes a commit's hash since 2.49.
GIT_IMAGE = "alpine/git:v2.49.1"

_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Export:
    """``dag`` and ``code`` are the texts of the files ``{dag_id}_dag.py`` and ``{dag_id}-code.yaml``.

    ``problems`` are what Airflow has no word for, ``warnings`` are of credentials, ``create_secret`` is the kubectl
    command for them, "" where there are none.
    """

    dag_id: str
    dag: str
    code: str
    namespace: str | None
    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]
    create_secret: str

    @property
    def files(self) -> dict[str, str]:
        """The names of the files, and what is in them."""
        return {f"{self.dag_id}_dag.py": self.dag, f"{self.dag_id}-code.yaml": self.code}


def export(
    pipeline: Pipeline,
    profile_name: str,
    *,
    argv: Sequence[str] = (),
    group_light: bool = False,
) -> Export:
    """The two files of ``pipeline``, run with the profile of that name. The same pipeline gives the same texts.

    ``argv`` are the arguments that its script added. With ``group_light`` neighbouring light tasks share a pod. Raises
    ProfileError for the profile, and one DefinitionError that tells all of what cannot be exported.
    """
    name = dag_id(pipeline.name)
    secret = f"{kubernetes_name(name, 50)}-secrets"
    safe = credentials(pipeline, choose_profile(pipeline, profile_name), profile_name, secret, argv)
    own = code_files(safe.pipeline, safe.profile, node_files(pipeline))
    clean = clean_code(own.files, own.paths, safe.literals)
    problems = refused(pipeline, safe.profile.get("BUCKET") or None)
    _refuse([*safe.refusals, *clean.refusals, *map(_error, problems)])
    grouped = group_light or pipeline.fuse
    code = _code(safe, replace(own, files=clean.files), name, secret, profile_name, argv, grouped)
    settings = _settings(safe, code.names)
    data = dag_data(safe.pipeline, settings, group_light=group_light, seconds_to_start=_seconds_to_start(safe.profile))
    return Export(
        name,
        dag_file(data, Path(pipeline.source.file).name),
        code.text,
        settings.namespace,
        tuple(unsupported(safe.pipeline, settings)),
        (*safe.warnings, *clean.warnings),
        create_secret_command(safe.references, secret, settings.namespace),
    )


def _code(
    safe: Credentials,
    code: Code,
    name: str,
    secret: str,
    profile_name: str,
    argv: Sequence[str],
    grouped: bool,
) -> ConfigMapFile:
    pipeline = safe.pipeline
    bare = any(runs_in_bare_image([task]) for task in all_tasks(pipeline))
    rows = travelling_rows(needs_of(pipeline, code.files, grouped)) if bare else {}
    text = pipeline_text(
        pipeline, file=code.file, profile_name=profile_name, profile=safe.profile, argv=argv, secret=secret
    )
    contents = Contents({"boot.py": _boot(), "pipeline.json": text}, rows, code.files, code.paths)
    return config_maps(f"{kubernetes_name(name, 50)}-code", pipeline.name, contents, _namespace(safe))


@cache
def _boot() -> str:
    return Path(__file__).with_name("boot.py").read_text(encoding="utf-8")


def _settings(safe: Credentials, config_maps: Sequence[str]) -> PodSettings:
    profile = safe.profile
    own = profile.get("FLOWHUB_IMAGE")
    return PodSettings(
        config_maps,
        str(profile.get("K8S_IMAGE") or PYTHON_IMAGE),
        str(own or f"flowhub-assets:{metadata.version('flowhub-assets')}"),
        node_image_is_assumed=not own,
        namespace=_namespace(safe),
        bucket=profile.get("BUCKET") or None,
        secrets=[(one.variable, one.secret, one.key) for one in safe.references],
        clone=_clone(safe.pipeline, profile),
    )


def _namespace(safe: Credentials) -> str | None:
    named = safe.pipeline.namespace or safe.profile.get("K8S_NAMESPACE")
    return str(named) if named else None


def _clone(pipeline: Pipeline, profile: Mapping[str, Any]) -> Clone | None:
    """Where the code is cloned from: ``repo`` with its ref behind a #, as ``https://host/team/flows.git#v1.2``."""
    if pipeline.repo is None:
        return None
    url, _, ref = pipeline.repo.partition("#")
    if not ref:
        raise DefinitionError(
            f"repo {url!r} names no ref",
            where=pipeline.source,
            effect="The pods of one run could get different code.",
            remedy=f"Write repo={url + '#v1.2'!r}: a tag, or a commit's hash.",
        )
    return Clone(
        url, ref, _COMMIT.fullmatch(ref) is not None, str(profile.get("GIT_IMAGE") or GIT_IMAGE), pipeline.path or ""
    )


def _seconds_to_start(profile: Mapping[str, Any]) -> int:
    value = profile.get("K8S_STARTUP_TIMEOUT", SECONDS_TO_START)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else SECONDS_TO_START


def _error(problem: Problem) -> DefinitionError:
    return DefinitionError(problem.what, where=problem.where, effect=problem.effect, remedy=problem.remedy)


def _refuse(errors: Sequence[FlowhubError]) -> None:
    if len(errors) == 1:
        raise errors[0]
    if errors:
        told = "\n".join(map(str, errors))
        raise DefinitionError(f"{len(errors)} things cannot be exported\n{told}")
