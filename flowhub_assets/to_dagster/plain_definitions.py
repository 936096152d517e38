"""What a user wrote for Dagster itself in a pipeline file: assets, checks, or a Definitions object."""

from __future__ import annotations

import re
from collections.abc import Iterable
from types import ModuleType

from dagster import (
    AssetChecksDefinition,
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    Definitions,
    SourceAsset,
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


def own_asset_keys(definitions: Definitions) -> set[AssetKey]:
    """The keys of the assets that a Definitions object itself holds."""
    return {key for asset in _assets(definitions) for key in _keys(asset)}


def upstream_asset_keys(definitions: Definitions) -> set[AssetKey]:
    """The keys of the assets that its assets and checks take, its own ones among them."""
    taken: set[AssetKey] = set()
    for asset in _assets(definitions):
        if isinstance(asset, AssetsDefinition):
            taken |= {key for keys in asset.asset_deps.values() for key in keys}
            taken |= {check.asset_key for check in asset.check_keys}
        elif isinstance(asset, AssetSpec):
            taken |= {dep.asset_key for dep in asset.deps}
    return taken


def _assets(definitions: Definitions) -> list[object]:
    return [*(definitions.assets or ()), *(definitions.asset_checks or ())]


def _keys(asset: object) -> Iterable[AssetKey]:
    if isinstance(asset, AssetsDefinition):
        return asset.keys
    return [asset.key] if isinstance(asset, (AssetSpec, SourceAsset)) else []
