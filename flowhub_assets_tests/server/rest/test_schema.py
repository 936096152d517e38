"""What OpenAPI says is what the server does: schemathesis asks every path with all that it can think of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from flowhub_assets_tests.server.backends import GREET, backend_over, served

CHECKS = [not_a_server_error, status_code_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("pipelines")
    (folder / "greet.yaml").write_text(GREET)
    (folder / "shop.yaml").write_text(GREET.replace("greet", "shop") + "trigger: {type: webhook}\n")
    with backend_over(folder, tmp_path_factory.mktemp("backend")) as backend, served(backend) as url:
        yield url


def asked(operation: Any) -> None:
    """Asks one path in all ways that come to mind."""

    @settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy())
    def ask(case: Any) -> None:
        answer = case.call(timeout=60)
        case.validate_response(answer, checks=CHECKS)

    ask()


@pytest.mark.timeout(300)
def test_nothing_that_is_asked_ends_in_a_500(url: str) -> None:
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    found: Any = schema.get_all_operations()
    operations = [one.ok() for one in found]
    assert len(operations) >= 16
    for operation in operations:
        asked(operation)


def test_every_path_is_in_the_schema(url: str) -> None:
    paths = httpx.get(f"{url}/openapi.json").json()["paths"]
    told = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    for one in (
        ("GET", "/api/v1/pipelines"),
        ("POST", "/api/v1/pipelines/{pipeline}/runs"),
        ("GET", "/api/v1/runs/{run_id}/watch"),
        ("GET", "/metrics"),
        ("PUT", "/api/v1/workflows/{name}"),
        ("DELETE", "/api/v1/workflows/{name}"),
    ):
        assert one in told
