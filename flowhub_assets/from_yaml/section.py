"""One object of a document while it is read: typed values by key, and a problem for each that does not fit.

What is wrong is left out, so that reading goes on and all that is wrong with a file is told at once.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from flowhub_assets.from_yaml.positions import Document, Path
from flowhub_assets.from_yaml.problem import FileProblem
from flowhub_assets.ir.pipeline import Source
from flowhub_assets.ir.spelling import did_you_mean, listed
from flowhub_assets.nodes import durations
from flowhub_assets.nodes.validation import type_text


@dataclass
class Report:
    """Collects the problems of one document, each with its place."""

    document: Document
    problems: list[FileProblem] = field(default_factory=list)

    def __post_init__(self) -> None:
        file = self.document.file
        self._file = file if file.startswith("<") else os.path.abspath(file)

    def tell(
        self, path: Path, what: str, effect: str = "", remedy: str = "", *, key: bool = False, offset: int | None = None
    ) -> None:
        """``what`` is wrong at ``path``: at its key, or ``offset`` characters into its text."""
        document = self.document
        place = document.place(path, key) if offset is None else document.place_inside(path, offset)
        self.problems.append(FileProblem(document.file, *place, what, effect, remedy))

    def source(self, path: Path) -> Source:
        """File and line of what stands at ``path``."""
        return Source(self._file, self.document.place(path)[0])


class Section:
    """An object of the document at ``path``; ``name`` is how messages call it: "node 'fetch'"."""

    def __init__(self, report: Report, path: Path, data: Mapping[str, Any], name: str) -> None:
        self.report, self.path, self.data, self.name = report, path, data, name

    def __contains__(self, key: str) -> bool:
        return self.data.get(key) is not None

    def tell(self, key: str | None, what: str, effect: str = "", remedy: str = "", *, at_key: bool = False) -> None:
        """``what`` is wrong with the value of ``key``, or with this object as a whole."""
        path = self.path if key is None else (*self.path, key)
        self.report.tell(path, what, effect, remedy, key=at_key)

    def allow(self, keys: Collection[str], hints: Mapping[str, str] | None = None) -> None:
        """Tells each key that is none of ``keys``, with the nearest of them or what ``hints`` say of it."""
        for key in self.data:
            if key not in keys:
                remedy = (hints or {}).get(key) or did_you_mean(key, keys) or f"it takes {listed(keys)}"
                self.tell(key, f"{self.name} has no key {key!r}", "it would have no effect", remedy, at_key=True)

    def wrong(self, key: str, remedy: str) -> None:
        """Tells that the value of ``key`` has the wrong type."""
        self.tell(key, f"{key} of {self.name} is {type_text(self.data[key])}", "it cannot be used", remedy)

    def json(self, key: str, default: Any = None) -> Any:
        """Whatever stands there."""
        value = self.data.get(key)
        return default if value is None else value

    def text(self, key: str, example: str) -> str | None:
        """A text."""
        value = self.data.get(key)
        if value is None or isinstance(value, str):
            return value
        self.wrong(key, f"write a text, in quotes if it looks like a number: {key}: {example}")
        return None

    def word(self, key: str, example: str) -> str | None:
        """A text where an unquoted true or 3 is as good as a quoted one: a port."""
        value = self.data.get(key)
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(value) if isinstance(value, int) else self.text(key, example)

    def one_of(self, key: str, known: Collection[str]) -> str | None:
        """One of the ``known`` words."""
        value = self.text(key, next(iter(known)))
        if value is None or value in known:
            return value
        remedy = did_you_mean(value, known) or f"write one of {listed(known)}"
        self.tell(key, f"{key} of {self.name} is {value!r}", "it cannot be used", remedy)
        return None

    def flag(self, key: str) -> bool:
        """True or false; false if it is not there."""
        value = self.data.get(key)
        if value is None or isinstance(value, bool):
            return bool(value)
        shown = f" {value!r}" if isinstance(value, str) and len(value) < 10 else ""
        what = f"{key} of {self.name} is {type_text(value)}{shown}"
        self.tell(key, what, "it cannot be used", f"write {key}: true or {key}: false")
        return False

    def whole(self, key: str, least: int | None = None) -> int | None:
        """A whole number, ``least`` or more."""
        value = self.data.get(key)
        if value is None:
            return None
        if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
            value = int(value)  # JSON has one kind of number
        if isinstance(value, bool) or not isinstance(value, int):
            self.wrong(key, f"write a whole number: {key}: {max(least or 0, 1)}")
            return None
        if least is not None and value < least:
            self.tell(key, f"{key} of {self.name} is {value}", "it cannot be used", f"write {least} or more")
            return None
        return value

    def seconds(self, key: str, example: str = "30s") -> float | None:
        """A time: a number of seconds, or a text such as 10m."""
        value = self.data.get(key)
        if value is None:
            return None
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return value
        found = durations.seconds(value) if isinstance(value, str) else None
        if found is not None:
            return int(found) if found.is_integer() else found
        shown = repr(value[:40]) if isinstance(value, str) else type_text(value)
        remedy = f"write seconds, 90, or a text with units: {key}: {example} (also 1h30m, 500ms, PT1H)"
        self.tell(key, f"{key} of {self.name} is {shown}, which is no time", "it cannot be used", remedy)
        return None

    def texts(self, key: str, example: str) -> tuple[str, ...]:
        """A list of texts."""
        value = self.data.get(key)
        if value is None:
            return ()
        if not isinstance(value, list):
            shown = value if isinstance(value, str) and len(value) < 60 else example
            self.wrong(key, f"write a list: {key}: [{shown}]")
            return ()
        for index, item in enumerate(value):
            if not isinstance(item, str):
                what = f"{key}[{index}] of {self.name} is {type_text(item)}"
                self.report.tell((*self.path, key, index), what, "it cannot be used", "write a text, in quotes")
        return tuple(item for item in value if isinstance(item, str))

    def mapping(self, key: str, example: str) -> Mapping[str, Any]:
        """An object with whatever values."""
        value = self.data.get(key)
        if value is None:
            return {}
        if isinstance(value, dict):
            return value
        self.wrong(key, f"write an object: {key}: {example}")
        return {}

    def section(self, key: str, example: str, name: str = "") -> Section | None:
        """An object to be read in its turn."""
        value = self.mapping(key, example) if key in self else None
        if value is None or not isinstance(self.data[key], dict):
            return None
        return Section(self.report, (*self.path, key), value, name or f"{key} of {self.name}")

    def sections(self, key: str, example: str) -> Iterator[Section]:
        """The objects of a list, in its order."""
        value = self.data.get(key)
        if value is None:
            return
        if not isinstance(value, list):
            self.wrong(key, f"write a list: {key}: [{example}]")
            return
        for index, item in enumerate(value):
            path = (*self.path, key, index)
            if isinstance(item, dict):
                yield Section(self.report, path, item, f"{key}[{index}]")
            else:
                what = f"{key}[{index}] of {self.name} is {type_text(item)}"
                self.report.tell(path, what, "it cannot be used", f"write an object: {example}")
