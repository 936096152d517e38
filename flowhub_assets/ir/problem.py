"""One thing that is wrong with a pipeline."""

from __future__ import annotations

from dataclasses import dataclass

from flowhub_assets.ir.pipeline import Source


@dataclass(frozen=True)
class Problem:
    """``what`` is one sentence that names the value, ``where`` the line to change; the rest is as in errors."""

    what: str
    where: Source
    effect: str = ""
    remedy: str = ""
