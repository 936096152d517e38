"""The import name that FlowHub scripts use: each name here is the same object as in flowhub_assets."""

from __future__ import annotations

import flowhub_assets

TYPE_CHECKING = False  # importing typing would cost more than all the rest here; type checkers know the name
if TYPE_CHECKING:  # what editors and type checkers read
    from typing import Any

    import flowhub_assets.templates
    from flowhub_assets.errors import FlowhubError as FlowhubError
    from flowhub_assets.from_python.arguments import get_parser as get_parser
    from flowhub_assets.from_python.arguments import parse_args as parse_args
    from flowhub_assets.from_python.flow import flow as flow
    from flowhub_assets.from_python.task import task as task
    from flowhub_assets.ir.placement import Toleration as Toleration
    from flowhub_assets.ir.placement import Volume as Volume
    from flowhub_assets.ir.placement import VolumeMount as VolumeMount
    from flowhub_assets.runtime.show import show as show
    from flowhub_assets.runtime.storage import get_storage as get_storage

    template = flowhub_assets.templates

__all__ = list(flowhub_assets.__all__)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    try:
        return getattr(flowhub_assets, name)
    except AttributeError:
        raise AttributeError(f"module 'flowhub' has no attribute {name!r}") from None


def __dir__() -> list[str]:
    return dir(flowhub_assets)
