"""The shared metadata, and the three logs that every change may write: events, audit and lineage."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, String, Table, Text, text

from aimass.infra.database.types import Instant, Json

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)
OUTLIVES = "outlives the workspace"
"""Key in the ``info`` of a table whose rows stay: what happened, and what must not be forgotten."""
_SEQUENCE = BigInteger().with_variant(Integer(), "sqlite")

events_log = Table(
    "events_log",
    metadata,
    Column("seq", _SEQUENCE, primary_key=True, autoincrement=True),
    Column("id", String(26), nullable=False, unique=True),
    Column("type", String(120), nullable=False),
    Column("subject", String(300), nullable=False),
    Column("workspace", String(63), nullable=False),
    Column("actor", String(120), nullable=False),
    Column("time", Instant, nullable=False),
    Column("data", Json, nullable=False),
    Column("trace", String(32), nullable=False, server_default=text("''")),
    Index(None, "workspace", "seq"),
    Index(None, "type", "seq"),
    Index(None, "trace"),
    sqlite_autoincrement=True,
    info={OUTLIVES: True},
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("seq", _SEQUENCE, primary_key=True, autoincrement=True),
    Column("id", String(26), nullable=False, unique=True),
    Column("time", Instant, nullable=False),
    Column("actor_id", String(120), nullable=False),
    Column("actor", String(255), nullable=False),
    Column("actor_kind", String(16), nullable=False),
    Column("workspace", String(63), nullable=False),
    Column("action", String(120), nullable=False),
    Column("object", String(300), nullable=False),
    Column("detail", Json, nullable=False),
    Index(None, "workspace", "seq"),
    Index(None, "object"),
    sqlite_autoincrement=True,
    info={OUTLIVES: True},
)

lineage_edges = Table(
    "lineage_edges",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("time", Instant, nullable=False),
    Column("workspace", String(63), nullable=False),
    Column("src_kind", String(40), nullable=False),
    Column("src_id", String(300), nullable=False),
    Column("dst_kind", String(40), nullable=False),
    Column("dst_id", String(300), nullable=False),
    Column("via", Text, nullable=False),
    Index(None, "workspace", "src_kind", "src_id"),
    Index(None, "workspace", "dst_kind", "dst_id"),
)
