"""What each shipped pipeline becomes must not change unseen: it is written down beside this file."""

from __future__ import annotations

import base64
import difflib
import io
import json
import lzma
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flowhub_assets.ir.encoding import from_dict
from flowhub_assets.nodes import registry
from flowhub_assets.nodes.finding import find_node_files, kinds_of
from flowhub_assets_tests.golden.airflow_files import listed
from flowhub_assets_tests.golden.targets import GOLDEN, PIPELINES, TARGETS, load, shipped, there, wanted

REMEDY = "If it is meant: make golden, look at the diff, and commit it."


@pytest.fixture(scope="session", autouse=True)
def _without_left_overs(regenerate: bool) -> None:
    if regenerate:
        for path in there(GOLDEN) - wanted(GOLDEN):
            path.unlink()
            if not any(path.parent.iterdir()):
                path.parent.rmdir()


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("pipeline", shipped())
def test_it_is_as_written_down(pipeline: str, target: str, regenerate: bool) -> None:
    path = GOLDEN / pipeline / target
    text = TARGETS[target](load(pipeline))
    if regenerate:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    require_same(text, path)


def test_every_pipeline_and_no_other_has_golden_files() -> None:
    faults = file_faults(GOLDEN)
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("pipeline", shipped())
def test_they_are_the_same_wherever_the_pipeline_lies(pipeline: str, tmp_path: Path) -> None:
    shutil.copytree(PIPELINES / pipeline, tmp_path / pipeline)
    with _without_own_kinds(pipeline):
        for target, text_of in TARGETS.items():
            require_same(text_of(load(pipeline, tmp_path)), GOLDEN / pipeline / target)


@contextmanager
def _without_own_kinds(pipeline: str) -> Iterator[None]:
    """The kinds of node that a pipeline brings along come from its copy: a name is one file's."""
    load(pipeline)
    files = find_node_files(str(PIPELINES / pipeline))
    own = {name: registry.get(name) for file in files for name in kinds_of(file)}
    for name in own:
        registry.forget(name)
    try:
        yield
    finally:
        for name, kind in own.items():
            registry.forget(name)
            registry.register(kind)


@pytest.mark.parametrize("pipeline", shipped())
def test_the_written_pipeline_is_read_back_as_it_is(pipeline: str) -> None:
    document = json.loads((GOLDEN / pipeline / "ir.json").read_text("utf-8"))
    assert from_dict(document, str(PIPELINES / pipeline)) == load(pipeline).pipeline


def test_a_changed_line_is_shown_with_the_remedy(tmp_path: Path) -> None:
    pipeline = shipped()[0]
    path = tmp_path / "ir.json"
    text = TARGETS["ir.json"](load(pipeline))
    path.write_text(text.replace('"version": 1', '"version": 0'), "utf-8")
    with pytest.raises(AssertionError, match=r'\n-  "version": 0\n\+  "version": 1\n(.|\n)*make golden'):
        require_same(text, path)
    with pytest.raises(AssertionError, match=r"is not there(.|\n)*make golden"):
        require_same(text, tmp_path / "absent.json")


def test_files_too_many_or_too_few_are_named(tmp_path: Path) -> None:
    for pipeline in shipped():
        shutil.copytree(GOLDEN / pipeline, tmp_path / pipeline)
    assert file_faults(tmp_path) == []
    (tmp_path / "gone").mkdir()
    (tmp_path / "gone" / "ir.json").write_text("{}")
    (tmp_path / shipped()[0] / "dagster.json").unlink()
    missing, left_over = file_faults(tmp_path)
    assert missing.startswith(f"{shipped()[0]}/dagster.json is missing")
    assert left_over.startswith("gone/ir.json belongs to no shipped pipeline")


def test_a_changed_file_in_an_archive_is_shown_and_other_bytes_of_the_same_are_not() -> None:
    text = (GOLDEN / "quick_start" / "airflow-code.yaml").read_text("utf-8")
    assert "    workflow.py: " in text
    assert "    flowhub_assets/runtime/step.py\n" in text

    def packed(content: str, preset: int) -> str:
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w") as archive:
            member = tarfile.TarInfo("workflow.py")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content.encode()))
        archived = lzma.compress(made.getvalue(), preset=preset)
        return f'binaryData:\n  "code.tar.xz": "{base64.b64encode(archived).decode()}"\n'

    long = "pass\n" * 999
    assert packed(long, 0) != packed(long, 9)
    assert listed(packed(long, 0)) == listed(packed(long, 9))
    assert listed(packed("x = 1", 0)) != listed(packed("x = 2", 0))


def require_same(text: str, path: Path) -> None:
    """Raises AssertionError, with the lines that differ and the remedy, unless the file holds ``text``."""
    name = f"{path.parent.name}/{path.name}"
    if not path.is_file():
        raise AssertionError(f"{name} is not there. {REMEDY}")
    written = path.read_text("utf-8")
    if text == written:
        return
    lines = difflib.unified_diff(
        written.splitlines(), text.splitlines(), f"{name}, written down", f"{name}, now", lineterm="", n=2
    )
    raise AssertionError("\n".join(["it is not what was written down:", *lines, REMEDY]))


def file_faults(folder: Path) -> list[str]:
    """Golden files that are missing in ``folder``, and those that nobody asks for."""
    missing, left_over = wanted(folder) - there(folder), there(folder) - wanted(folder)
    return [
        *(f"{path.relative_to(folder).as_posix()} is missing. Write it: make golden" for path in sorted(missing)),
        *(
            f"{path.relative_to(folder).as_posix()} belongs to no shipped pipeline. Remove it: make golden"
            for path in sorted(left_over)
        ),
    ]
