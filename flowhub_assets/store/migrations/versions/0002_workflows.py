"""Workflows that were written over the API."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Makes their table."""
    op.create_table(
        "flowhub_workflows",
        sa.Column("name", sa.String(255), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("text", sa.Text),
        sa.Column("changed", sa.Float, nullable=False),
        sa.Column("changed_by", sa.String(255), nullable=False),
    )
