"""Splits a template into text and code the way that Jinja does, and makes the names in its code readable to Jinja."""

from __future__ import annotations

import re
from collections.abc import Collection

from flowhub_assets.nodes.expressions.limits import DEEPEST, MOST_CODE, MOST_OUTPUT
from flowhub_assets.nodes.expressions.names import Code, NameReader, free_prefix, tokens
from flowhub_assets.nodes.expressions.problem import TemplateProblem

_OPENING = re.compile(r"\{\{|\{%|\{#")
_RAW = re.compile(r"\{%[-+]?\s*raw\s*[-+]?%\}")
_END_RAW = re.compile(r"\{%[-+]?\s*endraw\s*[-+]?%\}")
_ENDS = {"{{": re.compile(r"[-+]?\}\}"), "{%": re.compile(r"[-+]?%\}")}


def has_code(text: str) -> bool:
    """Whether there is anything to render in it."""
    return "{{" in text or "{%" in text


def template_code(text: str, known: Collection[str]) -> Code:
    """The whole template with identifiers for the known names in its code.

    Raises TemplateProblem for what is never closed, and for more code than a template may have.
    """
    if len(text) > MOST_OUTPUT:
        raise TemplateProblem(
            f"the template is longer than {MOST_OUTPUT:,} characters", remedy="Keep long texts in the storage."
        )
    code = Code(free_prefix(text))
    position, code_length = 0, 0
    while match := _OPENING.search(text, position):
        code.add(text[position : match.start()])
        raw = _RAW.match(text, match.start())
        if raw:
            end = _after(_END_RAW, text, raw.end(), match.start(), "{% raw %}", "{% endraw %}")
            code.add(text[match.start() : end])
        elif match.group() == "{#":
            end = _after(re.compile("#}"), text, match.end(), match.start(), "{#", "#}")
            code.add(text[match.start() : end])
        else:
            end = _add_code(code, text, match, known)
            code_length += end - match.start()
        if code_length > MOST_CODE:
            raise _too_much_code(match.start())
        position = end
    code.add(text[position:])
    return code


def _add_code(code: Code, text: str, opening: re.Match[str], known: Collection[str]) -> int:
    """Adds one pair of braces and what is in it; the offset after it."""
    start, closing = opening.end(), _ENDS[opening.group()]
    code.add(opening.group())
    if text[start : start + 1] in ("-", "+"):
        code.add(text[start])
        start += 1
    reader, depth = NameReader(code, known), 0
    is_statement = opening.group() == "{%"
    for kind, token, offset in tokens(text, start):
        end = closing.match(text, offset) if not depth else None
        if end:
            code.add(end.group())
            return end.end()
        if offset + len(token) - start > MOST_CODE:
            if closing.search(text, start):
                raise _too_much_code(opening.start())
            break
        if kind == "run" and is_statement:
            # The statement's own word, and what may stand beside it, as in {%if-x%}, is no name.
            code.add(token)
            reader.before, is_statement = token, False
            continue
        depth += (kind == "open") - (kind == "close")
        if depth > DEEPEST:
            raise TemplateProblem(f"more than {DEEPEST} brackets lie inside one another", offset)
        depth = max(depth, 0)
        reader.add(kind, token, offset, text[offset + len(token) : offset + len(token) + 8], depth)
    mark = "}}" if opening.group() == "{{" else "%}"
    raise TemplateProblem(
        f"{opening.group()!r} is never closed",
        opening.start(),
        f"Write {mark} after it, or {{{{ '{opening.group()}' }}}} if the braces themselves are meant.",
    )


def _too_much_code(offset: int) -> TemplateProblem:
    what = f"the template has more than {MOST_CODE:,} characters of code in its braces"
    return TemplateProblem(what, offset, "Do heavy work in a python node.")


def _after(end: re.Pattern[str], text: str, start: int, opened: int, opening: str, closing: str) -> int:
    match = end.search(text, start)
    if match is None:
        raise TemplateProblem(f"{opening!r} is never closed", opened, f"Write {closing} after it.")
    return match.end()
