"""The kind log."""

from __future__ import annotations

import logging

import pytest

from flowhub_assets.nodes import NodeContext, run
from flowhub_assets.nodes.builtin.log import Log


def test_it_writes_and_hands_on(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="flowhub.step"):
        assert run(Log, message="안녕 %s").message == "안녕 %s"
        assert run(Log, config={"level": "warning"}, message={"a": [1, None]}).message == {"a": [1, None]}
    found = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert found == [("INFO", "안녕 %s"), ("WARNING", '{"a": [1, null]}')]


def test_it_writes_no_credential(caplog: pytest.LogCaptureFixture) -> None:
    context = NodeContext(profile={"SECRET_KEY": "planted-secret"})
    with caplog.at_level(logging.INFO, logger="flowhub.step"):
        run(Log, message="planted-secret and postgresql://me:planted-pass@db/x", context=context)
    assert "planted" not in caplog.text
    assert "***" in caplog.text
