"""The kind mongodb-insert."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from pydantic import Field, model_validator

from flowhub_assets.nodes.connection_names import ConnectionName
from flowhub_assets.nodes.databases.drivers import driver
from flowhub_assets.nodes.databases.mongo_client import on_collection
from flowhub_assets.nodes.databases.mongo_names import CollectionName, DatabaseName
from flowhub_assets.nodes.databases.mongo_values import to_bson
from flowhub_assets.nodes.sdk import Node, NodeConfig, NodeContext, NodeInput, NodeOutput

_DUPLICATE = 11000


class MongodbInsert(Node):
    """Puts one document, or a list of them, into a collection of MongoDB.

    A document without `_id` gets one that follows from the run, the node, the loop's item and its place in the list,
    so that a retry finds what an earlier try has inserted and **never inserts a document twice**. Another
    run inserts anew. A document with an `_id` of its own that is there already is an error.

    Documents are inserted one by one, not all or none: where one is refused, the others are there.

    Ids and times can be written as in MongoDB's extended JSON: `{author: {$oid: "65f0c0ffee0ddba11c0ffee5"}}`,
    `{createdAt: {$date: "{{$now}}"}}`; without `$date` a time stays text. Also read are `$numberDecimal` and
    `$numberLong`.

    **Connections**: `connection: mongodb`, the default, reads the URL from `MONGODB_URL` of the env profile or the
    environment: `mongodb://user:password@host:27017/`. It needs `pip install 'flowhub-assets[nodes]'`.

    **Errors**: a value of a unique index that is there already, what the collection's validation refuses, no
    answer within `timeout` seconds, a refused log-in.
    """

    name = "mongodb-insert"
    category = "database"
    example = """\
- id: save-article
  type: mongodb-insert
  config: {database: flume, collection: articles}
  inputs:
    document: {title: Autumn, createdAt: {$date: "{{$now}}"}}
"""

    class Config(NodeConfig):
        """Where the documents go."""

        connection: ConnectionName = Field(
            "mongodb", description="Name of the connection: mongodb reads MONGODB_URL of the profile."
        )
        database: DatabaseName = Field(description="The database; MongoDB makes one that is absent.")
        collection: CollectionName = Field(description="The collection; MongoDB makes one that is absent.")
        timeout: float = Field(30, gt=0, le=86_400, description="Seconds after which the insert is given up.")

    class Input(NodeInput):
        """One document or several."""

        document: dict[str, Any] | None = Field(None, description="The document to insert.")
        documents: list[dict[str, Any]] | None = Field(None, description="The documents to insert, in place of one.")

        @model_validator(mode="after")
        def _one_of_both(self) -> MongodbInsert.Input:
            if (self.document is None) == (self.documents is None):
                raise ValueError("must have either document or documents")
            return self

    class Output(NodeOutput):
        """What is there now."""

        ids: list[str] = Field(description="The id of each document as text, in their order.")
        count: int = Field(description="How many documents were inserted, by this try or an earlier one.")

    config: Config

    async def execute(self, input: Input, context: NodeContext) -> Output:
        """Inserts what is not there yet."""
        settings = self.config
        given = input.documents if input.documents is not None else [input.document or {}]
        if not given:
            return self.Output(ids=[], count=0)
        driver("pymongo")
        ids = [_made_id(context, index) for index in range(len(given))]
        documents = [{"_id": made, **to_bson(document)} for made, document in zip(ids, given, strict=True)]
        await on_collection(
            context.connection(settings.connection),
            settings.database,
            settings.collection,
            lambda collection: _insert(collection, documents, ids),
            seconds=settings.timeout,
            doing=f"the insert into {settings.database}.{settings.collection}",
        )
        return self.Output(ids=[str(document["_id"]) for document in documents], count=len(documents))


def _made_id(context: NodeContext, index: int) -> Any:
    """An ObjectId that is the same for each try of a run's node; outside of a run, a new one."""
    from bson import ObjectId

    if not context.profile.get("run_id"):
        return ObjectId()
    place = [context.profile.get(name) for name in ("project", "run_id", "task")]
    return ObjectId(hashlib.sha256(repr((place, context.iteration, index)).encode()).digest()[:12])


def _insert(collection: Any, documents: Sequence[dict[str, Any]], made: Sequence[Any]) -> None:
    """Inserts them; one under an id that only an earlier try can have made is in its place already."""
    from pymongo.errors import BulkWriteError, DuplicateKeyError, WriteError

    try:
        collection.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        for wrong in error.details.get("writeErrors", ()):
            if not _of_an_earlier_try(wrong, documents[wrong["index"]]["_id"], made):
                kind = DuplicateKeyError if wrong.get("code") == _DUPLICATE else WriteError
                raise kind(f"documents[{wrong['index']}]: {wrong.get('errmsg')}", wrong.get("code")) from None
        if error.details.get("writeConcernErrors"):
            raise


def _of_an_earlier_try(wrong: dict[str, Any], own: Any, made: Sequence[Any]) -> bool:
    # MongoDB 4.2 and older do not say which key it was, but name the index.
    of_id = wrong.get("keyValue") == {"_id": own} or (
        "keyValue" not in wrong and "index: _id_ " in wrong.get("errmsg", "")
    )
    return wrong.get("code") == _DUPLICATE and of_id and own == made[wrong["index"]]
