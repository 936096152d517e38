"""What a node gives to others, as far as its kind says so before anything has run."""

from __future__ import annotations

from flowhub_assets.from_yaml.entries import Entry
from flowhub_assets.ir.pipeline import Loop
from flowhub_assets.ir.spelling import did_you_mean, listed
from flowhub_assets.nodes.scope import VIEW_NAMES

_ERROR_KEYS = ("message", "type")
_PLAIN = (str, int, float, bool)


def output_fault(entry: Entry, rest: tuple[str, ...]) -> tuple[str, str] | None:
    """What is wrong with ``{{entry.rest}}``, and what to do; None if nothing is, or it cannot be known."""
    if not rest or entry.kind is None:
        return None
    fields, is_open = _fields(entry), _is_open(entry)
    if rest[0] == "error" and "error" not in fields:
        return _one_of("error", rest[1:], _ERROR_KEYS)
    known = (*VIEW_NAMES, *fields)
    if rest[0] not in known:
        if is_open:
            return None
        inner = f"write {entry.id}.output.{rest[0]}" if entry.kind.primary else ""
        near = did_you_mean(rest[0], known) or inner or f"it gives {listed(known)}"
        return f"node {entry.id!r} gives no {rest[0]!r}", near
    if rest[0] == "output" and entry.kind.primary is None and not entry.loops and not is_open:
        return _one_of(f"the output of node {entry.id!r}", rest[1:], fields)
    if stands_beside_output(entry, rest):
        what = f"the output of node {entry.id!r} is its {entry.kind.primary} alone, which has no {rest[1]!r}"
        return what, f"write {entry.id}.{rest[1]}"
    return None


def stands_beside_output(entry: Entry, rest: tuple[str, ...]) -> bool:
    """Whether ``rest``, output.bytes, looks into a text or number for another field of what ``entry`` gives."""
    if entry.kind is None or entry.kind.primary is None or entry.loops or len(rest) < 2 or rest[0] != "output":
        return False
    primary = entry.kind.Output.model_fields[entry.kind.primary].annotation
    return primary in _PLAIN and rest[1] in _fields(entry) and not hasattr(primary, rest[1])


def visible_fields(entry: Entry) -> tuple[str, ...] | None:
    """What a condition on the value of ``entry`` can name; None if that cannot be known."""
    if entry.kind is None or _is_open(entry):
        return None
    return tuple(dict.fromkeys((*VIEW_NAMES, *_fields(entry))))


def _fields(entry: Entry) -> tuple[str, ...]:
    if entry.loops:
        return (_into(entry),)
    return tuple(entry.kind.Output.model_fields) if entry.kind else ()


def _is_open(entry: Entry) -> bool:
    return entry.kind is not None and not entry.loops and entry.kind.Output.model_config.get("extra") == "allow"


def _into(entry: Entry) -> str:
    loop = entry.section.data.get("loop")
    into = loop.get("into") if isinstance(loop, dict) else None
    return into if isinstance(into, str) else Loop("", (), "").into


def _one_of(what: str, rest: tuple[str, ...], known: tuple[str, ...]) -> tuple[str, str] | None:
    if not rest or rest[0] in known or not known:
        return None
    return f"{what} has no {rest[0]!r}", did_you_mean(rest[0], known) or f"it has {listed(known)}"
