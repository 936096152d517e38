"""Workflow files are found by what they import, without importing them."""

from __future__ import annotations

from pathlib import Path

from flowhub_assets.from_python.finding import find_files
from flowhub_assets_tests.from_python.workflow_files import FLOW, write_file


def test_finds_the_files_that_hold_flows(tmp_path: Path) -> None:
    wanted = [
        write_file(tmp_path / "a.py", FLOW),
        write_file(tmp_path / "b" / "many_lines.py", "from flowhub import (\n    task,\n    flow,\n)\n"),
        write_file(tmp_path / "b" / "broken.py", "from flowhub import flow\ndef x(:\n"),
        write_file(tmp_path / "b" / "module.py", "import flowhub\n\n@flowhub.flow\ndef main(args): ...\n"),
        write_file(tmp_path / "b" / "star.py", "from flowhub_assets import *\n"),
        write_file(
            tmp_path / "b" / "indented.py", "try:\n    from flowhub import flow\nexcept ImportError:\n    raise\n"
        ),
    ]
    wanted.append(str(tmp_path / "korean.py"))
    Path(wanted[-1]).write_bytes("from flowhub import flow  # 음성\nx = '음성'\n".encode("euc-kr"))
    write_file(tmp_path / "helper.py", "from flowhub import task, get_storage\n")
    write_file(tmp_path / "b" / "docs.py", '"""\nfrom flowhub import flow\n"""\n')
    write_file(tmp_path / "b" / "other.py", "from airflow import flow\n")
    write_file(tmp_path / "b" / "plain.py", "import flowhub\nflow = 1\n")
    for folder in (".hidden", "__pycache__", "venv", "node_modules"):
        write_file(tmp_path / folder / "w.py", FLOW)
    write_file(tmp_path / "own_env" / "pyvenv.cfg", "")
    write_file(tmp_path / "own_env" / "lib" / "w.py", FLOW)
    assert find_files(str(tmp_path)) == sorted(wanted)
