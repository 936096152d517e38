"""The kind sql-load."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from flowhub_assets.nodes.connection_names import ConnectionName
from flowhub_assets.nodes.databases.sql_engine import in_transaction
from flowhub_assets.nodes.databases.sql_tables import (
    found_table,
    missing_table,
    new_table,
    require_columns,
    split_table_name,
    stored_rows,
)
from flowhub_assets.nodes.sdk import Node, NodeConfig, NodeContext, NodeError, NodeInput, NodeOutput

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table


def _require_table_name(name: str) -> str:
    split_table_name(name)
    return name


class SqlLoad(Node):
    """Writes a list of rows into a table of a database.

    All rows are written in one transaction: where one is refused, the table stays as it was, so it can be tried again.
    `mode` says what happens to what is there: `append` keeps it, `replace` deletes it first (in the same
    transaction; readers see the old rows until the end), `upsert` replaces the rows that have the same values in
    the columns of `keys` and adds the others. Of rows of one key in `rows`, the last one counts. Where the answer to
    a commit is lost, nobody knows whether the rows are there: a retry in mode `append` could add them twice, in the
    other modes it does no harm.

    A key that a row lacks is left to the column's default, and in an upsert to what is there; `null` is written as
    NULL. Text in ISO 8601 goes into columns of times, base64 into columns of bytes, objects into JSON.

    With `createTable: true` a table that is absent is made from the rows: TEXT, BIGINT, DOUBLE PRECISION, BOOLEAN,
    and JSON for objects and lists, with `keys` as its primary key. It is never changed afterwards.

    **Connections**: as in sql-query. `upsert` needs PostgreSQL or SQLite, and a unique index over `keys`.

    **Errors**: a table or a column that is not there, a value that its column cannot hold, and what the database
    refuses.
    """

    name = "sql-load"
    category = "database"
    example = """\
- id: save-figures
  type: sql-load
  config: {connection: warehouse, table: reports.figures, mode: upsert, keys: [day], createTable: true}
  inputs:
    rows:
      - {day: "2026-01-31", visitors: 120, share: 0.25}
      - {day: "2026-02-01", visitors: 95, share: 0.5}
"""

    class Config(NodeConfig):
        """Where the rows go, and what becomes of those that are there."""

        connection: ConnectionName = Field(description="Name of the connection: shop reads SHOP_URL of the profile.")
        table: Annotated[str, AfterValidator(_require_table_name)] = Field(
            description="The table, or schema.table; letters, digits and '_'."
        )
        mode: Literal["append", "replace", "upsert"] = Field(
            "append", description="append adds the rows, replace puts them in place of all, upsert goes by keys."
        )
        keys: list[str] = Field(default_factory=list, description="For upsert: the columns that tell rows apart.")
        create_table: bool = Field(False, description="Whether a table that is absent is made from the rows.")
        batch_size: int = Field(1000, ge=1, le=10_000, description="How many rows one statement carries.")
        timeout: float = Field(300, gt=0, le=86_400, description="Seconds after which the load is given up.")

        @model_validator(mode="after")
        def _keys_belong_to_upsert(self) -> SqlLoad.Config:
            if self.mode == "upsert" and not self.keys:
                raise ValueError("has mode upsert and no keys: name the columns that tell rows apart")
            return self

    class Input(NodeInput):
        """What is written."""

        rows: list[dict[str, Any]] = Field(description="The rows: one object each, by column.")

    class Output(NodeOutput):
        """What was written."""

        count: int = Field(description="How many rows were written.")
        table: str = Field(description="The table.")
        created: bool = Field(False, description="Whether the table was made.")

    config: Config

    async def execute(self, input: Input, context: NodeContext) -> Output:
        """Writes the rows in one transaction."""
        return await in_transaction(
            context.connection(self.config.connection),
            lambda connection: self._load(connection, input.rows),
            seconds=self.config.timeout,
            doing=f"the load into {self.config.table}",
        )

    def _load(self, connection: Connection, rows: list[dict[str, Any]]) -> Output:
        settings = self.config
        table = found_table(connection, settings.table)
        created = table is None
        if table is None:
            if not settings.create_table:
                raise missing_table(connection, settings.table)
            if not rows:
                return self.Output(count=0, table=settings.table)
            table = new_table(connection, settings.table, rows, settings.keys)
        require_columns(table, rows)
        if settings.mode == "replace":
            connection.execute(table.delete())
        if settings.mode == "upsert":
            rows = _last_of_each(rows, settings.keys)
        for part in _of_same_columns(stored_rows(table, rows)):
            statement = self._statement(connection, table, list(part[0]))
            for start in range(0, len(part), settings.batch_size):
                connection.execute(statement, part[start : start + settings.batch_size])
        return self.Output(count=len(rows), table=settings.table, created=created)

    def _statement(self, connection: Connection, table: Table, columns: list[str]) -> Any:
        if self.config.mode != "upsert":
            return table.insert()
        dialect = connection.dialect.name
        if dialect == "postgresql":
            from sqlalchemy.dialects.postgresql import insert
        elif dialect == "sqlite":
            from sqlalchemy.dialects.sqlite import insert  # type: ignore[assignment]
        else:
            raise NodeError(
                f"mode upsert is known for PostgreSQL and SQLite, not for {dialect}",
                remedy="Load into an empty table with mode: replace, and merge with sql-query.",
                retry=False,
            )
        statement = insert(table)
        changed = {column: statement.excluded[column] for column in columns if column not in self.config.keys}
        if not changed:
            return statement.on_conflict_do_nothing(index_elements=self.config.keys)
        return statement.on_conflict_do_update(index_elements=self.config.keys, set_=changed)


def _last_of_each(rows: Sequence[dict[str, Any]], keys: Sequence[str]) -> list[dict[str, Any]]:
    """One statement may not touch a row twice: of rows with the same ``keys``, the last one."""
    last: dict[str, dict[str, Any]] = {}
    for number, row in enumerate(rows):
        missing = [key for key in keys if row.get(key) is None]
        if missing:
            raise NodeError(f"rows[{number}] has no {missing[0]!r}", remedy="Give each row all of keys.", retry=False)
        identity = repr([row[key] for key in keys])
        last.pop(identity, None)
        last[identity] = row
    return list(last.values())


def _of_same_columns(rows: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """One statement has one list of columns, so rows with the same ones go together."""
    parts: dict[frozenset[str], list[dict[str, Any]]] = {}
    for row in rows:
        parts.setdefault(frozenset(row), []).append(row)
    return list(parts.values())
