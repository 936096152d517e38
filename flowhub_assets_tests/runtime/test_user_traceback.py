"""Whose file a frame belongs to: the user's, a library's or ours."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

import flowhub_assets
from flowhub_assets.runtime import step, user_traceback
from flowhub_assets.runtime.user_traceback import is_user_file, user_line

PACKAGE = Path(flowhub_assets.__path__[0])


@pytest.mark.parametrize(
    "file",
    ["/home/me/project/workflow.py", "workflow.py", "<stdin>", str(PACKAGE / "pipelines" / "failing" / "workflow.py")],
)
def test_a_users_file(file: str) -> None:
    assert is_user_file(file)


@pytest.mark.parametrize(
    "file",
    [
        json.__file__,
        os.__file__,
        pytest.__file__,
        "/home/me/.local/lib/python3.9/site-packages/pandas/core/frame.py",
        "/usr/lib/python3/dist-packages/yaml/loader.py",
        "<frozen importlib._bootstrap>",
        step.__file__,
    ],
)
def test_no_users_file(file: str) -> None:
    assert not is_user_file(file)


def test_shipped_pipelines_are_user_code_also_where_the_package_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = "/opt/lib/python3.11/site-packages/flowhub_assets/"
    monkeypatch.setattr(user_traceback, "_PACKAGE", installed)
    monkeypatch.setattr(user_traceback, "_SHIPPED", f"{installed}pipelines/")
    assert is_user_file(f"{installed}pipelines/failing/workflow.py")
    assert not is_user_file(f"{installed}runtime/step.py")


def test_the_line_is_the_users_innermost_and_one_that_can_be_opened() -> None:
    try:
        exec(compile("import json; json.loads('{')", "<string>", "exec"))
    except ValueError as error:
        file, _, _ = user_line(error).rpartition(":")
    assert file == __file__


BETWEEN = """
import contextlib

@contextlib.contextmanager
def opened(fail):
    fail()
    yield

def call(fail):
    try:
        with opened(fail):
            pass
    except ValueError as error:
        return error

def refuse():
    raise ValueError("refused")
"""


def test_what_we_raise_ourselves_shows_no_frames_of_the_libraries_on_the_way() -> None:
    ours: dict[str, Any] = {}
    exec(compile(BETWEEN, step.__file__, "exec"), ours)
    told = user_traceback.user_traceback(ours["call"](ours["refuse"]))
    assert told.endswith("ValueError: refused")
    assert '  File "' not in told
    in_library = user_traceback.user_traceback(ours["call"](lambda: json.loads("{")))
    assert "contextlib.py" in in_library
    assert "json" in in_library
    assert step.__file__ not in in_library
