"""Scalars that PyYAML and JSON read back as they were."""

from __future__ import annotations

import json

import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from flowhub_assets.pods.yaml_text import block, quoted

ODD = " \t\n\n#-:|>a\"'\\%@`{[&*!?,\r\x00\x7f\x85\u2028\u2029\ufeff\ufffe😀한"
TEXTS = st.text(st.one_of(st.sampled_from(ODD), st.characters(exclude_categories=["Cs"])), max_size=20)


@given(TEXTS)
def test_a_quoted_text_is_read_back_by_yaml_and_by_json(text: str) -> None:
    assert yaml.safe_load(quoted(text)) == text
    assert json.loads(quoted(text)) == text
    assert quoted(text).isprintable() or "\u00a0" in text or not text.isprintable()
    assert "\n" not in quoted(text)


@given(TEXTS, st.booleans())
@example("a\n", True)
@example("---\n", False)
@example("a\n\n  \nb\n", False)
@example("  indented first\n", False)
def test_a_block_is_read_back_between_its_neighbours(text: str, ended: bool) -> None:
    text = f"{text}\n" if ended else text
    document = f"data:\n  before: 1\n  key: {block(text, 4)}\nafter: 2\n"
    assert yaml.safe_load(document) == {"data": {"before": 1, "key": text}, "after": 2}


def test_code_and_json_are_readable_blocks() -> None:
    assert block('def f():\n    return "x"\n\n\nf()\n', 4) == '|\n    def f():\n        return "x"\n\n\n    f()'
    assert block("no end", 4) == '"no end"'
