"""``--regenerate-golden`` writes the golden files anew instead of comparing them."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--regenerate-golden", action="store_true", help="write the golden files anew")


@pytest.fixture(scope="session")
def regenerate(request: pytest.FixtureRequest) -> bool:
    # pytest reads this file too late for its option where it is started for all tests: then nothing is written.
    return bool(request.config.getoption("--regenerate-golden", default=False))
