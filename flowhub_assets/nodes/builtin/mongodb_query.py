"""The kind mongodb-query."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from flowhub_assets.nodes.connection_names import ConnectionName
from flowhub_assets.nodes.databases.mongo_client import on_collection
from flowhub_assets.nodes.databases.mongo_names import CollectionName, DatabaseName
from flowhub_assets.nodes.databases.mongo_values import refuse_code, to_bson
from flowhub_assets.nodes.databases.values import as_json
from flowhub_assets.nodes.sdk import Node, NodeConfig, NodeContext, NodeInput, NodeOutput


def _is_order(sort: dict[str, Any]) -> dict[str, Any]:
    return {field: {"asc": 1, "desc": -1}.get(order, order) for field, order in sort.items()}


class MongodbQuery(Node):
    """Finds documents in a collection of MongoDB.

    `inputs.filter` is a MongoDB query: `{status: active, total: {$gt: 10}}`. Ids and times are written as in
    MongoDB's extended JSON: `{_id: {$oid: "65f0c0ffee0ddba11c0ffee5"}}`, `{at: {$gte: {$date: "2026-01-31"}}}`.

    Operators that run code in the database (`$where`, `$function`, `$accumulator`) are refused. A value from outside
    that may be an object could bring an operator of its own; `{name: {$eq: "{{trigger.name}}"}}` takes it as a value
    whatever it is.

    In the documents, ids are text, times ISO 8601 text, bytes base64, decimals numbers where JSON keeps them exactly
    and else text.

    **Connections**: `connection: mongodb`, the default, reads the URL from `MONGODB_URL` of the env profile or the
    environment: `mongodb://user:password@host:27017/`. It needs `pip install 'flowhub-assets[nodes]'`.

    **Errors**: an operator that MongoDB does not know, no answer within `timeout` seconds, a refused log-in.
    """

    name = "mongodb-query"
    category = "database"
    primary = "documents"
    example = """\
- id: active-users
  type: mongodb-query
  config:
    database: shop
    collection: users
    sort: {createdAt: desc}
    projection: [name, email]
    limit: 20
  inputs:
    filter: {status: active, age: {$gte: 18}}
"""

    class Config(NodeConfig):
        """Where to look, and how much to give."""

        connection: ConnectionName = Field(
            "mongodb", description="Name of the connection: mongodb reads MONGODB_URL of the profile."
        )
        database: DatabaseName = Field(description="The database.")
        collection: CollectionName = Field(description="The collection.")
        limit: int = Field(100, ge=1, le=10_000, description="How many documents it gives at most.")
        skip: int = Field(0, ge=0, description="How many documents are left out at the beginning.")
        sort: Annotated[dict[str, Literal[1, -1, "asc", "desc"]], AfterValidator(_is_order)] = Field(
            default_factory=dict, description="The order: field → asc or desc; the first field counts most."
        )
        projection: list[str] | dict[str, Literal[0, 1]] | None = Field(
            None, description="The fields to give: a list of names, or name → 1 (give) or 0 (leave out). All if absent."
        )
        timeout: float = Field(30, gt=0, le=86_400, description="Seconds after which the query is given up.")

    class Input(NodeInput):
        """Which documents."""

        filter: dict[str, Any] = Field(default_factory=dict, description="A MongoDB query; {} finds all documents.")

    class Output(NodeOutput):
        """What was found."""

        documents: list[dict[str, Any]] = Field(description="The documents.")
        count: int = Field(description="How many documents are given.")

    config: Config

    async def execute(self, input: Input, context: NodeContext) -> Output:
        """Finds the documents."""
        settings = self.config
        refuse_code(input.filter, "filter")
        wanted = to_bson(input.filter)
        found = await on_collection(
            context.connection(settings.connection),
            settings.database,
            settings.collection,
            lambda collection: list(
                collection.find(
                    wanted,
                    settings.projection,
                    sort=list(settings.sort.items()) or None,
                    skip=settings.skip,
                    limit=settings.limit,
                )
            ),
            seconds=settings.timeout,
            doing=f"the query of {settings.database}.{settings.collection}",
        )
        return self.Output(documents=[as_json(document) for document in found], count=len(found))
