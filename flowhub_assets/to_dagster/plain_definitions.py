"""What a user wrote for Dagster itself in a pipeline file: assets, checks, or a Definitions object."""

from __future__ import annotations

import re
from types import ModuleType

from dagster import (
    AssetChecksDefinition,
    AssetsDefinition,
    Definitions,
    load_asset_checks_from_modules,
    load_assets_from_modules,
)

from flowhub_assets.errors import DefinitionError

_DAGSTER = re.compile(r"^[ \t]*(?:from|import)[ \t]+dagster\b", re.MULTILINE)
_DEFINES = re.compile(
    r"^[ \t]*@(?:\w+\.)?(?:asset|multi_asset|graph_asset|graph_multi_asset|asset_check|multi_asset_check)\b"
    r"|\bDefinitions\(",
    re.MULTILINE,
)


def looks_like_definitions(text: str) -> bool:
    """Whether a file's text defines assets, checks or a Definitions object for Dagster."""
    return _DAGSTER.search(text) is not None and _DEFINES.search(text) is not None


def plain_definitions(module: ModuleType) -> Definitions | None:
    """The module's Definitions object, or else its loose assets and asset checks; None if it holds neither.

    Jobs, schedules and sensors need a Definitions object, as everywhere in Dagster.
    Raises DefinitionError for two Definitions objects.
    """
    values = list(vars(module).values())
    whole = {id(value): value for value in values if isinstance(value, Definitions)}
    if len(whole) > 1:
        raise DefinitionError(
            f"it holds {len(whole)} Definitions objects",
            where=module.__file__,
            effect="Dagster takes one for each file, so nothing of this file is loaded.",
            remedy="Join them: defs = Definitions.merge(first, second).",
        )
    if whole:
        return next(iter(whole.values()))
    if not any(isinstance(value, (AssetsDefinition, AssetChecksDefinition)) for value in values):
        return None
    assets = load_assets_from_modules([module])
    return Definitions(assets=assets, asset_checks=load_asset_checks_from_modules([module]))
