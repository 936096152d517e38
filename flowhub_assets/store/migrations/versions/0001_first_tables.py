"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Makes them."""
    for make in (_submissions, _keys, _deliveries, _records, _tokens, _audit, _seen):
        make()


def _submissions() -> None:
    op.create_table(
        "flowhub_submissions",
        sa.Column("run_id", sa.String(36), primary_key=True),
        sa.Column("pipeline", sa.String(255), nullable=False),
        sa.Column("door", sa.String(32), nullable=False),
        sa.Column("caller", sa.String(255), nullable=False),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("latest_of", sa.String(255)),
        sa.Column("accepted", sa.Float, nullable=False),
        sa.Column("due", sa.Float, nullable=False),
        sa.Column("launched", sa.Float),
    )
    op.create_index("flowhub_submissions_state", "flowhub_submissions", ["state", "due"])
    op.create_index("flowhub_submissions_latest", "flowhub_submissions", ["pipeline", "latest_of", "state"])


def _keys() -> None:
    op.create_table(
        "flowhub_keys",
        sa.Column("pipeline", sa.String(255), primary_key=True),
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("run_id", sa.String(36), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("expires", sa.Float, nullable=False),
    )
    op.create_index("flowhub_keys_expires", "flowhub_keys", ["expires"])


def _deliveries() -> None:
    op.create_table(
        "flowhub_deliveries",
        sa.Column("pipeline", sa.String(255), primary_key=True),
        sa.Column("delivery", sa.String(255), primary_key=True),
        sa.Column("run_id", sa.String(36), nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("headers", sa.Text),
        sa.Column("body", sa.Text),
        sa.Column("expires", sa.Float, nullable=False),
    )
    op.create_index("flowhub_deliveries_expires", "flowhub_deliveries", ["expires"])


def _records() -> None:
    op.create_table(
        "flowhub_records",
        sa.Column("run_id", sa.String(36), primary_key=True),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("made", sa.Float, nullable=False),
    )


def _tokens() -> None:
    op.create_table(
        "flowhub_tokens",
        sa.Column("name", sa.String(255), primary_key=True),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("made", sa.Float, nullable=False),
        sa.Column("expires", sa.Float),
        sa.Column("revoked", sa.Boolean, nullable=False),
    )


def _audit() -> None:
    op.create_table(
        "flowhub_audit",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("time", sa.Float, nullable=False),
        sa.Column("caller", sa.String(255), nullable=False),
        sa.Column("peer", sa.String(255), nullable=False),
        sa.Column("door", sa.String(32), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("target", sa.String(255), nullable=False),
        sa.Column("result", sa.String(32), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )
    op.create_index("flowhub_audit_time", "flowhub_audit", ["time"])


def _seen() -> None:
    op.create_table(
        "flowhub_seen",
        sa.Column("topic", sa.String(255), primary_key=True),
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("time", sa.Float, nullable=False),
        sa.Column("expires", sa.Float, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )
    op.create_index("flowhub_seen_expires", "flowhub_seen", ["expires"])
