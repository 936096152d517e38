"""Assets of different files that come after each other, round and round: the file that closes the circle is refused.

Dagster loads them all the same; then neither its automation nor a run of all of them finds an order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dagster import AssetKey, AssetsDefinition, AssetSpec

from flowhub_assets.errors import DefinitionError


@dataclass(frozen=True)
class AssetOrder:
    """Which assets of the files so far come after which. Those that are made as a whole are one: its first key."""

    _of_key: Mapping[AssetKey, AssetKey] = field(default_factory=dict)
    _after: Mapping[AssetKey, set[AssetKey]] = field(default_factory=dict)

    def with_file(self, assets: Iterable[object], path: Path) -> AssetOrder:
        """The order with those of a file, too. Raises DefinitionError where one of them would come after itself."""
        of_key, after = dict(self._of_key), dict(self._after)
        new = [one for asset in assets for one in _units(asset)]
        for keys, deps in new:
            of_key |= dict.fromkeys(keys, keys[0])
            after[keys[0]] = deps - set(keys)
        for keys, _ in new:
            way = _way_back(keys[0], of_key, after)
            if way is not None:
                told = " after ".join(key.to_user_string() for key in way)
                raise DefinitionError(
                    f"the asset {way[0].to_user_string()} would wait for itself: {told}",
                    where=path,
                    effect="Nothing of this file is loaded.",
                    remedy="Take one of them out of the deps of another.",
                )
        return AssetOrder(of_key, after)


def _units(asset: object) -> list[tuple[list[AssetKey], set[AssetKey]]]:
    """The keys of assets that are made as one, with all that these come after."""
    if isinstance(asset, AssetSpec):
        return [([asset.key], {dep.asset_key for dep in asset.deps})]
    if not isinstance(asset, AssetsDefinition) or not asset.keys:
        return []
    if asset.can_subset:
        return [([key], set(deps)) for key, deps in asset.asset_deps.items()]
    return [(sorted(asset.keys), {dep for deps in asset.asset_deps.values() for dep in deps})]


def _way_back(
    start: AssetKey, of_key: Mapping[AssetKey, AssetKey], after: Mapping[AssetKey, set[AssetKey]]
) -> list[AssetKey] | None:
    """The shortest way from what is made as one over what it comes after to itself."""
    ways, seen = [[start]], {start}
    for way in ways:
        for dep in sorted(after.get(way[-1], ())):
            one = of_key.get(dep, dep)
            if one == start:
                return [*way, start]
            if one not in seen:
                seen.add(one)
                ways.append([*way, one])
    return None
