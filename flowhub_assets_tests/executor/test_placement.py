"""What an op's tags say about where and how often it runs."""

from __future__ import annotations

import dagster as dg
import pytest

from flowhub_assets.errors import RunError
from flowhub_assets.executor.hybrid import hybrid_executor
from flowhub_assets.executor.placement import (
    HEAVY,
    LIGHT,
    MAX_CONCURRENT_TAG,
    PLACEMENT_TAG,
    concurrency_limit,
    op_of_step,
    placement_of,
)


def test_a_step_without_the_tag_is_where_untagged_ones_are() -> None:
    assert placement_of({}) == HEAVY
    assert placement_of(None, LIGHT) == LIGHT
    assert placement_of({PLACEMENT_TAG: LIGHT}) == LIGHT
    assert placement_of({PLACEMENT_TAG: HEAVY}, LIGHT) == HEAVY


@pytest.mark.parametrize("word", ["Light", "", "Pod"])
def test_another_word_is_refused_with_those_that_there_are(word: str) -> None:
    with pytest.raises(RunError) as caught:
        placement_of({PLACEMENT_TAG: word})
    assert repr(word) in str(caught.value)
    assert "'light', 'child', 'heavy', 'pod' or 'own image'" in str(caught.value)


def test_a_limit_is_a_whole_number_from_1() -> None:
    assert concurrency_limit({}) is None
    assert concurrency_limit({MAX_CONCURRENT_TAG: "12"}) == 12
    for wrong in ("0", "-1", "1.5", "many", ""):
        with pytest.raises(RunError, match="whole number"):
            concurrency_limit({MAX_CONCURRENT_TAG: wrong})


@pytest.mark.parametrize(("key", "op"), [("a", "a"), ("a[3]", "a"), ("loop.inner[x_1]", "loop.inner")])
def test_mapped_steps_of_an_op_share_its_name(key: str, op: str) -> None:
    assert op_of_step(key) == op


def test_wrong_tags_start_nothing() -> None:
    ran = []

    @dg.op(tags={PLACEMENT_TAG: LIGHT, MAX_CONCURRENT_TAG: "none"})
    def wrong() -> None:
        ran.append("wrong")

    @dg.op(tags={PLACEMENT_TAG: LIGHT})
    def right() -> None:
        ran.append("right")

    @dg.job(executor_def=hybrid_executor)
    def both() -> None:
        right()
        wrong()

    assert hybrid_executor.name == "hybrid"
    with dg.DagsterInstance.ephemeral() as instance:
        from dagster._core.execution.api import _logged_execute_job

        with pytest.raises(RunError, match="'none'"):
            _logged_execute_job(both, instance=instance, run_config={})
    assert ran == []
