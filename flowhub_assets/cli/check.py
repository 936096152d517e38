"""``flowhub check``: everything that is wrong with pipeline files, before anything runs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence

import click

from flowhub_assets.errors import FlowhubError
from flowhub_assets.from_yaml.check import Checked, check_file, clashes_between, files_in
from flowhub_assets.from_yaml.problem import FileProblem
from flowhub_assets.nodes.finding import load_nodes
from flowhub_assets.resources.settings import read_settings

#: From so many files on a terminal shows how far it is.
_MANY_FILES = 50


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path())
@click.option("--format", "form", type=click.Choice(("text", "json", "github")), default="text")
def check(paths: Sequence[str], form: str) -> None:
    """Tell every problem of the pipeline files PATHS: YAML, JSON, Python, or folders of them.

    Each is printed as file:line:column: what is wrong, why it matters, what to do. The exit code is 1 if there is
    one. --format github writes annotations for a pull request, --format json one object.
    """
    problems = list(_load_kinds(paths))
    files = list(dict.fromkeys(file for path in paths for file in files_in(path)))
    checked = [check_file(file) for file in _with_progress(files)]
    problems += [problem for one in checked for problem in one.problems]
    problems += clashes_between(checked)
    pipelines = sum(len(one.pipelines) for one in checked)
    if form == "json":
        click.echo(json.dumps(_as_json(checked, problems), ensure_ascii=False, indent=2))
    else:
        for problem in problems:
            click.echo(github_annotation(problem) if form == "github" else str(problem))
        click.echo(_summary(pipelines, len(files), problems))
    sys.exit(1 if problems or not files else 0)


def github_annotation(problem: FileProblem) -> str:
    """The workflow command with which GitHub shows ``problem`` beside its line."""
    place = {"file": problem.file, **({"line": problem.line, "col": problem.column} if problem.line else {})}
    properties = ",".join(f"{name}={_escaped(str(value), ':,')}" for name, value in place.items())
    return f"::error {properties}::{_escaped(problem.told)}"


def _escaped(text: str, more: str = "") -> str:
    for mark in f"%\r\n{more}":
        text = text.replace(mark, f"%{ord(mark):02X}")
    return text


def _load_kinds(paths: Sequence[str]) -> Iterator[FileProblem]:
    """Loads the user's own kinds of node, beside the files and from the settings; what is wrong with them."""
    whole = {os.path.abspath(folder) for folder in (*filter(os.path.isdir, paths), *map(str, _folders()))}
    beside = {os.path.dirname(os.path.abspath(path)) for path in paths if not os.path.isdir(path)} - whole
    seen: set[str] = set()
    for folder in sorted(whole | beside):
        for file in load_nodes(folder, below=folder in whole):
            if file.error is not None and file.path not in seen:
                seen.add(file.path)
                yield _problem_of(file.error, file.path)


def _folders() -> Iterable[object]:
    try:
        return read_settings().folders
    except FlowhubError:
        return ()  # the code location says what is wrong with its settings; files can be checked without


def _problem_of(error: FlowhubError, path: str) -> FileProblem:
    file, _, line = error.where.rpartition(":")
    if file and line.isdigit():
        return FileProblem(file, int(line), 1, error.what, error.effect, error.remedy)
    return FileProblem(path, 0, 0, error.what, error.effect, error.remedy)


def _with_progress(files: list[str]) -> Iterator[str]:
    if len(files) < _MANY_FILES or not sys.stderr.isatty():
        yield from files
        return
    from rich.console import Console
    from rich.progress import track

    yield from track(files, "Checking", console=Console(stderr=True), transient=True)


def _as_json(checked: list[Checked], problems: list[FileProblem]) -> dict[str, object]:
    names = ("file", "line", "column", "what", "effect", "remedy")
    return {
        "files": len(checked),
        "pipelines": sum(len(one.pipelines) for one in checked),
        "problems": [{name: getattr(problem, name) for name in names} for problem in problems],
    }


def _summary(pipelines: int, files: int, problems: list[FileProblem]) -> str:
    if not files:
        return "no pipeline files found"
    told = f"{_counted(pipelines, 'pipeline')} in {_counted(files, 'file')}"
    if not problems:
        return f"{told}, no problems"
    wrong = len({problem.file for problem in problems})
    return f"{told}, {_counted(len(problems), 'problem')} in {_counted(wrong, 'file')}"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
