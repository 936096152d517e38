"""The kind sql-query."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from pydantic import Field

from flowhub_assets.ir.spelling import did_you_mean, listed
from flowhub_assets.nodes.connection_names import ConnectionName
from flowhub_assets.nodes.databases.sql_engine import in_transaction
from flowhub_assets.nodes.databases.values import as_json
from flowhub_assets.nodes.sdk import Node, NodeConfig, NodeContext, NodeError, NodeInput, NodeOutput
from flowhub_assets.nodes.verbatim import QueryText

if TYPE_CHECKING:
    from sqlalchemy import Connection, TextClause

#: PostgreSQL sends these in portions; anything else is fetched at once.
_STREAMED = re.compile(r"(\s|--[^\n]*\n|/\*.*?\*/)*(select|values|with)\b", re.IGNORECASE | re.DOTALL)


class SqlQuery(Node):
    """Asks a database one question in SQL and gives the rows.

    Values never become part of the SQL text: `query` holds names such as `:city`, and `inputs.parameters` gives
    their values, which the driver sends beside the text. A list stands after `IN` without parentheses
    (`id IN :ids`); an object is sent as JSON text. A template in `query` is refused.

    The transaction is read-only unless `readOnly` is false: then it is committed, and a retry runs it again, so write
    it in a way that does no harm twice. Rows beyond `maxRows` are left out, and `truncated` says so. The
    statement is ended by the database after `timeout` seconds, and at once when the run is stopped.

    In the rows, times are ISO 8601 text, bytes base64, decimals numbers where JSON keeps them exactly and else text.

    **Connections**: `connection: shop` reads the URL from `SHOP_URL` of the env profile or the environment:
    `postgresql://user:password@host:5432/database` or `sqlite:///path/to/file.db`; others work where SQLAlchemy and
    the driver are installed. PostgreSQL needs `pip install 'flowhub-assets[nodes]'`.

    **Errors**: a missing or unknown parameter, two columns of one name, and what the database refuses.
    """

    name = "sql-query"
    category = "database"
    primary = "rows"
    example = """\
- id: recent-orders
  type: sql-query
  config:
    connection: shop
    query: SELECT id, city, total FROM orders WHERE city = :city AND total > :least ORDER BY id
    maxRows: 500
  inputs:
    parameters: {city: Seoul, least: 10}
"""

    class Config(NodeConfig):
        """Where to ask, and what."""

        connection: ConnectionName = Field(description="Name of the connection: shop reads SHOP_URL of the profile.")
        query: QueryText = Field(min_length=1, description="The SQL, with :name where a parameter's value belongs.")
        max_rows: int = Field(1000, ge=1, le=1_000_000, description="How many rows it gives at most.")
        read_only: bool = Field(True, description="Whether the database is to refuse changes; false commits them.")
        timeout: float = Field(60, gt=0, le=86_400, description="Seconds after which the database ends the query.")

    class Input(NodeInput):
        """The values to bind."""

        parameters: dict[str, Any] = Field(default_factory=dict, description="A value for each :name of the query.")

    class Output(NodeOutput):
        """The answer."""

        rows: list[dict[str, Any]] = Field(description="One object for each row, by column.")
        count: int = Field(description="How many rows are given; of a statement without rows, how many it changed.")
        columns: list[str] = Field(description="The columns' names, in order.")
        truncated: bool = Field(False, description="Whether there were more rows than maxRows.")

    config: Config

    async def execute(self, input: Input, context: NodeContext) -> Output:
        """Runs the query in a transaction of its own."""
        settings = self.config
        return await in_transaction(
            context.connection(settings.connection),
            lambda connection: self._ask(connection, input.parameters),
            seconds=settings.timeout,
            doing="the query",
            read_only=settings.read_only,
        )

    def _ask(self, connection: Connection, parameters: dict[str, Any]) -> Output:
        streamed = self.config.read_only and _STREAMED.match(self.config.query) is not None
        statement, values = _bound(self.config.query, parameters)
        result = connection.execute(statement.execution_options(stream_results=streamed), values)
        if not result.returns_rows:
            return self.Output(rows=[], count=max(0, result.rowcount), columns=[])
        columns = list(result.keys())
        _require_distinct(columns)
        found = result.fetchmany(self.config.max_rows + 1)
        result.close()
        rows = [dict(zip(columns, map(as_json, row), strict=True)) for row in found[: self.config.max_rows]]
        return self.Output(rows=rows, count=len(rows), columns=columns, truncated=len(found) > len(rows))


def _bound(query: str, parameters: dict[str, Any]) -> tuple[TextClause, dict[str, Any]]:
    """The statement, and a value that a driver takes for each of its names."""
    import sqlalchemy

    statement = sqlalchemy.text(query)
    names = set(statement.compile().params)
    unknown, missing = sorted(parameters.keys() - names), sorted(names - parameters.keys())
    if unknown or missing:
        raise NodeError(
            f"the query has no :{unknown[0]}" if unknown else f"parameters has no value for :{missing[0]}",
            remedy=did_you_mean(unknown[0], missing or names)
            or f"It has {listed(f':{name}' for name in sorted(names))}."
            if unknown
            else "Give it under inputs.parameters; a colon that begins no name is written \\: in the query.",
            retry=False,
        )
    expanding = [name for name in names if _stands_after_in(name, query)]
    for name in expanding:
        if not isinstance(parameters[name], list):
            raise NodeError(f"parameter {name!r} stands after IN and is no list", remedy="Give a list.", retry=False)
    values = {name: _sent(value) for name, value in parameters.items()}
    return statement.bindparams(*(sqlalchemy.bindparam(name, expanding=True) for name in expanding)), values


def _stands_after_in(name: str, query: str) -> bool:
    return re.search(rf"\bin\s+:{re.escape(name)}\b", query, re.IGNORECASE) is not None


def _sent(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value


def _require_distinct(columns: list[str]) -> None:
    for number, column in enumerate(columns):
        if column in columns[:number]:
            raise NodeError(
                f"the query gives two columns of the name {column!r}",
                remedy=f"Name one of them: {column} AS other_{column}.",
                retry=False,
            )
