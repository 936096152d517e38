"""The order in which ``flowhub demo`` runs the pipelines: what makes an asset goes before what comes after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter

from dagster import AssetKey

from flowhub_assets.to_dagster.flow_definitions import FlowDefinitions


def in_order(flows: Sequence[FlowDefinitions]) -> list[FlowDefinitions]:
    """The same flows, each behind those whose assets its own ones come after; else as they stand."""
    maker = {key: number for number, flow in enumerate(flows) for key in _made(flow)}
    graph = {number: sorted({maker[key] for key in _taken(flow) if key in maker} - {number}) for number, flow in
             enumerate(flows)}  # fmt: skip
    try:
        return [flows[number] for number in TopologicalSorter(graph).static_order()]
    except CycleError:
        return list(flows)


def _made(flow: FlowDefinitions) -> Iterator[AssetKey]:
    for asset in flow.assets:
        yield from asset.keys


def _taken(flow: FlowDefinitions) -> Iterator[AssetKey]:
    for asset in flow.assets:
        for spec in asset.specs:
            yield from (dep.asset_key for dep in spec.deps)
