"""The article generator: what it asks, what it saves, and what it says without its services."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowhub_assets_tests.http_server import Answer, http_server
from flowhub_assets_tests.llm_server import llm_server

Run = Callable[..., Any]


def test_the_topic_reaches_the_model_and_its_text_the_storage(
    run_here: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with http_server() as api, llm_server(lambda *_: "## 기사\n\n수율이 오른다.") as llm:
        api.on("/topics", Answer.json({"topic": "배터리", "angle": "재활용", "keywords": ["리튬", "니켈"]}))
        monkeypatch.setenv("DEMO_API_URL", api.url)
        monkeypatch.setenv("VLLM_URL", llm.url)
        done = run_here("article_generator")
    assert done.ok, done.error
    (asked,) = llm.requests
    assert asked.body["model"] == "llama3.1-70b"
    assert asked.body["max_tokens"] == 4096
    system, user = asked.body["messages"]
    assert system["role"] == "system"
    assert user["content"].splitlines()[:3] == ["주제: 배터리", "관점: 재활용", "핵심어: 리튬, 니켈"]
    folder = tmp_path / "tmp/article-generator/articles"
    saved = json.loads((folder / f"{done.run_id}.json").read_text("utf-8"))
    assert saved["title"] == "배터리"
    assert saved["content"] == "## 기사\n\n수율이 오른다."
    assert isinstance(saved["tokens"], int)
    page = (folder / f"{done.run_id}.md").read_text("utf-8")
    assert page.startswith("# 배터리\n\n## 기사\n")
    assert "편집부, " in page


def test_without_its_services_it_says_which_variable_is_missing_and_tries_once(
    run_here: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DEMO_API_URL", raising=False)
    done = run_here("article_generator")
    assert not done.ok
    assert done.tasks["fetch-topic"].attempts == 1
    assert "environment variable 'DEMO_API_URL', which is not set" in str(done.error)
    assert "export DEMO_API_URL=" in str(done.error)
