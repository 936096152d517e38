"""Pipelines written once, run on a laptop, in Dagster, on Kubernetes or as an Airflow DAG.

The public names are imported when they are first used, so that a task's image needs nothing but Python
and no process pays for a room that it does not enter.
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing would cost more than all the rest here; type checkers know the name
if TYPE_CHECKING:
    from typing import Any

    from flowhub_assets import ml as ml
    from flowhub_assets import templates as templates
    from flowhub_assets.errors import FlowhubError as FlowhubError
    from flowhub_assets.from_python.arguments import get_parser as get_parser
    from flowhub_assets.from_python.arguments import parse_args as parse_args
    from flowhub_assets.from_python.flow import flow as flow
    from flowhub_assets.from_python.task import task as task
    from flowhub_assets.ir.placement import Toleration as Toleration
    from flowhub_assets.ir.placement import Volume as Volume
    from flowhub_assets.ir.placement import VolumeMount as VolumeMount
    from flowhub_assets.resources.profiles import ProfileResource as ProfileResource
    from flowhub_assets.resources.profiles import StorageResource as StorageResource
    from flowhub_assets.resources.s3_storage import S3Storage as S3Storage
    from flowhub_assets.runtime.check import check as check
    from flowhub_assets.runtime.show import show as show
    from flowhub_assets.runtime.step_env import get_env as get_env
    from flowhub_assets.runtime.storage import get_storage as get_storage
    from flowhub_assets.runtime.table import describe_table as describe_table
    from flowhub_assets.to_dagster.tags import kubernetes_tags as kubernetes_tags

    template = templates

#: Public name → module that defines it.
_HOME = {
    "FlowhubError": "flowhub_assets.errors",
    "ProfileResource": "flowhub_assets.resources.profiles",
    "S3Storage": "flowhub_assets.resources.s3_storage",
    "StorageResource": "flowhub_assets.resources.profiles",
    "Toleration": "flowhub_assets.ir.placement",
    "Volume": "flowhub_assets.ir.placement",
    "VolumeMount": "flowhub_assets.ir.placement",
    "check": "flowhub_assets.runtime.check",
    "describe_table": "flowhub_assets.runtime.table",
    "flow": "flowhub_assets.from_python.flow",
    "get_env": "flowhub_assets.runtime.step_env",
    "get_parser": "flowhub_assets.from_python.arguments",
    "get_storage": "flowhub_assets.runtime.storage",
    "kubernetes_tags": "flowhub_assets.to_dagster.tags",
    "ml": "flowhub_assets.ml",
    "parse_args": "flowhub_assets.from_python.arguments",
    "show": "flowhub_assets.runtime.show",
    "task": "flowhub_assets.from_python.task",
    "template": "flowhub_assets.templates",
}

#: Those whose public name is the package itself, with lazy names of its own.
_PACKAGES = ("flowhub_assets.ml", "flowhub_assets.templates")

__all__ = sorted(_HOME)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    try:
        home = _HOME[name]
    except KeyError:
        raise AttributeError(f"module 'flowhub_assets' has no attribute {name!r}") from None
    import importlib

    module = importlib.import_module(home)
    value = module if home in _PACKAGES else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
