"""Which of a user's files travel with a pipeline to the cluster, and what they are called there."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flowhub_assets.errors import DefinitionError
from flowhub_assets.ir.pipeline import Pipeline, Source
from flowhub_assets.ir.task_tree import all_tasks
from flowhub_assets.pods.extra_packages import extra_files
from flowhub_assets.pods.imported_modules import imports_of

_NOT_EXPORTED = "nothing was exported"

#: These travel by themselves, or are installed where the pipeline runs; a folder of that name is no user's module.
_OURS = ("flowhub", "flowhub_assets")


@dataclass(frozen=True)
class Code:
    """The files of a pipeline: name in the code folder (with /) → bytes, in the order of the names.

    ``file`` is the name of the pipeline's own file; one of YAML or JSON is not among ``files``, for all that it says
    travels as data. ``paths`` tells where each file lies on this machine, for what is to be said of it.
    """

    file: str
    files: Mapping[str, bytes]
    paths: Mapping[str, str]


@dataclass(frozen=True)
class _Found:
    """A file on this machine, and the folder whose modules it can import while it runs."""

    path: str
    root: str


def code_files(pipeline: Pipeline, profile: Mapping[str, Any], more: Iterable[str] = ()) -> Code:
    """The files that ``pipeline`` needs to run, read.

    A Python flow's own file; for other pipelines the files of their functions. Then ``more`` (paths of files that
    define kinds of node), EXTRA_PACKAGES of ``profile``, and the modules beside each that are imported from there, as
    far as names in import statements tell. The code folder is the one that holds them all: that of the pipeline's file,
    or one above it. With a ``repo`` none travels: the code folder is then ``path`` of its clone.

    Raises DefinitionError and ProfileError for what is missing, cannot be read, or could not be imported there.
    """
    own = os.path.abspath(pipeline.source.file)
    home = os.path.dirname(own)
    if pipeline.repo is not None:
        return Code(os.path.basename(own), {}, {})
    found: dict[str, _Found] = {}
    for path, where in _roots(pipeline, own, more):
        path = os.path.abspath(path)
        _add(found, path, _Found(path, os.path.dirname(path)), where)
    for path, name in extra_files(profile, home, pipeline.source):
        _add(found, os.path.join(home, name), _Found(path, home), pipeline.source)
    contents = _with_imported(found)
    top = _top([own, *contents])
    if top == os.path.dirname(top):
        far = next(place for place in contents if os.path.commonpath([place, own]) == top)
        raise DefinitionError(
            f"{far} has no folder in common with the pipeline's file",
            where=pipeline.source,
            effect=_NOT_EXPORTED,
            remedy="put it beside the pipeline's file, or below",
        )
    named = sorted((_name(place, top), place) for place in contents)
    return Code(
        _name(own, top),
        {name: contents[place] for name, place in named},
        {name: found[place].path if place in found else place for name, place in named},
    )


def _roots(pipeline: Pipeline, own: str, more: Iterable[str]) -> Iterator[tuple[str, object]]:
    if own.endswith(".py"):
        yield own, pipeline.source
    else:
        for task in all_tasks(pipeline):
            if task.node is None and task.function:
                yield task.source.file, task.source
    for path in more:
        yield path, pipeline.source


def _add(found: dict[str, _Found], place: str, new: _Found, where: object) -> None:
    """Notes what comes to lie at ``place``: that is elsewhere than its path where the file comes from outside."""
    other = found.setdefault(place, new)
    if os.path.realpath(other.path) != os.path.realpath(new.path):
        what = f"{new.path} and {other.path} would both be called {os.path.basename(place)}"
        raise DefinitionError(what, where=where, effect=_NOT_EXPORTED, remedy="rename one of them")


def _with_imported(found: Mapping[str, _Found]) -> dict[str, bytes]:
    """The content of each place in ``found``, and of the modules that those import from the folders around them."""
    contents: dict[str, bytes] = {}
    ahead = [(place, one) for place, one in found.items()]
    while ahead:
        place, one = ahead.pop()
        if place in contents:
            continue
        contents[place] = _read(one.path)
        if place.endswith(".py"):
            imported = _imported(place, contents[place], one.root)
            ahead += [(path, found.get(path, _Found(path, one.root))) for path in imported]
    return contents


def _imported(place: str, code: bytes, root: str) -> list[str]:
    package = os.path.relpath(os.path.dirname(place), root).replace(os.sep, ".")
    package = "" if package.startswith(".") else package
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []  # written for another Python perhaps; whoever imports it is told
    files = []
    for one in imports_of(tree, package):
        if not one.module:
            if not package and not one.tried:
                _refuse_relative(Source(place, one.line))
            continue
        files += _modules(root, one.module.split("."), one.names)
    return files


def _refuse_relative(where: Source) -> None:
    raise DefinitionError(
        "a relative import in a file that belongs to no package where it runs",
        where=where,
        effect=_NOT_EXPORTED,
        remedy="leave the dot out: a module beside the file is imported by its name",
    )


def _modules(root: str, parts: list[str], names: tuple[str, ...]) -> list[str]:
    """The files that importing ``parts`` from ``root`` reads, those of the packages around it first; [] if none."""
    if parts[0] in _OURS:
        return []
    files: list[str] = []
    folder = root
    for part in parts:
        inner = os.path.join(folder, part)
        package = os.path.join(inner, "__init__.py")
        if os.path.isfile(package):
            files.append(package)
        elif os.path.isfile(f"{inner}.py"):
            return [*files, f"{inner}.py"]
        elif not os.path.isdir(inner):
            return files
        folder = inner
    for name in names:
        files += [found for found in _modules(folder, [name], ()) if name not in ("*", *_OURS)]
    return files


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        what = f"this file cannot be read: {error.strerror}"
        remedy = "check the path and its permissions"
        raise DefinitionError(what, where=path, effect=_NOT_EXPORTED, remedy=remedy) from None


def _top(places: list[str]) -> str:
    return os.path.commonpath([os.path.dirname(place) for place in places])


def _name(place: str, top: str) -> str:
    name = os.path.relpath(place, top).replace(os.sep, "/")
    if not name.isprintable() or "\\" in name:
        raise DefinitionError(
            f"the name of this file cannot travel: {name!r}",
            where=os.path.dirname(place).encode("utf-8", "backslashreplace").decode(),
            effect=_NOT_EXPORTED,
            remedy="rename it; letters of any script, digits, '_', '-', '.' and spaces are fine",
        )
    return name
