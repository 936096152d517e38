"""storage-write into a folder and into a real S3 server."""

from __future__ import annotations

from typing import Any

import pytest

from flowhub_assets.errors import OutsideStorage
from flowhub_assets.nodes import NodeContext, NodeError, run
from flowhub_assets.nodes.builtin.storage_read import StorageRead
from flowhub_assets.nodes.builtin.storage_write import StorageWrite


def write(context: NodeContext, key: str, value: Any, **config: Any) -> Any:
    return run(StorageWrite, config=config, context=context, key=key, value=value)


@pytest.mark.parametrize(
    ("key", "value", "data"),
    [
        ("a.json", "말", '"말"\n'),
        ("a.csv", [{"a": 1, "b": "x"}, {"b": None}], "a,b\n1,x\n,\n"),
        ("a.txt", "말", "말"),
        ("a", {"n": None}, '{\n  "n": null\n}\n'),
    ],
)
def test_the_ending_says_how(with_storage: NodeContext, key: str, value: Any, data: str) -> None:
    written = write(with_storage, f"보고/{key}", value)
    assert with_storage.storage().read(written.url) == data.encode()
    assert (written.key, written.bytes) == (f"보고/{key}", len(data.encode()))
    assert written.url == with_storage.storage().url(f"보고/{key}")


def test_as_says_otherwise_and_a_second_try_writes_the_same(with_storage: NodeContext) -> None:
    for _ in range(2):
        write(with_storage, "a.bin", "AP8=", **{"as": "bytes-base64"})
    assert with_storage.storage().read("a.bin") == b"\x00\xff"
    assert with_storage.storage().list() == ["a.bin"]
    assert run(StorageRead, config={"as": "bytes-base64"}, context=with_storage, key="a.bin").value == "AP8="


def test_a_value_that_is_something_else_is_refused(with_storage: NodeContext) -> None:
    with pytest.raises(NodeError, match="is an object; as: text takes text"):
        write(with_storage, "a.txt", {"a": 1}, **{"as": "text"})
    assert with_storage.storage().list() == []


def test_nothing_is_written_outside_of_the_storage(with_storage: NodeContext) -> None:
    with pytest.raises(OutsideStorage):
        write(with_storage, "../a.txt", "x")
