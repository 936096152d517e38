"""Fixtures of the tests about nodes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from flowhub_assets.nodes import registry


@pytest.fixture(autouse=True)
def _registry_as_before() -> Iterator[None]:
    """Kinds that a test registers are gone after it."""
    before = registry.registered()
    yield
    for name in registry.registered():
        if name not in before:
            registry.forget(name)
