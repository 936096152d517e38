"""A pipeline and a profile → what its pods need beside their manifests: ConfigMaps, and the Secrets' keys they read."""

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
from flowhub_assets.names import kubernetes_name
from flowhub_assets.pods.code_files import Code, code_files
from flowhub_assets.pods.code_secrets import clean_code
from flowhub_assets.pods.configmap import ConfigMapFile, Contents, config_maps
from flowhub_assets.pods.credentials import Credentials, credentials
from flowhub_assets.pods.node_files import node_files
from flowhub_assets.pods.pipeline_document import pipeline_text
from flowhub_assets.pods.pod_manifest import Clone, PodSettings, runs_in_bare_image
from flowhub_assets.pods.rows import needs_of, travelling_rows
from flowhub_assets.runtime.profiles import choose_profile

#: What a task without image= runs in, where the profile has no K8S_IMAGE.
PYTHON_IMAGE = "python:3.11-slim"
#: What clones the code, where the profile has no GIT_IMAGE; git takes a commit's hash since 2.49.
GIT_IMAGE = "alpine/git:v2.49.1"

_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Travelling:
    """``credentials`` hold the pipeline as it travels, with references in the place of secret values.

    ``code`` are the ConfigMaps, ``settings`` what all pods share, ``secret`` the Kubernetes Secret that references
    without one of their own lead to, ``warnings`` what is to be said of credentials.
    """

    credentials: Credentials
    code: ConfigMapFile
    settings: PodSettings
    secret: str
    warnings: tuple[str, ...]


def travelling(
    pipeline: Pipeline,
    profile_name: str,
    name: str,
    *,
    objects: str = "",
    argv: Sequence[str] = (),
    grouped: bool = False,
    problems: Sequence[Problem] = (),
) -> Travelling:
    """What travels to the pods of ``pipeline``, run with the profile of that name. The same gives the same.

    ``name`` begins the name of the Secret that it reads, ``name``-secrets, ``objects``, the same if left out, that of
    its ConfigMaps, ``objects``-code. ``argv`` are the arguments that the pipeline's script added; ``grouped``: several
    tasks may share a pod. Raises ProfileError for the profile, and one DefinitionError that tells all of what cannot
    travel, ``problems`` among it.
    """
    beginning = kubernetes_name(name, 50)
    secret = f"{beginning}-secrets"
    safe = credentials(pipeline, choose_profile(pipeline, profile_name), profile_name, secret, argv)
    own = code_files(safe.pipeline, safe.profile, node_files(pipeline))
    clean = clean_code(own.files, own.paths, safe.literals)
    _refuse([*safe.refusals, *clean.refusals, *map(_error, problems)])
    text = pipeline_text(
        safe.pipeline, file=own.file, profile_name=profile_name, profile=safe.profile, argv=argv, secret=secret
    )
    contents = _contents(safe.pipeline, replace(own, files=clean.files), text, grouped)
    code = config_maps(f"{kubernetes_name(objects or name, 50)}-code", safe.pipeline.name, contents, _namespace(safe))
    return Travelling(safe, code, _settings(safe, code.names), secret, (*safe.warnings, *clean.warnings))


def _contents(pipeline: Pipeline, code: Code, text: str, grouped: bool) -> Contents:
    bare = any(runs_in_bare_image([task]) for task in all_tasks(pipeline))
    rows = travelling_rows(needs_of(pipeline, code.files, grouped)) if bare else {}
    return Contents({"boot.py": _boot(), "pipeline.json": text}, rows, code.files, code.paths)


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


def _error(problem: Problem) -> DefinitionError:
    return DefinitionError(problem.what, where=problem.where, effect=problem.effect, remedy=problem.remedy)


def _refuse(errors: Sequence[FlowhubError]) -> None:
    if len(errors) == 1:
        raise errors[0]
    if errors:
        told = "\n".join(map(str, errors))
        raise DefinitionError(f"{len(errors)} things cannot be exported\n{told}")
