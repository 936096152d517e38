"""One pipeline → the texts of its two files, and all that is to be said about them. Nothing is written here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowhub_assets.ir.gpu_presets import with_gpu_presets
from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.ir.problem import Problem
from flowhub_assets.names import dag_id
from flowhub_assets.pods.credentials import create_secret_command
from flowhub_assets.pods.travelling import travelling
from flowhub_assets.runtime.profiles import choose_profile
from flowhub_assets.to_airflow.dag_data import SECONDS_TO_START, dag_data
from flowhub_assets.to_airflow.dag_file import dag_file
from flowhub_assets.to_airflow.unsupported import refused, unsupported


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
    profile = choose_profile(pipeline, profile_name)
    pipeline = with_gpu_presets(pipeline, profile_name, profile)
    problems = refused(pipeline, profile.get("BUCKET") or None)
    grouped = group_light or pipeline.fuse
    pods = travelling(pipeline, profile_name, name, argv=argv, grouped=grouped, problems=problems)
    safe, settings = pods.credentials, pods.settings
    data = dag_data(safe.pipeline, settings, group_light=group_light, seconds_to_start=_seconds_to_start(safe.profile))
    return Export(
        name,
        dag_file(data, Path(pipeline.source.file).name),
        pods.code.text,
        settings.namespace,
        tuple(unsupported(safe.pipeline, settings)),
        pods.warnings,
        create_secret_command(safe.references, pods.secret, settings.namespace),
    )


def _seconds_to_start(profile: Mapping[str, Any]) -> int:
    value = profile.get("K8S_STARTUP_TIMEOUT", SECONDS_TO_START)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else SECONDS_TO_START
