"""What boot.py does before any of our code runs; each test is a process of a Python that has nothing installed."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from flowhub_assets.pods.archive import pack
from flowhub_assets_tests.pods.bare_pods import Export, bare_python, export

FLOW = """\
from flowhub import flow, task

@task
def work(args):
    import beside
    from my_package import deep
    return {"n": beside.ONE + deep.TWO, "file": __file__}

@flow(name="flow")
def main(args):
    return work(args)
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    return bare_python(tmp_path_factory.mktemp("python"))


@pytest.fixture
def flow(tmp_path: Path, python: str) -> Export:
    return export(tmp_path, python, {"workflow.py": FLOW, "beside.py": "ONE = 1"})


def raw_archive(name: str, **more: object) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:xz") as archive:
        member = tarfile.TarInfo(name)
        member.size = 0
        for field, value in more.items():
            setattr(member, field, value)
        archive.addfile(member, io.BytesIO())
    return made.getvalue()


def test_code_may_come_in_several_archives(flow: Export) -> None:
    (flow.folder / "code-2.tar.xz").write_bytes(pack({"my_package/__init__.py": b"", "my_package/deep.py": b"TWO = 0"}))
    (flow.folder / "code-10.tar.xz").write_bytes(pack({"my_package/deep.py": b"TWO = 2"}))
    assert flow.run("task", "work").value["n"] == 3


def test_cloned_code_is_used_in_the_place_of_the_archives(flow: Export, tmp_path: Path) -> None:
    code = tmp_path / "cloned"
    (code / "my_package").mkdir(parents=True)
    (code / "workflow.py").write_text(FLOW)
    (code / "beside.py").write_text("ONE = 10")
    (code / "my_package" / "deep.py").write_text("TWO = 2")
    value = flow.run("task", "work", options=("--code", str(code))).value
    assert value == {"n": 12, "file": str(code / "workflow.py")}


def test_a_folder_that_was_not_cloned_is_told(flow: Export, tmp_path: Path) -> None:
    ended = flow.run("task", "work", options=("--code", str(tmp_path / "nowhere")))
    assert "the code was not cloned, or the flow's path= is wrong" in ended.log
    assert ended.failure["error"].startswith(f"there is no folder {tmp_path / 'nowhere'}")
    assert ended.failure["retry"] is False


@pytest.mark.parametrize("name", ["../out.py", "a/../../out.py", "/out.py"])
def test_an_archive_cannot_write_elsewhere(flow: Export, name: str) -> None:
    (flow.folder / "code-2.tar.xz").write_bytes(raw_archive(name))
    ended = flow.run("task", "work")
    assert "no plain file inside it" in ended.failure["error"]
    assert not list(flow.folder.parent.rglob("out.py"))


def test_an_archive_holds_no_links(flow: Export) -> None:
    (flow.folder / "code-2.tar.xz").write_bytes(raw_archive("link", type=tarfile.SYMTYPE, linkname="/etc/passwd"))
    assert "'link', which is no plain file" in flow.run("task", "work").failure["error"]


@pytest.mark.parametrize(
    "damage",
    [lambda data: data[: len(data) // 2], lambda _: b"no archive", lambda data: data[:300] + b"0" * 99],
)
def test_a_damaged_archive_is_told_without_a_traceback(flow: Export, damage: object) -> None:
    rows = flow.folder / "rows.tar.xz"
    rows.write_bytes(damage(rows.read_bytes()))  # type: ignore[operator]
    ended = flow.run("task", "work")
    assert "rows.tar.xz cannot be unpacked" in ended.failure["error"]
    assert "Traceback" not in ended.log


def test_an_image_without_our_package_is_told_for_a_pipeline_of_nodes(tmp_path: Path, python: str) -> None:
    flow = export(tmp_path, python, {"workflow.py": FLOW})
    ended = Export(flow.python, flow.folder, module="flowhub_assets.from_yaml.pod").run("task", "work")
    assert "this image has no flowhub_assets: name one that has, by FLOWHUB_IMAGE" in ended.log
    assert ended.failure["error_type"] == "CannotStart"


def test_files_beside_the_code_do_not_hide_the_standard_library(tmp_path: Path, python: str) -> None:
    flow = export(
        tmp_path,
        python,
        {
            "workflow.py": FLOW.replace("import beside", "import json, beside"),
            "beside.py": "ONE = 1",
            "my_package/deep.py": "TWO = 2",
            "queue.py": "raise SystemExit('hidden')",
            "boot.py": "",
        },
    )
    assert flow.run("task", "work").value["n"] == 3
