"""The order of ``flowhub demo``."""

from __future__ import annotations

from pathlib import Path

from flowhub_assets.cli.demo_order import in_order
from flowhub_assets.definitions import load
from flowhub_assets_tests.workflows import location_of

FLOW = """
from flowhub import flow, task

@task
def one(args):
    return {{}}

@flow(name="{name}", deps={deps})
def main(args):
    return one(args)
"""


def names(folder: Path, **deps: list[str]) -> list[str]:
    """The names of these flows in their order; they are given with what they come after."""
    location, flows = location_of(folder), []
    for name, after in deps.items():
        file = folder / f"{name}.py"
        file.write_text(FLOW.format(name=name, deps=after))
        flows += [location.flow(runnable) for runnable in load(file).runnables]
    return [flow.pipeline.name for flow in in_order(flows)]


def test_what_makes_an_asset_goes_first(tmp_path: Path) -> None:
    deps = {"serving": ["training/one"], "training": ["data/one", "elsewhere/one"], "data": [], "alone": []}
    ordered = names(tmp_path, **deps)
    assert sorted(ordered) == sorted(deps)
    assert ordered.index("data") < ordered.index("training") < ordered.index("serving")


def test_those_that_wait_for_each_other_stay_as_they_are(tmp_path: Path) -> None:
    assert names(tmp_path, a=["b/one"], b=["a/one"], c=[]) == ["a", "b", "c"]
