"""How an error reads."""

from __future__ import annotations

import pytest

from flowhub_assets.errors import DefinitionError


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("write '2'", "Write '2'."),
        ("did you mean 'memory'?", "Did you mean 'memory'?"),
        ("Nothing was run.", "Nothing was run."),
        ("write def f(args): ...", "Write def f(args): ..."),
        ("x", "X."),
    ],
)
def test_effect_and_remedy_are_sentences_whoever_wrote_them(written: str, told: str) -> None:
    error = DefinitionError("cpu '2x' is none", where="f.py:3", effect=written, remedy=written)
    assert str(error) == f"f.py:3: cpu '2x' is none\n  {told}\n  {told}"


def test_what_is_not_said_leaves_no_empty_line() -> None:
    assert str(DefinitionError("what")) == "what"
    assert str(DefinitionError("what", remedy="do")) == "what\n  Do."
