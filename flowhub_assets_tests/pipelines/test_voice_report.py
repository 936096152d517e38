"""The voice report: real work on a laptop, and what it would ask of a cluster."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import flowhub_assets.pipelines
from flowhub_assets import Toleration, VolumeMount
from flowhub_assets.from_python.loading import load_file

Run = Callable[..., Any]


def test_two_voices_take_turns(run_script: Run, tmp_path: Path) -> None:
    (tmp_path / "long.json").write_text(json.dumps({"turn_count": 3}))
    done = run_script("voice_report", "--env", "default", "--input", "long.json")
    assert done.code == 0, done.printed
    told = done.log["report"]["output"]
    assert [turn["speaker"] for turn in told["turns"]] == ["S1", "S2", "S1"]
    assert [turn["start"] for turn in told["turns"]] == pytest.approx([0, 3.5, 7], abs=0.2)
    assert [speaker["share"] for speaker in told["speakers"]] == pytest.approx([2 / 3, 1 / 3], abs=0.03)
    assert len(list(done.folder.glob("tmp/voice-report/*/record_talk/talk.wav"))) == 1


def test_it_shows_the_turns_and_a_plot(run_here: Run) -> None:
    done = run_here("voice_report")
    assert [(shown.name, shown.kind) for shown in done.tasks["report"].shown] == [
        ("who speaks when", "png"),
        ("speakers", "table"),
    ]
    assert len(done.tasks["tell_speakers"].shown[0].data) == 4


def test_what_it_asks_of_a_cluster() -> None:
    (runnable,) = load_file(str(Path(flowhub_assets.pipelines.__path__[0]) / "voice_report" / "workflow.py"))
    told = runnable.pipeline.task("tell_speakers")
    assert (told.pool, told.priority, told.timeout, told.retry.times, told.retry.delay) == ("gpu", 10, 1800, 2, 30)
    asked = told.placement
    assert (asked.image, asked.cpu, asked.memory, asked.gpu) == ("my-registry/analyze-speaker:v1", "2", "4Gi", "1")
    assert asked.tolerations == (Toleration(key="nvidia.com/gpu", operator="Exists", effect="NoSchedule"),)
    assert asked.node_selector == {"karpenter.sh/nodepool": "gpu-nodepool"}
    assert asked.volume_mounts == (VolumeMount("model-cache", "/var/cache/models"), VolumeMount("scratch", "/scratch"))
    assert [volume.name for volume in runnable.pipeline.volumes] == ["model-cache", "scratch"]
    assert runnable.pipeline.task("record_talk").placement.gpu is None
