"""What a task returned, as JSON data: checked strictly, with the path of whatever does not fit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NoReturn

from flowhub_assets.errors import InputError, ValueRefused
from flowhub_assets.ir.pipeline import NAMES_OF_THE_RUN

#: How many dicts and lists may lie inside one another; Python's own JSON reader ends near its recursion limit.
DEEPEST = 200
#: Python refuses to print or read ints of more than 4,300 digits (CVE-2020-10735); this many bits stay below.
_MOST_BITS = 14_000

_UPLOAD = "upload it: get_storage(args['env']).upload(path) gives a URL that can be returned"
_REMEDIES = {
    "bytes": f"save it to a file and {_UPLOAD}",
    "bytearray": f"save it to a file and {_UPLOAD}",
    "memoryview": f"save it to a file and {_UPLOAD}",
    "datetime": "return value.isoformat()",
    "date": "return value.isoformat()",
    "time": "return value.isoformat()",
    "Timestamp": "return value.isoformat()",
    "datetime64": "return str(value)",
    "timedelta": "return value.total_seconds()",
    "set": "return sorted(value)",
    "frozenset": "return sorted(value)",
    "Decimal": "return str(value), or float(value) if rounding does no harm",
    "UUID": "return str(value)",
    "complex": "return [value.real, value.imag]",
    "DataFrame": f"return value.to_dict('records') if it is small, or save it to a file and {_UPLOAD}",
    "Series": f"return value.to_dict() if it is small, or save it to a file and {_UPLOAD}",
    "generator": "return list(value)",
    "range": "return list(value)",
    "function": "return what it computes: value()",
    "coroutine": "write the task with def, and asyncio.run(...) inside it",
}


class _Path(tuple):  # type: ignore[type-arg]
    """The keys and indexes that lead to a value."""

    def __str__(self) -> str:
        return "".join(f"[{key!r}]" for key in self)


def to_json_form(
    value: Any, task_name: str, *, env: Mapping[str, Any] | None = None, where: object = ""
) -> dict[str, Any]:
    """A copy of ``value`` made of dict, list, str, int, float, bool and None only.

    Tuples become lists; numpy scalars and arrays become numbers and lists. The ``env`` that the task was
    given is left out wherever it stands under a key 'env'. Raises ValueRefused, with the task and the path.
    """
    if not isinstance(value, dict):
        _refuse_result(value, task_name, where)
    return _Walk(f"task {task_name!r} returned", "result", where, env or {}).dict_form(value, _Path(), ())


def input_in_json_form(flow_input: dict[str, Any]) -> dict[str, Any]:
    """The same of what a flow is given. Raises InputError, with the path."""
    try:
        return _Walk("the flow's input holds", "args", "", {}).dict_form(flow_input, _Path(), ())
    except ValueRefused as error:
        raise InputError(error.what, effect=error.effect, remedy=error.remedy) from None


def _refuse_result(value: Any, task_name: str, where: object) -> NoReturn:
    kind = "nothing (None)" if value is None else f"a value of type {type(value).__name__}"
    if hasattr(value, "close") and hasattr(value, "cr_frame"):
        value.close()  # otherwise Python warns, at some later line, that nobody awaited it
        remedy = f"write {task_name} with def instead of async def, and asyncio.run(...) inside it"
    else:
        remedy = "end it with: return {**args, 'name': value}"
    raise ValueRefused(
        f"task {task_name!r} returned {kind}, not a dict",
        where=where,
        effect="The tasks after it take its dict as their args.",
        remedy=remedy,
    )


class _Walk:
    """One pass over one dict: ``said`` and ``root`` are how a message about it begins, and how its path does."""

    def __init__(self, said: str, root: str, where: object, env: Mapping[str, Any]) -> None:
        self.said = said
        self.root = root
        self.where = where
        self.env = env

    def form(self, value: Any, path: _Path, outer: tuple[int, ...]) -> Any:
        if value is None or value is True or value is False:
            return value
        if isinstance(value, str):
            return self.text(value, path)
        if isinstance(value, int):
            return self.whole_number(value, path)
        if isinstance(value, float):
            return self.number(value, path)
        if isinstance(value, dict):
            return self.dict_form(value, path, outer)
        if isinstance(value, (list, tuple)):
            inner = self.enter(value, path, outer)
            return [self.form(item, _Path((*path, index)), inner) for index, item in enumerate(value)]
        if _is_array(value):
            return self.array(value, path, outer)
        return self.refuse(f"a {type(value).__name__}", path, _remedy(value))

    def dict_form(self, value: dict[Any, Any], path: _Path, outer: tuple[int, ...]) -> dict[str, Any]:
        inner = self.enter(value, path, outer)
        form: dict[str, Any] = {}
        for key, item in value.items():
            if not isinstance(key, str):
                kind = "None" if key is None else f"{key!r} ({type(key).__name__})"
                self.refuse(f"a dict with the key {kind}", path, "write the key as text: str(key)")
            here = _Path((*path, key))
            if key == "env" and self.env and (not path or self.is_env(item)):
                continue
            form[self.text(key, here)] = self.form(item, here, inner)
        return form

    def enter(self, value: Any, path: _Path, outer: tuple[int, ...]) -> tuple[int, ...]:
        if id(value) in outer:
            self.refuse(f"a {type(value).__name__} that contains itself", path, "return a copy without the loop")
        if len(outer) >= DEEPEST:
            # The whole path would be longer than the message.
            self.refuse(f"more than {DEEPEST} dicts and lists inside one another", _Path(path[:3]), "return it flatter")
        if self.is_env(value):
            self.refuse(
                "args['env'], which may hold credentials and is never stored,",
                path,
                "return the single values that are needed; every task finds the profile in its own args['env']",
            )
        return (*outer, id(value))

    def is_env(self, value: Any) -> bool:
        """Whether it is the env, changed perhaps. The names of the run, alone or beside a task's own keys, are not."""
        # Never whole dicts: that would compare arrays in them, which have no single answer.
        return (
            isinstance(value, dict)
            and any(key in self.env for key in value if key not in NAMES_OF_THE_RUN)
            and all(isinstance(value.get(key), str) and value[key] == self.env.get(key) for key in NAMES_OF_THE_RUN)
        )

    def text(self, value: str, path: _Path) -> str:
        text = str.__str__(value)
        if not text.isascii():
            try:
                text.encode("utf-8")
            except UnicodeEncodeError:
                remedy = "read files with errors='replace', or clean it: value.encode('utf-8', 'replace').decode()"
                self.refuse("text with half a character (a lone surrogate)", path, remedy)
        return text

    def whole_number(self, value: int, path: _Path) -> int:
        if value.bit_length() > _MOST_BITS:
            self.refuse("an int of more than 4,200 digits", path, "return hex(value)")
        return int(value)

    def number(self, value: float, path: _Path) -> float:
        if not math.isfinite(value):
            self.refuse(f"{float(value)}, which JSON does not have,", path, "return None where there is no number")
        return float(value)

    def array(self, value: Any, path: _Path, outer: tuple[int, ...]) -> Any:
        plain = value.tolist()
        if type(plain) is type(value):
            self.refuse(f"a {type(value).__name__}", path, "return float(value)")
        return self.form(plain, path, outer)

    def refuse(self, what: str, path: _Path, remedy: str) -> NoReturn:
        place = f"{self.root}{path}".encode("utf-8", "backslashreplace").decode()
        raise ValueRefused(
            f"{self.said} {what} at {place}",
            where=self.where,
            effect="Values between tasks are kept as JSON: dict with text keys, list, str, int, float, bool, None.",
            remedy=remedy,
        )


def _is_array(value: Any) -> bool:
    """numpy's scalars and arrays, by their looks: numpy is not imported for it. A Series has labels to lose."""
    kind = type(value)
    return (
        all(hasattr(kind, name) for name in ("dtype", "shape", "tolist")) and kind.__module__.split(".")[0] != "pandas"
    )


def _remedy(value: Any) -> str:
    for kind in type(value).__mro__[:-1]:
        if kind.__name__ in _REMEDIES:
            return _REMEDIES[kind.__name__]
    if hasattr(value, "__fspath__"):
        return "return str(value)"
    if hasattr(value, "__dataclass_fields__"):
        return "return dataclasses.asdict(value)"
    if hasattr(value, "model_dump"):
        return "return value.model_dump(mode='json')"
    if hasattr(type(value), "__members__"):
        return "return value.value"
    if hasattr(value, "keys"):
        return "return dict(value)"
    return f"return its parts as numbers, text, lists and dicts, or save it to a file and {_UPLOAD}"
