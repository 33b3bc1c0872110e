"""The outbox: messages wait here, sealed, until they are delivered."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table, Text

from aimass.infra.database import Instant, metadata

notify_outbox = Table(
    "notify_outbox",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("kind", String(8), nullable=False),
    Column("workspace", String(63), nullable=False),
    Column("state", String(10), nullable=False),
    Column("sealed", LargeBinary),
    Column("tries", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("error", Text, nullable=False),
    Index(None, "state", "due_at"),
)
