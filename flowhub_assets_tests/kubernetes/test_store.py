from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets_tests.kubernetes.store import Store, TooOld

ACTIONS = st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.integers(0, 2)))


def document(name: str, value: int = 0) -> dict[str, Any]:
    return {"kind": "ConfigMap", "metadata": {"name": name, "namespace": "n"}, "data": {"v": value}}


@given(ACTIONS)
def test_changes_lead_from_any_version_to_what_is_stored(actions: list[tuple[str, int | None]]) -> None:
    store = Store()
    states: list[tuple[int, dict[str, Any]]] = [(store.version, {})]
    for name, value in actions:
        if value is None:
            store.remove("ConfigMap", "n", name)
        else:
            store.put(document(name, value))
        states.append((store.version, {one["metadata"]["name"]: one for one in store.every("ConfigMap")}))
    for version, known in states:
        now = dict(known)
        for change in store.since(version):
            assert change.version == int(change.last["metadata"]["resourceVersion"])
            if change.after is None:
                del now[change.last["metadata"]["name"]]
            else:
                now[change.last["metadata"]["name"]] = change.after
        assert now == states[-1][1]


@given(ACTIONS)
def test_a_uid_is_that_of_one_life(actions: list[tuple[str, int | None]]) -> None:
    store = Store()
    lives: dict[str, str] = {}
    over = set()
    for name, value in actions:
        if value is None:
            store.remove("ConfigMap", "n", name)
            over.add(lives.pop(name, ""))
        else:
            uid = store.put(document(name, value))["metadata"]["uid"]
            assert lives.setdefault(name, uid) == uid
    assert len(set(lives.values())) == len(lives)
    assert {name: store.by_uid(uid) for name, uid in lives.items()} == {
        name: store.get("ConfigMap", "n", name) for name in lives
    }
    assert not any(store.by_uid(uid) for uid in over)


def test_what_changes_nothing_has_no_new_version() -> None:
    store = Store()
    store.put(document("a"))
    version = store.version
    assert store.put(document("a"))["metadata"]["resourceVersion"] == str(version)
    assert (store.version, store.since(version)) == (version, [])


def test_old_changes_are_forgotten() -> None:
    store = Store(kept_changes=2)
    begun = store.version
    for value in range(3):
        store.put(document("a", value))
    assert [change.version for change in store.since(begun + 1)] == [begun + 2, begun + 3]
    with pytest.raises(TooOld):
        store.since(begun)


def test_dependents_are_found_by_their_owner() -> None:
    store = Store()
    uid = store.put(document("owner"))["metadata"]["uid"]
    child = document("child")
    child["metadata"]["ownerReferences"] = [{"uid": uid, "kind": "ConfigMap"}]
    store.put(child)
    assert [one["metadata"]["name"] for one in store.dependents(uid)] == ["child"]
