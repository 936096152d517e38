"""storage-list of a folder and of a real S3 server."""

from __future__ import annotations

from typing import Any

import pytest

from flowhub_assets.errors import OutsideStorage
from flowhub_assets.nodes import NodeContext, run
from flowhub_assets.nodes.builtin.storage_list import StorageList


def listed(context: NodeContext, prefix: str = "", **config: Any) -> dict[str, Any]:
    found: dict[str, Any] = run(StorageList, config=config, context=context, prefix=prefix).model_dump()
    return found


def test_the_keys_below_a_prefix_in_order(with_storage: NodeContext) -> None:
    assert listed(with_storage) == {"keys": [], "count": 0, "truncated": False}
    for key in ("책/2.txt", "책/1.txt", "책장.txt", "a.txt"):
        with_storage.storage().write(key, b"x")
    assert listed(with_storage, "책/")["keys"] == ["책/1.txt", "책/2.txt"]
    assert listed(with_storage, "책")["count"] == 3
    assert listed(with_storage, limit=2) == {"keys": ["a.txt", "책/1.txt"], "count": 2, "truncated": True}
    assert not listed(with_storage, limit=4)["truncated"]


def test_a_prefix_does_not_lead_out(with_storage: NodeContext) -> None:
    with pytest.raises(OutsideStorage):
        listed(with_storage, "../")
