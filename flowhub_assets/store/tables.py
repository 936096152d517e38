"""The tables, as SQLAlchemy sees them; migrations/ makes them. Times are seconds since 1970, documents JSON text."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Index, Integer, MetaData, String, Table, Text

metadata = MetaData()

#: Requests to start a run, kept before anything is launched: the run has the same id in Dagster.
submissions = Table(
    "flowhub_submissions",
    metadata,
    Column("run_id", String(36), primary_key=True),
    Column("pipeline", String(255), nullable=False),
    Column("door", String(32), nullable=False),
    Column("caller", String(255), nullable=False),
    Column("request", Text, nullable=False),
    #: accepted (to be launched), delayed (not before ``due``), launched, answering (by the warm engine, until ``due``),
    #: answered (by it, to be recorded in Dagster), recorded, superseded (a later one of its key came first), failed (it
    #: can never be launched), cancelled (before it was launched).
    Column("state", String(16), nullable=False),
    Column("reason", Text, nullable=False, default=""),
    Column("latest_of", String(255)),
    Column("accepted", Float, nullable=False),
    Column("due", Float, nullable=False),
    Column("launched", Float),
    Index("flowhub_submissions_state", "state", "due"),
    Index("flowhub_submissions_latest", "pipeline", "latest_of", "state"),
)

#: Idempotency keys, one for each pipeline and key.
keys = Table(
    "flowhub_keys",
    metadata,
    Column("pipeline", String(255), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("run_id", String(36), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("expires", Float, nullable=False),
    Index("flowhub_keys_expires", "expires"),
)

#: What a webhook was answered, by the id of its delivery.
deliveries = Table(
    "flowhub_deliveries",
    metadata,
    Column("pipeline", String(255), primary_key=True),
    Column("delivery", String(255), primary_key=True),
    Column("run_id", String(36), nullable=False),
    Column("status", Integer),
    Column("headers", Text),
    Column("body", Text),
    Column("expires", Float, nullable=False),
    Index("flowhub_deliveries_expires", "expires"),
)

#: What the warm engine did in a run, to be written into Dagster.
records = Table(
    "flowhub_records",
    metadata,
    Column("run_id", String(36), primary_key=True),
    Column("document", Text, nullable=False),
    Column("made", Float, nullable=False),
)

#: API tokens. The token itself is nowhere: ``digest`` is the SHA-256 of its 256 random bits, in hex.
tokens = Table(
    "flowhub_tokens",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("made", Float, nullable=False),
    Column("expires", Float),
    Column("revoked", Boolean, nullable=False, default=False),
)

#: Who asked for what, and whether it was done.
audit = Table(
    "flowhub_audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("time", Float, nullable=False),
    Column("caller", String(255), nullable=False),
    Column("peer", String(255), nullable=False),
    Column("door", String(32), nullable=False),
    Column("action", String(64), nullable=False),
    Column("target", String(255), nullable=False),
    Column("result", String(32), nullable=False),
    Column("detail", Text, nullable=False, default=""),
    Index("flowhub_audit_time", "time"),
)

#: Keys of what sensors have told or started, so that each is told once in its lifetime.
seen = Table(
    "flowhub_seen",
    metadata,
    Column("topic", String(255), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("time", Float, nullable=False),
    Column("expires", Float, nullable=False),
    Column("detail", Text, nullable=False, default=""),
    Index("flowhub_seen_expires", "expires"),
)

#: Pipelines that were written over the API: a row for each version, never changed, so that nothing is lost.
workflows = Table(
    "flowhub_workflows",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    #: YAML as it was sent; NULL where the workflow was deleted then.
    Column("text", Text),
    Column("changed", Float, nullable=False),
    Column("changed_by", String(255), nullable=False),
)
