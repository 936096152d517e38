from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets_tests.kubernetes.patching import BadPatch, patched

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
KEYS = st.text("ab/~", max_size=2)
JSON = st.recursive(
    st.integers(0, 3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=2),
    max_leaves=4,
)
OBJECTS = st.dictionaries(KEYS, JSON, max_size=3)


@given(OBJECTS, OBJECTS)
def test_a_merge_patch_is_found_again_and_can_be_applied_twice(document: dict[str, Any], patch: dict[str, Any]) -> None:
    once = patched(document, patch, MERGE)
    assert patched(once, patch, MERGE) == once
    assert all(once[key] == value for key, value in patch.items() if not isinstance(value, dict))
    assert {key: value for key, value in once.items() if key not in patch} == {
        key: value for key, value in document.items() if key not in patch
    }


@given(OBJECTS)
def test_null_takes_away(document: dict[str, Any]) -> None:
    assert patched(document, dict.fromkeys(document), MERGE) == {}


@given(OBJECTS, KEYS, JSON)
def test_steps_put_and_take_away(document: dict[str, Any], key: str, value: Any) -> None:
    path = "/" + key.replace("~", "~0").replace("/", "~1")
    steps = [{"op": "add", "path": path, "value": value}, {"op": "test", "path": path, "value": value}]
    assert patched(document, steps, "") == {**document, key: value}
    left = patched({**document, key: value}, [{"op": "remove", "path": path}], "")
    assert left == {other: value for other, value in document.items() if other != key}


def test_owners_are_merged_by_uid_in_a_strategic_patch_only() -> None:
    before = {"ownerReferences": [{"uid": "1", "name": "a"}, {"uid": "2", "name": "b"}]}
    patch = {"ownerReferences": [{"uid": "2", "name": "c"}, {"uid": "3"}, {"uid": "1", "$patch": "delete"}]}
    assert patched(before, patch, STRATEGIC) == {"ownerReferences": [{"uid": "2", "name": "c"}, {"uid": "3"}]}
    assert patched(before, {"ownerReferences": []}, MERGE) == {"ownerReferences": []}
    assert patched({"finalizers": ["a"]}, {"finalizers": ["b", "a"]}, STRATEGIC) == {"finalizers": ["a", "b"]}


def test_lists_are_changed_by_steps() -> None:
    steps = [
        {"op": "add", "path": "/a/-", "value": 3},
        {"op": "add", "path": "/a/0", "value": 0},
        {"op": "replace", "path": "/a/1", "value": 9},
    ]
    assert patched({"a": [1, 2]}, steps, "") == {"a": [0, 9, 2, 3]}


@pytest.mark.parametrize(
    "patch",
    [
        "text",
        [{"op": "remove", "path": "/none"}],
        [{"op": "add", "path": "/a/b/c", "value": 1}],
        [{"op": "test", "path": "/a", "value": 2}],
        [{"op": "twist", "path": "/a"}],
    ],
)
def test_patches_that_do_not_apply(patch: Any) -> None:
    with pytest.raises(BadPatch):
        patched({"a": 1}, patch, "")
