"""What protoc made of our .proto files is what is committed, and stands in our package."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowhub_assets.server import rpc
from flowhub_assets.server.rpc.generated import PROTOS, generated

FOLDER = Path(rpc.__path__[0])


def test_the_python_of_our_proto_files_is_up_to_date() -> None:
    made = generated()
    assert {name for name in made if name.endswith("_pb2.py")} == {p.replace(".proto", "_pb2.py") for p in PROTOS}
    stale = [name for name, text in made.items() if (FOLDER / name).read_text("utf-8") != text]
    assert not stale, "run make proto"


def test_every_proto_file_of_ours_is_made() -> None:
    there = {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.proto")}
    assert there == set(PROTOS)


def test_a_proto_file_that_is_none_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "one.proto").write_text('syntax = "proto3"; message {')
    with pytest.raises(RuntimeError, match=r"one\.proto"):
        generated(["one.proto"], tmp_path)
    assert "one.proto:1" in capfd.readouterr().err
