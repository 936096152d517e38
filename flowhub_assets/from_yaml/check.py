"""All that is wrong with pipeline files, YAML, JSON and Python ones, told for whoever mends them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass

from flowhub_assets.errors import FlowhubError
from flowhub_assets.from_python import finding as python_finding
from flowhub_assets.from_yaml import finding
from flowhub_assets.from_yaml.loading import clashes, read_file
from flowhub_assets.from_yaml.problem import FileProblem

_PLACE = re.compile(r"(?P<file>.+?):(?P<line>\d+)(?::(?P<column>\d+))?")
_TOLD = re.compile(r"(?P<place>[^\s].*?:\d+(?::\d+)?): (?P<what>.+)")


@dataclass(frozen=True)
class Checked:
    """One file: the pipelines in it, by name, file and place, and its problems."""

    file: str
    pipelines: tuple[tuple[str, str, tuple[int, int]], ...]
    problems: tuple[FileProblem, ...]


def files_in(path: str) -> list[str]:
    """``path`` itself if it is a file; else all files below that hold pipelines or flows, sorted."""
    if not os.path.isdir(path):
        return [path]
    return sorted([*finding.find_files(path), *python_finding.find_files(path)])


def problems_in(path: str) -> list[FileProblem]:
    """All that is wrong with the file at ``path``, or with the files of that folder and with them together."""
    checked = [check_file(file) for file in files_in(path)]
    return [*(problem for one in checked for problem in one.problems), *clashes_between(checked)]


def check_file(path: str) -> Checked:
    """Checks one file; a Python file is imported for it."""
    if path.endswith(".py"):
        return _check_python(path)
    content = read_file(path)
    if not content.pipelines and not content.problems:
        what = "this file holds no pipeline"
        content.problems.append(FileProblem(path, 0, 0, what, "", "begin it with apiVersion: flume/v1"))
    named = zip(content.pipelines, content.named_at, strict=True)
    pipelines = tuple((pipeline.name, path, place) for pipeline, place in named)
    return Checked(path, pipelines, tuple(content.problems))


def clashes_between(checked: Iterable[Checked]) -> list[FileProblem]:
    """Pipelines of different files that have one name."""
    named = [pipeline for one in checked for pipeline in one.pipelines]
    own = {problem for one in checked for problem in one.problems}
    return [problem for problem in clashes(named) if problem not in own]


def _check_python(path: str) -> Checked:
    from flowhub_assets.from_python.loading import load_file

    try:
        flows = load_file(path)
    except FlowhubError as error:
        return Checked(path, (), tuple(_told(error, path)))
    return Checked(path, tuple((one.pipeline.name, path, (one.pipeline.source.line, 1)) for one in flows), ())


def _told(error: FlowhubError, path: str) -> list[FileProblem]:
    """The problems of an error, which may tell several of one flow in its lines."""
    first, *lines = error.what.split("\n")
    if not lines or not any(_TOLD.fullmatch(line) for line in lines):
        return [_problem(error.where or path, error.what, error.effect, error.remedy, path)]
    del first  # it says how many mistakes there are
    found: list[FileProblem] = []
    for line in lines:
        told = _TOLD.fullmatch(line)
        if told:
            found.append(_problem(told["place"], told["what"], "", "", path))
        elif found:
            last = found.pop()
            remedy = f"{last.remedy} {line.strip()}".strip()
            found.append(FileProblem(last.file, last.line, last.column, last.what, "", remedy))
    return found


def _problem(where: str, what: str, effect: str, remedy: str, path: str) -> FileProblem:
    place = _PLACE.fullmatch(where)
    if place is None:
        return FileProblem(path, 0, 0, what, effect, remedy)
    # A problem may stand in another file than the flow: a module that it imports. The own one is named as it was given.
    file = path if os.path.abspath(path) == place["file"] else place["file"]
    return FileProblem(file, int(place["line"]), int(place["column"] or 1), what, effect, remedy)
