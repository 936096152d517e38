"""Pipeline files as pipelines that run: YAML or JSON, several to a file."""

from __future__ import annotations

import os
from collections.abc import Iterable

from flowhub_assets import names
from flowhub_assets.errors import DefinitionError
from flowhub_assets.from_yaml.document import pipeline_of
from flowhub_assets.from_yaml.problem import FileProblem
from flowhub_assets.from_yaml.read import Refused, decoded, documents
from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.runtime.step import Runnable


def load_file(path: str) -> list[Runnable]:
    """The pipelines of the file at ``path``, each with the body of every node.

    Raises one DefinitionError that tells all that is wrong with the file, also if it holds no pipeline.
    """
    path = os.path.abspath(path)
    found, problems = read_file(path)
    _refuse(problems)
    if not found:
        what = "this file holds no pipeline"
        raise DefinitionError(what, where=path, effect="there is nothing to run", remedy="begin it with apiVersion:")
    return [runnable(pipeline) for pipeline in found]


def pipelines_in(text: str, file: str) -> list[Pipeline]:
    """The pipelines of the text of a file called ``file``. Raises one DefinitionError that tells all its problems."""
    found, problems = read_text(text, file)
    _refuse(problems)
    return found


def read_file(path: str) -> tuple[list[Pipeline], list[FileProblem]]:
    """The pipelines of a file and its problems; those with problems are there as far as they can be read."""
    try:
        with open(path, "rb") as file:
            text = decoded(file.read(), path)
    except Refused as refused:
        return [], [refused.problem]
    except FileNotFoundError:
        return [], [FileProblem(path, 0, 0, "there is no such file", "", "check the path")]
    except IsADirectoryError:
        return [], [FileProblem(path, 0, 0, "this is a folder, not a pipeline file", "", "name a .yaml file")]
    except OSError as error:
        return [], [FileProblem(path, 0, 0, f"this file cannot be read: {error.strerror}", "", "check its permissions")]
    return read_text(text, path)


def read_text(text: str, file: str) -> tuple[list[Pipeline], list[FileProblem]]:
    """As ``read_file``, for a text that is already there; ``file`` names it in problems and sources."""
    read, problems = documents(text, file)
    found: list[Pipeline] = []
    lines: list[int] = []
    for document in read:
        pipeline, more = pipeline_of(document)
        problems += more
        if pipeline is not None:
            found.append(pipeline)
            lines.append(document.place(("metadata", "name"))[0])
    problems += _clashes(found, lines, file)
    return found, problems


def runnable(pipeline: Pipeline) -> Runnable:
    """``pipeline`` with the body of each of its nodes and functions."""
    from flowhub_assets.from_yaml.function_bodies import function_bodies
    from flowhub_assets.nodes.bodies import bodies_of

    return Runnable(pipeline, {**bodies_of(pipeline), **function_bodies(pipeline)})


def _clashes(found: list[Pipeline], lines: list[int], file: str) -> Iterable[FileProblem]:
    line_of = {pipeline.name: line for pipeline, line in reversed(list(zip(found, lines, strict=True)))}
    last = dict(zip((pipeline.name for pipeline in found), lines, strict=True))
    for first, second in names.collisions(pipeline.name for pipeline in found if pipeline.name):
        what = f"pipeline {second!r} has the name of another one, {first!r} on line {line_of[first]}"
        yield FileProblem(file, last[second], 1, what, "one would hide the other", "rename one of them")


def _refuse(problems: list[FileProblem]) -> None:
    if not problems:
        return
    first = problems[0]
    if len(problems) == 1:
        raise DefinitionError(first.what, where=first.where, effect=first.effect, remedy=first.remedy)
    told = "\n".join(str(DefinitionError(p.what, where=p.where, effect=p.effect, remedy=p.remedy)) for p in problems)
    raise DefinitionError(f"the file has {len(problems)} mistakes\n{told}", where=first.file)
