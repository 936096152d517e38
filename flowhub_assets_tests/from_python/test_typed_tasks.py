"""Tasks that take and return objects of a class: in a run, called in a test, mapped, branching, and in a plain flow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flowhub_assets.errors import InputError
from flowhub_assets.from_python.loading import load_file, load_module
from flowhub_assets.runtime.local import run_pipeline
from flowhub_assets_tests.from_python.workflow_files import write_file

FLOW = """\
from __future__ import annotations

import dataclasses
import datetime
from typing import TYPE_CHECKING, Optional

from flowhub import flow, get_env, task

if TYPE_CHECKING:
    from elsewhere import Unknown

@dataclasses.dataclass
class Inner:
    when: datetime.datetime

@dataclasses.dataclass
class Request:
    names: list[str]
    inner: Optional[Inner] = None

@dataclasses.dataclass
class Named:
    item: str
    index: int

@dataclasses.dataclass
class Sizes:
    names: list[int]

@task
def first(args: Request) -> Request:
    assert isinstance(args, Request) and not hasattr(args, "env")
    return dataclasses.replace(args, names=[name.upper() for name in args.names])

@task
def each(args: Named):
    return {"size": len(args.item) + args.index}

@task
def is_long(args: Request):
    return len(args.names) > 1

@task
def long(args: Request):
    return {"how": "long", "year": args.inner.when.year, "env": get_env()["task"]}

@task
def short(args: Unknown):
    return {"how": "short", "known": sorted(args)}

@flow(name="typed")
def main(args: Request):
    made = first(args)
    each.map(made, over="names")
    choice = is_long.branch(made)
    return long(choice.true), short(choice.false)
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    return write_file(tmp_path / "workflow.py", FLOW)


def run(path: str, **given: Any) -> Any:
    """How it ends, in this process."""
    (runnable,) = load_file(path)
    return run_pipeline(runnable, given, in_process=True)


def test_each_task_gets_the_object(path: str) -> None:
    done = run(path, names=["a", "bc"], inner={"when": "2026-01-02T03:04:05Z"})

    assert done.ok, done
    assert done.tasks["first"].value == {"names": ["A", "BC"], "inner": {"when": "2026-01-02T03:04:05Z"}}
    assert done.tasks["each"].value == {"names": [{"size": 1}, {"size": 3}]}
    assert done.tasks["long"].value == {"how": "long", "year": 2026}
    # An annotation that only type checkers can read is none: the task takes its dict.
    assert run(path, names=["a"]).tasks["short"].value == {"how": "short", "known": ["env", "inner", "names"]}


def test_args_that_do_not_fit_are_told_with_their_path_and_not_tried_again(tmp_path: Path) -> None:
    text = FLOW.replace("return dataclasses.replace(args,", "return dict(inner={'when': 'x'},").replace(
        "-> Request:\n    assert", ":\n    assert"
    )
    done = run(write_file(tmp_path / "wrong.py", text), names=["a"])

    error = done.tasks["is_long"].error
    assert "task 'is_long' takes Request: inner.when: Input should be a valid datetime" in str(error)
    assert error.retry is False


def test_a_call_in_a_test_takes_objects_and_dicts_and_gives_objects(path: str) -> None:
    module = load_module(path)
    request = module.Request(["a"])

    assert module.first(request) == module.Request(["A"])
    assert module.first({"names": ["a"]}) == module.Request(["A"])
    told = module.long({"names": [], "inner": {"when": "2026-01-02T03:04:05Z"}, "env": {"task": "here"}})
    assert told == {"how": "long", "year": 2026, "env": "here"}
    with pytest.raises(InputError, match=r"task 'first' takes Request: names: Field required"):
        module.first({})
    with pytest.raises(InputError, match="get_env"):
        module.get_env()


def test_a_plain_call_of_the_flow_hands_json_from_task_to_task(path: str) -> None:
    module = load_module(path)
    text = {"names": ["a", "b"], "inner": {"when": "2026-01-02T03:04:05Z"}, "env": {"task": "here"}}

    long, short = module.main(text)
    assert long["year"] == 2026
    assert dict(short) == {}
