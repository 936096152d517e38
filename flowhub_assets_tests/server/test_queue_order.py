"""What waiting runs wait for, in words."""

from __future__ import annotations

from flowhub_assets.server.queue_order import Limit, Place, Pool, waiting_for

QUEUE = Limit("flowhub/queue_of_1", 1, for_each_value=True)
PIPELINE = Limit("flowhub/at_most_2", 2, for_each_value=True)
FREE = 99


def told(
    *waiting: Place,
    active: tuple[Place, ...] = (),
    limits: tuple[Limit, ...] = (QUEUE, PIPELINE),
    pools: dict[str, Pool] | None = None,
    most: int = FREE,
) -> list[str]:
    return list(waiting_for(waiting, active, limits, pools or {}, most).values())


def in_queue(run_id: str, queue: str = "priority") -> Place:
    return Place(run_id, {"flowhub/queue_of_1": queue})


def test_a_queues_limit() -> None:
    assert told(in_queue("b"), in_queue("c", "other"), active=(in_queue("a"),)) == [
        "queue priority takes 1 run at a time: run a holds it",
        "",
    ]
    assert told(in_queue("a"), in_queue("b")) == ["", "queue priority takes 1 run at a time: run a comes first"]


def test_a_pipelines_limit() -> None:
    runs = [Place(name, {"flowhub/at_most_2": "greet"}) for name in "abc"]
    assert told(runs[2], active=(runs[0], runs[1])) == ["pipeline greet takes 2 runs at a time: runs a, b hold it"]
    assert told(*runs)[2] == "pipeline greet takes 2 runs at a time: runs a, b come first"


def test_any_other_tag() -> None:
    one_value, all_values = Limit("team", 1, value="ml"), Limit("heavy", 1)
    active = (Place("a", {"team": "ml", "heavy": "x"}),)
    assert told(Place("b", {"team": "ml"}), active=active, limits=(one_value,)) == [
        "tag team=ml takes 1 run at a time: run a holds it"
    ]
    assert told(Place("b", {"heavy": "y"}), active=active, limits=(all_values,)) == [
        "tag heavy takes 1 run at a time: run a holds it"
    ]
    assert told(Place("b", {"team": "web"}), active=active, limits=(one_value,)) == [""]


def test_all_places_are_taken() -> None:
    active = tuple(Place(name, {}) for name in "abcde")
    assert told(Place("x", {}), active=active, most=5) == ["5 of 5 runs go on: runs a, b, c and 2 more"]
    assert told(Place("x", {}), Place("y", {}), active=active[:1], most=2) == [
        "",
        "2 runs may go on, and those before it come first: runs a, x",
    ]
    assert told(Place("x", {}), active=active, most=-1) == [""]


def test_a_pool_whose_slot_is_held() -> None:
    locked = {"db-lock": Pool(1, 1, ["a"]), "free": Pool(1, 0)}
    assert told(Place("b", {}, {"db-lock": 1}), pools=locked) == ["pool db-lock has 1 slot: run a holds it"]
    assert told(Place("b", {}, {"db-lock": 1, "free": 1}), pools=locked) == [""], "its other first step can begin"
    assert told(Place("b", {}, {"unknown": 1}), pools=locked) == [""], "a pool without a limit"
    assert told(Place("b", {}, {"shut": 1}), pools={"shut": Pool(0, 0)}) == ["pool shut has no slot"]


def test_a_slot_is_given_once() -> None:
    runs = [Place(name, {}, {"db-lock": 1}) for name in "ab"]
    assert told(*runs, pools={"db-lock": Pool(1, 0)}) == ["", "pool db-lock has 1 slot: run a comes first"]


def test_a_run_that_its_pool_holds_up_counts_for_its_queue_as_it_does_in_dagster() -> None:
    first = Place("a", {"flowhub/queue_of_1": "priority"}, {"db-lock": 1})
    assert told(first, in_queue("b"), pools={"db-lock": Pool(1, 1, ["x"])}) == [
        "pool db-lock has 1 slot: run x holds it",
        "queue priority takes 1 run at a time: run a comes first",
    ]
