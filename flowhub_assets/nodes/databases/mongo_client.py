"""MongoDB: one client for each connection, calls that end in time, and what the server says, told with what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from flowhub_assets.nodes.databases.client_cache import ClientCache
from flowhub_assets.nodes.databases.drivers import driver
from flowhub_assets.nodes.sdk import NodeError
from flowhub_assets.nodes.timed_call import timed_call
from flowhub_assets.nodes.url_passwords import without_password

Result = TypeVar("Result")

_CONNECT_MS = 10_000
#: How much longer than the driver, in seconds, a node waits for the driver's own word that it took too long.
_GRACE = 1.0

#: The server's error code → what to do.
_REMEDIES = {
    13: "Give the connection's user the right to do this.",
    18: "Check the user and the password of the connection, and authSource in its URL.",
    50: "See why it takes so long, add an index, or raise timeout in the node's config.",
    11000: "A document with the same value of a unique index is there; look at the documents that it was given.",
}
#: Its codes for what a next try may find changed, beside those of lost connections: MaxTimeMSExpired, WriteConflict.
_PASSING = (50, 112)


async def on_collection(
    url: str, database: str, collection: str, work: Callable[[Any], Result], *, seconds: float, doing: str
) -> Result:
    """What ``work(collection)`` returns, called in a thread with pymongo's collection.

    The server, too, gives up after ``seconds``. pymongo has no word for ending a call early: where the step is
    cancelled, nobody waits for the call any more, and it ends by itself. Raises NodeError.
    """

    def call() -> Result:
        pymongo = driver("pymongo")
        from bson.errors import BSONError

        try:
            with pymongo.timeout(seconds):
                return work(_clients.get(url)[database][collection])
        except pymongo.errors.PyMongoError as error:
            raise _told(error, url, doing) from None
        except (BSONError, OverflowError) as error:
            raise NodeError(f"{doing} has a value that MongoDB cannot keep: {error}", retry=False) from None

    return await timed_call(call, seconds=seconds + _GRACE, system="MongoDB", stop=None)


def _told(error: Any, url: str, doing: str) -> NodeError:
    import pymongo.errors

    code = getattr(error, "code", None) or 0
    details = getattr(error, "details", None) or {}
    lost = isinstance(error, (pymongo.errors.ConnectionFailure, pymongo.errors.WTimeoutError))
    if lost:
        remedy = "See whether the server of the connection runs and can be reached from here."
    else:
        remedy = _REMEDIES.get(code, "")
    text = details.get("errmsg") if isinstance(details, dict) else None
    return NodeError(
        f"{doing} failed: {without_password(str(text or error), url)}", remedy=remedy, retry=lost or code in _PASSING
    )


def _make_client(url: str) -> Any:
    pymongo = driver("pymongo")
    from bson.codec_options import DatetimeConversion

    try:
        return pymongo.MongoClient(
            url,
            appname="flowhub",
            connectTimeoutMS=_CONNECT_MS,
            tz_aware=True,
            # Years that Python's calendar lacks are told as numbers, not as an error.
            datetime_conversion=DatetimeConversion.DATETIME_AUTO,
            uuidRepresentation="standard",
        )
    except (pymongo.errors.PyMongoError, ValueError):
        # Its words quote what it takes for a host, which may be half of a password.
        raise NodeError(
            "the connection's URL is not one that pymongo takes",
            remedy="Give it the form mongodb://user:password@host:27017/, with %40 for @, %3A for : and %2F for / "
            "in the password.",
            retry=False,
        ) from None


_clients: ClientCache[Any] = ClientCache(_make_client, lambda client: client.close())
