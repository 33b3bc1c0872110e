"""Tables of the room serving."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Index, Integer, String, Table, Text, text

from aimass.infra.database import Instant, Json, metadata

_LIVE = text("deleted_at IS NULL")

endpoints = Table(
    "serving_endpoints",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("slug", String(63), nullable=False),
    Column("description", Text, nullable=False),
    Column("timeout_s", Float, nullable=False),
    Column("max_body_bytes", Integer, nullable=False),
    Column("record", Json, nullable=False),
    Column("unseen", String(16), nullable=False),
    Column("main", String(63), nullable=True),
    Column("shadow", String(63), nullable=True),
    Column("fallback", String(63), nullable=True),
    Column("revisions", Integer, nullable=False),
    Column("created_by", String(255), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("deleted_at", Instant, nullable=True),
    Column("version", Integer, nullable=False),
    Index("uq_serving_endpoints_live", "workspace", "slug", unique=True, sqlite_where=_LIVE, postgresql_where=_LIVE),
)

deployments = Table(
    "serving_deployments",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("endpoint", String(26), nullable=False),
    Column("name", String(63), nullable=False),
    Column("model", String(63), nullable=False),
    Column("alias", String(63), nullable=True),
    Column("alias_seen", Integer, nullable=True),
    Column("model_version", Integer, nullable=True),
    Column("placement", String(16), nullable=False),
    Column("resources", Json, nullable=False),
    Column("weight", Integer, nullable=False),
    Column("is_wanted", Boolean, nullable=False),
    Column("target", String(26), nullable=False),
    Column("serving", String(26), nullable=True),
    Column("state", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("deleted_at", Instant, nullable=True),
    Column("version", Integer, nullable=False),
    Index("uq_serving_deployments_live", "endpoint", "name", unique=True, sqlite_where=_LIVE, postgresql_where=_LIVE),
    Index(None, "workspace", "model"),
)

revisions = Table(
    "serving_revisions",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("endpoint", String(26), nullable=False),
    Column("deployment", String(26), nullable=False),
    Column("name", String(63), nullable=False),
    Column("number", Integer, nullable=False),
    Column("model", String(63), nullable=False),
    Column("model_version", Integer, nullable=False),
    Column("version_id", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("runtime", String(63), nullable=False),
    Column("package", Text, nullable=False),
    Column("alias", String(63), nullable=True),
    Column("cause", String(16), nullable=False),
    Column("restores", Integer, nullable=True),
    Column("weights", Json, nullable=False),
    Column("state", String(16), nullable=False),
    Column("error", Text, nullable=False),
    Column("actor", String(255), nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("started_at", Instant, nullable=True),
    Column("ready_at", Instant, nullable=True),
    Column("retired_at", Instant, nullable=True),
    Index(None, "endpoint", "number", unique=True),
    Index(None, "deployment", "number"),
)

traffic = Table(
    "serving_traffic",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("endpoint", String(26), nullable=False),
    Column("weights", Json, nullable=False),
    Column("shadow", String(63), nullable=True),
    Column("fallback", String(63), nullable=True),
    Column("cause", String(16), nullable=False),
    Column("actor", String(255), nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Index(None, "endpoint", "id"),
)
