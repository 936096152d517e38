"""Alembic's environment: migrations run in the transaction of whoever opens the database."""

from __future__ import annotations

from alembic import context

from flowhub_assets.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table="flowhub_version",
)
context.run_migrations()
