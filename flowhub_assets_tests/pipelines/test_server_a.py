"""Service A, run as its README says: bound to a .proto that its clients have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flowhub_assets.server.rpc.typed_methods import typed_method
from flowhub_assets_tests.golden.targets import load

Run = Callable[..., Any]


def test_what_has_changed_since_is_kept(run_here: Run) -> None:
    done = run_here("server_a", urls=["a", "b", "c"], mode="verify")
    assert done.ok
    times = sorted(one["changed"] for one in done.value["objects"])
    assert done.value["mode"] == "verify"
    later = run_here("server_a", urls=["a", "b", "c"], since=times[1])
    assert len(later.value["objects"]) == 2
    assert later.value["total_bytes"] == sum(one["size"] for one in later.value["objects"])


def test_the_script_tells_a_wrong_param_by_its_name(run_script: Run, tmp_path: Any) -> None:
    (tmp_path / "data.json").write_text('{"urls": ["a", 1], "mode": "lst"}')
    done = run_script("server_a", "--env", "default", "--input", "data.json")
    assert done.code == 2
    assert "params.urls[1] is 1, and is to be a string" in done.printed
    assert "did you mean 'list'" in done.printed


def test_its_proto_fits() -> None:
    assert typed_method(load("server_a")).path == "/gps.server_a.ServerA/Collect"
