"""Where each value of a document stands in its file; looked up only when somebody asks."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

#: The key with which YAML lays one object under another.
MERGE = "<<"

#: Keys and indices that lead from a document to one of its values.
Path = tuple[str | int, ...]

_BLOCK = ("|", ">")

#: What stands for one character in a quoted scalar.
_UNITS = {
    "'": re.compile(r"''|."),
    '"': re.compile(r"\\x..|\\u....|\\U.{8}|\\.|."),
}


@dataclass(frozen=True)
class Document:
    """One document of a file: its JSON ``data``, and the nodes that it was read from."""

    file: str
    text: str
    root: Node
    data: Any

    def place(self, path: Path, key: bool = False) -> tuple[int, int]:
        """Line and column of the value at ``path``, or with ``key`` of its key; if missing, of what is around."""
        node = self.root
        at = node
        for part in path:
            pair = _child(node, part)
            if pair is None:
                break
            at_key, node = pair
            at = at_key if key and at_key is not None else node
        return at.start_mark.line + 1, at.start_mark.column + 1

    def place_inside(self, path: Path, offset: int) -> tuple[int, int]:
        """Line and column of a character of the text at ``path``, which is so many characters into it."""
        node = self.root
        for part in path:
            pair = _child(node, part)
            if pair is None:
                return self.place(path)
            node = pair[1]
        if not isinstance(node, ScalarNode):
            return self.place(path)
        if node.style in _BLOCK:
            return self._in_block(node, offset)
        return self._in_line(node, offset)

    def _in_line(self, node: ScalarNode, offset: int) -> tuple[int, int]:
        """In a plain or quoted scalar: to the character if it stands on one line, else where it begins."""
        start = node.start_mark
        if start.line != node.end_mark.line:
            return start.line + 1, start.column + 1
        written = self.text[start.index : node.end_mark.index]
        units = _UNITS.get(node.style or "")
        if units is None:
            return start.line + 1, start.column + offset + 1
        before = (match.end() for match in units.finditer(written, 1))
        ends = [1, *itertools.islice(before, offset)]
        return start.line + 1, start.column + ends[-1] + 1

    def _in_block(self, node: ScalarNode, offset: int) -> tuple[int, int]:
        """In a block scalar, whose lines are those of the file without their indentation."""
        before = node.value[:offset]
        line = node.start_mark.line + 1 + before.count("\n")
        lines = self.text[node.start_mark.index : node.end_mark.index].splitlines()[1:]
        indents = [len(text) - len(text.lstrip(" ")) for text in lines if text.strip()]
        column = (min(indents) if indents else 0) + offset - (before.rfind("\n") + 1)
        return line + 1, column + 1


def _child(node: Node, part: str | int) -> tuple[Node | None, Node] | None:
    if isinstance(node, SequenceNode) and isinstance(part, int):
        return (None, node.value[part]) if 0 <= part < len(node.value) else None
    if isinstance(node, MappingNode):
        for key_node, value_node in node.value:
            if key_node.value == part:
                return key_node, value_node
        return next(filter(None, (_child(base, part) for base in _merged(node))), None)
    return None


def _merged(node: MappingNode) -> Iterator[Node]:
    for key_node, value_node in node.value:
        if key_node.value == MERGE:
            yield from value_node.value if isinstance(value_node, SequenceNode) else [value_node]
