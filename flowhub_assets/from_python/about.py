"""What a script's run is about: the partition, or the several, that --partition names."""

from __future__ import annotations

import sys
from datetime import datetime, timezone
from typing import Optional

from flowhub_assets.errors import InputError
from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.runtime.matrix import matching, none_named
from flowhub_assets.runtime.partitions import Window, last_ended, window_of


def partitions_named(pipeline: Pipeline, text: Optional[str]) -> list[Window]:
    """The partitions that ``text`` names, of those by keys all that a pattern such as ``iris|*`` means.

    None named is the one that ended last. Raises InputError for what is none, and where there is no last one.
    """
    asked = pipeline.partitions
    if asked is None:
        raise InputError(
            f"--partition {text}: pipeline {pipeline.name!r} has no partitions",
            where=pipeline.source,
            effect="Nothing was run.",
            remedy="Leave it out, or ask for them: every: daily, start: '2026-01-01'.",
        )
    if asked.dimensions:
        if text is None:
            raise none_named(asked)
        return matching(asked, text)
    if text is not None:
        return [window_of(asked, text)]
    window = last_ended(asked, datetime.now(timezone.utc))
    if window is None:
        raise InputError(
            "no partition has ended yet",
            where=pipeline.source,
            effect="Nothing was run.",
            remedy=f"Name one: --partition {asked.start}.",
        )
    print(f"flowhub: {pipeline.name}, partition {window['key']}", file=sys.stderr)
    return [window]
