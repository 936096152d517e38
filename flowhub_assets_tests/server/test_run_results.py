"""What a run gave: the outputs that its pipeline names, from the storage of the run's profile."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from flowhub_assets.errors import Conflict, NotFound
from flowhub_assets.server.run_results import result_of
from flowhub_assets.server.runs import StartRequest
from flowhub_assets_tests.server.run_here import Here, runs_here


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    with runs_here(tmp_path_factory.mktemp("results")) as here:
        yield here


def test_a_flow_gives_what_it_returns(here: Here) -> None:
    assert result_of(here.backend, here.run("steps", n=5)) == {"result": 6}


def test_a_pipeline_of_nodes_gives_what_its_last_nodes_gave(here: Here) -> None:
    run_id = here.run("round", cities=["Jeju"])
    assert result_of(here.backend, run_id) == {"message": "two one", "results": [{"message": "in Jeju"}]}


def test_the_storage_is_the_one_of_the_run(here: Here) -> None:
    job = here.backend.catalogue.get("steps").flow.job
    workspace = here.base / "elsewhere"
    config = {"resources": {"storage": {"config": {"workspace": str(workspace)}}}}
    done = job.execute_in_process(run_config=config, instance=here.backend.instance)
    assert list(workspace.rglob("third.json"))
    assert result_of(here.backend, done.run_id) == {"result": 2}


def test_a_run_that_has_not_succeeded_has_none(here: Here) -> None:
    for run_id, status in (
        (here.run("steps", n=3), "FAILURE"),
        (here.backend.runs.start(StartRequest("greet")).run_id, "QUEUED"),
        (here.backend.runs.start(StartRequest("greet", delay=3_600)).run_id, "DELAYED"),
    ):
        with pytest.raises(Conflict, match=f"is {status}, so that it has no result"):
            result_of(here.backend, run_id)
    with pytest.raises(NotFound, match="there is no run 'x'"):
        result_of(here.backend, "x")
