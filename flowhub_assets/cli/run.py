"""``flowhub run FILE``: runs one pipeline of a file, YAML or Python, on this machine. A name goes to start.py."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from functools import partial
from typing import NoReturn

import click

from flowhub_assets.errors import FlowhubError, InputError
from flowhub_assets.from_python.command import WRONG
from flowhub_assets.from_python.script import Choices, run_file, script_choices
from flowhub_assets.runtime.step import Runnable

_PYTHON, _YAML = (".py",), (".yaml", ".yml", ".json")
_USAGE = """\
Usage: flowhub run FILE [NAME] [OPTIONS]

  Run one pipeline of FILE, YAML or Python, on this machine. NAME says which, if FILE holds several.

  --param NAME=VALUE   a param of the pipeline; VALUE is a text, or JSON for other types. May be repeated.

  flowhub run FILE --help lists the params of its pipelines, and all other options: those of a workflow script.

Usage: flowhub run PIPELINE [OPTIONS]

  Start a run of a pipeline by its name, in the Dagster of DAGSTER_HOME or on a server (--url), and print its id.

  flowhub run PIPELINE --help lists the options.
"""


@click.command(
    add_help_option=False,
    context_settings={"ignore_unknown_options": True},
    short_help="Run a pipeline: a file here, or by its name in Dagster.",
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def run(words: tuple[str, ...]) -> None:
    """Run one pipeline of FILE, YAML or Python, on this machine."""
    if not words or words[0] in ("--help", "-h"):
        click.echo(_USAGE, nl=False, err=not words)
        raise SystemExit(0 if words else WRONG)
    if _is_name(words[0]):
        from flowhub_assets.cli.start import start

        start.main(list(words), "flowhub run")
    try:
        raise SystemExit(_run(words))
    except FlowhubError as error:
        click.echo(str(error), err=True)
        raise SystemExit(WRONG) from None


def _is_name(word: str) -> bool:
    """Whether it is a pipeline's name, not a file's: none of a file's marks, and no such file."""
    return not (word.startswith("-") or "." in word or "/" in word or os.sep in word or os.path.isfile(word))


def _run(words: Sequence[str]) -> int:
    file, rest = words[0], list(words[1:])
    if file.startswith("-"):
        _refuse(f"{file} stands before the file", "Begin with the file: flowhub run FILE [NAME] [OPTIONS].")
    command = ["flowhub", "run", file]
    params, rest = params_of(rest)
    if rest and not rest[0].startswith("-"):
        rest[:1] = ["--flow", rest[0]]
    ending = os.path.splitext(file)[1].lower()
    if ending in _PYTHON:
        return run_file(file, rest, command, script_choices, params)
    if ending not in _YAML:
        _refuse(f"{file!r} is no pipeline file", f"Name a file that ends in {', '.join((*_YAML, *_PYTHON))}.")
    return run_file(file, rest, command, _choices, params)


def _choices(path: str) -> Choices:
    """The pipelines of a YAML or JSON file, with the kinds of node that stand beside it."""
    from flowhub_assets.from_yaml.loading import load_file

    _load_own_nodes(os.path.dirname(os.path.abspath(path)))
    return {one.pipeline.name: partial(_itself, one) for one in load_file(path)}


def _itself(one: Runnable) -> Runnable:
    return one


def _load_own_nodes(folder: str) -> None:
    from flowhub_assets.nodes import registry
    from flowhub_assets.nodes.finding import load_nodes
    from flowhub_assets.resources.settings import read_settings

    files = [file for one in read_settings().folders for file in load_nodes(str(one))]
    # Only beside the file: what lies below its folder, /tmp say, may be anybody's.
    files += load_nodes(folder, below=False)
    found = list(dict.fromkeys(file.error for file in files if file.error is not None))
    for error in [*found, *registry.load_installed()]:
        click.echo(f"flowhub: {error}", err=True)


def params_of(words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """What --param says, and the other words. Raises InputError for one that is no NAME=VALUE."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--param", action="append", default=[])
    try:
        known, rest = parser.parse_known_args(list(words))
    except argparse.ArgumentError:
        _refuse("--param is given without a value", "Write --param city=Seoul.")
    params: dict[str, str] = {}
    for word in known.param:
        key, equals, text = word.partition("=")
        if not equals or not key:
            _refuse(f"--param {word!r} is no NAME=VALUE", "Write --param city=Seoul.")
        params[key] = text
    return params, rest


def _refuse(what: str, remedy: str) -> NoReturn:
    raise InputError(what, effect="Nothing was run.", remedy=remedy)
