from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets_tests.kubernetes.selectors import BadSelector, fits_fields, selects

WORDS = st.text("abc", min_size=1, max_size=3)


@pytest.mark.parametrize(
    ("selector", "fits"),
    [
        ("", True),
        ("a=1", True),
        ("a==1,b", True),
        ("a!=1", False),
        ("c!=1", True),
        ("!c,a", True),
        ("!a", False),
        ("c", False),
        ("a in (1, 2),b notin (3)", True),
        ("a notin (1)", False),
        ("c notin (1)", True),
        ("c in (1)", False),
        ("a = 1, b = 2", True),
    ],
)
def test_labels(selector: str, fits: bool) -> None:
    assert selects(selector, {"a": "1", "b": "2"}) is fits


@given(st.dictionaries(WORDS, WORDS), WORDS, st.lists(WORDS, min_size=1))
def test_sets_are_the_same_as_single_requirements(labels: dict[str, str], key: str, values: list[str]) -> None:
    among = f"{key} in ({','.join(values)})"
    assert selects(among, labels) == any(selects(f"{key}={value}", labels) for value in values)
    assert selects(among, labels) != selects(among.replace(" in ", " notin "), labels)


@pytest.mark.parametrize("selector", ["a in (1", "=1", "a in 1"])
def test_labels_that_cannot_be_read(selector: str) -> None:
    with pytest.raises(BadSelector):
        selects(selector, {"a": "1"})


POD = {"metadata": {"name": "p", "namespace": "n"}, "spec": {}, "status": {"phase": "Running"}}


@pytest.mark.parametrize(
    ("selector", "fits"),
    [
        ("metadata.name=p,status.phase=Running", True),
        ("metadata.name==p", True),
        ("status.phase!=Running", False),
        ("spec.nodeName=", True),
        ("spec.nodeName!=", False),
    ],
)
def test_fields(selector: str, fits: bool) -> None:
    assert fits_fields("Pod", selector, POD) is fits


@pytest.mark.parametrize("selector", ["spec.image=x", "metadata.name", "metadata.labels.a=b"])
def test_fields_that_are_not_known(selector: str) -> None:
    with pytest.raises(BadSelector):
        fits_fields("Pod", selector, POD)
