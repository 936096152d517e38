"""Text that neither a database nor JSON can keep is refused at the door, whichever door that is."""

from __future__ import annotations

from collections.abc import Mapping

from flowhub_assets.errors import ParamsRefused
from flowhub_assets.store.submissions import Order

#: As the database's columns have it.
_LONGEST = 255


def require_legal(order: Order, words: Mapping[str, str | None]) -> None:
    """Raises ParamsRefused for half a character (a lone surrogate) or NaN in the order, or an illegal word.

    ``words`` are what a request says beside its params, such as its key: at most 255 characters, none of control.
    """
    fault = _order_fault(order)
    if fault:
        raise _refused("params", fault)
    for name, word in words.items():
        if word is None:
            continue
        if len(word) > _LONGEST:
            raise _refused(name, f"has {len(word)} characters, and may have {_LONGEST}")
        if not word.isprintable():
            raise _refused(name, "has characters that cannot be printed")


def _order_fault(order: Order) -> str:
    try:
        order.text.encode()
    except UnicodeEncodeError:
        return "hold half a character: a surrogate without its other half"
    except ValueError:
        return "hold a number that is no JSON: NaN or Infinity"
    return ""


def _refused(field: str, fault: str) -> ParamsRefused:
    return ParamsRefused(
        f"{field} {fault}",
        effect="Nothing was started.",
        remedy="Send text that JSON can hold.",
        fields=((field, fault, "send text that JSON can hold"),),
    )
