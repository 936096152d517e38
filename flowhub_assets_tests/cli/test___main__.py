"""``flowhub``: the verbs, and what each of them costs to start."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from flowhub_assets.cli.__main__ import VERBS, flowhub


def test_the_help_has_a_line_for_each_verb() -> None:
    printed = CliRunner().invoke(flowhub, ["--help"]).output
    lines = [line.split(maxsplit=1) for line in printed.partition("Commands:")[2].splitlines() if line.strip()]
    assert [name for name, *told in lines if told] == sorted(VERBS)


def test_each_verb_is_its_own_command() -> None:
    context = click.Context(flowhub)
    assert [getattr(flowhub.get_command(context, name), "name", None) for name in VERBS] == list(VERBS)


def test_a_verb_that_is_not_there_is_told() -> None:
    done = CliRunner().invoke(flowhub, ["chekc"])
    assert done.exit_code == 2
    assert "No such command 'chekc'" in done.output


@pytest.mark.parametrize("verb", sorted(set(VERBS) - {"demo"}))
def test_only_the_demo_loads_dagster(verb: str) -> None:
    code = (
        "import sys, click; from flowhub_assets.cli.__main__ import flowhub; "
        f"flowhub.get_command(click.Context(flowhub), {verb!r}); print('dagster' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "False\n"
