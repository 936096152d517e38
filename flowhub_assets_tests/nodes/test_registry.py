"""Kinds by name: registered, built in, of installed packages; what is wrong with one is told at its own line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flowhub_assets.errors import DefinitionError
from flowhub_assets.nodes import Node, NodeContext, NodeInput, NodeOutput, registry
from flowhub_assets.nodes.builtin import BUILTIN
from flowhub_assets.nodes.execution import Execution, execution_of
from flowhub_assets_tests.nodes import kinds
from flowhub_assets_tests.nodes.kinds import Choice, Repeat


def test_a_registered_kind_is_found_by_its_name() -> None:
    assert registry.register(Repeat) is Repeat
    assert registry.get("repeat") is Repeat
    assert "repeat" in registry.names()
    assert Repeat in registry.all()


def test_every_built_in_kind_is_there_under_its_name() -> None:
    for name in BUILTIN:
        assert registry.get(name).name == name
    assert {kind.name for kind in registry.all()} >= set(BUILTIN)


def test_an_unknown_name_gets_the_nearest_one() -> None:
    registry.register(Repeat)
    with pytest.raises(DefinitionError, match="there is no kind of node 'repaet'") as raised:
        registry.get("repaet")
    assert raised.value.remedy == "did you mean 'repeat'?"


def twin(name: str, qualname: str = "Twin") -> type[Node]:
    """A kind of that name, a class of its own in this file."""

    def execute(self: Node, input: NodeInput) -> NodeOutput:
        return NodeOutput()

    return type("Twin", (Node,), {"name": name, "execute": execute, "__qualname__": qualname, "__doc__": "A twin."})


def test_a_second_kind_of_a_name_is_refused_with_both_places() -> None:
    registry.register(Repeat)
    with pytest.raises(DefinitionError, match=r"Twin has the name 'repeat' of Repeat at .*kinds\.py:") as raised:
        registry.register(twin("repeat"))
    assert raised.value.where.startswith(__file__)
    assert registry.get("repeat") is Repeat


def test_the_name_of_a_built_in_kind_is_taken_even_if_that_is_not_loaded() -> None:
    code = """
from flowhub_assets.nodes import Node, NodeInput, NodeOutput, registry
class Log(Node):
    name = "log"
    async def execute(self, input): ...
try:
    registry.register(Log)
except Exception as error:
    print(error.what)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "Log has the name 'log' of a built-in kind\n"


def test_a_class_read_again_takes_its_own_place() -> None:
    first, second = twin("twin"), twin("twin")
    registry.register(first)
    registry.register(second)
    assert registry.get("twin") is second
    with pytest.raises(DefinitionError):
        registry.register(twin("twin", "Other"))


def changed(**attributes: Any) -> type[Node]:
    return type("Wrong", (Repeat,), {"__doc__": "Is wrong.", **attributes})


@pytest.mark.parametrize(
    ("attributes", "what", "remedy"),
    [
        ({"name": "My_Node"}, "Wrong has the name 'My_Node'", 'name = "my-node"'),
        ({"name": "summariseText2"}, "'summariseText2'", 'name = "summarise-text-2"'),
        ({"name": "a" * 64}, "has the name 'aaa", "at most 63"),
        ({"name": 3}, "Wrong has no name", 'name = "wrong"'),
        ({"run_on": "gpus"}, "run_on = 'gpus'", "did you mean 'gpu'?"),
        ({"Input": dict}, "Input of Wrong is no NodeInput", "write class Input(NodeInput): ..."),
        ({"Output": NodeInput}, "Output of Wrong is no NodeOutput", "class Output(NodeOutput)"),
        ({"Config": NodeInput}, "Config of Wrong is no NodeConfig", "class Config(NodeConfig)"),
        ({"primary": "resul"}, "primary = 'resul', which is no field", "did you mean 'result'?"),
        ({"ports": ("a",)}, "has ports, but its Output has no field port", "add port: str to Output"),
        ({"ports": "ab"}, "ports = 'ab'", "write a tuple of names"),
        ({"ports_of": classmethod(lambda _cls, _config: ("a",))}, "has ports, but its Output", "add port: str"),
        ({"execute": 3}, "Wrong has no method execute", "write async def execute"),
    ],
)
def test_a_wrong_class_is_told_at_its_own_line(attributes: dict[str, Any], what: str, remedy: str) -> None:
    with pytest.raises(DefinitionError) as raised:
        registry.register(changed(**attributes))
    assert what in raised.value.what
    assert remedy in raised.value.remedy


@pytest.mark.parametrize("field", ["error", "skipped", "output"])
def test_fields_that_templates_know_as_something_else_are_refused(field: str) -> None:
    output = type("Output", (NodeOutput,), {"__annotations__": {field: str}, "__module__": __name__})
    with pytest.raises(DefinitionError, match=f"Output of Wrong has a field '{field}'"):
        registry.register(changed(Output=output))


def test_a_field_output_that_is_the_primary_one_is_allowed() -> None:
    output = type("Output", (NodeOutput,), {"__annotations__": {"output": str}, "__module__": __name__})
    registry.register(changed(name="right", Output=output, primary="output"))


@pytest.mark.parametrize("what", [Repeat(), "repeat", Node, dict, None])
def test_only_kinds_can_be_registered(what: Any) -> None:
    with pytest.raises(DefinitionError, match="is not a subclass of Node"):
        registry.register(what)


async def takes_input(self: Any, input: Any) -> None: ...
async def takes_context(self: Any, input: Any, context: Any) -> None: ...
async def takes_it_annotated(self: Any, input: Any, *, around: NodeContext) -> None: ...
async def has_a_default(self: Any, input: Any, tries: int = 3, **more: Any) -> None: ...
def blocks(self: Any, input: Any, /) -> None: ...
def takes_nothing(self: Any) -> None: ...
def takes_keywords(self: Any, **more: Any) -> None: ...
def takes_more(self: Any, input: Any, model: str) -> None: ...
def is_a_generator(self: Any, input: Any) -> Iterator[int]:
    yield 1


@pytest.mark.parametrize(
    ("execute", "execution"),
    [
        (takes_input, Execution(True, None)),
        (takes_context, Execution(True, "context")),
        (takes_it_annotated, Execution(True, "around")),
        (has_a_default, Execution(True, None)),
        (blocks, Execution(False, None)),
    ],
)
def test_execute_is_called_as_it_wants_to_be(execute: Callable[..., Any], execution: Execution) -> None:
    assert execution_of(changed(execute=execute)) == execution


@pytest.mark.parametrize(
    ("execute", "what"),
    [
        (takes_nothing, "takes no input"),
        (takes_keywords, "takes no input"),
        (takes_more, "takes 'model', which nobody gives it"),
        (is_a_generator, "has a yield in it"),
    ],
)
def test_an_execute_that_cannot_be_called_is_told(execute: Callable[..., Any], what: str) -> None:
    with pytest.raises(DefinitionError, match=what):
        registry.register(changed(execute=execute))


class InstalledPackages:
    """Packages in a folder, as pip leaves them: a module and the entry points of its metadata."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, name: str, code: str, points: str) -> None:
        (self.folder / f"{name}.py").write_text(code, "utf-8")
        metadata = self.folder / f"{name}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", "utf-8")
        (metadata / "entry_points.txt").write_text(f"[flowhub.nodes]\n{points}\n", "utf-8")

    def run(self, code: str) -> str:
        """What a new interpreter that has the packages prints."""
        lines = (
            f"import sys; sys.path.insert(0, {str(self.folder)!r})\nfrom flowhub_assets.nodes import registry\n{code}"
        )
        command = [sys.executable, "-c", lines]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


KIND = '''
from flowhub_assets.nodes import Node, NodeInput, NodeOutput, registry
class {0}(Node):
    """Is installed."""
    name = "{1}"
    async def execute(self, input): return {{}}
'''


@pytest.fixture
def packages(tmp_path: Path) -> InstalledPackages:
    return InstalledPackages(tmp_path)


def test_kinds_of_installed_packages_are_found(packages: InstalledPackages) -> None:
    packages.add("by_class", KIND.format("ByClass", "by-class"), "by-class = by_class:ByClass")
    packages.add("by_module", KIND.format("Mine", "by-module") + "registry.register(Mine)", "any = by_module")
    told = packages.run("print(registry.get('by-class'), registry.get('by-module'), 'by-module' in registry.names())")
    assert told == "<class 'by_class.ByClass'> <class 'by_module.Mine'> True\n"


def test_a_broken_package_hurts_no_other(packages: InstalledPackages) -> None:
    packages.add("broken", "import nothing_of_that_name", "broken = broken:Broken")
    packages.add("clashing", KIND.format("Log", "log"), "log = clashing:Log")
    packages.add("whole", KIND.format("Whole", "whole"), "whole = whole:Whole")
    told = packages.run(
        """
print(registry.get("whole").name)
try: registry.get("broken")
except Exception as error: print(error)
try: registry.get("whloe")
except Exception as error: print(error)
"""
    )
    assert told.startswith("whole\n")
    assert "entry point 'broken' (broken:Broken) of package 'broken' cannot be loaded: ModuleNotFoundError" in told
    assert "Log has the name 'log' of a built-in kind" in told
    assert "'whole'? Not loaded: " in told


def test_the_registry_alone_loads_no_kind_and_nothing_heavy() -> None:
    code = """
import sys
from flowhub_assets.nodes import Node, NodeInput, NodeOutput, registry, run
registry.register(type("A", (Node,), {"name": "a", "execute": lambda self, input: {}}))
registry.get("a")
heavy = "dagster httpx jinja2 jmespath jsonschema numpy pymongo redis rich sqlalchemy yaml".split()
print(sorted(name for name in sys.modules if name in heavy or name.startswith("flowhub_assets.nodes.builtin.")))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"


def test_the_import_name_gives_the_same_objects() -> None:
    import flowhub.nodes as by_import_name
    import flowhub_assets.nodes as room

    assert sorted(by_import_name.__all__) == sorted(room.__all__)
    for name in room.__all__:
        assert getattr(by_import_name, name) is getattr(room, name), name
    with pytest.raises(AttributeError, match=r"module 'flowhub\.nodes' has no attribute 'Nodes'"):
        _ = by_import_name.Nodes


def test_ports_may_depend_on_the_config() -> None:
    class ByConfig(Choice):
        """Has the ports that its config lists."""

        name = "by-config"
        ports = ()

        @classmethod
        def ports_of(cls, config: Any) -> tuple[str, ...]:
            return tuple(config.get("ports", ()))

    registry.register(ByConfig)
    assert registry.get("by-config").ports_of({"ports": ["a", "b"]}) == ("a", "b")


def test_a_test_kind_shows_its_own_line() -> None:
    from flowhub_assets.nodes.execution import place_of

    file, _, line = place_of(Repeat).rpartition(":")
    assert file == kinds.__file__
    assert "class Repeat" in Path(file).read_text("utf-8").splitlines()[int(line) - 1]
