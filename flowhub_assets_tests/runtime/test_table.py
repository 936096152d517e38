"""What a task tells of its table, and where Dagster shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from dagster import DagsterInstance

from flowhub_assets import describe_table as public_describe_table
from flowhub_assets.errors import ValueRefused
from flowhub_assets.ml.schema import Column
from flowhub_assets.runtime.pipes import shown_as_json, shown_from_json
from flowhub_assets.runtime.show import DESCRIBED, collect_shown
from flowhub_assets.runtime.table import describe_table
from flowhub_assets.to_dagster.metadata import shown_metadata
from flowhub_assets_tests.workflows import Workflows


def described(*args: Any, **words: Any) -> dict[str, Any]:
    with collect_shown() as shown:
        describe_table(*args, **words)
    (one,) = shown
    assert one.kind == DESCRIBED
    assert shown_from_json(shown_as_json(shown)) == tuple(shown), "it travels out of a pod"
    data: dict[str, Any] = one.data
    return data


def test_columns_are_dicts_or_objects_of_a_dataclass() -> None:
    assert public_describe_table is describe_table
    age = Column("age", "integer", "years", low=0, high=1200)
    kind = {"name": "kind", "values": ("cat", "dog"), "unique": True}
    assert described([age, kind], rows=np.int64(3), name="pets", url="s3://bucket/pets.csv") == {
        "columns": [
            {
                "name": "age",
                "type": "integer",
                "description": "years",
                "nullable": False,
                "unique": False,
                "constraints": ["at least 0", "at most 1,200"],
            },
            {
                "name": "kind",
                "type": "text",
                "description": "",
                "nullable": True,
                "unique": True,
                "constraints": ["one of cat, dog"],
            },
        ],
        "rows": 3,
        "name": "pets",
        "url": "s3://bucket/pets.csv",
    }
    assert described(rows=0) == {"columns": [], "rows": 0}


@dataclass
class Nameless:
    type: str = "text"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ({"columns": [{"type": "text"}]}, "was given the column"),
        ({"columns": ["age"]}, "was given the column 'age'"),
        ({"columns": [Nameless()]}, "was given the column"),
        ({"rows": -1}, r"describe_table\(rows=-1\)"),
        ({"rows": True}, r"describe_table\(rows=True\)"),
        ({"rows": "3"}, r"describe_table\(rows='3'\)"),
        ({"url": "postgresql://me:geheim@host/db"}, "a URL with a password"),
    ],
)
def test_what_is_refused_outside_a_run_too(words: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueRefused, match=why) as caught:
        describe_table(**words)
    assert "geheim" not in str(caught.value)


def test_it_stands_in_dagsters_own_places() -> None:
    with collect_shown() as shown:
        describe_table([Column("age", "integer", low=0)], rows=3, name="pets", url="file:///pets.csv")
    known: Any = shown_metadata(shown)
    (column,) = known["dagster/column_schema"].schema.columns
    assert (column.name, column.type, column.constraints.nullable, column.constraints.other) == (
        "age",
        "integer",
        False,
        ["at least 0"],
    )
    assert {name: known[name] for name in ("dagster/row_count", "dagster/table_name")} == {
        "dagster/row_count": 3,
        "dagster/table_name": "pets",
    }
    assert known["dagster/uri"].value == "file:///pets.csv"


def test_the_last_word_counts_and_dagster_keeps_it(workflows: Workflows, instance: DagsterInstance) -> None:
    workflows.write(
        "pets.py",
        """
        from flowhub_assets import describe_table

        @task
        def load(args):
            describe_table([{"name": "age"}], rows=1)
            describe_table([{"name": "age"}, {"name": "kind"}], rows=2)
            return {}

        @flow(name="pets")
        def pets(args):
            return load(args)
        """,
    )
    result = workflows.run("pets", instance)
    assert result.success
    (event,) = result.get_asset_materialization_events()
    metadata: Any = event.materialization.metadata
    assert metadata["dagster/row_count"].value == 2
    assert [column.name for column in metadata["dagster/column_schema"].value.columns] == ["age", "kind"]
