"""Pipeline files for the benchmarks, as a user would write them, and the kind of node in them that does nothing."""

from __future__ import annotations

from pathlib import Path

#: A kind of a user's own, in a file beside the pipelines.
NOTHING = """from flowhub.nodes import Node, NodeInput, NodeOutput, registry


@registry.register
class Nothing(Node):
    \"\"\"Does nothing.\"\"\"

    name = "nothing"
    example = "- {id: nothing, type: nothing}"

    class Input(NodeInput):
        \"\"\"Nothing.\"\"\"

    class Output(NodeOutput):
        \"\"\"Nothing.\"\"\"

    async def execute(self, input: Input) -> Output:
        \"\"\"Ends at once.\"\"\"
        return self.Output()
"""

_HEAD = """apiVersion: flume/v1
kind: Pipeline
metadata: {{name: {name}}}
profiles: {{default: {{WORKSPACE: {workspace!r}}}}}
"""
_NODE = "- {{id: {id}, type: {type}}}\n"
_WAITING = "- {{id: {id}, type: delay, config: {{seconds: 0.1}}}}\n"
_EDGE = "- {{from: {before}, to: {after}}}\n"

TEN = 10

#: What each of these says beside its id: a bit of everything that a real one does.
_DIVERSE = (
    "- id: {id}\n"
    "  type: template\n"
    "  inputs:\n"
    '    template: "{{{{params.city}}}} {{{{{before}}}}}"\n'
    "  retry: {{times: 2, delay: 5s}}\n"
    "  timeout: 10m\n"
)


def chain(name: str, nodes: int, workspace: Path, *, fuse: bool = False) -> str:
    """A chain of nodes that do nothing."""
    edges = [_EDGE.format(before=_id(number), after=_id(number + 1)) for number in range(nodes - 1)]
    more = "fuse: true\n" if fuse else ""
    return _head(name, workspace) + more + _nodes(nodes, _NODE) + "edges:\n" + "".join(edges)


def fan_out(name: str, nodes: int, workspace: Path, *, waiting: bool = False) -> str:
    """``nodes`` nodes after one that does nothing; they do nothing either, or each wait for 100 ms."""
    first = _NODE.format(id="first", type="nothing")
    edges = [_EDGE.format(before="first", after=_id(number)) for number in range(nodes)]
    rest = _nodes(nodes, _WAITING if waiting else _NODE).replace("nodes:\n", "")
    return _head(name, workspace) + "nodes:\n" + first + rest + "edges:\n" + "".join(edges)


def ten_nodes(name: str) -> str:
    """A chain of ten nodes, each of which has a template, retries and a time-out."""
    head = _HEAD.format(name=name, workspace="values") + "params: {city: {type: string, default: Seoul}}\nnodes:\n"
    first = _DIVERSE.format(id=_id(0), before="variables.greeting")
    rest = (_DIVERSE.format(id=_id(number), before=f"{_id(number - 1)}.output") for number in range(1, TEN))
    return head + first + "".join(rest) + "variables: {greeting: hello}\n"


def write_files(folder: Path, files: int) -> Path:
    """A folder of a project's own with that many pipelines of ten nodes, a file each; returns it."""
    (folder / "pipelines").mkdir(parents=True)
    (folder / "pyproject.toml").write_text('[tool.flowhub]\npipelines = ["pipelines"]\nshipped = false\n', "utf-8")
    for number in range(files):
        name = f"pipeline_{number:04d}"
        (folder / "pipelines" / f"{name}.yaml").write_text(ten_nodes(name), encoding="utf-8")
    return folder


def _head(name: str, workspace: Path) -> str:
    return _HEAD.format(name=name, workspace=str(workspace))


def _nodes(count: int, form: str) -> str:
    return "nodes:\n" + "".join(form.format(id=_id(number), type="nothing") for number in range(count))


def _id(number: int) -> str:
    return f"step-{number:04d}"
