"""Quantities are read as Kubernetes reads them; an oracle of its own says what that is."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flowhub_assets.ir.quantities import cpu_fault, memory_fault, parse

_FACTORS = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    **{letter: Decimal(1000) ** power for power, letter in enumerate("kMGTPE", 1)},
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", 1)},
}


def _oracle(text: str) -> Decimal | None:
    """apimachinery's grammar, tried suffix by suffix: number, then a suffix of the table or an exponent."""
    for length in range(len(text) + 1):
        number, suffix = text[: len(text) - length], text[len(text) - length :]
        if not re.fullmatch(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)", number):
            continue
        if suffix in _FACTORS:
            return Decimal(number) * _FACTORS[suffix]
        if re.fullmatch(r"[eE][+-]?[0-9]+", suffix):
            return Decimal(number) * Decimal(10) ** int(suffix[1:])
    return None


_NUMBERS = st.from_regex(r"[+-]?[0-9]{0,4}\.?[0-9]{0,4}", fullmatch=True)
_SUFFIXES = st.sampled_from([*_FACTORS, "K", "gi", "GB", "B", "i", "e3", "E-2", "e+1", "e", "E3i", "ki", " Gi", "%"])


@given(st.one_of(st.builds(str.__add__, _NUMBERS, _SUFFIXES), st.text("0123456789.+-eEinumkKMGTP", max_size=8)))
@example("1E")
@example("1E3")
@example("1Ei")
@example(".5")
@example("5.")
@example(".")
@example("")
@example("١")
def test_agrees_with_the_grammar_of_kubernetes(text: str) -> None:
    meant = _oracle(text)
    exponent = re.search(r"[eE][+-]?([0-9]+)$", text)
    if meant is None or (exponent and int(exponent.group(1)) > 30):
        with pytest.raises(ValueError, match=r"is not a quantity|is out of range"):
            parse(text)
    else:
        amount = parse(text)
        assert Decimal(amount.numerator) / Decimal(amount.denominator) == meant


@pytest.mark.parametrize("text", ["1e999999999", "9" * 5000, "1e-999999999"])
def test_absurd_lengths_are_refused_at_once(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a quantity|is out of range"):
        parse(text)


@pytest.mark.parametrize("text", ["1", "0", "500m", "0.5", "2.5", "1e1", "0.001", "1k"])
def test_cores(text: str) -> None:
    assert cpu_fault(text) is None


@pytest.mark.parametrize("text", ["4Gi", "512Mi", "4G", "0", "1.5Gi", "128974848", "129e6", "1048576000m"[:-1]])
def test_bytes(text: str) -> None:
    assert memory_fault(text) is None


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("4GB", "'4Gi' (powers of 1024) or '4G' (powers of 1000)"),
        ("4gb", "'4Gi' (powers of 1024)"),
        ("4 GiB", "'4Gi' (powers of 1024)"),
        ("1,5g", "'1.5Gi' (powers of 1024)"),
        ("64K", "'64Ki' (powers of 1024) or '64k' (powers of 1000)"),
        ("viel", "'4Gi' (powers of 1024)"),
        ("500m", "'500Mi' for mebibytes or '500M' for megabytes"),
        ("16", "'16Gi'"),
        ("512", "'512Mi'"),
        ("1.00000001Gi", "'1536Mi'"),
    ],
)
def test_what_was_meant_is_offered(text: str, remedy: str) -> None:
    fault = memory_fault(text)
    assert fault is not None
    assert remedy in fault[1]


@given(st.text(max_size=12))
def test_any_text_gets_an_answer(text: str) -> None:
    for fault in (cpu_fault(text), memory_fault(text)):
        assert fault is None or all(fault)
