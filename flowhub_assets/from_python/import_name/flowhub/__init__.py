"""The import name that FlowHub scripts use: each name here is the same object as in flowhub_assets."""

from __future__ import annotations

from typing import Any

import flowhub_assets

__all__ = list(flowhub_assets.__all__)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    try:
        return getattr(flowhub_assets, name)
    except AttributeError:
        raise AttributeError(f"module 'flowhub' has no attribute {name!r}") from None


def __dir__() -> list[str]:
    return dir(flowhub_assets)
