"""Which files of a folder are pipelines."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowhub_assets.from_yaml.finding import find_files, is_pipeline_text


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("apiVersion: flume/v1\nkind: Pipeline\n", True),
        ("# a comment\n---\nkind: Pipeline\napiVersion: 'flume/v1'\n", True),
        ("apiVersion: flume/v9\n", True),
        ('{"apiVersion":"flume/v1"}', True),
        ('{\n  "kind": "Pipeline",\n  "apiVersion": "flume/v1"\n}', True),
        ("{apiVersion: flume/v1, kind: Pipeline}", True),
        ("apiVersion: flum/v1\nkind: Pipeline\n", True),
        ("apiversion: flume/v1\nkind: Pipeline\n", True),
        ("apiVersoin: flume/v1\nkind: Pipeline\n", True),
        ("kind: Pipeline\n", True),
        ("apiVersion: tekton.dev/v1\nkind: Pipeline\n", False),
        ("apiVersion: v1\nkind: ConfigMap\ndata:\n  p.yaml: |\n    apiVersion: flume/v1\n    kind: Pipeline\n", False),
        ("kind: PipelineRun\n", False),
        ("name: x\n", False),
        ("", False),
    ],
)
def test_a_text(text: str, counts: bool) -> None:
    assert is_pipeline_text(text) is counts


def test_a_folder(tmp_path: Path) -> None:
    text = "\ufeffapiVersion: flume/v1\r\nkind: Pipeline\r\n"
    for name in ("b.yaml", "a/a.yml", "a/c.json", "a/d.txt", ".hidden/e.yaml", "node_modules/f.yaml", "_g.yaml"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    (tmp_path / "utf16.yaml").write_text(text.removeprefix("\ufeff"), "utf-16")
    (tmp_path / "values.yaml").write_text("replicas: 3\n", "utf-8")
    (tmp_path / "broken.yaml").write_bytes(b"apiVersion: flume/v1\n\xff\n")
    (tmp_path / "nowhere.yaml").symlink_to(tmp_path / "gone")
    found = [str(Path(path).relative_to(tmp_path)) for path in find_files(str(tmp_path))]
    assert found == ["a/a.yml", "a/c.json", "b.yaml", "broken.yaml", "utf16.yaml"]
