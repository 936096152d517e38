"""Where rows come from: a URL of the profile, an object of the storage, the package; and what is refused of each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowhub_assets.errors import InputError, ObjectMissing, OutsideStorage
from flowhub_assets.ml import data_set_files
from flowhub_assets.ml.data_set_files import load_data_set, read_source, rows_of_csv
from flowhub_assets.ml.data_sets import DATA_SETS, schema_faults
from flowhub_assets_tests.http_server import Answer, HttpServer
from flowhub_assets_tests.http_server import http_server as running_http_server
from flowhub_assets_tests.s3_server import S3Server, put_by_boto3
from flowhub_assets_tests.s3_server import s3 as s3  # a fixture

CSV = b"sepal_length,sepal_width,petal_length,petal_width,species\r\n5.1,3.5,1.4,0.2,setosa\r\n6,3,5,2,virginica\r\n"


@pytest.fixture(scope="module")
def http_server() -> Iterator[HttpServer]:
    with running_http_server() as server:
        yield server


@pytest.fixture
def env(tmp_path: Path) -> dict[str, Any]:
    return {"WORKSPACE": str(tmp_path)}


def test_a_url_of_the_profile_comes_first_and_its_secrets_are_not_told(
    env: dict[str, Any], http_server: HttpServer, tmp_path: Path
) -> None:
    http_server.on("/iris.csv", Answer(body=CSV))
    (tmp_path / "incoming").mkdir()
    (tmp_path / "incoming/iris.csv").write_text("species\nrose\n")
    frame, source = load_data_set("iris", {**env, "IRIS_URL": f"{http_server.url}/iris.csv?token=geheim"})
    assert source == f"{http_server.url}/iris.csv"
    assert frame["petal_width"].tolist() == [0.2, 2.0]
    assert str(frame["sepal_length"].dtype) == "float64"


def test_an_object_that_arrived_comes_before_the_package(env: dict[str, Any], tmp_path: Path) -> None:
    assert len(load_data_set("iris", env)[0]) == 150
    (tmp_path / "incoming").mkdir()
    (tmp_path / "incoming/iris.csv").write_bytes(CSV)
    frame, source = load_data_set("iris", env)
    assert len(frame) == 2
    assert source == f"file://{tmp_path}/incoming/iris.csv"
    assert len(load_data_set("titanic", env)[0]) == 1309


def test_an_object_of_a_bucket(s3: S3Server) -> None:
    put_by_boto3(s3, "flowers/today.csv", CSV)
    frame, source = load_data_set("iris", {**s3.env(), "IRIS_URL": "s3://bucket/flowers/today.csv"})
    assert (len(frame), source) == (2, "s3://bucket/flowers/today.csv")
    assert len(load_data_set("iris", s3.env(), "flowers/today.csv")[0]) == 2


def test_rows_with_faults_come_as_they_are_for_the_schema_to_tell(env: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "iris.csv").write_bytes(CSV.replace(b"virginica", b"rose").replace(b"6,3", b"six,3"))
    frame, _ = load_data_set("iris", {**env, "IRIS_URL": "iris.csv"})
    assert [fault.kind for fault in schema_faults(DATA_SETS["iris"], frame)] == ["type", "value"]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "it is empty"),
        (b"\n\n", "it is empty"),
        (b"a,a\n1,2\n", "names a column twice"),
        (b"a,b\n1\n", "row 1 has 1 cells, the header 2"),
        (b'a,b\n"1,2\n', "unexpected end of data"),
        (b"a\n\xff\n", "invalid start byte"),
    ],
)
def test_what_is_no_csv_is_told(data: bytes, why: str) -> None:
    with pytest.raises(InputError, match=f"rows.csv is no CSV with a header: .*{why}"):
        rows_of_csv(data, "rows.csv")


def test_a_byte_order_mark_and_a_null() -> None:
    frame = rows_of_csv("\ufeffa,b\n1,\n".encode(), "rows.csv")
    assert frame.to_dict("records") == [{"a": "1", "b": None}]


def test_what_cannot_be_read_is_told(env: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ObjectMissing, match=r"there is no 'none\.csv'") as caught:
        load_data_set("iris", {**env, "IRIS_URL": "none.csv"})
    assert "IRIS_URL names it as the source" in str(caught.value)
    with pytest.raises(OutsideStorage):
        load_data_set("iris", {**env, "IRIS_URL": "file:///etc/passwd"})
    with pytest.raises(OutsideStorage):
        load_data_set("iris", {**env, "IRIS_URL": "../iris.csv"})
    with pytest.raises(InputError, match="IRIS_URL is int, not text"):
        load_data_set("iris", {**env, "IRIS_URL": 7})
    with pytest.raises(InputError, match="no data set 'roses'"):
        load_data_set("roses", env)
    monkeypatch.setattr(data_set_files, "MOST_BYTES", 10)
    (tmp_path / "iris.csv").write_bytes(CSV)
    with pytest.raises(InputError, match=r"iris\.csv has more than 10 bytes"):
        read_source("iris.csv", env)
