"""EXTRA_PACKAGES: what is taken of a folder, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flowhub_assets.errors import ProfileError
from flowhub_assets.pods.extra_packages import extra_files


def files(folder: Path, *entries: object) -> list[str]:
    return [name for _, name in extra_files({"EXTRA_PACKAGES": list(entries)}, str(folder), "workflow.py:3")]


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")


def test_what_tools_leave_behind_is_left_out(tmp_path: Path) -> None:
    kept = ["package/__init__.py", "package/data/words.json", "package/deep/module.py"]
    left = """__pycache__/a.cpython-311.pyc old.pyc .git/config .venv/lib/x.py package.egg-info/PKG-INFO .DS_Store
        ._module.py Thumbs.db module.py~ .module.py.swp .idea/x.xml .vscode/settings.json .mypy_cache/x node_modules/x
        .pytest_cache/x .ruff_cache/x .ipynb_checkpoints/x .env .env.local deep/__pycache__/b.pyc
        prod.env .envrc .netrc .pgpass .pypirc .npmrc .git-credentials .htpasswd id_rsa id_ed25519 .aws/credentials
        .ssh/config .kube/config .docker/config.json .gnupg/x""".split()
    touch(tmp_path, *kept, *(f"package/{name}" for name in left), "package/own_env/pyvenv.cfg", "package/own_env/x.py")
    assert files(tmp_path, "./package") == kept


def test_one_file_and_a_single_text_are_fine(tmp_path: Path) -> None:
    touch(tmp_path, "tool.py")
    assert files(tmp_path, "tool.py") == ["tool.py"]
    assert [name for _, name in extra_files({"EXTRA_PACKAGES": "tool.py"}, str(tmp_path), "")] == ["tool.py"]
    assert list(extra_files({"EXTRA_PACKAGES": None}, str(tmp_path), "")) == []
    assert list(extra_files({}, str(tmp_path), "")) == []


def test_links_inside_are_followed_and_those_that_leave_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "package/real.py", "secret/key")
    (tmp_path / "package" / "alias.py").symlink_to("real.py")
    assert files(tmp_path, "package") == ["package/alias.py", "package/real.py"]
    (tmp_path / "package" / "out.py").symlink_to(tmp_path / "secret" / "key")
    with pytest.raises(ProfileError, match=r"out\.py is a symlink that leaves its package(.|\n)*Put the file itself"):
        files(tmp_path, "package")
    (tmp_path / "package" / "out.py").unlink()
    (tmp_path / "package" / "around").symlink_to(".")
    with pytest.raises(ProfileError, match="around is a symlink to a folder around it"):
        files(tmp_path, "package")


def test_a_file_of_credentials_does_not_travel_under_another_name(tmp_path: Path) -> None:
    touch(tmp_path, "package/real.py", "package/.env", "package/.aws/credentials")
    (tmp_path / "package" / "settings").symlink_to(".env")
    (tmp_path / "package" / "own").symlink_to(".aws")
    assert files(tmp_path, "package") == ["package/real.py"]
    for entry in ("package/.env", "package/.aws", "package/settings"):
        with pytest.raises(ProfileError, match=r"is none that travels(.|\n)*Kubernetes Secret"):
            files(tmp_path, entry)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (
            ["./nowhere"],
            r"'\./nowhere' is not there: .*nowhere(.|\n)*Check the name; it is relative to the folder",
        ),
        (["."], "is the whole folder of the workflow file"),
        ([3], r"it is a list, not a list of paths(.|\n)*Write 'EXTRA_PACKAGES': \['\./my_package'\]"),
        ({"a": 1}, r"it is a dict(.|\n)*Write 'EXTRA_PACKAGES'"),
        ([" "], "not a list of paths"),
    ],
)
def test_what_cannot_be_taken_is_told_with_place_and_remedy(tmp_path: Path, value: object, told: str) -> None:
    with pytest.raises(ProfileError, match=told) as error:
        list(extra_files({"EXTRA_PACKAGES": value}, str(tmp_path), "workflow.py:3"))
    assert error.value.where == "workflow.py:3"
    assert error.value.remedy


def test_a_broken_link_and_a_pipe_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "package/real.py")
    (tmp_path / "package" / "gone.py").symlink_to("nothing.py")
    with pytest.raises(ProfileError, match=r"gone\.py cannot be read: No such file"):
        files(tmp_path, "package")
    (tmp_path / "package" / "gone.py").unlink()
    os.mkfifo(tmp_path / "package" / "pipe")
    with pytest.raises(ProfileError, match="pipe is neither a file nor a folder"):
        files(tmp_path, "package")
