"""Runs attack strings, each in a process of its own with little memory and time, and prints what each gave.

Reads a JSON list of [language, text] from standard input and prints a JSON list of [outcome, text]: outcome is
"told", "text", or what went wrong.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path

from flowhub_assets.nodes.expressions.conditions import holds
from flowhub_assets.nodes.expressions.templates import TemplateProblem, render

#: Bytes beyond what the process has, and seconds of processor time.
MEMORY = 512 << 20
SECONDS = 5

SCOPE = {
    "data": {"text": "abc", "list": [1, 2, 3], "long": "a" * 100_000, "items_of": {"x": 1}},
    "$now": "2024-05-06T01:02:03.000Z",
}


def attempt(language: str, text: str) -> tuple[str, str]:
    before = json.dumps(SCOPE)
    try:
        value = (render if language == "templates" else holds)(text, SCOPE, SCOPE.keys())
        outcome = ("text", json.dumps(value)[:2_000])
    except TemplateProblem as problem:
        outcome = ("told", f"{problem.what} {problem.remedy}"[:2_000])
    assert json.dumps(SCOPE) == before, "the scope was changed"
    return outcome


def in_child(language: str, text: str) -> tuple[str, str]:
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            limit = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() + MEMORY
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
            resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
            try:
                outcome = attempt(language, text)
            except BaseException as error:  # noqa: BLE001 - told to the test
                outcome = (f"{type(error).__name__}: {error}"[:500], "")
            os.write(write_end, json.dumps(outcome).encode())
        finally:
            os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        answer = pipe.read()
    status = os.waitpid(pid, 0)[1]
    return tuple(json.loads(answer)) if answer else (f"the process ended with {status}", "")


if __name__ == "__main__":
    # Both are imported before the forks, so that each child starts at once.
    attempt("templates", "{{ data.text | upper }}")
    attempt("conditions", "len(data.text) > 1")
    print(json.dumps([in_child(language, text) for language, text in json.load(sys.stdin)]))
