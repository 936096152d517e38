"""A double of MongoDB for tests: not the real server, which no package that pip, npm or Debian offers brings along.

What is real: pymongo with its pools, timeouts, cursors, log-in and error classes, and the bytes of MongoDB's wire
protocol (OP_MSG over TCP). What is not: the database behind it is mongomock, in this process, so queries mean what
mongomock takes them to mean, and there are no transactions, sessions, replica sets or indexes but that of ``_id``.

    with mongo_double() as mongo:
        mongo.url                                   # with a name and a password, which the double checks
        mongo.collection("shop", "orders").find()   # what it holds, by mongomock
        with mongo.held(): ...                      # it takes commands and answers none
"""

from __future__ import annotations

import contextlib
import secrets
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any, ClassVar
from urllib.parse import quote

import bson
import mongomock
import pytest

_OP_REPLY, _OP_QUERY, _OP_MSG = 1, 2004, 2013
_FIRST_BATCH = 101
#: The oldest and the newest protocol that it pretends to speak: MongoDB 4.2 to 7.0.
_WIRE_VERSIONS = {"minWireVersion": 8, "maxWireVersion": 21}
_HELLO = ("hello", "ismaster", "isMaster")

Reply = dict[str, Any]


class MongoDouble:
    """The server and what it holds."""

    def __init__(self) -> None:
        self.user, self.password = "flow", secrets.token_hex(12)
        self.commands: list[str] = []
        #: The newest of them, as it came.
        self.last: dict[str, Any] = {}
        #: How many of the next commands are done without a word: the connection ends instead.
        self.lose_answers = 0
        #: How many commands are held.
        self.waiting = 0
        self._data: Any = mongomock.MongoClient()
        self._cursors: dict[int, tuple[str, list[Any]]] = {}
        self._lock = threading.Lock()
        self._free = threading.Event()
        self._free.set()
        self._server = _Server(("127.0.0.1", 0), _Connection)
        self._server.double = self

    @property
    def url(self) -> str:
        """With the password; PLAIN is the one way to log in that it knows."""
        return self.url_of(self.user, self.password)

    def url_of(self, user: str, password: str) -> str:
        """The URL for somebody else."""
        host, port = self._server.server_address[:2]
        return f"mongodb://{quote(user, safe='')}:{quote(password, safe='')}@{host!s}:{port}/?authMechanism=PLAIN"

    def collection(self, database: str, collection: str) -> Any:
        """mongomock's collection, as the double itself uses it."""
        return self._data[database][collection]

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """While the block runs, it answers to nothing but the driver's greeting and log-in."""
        self._free.clear()
        try:
            yield
        finally:
            self._free.set()

    def start(self) -> None:
        """Serves from threads of its own."""
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        """Closes the port and every connection."""
        self._free.set()
        self._server.shutdown()
        self._server.server_close()
        self._server.close_connections()

    def answer(self, command: dict[str, Any]) -> Reply:
        """The reply to one command."""
        name = next(iter(command))
        if name in _HELLO:
            return {"helloOk": True, "isWritablePrimary": True, "ismaster": True, **_LIMITS, **_WIRE_VERSIONS, "ok": 1}
        if name == "saslStart":
            return self._log_in(command)
        self._wait_until_free()
        handler = _HANDLERS.get(name)
        if handler is None:
            return _error(59, "CommandNotFound", f"no such command: '{name}'")
        with self._lock:
            self.commands.append(name)
            self.last = command
            try:
                reply = {**handler(self, command), "ok": 1}
            except mongomock.OperationFailure as error:
                return _error(error.code or 2, "BadValue", str(error))
            except NotImplementedError as error:  # how mongomock says what it lacks of MongoDB
                return _error(2, "BadValue", f"the double cannot: {error}")
            if self.lose_answers:
                self.lose_answers -= 1
                raise EOFError
            return reply

    def _wait_until_free(self) -> None:
        with self._lock:
            self.waiting += 1
        self._free.wait()
        with self._lock:
            self.waiting -= 1

    def _log_in(self, command: dict[str, Any]) -> Reply:
        _, user, password = bytes(command["payload"]).split(b"\0")
        if (user.decode(), password.decode()) == (self.user, self.password):
            return {"conversationId": 1, "done": True, "payload": b"", "ok": 1}
        return _error(18, "AuthenticationFailed", "Authentication failed.")

    def _named(self, command: dict[str, Any], verb: str) -> Any:
        return self._data[command["$db"]][command[verb]]

    def _insert(self, command: dict[str, Any]) -> Reply:
        collection, wrong, inserted = self._named(command, "insert"), [], 0
        for index, document in enumerate(command["documents"]):
            try:
                collection.insert_one(document)
                inserted += 1
            except mongomock.DuplicateKeyError as error:
                key = {"_id": document["_id"]}
                wrong.append(
                    {"index": index, "code": 11000, "errmsg": str(error), "keyPattern": {"_id": 1}, "keyValue": key}
                )
                if command.get("ordered", True):
                    break
        return {"n": inserted, **({"writeErrors": wrong} if wrong else {})}

    def _find(self, command: dict[str, Any]) -> Reply:
        found = self._named(command, "find").find(
            command.get("filter", {}),
            command.get("projection") or None,
            skip=command.get("skip", 0),
            limit=abs(command.get("limit", 0)),
            sort=list(command["sort"].items()) if command.get("sort") else None,
        )
        return self._first_batch(f"{command['$db']}.{command['find']}", list(found), command)

    def _first_batch(self, namespace: str, found: list[Any], command: dict[str, Any]) -> Reply:
        size = command.get("batchSize", _FIRST_BATCH)
        now, later = found[:size], found[size:]
        number = 0
        if later and not command.get("singleBatch"):
            number = secrets.randbits(62) + 1
            self._cursors[number] = (namespace, later)
        return {"cursor": {"id": bson.Int64(number), "ns": namespace, "firstBatch": now}}

    def _get_more(self, command: dict[str, Any]) -> Reply:
        namespace, left = self._cursors.pop(command["getMore"])
        size = command.get("batchSize") or len(left)
        number = command["getMore"] if left[size:] else 0
        if number:
            self._cursors[number] = (namespace, left[size:])
        return {"cursor": {"id": bson.Int64(number), "ns": namespace, "nextBatch": left[:size]}}

    def _kill_cursors(self, command: dict[str, Any]) -> Reply:
        killed = [number for number in command["cursors"] if self._cursors.pop(number, None)]
        return {"cursorsKilled": killed, "cursorsNotFound": [], "cursorsAlive": [], "cursorsUnknown": []}

    def _nothing(self, command: dict[str, Any]) -> Reply:
        return {}


_LIMITS = {"maxBsonObjectSize": 16 * 1024 * 1024, "maxMessageSizeBytes": 48_000_000, "maxWriteBatchSize": 100_000}
_HANDLERS: dict[str, Callable[[MongoDouble, dict[str, Any]], Reply]] = {
    "insert": MongoDouble._insert,
    "find": MongoDouble._find,
    "getMore": MongoDouble._get_more,
    "killCursors": MongoDouble._kill_cursors,
    "ping": MongoDouble._nothing,
    "endSessions": MongoDouble._nothing,
}


@contextlib.contextmanager
def mongo_double() -> Iterator[MongoDouble]:
    """Starts an empty double on a free port of the loopback and stops it."""
    double = MongoDouble()
    double.start()
    try:
        yield double
    finally:
        double.stop()


@pytest.fixture
def mongo() -> Iterator[MongoDouble]:
    """An empty double of the test's own."""
    with mongo_double() as double:
        yield double


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    double: MongoDouble

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.connections: set[Any] = set()

    def close_connections(self) -> None:
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(2)


class _Connection(socketserver.StreamRequestHandler):
    server: _Server
    timeout: ClassVar[float] = 120.0

    def handle(self) -> None:
        self.server.connections.add(self.request)
        # A client that goes away ends its connection, not the server.
        with contextlib.suppress(OSError, EOFError, TimeoutError):
            while True:
                self._one_message()
        self.server.connections.discard(self.request)

    def _one_message(self) -> None:
        length, request, _, opcode = struct.unpack("<iiii", self._read(16))
        body = self._read(length - 16)
        if opcode == _OP_MSG:
            flags, command = struct.unpack_from("<I", body)[0], _command_of(body[4:])
            reply = self.server.double.answer(command)
            # Bit 1, moreToCome: the driver wants no answer.
            if not flags & 2:
                self._send(_OP_MSG, request, struct.pack("<Ib", 0, 0) + bson.encode(reply))
        elif opcode == _OP_QUERY:
            # The driver's first greeting; 4 bytes of flags, a name that ends in NUL, two numbers, then the document.
            start = body.index(b"\0", 4) + 1 + 8
            reply = self.server.double.answer(bson.decode(body[start:]))
            self._send(_OP_REPLY, request, struct.pack("<iqii", 8, 0, 0, 1) + bson.encode(reply))
        else:
            raise EOFError(f"opcode {opcode}")

    def _read(self, size: int) -> bytes:
        data: bytes = self.rfile.read(size)
        if len(data) < size:
            raise EOFError
        return data

    def _send(self, opcode: int, request: int, body: bytes) -> None:
        self.wfile.write(struct.pack("<iiii", 16 + len(body), 0, request, opcode) + body)


def _command_of(sections: bytes) -> dict[str, Any]:
    """The command of an OP_MSG: one document (kind 0), and lists of them that belong under a name of it (kind 1)."""
    command: dict[str, Any] = {}
    while sections:
        kind, size = sections[0], struct.unpack_from("<i", sections, 1)[0]
        section, sections = sections[1 : 1 + size], sections[1 + size :]
        if kind == 0:
            command = {**bson.decode(section), **command}
        else:
            name, _, documents = section[4:].partition(b"\0")
            command[name.decode()] = bson.decode_all(documents)
    return command


def _error(code: int, name: str, message: str) -> Reply:
    return {"ok": 0, "code": code, "codeName": name, "errmsg": message}
