"""Pipelines written once, run on a laptop, in Dagster, on Kubernetes or as an Airflow DAG.

The public names are imported when they are first used, so that a task's image needs nothing but Python
and no process pays for a room that it does not enter.
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing would cost more than all the rest here; type checkers know the name
if TYPE_CHECKING:
    from typing import Any

#: Public name → module that defines it.
_HOME = {
    "FlowhubError": "flowhub_assets.errors",
    "S3Storage": "flowhub_assets.resources.s3_storage",
    "Toleration": "flowhub_assets.ir.placement",
    "Volume": "flowhub_assets.ir.placement",
    "VolumeMount": "flowhub_assets.ir.placement",
    "flow": "flowhub_assets.from_python.flow",
    "get_parser": "flowhub_assets.from_python.arguments",
    "get_storage": "flowhub_assets.runtime.storage",
    "parse_args": "flowhub_assets.from_python.arguments",
    "show": "flowhub_assets.runtime.show",
    "task": "flowhub_assets.from_python.task",
    "template": "flowhub_assets.templates",
}

__all__ = sorted(_HOME)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    try:
        home = _HOME[name]
    except KeyError:
        raise AttributeError(f"module 'flowhub_assets' has no attribute {name!r}") from None
    import importlib

    module = importlib.import_module(home)
    value = module if home.endswith(".templates") else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
