"""The tables of the room access."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from aimass.infra.database import Instant, Json, metadata

_ID = String(26)
_SLUG = String(63)
_HASH = String(64)

workspaces = Table(
    "access_workspaces",
    metadata,
    Column("slug", _SLUG, primary_key=True),
    Column("name", String(255), nullable=False),
    Column("review", String(10), nullable=False),
    Column("settings", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", String(120), nullable=False),
    Column("deleted_at", Instant),
    Column("purged_at", Instant),
    Column("version", Integer, nullable=False),
)

users = Table(
    "access_users",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("name", String(255), nullable=False),
    Column("name_key", String(800), nullable=False, unique=True),
    Column("email", String(320)),
    Column("state", String(10), nullable=False),
    Column("password", String(200)),
    Column("totp", LargeBinary),
    Column("totp_confirmed", Boolean, nullable=False),
    Column("totp_step", BigInteger, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("last_seen_at", Instant),
    Column("version", Integer, nullable=False),
)

recovery_codes = Table(
    "access_recovery_codes",
    metadata,
    Column("user_id", _ID, primary_key=True),
    Column("sha256", _HASH, primary_key=True),
)

sessions = Table(
    "access_sessions",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("user_id", _ID, nullable=False, index=True),
    Column("sha256", _HASH, nullable=False, unique=True),
    Column("agent", String(255), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("last_seen_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
)

links = Table(
    "access_links",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("kind", String(12), nullable=False),
    Column("sha256", _HASH, nullable=False, unique=True),
    Column("user_id", _ID, nullable=False, index=True),
    Column("workspace", _SLUG, nullable=False),
    Column("role", _SLUG),
    Column("created_by", String(120), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
)

attempts = Table(
    "access_attempts",
    metadata,
    Column("sha256", _HASH, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last_at", Instant, nullable=False),
    Column("locked_until", Instant),
)

services = Table(
    "access_services",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("workspace", _SLUG, nullable=False),
    Column("slug", _SLUG, nullable=False),
    Column("name", String(255), nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("created_by", String(120), nullable=False),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("workspace", "slug"),
)

keys = Table(
    "access_keys",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("workspace", _SLUG, nullable=False),
    Column("owner_kind", String(8), nullable=False),
    Column("owner_id", _ID, nullable=False, index=True),
    Column("name", String(255), nullable=False),
    Column("prefix", String(16), nullable=False),
    Column("sha256", _HASH, nullable=False, unique=True),
    Column("scopes", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("revoked_at", Instant),
    Column("last_used_at", Instant),
    Column("daily_quota", Integer, nullable=False, server_default=text("0")),
    Index(None, "workspace", "id"),
)

revoked_tokens = Table(
    "access_revoked_tokens",
    metadata,
    Column("jti", _ID, primary_key=True),
    Column("expires_at", Instant, nullable=False, index=True),
)

device_requests = Table(
    "access_device_requests",
    metadata,
    Column("sha256", _HASH, primary_key=True),
    Column("user_code", _HASH, nullable=False, unique=True),
    Column("client", String(63), nullable=False),
    Column("agent", String(255), nullable=False),
    Column("address", String(64), nullable=False, index=True),
    Column("scopes", Json, nullable=False),
    Column("state", String(10), nullable=False),
    Column("user_id", _ID),
    Column("interval_s", Integer, nullable=False),
    Column("polled_at", Instant),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
)

devices = Table(
    "access_devices",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("user_id", _ID, nullable=False, index=True),
    Column("client", String(63), nullable=False),
    Column("agent", String(255), nullable=False),
    Column("address", String(64), nullable=False),
    Column("scopes", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("last_seen_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
)

refresh_tokens = Table(
    "access_refresh_tokens",
    metadata,
    Column("sha256", _HASH, primary_key=True),
    Column("device_id", _ID, nullable=False, index=True),
    Column("parent", _HASH, nullable=False, index=True),
    Column("is_replaced", Boolean, nullable=False),
    Column("spent_at", Instant),
)

providers = Table(
    "access_providers",
    metadata,
    Column("slug", _SLUG, primary_key=True),
    Column("name", String(255), nullable=False),
    Column("issuer", String(500), nullable=False),
    Column("client_id", String(255), nullable=False),
    Column("secret", LargeBinary, nullable=False),
    Column("scopes", Json, nullable=False),
    Column("groups_claim", String(100), nullable=False),
    Column("new_people", Boolean, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("group_roles", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("version", Integer, nullable=False),
)

identities = Table(
    "access_identities",
    metadata,
    Column("issuer", String(500), primary_key=True),
    Column("subject", String(255), primary_key=True),
    Column("provider", _SLUG, nullable=False, index=True),
    Column("user_id", _ID, nullable=False, index=True),
    Column("linked_at", Instant, nullable=False),
)

sign_ins = Table(
    "access_sign_ins",
    metadata,
    Column("sha256", _HASH, primary_key=True),
    Column("provider", _SLUG, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("next", Text, nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
)

session_origins = Table(
    "access_session_origins",
    metadata,
    Column("session_id", _ID, primary_key=True),
    Column("provider", _SLUG, nullable=False, index=True),
    Column("user_id", _ID, nullable=False, index=True),
    Column("subject", String(255), nullable=False),
    Column("sid", String(255), nullable=False),
)

roles = Table(
    "access_roles",
    metadata,
    Column("workspace", _SLUG, primary_key=True),
    Column("slug", _SLUG, primary_key=True),
    Column("name", String(255), nullable=False),
    Column("permissions", Json, nullable=False),
)

grants = Table(
    "access_grants",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("workspace", _SLUG, nullable=False),
    Column("object", String(150), nullable=False),
    Column("role", _SLUG, nullable=False),
    Column("subject_kind", String(8), nullable=False),
    Column("subject_id", String(63), nullable=False),
    Column("created_by", String(120), nullable=False),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("workspace", "object", "role", "subject_kind", "subject_id"),
    Index(None, "subject_kind", "subject_id"),
)

groups = Table(
    "access_groups",
    metadata,
    Column("slug", _SLUG, primary_key=True),
    Column("name", String(255), nullable=False),
    Column("created_at", Instant, nullable=False),
)

group_members = Table(
    "access_group_members",
    metadata,
    Column("group_slug", _SLUG, primary_key=True),
    Column("user_id", _ID, primary_key=True, index=True),
)

approvals = Table(
    "access_approvals",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("workspace", _SLUG, nullable=False),
    Column("subject", String(300), nullable=False),
    Column("reason", Text, nullable=False),
    Column("permission", String(80), nullable=False),
    Column("state", String(10), nullable=False),
    Column("author", String(120), nullable=False),
    Column("author_name", String(255), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("decided_by", String(120)),
    Column("decided_at", Instant),
    Column("comment", Text, nullable=False),
    Column("data", Json, nullable=False),
    Column("ask_key", String(120), nullable=False),
    UniqueConstraint("workspace", "ask_key"),
    Index(None, "workspace", "state"),
)

audit_chain = Table(
    "access_audit_chain",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", _HASH, nullable=False),
)

audit_heads = Table(
    "access_audit_heads",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("hash", _HASH, nullable=False),
    Column("time", Instant, nullable=False),
    Column("key", String(64), nullable=False),
    Column("signature", String(128), nullable=False),
)
