"""JSON as an object of a type, and back: pydantic models, and dataclasses of any make. pydantic does the work.

It is imported only where such a type is used, so an image whose tasks take dicts needs nothing but Python.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Mapping
from typing import Any, Optional

from flowhub_assets.errors import DefinitionError
from flowhub_assets.ir.schema_references import resolved
from flowhub_assets.runtime import betterproto_types

#: The steps that lead to a field, and what is wrong there.
TypedFault = tuple[tuple[Any, ...], str]


def is_typed(kind: object) -> bool:
    """Whether ``kind`` is a class that JSON objects can be made into: a pydantic model or a dataclass."""
    return isinstance(kind, type) and (dataclasses.is_dataclass(kind) or hasattr(kind, "model_validate_json"))


def form_of(kind: Any) -> TypedForm:
    """The form of a class that ``is_typed``. Raises DefinitionError without pydantic, and for fields of no type."""
    return _form(kind)


@functools.lru_cache(maxsize=512)
def _form(kind: Any) -> TypedForm:
    return TypedForm(kind)


def object_as_json(value: Any) -> Any:
    """The JSON of an object of a typed class; anything else as it is."""
    return form_of(type(value)).to_json(value) if is_typed(type(value)) else value


class TypedForm:
    """How objects of ``kind`` are written as JSON; other keys are left out, or refused if it says so."""

    def __init__(self, kind: Any) -> None:
        self.kind: Any = kind
        #: What pydantic sees: for messages of betterproto a dataclass of the same fields.
        self.plain: Any = betterproto_types.plain_type(kind) if betterproto_types.is_message(kind) else kind
        self._adapter: Any = _adapter(self.plain, kind)

    def from_json(self, value: Mapping[str, Any]) -> Any:
        """The object. Raises pydantic's ValidationError; ``faults`` tells it."""
        made = self._adapter.validate_json(f"[{json.dumps(value)}]")[0]
        return made if self.plain is self.kind else betterproto_types.message(made, self.kind)

    def to_json(self, made: Any) -> Any:
        """The JSON of an object; bytes of dataclasses are base64url, those of a model as its config says."""
        if self.plain is not self.kind:
            made = betterproto_types.plain(made, self.plain)
        return self._adapter.dump_python((made,), mode="json", by_alias=True)[0]

    def from_fields(self, fields: Mapping[str, Any]) -> Any:
        """The object of Python values, nested ones as dicts. Raises ValidationError."""
        made = self._adapter.validate_python((fields,))[0]
        return made if self.plain is self.kind else betterproto_types.message(made, self.kind)

    def faults(self, value: Mapping[str, Any]) -> list[TypedFault]:
        """What is wrong with JSON for it, field by field."""
        try:
            self.from_json(value)
        except ValueError as error:
            return faults_of(error)
        return []

    def json_schema(self) -> dict[str, Any]:
        """The JSON Schema of what ``from_json`` takes, with its ``$defs``."""
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of defaults that JSON cannot have: those are told by typed_params
            whole: dict[str, Any] = self._adapter.json_schema(by_alias=True, mode="validation")
        defs = whole.get("$defs", {})
        return {**resolved(whole["prefixItems"][0], defs), "$defs": defs}


def faults_of(error: Exception) -> list[TypedFault]:
    """The errors of pydantic's ValidationError; of any other error of a model's own code, its text."""
    errors = getattr(error, "errors", None)
    if errors is None:
        return [((), str(error))]
    told = errors(include_url=False, include_context=False, include_input=False)
    return [(tuple(one["loc"][1:]), str(one["msg"])) for one in told]


def typed_path(path: tuple[Any, ...]) -> str:
    """``cities[0].name`` for its steps."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def pydantic_is_here() -> bool:
    """Whether pydantic 2 can be imported."""
    try:
        from pydantic import TypeAdapter  # noqa: F401 - asked for, not used
    except ImportError:
        return False
    return True


def _adapter(plain: type[Any], kind: type[Any]) -> Any:
    try:
        from pydantic import ConfigDict, TypeAdapter
        from pydantic.errors import PydanticUserError
    except ImportError:
        raise DefinitionError(
            f"{kind.__name__} is a type of args, and there is no pydantic 2 here",
            effect="JSON cannot be made into its objects.",
            remedy="Install it in the task's image: pip install 'pydantic>=2'; or take args without a type.",
        ) from None
    try:
        # In a tuple, for a dataclass takes no config from outside, but has that of what it stands in.
        config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")
        adapter = TypeAdapter(tuple[plain], config=config)  # type: ignore[valid-type]
        if not adapter.pydantic_complete:  # a name in it was not known when the class was made
            adapter.rebuild(raise_errors=True)
    except (PydanticUserError, NameError, TypeError) as error:
        raise DefinitionError(
            f"{kind.__name__} cannot be read from JSON: {_first_line(error)}",
            where=_where(kind),
            remedy="give its fields types that pydantic knows, defined in the file and not for type checkers alone",
        ) from None
    return adapter


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _where(kind: type[Any]) -> Optional[str]:
    return f"{kind.__module__}.{kind.__qualname__}"
