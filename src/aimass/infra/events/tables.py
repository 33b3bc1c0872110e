"""Where each consumer stands, and what it could not digest."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, String, Table, Text

from aimass.infra.database import Instant, metadata

events_cursors = Table(
    "events_cursors",
    metadata,
    Column("consumer", String(160), primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("retry_at", Instant, nullable=True),
    Column("error", Text, nullable=False),
)

events_dead = Table(
    "events_dead",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("consumer", String(160), nullable=False, index=True),
    Column("event_seq", BigInteger, nullable=False),
    Column("time", Instant, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("error", Text, nullable=False),
)
