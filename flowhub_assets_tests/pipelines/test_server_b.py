"""Service B, run as its README says: its .proto is written from its classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flowhub_assets.server.rpc.typed_methods import own_text
from flowhub_assets_tests.golden.targets import PIPELINES, load

Run = Callable[..., Any]


def test_both_tasks_in_a_row(run_script: Run) -> None:
    done = run_script("server_b", "--env", "default")
    assert done.code == 0, done.printed
    assert list(done.log) == ["split", "describe"]
    assert done.log["describe"]["output"]["counts"] == {"train": 6, "test": 2}


def test_a_nested_param_is_an_object_in_the_task(run_here: Run) -> None:
    info = {"object_storage_urls": ["y", "x", "y"], "dataset": "b"}
    done = run_here("server_b", data_info=info, test_share=0.5, keep_for="P3D")
    assert done.value["items"] == [{"url": "x", "part": "train"}, {"url": "y", "part": "test"}]
    assert done.value["keep_for"] == "P3D"


def test_the_committed_proto_is_what_the_classes_say() -> None:
    written = (PIPELINES / "server_b" / "server_b.proto").read_text("utf-8")
    assert own_text(load("server_b")) == written, "write it anew: flowhub proto server-b --write the pipeline's folder"
