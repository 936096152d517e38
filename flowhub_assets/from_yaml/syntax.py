"""Files whose grammar is broken: what the parser says, in words that say what to do."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

from flowhub_assets.from_yaml.problem import FileProblem
from flowhub_assets.runtime.secret_values import is_secret_name, mask_secrets

_OPENED = ("while scanning a quoted scalar", "while parsing a flow sequence", "while parsing a flow mapping")
_ASSIGNED = re.compile(r"""([\w-]+)["']?\s*:""")
_EFFECT = "nothing after this can be read"
#: A value that begins with a template: outside of quotes YAML takes the braces for its own.
_TEMPLATE = re.compile(r"(?:(?:^|\s)-\s+|:\s+|[\[,]\s*)(\{\{)")

#: What is wrong, why, and what to do where a template stands without quotes.
BARE_TEMPLATE = (
    "a template stands here without quotes",
    "YAML reads {{...}} as an object inside an object",
    'write the whole text in quotes: "{{...}}"',
)

#: What libyaml or PyYAML says → what is wrong, and what to do. The first that is found counts.
_WORDS: tuple[tuple[str, str, str], ...] = (
    ("tab", "a tab stands where YAML wants spaces", "indent with spaces"),
    ("mapping values are not allowed", "a ':' stands where no key can be", "quote the text that holds it, or indent"),
    ("found unexpected end of stream", "a quote is opened and not closed", "close it"),
    ("while scanning a quoted scalar", "a quote is opened and not closed", "close it"),
    ("undefined alias", "an alias (*name) names no anchor", "write &name before the value that is meant"),
    ("duplicate anchor", "two anchors (&name) have one name", "rename one of them"),
    ("unknown escape character", "an escape that YAML does not know", "double the backslash, or use single quotes"),
    ("cannot start any token", "this character cannot start a value", "put the text into quotes"),
    ("expected ',' or '}'", "an object {...} is not closed, or lacks a comma", "close it, or quote the text in it"),
    ("expected ',' or ']'", "a list [...] is not closed, or lacks a comma", "close it, or quote the text in it"),
    (
        "did not find expected node content",
        "a list or an object is not closed, or lacks a value",
        "close it, or quote it",
    ),
    ("could not find expected ':'", "a key without a ':' after it", "write 'key: value', the value behind a blank"),
    (
        "did not find expected key",
        "this line stands too far left or right, or a quote ends early",
        _INDENT := ("indent it like the lines that it belongs to"),
    ),
    ("did not find expected '-' indicator", "this line stands beside a list and is no item of it", _INDENT),
    ("expected <block end>", "this line stands too far left or right", _INDENT),
    ("block sequence entries are not allowed", "a '-' stands where no list can begin", "begin the list on a new line"),
    (
        "control characters are not allowed",
        "a control character stands here",
        "delete it, or write \\u00.. in quotes",
    ),
    (
        "special characters are not allowed",
        "a control character stands here",
        "delete it, or write \\u00.. in quotes",
    ),
    ("found undefined tag handle", "a word begins with '!'", "put the text into quotes"),
)


def told(error: yaml.YAMLError, text: str, file: str) -> FileProblem:
    """The problem that a parser's ``error`` is."""
    said = " ".join(str(part) for part in (getattr(error, "context", ""), getattr(error, "problem", "")) if part)
    said = said or str(getattr(error, "reason", "")) or str(error)
    line, column = _place(error, text)
    shown = _line(text, line)
    if "\t" in shown[: max(column, len(shown) - len(shown.lstrip()))] and "token" in said:
        said = "tab"
    bare = next((at for at in _TEMPLATE.finditer(shown) if _outside_quotes(shown[: at.start(1)])), None)
    if bare is not None:
        what, effect, remedy = BARE_TEMPLATE
        return FileProblem(file, line, bare.start(1) + 1, what, effect, remedy)
    for words, what, remedy in _WORDS:
        if words in said:
            return FileProblem(file, line, column, _with_line(what, shown), _EFFECT, remedy)
    return FileProblem(file, line, column, _with_line(f"YAML cannot be read: {said}", shown), _EFFECT, _INDENT)


def _outside_quotes(before: str) -> bool:
    return before.count('"') % 2 == 0 and before.count("'") % 2 == 0


def _place(error: yaml.YAMLError, text: str) -> tuple[int, int]:
    first, second = "problem_mark", "context_mark"
    if getattr(error, "context", "") in _OPENED:
        first, second = second, first  # what was not closed is found at the end, and to be mended where it begins
    mark: Any = getattr(error, first, None) or getattr(error, second, None)
    if mark is not None:
        return mark.line + 1, mark.column + 1
    position = getattr(error, "position", None)
    if isinstance(position, int):
        # libyaml counts bytes, PyYAML characters; the character itself is the better witness.
        character = getattr(error, "character", None)
        found = text.find(chr(character)) if isinstance(character, int) and character < 0x110000 else -1
        at = found if found >= 0 else min(position, len(text))
        return text.count("\n", 0, at) + 1, at - (text.rfind("\n", 0, at) + 1) + 1
    return 1, 1


def _line(text: str, number: int) -> str:
    lines = text.split("\n", number)
    return lines[number - 1] if number <= len(lines) else ""


def _with_line(what: str, line: str) -> str:
    """``what`` with the line that it is about; the value of a credential is not shown."""
    if any(is_secret_name(name) for name in _ASSIGNED.findall(line)):
        return what
    shown = mask_secrets(line.strip(), {})
    return f"{what}: {shown if len(shown) <= 60 else shown[:60] + '...'}" if shown else what


#: Two \\u escapes that JSON means as one character; YAML knows no such pairs.
_PAIR = re.compile(r"(?<!\\)((?:\\\\)*)(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})")


def checked_json(text: str, file: str) -> tuple[str, FileProblem | None]:
    """The text of a JSON file as YAML reads it, and what is wrong with its grammar."""
    try:
        json.loads(text.removeprefix("\ufeff"), parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        shown = _with_line(f"JSON cannot be read: {error.msg}", _line(text, error.lineno))
        return text, FileProblem(file, error.lineno, error.colno, shown, _EFFECT, "mend it, or save it as .yaml")
    except (ValueError, RecursionError) as error:
        return text, FileProblem(file, 1, 1, f"JSON cannot be read: {error}", _EFFECT, "write null, or quote it")
    return _PAIR.sub(lambda match: match[1] + json.loads(f'"{match[2]}"'), text), None


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no value of JSON")
