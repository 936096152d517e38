"""Dagster Pipes through lines of a log, inside a real op."""

# No "from __future__ import annotations" here: Dagster reads the annotation of ``context`` as a type.
import io
import json
from collections.abc import Callable
from typing import Any

import dagster as dg
from dagster_pipes import PipesDefaultMessageWriter, PipesEnvVarParamsLoader

from flowhub_assets.executor.pipes_session import PipesInLog
from flowhub_assets.runtime.pipes import message


def in_op(work: Callable[[PipesInLog], Any]) -> tuple[str, list[tuple[str, str]]]:
    """What was printed, and the records of the op's log as (level, text), after ``work``."""
    stream = io.StringIO()

    @dg.op
    def piped(context: dg.OpExecutionContext) -> None:
        work(PipesInLog(context, stream))

    @dg.job
    def job() -> None:
        piped()

    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance)
        entries = instance.all_logs(result.run_id)
    return stream.getvalue(), [(str(one.level), one.user_message) for one in entries if one.dagster_event is None]


def test_messages_are_handled_and_everything_else_is_printed() -> None:
    found: list[Any] = []

    def work(pipes: PipesInLog) -> None:
        pipes.take_line("plain")
        pipes.take_line("without an end" + message("log", message="half way", level="WARNING"))
        pipes.take_line(message("report_custom_message", payload={"a": 1}))
        metadata = {"rows": {"raw_value": 7, "type": "int"}}
        pipes.take_line(message("report_asset_materialization", asset_key="a", metadata=metadata, data_version=None))
        found.extend([pipes.custom_messages, pipes.reported])

    printed, logged = in_op(work)
    assert printed == "plain\nwithout an end\n"
    assert logged == [("30", "half way")]
    messages, (reported,) = found
    assert messages == ({"a": 1},)
    assert reported.metadata["rows"].value == 7


def test_what_only_looks_like_a_message_is_printed() -> None:
    lines = [
        '{"__dagster_pipes_version": "0.1"',
        message("no_such_method"),
        message("log", massage="wrong word"),
        "before " + '{"__dagster_pipes_version" and so on',
    ]

    def work(pipes: PipesInLog) -> None:
        for line in lines:
            pipes.take_line(line)

    printed, logged = in_op(work)
    assert printed.splitlines() == lines
    assert logged == []


def test_the_environment_is_what_dagster_pipes_reads() -> None:
    found: list[Any] = []

    def work(pipes: PipesInLog) -> None:
        loader = PipesEnvVarParamsLoader.__new__(PipesEnvVarParamsLoader)
        loader._mapping = pipes.environment
        found.append((loader.load_context_params(), loader.load_messages_params()))

    in_op(work)
    ((context, messages),) = found
    assert context["data"]["job_name"] == "job"
    assert messages == {PipesDefaultMessageWriter.STDIO_KEY: PipesDefaultMessageWriter.STDOUT}
    assert json.dumps(context)
