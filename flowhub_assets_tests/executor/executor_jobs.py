"""Jobs of the executor's tests, in a module of their own: a heavy step's process imports them by name."""

# No "from __future__ import annotations" here: Dagster reads annotations as types.
import asyncio
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
from dagster._core.definitions.events import HookExecutionResult

from flowhub_assets.executor.hybrid import hybrid_executor
from flowhub_assets.executor.placement import HEAVY, LIGHT, MAX_CONCURRENT_TAG, PLACEMENT_TAG
from flowhub_assets.runtime.child import run_in_child
from flowhub_assets.runtime.step_context import current_step

LIGHTLY = {PLACEMENT_TAG: LIGHT}
HEAVILY = {PLACEMENT_TAG: HEAVY}


def folder() -> Path:
    """Where the ops of a test leave marks for it."""
    return Path(os.environ["EXECUTOR_TEST_FOLDER"])


def _mark(name: str, text: str = "") -> None:
    with (folder() / name).open("a") as file:
        file.write(f"{text or os.getpid()}\n")


@dg.op(tags=LIGHTLY)
def light_one() -> int:
    """Prints, logs, and tells which process it ran in."""
    print("printed by light_one")
    logging.getLogger("dagster").info("nobody's")
    _mark("light_one")
    return 1


@dg.op(tags=HEAVILY)
def heavy_plus_one(number: int) -> int:
    """Runs in a process of its own."""
    print("printed by heavy_plus_one")
    _mark("heavy_plus_one")
    return number + 1


@dg.op(tags=LIGHTLY)
def light_double(number: int) -> int:
    """Reads what a heavy step has saved."""
    _mark("light_double", str(number * 2))
    return number * 2


@dg.job(executor_def=hybrid_executor)
def mixed() -> None:
    """Light, heavy, light."""
    light_double(heavy_plus_one(light_one()))


def _times(name: str) -> int:
    """Counts the calls of an op across its tries."""
    _mark(name)
    return len((folder() / name).read_text().splitlines())


@dg.op(tags=LIGHTLY, out=dg.Out(dg.Nothing))
def asks_for_retries() -> None:
    """Succeeds at the third try."""
    if _times("asks") < 3:
        raise dg.RetryRequested(max_retries=5, seconds_to_wait=0.05)


@dg.op(tags=LIGHTLY, out=dg.Out(dg.Nothing), retry_policy=dg.RetryPolicy(max_retries=2, delay=0.05))
def has_a_policy() -> None:
    """Succeeds at the second try; says which try it is."""
    _mark("attempts", str(current_step().attempt))
    if _times("policy") < 2:
        raise ValueError("not yet")


@dg.op(tags=LIGHTLY, out=dg.Out(dg.Nothing), retry_policy=dg.RetryPolicy(max_retries=2))
def retried_at_once() -> None:
    """Is tried again while the hook of the try before still runs."""
    if _times("at_once") < 3:
        raise ValueError("not yet")


def _slowly(context: dg.HookContext, _events: object) -> HookExecutionResult:
    _mark("hook_begun", str(context.step_key))
    time.sleep(0.3)
    _mark("hook_ended", str(context.step_key))
    return HookExecutionResult(hook_name="slowly")


slowly = dg.HookDefinition(name="slowly", hook_fn=_slowly)


@dg.op(tags=LIGHTLY, retry_policy=dg.RetryPolicy(max_retries=2))
def fails_for_good() -> None:
    """Not worth a retry."""
    _mark("for_good")
    raise dg.Failure("for good", allow_retries=False)


@dg.op(tags=LIGHTLY, retry_policy=dg.RetryPolicy(max_retries=1))
def fails_always() -> None:
    """Uses up its retries."""
    _mark("always")
    raise ValueError("always")


@dg.op(tags=LIGHTLY, ins={"one": dg.In(), "two": dg.In()})
def after_failures(one: object, two: object) -> None:
    """Never runs."""
    _mark("after_failures")


@dg.job(executor_def=hybrid_executor)
def retrying() -> None:
    """Retries of every kind."""
    asks_for_retries()
    has_a_policy()
    retried_at_once.with_hooks({slowly})()
    after_failures(fails_for_good(), fails_always())


@dg.op(tags=HEAVILY, retry_policy=dg.RetryPolicy(max_retries=1))
def killed_once() -> None:
    """Its first process is killed from outside, as by the kernel when memory is short."""
    if _times("killed") == 1:
        os.kill(os.getpid(), signal.SIGKILL)


@dg.job(executor_def=hybrid_executor)
def heavy_crash() -> None:
    """A heavy step dies without a word."""
    killed_once()


@dg.op(tags=LIGHTLY, out={"left": dg.Out(is_required=False), "right": dg.Out(is_required=False)})
def chooses() -> Iterator[dg.Output[str]]:
    """Takes one of two branches."""
    yield dg.Output("left", "left")


@dg.op(tags=LIGHTLY)
def follows(side: str) -> str:
    """On a branch."""
    _mark("followed", side)
    return side


@dg.op(tags=LIGHTLY)
def joins(sides: list[str]) -> None:
    """What ran of the branches."""
    _mark("joined", ",".join(sides))


@dg.op(tags=LIGHTLY, out=dg.DynamicOut(int))
def numbers() -> Iterator[dg.DynamicOutput[int]]:
    """Ten of them."""
    for number in range(10):
        yield dg.DynamicOutput(number, mapping_key=f"n{number}")


@dg.op(tags={**LIGHTLY, MAX_CONCURRENT_TAG: "2"})
def squares(number: int) -> int:
    """At most two at once."""
    _mark("begun", str(time.monotonic()))
    time.sleep(0.05)
    _mark("ended", str(time.monotonic()))
    return number * number


@dg.op(tags=LIGHTLY)
def total(numbers: list[int]) -> None:
    """In the order of the keys."""
    _mark("total", str(numbers))


@dg.success_hook(required_resource_keys={"mark"})
def on_success(context: dg.HookContext) -> None:
    """Tells the step and its output."""
    context.resources.mark("hooked", f"{context.step_key} {context.op_output_values}")


@dg.failure_hook
def on_failure(context: dg.HookContext) -> None:
    """Tells the step's exception."""
    _mark("failed", f"{context.step_key} {context.op_exception}")


@dg.op(tags=LIGHTLY)
def raises() -> None:
    """Fails."""
    raise ValueError("as it must")


@dg.op(tags=LIGHTLY)
def light_word() -> str:
    """A word."""
    return "word"


@dg.job(executor_def=hybrid_executor, resource_defs={"mark": dg.ResourceDefinition.hardcoded_resource(_mark)})
def shapes() -> None:
    """Branches, a loop, hooks."""
    left, right = chooses()
    joins([follows.alias("follows_left")(left), follows.alias("follows_right")(right)])
    total(numbers().map(squares).collect())
    follows.alias("hooked").with_hooks({on_success})(light_word.alias("word")())
    raises.with_hooks({on_failure})()


@dg.op(tags=LIGHTLY)
async def waits(context: dg.OpExecutionContext) -> None:
    """Logs and prints beside others of its kind, each in its own event loop."""
    for number in range(5):
        await asyncio.sleep(0.01)
        context.log.info(f"{context.op_handle.name} logs {number}")
        dg.get_dagster_logger().info(f"{context.op_handle.name} tells {number}")
        print(f"{context.op_handle.name} prints {number}")
        print(f"{context.op_handle.name} complains {number}", file=sys.stderr)


@dg.job(executor_def=hybrid_executor)
def talkative() -> None:
    """Six steps that talk at once."""
    for number in range(6):
        waits.alias(f"waits_{number}")()


@dg.op(tags=LIGHTLY)
def breaks_once(word: str) -> str:
    """Fails in the first run."""
    if _times("broken") == 1:
        raise ValueError("the first time")
    return word + "!"


@dg.job(executor_def=hybrid_executor)
def breaking() -> None:
    """For a re-execution from failure."""
    after = follows.alias("after")
    after(breaks_once(follows.alias("before")(light_word())))


@dg.op(tags=LIGHTLY, pool="narrow", out=dg.Out(dg.Nothing))
def in_the_pool() -> None:
    """One at a time, across all runs."""
    _mark("begun", str(time.monotonic()))
    time.sleep(0.02)
    _mark("ended", str(time.monotonic()))


@dg.job(executor_def=hybrid_executor)
def pooled() -> None:
    """Six steps for a pool of one place."""
    for number in range(6):
        in_the_pool.alias(f"pooled_{number}")()


@dg.op(tags={**LIGHTLY, "kind": "slow"}, out=dg.Out(dg.Nothing))
def tagged() -> None:
    """Limited by a tag."""
    _mark("begun", str(time.monotonic()))
    time.sleep(0.02)
    _mark("ended", str(time.monotonic()))


@dg.job(
    executor_def=hybrid_executor,
    config={"execution": {"config": {"tag_concurrency_limits": [{"key": "kind", "value": "slow", "limit": 1}]}}},
)
def tag_limited() -> None:
    """Four steps of which one may run at a time."""
    for number in range(4):
        tagged.alias(f"tagged_{number}")()


@dg.op(tags=LIGHTLY)
def forks() -> None:
    """Its child starts a process of its own and lasts."""

    def work() -> None:
        sleeper = subprocess.Popen(["sleep", "300"])
        _mark("sleeper", str(sleeper.pid))
        _mark("child")
        time.sleep(300)

    run_in_child(work, name="forks")


@dg.op(tags=LIGHTLY)
def never_returns() -> None:
    """Deaf to everything."""
    _mark("deaf")
    while True:
        time.sleep(0.1)


@dg.op(tags=LIGHTLY)
async def sleeps_async() -> None:
    """Notes that it was cancelled."""
    try:
        _mark("asleep")
        await asyncio.sleep(300)
    finally:
        _mark("woken")


@dg.op(tags=HEAVILY)
def heavy_sleep() -> None:
    """A heavy step that lasts."""
    _mark("heavy_asleep")
    _mark("sleeper", str(subprocess.Popen(["sleep", "300"]).pid))
    time.sleep(300)


@dg.job(executor_def=hybrid_executor)
def lasting() -> None:
    """Steps that last, of every kind."""
    forks()
    never_returns()
    sleeps_async()
    heavy_sleep()


@dg.op(tags=LIGHTLY)
def saves(number: int) -> int:
    """A chain that never ends soon."""
    _mark("saved", str(number))
    return number + 1


@dg.op(tags=LIGHTLY)
def dies(number: int) -> None:
    """Takes the first run worker with it."""
    if _times("died") == 1:
        os.kill(os.getpid(), signal.SIGKILL)


@dg.job(executor_def=hybrid_executor)
def dying() -> None:
    """The run worker is killed after 20 steps."""
    number = light_one()
    for place in range(20):
        number = saves.alias(f"saves_{place}")(number)
    dies(number)


@dg.resource
def broken_resource(_context: dg.InitResourceContext) -> None:
    """Cannot be made."""
    raise ValueError("no such server")


@dg.op(tags=LIGHTLY, required_resource_keys={"broken"})
def needs_it() -> None:
    """Never runs."""


@dg.job(executor_def=hybrid_executor, resource_defs={"broken": broken_resource})
def without_resource() -> None:
    """Its resource fails."""
    needs_it()


@dg.op
def untagged_op() -> None:
    """A Dagster user's own."""
    _mark("untagged")


@dg.job(executor_def=hybrid_executor)
def untagged() -> None:
    """No placement."""
    untagged_op()


@dg.asset(op_tags=LIGHTLY)
def first_asset() -> dg.MaterializeResult[int]:
    """Materialised with a tag and metadata."""
    return dg.MaterializeResult(value=1, metadata={"rows": 3}, tags={"kind": "test"})


@dg.asset(op_tags=LIGHTLY, check_specs=[dg.AssetCheckSpec("positive", asset="second_asset")])
def second_asset(first_asset: int) -> Iterator[dg.Output[int] | dg.AssetCheckResult]:
    """With a check."""
    yield dg.Output(first_asset + 1)
    yield dg.AssetCheckResult(passed=True)


definitions = dg.Definitions(
    assets=[first_asset, second_asset],
    jobs=[dg.define_asset_job("materialise", selection="*"), lasting, dying],
    executor=hybrid_executor,
)


def materialise() -> dg.JobDefinition:
    """The job of both assets."""
    return definitions.resolve_job_def("materialise")
