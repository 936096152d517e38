"""Workflow files as a user would write them, whose tasks return exactly what they have received."""

from __future__ import annotations

HEAD = '''"""Written by a test."""

import hashlib
import json
import os

from flowhub import flow, task


def brief(value):
    """The value itself where it is small, its digest where it is not: a long chain stays readable."""
    text = json.dumps(value, ensure_ascii=False)
    return value if len(text) <= 200 else f"{len(text)}:{hashlib.sha256(text.encode()).hexdigest()[:16]}"


# In Dagster on_failure is a run of its own, and knows the one that has failed.
OF_A_RUN = ("WORKSPACE", "run_id", "failed_run_id")


def seen(*inputs):
    """What the task was given and in which order; of the env all but what differs from run to run."""
    envs = [one.pop("env") for one in inputs]
    assert all(env == envs[0] for env in envs), "each parameter has the same env"
    env = envs[0]
    assert env["run_id"] and os.path.isdir(env["WORKSPACE"])
    return {
        "given": [{key: brief(value) for key, value in one.items()} for one in inputs],
        "surroundings": {key: env[key] for key in sorted(env) if key not in OF_A_RUN},
        "shared": env["task"],
        f"of {env['task']}": [one.get("shared") for one in inputs],
    }


def attempt(args):
    """Which attempt at its task this is, counted from 1 in a file that survives the process."""
    env = args["env"]
    with open(os.path.join(env["WORKSPACE"], f"attempts of {env['task']}"), "a+") as file:
        file.write("x")
        return file.tell()


@task
def note(args):
    """Keeps what on_failure is told, one line for each call."""
    env = args.pop("env")
    told = {"args": args, "surroundings": {key: env[key] for key in sorted(env) if key not in OF_A_RUN}}
    with open(os.path.join(env["WORKSPACE"], "told"), "a", encoding="utf-8") as file:
        file.write(json.dumps(told, ensure_ascii=False) + "\\n")
    return args
'''


def step(name: str, parameters: str = "args", *, words: str = "", first: str = "") -> str:
    """A task that returns what it has seen; ``first`` is a statement before that."""
    decorator = f"@task({words})" if words else "@task"
    before = f"    {first}\n" if first else ""
    return f"\n\n{decorator}\ndef {name}({parameters}):\n{before}    return seen({parameters})\n"


def main(*body: str, name: str = "shape", words: str = "") -> str:
    """The flow, whose body is these lines."""
    more = f", {words}" if words else ""
    lines = "".join(f"    {line}\n" for line in body)
    return f"\n\n@flow(name={name!r}{more})\ndef main(args):\n{lines}"


def workflow(*parts: str) -> str:
    """The whole file."""
    return HEAD + "".join(parts)
