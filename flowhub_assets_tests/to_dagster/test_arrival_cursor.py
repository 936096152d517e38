"""The cursor of object arrival against a model: whatever comes, goes and is late, each version is taken once."""

from __future__ import annotations

import json
from dataclasses import replace
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from flowhub_assets.errors import InputError
from flowhub_assets.resources.object_pages import StoredObject
from flowhub_assets.to_dagster import arrival_extent
from flowhub_assets.to_dagster.arrival_cursor import MOST_REMEMBERED, Bounds, Cursor, fingerprint, take
from flowhub_assets.to_dagster.arrival_extent import Extent
from flowhub_assets_tests.to_dagster.arrival_bucket import LATENESS, Bucket, keys, tick

KEYS = [f"{letter}{number}" for letter in "ab/한" for number in range(4)]
EXTENTS = st.builds(
    Extent,
    st.integers(0, 40),
    st.sampled_from(["", *KEYS]) | st.text(max_size=3),
    st.integers(0, 40),
    st.sampled_from(["", *KEYS]) | st.text(max_size=3),
)


class Arrivals(RuleBasedStateMachine):
    """Puts, deletions, late comers, same times and ticks in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.bucket = Bucket()
        self.cursor: str | None = None
        self.taken: list[StoredObject] = []
        self.stored: set[StoredObject] = set()
        #: What was replaced or deleted before it was taken: nobody can take it any more.
        self.missed: set[StoredObject] = set()
        self.number = 0

    @initialize(page=st.integers(1, 5), full=st.booleans())
    def begin(self, page: int, full: bool) -> None:
        self.bucket.page = page
        if full:
            self.put_many_at_one_time(KEYS, 0)
            self.tick(1000, 1000, 0.0, 1, 0)

    @rule(key=st.sampled_from(KEYS), late=st.integers(0, LATENESS - 1))
    def put(self, key: str, late: int) -> None:
        self._forget(key)
        self.number += 1
        self.stored.add(self.bucket.put(key, late, f"{self.number}"))

    @rule(keys=st.lists(st.sampled_from(KEYS), unique=True, min_size=2), late=st.integers(0, LATENESS - 1))
    def put_many_at_one_time(self, keys: list[str], late: int) -> None:
        for key in keys:
            self.put(key, late)

    @rule(key=st.sampled_from(KEYS))
    def delete(self, key: str) -> None:
        self._forget(key)

    @rule(seconds=st.integers(1, 3 * LATENESS))
    def wait(self, seconds: int) -> None:
        self.bucket.clock += seconds

    @rule(
        most=st.integers(1, 8),
        remembered=st.integers(1, 20),
        seconds=st.sampled_from([0.0, 3.0, 3.0, 20.0, 100.0]),
        looks=st.integers(1, 4),
        skew=st.integers(-50, 50),
    )
    def tick(self, most: int, remembered: int, seconds: float, looks: int, skew: int) -> None:
        cursor = Cursor.of(self.cursor)
        with mock.patch.object(arrival_extent, "TAIL", 2):
            found = take(
                cursor,
                self.bucket.pages,
                Bounds(LATENESS, most, remembered, looks),
                now=self.bucket.clock + skew,
                seconds=lambda: seconds,
            )
        assert len(found.objects) <= most
        self.taken += found.objects
        self.cursor = found.cursor.text()
        marks = len(found.cursor.before) + len(found.cursor.taken)
        assert marks <= max(remembered, len(cursor.before) + len(cursor.taken))

    @rule(extent=EXTENTS)
    def believe_another_extent(self, extent: Extent) -> None:
        """What is known of the list's length decides nothing about what is taken."""
        self.cursor = replace(Cursor.of(self.cursor), extent=extent).text()

    @rule()
    def come_from_an_earlier_version(self) -> None:
        read = json.loads(Cursor.of(self.cursor).text())
        del read["extent"]
        self.cursor = json.dumps(read)

    def _forget(self, key: str) -> None:
        gone = self.bucket.objects.pop(key, None)
        if gone is not None and gone not in self.taken:
            self.missed.add(gone)

    @invariant()
    def nothing_is_taken_twice(self) -> None:
        assert len(self.taken) == len(set(self.taken))
        assert set(self.taken) <= self.stored

    def teardown(self) -> None:
        """In the end nothing is lost, however little a tick may take and remember."""
        for _ in range(400):
            self.bucket.clock += LATENESS
            self.tick(2, 1, 0.0, 1, 0)
        self.nothing_is_taken_twice()
        assert set(self.taken) == self.stored - self.missed


TestArrivals = Arrivals.TestCase
TestArrivals.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_a_late_one_is_taken_and_nothing_else_again() -> None:
    bucket = Bucket()
    bucket.put("b")
    first = tick(bucket, Cursor())
    assert keys(first) == ["b"]
    bucket.clock += 5
    bucket.put("a", late=5)
    bucket.put("c", late=9)
    second = tick(bucket, first.cursor)
    assert keys(second) == ["a", "c"]
    assert keys(tick(bucket, second.cursor)) == []


@pytest.mark.parametrize("jump", [-86_400, 86_400])
def test_a_clock_of_ours_that_jumps_loses_nothing(jump: int) -> None:
    bucket = Bucket(clock=1_000_000)
    bucket.put("a")
    first = tick(bucket, Cursor(), now=bucket.clock + jump)
    assert keys(first) == ["a"]
    bucket.clock += 1
    bucket.put("b")
    second = tick(bucket, first.cursor)
    assert keys(second) == ["b"]
    assert keys(tick(bucket, second.cursor)) == []


def test_an_object_of_the_future_makes_none_of_today_old() -> None:
    bucket = Bucket()
    bucket.put("a", late=-86_400)
    first = tick(bucket, Cursor())
    bucket.clock += 3 * LATENESS
    bucket.put("b")
    second = tick(bucket, first.cursor)
    assert (keys(first), keys(second)) == (["a"], ["b"])
    bucket.clock += 2 * 86_400
    assert keys(tick(bucket, second.cursor)) == []


def test_ten_thousand_at_one_moment() -> None:
    bucket = Bucket()
    for number in range(10_000):
        bucket.put(f"{number:05}")
    cursor, ticks = Cursor(), 0
    taken: list[str] = []
    while len(taken) < 10_000:
        found = tick(bucket, cursor, most=1000, remembered=2500)
        assert len(found.cursor.text()) < 2500 * 11 + 200
        taken += keys(found)
        cursor, ticks = found.cursor, ticks + 1
        if not found.objects:
            assert found.waiting == 7500, "fresh ones beyond what can be remembered wait until none can come late"
            bucket.clock += LATENESS + 1
    assert sorted(set(taken)) == sorted(taken)
    assert ticks < 20
    assert keys(tick(bucket, cursor)) == []


def test_what_a_tick_looks_at_is_bounded_where_it_takes_its_most() -> None:
    bucket = Bucket(page=10)
    for number in range(100):
        bucket.put(f"{number:02}")
    first = tick(bucket, Cursor(), most=5)
    assert (first.seen, first.more, first.cursor.at) == (10, True, "04")
    second = tick(bucket, first.cursor, most=1000, seconds=lambda: 20.0)
    assert (second.seen, second.more, keys(second)[0]) == (10, True, "05")


def test_without_what_was_there_before() -> None:
    bucket = Bucket(page=2)
    for key in ("a", "b", "c"):
        bucket.put(key, late=5)
    slow = tick(bucket, Cursor(), existing=False, seconds=lambda: 20.0)
    assert (keys(slow), slow.more) == ([], True)
    first = tick(bucket, slow.cursor, existing=False)
    bucket.put("d")
    assert (keys(first), keys(tick(bucket, first.cursor, existing=False))) == ([], ["d"])


def test_an_object_that_is_not_wanted_is_not_remembered() -> None:
    bucket = Bucket()
    bucket.put("a.csv")
    bucket.put("a.txt")
    found = tick(bucket, Cursor(), wanted=lambda key: key.endswith(".csv"))
    assert (keys(found), len(found.cursor.before), found.seen) == (["a.csv"], 1, 2)


@pytest.mark.parametrize(
    "other",
    [
        StoredObject("b", 1, 1, "e"),
        StoredObject("a", 2, 1, "e"),
        StoredObject("a", 1, 2, "e"),
        StoredObject("a", 1, 1, "f"),
    ],
)
def test_each_version_has_its_fingerprint(other: StoredObject) -> None:
    one = StoredObject("a", 1, 1, "e")
    assert fingerprint(one) == fingerprint(StoredObject("a", 1, 1, "e")) != fingerprint(other)


MARKS = st.frozensets(st.binary(min_size=8, max_size=8), max_size=5)


@given(st.builds(Cursor, st.none() | st.integers(), st.none() | st.integers(), st.text(), MARKS, MARKS, EXTENTS))
def test_a_cursor_is_read_as_it_was_written(cursor: Cursor) -> None:
    assert Cursor.of(cursor.text()) == cursor


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "{}",
        "[]",
        "3",
        '{"since": "a", "until": 1, "at": ""}',
        "[" * 100_000,
        Cursor().text().replace('"size": 0', '"size": -1'),
        Cursor().text().replace('"tail": ""', '"tail": 3'),
        Cursor().text().replace('"seen": 0, ', ""),
    ],
)
def test_another_cursor_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="no cursor of this sensor"):
        Cursor.of(text)


def test_the_cursor_is_less_than_it_says() -> None:
    marks = frozenset(number.to_bytes(8, "big") for number in range(MOST_REMEMBERED))
    key = "한" * 341
    cursor = Cursor(1 << 60, 1 << 60, key, marks, frozenset(), Extent(1 << 60, key, 1 << 60, key))
    assert len(cursor.text().encode()) < 150_000
