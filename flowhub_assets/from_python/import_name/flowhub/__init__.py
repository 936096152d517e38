"""The import name that FlowHub scripts use: each name here is the same object as in flowhub_assets."""

from __future__ import annotations

import flowhub_assets

TYPE_CHECKING = False  # importing typing would cost more than all the rest here; type checkers know the name
if TYPE_CHECKING:  # what editors and type checkers read
    from typing import Any

    from flowhub_assets import FlowhubError as FlowhubError
    from flowhub_assets import ProfileResource as ProfileResource
    from flowhub_assets import S3Storage as S3Storage
    from flowhub_assets import StorageResource as StorageResource
    from flowhub_assets import Toleration as Toleration
    from flowhub_assets import Volume as Volume
    from flowhub_assets import VolumeMount as VolumeMount
    from flowhub_assets import check as check
    from flowhub_assets import describe_table as describe_table
    from flowhub_assets import flow as flow
    from flowhub_assets import get_env as get_env
    from flowhub_assets import get_parser as get_parser
    from flowhub_assets import get_storage as get_storage
    from flowhub_assets import kubernetes_tags as kubernetes_tags
    from flowhub_assets import ml as ml
    from flowhub_assets import parse_args as parse_args
    from flowhub_assets import show as show
    from flowhub_assets import task as task
    from flowhub_assets import template as template

__all__ = list(flowhub_assets.__all__)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    try:
        return getattr(flowhub_assets, name)
    except AttributeError:
        raise AttributeError(f"module 'flowhub' has no attribute {name!r}") from None


def __dir__() -> list[str]:
    return dir(flowhub_assets)
