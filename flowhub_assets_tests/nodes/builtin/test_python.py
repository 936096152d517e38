"""The kind python: functions and scripts, what they print, how they fail."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import pytest

from flowhub_assets.errors import FlowhubError, TaskKilled, TaskTimedOut
from flowhub_assets.nodes import NodeContext, NodeError, run
from flowhub_assets.nodes.bodies import bodies_of
from flowhub_assets.nodes.builtin.python import Python
from flowhub_assets.nodes.python_call import ScriptFailed, run_script
from flowhub_assets.nodes.references import task_uses
from flowhub_assets.runtime.step_log import line_logger
from flowhub_assets_tests.nodes.pipelines import args_of, node, pipeline


def of_script(script: str, context: NodeContext | None = None, **args: Any) -> Any:
    return run(Python, config={"script": script}, args=args, context=context).result


def test_a_script_sets_result_or_defines_main() -> None:
    assert of_script("result = args['a'] + 1", a=1) == 2
    assert of_script("def main(args):\n    return {'이름': args['a']}", a=[1]) == {"이름": [1]}
    assert of_script("async def main(args):\n    return 1") == 1
    assert of_script("import json\ndef f(): return json.dumps(args)\nresult = f()", a=1) == '{"a": 1}'


def test_a_script_is_a_module_like_any_other() -> None:
    data = "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\n"
    data += "result = [P(1).x, P.__annotations__['x'] is int]"
    assert of_script(data) == [1, True]
    assert of_script(f"from __future__ import annotations\n{data}") == [1, False]


def test_it_runs_in_a_process_of_its_own() -> None:
    assert of_script("import os\nresult = os.getpid()") != os.getpid()
    with pytest.raises(TaskKilled):
        of_script("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(TaskTimedOut):
        of_script("while True: pass", NodeContext(timeout=0.3))


def test_a_function_is_called_by_its_path() -> None:
    config = {"function": "posixpath:join"}
    assert run(Python, config={"function": "statistics:fmean"}, args={"data": [1, 2]}).result == 1.5
    with pytest.raises(NodeError, match="do not fit the function 'posixpath:join'"):
        run(Python, config=config, args={"b": 1})


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("no_such_package.x:y", "no module 'no_such_package'"),
        ("statistics.deep:y", "no module 'statistics.deep'"),
        ("statistics:fmeen", "did you mean 'fmean'"),
        ("math:pi", "not a function"),
        ("statistics", "must be package.module:function"),
        ("os:system; true", "package.module:function"),
    ],
)
def test_a_function_that_is_not_there_is_told(path: str, what: str) -> None:
    with pytest.raises(NodeError) as caught:
        run(Python, config={"function": path})
    assert any(word in f"{caught.value.what} {caught.value.remedy}" for word in what.split("|"))
    assert caught.value.retry is False


def test_an_error_names_the_line_of_the_script() -> None:
    with pytest.raises(ScriptFailed) as caught:
        of_script("def f(x):\n    return x['nope']\n\nresult = f(args)", a=1)
    assert caught.value.what == "line 2 of the script: KeyError: 'nope'"
    assert caught.value.remedy == "The line is: return x['nope']"
    assert caught.value.stands_for[:3] == ("KeyError", "LookupError", "Exception")
    assert caught.value.retry is True


def test_an_error_inside_a_library_names_the_line_of_the_script() -> None:
    with pytest.raises(ScriptFailed, match="line 2 of the script: JSONDecodeError"):
        of_script("import json\nresult = json.loads('{')")


@pytest.mark.parametrize(
    ("script", "what"),
    [
        ("x = 1", "gives no result"),
        ("import sys\nsys.exit(3)", "line 2 of the script: SystemExit: 3"),
        ("class Odd(Exception): pass\nraise Odd('x')", "line 2 of the script: Odd: x"),
    ],
)
def test_other_ends_are_told(script: str, what: str) -> None:
    with pytest.raises(NodeError, match=what):
        of_script(script)


@pytest.mark.parametrize("script", ["result = {1, 2}", "result = object()", "result = b'x'", "result = float('nan')"])
def test_a_result_that_is_no_json_is_told(script: str) -> None:
    with pytest.raises(FlowhubError, match=r"'result'|result"):
        of_script(script)


def test_numbers_of_numpy_are_numbers() -> None:
    assert of_script("import numpy\nresult = numpy.arange(3)") == [0, 1, 2]


def test_a_script_that_is_no_python_is_told_before_anything_runs() -> None:
    with pytest.raises(NodeError, match="must be Python: line 2 of it: "):
        of_script("x = 1\nif x\n  pass")
    for config in ({}, {"script": "result = 1", "function": "a:b"}):
        with pytest.raises(NodeError, match="either function or script"):
            run(Python, config=config)


def test_what_it_prints_goes_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    script = "import sys\nprint('안녕')\nprint('no end', end='')\nprint('wrong', file=sys.stderr)\nlog.error('own')"
    with caplog.at_level(logging.INFO, logger="flowhub.step"):
        of_script(f"{script}\nresult = 1")
    lines = {(record.levelname, record.getMessage()) for record in caplog.records}
    assert lines == {("INFO", "안녕"), ("INFO", "no end"), ("WARNING", "wrong"), ("ERROR", "own")}


def test_a_script_is_taken_as_it_is_written() -> None:
    script = "x = 2\nresult = f'{{{x}}} {{params.n}} {args}'"
    task = node("calc", "python", {"script": script}, {"args": {"n": "{{params.n}}"}})
    value = bodies_of(pipeline(task))["calc"](*args_of(task, flow_input={"n": "'); import os"}))
    assert value == {"result": "{2} {params.n} {'n': \"'); import os\"}"}
    assert [use.path for use in task_uses(task.node, None, None, {"params"})] == [("inputs", "args", "n")]


def test_the_profile_is_env(tmp_path: Path) -> None:
    assert of_script("result = env['WORKSPACE']", NodeContext(profile={"WORKSPACE": str(tmp_path)})) == str(tmp_path)


def test_a_log_that_is_printed_is_printed_once(capsys: pytest.CaptureFixture[str]) -> None:
    # As in a process of a run that keeps what its steps print: their loggers print, too.
    context = NodeContext(logger=line_logger(lambda line: print(line, flush=True)))
    lines = [
        "import sys",
        "print('one')",
        "log.warning('two')",
        "print('three', file=sys.stderr)",
        "print('4', end='')",
    ]
    assert run_script("\n".join([*lines, "result = 1"]), {}, context) == 1
    assert capsys.readouterr() == ("one\nWARNING: two\nWARNING: three\n4\n", "")


def test_no_template_chooses_what_is_run() -> None:
    task = node("call", "python", {"function": "{{trigger.body.function}}"}, {"args": {"command": "id"}})
    with pytest.raises(NodeError, match="written out"):
        bodies_of(pipeline(task))["call"](*args_of(task, flow_input={"trigger": {"body": {"function": "os:system"}}}))
