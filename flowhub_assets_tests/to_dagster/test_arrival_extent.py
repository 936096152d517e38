"""A long list is gone through over several ticks, its end at each; each version is taken once all the same."""

from __future__ import annotations

from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowhub_assets.resources.object_pages import StoredObject
from flowhub_assets.to_dagster import arrival_extent
from flowhub_assets.to_dagster.arrival_cursor import MOST_REMEMBERED, Bounds, Cursor, take
from flowhub_assets.to_dagster.arrival_extent import TAIL, Extent, Walked
from flowhub_assets_tests.to_dagster.arrival_bucket import LATENESS, Bucket, keys, long_list, slow, tick


def test_a_long_list_is_gone_through_over_several_ticks_and_its_end_at_each() -> None:
    bucket, cursor = long_list(20_000, 1000)
    assert (cursor.extent.size, cursor.extent.tail) == (20_000, "18999")
    for number in range(5):
        bucket.put(f"2{number:04}")
    found = slow(bucket, cursor)
    assert keys(found) == [f"2{number:04}" for number in range(5)]
    assert (found.seen, found.tail, found.more, bucket.asked) == (2000, 1005, True, 4)
    taken, cursor = [], found.cursor
    for number in range(11):
        bucket.put(f"{number:05}+")
    for _ in range(11):
        found = slow(bucket, cursor)
        taken += keys(found)
        cursor = found.cursor
    assert sorted(taken) == [f"{number:05}+" for number in range(11)]


def test_the_end_of_the_list_moves_on_as_it_grows() -> None:
    bucket, cursor = long_list(10_000, 1000)
    for day in range(9):
        new = [f"n{day}{number:04}" for number in range(700)]
        for key in new:
            bucket.put(key)
        found = slow(bucket, cursor, remembered=MOST_REMEMBERED)
        assert (keys(found), found.more, found.tail <= 2200) == (new, True, True)
        cursor = found.cursor


def test_more_at_the_end_than_a_tick_looks_at_comes_later() -> None:
    bucket, cursor = long_list(10_000, 1000)
    new = [f"n{number:05}" for number in range(5000)]
    for key in new:
        bucket.put(key)
    taken: list[str] = []
    for _ in range(12):
        bucket.asked = 0
        found = slow(bucket, cursor, most=1000, remembered=MOST_REMEMBERED)
        assert bucket.asked <= 1 + 3 + 1
        taken += keys(found)
        cursor = found.cursor
        assert len(found.objects) <= 1000
    assert sorted(taken) == new


def test_so_many_pages_of_the_end_and_no_more() -> None:
    bucket, cursor = long_list(10_000, 1000)
    for number in range(9000):
        bucket.put(f"n{number:05}")
    found = slow(bucket, cursor, wanted=lambda _: False)
    assert (found.tail, bucket.asked) == (3000, 1 + 3)


@pytest.mark.parametrize(
    ("most", "tail"), [([400, 400, 400, 400, 400], "01599"), ([600, 600, 200, 600], "00599"), ([1801], "00999")]
)
def test_the_length_and_end_of_a_list_of_which_each_look_takes_its_most(most: list[int], tail: str) -> None:
    bucket, cursor = Bucket(page=1000), Cursor()
    for number in range(1800):
        bucket.put(f"{number:05}")
    bucket.clock += LATENESS + 1
    for objects in most:
        cursor = tick(bucket, cursor, most=objects).cursor
    assert (cursor.at, cursor.extent) == ("", Extent(1800, tail))


def test_the_end_is_found_again_when_it_is_deleted() -> None:
    bucket, cursor = long_list(10_000, 1000)
    for number in range(4000, 10_000):
        del bucket.objects[f"{number:05}"]
    for _ in range(5):
        cursor = slow(bucket, cursor).cursor
    assert (cursor.at, cursor.extent) == ("", Extent(4000, "02999"))
    bucket.put("03999+")
    assert keys(slow(bucket, cursor)) == ["03999+"]


def test_what_is_settled_at_the_end_is_left_to_the_pass() -> None:
    """It is not remembered one by one, so that the pass would take it again."""
    bucket, cursor = long_list(10_000, 1000)
    bucket.put("z")
    bucket.clock += LATENESS + 1
    found = [slow(bucket, cursor)]
    for _ in range(11):
        found.append(slow(bucket, found[-1].cursor))
    assert ([key for one in found for key in keys(one)], keys(found[0])) == (["z"], [])


def test_a_first_pass_is_not_cut_into_shares() -> None:
    bucket = Bucket(page=10)
    for number in range(500):
        bucket.put(f"{number:05}")
    found = slow(bucket, Cursor())
    assert (len(found.objects), found.more) == (500, False)


def test_an_end_that_would_come_too_late_in_a_tick_is_left_out() -> None:
    bucket, cursor = long_list(10_000, 1000)
    bucket.put("z")
    late = tick(bucket, cursor, seconds=lambda: 40.0)
    assert (keys(late), late.tail, late.seen) == ([], 0, 1000)
    assert keys(tick(bucket, late.cursor, seconds=lambda: 39.0)) == ["z"]


def test_what_the_pass_takes_comes_first_so_that_the_end_cannot_starve_it() -> None:
    bucket, cursor = long_list(10_000, 1000)
    bucket.put("05000+")
    taken: list[str] = []
    for number in range(12):
        for more in range(3):
            bucket.put(f"z{number:02}{more}")
        found = slow(bucket, cursor, most=1)
        taken += keys(found)
        cursor = found.cursor
    assert "05000+" in taken


@settings(max_examples=60, deadline=None)
@given(data=st.data(), page=st.integers(1, 7), looks=st.integers(1, 6))
def test_each_version_is_taken_once_within_so_many_ticks(data: st.DataObject, page: int, looks: int) -> None:
    """Written, written anew and deleted anywhere: what stays is taken after looks + 2 ticks at most."""
    names = [f"{number:05}" for number in range(40)]
    bucket, cursor = long_list(40, page)
    old = set(bucket.objects.values())
    taken: set[StoredObject] = set()
    born: dict[StoredObject, int] = {}
    with mock.patch.object(arrival_extent, "TAIL", 3):
        for number in range(3 * looks + 3):
            for key in data.draw(
                st.lists(st.sampled_from([*names, *(f"{name}+" for name in names[:4]), "z"]), max_size=3)
            ):
                if key in bucket.objects and len(bucket.objects) > 37 and data.draw(st.booleans()):
                    del bucket.objects[key]
                else:
                    born[bucket.put(key, etag=f"{len(born)}")] = number
            bucket.clock += 1
            found = take(
                cursor, bucket.pages, Bounds(LATENESS, 1000, looks=looks), now=bucket.clock, seconds=lambda: 3.0
            )
            assert not taken & set(found.objects)
            taken |= set(found.objects)
            assert not taken & old
            cursor = found.cursor
            for one in bucket.objects.values():
                assert one in old or one in taken or number - born[one] < looks + 2


@given(st.lists(st.integers(1, 2 * TAIL), max_size=6))
def test_the_end_begins_behind_the_last_page_that_enough_objects_follow(sizes: list[int]) -> None:
    walked = Walked()
    for number, size in enumerate(sizes):
        walked.add(f"{number}", size)
    following = {"start": sum(sizes), **{f"{number}": sum(sizes[number + 1 :]) for number in range(len(sizes))}}
    enough = [key for key, objects in following.items() if objects >= TAIL]
    assert (walked.tail("start"), walked.objects) == (enough[-1] if enough else "", sum(sizes))


def test_a_list_that_grows_within_a_pass_makes_the_looks_longer() -> None:
    assert Extent(size=100).is_share(10, 10)
    assert not Extent(size=100, seen=200).is_share(10, 10)
    assert Extent().is_share(0, 10), "nothing is known yet"
