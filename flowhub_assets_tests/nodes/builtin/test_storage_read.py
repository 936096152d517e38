"""storage-read from a folder and from a real S3 server."""

from __future__ import annotations

from typing import Any

import pytest

from flowhub_assets.errors import ObjectMissing, OutsideStorage, ProfileError
from flowhub_assets.nodes import NodeContext, NodeError, run
from flowhub_assets.nodes.builtin.storage_read import StorageRead


def read(context: NodeContext, key: str, **config: Any) -> Any:
    return run(StorageRead, config=config, context=context, key=key)


def write(context: NodeContext, key: str, data: bytes) -> str:
    return context.storage().write(key, data)


def refused(context: NodeContext, key: str, **config: Any) -> NodeError:
    with pytest.raises(NodeError) as caught:
        read(context, key, **config)
    return caught.value


def test_the_ending_says_what_it_is(with_storage: NodeContext) -> None:
    write(with_storage, "in/a.json", b'{"n": [1, null]}')
    write(with_storage, "in/도시.csv", 'city,note\n서울,"a, b"\n'.encode())
    write(with_storage, "in/a.txt", "말\n".encode())
    assert read(with_storage, "in/a.json").model_dump() == {"value": {"n": [1, None]}, "bytes": 16}
    assert read(with_storage, "in/도시.csv").value == [{"city": "서울", "note": "a, b"}]
    assert read(with_storage, "in/a.txt").value == "말\n"


def test_as_says_otherwise(with_storage: NodeContext) -> None:
    write(with_storage, "a.json", b'{"a": 1}\n[2]\n')
    assert read(with_storage, "a.json", **{"as": "lines"}).value == ['{"a": 1}', "[2]"]
    assert read(with_storage, "a.json", **{"as": "text"}).value == '{"a": 1}\n[2]\n'
    assert read(with_storage, "a.json", **{"as": "bytes-base64"}).value == "eyJhIjogMX0KWzJdCg=="
    assert "is not JSON" in refused(with_storage, "a.json").what
    assert "did you mean 'lines'?" in refused(with_storage, "a.json", **{"as": "line"}).remedy


def test_a_url_that_another_node_gave(with_storage: NodeContext) -> None:
    url = write(with_storage, "a/b.txt", b"x")
    assert run(StorageRead, context=with_storage, url=url).value == "x"
    with pytest.raises(NodeError, match="either key or url"):
        run(StorageRead, context=with_storage)
    with pytest.raises(NodeError, match="either key or url"):
        run(StorageRead, context=with_storage, url=url, key="a/b.txt")


def test_a_file_beyond_the_bound_is_refused(with_storage: NodeContext) -> None:
    write(with_storage, "a.txt", b"x" * 11)
    assert read(with_storage, "a.txt", maxBytes=11).bytes == 11
    error = refused(with_storage, "a.txt", maxBytes=10)
    assert (error.what, error.retry) == ("'a.txt' has more than 10 bytes", False)


def test_what_is_not_there_is_told_with_the_nearest_name(with_storage: NodeContext) -> None:
    write(with_storage, "in/cities.csv", b"")
    with pytest.raises(ObjectMissing, match=r"Did you mean 'in/cities\.csv'"):
        read(with_storage, "in/citys.csv")


@pytest.mark.parametrize("key", ["../a.txt", "file:///etc/passwd", "s3://other/a.txt"])
def test_nothing_outside_of_the_storage_is_read(with_storage: NodeContext, key: str) -> None:
    with pytest.raises(OutsideStorage):
        read(with_storage, key)


def test_a_profile_without_a_storage_is_told() -> None:
    with pytest.raises(ProfileError, match="names no storage"):
        read(NodeContext(), "a.txt")
