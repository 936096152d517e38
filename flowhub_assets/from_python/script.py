"""The command line of a workflow script: ``python workflow.py --env default --input data.json``."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from types import FrameType
from typing import Callable, NoReturn

from flowhub_assets.errors import DefinitionError, FlowhubError, InputError
from flowhub_assets.from_python import arguments as script_arguments
from flowhub_assets.from_python.command import SIGNALLED, WRONG, run_command
from flowhub_assets.from_python.flow import Flow
from flowhub_assets.from_python.loading import flows_in, load_module
from flowhub_assets.from_python.main_script import main_block_line
from flowhub_assets.from_python.param_help import param_lines
from flowhub_assets.ir.spelling import did_you_mean, listed
from flowhub_assets.runtime.step import Runnable

#: What a file holds: by name, what makes each pipeline ready to run. The others' mistakes do not matter then.
Choices = Mapping[str, Callable[[], Runnable]]


class _Terminated(KeyboardInterrupt):
    """SIGTERM: stops what Ctrl-C stops."""


def start(path: str) -> NoReturn:
    """Loads the workflow file at ``path``, runs its command line (sys.argv) and ends the process."""
    raise SystemExit(run_file(path, sys.argv[1:], ("python", sys.argv[0]), script_choices))


def run_file(
    path: str,
    argv: Sequence[str],
    command: Sequence[str],
    load: Callable[[str], Choices],
    params: Mapping[str, str] | None = None,
) -> int:
    """Does what ``argv`` ask of one of the pipelines that ``load`` finds in the file at ``path``.

    ``command`` is how the file was started, for the words of hints; ``params`` are texts that lie over the input.
    Returns the exit code; what is wrong is told on stderr, and SIGTERM and Ctrl-C stop the tasks first.
    """
    signal.signal(signal.SIGTERM, _terminate)
    try:
        script_arguments.begin(path, argv, command)
        code = _loaded_and_run(path, argv, load, params or {})
        sys.stdout.flush()
        return code
    except _Terminated:
        return SIGNALLED + signal.SIGTERM
    except KeyboardInterrupt:
        return SIGNALLED + signal.SIGINT
    except BrokenPipeError:
        # Whoever read our output has gone (`| head`): nobody is left to tell, and Python would try at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return SIGNALLED + signal.SIGPIPE


def script_choices(path: str) -> Choices:
    """The flows of the Python file at ``path``. Raises DefinitionError for whatever is wrong with the file."""
    module = load_module(path)
    line = main_block_line(path)
    if line:
        print(
            f"flowhub: {os.path.basename(path)}:{line}: what stands under if __name__ == '__main__' is not run;"
            " @flow itself starts the flow",
            file=sys.stderr,
        )
    return {flow.name: partial(_runnable, flow) for flow in flows_in(module)}


def _runnable(flow: Flow) -> Runnable:
    return flow.runnable


def _terminate(_number: int, _frame: FrameType | None) -> NoReturn:
    raise _Terminated


def _loaded_and_run(path: str, argv: Sequence[str], load: Callable[[str], Choices], params: Mapping[str, str]) -> int:
    try:
        if not path.endswith(".py"):
            script_arguments.script_arguments(argv)  # such a file adds none: its mistakes do not hide the help
        choices = load(path)
        arguments = script_arguments.script_arguments(argv)
        if _tell_help(choices, arguments.flow):
            return 0
        return run_command(_choose(path, choices, arguments.flow)(), arguments, params)
    except script_arguments.ScriptEnds as end:
        _tell_help({}, None)
        return end.code
    except FlowhubError as error:
        print(error, file=sys.stderr)
        return 0 if _tell_help({}, None) else WRONG


def _choose(path: str, choices: Choices, name: str | None) -> Callable[[], Runnable]:
    names = listed(map(repr, choices))
    kind = "flow" if path.endswith(".py") else "pipeline"
    if not choices:
        raise DefinitionError(
            "this file holds no flow", where=path, remedy="Put @flow above the function that calls the tasks."
        )
    if name is None and len(choices) > 1:
        raise InputError(
            f"this file holds {len(choices)} {kind}s: {names}",
            where=path,
            effect="Nothing was run.",
            remedy=f"Say which: {script_arguments.naming(next(iter(choices)))}.",
        )
    if name is not None and name not in choices:
        near = did_you_mean(name, choices)
        raise InputError(
            f"there is no {kind} {name!r}" + (f": {near}" if near else ""),
            where=path,
            effect="Nothing was run.",
            remedy=f"{kind.capitalize()}s of this file: {names}.",
        )
    return next(iter(choices.values())) if name is None else choices[name]


def _tell_help(choices: Choices, name: str | None) -> bool:
    """Prints the help and the params of the pipelines, or of the one called ``name``, if the command line asks so."""
    parser = script_arguments.asked_for_help()
    if parser is None:
        return False
    chosen = choices if name is None or name not in choices else {name: choices[name]}
    print("\n".join([parser.format_help().rstrip(), *_params_told(chosen)]).rstrip())
    return True


def _params_told(choices: Choices) -> Iterator[str]:
    how = "in the file of --input"
    if script_arguments.command()[0] != "python":
        how = f"by --param or {how}"
        yield "  --param NAME=VALUE    a param; VALUE is a text, or JSON for other types;"
        yield f"{'':24}may be repeated"
    for name, ready in choices.items():
        try:
            lines = param_lines(ready().pipeline)
        except FlowhubError as error:
            lines = [f"  {line}" for line in str(error).splitlines()]
        which = f" ({script_arguments.naming(name)})" if len(choices) > 1 else ""
        yield "\n".join(
            ["", f"params of {name}{which}, given {how}:" if lines else f"{name}{which} has no params", *lines]
        )
