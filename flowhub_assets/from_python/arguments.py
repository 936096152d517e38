"""The command line of a workflow script: flowhub's own arguments, and those that the script adds."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import sys
from collections.abc import Sequence
from typing import Any, NoReturn, TypeVar

from flowhub_assets.errors import DefinitionError, InputError
from flowhub_assets.from_python.main_script import plain_errors, script_path, start_script
from flowhub_assets.from_python.where import caller
from flowhub_assets.ir.pipeline import DEFAULT_PROFILE
from flowhub_assets.ir.spelling import did_you_mean, listed

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_OWN_NAMES = ("env", "flow", "id", "input", "output", "task", "job", "run_log", "resume", "partition", "export")


_Action = TypeVar("_Action", bound=argparse.Action)


class ScriptEnds(BaseException):
    """--help was asked for and nothing more is to be done: the process ends with ``code`` and nothing is wrong."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class _Script:
    """The script that this process runs, once ``begin`` has been called."""

    path = ""
    arguments: Sequence[str] = ()
    command: Sequence[str] = ()
    namespace: argparse.Namespace | None = None
    asked_for_help: argparse.ArgumentParser | None = None


class _Help(argparse.Action):
    """--help: told when the whole file is loaded, for only then are its params known."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        if not _Script.path:
            parser.print_help()
            parser.exit()
        _Script.asked_for_help = parser


class Parser(argparse.ArgumentParser):
    """An argparse parser whose mistakes are told in flowhub's way and which never reads the command line on import."""

    @plain_errors
    def add_argument(self, *args: Any, **kwargs: Any) -> argparse.Action:
        """As in argparse. Raises DefinitionError for a name that flowhub's own arguments have."""
        try:
            return super().add_argument(*args, **kwargs)
        except argparse.ArgumentError as error:
            raise _clash(" ".join(map(str, args)), str(error)) from None

    @plain_errors
    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """As in argparse; without ``args``, what the module's parse_args(parser) gives."""
        if args is None and namespace is None:
            return _parse(self, _module_of(sys._getframe(2)))
        known, unknown = self.parse_known_args(args, namespace)
        if unknown:
            self.error(_unknown(self, unknown))
        return known

    def error(self, message: str) -> NoReturn:
        """Raises InputError instead of leaving the process; nothing is wrong where help is asked for."""
        if _Script.asked_for_help is not None:
            raise ScriptEnds(0)
        start = shlex.join(_Script.command) or f"python {self.prog}"
        remedy = f"All arguments are listed by {start} --help."
        raise InputError(message, effect="Nothing was run.", remedy=remedy)

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """Ends the script after the --help of a command of its own."""
        if message:
            sys.stderr.write(message)
        if _Script.path:
            raise ScriptEnds(status)
        raise SystemExit(status)

    def _add_action(self, action: _Action) -> _Action:
        # Arguments of groups come through here, too.
        if getattr(self, "complete", False) and action.dest in _OWN_NAMES:
            raise _clash(listed(action.option_strings) if action.option_strings else action.dest, "")
        return super()._add_action(action)


def get_parser() -> argparse.ArgumentParser:
    """A parser with all of flowhub's arguments, to which a script adds its own: parser.add_argument('--count')."""
    prog = os.path.basename(_Script.path or sys.argv[0]) if sys.argv and sys.argv[0] else "workflow.py"
    if _Script.command and _Script.command[0] != "python":
        prog = shlex.join(_Script.command)
    description = f"Runs the {'flow' if prog.endswith('.py') else 'pipeline'} of this file."
    parser = Parser(prog=prog, description=description, allow_abbrev=False, add_help=False)
    parser.add_argument("-h", "--help", action=_Help, nargs=0, dest=argparse.SUPPRESS, help="show this and exit")
    group = parser.add_argument_group("flowhub")
    add = group.add_argument
    add("--env", default=DEFAULT_PROFILE, metavar="PROFILE", help="the profile to run with (default: default)")
    add("--flow", metavar="NAME", help="which of them, if the file holds several")
    add("--id", type=_run_id, metavar="RUN_ID", help="the run's id (default: a new one)")
    add("--input", "--input-data", metavar="PATH", help="a JSON file, a folder of JSON files, or - for standard input")
    add("--output", "--output-file", metavar="PATH", help="where the result is written as JSON; the folder of --export")
    add("--task", metavar="NAME", help="run this task only, in this process; on_failure is not called")
    add("--job", metavar="DIR", help="a folder with input.json and run.json; made if it is not there")
    add("--run-log", metavar="PATH", help="where inputs and outputs of the tasks are kept (default: run.json)")
    add("--resume", action="store_true", help="go on with the run log: what has an output is not run again")
    about = "what the run is about (default: the span that ended last); of keys several: 'iris|*', model=small, '*'"
    add("--partition", metavar="KEY", help=about)
    add("--export", metavar="TARGET", help="write the flow for another system, airflow for one, and run nothing")
    parser.complete = True  # type: ignore[attr-defined]
    return parser


@plain_errors
def parse_args(parser: argparse.ArgumentParser | None = None) -> argparse.Namespace:
    """The arguments of the script that calls this; the defaults of ``parser`` where its file is only imported.

    Dagster, pytest and any other importer have a command line of their own, which is never read. Raises
    DefinitionError for a parser that is not from get_parser(), and, on import, if an argument is required.
    """
    if parser is None:
        parser = get_parser()
    if not isinstance(parser, Parser) or not getattr(parser, "complete", False):
        raise DefinitionError(
            f"parse_args was given a {type(parser).__module__}.{type(parser).__name__}",
            where=caller(),
            effect="It has none of flowhub's own arguments, --env and --input for example.",
            remedy="Start with parser = get_parser() and add your arguments to that.",
        )
    return _parse(parser, _module_of(sys._getframe(2)))


def begin(path: str, arguments: Sequence[str], command: Sequence[str]) -> None:
    """From now on the module of ``path`` is the script that runs, and ``arguments`` are its command line.

    ``command`` are the words before them: python workflow.py, say.
    """
    _Script.path, _Script.arguments, _Script.namespace = os.path.abspath(path), list(arguments), None
    _Script.command, _Script.asked_for_help = tuple(command), None


def command() -> list[str]:
    """The words that the command line began with, before its arguments."""
    return list(_Script.command) or ["python", sys.argv[0]]


def asked_for_help() -> argparse.ArgumentParser | None:
    """The parser whose help is to be told, if the command line asks for it: the one that was last given it."""
    return _Script.asked_for_help


def naming(flow: str) -> str:
    """How the user says which flow of the file is meant."""
    return f"--flow {flow}" if command()[0] == "python" else shlex.join([*command(), flow])


def script_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """What the running script's own parse_args gave, or else ``arguments`` read by flowhub's parser alone."""
    if _Script.namespace is not None and list(arguments) == list(_Script.arguments):
        return _Script.namespace
    return _known_only(get_parser(), arguments)


def own_arguments() -> tuple[str, ...]:
    """The words of the script's command line that are none of flowhub's: those that it reads by its own parser."""
    return tuple(get_parser().parse_known_args(list(_Script.arguments))[1])


def _parse(parser: Parser, module: dict[str, Any]) -> argparse.Namespace:
    if _Script.path and _path_of(module) == _Script.path:
        _Script.namespace = _known_only(parser, _Script.arguments)
        return _Script.namespace
    path = script_path(module, _path_of(module))
    if not _Script.path and path is not None:
        if {"-h", "--help"} & set(sys.argv[1:]):
            start_script(path)
        try:
            return _known_only(parser, sys.argv[1:])
        except InputError as error:
            # The script's first pass: nothing of ours is above it that would print the message.
            print(error, file=sys.stderr)
            raise SystemExit(2) from None
    return _defaults(parser)


def _known_only(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.Namespace:
    known, unknown = parser.parse_known_args(list(arguments))
    if unknown:
        parser.error(_unknown(parser, unknown))
    return known


def _defaults(parser: argparse.ArgumentParser) -> argparse.Namespace:
    required = [action for action in parser._actions if action.required]
    if required:
        names = listed("/".join(action.option_strings) or action.dest for action in required)
        raise DefinitionError(
            f"the argument {names} is required, and this file is imported, not run as a script",
            where=caller(),
            effect="An importer such as Dagster or pytest has no command line for it.",
            remedy="Give it a default: parser.add_argument(..., default=...), and leave required=True out.",
        )
    return parser.parse_known_args([])[0]


def _unknown(parser: argparse.ArgumentParser, unknown: Sequence[str]) -> str:
    known = [option for action in parser._actions for option in action.option_strings]
    told = []
    for word in unknown:
        option = word.partition("=")[0]
        if option.startswith("-"):
            near = did_you_mean(option, known)
            told.append(f"unknown argument {option}" + (f": {near}" if near else ""))
        elif not told:
            hint = (
                f": an input file is given as --input {word}" if word.endswith(".json") or os.path.exists(word) else ""
            )
            told.append(f"unexpected {word!r}{hint}")
    return "; ".join(told)


def _clash(name: str, reason: str) -> DefinitionError:
    return DefinitionError(
        f"the argument {name} has a name that is already taken" + (f": {reason}" if reason else ""),
        where=caller(),
        effect=f"flowhub's own are {listed('--' + own.replace('_', '-') for own in _OWN_NAMES)}.",
        remedy="Give yours another name, --my-env for example.",
    )


def _run_id(text: str) -> str:
    if not _RUN_ID.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no run id: it becomes part of file names and URLs, so write at most 128 of"
            " A-Z, a-z, 0-9, '.', '_' and '-', beginning with a letter or digit"
        )
    return text


def _module_of(frame: Any) -> dict[str, Any]:
    """The namespace of the module that called us; plain_errors' own frame lies between."""
    while frame is not None and frame.f_globals.get("__name__", "").startswith("flowhub_assets.from_python."):
        frame = frame.f_back
    return frame.f_globals if frame is not None else {}


def _path_of(module: dict[str, Any]) -> str:
    path = module.get("__file__")
    return os.path.abspath(path) if isinstance(path, str) else ""
