"""The kind switch, alone and in pipelines."""

from __future__ import annotations

from typing import Any

import pytest

from flowhub_assets.nodes import NodeError, run
from flowhub_assets.nodes.bodies import bodies_of
from flowhub_assets.nodes.builtin.switch import Switch
from flowhub_assets.nodes.references import task_uses
from flowhub_assets_tests.nodes.pipelines import args_of, node, pipeline

CASES = {"one": 1, "few": [2, 3], "many": {"when": "params.n > 3"}, "named": "{{variables.name}}"}


def chosen(config: dict[str, Any], **params: Any) -> Any:
    task = node("which", "switch", config)
    one = pipeline(task, variables={"name": "kim"})
    return bodies_of(one)["which"](*args_of(task, flow_input=params))["port"]


@pytest.mark.parametrize(
    ("n", "port"), [(1, "one"), (2, "few"), (3, "few"), (9, "many"), (0, "default"), (-1, "default"), ("kim", None)]
)
def test_the_first_case_that_fits_is_taken(n: Any, port: str | None) -> None:
    if port is None:
        with pytest.raises(NodeError, match="cannot compare the text 'kim'"):
            chosen({"value": "{{params.n}}", "cases": CASES}, n=n)
    else:
        assert chosen({"value": "{{params.n}}", "cases": CASES}, n=n) == port


def test_cases_after_the_first_that_fits_are_not_asked() -> None:
    cases = [{"name": "none", "when": "params.n == null"}, {"name": "big", "when": "params.n > 3"}]
    assert chosen({"cases": cases}, n=None) == "none"
    assert chosen({"cases": cases}, n=4) == "big"
    assert chosen({"cases": cases}, n=1) == "default"


def test_text_true_and_numbers_are_different() -> None:
    cases = {"number": 1, "text": "1", "yes": True, "nothing": [None]}
    for value, port in ((1, "number"), ("1", "text"), (True, "yes"), (None, "nothing"), ([], "default")):
        assert run(Switch, config={"value": value, "cases": cases}).port == port


def test_a_list_of_cases_has_values_too() -> None:
    cases = [{"name": "a", "equals": [1, 2]}, {"name": "{b}", "equals": {"x": 1}}]
    assert run(Switch, config={"value": 2, "cases": cases}).port == "a"
    assert run(Switch, config={"value": {"x": 1}, "cases": cases}).port == "{b}"
    assert Switch.ports_of({"cases": cases}) == ("a", "{b}", "default")


def test_its_ports_are_its_cases() -> None:
    assert Switch.ports_of({"cases": CASES}) == ("one", "few", "many", "named", "default")
    assert Switch.ports_of({}) == Switch.ports_of({"cases": 3}) == Switch.ports_of({"cases": [1]}) == ("default",)


def test_names_in_its_conditions_are_found() -> None:
    cases = {"a": {"when": "fetch-it.output.n > 3"}, "b": "{{other.output}}"}
    task = node("which", "switch", {"value": "{{third.output}}", "cases": cases})
    uses = [use for use in task_uses(task.node, None, None, {"fetch-it", "other", "third"}) if use.name]
    assert {(use.path, use.name.path[0]) for use in uses if use.name} == {
        (("config", "value"), "third"),
        (("config", "cases", "a", "when"), "fetch-it"),
        (("config", "cases", "b"), "other"),
    }


@pytest.mark.parametrize(
    ("cases", "what"),
    [
        ([{"name": "a"}, {"name": "a"}], "two cases"),
        ({"default": 1}, "default"),
        (3, "cases"),
        ([{"when": "true"}], "name"),
        ({"a": {"when": "nope > 1"}}, "there is no 'nope'"),
    ],
)
def test_wrong_cases_are_told(cases: Any, what: str) -> None:
    with pytest.raises(NodeError, match=what):
        run(Switch, config={"value": 1, "cases": cases})
