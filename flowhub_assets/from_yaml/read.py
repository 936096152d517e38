"""The text of a pipeline file as JSON values with their places: YAML 1.2's core schema, several documents per file.

A file comes from anybody, so its size, its depth and what its aliases grow to are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode

from flowhub_assets.from_yaml import scalars, syntax
from flowhub_assets.from_yaml.positions import MERGE, Document
from flowhub_assets.from_yaml.problem import FileProblem

#: Bytes of one file. The largest real pipelines have some hundred nodes of a kilobyte.
LARGEST_FILE = 4 * 1024 * 1024

#: Lists and objects inside each other.
DEEPEST = 100

#: Values and characters that one document may hold after its aliases were put in.
_MOST_VALUES = 200_000
_MOST_CHARACTERS = 2 * LARGEST_FILE

#: libyaml's composer calls itself for each level; past some thousand that ends the process.
_SAFE_DEPTH = 500
_BLOCK_START = re.compile(r"^[ \t\-?:]{100,}", re.MULTILINE)


class Refused(Exception):
    """A document that cannot be read; ``problem`` says why."""

    def __init__(self, problem: FileProblem) -> None:
        super().__init__(problem.what)
        self.problem = problem


def decoded(data: bytes, file: str) -> str:
    """The text of a file's bytes. Raises Refused for another encoding than UTF-8 (or UTF-16 with its mark)."""
    if len(data) > LARGEST_FILE:
        what = f"the file has more than {LARGEST_FILE:,} bytes"
        raise Refused(FileProblem(file, 0, 0, what, "it is not read", "put its data into storage and name its URL"))
    try:
        if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            return data.decode("utf-16")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line, column = before.count(b"\n") + 1, error.start - (before.rfind(b"\n") + 1) + 1
        what = "the file is not UTF-8"
        raise Refused(FileProblem(file, line, column, what, "it cannot be read", "save it as UTF-8")) from None


def documents(text: str, file: str) -> tuple[list[Document], list[FileProblem]]:
    """The documents of a file, in order, and what keeps the others from being read. Empty documents are left out.

    ``file`` is how problems name it; a name that ends in .json asks for JSON's grammar.
    """
    found: list[Document] = []
    problems: list[FileProblem] = []
    if file.lower().endswith(".json"):
        text, wrong = syntax.checked_json(text, file)
        if wrong:
            return [], [wrong]
    text = text.removeprefix("\ufeff")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        return [], [FileProblem(file, line, 1, "the text holds half a character (a lone surrogate)", "", "delete it")]
    try:
        for root in _roots(text, file):
            reader = _Reader(file)
            data = reader.value(root, 0)
            problems += reader.problems
            if data is not None:
                found.append(Document(file, text, root, data))
    except Refused as refused:
        problems.append(refused.problem)
    except yaml.YAMLError as error:
        problems.append(syntax.told(error, text, file))
    return found, problems


def _roots(text: str, file: str) -> Iterator[Node]:
    _refuse_depth(text, file)
    parser: Any = _Composer(text)
    try:
        while parser.check_node():
            yield parser.get_node()
    finally:
        parser.dispose()


def _refuse_depth(text: str, file: str) -> None:
    """Looks at the events, which need no stack, where the text could be nested deeper than the composer bears."""
    if text.count("[") + text.count("{") < _SAFE_DEPTH and not _BLOCK_START.search(text):
        return
    depth = 0
    for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST:
                raise Refused(_too_deep(file, event.start_mark))
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _too_deep(file: str, mark: Any) -> FileProblem:
    what = f"lists and objects are nested more than {DEEPEST} deep"
    return FileProblem(file, mark.line + 1, mark.column + 1, what, "the file is not read", "make it flatter")


class _Resolving:
    """Leaves it to ``scalars`` what a plain scalar means: a node's tag is True for a plain one, False for a quoted."""

    def resolve(self, kind: type[Node], _value: str, implicit: Any) -> Any:
        return implicit[0] if kind is ScalarNode else True

    def descend_resolver(self, _node: object, _index: object) -> None:
        """Nothing depends on where a value stands."""

    def ascend_resolver(self) -> None:
        """See descend_resolver."""


if yaml.__with_libyaml__:
    from yaml.cyaml import CParser  # type: ignore[attr-defined]

    class _Composer(_Resolving, CParser):
        """libyaml's: ten times as fast."""

else:  # pragma: no cover - every wheel of PyYAML has libyaml
    from yaml.composer import Composer
    from yaml.parser import Parser
    from yaml.reader import Reader as _TextReader
    from yaml.scanner import Scanner

    class _Composer(_Resolving, _TextReader, Scanner, Parser, Composer):  # type: ignore[no-redef]
        """PyYAML's own, where it was built without libyaml."""

        def __init__(self, text: str) -> None:
            _TextReader.__init__(self, text)
            Scanner.__init__(self)
            Parser.__init__(self)
            Composer.__init__(self)

        def dispose(self) -> None:
            """Has nothing to free."""


class _Reader:
    """Turns one document's nodes into JSON values."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[FileProblem] = []
        self._values = 0
        self._characters = 0
        self._open: set[int] = set()

    def value(self, node: Node, depth: int) -> Any:
        self._values += 1
        if self._values > _MOST_VALUES or self._characters > _MOST_CHARACTERS:
            what = f"the document grows to more than {_MOST_VALUES:,} values or {_MOST_CHARACTERS:,} characters"
            self._refuse(node, what, "write less through aliases (*name)")
        if isinstance(node, ScalarNode):
            return self._scalar(node)
        if depth >= DEEPEST:
            raise Refused(_too_deep(self.file, node.start_mark))
        if id(node) in self._open:
            self._refuse(node, "an alias (*name) stands inside what it names", "name something that is complete")
        self._open.add(id(node))
        try:
            if isinstance(node, MappingNode):
                return self._mapping(node, depth + 1)
            self._require_no_tag(node, "seq")
            return [self.value(item, depth + 1) for item in node.value]
        finally:
            self._open.discard(id(node))

    def _scalar(self, node: ScalarNode) -> Any:
        self._characters += len(node.value)
        tag: Any = node.tag
        if tag is False or tag == "!":
            return node.value
        try:
            if tag is True:
                return scalars.plain_value(node.value)
            read = scalars.tagged(tag)
            if read is not None:
                return read(node.value)
        except ValueError as error:
            self._tell(node, f"this is {error}", "it could not travel as JSON", "quote it if a text is meant")
            return node.value
        self._tell(node, f"the tag {_shown_tag(tag)} is not allowed", _TAG_EFFECT, "leave it out")
        return node.value

    def _mapping(self, node: MappingNode, depth: int) -> dict[str, Any]:
        self._require_no_tag(node, "map")
        result: dict[str, Any] = {}
        merged: list[Node] = []
        first: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                self._tell(key_node, *_complex_key(node))
                continue
            key = key_node.value
            if key == MERGE and _is_plain(key_node):
                merged += value_node.value if value_node.id == "sequence" else [value_node]
                continue
            if key in first:
                what = f"the key {key!r} stands twice here, first on line {first[key].line + 1}"
                self._tell(key_node, what, "only one of them could count", "keep one, or rename the other")
                continue
            first[key] = key_node.start_mark
            result[key] = self.value(value_node, depth)
        for part in merged:
            base = self.value(part, depth)
            if not isinstance(base, dict):
                self._tell(part, "'<<' merges an object, and this is none", "", "write <<: *name of an object")
                continue
            result = {**base, **result}
        return result

    def _require_no_tag(self, node: Node, own: str) -> None:
        tag: Any = node.tag
        if tag is not True and tag not in ("!", f"tag:yaml.org,2002:{own}"):
            self._tell(node, f"the tag {_shown_tag(tag)} is not allowed", _TAG_EFFECT, "leave it out")

    def _tell(self, node: Node, what: str, effect: str, remedy: str) -> None:
        mark = node.start_mark
        self.problems.append(FileProblem(self.file, mark.line + 1, mark.column + 1, what, effect, remedy))

    def _refuse(self, node: Node, what: str, remedy: str) -> None:
        mark = node.start_mark
        problem = FileProblem(self.file, mark.line + 1, mark.column + 1, what, "the file is not read", remedy)
        raise Refused(problem)


_TAG_EFFECT = "a pipeline file holds plain data only"


def _is_plain(node: Node) -> bool:
    tag: Any = node.tag
    return tag is True


def _shown_tag(tag: object) -> str:
    return repr(str(tag).replace("tag:yaml.org,2002:", "!!")[:60])


def _complex_key(node: MappingNode) -> tuple[str, str, str]:
    if len(node.value) == 1 and isinstance(node.value[0][0], MappingNode):
        return syntax.BARE_TEMPLATE
    return "a list or an object is used as a key", "keys are texts", "write a text before the ':'"
