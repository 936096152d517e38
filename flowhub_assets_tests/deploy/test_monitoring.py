"""deploy/monitoring: whatever its rules and panels ask for is what the server, the front and BentoML really show."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from flowhub_assets.ml.serving.distribution import reference
from flowhub_assets.ml.serving.service import CountedModel
from flowhub_assets.ml.serving.switching import serve
from flowhub_assets.server.metrics import Metrics
from flowhub_assets.store.database import default_url, open_database
from flowhub_assets.store.submissions import ACCEPTED, WAITING
from flowhub_assets_tests.checkout import ROOT
from flowhub_assets_tests.ml.serving.registered_model import (
    SETOSA,
    ask,
    ended_afterwards,
    get,
    profile,
    registered,
)

MONITORING = ROOT / "deploy" / "monitoring"
RULES = yaml.safe_load((MONITORING / "rules.yaml").read_text("utf-8"))
DASHBOARD = json.loads((MONITORING / "grafana-dashboard.json").read_text("utf-8"))
PROMETHEUS = yaml.safe_load((MONITORING / "prometheus.yaml").read_text("utf-8"))
ALERTMANAGER = yaml.safe_load((MONITORING / "alertmanager.yaml").read_text("utf-8"))
ALL_RULES = [rule for group in RULES["groups"] for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in ALL_RULES if "alert" in rule}
RECORDED = {rule["record"]: rule for rule in ALL_RULES if "record" in rule}

#: What Prometheus itself puts on every sample.
SCRAPED = {"job", "instance"}

pytestmark = pytest.mark.timeout(600)


def panel_expressions() -> list[str]:
    # Grafana puts the chosen models in the variable's place.
    return [
        target["expr"].replace("$model", "iris") for panel in DASHBOARD["panels"] for target in panel.get("targets", [])
    ]


EXPRESSIONS = [*(rule["expr"] for rule in ALL_RULES), *panel_expressions()]


def selectors(expression: Any) -> Iterator[Any]:
    """Each vector selector of a parsed expression."""
    if isinstance(expression, promql_parser.VectorSelector):
        yield expression
    for name in ("expr", "lhs", "rhs", "vector_selector", "param"):
        inner = getattr(expression, name, None)
        if inner is not None:
            yield from selectors(inner)
    for inner in getattr(expression, "args", []) or []:
        yield from selectors(inner)


def grouped(expression: Any) -> Iterator[tuple[Any, list[str]]]:
    """Each aggregation, with the labels that it keeps."""
    if isinstance(expression, promql_parser.AggregateExpr) and expression.modifier is not None:
        yield expression, list(expression.modifier.labels)
    for name in ("expr", "lhs", "rhs"):
        inner = getattr(expression, name, None)
        if inner is not None:
            yield from grouped(inner)
    for inner in getattr(expression, "args", []) or []:
        yield from grouped(inner)


class Regression:
    """A model that says what it is given; how a real one is counted, without one more server."""

    def scores(self, rows: list[list[float]]) -> Any:
        return [row[0] for row in rows]

    def answers(self, scored: Any) -> Any:
        return scored


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Name of a sample → its labels, of everything that is there to be scraped."""
    folder = tmp_path_factory.mktemp("monitoring")
    env = profile(folder)
    registered(env, "xgboost", alias="champion")
    server = Metrics(open_database(default_url(str(folder))))
    server.request("http", "/api/v1/runs", "200", 0.1)
    told = {"model": "housing", "version": "1", "classes": [], "reference": reference([1.0, 2.0, 3.0], [])}
    registry = CollectorRegistry()
    CountedModel(told, Regression(), registry).answer([[2.0]])
    with ended_afterwards(env, "iris"):
        serve("iris", env)
        assert ask(env, [SETOSA]).status_code == 200
        texts = [get(env, "/metrics").text, get(env, "/metrics/champion").text]
    found: dict[str, set[str]] = {"flowhub_submissions": {"state"}, "up": set()}
    for text in (*texts, server.text().decode(), generate_latest(registry).decode()):
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found.setdefault(sample.name, set()).update(sample.labels)
    return found


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_each_name_and_label_is_there(shown: dict[str, set[str]], expression: str) -> None:
    parsed = promql_parser.parse(expression)
    asked = list(selectors(parsed))
    assert asked
    for one in asked:
        if one.name in RECORDED:
            continue
        assert one.name in shown, one.name
        labels = {matcher.name for matcher in one.matchers.matchers}
        assert labels <= shown[one.name] | SCRAPED, (one.name, labels)
    for aggregation, kept in grouped(parsed):
        for one in selectors(aggregation):
            if one.name not in RECORDED:
                assert set(kept) <= shown[one.name] | SCRAPED, (one.name, kept)


def test_jobs_that_rules_name_are_scraped() -> None:
    scraped = {one["job_name"] for one in PROMETHEUS["scrape_configs"]}
    named = set(re.findall(r'job="([^"]+)"', " ".join(EXPRESSIONS)))
    assert named
    assert named <= scraped
    assert PROMETHEUS["rule_files"] == ["rules.yaml"]


def test_states_that_rules_name_are_states() -> None:
    named = set(re.findall(r'flowhub_submissions\{state="([^"]+)"', " ".join(EXPRESSIONS)))
    assert named == {ACCEPTED}
    assert named <= set(WAITING)


@pytest.mark.parametrize("name", sorted(ALERTS))
def test_an_alert_says_what_and_what_to_do_and_is_of_one_cause(name: str) -> None:
    alert = ALERTS[name]
    assert alert["for"]
    assert alert["labels"]["severity"] in ("critical", "warning")
    assert alert["labels"]["cause"]
    assert set(alert["annotations"]) == {"summary", "description"}
    kept = re.findall(r"\$labels\.(\w+)", " ".join(alert["annotations"].values()))
    recorded = next((one for one in selectors(promql_parser.parse(alert["expr"])) if one.name in RECORDED), None)
    expression = RECORDED[recorded.name]["expr"] if recorded else alert["expr"]
    groups = [labels for _, labels in grouped(promql_parser.parse(expression))]
    # What the text names is what the expression keeps.
    assert all(any(label in group for group in groups) for label in kept) or not groups


def test_what_follows_from_another_alert_is_held_back() -> None:
    names = set(ALERTS)
    for rule in ALERTMANAGER["inhibit_rules"]:
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            pattern = re.fullmatch(r'alertname =~? "(.+)"', matcher)
            assert pattern is not None
            assert any(re.fullmatch(pattern[1], name) for name in names), matcher
    assert ALERTMANAGER["route"]["group_by"] == ["cause", "model"]


def test_every_receiver_is_there_and_no_credential_is_written() -> None:
    receivers = {one["name"] for one in ALERTMANAGER["receivers"]}
    routed = [ALERTMANAGER["route"], *ALERTMANAGER["route"]["routes"]]
    assert {one["receiver"] for one in routed} == receivers
    kinds = {key for one in ALERTMANAGER["receivers"] for key in one if key != "name"}
    assert kinds == {"slack_configs", "email_configs", "webhook_configs"}
    text = (MONITORING / "alertmanager.yaml").read_text("utf-8")
    assert not re.search(r"hooks\.slack\.com|(password|token|url): ", text)


def test_the_dashboard_s_panels_have_room_and_one_number_each() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        columns, rows = range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        cells = {(x, y) for x in columns for y in rows}
        assert not cells & taken, panel["title"]
        taken |= cells
    variables = {one["name"] for one in DASHBOARD["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", " ".join(json.dumps(panel) for panel in panels)))
    assert used <= variables
