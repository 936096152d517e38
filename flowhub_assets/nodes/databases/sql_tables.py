"""Tables that rows of JSON go into: looked up, or made from the rows."""

from __future__ import annotations

import base64
import binascii
import datetime
import json
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from flowhub_assets.ir.spelling import did_you_mean, listed
from flowhub_assets.nodes.sdk import NodeError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table
    from sqlalchemy.types import TypeEngine

Row = Mapping[str, Any]

#: PostgreSQL cuts a longer name off, in silence.
_LONGEST_NAME = 63
_NAME = re.compile(r"[^\W\d]\w*")
_MOST_BITS = 63


def split_table_name(name: str) -> tuple[str | None, str]:
    """``shop.orders`` → schema and table. Raises ValueError for what is not one name or two."""
    parts = name.split(".")
    if len(parts) > 2 or not all(_NAME.fullmatch(part) for part in parts):
        raise ValueError("must be table or schema.table, of letters, digits and '_'")
    if any(len(part.encode()) > _LONGEST_NAME for part in parts):
        raise ValueError(f"must have names of at most {_LONGEST_NAME} bytes")
    return (parts[0] if len(parts) == 2 else None), parts[-1]


def found_table(connection: Connection, name: str) -> Table | None:
    """The table as the database has it, None if it is not there."""
    import sqlalchemy

    schema, table = split_table_name(name)
    try:
        found = sqlalchemy.Table(table, sqlalchemy.MetaData(), schema=schema, autoload_with=connection)
    except sqlalchemy.exc.NoSuchTableError:
        return None
    for column in found.columns:
        if isinstance(column.type, sqlalchemy.JSON):
            # None in a row is SQL's NULL, not the JSON document null.
            column.type.none_as_null = True
    return found


def missing_table(connection: Connection, name: str) -> NodeError:
    """The error for a table that is not there, with the nearest one."""
    import sqlalchemy

    schema, table = split_table_name(name)
    near = did_you_mean(table, sqlalchemy.inspect(connection).get_table_names(schema))
    remedy = "Set createTable: true in the node's config to make it from the rows."
    return NodeError(f"there is no table {name!r}", remedy=f"{near} {remedy}" if near else remedy, retry=False)


def new_table(connection: Connection, name: str, rows: Sequence[Row], keys: Sequence[str]) -> Table:
    """Makes a table with a column for each key of ``rows``; ``keys`` are its primary key.

    Text becomes TEXT, whole numbers BIGINT, other numbers DOUBLE PRECISION, true and false BOOLEAN, objects and lists
    JSON (JSONB in PostgreSQL). Raises NodeError for a column of several types.
    """
    import sqlalchemy

    columns = list(dict.fromkeys(column for row in rows for column in row))
    for column in columns:
        _require_column_name(column)
    schema, table = split_table_name(name)
    if connection.dialect.name == "postgresql":
        # Two nodes that make the same table at the same time: the second waits, then finds it.
        lock = sqlalchemy.func.pg_advisory_xact_lock(sqlalchemy.func.hashtext(f"flowhub:{name}"))
        connection.execute(sqlalchemy.select(lock))
    made = sqlalchemy.Table(
        table,
        sqlalchemy.MetaData(),
        *(
            sqlalchemy.Column(
                column,
                _type_of(column, [row.get(column) for row in rows]),
                primary_key=column in keys,
                autoincrement=False,
            )
            for column in columns
        ),
        schema=schema,
    )
    made.create(connection, checkfirst=True)
    return made


def require_columns(table: Table, rows: Sequence[Row]) -> None:
    """Raises NodeError for the first key of a row that is no column of the table."""
    known = {column.name for column in table.columns}
    for number, row in enumerate(rows):
        for key in row:
            if key not in known:
                raise NodeError(
                    f"rows[{number}] has {key!r}, which is no column of table {table.fullname!r}",
                    remedy=did_you_mean(key, known) or f"Its columns are {listed(sorted(known))}.",
                    retry=False,
                )


def stored_rows(table: Table, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The rows with values that the driver takes for the table's columns: ISO 8601 text becomes a time, and so on.

    Raises NodeError, which names the row and the column, for text that is no such value.
    """
    import sqlalchemy

    converters = {column.name: _converter(column.type, sqlalchemy.JSON, sqlalchemy.ARRAY) for column in table.columns}
    return [
        {key: _stored(converters[key], value, number, key) for key, value in row.items()}
        for number, row in enumerate(rows)
    ]


def _stored(convert: Callable[[Any], Any], value: Any, number: int, column: str) -> Any:
    if value is None:
        return None
    try:
        return convert(value)
    except (ValueError, InvalidOperation, binascii.Error):
        raise NodeError(
            f"rows[{number}].{column} cannot be read as the column's type",
            remedy="Write times in ISO 8601 (2026-01-31T09:00:00Z), bytes in base64.",
            retry=False,
        ) from None


def _converter(kind: TypeEngine[Any], *takes_lists: type) -> Callable[[Any], Any]:
    if isinstance(kind, takes_lists):
        return lambda value: value
    try:
        python_type = kind.python_type
    except NotImplementedError:  # how SQLAlchemy says that it knows no Python type for the column's, INET say
        python_type = object
    read = _READERS.get(python_type)
    if read is None:
        return lambda value: json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value
    return lambda value: read(value) if isinstance(value, str) else value


_READERS: dict[type, Callable[[str], Any]] = {
    datetime.datetime: datetime.datetime.fromisoformat,
    datetime.date: datetime.date.fromisoformat,
    datetime.time: datetime.time.fromisoformat,
    uuid.UUID: uuid.UUID,
    Decimal: Decimal,
    bytes: lambda text: base64.b64decode(text, validate=True),
}


def _require_column_name(name: str) -> None:
    if not name or len(name.encode()) > _LONGEST_NAME or not name.isprintable():
        raise NodeError(
            f"{name[:_LONGEST_NAME]!r} cannot be the name of a column",
            remedy=f"Name the rows' keys with 1 to {_LONGEST_NAME} bytes of printable text.",
            retry=False,
        )


def _type_of(column: str, values: Sequence[Any]) -> TypeEngine[Any]:
    import sqlalchemy
    from sqlalchemy.dialects.postgresql import JSONB

    kinds = {_kind(value) for value in values if value is not None}
    if kinds <= {"text"}:
        return sqlalchemy.Text()
    if kinds == {"number"}:
        return _number_type([value for value in values if value is not None])
    if kinds == {"true or false"}:
        return sqlalchemy.Boolean()
    if kinds == {"object or list"}:
        return sqlalchemy.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
    raise NodeError(
        f"column {column!r} holds {listed(sorted(kinds))}, so it has no type",
        remedy="Give it values of one kind, or make the table yourself.",
        retry=False,
    )


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, (int, float)):
        return "number"
    return "text" if isinstance(value, str) else "object or list"


def _number_type(values: Sequence[float]) -> TypeEngine[Any]:
    import sqlalchemy

    if any(isinstance(value, float) for value in values):
        return sqlalchemy.Double()
    return (
        sqlalchemy.BigInteger()
        if all(int(value).bit_length() <= _MOST_BITS for value in values)
        else sqlalchemy.Numeric()
    )
