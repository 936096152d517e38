"""Redis: one client for each connection, calls that end in time, and what the server says, told with what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from flowhub_assets.nodes.databases.client_cache import ClientCache
from flowhub_assets.nodes.databases.drivers import driver
from flowhub_assets.nodes.sdk import NodeError
from flowhub_assets.nodes.timed_call import timed_call
from flowhub_assets.nodes.url_passwords import without_password

Result = TypeVar("Result")

_CONNECT_SECONDS = 10
#: A server that says nothing for so long is gone; a node's own timeout is shorter or longer.
_SILENT_SECONDS = 60
#: Further calls wait for one of these: a fan-out of a thousand nodes is no attack on the server.
_MOST_CONNECTIONS = 50

#: The driver's class of error, or words of its message → what to do.
_REMEDIES = (
    (("AuthenticationError", "Authentication required"), "Check the user and the password of the connection."),
    (("NoPermissionError",), "Give the connection's user the right to do this."),
    (("WRONGTYPE",), "These nodes read and write text; the key holds a list, a hash or a set."),
    (("OutOfMemoryError",), "Redis is full: give keys a ttl, or give it more memory."),
    (("ReadOnlyError",), "The connection leads to a replica; give it the URL of the primary."),
    (("DB index",), "Write a database that the server has at the end of the connection's URL."),
)


async def on_redis(url: str, work: Callable[[Any], Result], *, seconds: float, doing: str) -> Result:
    """What ``work(client)`` returns, called in a thread with redis-py's client, which gives bytes.

    Nothing is sent twice. Where the step is cancelled or it takes longer than ``seconds``, its connection is cut.
    Raises NodeError.
    """
    used: list[Any] = []

    def call() -> Result:
        redis = driver("redis")
        try:
            # A connection of this call's own, out of the pool, so that stopping it stops nobody else.
            with _clients.get(url).client() as client:
                used.append(client)
                return work(client)
        except redis.RedisError as error:
            raise _told(error, url, doing) from None

    def stop() -> None:
        for client in used:
            if client.connection is not None:
                client.connection.disconnect()

    return await timed_call(call, seconds=seconds, system="Redis", stop=stop)


def _told(error: Any, url: str, doing: str) -> NodeError:
    from redis import exceptions as known

    text = str(error)
    lost = isinstance(error, (known.ConnectionError, known.TimeoutError)) and not isinstance(
        error, (known.AuthenticationError, known.AuthorizationError)
    )
    told = f"{type(error).__name__}: {text}"
    remedy = next((remedy for signs, remedy in _REMEDIES if any(sign in told for sign in signs)), "")
    if lost and not remedy:
        remedy = "See whether the server of the connection runs and can be reached from here."
    passing = lost or isinstance(error, (known.BusyLoadingError, known.OutOfMemoryError))
    return NodeError(f"{doing} failed: {without_password(text, url)}", remedy=remedy, retry=passing)


def _make_client(url: str) -> Any:
    redis = driver("redis")
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    try:
        pool = redis.BlockingConnectionPool.from_url(
            url,
            max_connections=_MOST_CONNECTIONS,
            timeout=_SILENT_SECONDS,
            socket_connect_timeout=_CONNECT_SECONDS,
            socket_timeout=_SILENT_SECONDS,
            health_check_interval=30,
            # What a lost connection did is unknown; the pipeline's retry decides, not the driver.
            retry=Retry(NoBackoff(), 0),
        )
        return redis.Redis(connection_pool=pool)
    except ValueError:
        # Its words quote what it takes for a port, which may be half of a password.
        raise NodeError(
            "the connection's URL is not one that redis-py takes",
            remedy="Give it the form redis://user:password@host:6379/0 (rediss:// is with TLS), with %40 for @, "
            "%3A for : and %2F for / in the password.",
            retry=False,
        ) from None


_clients: ClientCache[Any] = ClientCache(_make_client, lambda client: client.connection_pool.disconnect())
