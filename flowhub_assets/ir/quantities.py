"""Kubernetes' quantities: '500m', '2', '4Gi'.

Grammar: an optional sign, a decimal number, and a binary suffix (Ki Mi Gi Ti Pi Ei), a decimal one
(n u m k M G T P E) or an exponent (e3, E-2), as in Kubernetes' apimachinery, ``resource.Quantity``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from fractions import Fraction

_QUANTITY = re.compile(r"([+-]?)(\d+\.?\d*|\.\d+)(?:([KMGTPE]i|[numkMGTPE])|[eE]([+-]?\d+))?", re.ASCII)
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}

#: Longer texts and larger exponents are no amounts of anything, and would cost time to compute.
_LONGEST = 40
_LARGEST_EXPONENT = 30

_MEBIBYTE = 1024**2


def written(amount: str | float) -> str:
    """An amount that may be a number as a quantity: 2 becomes '2', 0.5 '0.5', 1.0 '1'. Its grammar is not checked."""
    if isinstance(amount, float):
        return str(int(amount)) if amount.is_integer() else repr(float(amount))  # numpy's floats print their type
    return str(amount).strip()


def parse(text: str) -> Fraction:
    """The exact amount that ``text`` stands for, in cores or bytes. Raises ValueError if it is not a quantity."""
    from fractions import Fraction  # loads decimal: only pipelines that name quantities pay for it

    match = _QUANTITY.fullmatch(text) if len(text) <= _LONGEST else None
    if not match:
        raise ValueError(f"{text!r} is not a quantity")
    sign, number, suffix, exponent = match.groups()
    if exponent and abs(int(exponent)) > _LARGEST_EXPONENT:
        raise ValueError(f"{text!r} is out of range")
    amount = Fraction(f"{sign}{number.rstrip('.') or '0'}")
    if suffix in _BINARY:
        return amount * int(1024 ** _BINARY[suffix])
    power = int(exponent) if exponent else _DECIMAL[suffix or ""]
    scale = Fraction(10**power) if power >= 0 else Fraction(1, 10**-power)
    return amount * scale


def cpu_fault(text: str) -> Optional[tuple[str, str]]:
    """What is wrong with a number of cores, and what to write instead; None if nothing is."""
    try:
        cores = parse(text)
    except ValueError:
        number = _leading_number(text)
        example = f"'{number}' for {number} cores" if number else "'2' for two cores"
        return "is not a quantity of Kubernetes", f"write {example}, or '500m' for half a core"
    if cores < 0:
        return "is negative", "write the cores that the task needs: '2', or '500m' for half a core"
    if text.endswith("i"):
        return "is an amount of memory", "write the cores: '2', or '500m' for half a core"
    if (cores * 1000).denominator != 1:
        return "is finer than 1m, the least that Kubernetes takes", f"write '{-(-cores * 1000 // 1)}m'"
    return None


def memory_fault(text: str) -> Optional[tuple[str, str]]:
    """What is wrong with an amount of memory in bytes, and what to write instead; None if nothing is."""
    try:
        size = parse(text)
    except ValueError:
        return "is not a quantity of Kubernetes", f"write {_memory_meant(text)}"
    number = _leading_number(text)
    if size < 0:
        return "is negative", "write what the task needs: '512Mi', '4Gi'"
    if text.endswith("m"):
        return f"means {number} thousandths of a byte", f"write '{number}Mi' for mebibytes or '{number}M' for megabytes"
    if 0 < size < _MEBIBYTE:
        meant = f"'{number}Gi'" if size < 64 else f"'{number}Mi'"
        return f"means {float(size):g} bytes, too few for any process", f"write a unit: {meant}, say"
    if size.denominator != 1:
        return "is not a whole number of bytes", "write it in a smaller unit: '1536Mi' for one and a half Gi"
    return None


def _leading_number(text: str) -> str:
    match = re.match(r"\s*[+-]?(\d+(?:[.,]\d+)?)", text, re.ASCII)
    return match.group(1).replace(",", ".") if match else ""


def _memory_meant(text: str) -> str:
    number = _leading_number(text) or "4"
    letters = re.sub(r"[^a-z]", "", text.lower())
    unit = letters[:1].upper() if letters[:1] in tuple("kmgtpe") and letters else "G"
    decimal = "k" if unit == "K" else unit
    return f"'{number}{unit}i' (powers of 1024) or '{number}{decimal}' (powers of 1000)"
