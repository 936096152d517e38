"""What the benchmarks run in a cluster: flows for the hybrid executor, as a user would write them."""

from __future__ import annotations

from pathlib import Path

_HEAD = """\
import time
from flowhub import flow, task

"""
_MIXED = """\
@task
def light(args):
    return {{"n": args.get("n", 0) + 1}}

@task(cpu="0.1", memory="1Gi")
def heavy(args):
    return {{"n": args.get("n", 0) + 1}}

@flow(name="mixed", env={{"default": {{"WORKSPACE": {workspace!r}}}}})
def main(args):
    for branch in range({branches}):
        value = args
        for place, letter in enumerate({steps!r}):
            value = (heavy if letter == "h" else light).named(f"{{letter}}-{{branch}}-{{place}}")(value)
"""
_CHAIN = """\
@task(image="python:bench")
def own(args):
    return {{"n": args.get("n", 0) + 1}}

@flow(name="chain", env={{"default": {{"WORKSPACE": {workspace!r}}}}})
def main(args):
    value = args
    for number in range({steps}):
        value = own.named(f"own-{{number}}")(value)
"""
_MANY = """\
@task(image="python:bench")
def wait(args):
    open({gate!r}).close()
    return {{}}

@task(image="python:bench", limit_memory="100Mi")
def eat(args):
    open({meal!r}).close()
    held = b"x" * (200 << 20)
    time.sleep(600)
    return {{"size": len(held)}}

@flow(name="many", env={{"default": {{"WORKSPACE": {workspace!r}}}}})
def main(args):
    eat(args)
    for number in range({steps} - 1):
        wait.named(f"wait-{{number}}")(args)
"""
_STUBS = """\
@task(cpu="0.01")
def wait(args):
    return {{}}

@flow(name="stubs", env={{"default": {{"WORKSPACE": {workspace!r}}}}})
def main(args):
    for number in range({steps}):
        wait.named(f"wait-{{number}}")(args)
"""


def mixed(workspace: Path, branches: int, steps: str) -> str:
    """``branches`` chains of ``steps``, each letter a step: light or heavy, l or h. The flow ``mixed``."""
    return _HEAD + _MIXED.format(workspace=str(workspace), branches=branches, steps=steps)


def chain(workspace: Path, steps: int) -> str:
    """A chain of steps with an image of their own: the flow ``chain``."""
    return _HEAD + _CHAIN.format(workspace=str(workspace), steps=steps)


def many(workspace: Path, steps: int, gate: Path, meal: Path) -> str:
    """Independent steps with an image of their own that wait until ``gate`` opens: the flow ``many``.

    One of them, ``many__eat``, waits for ``meal`` and takes more memory than it may.
    """
    return _HEAD + _MANY.format(workspace=str(workspace), steps=steps, gate=str(gate), meal=str(meal))


def stubs(workspace: Path, steps: int) -> str:
    """Independent heavy steps in the code location's image: the flow ``stubs``."""
    return _HEAD + _STUBS.format(workspace=str(workspace), steps=steps)
