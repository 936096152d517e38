"""Pipeline files as pipelines that run: YAML or JSON, several to a file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial

from flowhub_assets import names
from flowhub_assets.errors import DefinitionError
from flowhub_assets.from_yaml.document import pipeline_of
from flowhub_assets.from_yaml.problem import FileProblem
from flowhub_assets.from_yaml.read import LARGEST_FILE, Refused, decoded, documents
from flowhub_assets.from_yaml.settings import UNNAMED
from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.runtime.step import Runnable


@dataclass
class Content:
    """What a file holds: its pipelines as far as they can be read, and all that is wrong.

    Beside each pipeline stand the line and column where it is named, and the line of its ``params:``.
    """

    pipelines: list[Pipeline] = field(default_factory=list)
    problems: list[FileProblem] = field(default_factory=list)
    named_at: list[tuple[int, int]] = field(default_factory=list)
    params_at: list[int] = field(default_factory=list)


def load_file(path: str) -> list[Runnable]:
    """The pipelines of the file at ``path``, each with the body of every node.

    Raises one DefinitionError that tells all that is wrong with the file, also if it holds no pipeline.
    """
    path = os.path.abspath(path)
    content = read_file(path)
    refuse(content.problems)
    if not content.pipelines:
        what = "this file holds no pipeline"
        remedy = "begin it with apiVersion: flume/v1"
        raise DefinitionError(what, where=path, effect="there is nothing to run", remedy=remedy)
    return [
        replace(runnable(pipeline), params_source=replace(pipeline.source, line=line))
        for pipeline, line in zip(content.pipelines, content.params_at, strict=True)
    ]


def pipelines_in(text: str, file: str) -> list[Pipeline]:
    """The pipelines of the text of a file called ``file``. Raises one DefinitionError that tells all its problems."""
    content = read_text(text, file)
    refuse(content.problems)
    return content.pipelines


def read_file(path: str) -> Content:
    """What the file at ``path`` holds; a file that cannot be read is a problem, too."""
    try:
        with open(path, "rb") as file:
            text = decoded(file.read(LARGEST_FILE + 1), path)
    except Refused as refused:
        return Content(problems=[refused.problem])
    except FileNotFoundError:
        what, remedy = "there is no such file", "check the path"
    except IsADirectoryError:
        what, remedy = "this is a folder, not a pipeline file", "name a .yaml file"
    except OSError as error:
        what, remedy = f"this file cannot be read: {error.strerror}", "check its permissions: ls -l"
    else:
        return read_text(text, path)
    return Content(problems=[FileProblem(path, 0, 0, what, "", remedy)])


def read_text(text: str, file: str) -> Content:
    """As ``read_file``, for a text that is already there; ``file`` names it in problems and sources."""
    read, problems = documents(text, file)
    content = Content(problems=problems)
    for document in read:
        pipeline, more = pipeline_of(document)
        content.problems += more
        if pipeline is not None:
            content.pipelines.append(pipeline)
            content.named_at.append(document.place(("metadata", "name")))
            content.params_at.append(document.place(("params",), key=True)[0])
    named = zip(content.pipelines, content.named_at, strict=True)
    content.problems += clashes([(pipeline.name, file, place) for pipeline, place in named])
    content.problems.sort(key=lambda problem: (problem.line, problem.column))
    return content


def runnable(pipeline: Pipeline) -> Runnable:
    """``pipeline`` with the body of each of its nodes and functions."""
    from flowhub_assets.from_python.function_bodies import function_bodies
    from flowhub_assets.nodes.bodies import bodies_of
    from flowhub_assets.nodes.param_schemas import schema_faults

    bodies = {**bodies_of(pipeline), **function_bodies(pipeline)}
    return Runnable(pipeline, bodies, partial(schema_faults, pipeline.param_schemas))


def clashes(named: list[tuple[str, str, tuple[int, int]]]) -> Iterator[FileProblem]:
    """Pipelines whose names are one, or become one in Dagster: name, file, and line and column of each, in order."""
    first: dict[str, tuple[str, str, tuple[int, int]]] = {}
    for name, file, place in named:
        other = (
            first.setdefault(names.dagster_name(name), (name, file, place)) if name != UNNAMED else (name, file, place)
        )
        if other == (name, file, place):
            continue
        where = f"on line {other[2][0]}" if other[1] == file else f"in {other[1]}:{other[2][0]}"
        same = "the name of another one" if other[0] == name else f"a name that is the same in Dagster as {other[0]!r}"
        what = f"pipeline {name!r} has {same} {where}"
        yield FileProblem(file, *place, what, "one would hide the other", "rename one of them")


def refuse(problems: list[FileProblem]) -> None:
    """Raises one DefinitionError that tells them all; nothing where there are none."""
    if not problems:
        return
    first = problems[0]
    if len(problems) == 1:
        raise DefinitionError(first.what, where=first.where, effect=first.effect, remedy=first.remedy)
    told = "\n".join(str(DefinitionError(p.what, where=p.where, effect=p.effect, remedy=p.remedy)) for p in problems)
    raise DefinitionError(f"the file has {len(problems)} mistakes\n{told}", where=first.file)
