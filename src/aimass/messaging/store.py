"""Tables of the room messaging."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from aimass.infra.database import Instant, Json, metadata

_SEQUENCE = BigInteger().with_variant(Integer(), "sqlite")

topics = Table(
    "messaging_topics",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("topic", String(63), nullable=False),
    Column("title", String(255), nullable=False),
    Column("retention_h", Float, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("version", Integer, nullable=False),
    UniqueConstraint("workspace", "topic"),
)

messages = Table(
    "messaging_messages",
    metadata,
    Column("seq", _SEQUENCE, primary_key=True, autoincrement=True),
    Column("topic_id", String(26), nullable=False, info={"of": "messaging_topics.id"}),
    Column("id", String(120), nullable=False),
    Column("key", String(255), nullable=False),
    Column("time", Instant, nullable=False),
    Column("not_before", Instant, nullable=True),
    Column("headers", Json, nullable=False),
    Column("body", Text, nullable=False),
    Column("sum", String(64), nullable=False),
    UniqueConstraint("topic_id", "id"),
    Index(None, "topic_id", "seq"),
    Index(None, "topic_id", "time"),
    sqlite_autoincrement=True,
)

subscriptions = Table(
    "messaging_subscriptions",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("topic_id", String(26), nullable=False, info={"of": "messaging_topics.id"}),
    Column("subscription", String(63), nullable=False),
    Column("lease_s", Float, nullable=False),
    Column("max_tries", Integer, nullable=False),
    Column("is_ordered", Boolean, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("version", Integer, nullable=False),
    UniqueConstraint("topic_id", "subscription"),
)

pending = Table(
    "messaging_pending",
    metadata,
    Column("subscription_id", String(26), primary_key=True, info={"of": "messaging_subscriptions.id"}),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("key", String(255), nullable=False),
    Column("until", Instant, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("receipt", String(26), nullable=True),
    Column("error", Text, nullable=False),
    Index(None, "subscription_id", "receipt"),
)

dead = Table(
    "messaging_dead",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("topic", String(63), nullable=False),
    Column("subscription_id", String(26), nullable=False),
    Column("subscription", String(63), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("message_id", String(120), nullable=False),
    Column("key", String(255), nullable=False),
    Column("headers", Json, nullable=False),
    Column("body", Text, nullable=False),
    Column("published_at", Instant, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("error", Text, nullable=False),
    Column("time", Instant, nullable=False),
    Index(None, "workspace", "id"),
    Index(None, "subscription_id"),
)

schedules = Table(
    "messaging_schedules",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("schedule", String(63), nullable=False),
    Column("name", String(255), nullable=False),
    Column("cron", String(120), nullable=False),
    Column("zone", String(64), nullable=False),
    Column("missed", String(8), nullable=False),
    Column("job", Json, nullable=True),
    Column("message", Json, nullable=True),
    Column("is_paused", Boolean, nullable=False),
    Column("next_at", Instant, nullable=True),
    Column("last_at", Instant, nullable=True),
    Column("runs", Integer, nullable=False),
    Column("created_by", String(120), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("version", Integer, nullable=False),
    UniqueConstraint("workspace", "schedule"),
    Index(None, "is_paused", "next_at"),
)
