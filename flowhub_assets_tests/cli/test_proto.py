"""``flowhub proto``: shows, writes and checks the .proto files of the shipped typed flows."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from flowhub_assets.cli.proto import is_current, proto
from flowhub_assets.errors import InputError
from flowhub_assets_tests.golden.targets import PIPELINES, load


def test_it_shows_what_is_committed() -> None:
    done = CliRunner().invoke(proto, ["server-b"])

    assert done.exit_code == 0
    assert done.stdout == (PIPELINES / "server_b" / "server_b.proto").read_text("utf-8")


def test_a_bound_flow_says_what_it_answers(tmp_path: Path) -> None:
    done = CliRunner().invoke(proto, ["server-a", "--write", str(tmp_path)])

    assert done.output == "server-a answers server_a.proto:gps.server_a.ServerA.Collect\n"
    assert list(tmp_path.iterdir()) == []


def test_it_writes_over_a_file_and_keeps_its_numbers(tmp_path: Path) -> None:
    committed = (PIPELINES / "server_b" / "server_b.proto").read_text("utf-8")
    (tmp_path / "server_b.proto").write_text(committed.replace("keep_for = 3", "keep_for = 9"))
    done = CliRunner().invoke(proto, ["server-b", "--write", str(tmp_path)])

    assert done.exit_code == 0, done.output
    assert "google.protobuf.Duration keep_for = 9;" in (tmp_path / "server_b.proto").read_text("utf-8")


def test_all_shipped_ones_are_current() -> None:
    done = CliRunner().invoke(proto, ["--check"])
    assert (done.exit_code, done.output) == (0, "")


def test_a_flow_without_a_class_has_none() -> None:
    done = CliRunner().invoke(proto, ["quick-start"])
    assert isinstance(done.exception, InputError)
    assert "takes params of no class" in done.exception.what


def test_a_file_that_is_not_what_the_classes_say_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(PIPELINES / "server_b", tmp_path / "server_b")
    file = tmp_path / "server_b" / "server_b.proto"
    assert is_current(load("server_b", tmp_path))

    file.write_text(file.read_text("utf-8").replace("  google.protobuf.Duration keep_for = 3;\n", ""))
    assert not is_current(load("server_b", tmp_path))
    assert f"{file} is not what its classes say: flowhub proto server-b --write" in capsys.readouterr().err
