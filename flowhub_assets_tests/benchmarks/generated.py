"""Workflow files for the benchmarks, as a user would write them."""

from __future__ import annotations

from pathlib import Path

_HEAD = """from flowhub import flow, task

"""
_TASK = """
@task(cpu="100m", memory="64Mi")
def {name}(args):
    return {{"number": {number}}}

"""
_FLOW = """
@flow(name="{name}", env={{"default": {{"WORKSPACE": {workspace!r}}}}})
def main(args):
    value = args
"""


def chain_file(path: Path, flow_name: str, tasks: int, workspace: Path) -> Path:
    """Writes a flow that is a chain of tasks which do nothing; returns the file."""
    names = [f"step_{number:03d}" for number in range(tasks)]
    text = _HEAD + "".join(_TASK.format(name=name, number=number) for number, name in enumerate(names))
    text += _FLOW.format(name=flow_name, workspace=str(workspace))
    text += "".join(f"    value = {name}(value)\n" for name in names) + "    return value\n"
    path.write_text(text, encoding="utf-8")
    return path
