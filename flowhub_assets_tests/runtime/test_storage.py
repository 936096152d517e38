from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flowhub_assets import S3Storage, get_storage
from flowhub_assets.errors import ProfileError
from flowhub_assets.runtime.folder_storage import FolderStorage

S3 = {"BUCKET": "bucket", "ENDPOINT": "http://127.0.0.1:9", "ACCESS_KEY": "id", "SECRET_KEY": "very-secret"}


def test_workspace_is_a_folder_relative_to_the_current_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    storage = get_storage({"WORKSPACE": "./tmp"})
    assert isinstance(storage, FolderStorage)
    assert storage.name == str(tmp_path / "tmp")
    assert not (tmp_path / "tmp").exists()
    storage.write("a", b"1")
    assert (tmp_path / "tmp" / "a").read_bytes() == b"1"


def test_what_a_profile_says_of_its_storage_may_be_the_name_of_a_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_FOLDER", str(tmp_path))
    assert get_storage({"WORKSPACE": {"env": "MY_FOLDER"}}).name == str(tmp_path)
    monkeypatch.setenv("MY_KEY", "very-secret")
    assert isinstance(get_storage({**S3, "SECRET_KEY": {"env": "MY_KEY"}}), S3Storage)
    monkeypatch.delenv("MY_KEY")
    with pytest.raises(ProfileError, match="SECRET_KEY is the environment variable 'MY_KEY', which is not set"):
        get_storage({**S3, "SECRET_KEY": {"env": "MY_KEY"}})


def test_bucket_is_s3_also_beside_a_workspace() -> None:
    assert isinstance(get_storage(S3), S3Storage)
    storage = get_storage({**S3, "WORKSPACE": "./scratch"})
    assert storage.name == "s3://bucket"
    assert "very-secret" not in repr(storage)
    assert "very-secret" not in repr(vars(storage))


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({}, "names no storage"),
        ({"WORKSPCE": "x"}, "did you mean 'WORKSPACE'"),
        ({"Bucket": "x"}, "did you mean 'BUCKET'"),
        ({"WORKSPACE": ""}, "WORKSPACE is empty"),
        ({"BUCKET": 3}, "BUCKET is int"),
        ({"WORKSPACE": ["x"]}, "WORKSPACE is list"),
        (None, "not NoneType"),
        ({"BUCKET": "My_Bucket"}, "no legal bucket name"),
        ({"BUCKET": "ab"}, "no legal bucket name"),
        ({"BUCKET": "bucket/folder"}, "folders belong into the key"),
        ({"BUCKET": "192.168.0.1"}, "no legal bucket name"),
        ({**S3, "ENDPOINT": "minio:9000"}, "https://minio:9000"),
        ({**S3, "ENDPOINT": "ftp://minio"}, "no http or https address"),
        ({**S3, "ENDPOINT": "http://"}, "no http or https address"),
        ({**S3, "ENDPOINT": "http://minio:99999"}, "no http or https address"),
        ({**S3, "ENDPOINT": "http://minio?x=1"}, "no plain address"),
        ({**S3, "ENDPOINT": "http://id:very-secret@minio"}, "holds a user name or password"),
        ({**S3, "SECRET_KEY": ""}, "has ACCESS_KEY but no SECRET_KEY"),
        ({**S3, "ACCESS_KEY": None}, "has SECRET_KEY but no ACCESS_KEY"),
        ({"BUCKET": "bucket", "SECRET_ACCESS_KEY": "very-secret"}, "has SECRET_ACCESS_KEY but no ACCESS_KEY_ID"),
        ({**S3, "SECRET_KEY": b"very-secret"}, "SECRET_KEY is bytes"),
    ],
)
def test_a_profile_that_cannot_be_used_is_one_clear_error(env: Any, said: str) -> None:
    with pytest.raises(ProfileError) as caught:
        get_storage(env)
    assert said in str(caught.value)
    assert caught.value.remedy
    assert "very-secret" not in str(caught.value)


def test_an_image_without_an_s3_client_speaks_s3_all_the_same(tmp_path: Path) -> None:
    package = Path(__file__).parents[2] / "flowhub_assets"
    (tmp_path / "flowhub_assets").mkdir()
    for part in ("__init__.py", "errors.py", "names.py", "ir", "runtime"):
        (tmp_path / "flowhub_assets" / part).symlink_to(package / part)
    code = (
        "import sys; sys.path.insert(0, '.'); from flowhub_assets import get_storage\n"
        f"storage = get_storage({S3!r}); print(storage, storage.url('k'))"
    )
    answer = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    assert answer.stdout.split() == ["BareS3Storage('s3://bucket')", "s3://bucket/k"]


def test_the_folder_storage_needs_nothing_but_python(tmp_path: Path) -> None:
    package = Path(__file__).parents[2] / "flowhub_assets"
    (tmp_path / "flowhub_assets").symlink_to(package)
    code = (
        "import sys; sys.path.insert(0, '.'); from flowhub_assets import get_storage\n"
        "s = get_storage({'WORKSPACE': 'w'}); s.write('a/b', b'1'); print(s.list(), s.read('a/b'))\n"
        "print(sorted({'asyncio', 'rich', 'obstore', 'multiprocessing'} & set(sys.modules)))"
    )
    answer = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    assert answer.stdout.splitlines() == ["['a/b'] b'1'", "[]"]
    assert os.listdir(tmp_path / "w") == ["a"]


def test_args_in_place_of_the_profile_is_answered_with_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match=r"get_storage\(args\['env'\]\)"):
        get_storage({"n": 1, "env": {"WORKSPACE": str(tmp_path)}})


def test_a_folder_without_a_prefix_lies_where_its_run_keeps_files(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "a.txt").write_text("a")
    storage = get_storage({"WORKSPACE": str(tmp_path / "w"), "project": "p", "run_id": "r", "task": "t"})
    storage.upload_folder(tmp_path / "made")
    assert storage.list() == ["p/r/t/made/a.txt"]
