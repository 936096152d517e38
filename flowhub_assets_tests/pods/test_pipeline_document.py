"""pipeline.json: what the pod reads is what was exported, on any machine."""

from __future__ import annotations

import json
from pathlib import Path

from flowhub_assets.ir.pipeline import Node, Pipeline, Source, Task
from flowhub_assets.pods.pipeline_document import pipeline_text
from flowhub_assets.runtime.pod_files import read_pod_files


def made(folder: Path, ending: str) -> Pipeline:
    file = str(folder / f"flow.{ending}")
    tasks = (
        Task(name="call", source=Source(file, 7), needs=("$args",), node=Node("log", {"message": "안녕 $(X)"})),
        Task(name="work", function="work", source=Source(str(folder / "src" / "work.py"), 1), needs=("call",)),
    )
    profiles = {"default": {"SECRET_KEY": "planted"}, "airflow": {"BUCKET": "b"}}
    return Pipeline(name="my flow", tasks=tasks, source=Source(file, 2), profiles=profiles)


def text(folder: Path, ending: str) -> str:
    return pipeline_text(
        made(folder, ending),
        file=f"flow.{ending}",
        profile_name="airflow",
        profile={"BUCKET": "b", "KEY": {"env": "KEY"}},
        argv=["--count", "3"],
        secret="my-flow-secrets",
    )


def test_a_flow_is_named_and_not_written_down(tmp_path: Path) -> None:
    told = json.loads(text(tmp_path, "py"))
    assert told == {
        "format": 1,
        "file": "flow.py",
        "flow": "my flow",
        "kind": "python",
        "argv": ["--count", "3"],
        "profile_name": "airflow",
        "profile": {"BUCKET": "b", "KEY": {"env": "KEY"}},
        "secret": "my-flow-secrets",
    }


def test_a_pipeline_file_travels_as_data_without_its_other_profiles(tmp_path: Path) -> None:
    (tmp_path / "pipeline.json").write_text(text(tmp_path / "here", "yaml"), encoding="utf-8")
    files = read_pod_files(str(tmp_path / "pipeline.json"), "/code")
    pipeline = files.pipeline
    assert (files.kind, files.file, files.argv) == ("data", "/code/flow.yaml", ("--count", "3"))
    assert pipeline.task("work").source == Source("/code/src/work.py", 1)
    assert pipeline.task("call").node == made(tmp_path, "yaml").task("call").node
    assert pipeline.profiles == {}
    assert "planted" not in text(tmp_path, "yaml")


def test_the_text_does_not_depend_on_the_machine(tmp_path: Path) -> None:
    for ending in ("py", "yaml"):
        assert text(tmp_path / "one", ending) == text(tmp_path / "another" / "place", ending)
    assert '\n  "flow": "my flow",\n' in text(tmp_path, "py")
    assert text(tmp_path, "py").endswith("\n}\n")
