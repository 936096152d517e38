"""The modules of flowhub_assets that travel to a task's own image, which has Python and nothing else."""

from __future__ import annotations

import ast
import functools
import json
import os
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import flowhub_assets
from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.ir.task_tree import all_tasks
from flowhub_assets.pods.imported_modules import imports_of
from flowhub_assets.pods.stripping import stripped

#: The rooms of rows 1 to 4, which need the standard library only.
_TRAVELLING = ("errors", "names", "ir", "runtime", "from_python")

#: What `from flowhub import ...` finds in a pod, and where: the public names of those rooms.
PUBLIC: Mapping[str, str] = MappingProxyType(
    {name: home for name, home in flowhub_assets._HOME.items() if home.split(".")[1] in _TRAVELLING}
)

#: What runs first in a pod.
ENTRY = "flowhub_assets.from_python.pod"

#: The bodies of flowhub.template.
_TEMPLATES = (
    "flowhub_assets.templates.pdf",
    "flowhub_assets.templates.speakers",
    "flowhub_assets.templates.transcription",
    "flowhub_assets.templates.voice",
)

#: Modules that others import in functions which no pod calls, and why none does.
LEFT_OUT: Mapping[str, str] = MappingProxyType(
    {
        "flowhub_assets.from_python.script": "the command line of a script: Airflow says what a pod is to do",
        "flowhub_assets.from_python.live_table": "draws on a terminal, which no pod has",
    }
)

#: Stand-ins, shorter than what they stand for. The pipeline was checked when it was exported, and the same files with
#: the same command line give the same pipeline again; where its tasks run is no business of a pod that runs already.
_ALWAYS = {
    "flowhub_assets.ir.checks": "def require(pipeline):\n    pass\n",
    "flowhub_assets.from_python.placing": (
        "from flowhub_assets.ir.placement import Placement\n\n\n"
        "def placement(words):\n    return Placement()\n\n\n"
        "def parts(*given):\n    return ()\n"
    ),
    "flowhub_assets.ir.quantities": "written = str\n",
}
_BUCKET, _FOLDER = "flowhub_assets.runtime.bare_s3", "flowhub_assets.runtime.folder_storage"

# What a pod imports but does not call, for it has nothing to do with it.
_WITHOUT_PARTS = {"flowhub_assets.runtime.local": "run_pipeline = None\n"}
_WITHOUT_PARAMS = {"flowhub_assets.runtime.given_params": "def require_params(*given, **words):\n    pass\n"}
_WITHOUT_PARTITIONS = {
    "flowhub_assets.runtime.partitions": (
        'PARTITION = "partition"\nwindow_of = None\n\n\ndef about(*given):\n    return {}\n'
    )
}
_WITHOUT_ARGUMENTS = {"flowhub_assets.from_python.arguments": "def begin(*given):\n    pass\n"}
_WITHOUT_DATA = {
    "flowhub_assets.ir.encoding": "from_dict = None\n",
    "flowhub_assets.from_python.function_bodies": "function_bodies = None\n",
}
_WITHOUT_TYPES = {
    "flowhub_assets.runtime.typed_values": "def object_as_json(value):\n    return value\n",
    "flowhub_assets.from_python.typed_tasks": (
        "def typed_body(function, name):\n    return function\n\n\n"
        "def call_typed(function, name, args, kwargs):\n    return function(*args, **kwargs)\n"
    ),
    "flowhub_assets.from_python.typed_params": (
        "class Types:\n    def of_function(self, function):\n        return self\n\n"
        "    def settings(self, where):\n        return {}\n\n    def words(self):\n        return {}\n\n\n"
        "NO_TYPES = Types()\n\n\ndef types_in(words):\n    return NO_TYPES, words\n\n\n"
        "def checked_before():\n    pass\n"
    ),
}
#: What code that makes classes of args has in it.
_TYPE_WORDS = (b"dataclass", b"pydantic", b"betterproto")

_PACKAGE = os.path.dirname(os.path.abspath(flowhub_assets.__file__))
_IMPORT_NAME = os.path.join(_PACKAGE, "from_python", "import_name")


@dataclass(frozen=True)
class Needs:
    """What the pods of a pipeline do beside running single tasks of a workflow file.

    ``parts``: run loops or groups of tasks; ``params``: check the run's params; ``partitions``: are told which
    partition the run is about; ``data``: read a pipeline's document; ``templates``: call flowhub.template; ``types``:
    hand objects of classes to tasks; ``arguments``: read a command line that the script added to; ``bucket`` and
    ``folder``: open such a storage.
    """

    parts: bool = False
    params: bool = False
    partitions: bool = False
    data: bool = False
    templates: bool = False
    types: bool = False
    arguments: bool = False
    bucket: bool = False
    folder: bool = False


def needs_of(pipeline: Pipeline, code: Mapping[str, bytes], grouped: bool = False) -> Needs:
    """What the pods of ``pipeline``, whose files are ``code``, need; ``grouped``: some of them run several tasks.

    What cannot be seen, the code being elsewhere (``repo``), is needed.
    """
    unseen = pipeline.repo is not None
    env = json.dumps([pipeline.profiles, [task.env for task in all_tasks(pipeline)]], default=str).encode()
    texts = [env, *code.values()]
    python = [content for name, content in code.items() if name.endswith(".py")]
    return Needs(
        parts=grouped or any(task.loop is not None for task in pipeline.tasks),
        params=bool(pipeline.param_schemas),  # without schemas any input is taken
        partitions=pipeline.partitions is not None,
        data=not pipeline.source.file.endswith(".py"),
        templates=unseen or any(map(_uses_templates, python)),
        types=unseen or any(word in one for one in python for word in _TYPE_WORDS),
        arguments=unseen or any(b"get_parser" in one or b"parse_args" in one for one in python),
        bucket=unseen or any(b"BUCKET" in one for one in texts),
        folder=unseen or any(b"WORKSPACE" in one for one in texts),
    )


@functools.lru_cache(maxsize=8)
def travelling_rows(needs: Needs) -> Mapping[str, bytes]:
    """Name in the archive → content of each module that a pod of a bare image needs, and of the package flowhub.

    That is the closure of ENTRY and PUBLIC over all imports, those inside functions too, without LEFT_OUT. What
    ``needs`` does not ask for is left out or replaced by a stand-in; the rest travels without docstrings, comments and
    annotations.
    """
    instead = _stand_ins(needs)
    out = {*LEFT_OUT, *(() if needs.bucket else [_BUCKET]), *(() if needs.folder or needs.bucket else [_FOLDER])}
    modules = closure((ENTRY, *PUBLIC.values(), *(_TEMPLATES if needs.templates else ())), instead, out)
    codes = {_name(module): instead.get(module) or _stripped(_path(module)) for module in modules}
    for name in ("__init__.py", "nodes.py"):
        codes[f"flowhub/{name}"] = _stripped(os.path.join(_IMPORT_NAME, "flowhub", name))
    return MappingProxyType({name: code.encode() for name, code in sorted(codes.items())})


def closure(entries: Iterable[str], instead: Mapping[str, str], out: Container[str]) -> list[str]:
    """The modules that ``entries`` import, directly or not, and the packages around them, without those in ``out``.

    They are sorted. ``instead`` holds the texts that stand in for modules: what those import does not count.
    """
    found: set[str] = set()
    ahead = list(entries)
    while ahead:
        module = ahead.pop()
        if module in found or module in out:
            continue
        found.add(module)
        package = module.rpartition(".")[0]
        ahead += [package] if package else []
        if module not in instead:
            ahead += _imported(module)
    return sorted(found)


def _stand_ins(needs: Needs) -> dict[str, str]:
    return {
        **_ALWAYS,
        **({} if needs.parts else _WITHOUT_PARTS),
        **({} if needs.params else _WITHOUT_PARAMS),
        **({} if needs.partitions else _WITHOUT_PARTITIONS),
        **({} if needs.data else _WITHOUT_DATA),
        **({} if needs.arguments else _WITHOUT_ARGUMENTS),
        **({} if needs.types else _WITHOUT_TYPES),
    }


def _uses_templates(code: bytes) -> bool:
    """Whether it imports flowhub.template, or flowhub as a whole and has the word."""
    if b"flowhub" not in code or b"template" not in code:
        return False
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return True
    for one in imports_of(tree, ""):
        package, _, rest = one.module.partition(".")
        names = {"template", "templates", "*"} & set(one.names)
        if package in ("flowhub", "flowhub_assets") and (names or not one.names or rest.startswith("templates")):
            return True
    return False


@functools.cache
def _imported(module: str) -> list[str]:
    path = _path(module)
    package = module if path.endswith("__init__.py") else module.rpartition(".")[0]
    found = []
    for one in imports_of(ast.parse(_read(path)), package):
        found += [one.module, *(f"{one.module}.{name}" for name in one.names)]
    return [name for name in found if name.partition(".")[0] == "flowhub_assets" and os.path.isfile(_path(name))]


@functools.cache
def _stripped(path: str) -> str:
    return stripped(_read(path))


@functools.cache
def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def _name(module: str) -> str:
    return os.path.relpath(_path(module), os.path.dirname(_PACKAGE)).replace(os.sep, "/")


def _path(module: str) -> str:
    """Where the module's file lies; of one that there is not, where it would lie."""
    path = os.path.join(os.path.dirname(_PACKAGE), *module.split("."))
    package = os.path.join(path, "__init__.py")
    return package if os.path.isfile(package) else f"{path}.py"
