"""Published versions: named after their content, read back as they were, and never half written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowhub_assets.errors import InputError, ObjectMissing, StorageError
from flowhub_assets.ml import data_sets
from flowhub_assets.ml.data_set_files import rows_of_csv, shipped_data_set
from flowhub_assets.ml.data_set_versions import canonical_csv, publish, published
from flowhub_assets.ml.data_sets import DATA_SETS, DataSet, typed
from flowhub_assets.ml.schema import Column
from flowhub_assets_tests.s3_server import S3Server
from flowhub_assets_tests.s3_server import s3 as s3  # a fixture

ANY = DataSet(
    "any",
    "regression",
    "share",
    (
        Column("count", "integer", nullable=True),
        Column("share", "number", nullable=True),
        Column("name", "text", nullable=True),
        Column("day", "date", nullable=True),
    ),
    "columns of each type",
)
ROWS = st.lists(
    st.tuples(
        st.one_of(st.none(), st.integers(-(2**53), 2**53)),
        st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)),
        st.one_of(st.none(), st.text(st.characters(codec="utf-8")).filter(lambda text: bool(text.strip()))),
        st.one_of(st.none(), st.dates().map(str)),
    ),
    min_size=1,
    max_size=20,
)


@pytest.fixture
def env(tmp_path: Path) -> dict[str, Any]:
    return {"WORKSPACE": str(tmp_path)}


def frame_of(rows: list[Any]) -> pd.DataFrame:
    return typed(ANY, pd.DataFrame(rows, columns=[column.name for column in ANY.columns], dtype="object"))


@given(ROWS)
def test_the_canonical_text_reads_back_as_the_same_rows(rows: list[Any]) -> None:
    text = canonical_csv(ANY, frame_of(rows))
    back = typed(ANY, rows_of_csv(text, "a test"))
    assert canonical_csv(ANY, back) == text
    key = [tuple(str(value) for value in row) for row in frame_of(rows).astype("object").to_numpy()]
    # -0.0 equals 0.0 and is written as it.
    found = [tuple(str(value) for value in row) for row in back.astype("object").to_numpy()]
    assert sorted(found) == sorted(tuple("0.0" if text == "-0.0" else text for text in row) for row in key)


@given(ROWS, st.randoms(use_true_random=False))
def test_the_same_rows_in_any_order_are_the_same_text(rows: list[Any], chance: Any) -> None:
    text = canonical_csv(ANY, frame_of(rows))
    chance.shuffle(rows)
    assert canonical_csv(ANY, frame_of(rows)[["day", "name", "share", "count"]]) == text


def test_a_zero_has_one_sign() -> None:
    texts = {canonical_csv(ANY, frame_of([(1, zero, None, None)])) for zero in (0.0, -0.0, 0)}
    assert texts == {b"count,share,name,day\r\n1,0.0,,\r\n"}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(rows=ROWS)
def test_what_is_published_is_read_back(rows: list[Any], env: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_sets, "DATA_SETS", {"any": ANY})
    made = publish("any", frame_of(rows), env, "a test")
    data_set, frame, described = published("any", env)
    assert (data_set, described) == (ANY, made)
    assert canonical_csv(ANY, frame) == canonical_csv(ANY, frame_of(rows))


def test_a_version_is_a_name_for_its_rows(env: dict[str, Any], tmp_path: Path) -> None:
    frame, source = shipped_data_set("iris")
    made = publish("iris", frame, env, source)
    assert made == {
        "name": "iris",
        "version": made["version"],
        "url": f"file://{tmp_path}/data_sets/iris/{made['version']}.csv",
        "rows": 150,
        "columns": ["sepal_length", "sepal_width", "petal_length", "petal_width", "species"],
        "source": source,
    }
    assert publish("iris", frame.sample(frac=1, random_state=7), env, source) == made
    (tmp_path / "data_sets/iris" / f"{made['version']}.csv").chmod(0o444)
    other = publish("iris", frame.head(149), env, "elsewhere")
    assert other["version"] != made["version"]
    assert published("iris", env)[2] == other
    data_set, again, described = published("iris", env, made["version"])
    assert (data_set, described, len(again)) == (DATA_SETS["iris"], made, 150)
    names = {file.name for file in (tmp_path / "data_sets/iris").iterdir()}
    versions = (made["version"], other["version"])
    assert names == {"latest.json", *(f"{one}.{end}" for one in versions for end in ("csv", "json"))}


def test_it_is_the_same_in_a_bucket(s3: S3Server) -> None:
    frame, source = shipped_data_set("titanic")
    made = publish("titanic", frame, s3.env(), source)
    assert made["url"] == f"s3://bucket/data_sets/titanic/{made['version']}.csv"
    _, back, described = published("titanic", s3.env())
    assert described == made
    assert back["age"].isna().sum() == 263
    assert len(back) == 1309


def test_rows_with_faults_are_not_published_and_the_newest_version_stays(env: dict[str, Any]) -> None:
    frame, source = shipped_data_set("iris")
    made = publish("iris", frame, env, source)
    with pytest.raises(
        InputError, match=r"the rows from a mail are not what data set 'iris' holds: .*none of"
    ) as caught:
        publish("iris", frame.assign(species="rose"), env, "a mail")
    assert "newest version stays" in str(caught.value)
    assert published("iris", env)[2] == made


def test_what_is_not_there_says_what_to_do(env: dict[str, Any]) -> None:
    with pytest.raises(ObjectMissing, match="data set 'iris' is not published") as caught:
        published("iris", env)
    assert "Materialise the asset data_sets/iris first." in str(caught.value)
    with pytest.raises(ObjectMissing, match="version 0123456789ab of"):
        published("iris", env, "0123456789ab")
    with pytest.raises(InputError, match="no version"):
        published("iris", env, "../../secret")
    with pytest.raises(InputError, match="no data set 'irish'"):
        published("irish", env)


def test_rows_that_somebody_changed_are_told(env: dict[str, Any], tmp_path: Path) -> None:
    frame, source = shipped_data_set("iris")
    made = publish("iris", frame, env, source)
    file = tmp_path / "data_sets/iris" / f"{made['version']}.csv"
    file.write_bytes(file.read_bytes().replace(b"4.3,", b"9.3,", 1))
    with pytest.raises(StorageError, match="are not those that were published"):
        published("iris", env)


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"version": 7}', '{"version": "../../../secret"}', "\x00"])
def test_a_description_that_somebody_wrote_is_told(env: dict[str, Any], tmp_path: Path, text: str) -> None:
    file = tmp_path / "data_sets/iris/latest.json"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    with pytest.raises(StorageError, match=r"data_sets/iris/latest\.json is not what was written there"):
        published("iris", env)


def test_latest_is_written_after_all_that_it_names(env: dict[str, Any], tmp_path: Path) -> None:
    frame, source = shipped_data_set("iris")
    made = publish("iris", frame, env, source)
    folder = tmp_path / "data_sets/iris"
    assert json.loads((folder / "latest.json").read_text()) == made
    (folder / "latest.json").unlink()
    (folder / "latest.json").mkdir()
    with pytest.raises(StorageError):
        publish("iris", frame.head(100), env, source)
    assert len([*folder.glob("*.csv")]) == 2, "the rows were there before"
