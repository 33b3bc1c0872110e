"""The tables of the room."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, String, Table, Text, UniqueConstraint

from aimass.infra.database import Instant, Json, PlacedJson, metadata

_SEQUENCE = BigInteger().with_variant(Integer(), "sqlite")

endpoints = Table(
    "monitoring_endpoints",
    metadata,
    Column("workspace", String(63), primary_key=True),
    Column("endpoint", String(63), primary_key=True),
    Column("sample", Float, nullable=False),
    Column("payload", Boolean, nullable=False),
    Column("retention_days", Integer, nullable=False),
    Column("max_bytes", BigInteger, nullable=False),
    Column("requests", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("repeated", BigInteger, nullable=False),
    Column("commits", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("last_record_at", Instant, nullable=True),
    Column("pushed_seq", BigInteger, nullable=False),
    Column("is_deleted", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False),
)

segments = Table(
    "monitoring_segments",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("worker", String(120), primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("frames", BigInteger, nullable=False),
    Column("damaged", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
)

damage = Table(
    "monitoring_damage",
    metadata,
    Column("id", _SEQUENCE, primary_key=True, autoincrement=True),
    Column("kind", String(16), nullable=False),
    Column("worker", String(120), nullable=False),
    Column("segment", BigInteger, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("found_at", Instant, nullable=False),
)

traffic = Table(
    "monitoring_traffic",
    metadata,
    Column("workspace", String(63), primary_key=True),
    Column("endpoint", String(63), primary_key=True),
    Column("deployment", String(63), primary_key=True),
    Column("revision", String(63), primary_key=True),
    Column("model", String(255), nullable=False),
    Column("model_version", String(63), nullable=False),
    Column("requests", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("errors", BigInteger, nullable=False),
    Column("first_at", Instant, nullable=False),
    Column("last_at", Instant, nullable=False),
)

feedback = Table(
    "monitoring_feedback",
    metadata,
    Column("workspace", String(63), primary_key=True),
    Column("endpoint", String(63), primary_key=True),
    Column("request_id", String(300), primary_key=True),
    Column("row", Integer, primary_key=True),
    Column("label", Text, nullable=False),
    Column("key", String(255), nullable=True),
    Column("is_known", Boolean, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
    Column("by", String(255), nullable=False),
    Index(None, "workspace", "endpoint", "seq"),
    Index(None, "workspace", "endpoint", "is_known"),
)

said = Table(
    "monitoring_feedback_log",
    metadata,
    Column("seq", _SEQUENCE, primary_key=True, autoincrement=True),
    Column("workspace", String(63), nullable=False),
    Column("endpoint", String(63), nullable=False),
    Column("request_id", String(300), nullable=False),
    Column("row", Integer, nullable=False),
    Column("label", Text, nullable=False),
    Column("key", String(255), nullable=True),
    Column("at", Instant, nullable=False),
    Column("by", String(255), nullable=False),
    Index(None, "workspace", "endpoint", "seq"),
    Index(None, "workspace", "endpoint", "request_id"),
    sqlite_autoincrement=True,
)

monitors = Table(
    "monitoring_monitors",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("endpoint", String(63), nullable=False),
    Column("deployment", String(63), nullable=False),
    Column("revision", String(63), nullable=False),
    Column("model", String(255), nullable=False),
    Column("model_version", String(63), nullable=False),
    Column("reference", PlacedJson, nullable=False),
    Column("baseline", Json, nullable=False),
    Column("classes", Json, nullable=False),
    Column("positive", String(300), nullable=True),
    Column("window_rows", Integer, nullable=False),
    Column("min_rows", Integer, nullable=False),
    Column("is_enabled", Boolean, nullable=False),
    Column("is_retired", Boolean, nullable=False),
    Column("computed_at", Instant, nullable=True),
    Column("computed_rows", BigInteger, nullable=False),
    Column("judged_seq", BigInteger, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("version", Integer, nullable=False),
    UniqueConstraint("workspace", "endpoint", "deployment"),
)

references = Table(
    "monitoring_references",
    metadata,
    Column("workspace", String(63), primary_key=True),
    Column("model", String(255), primary_key=True),
    Column("model_version", String(63), primary_key=True),
    Column("source", PlacedJson, nullable=False),
    Column("baseline", Json, nullable=False),
    Column("classes", Json, nullable=False),
    Column("positive", String(300), nullable=True),
    Column("at", Instant, nullable=False),
)

drifts = Table(
    "monitoring_drift",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("monitor", String(26), nullable=False, info={"of": "monitoring_monitors.id"}),
    Column("revision", String(63), nullable=False),
    Column("model", String(255), nullable=False),
    Column("model_version", String(63), nullable=False),
    Column("at", Instant, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("max_psi", Float, nullable=False),
    Column("feature", String(255), nullable=False),
    Column("prediction_psi", Float, nullable=True),
    Column("found", Json, nullable=False),
    Index(None, "monitor", "at"),
)

qualities = Table(
    "monitoring_quality",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("monitor", String(26), nullable=False, info={"of": "monitoring_monitors.id"}),
    Column("revision", String(63), nullable=False),
    Column("model", String(255), nullable=False),
    Column("model_version", String(63), nullable=False),
    Column("at", Instant, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("found", Json, nullable=False),
    Index(None, "monitor", "at"),
)

rules = Table(
    "monitoring_rules",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("endpoint", String(63), nullable=False),
    Column("name", String(255), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("metric", String(255), nullable=False),
    Column("feature", String(255), nullable=True),
    Column("operator", String(2), nullable=False),
    Column("threshold", Float, nullable=False),
    Column("window_s", Integer, nullable=False),
    Column("for_s", Float, nullable=False),
    Column("resolve_s", Float, nullable=False),
    Column("min_count", Integer, nullable=False),
    Column("severity", String(16), nullable=False),
    Column("is_enabled", Boolean, nullable=False),
    Column("is_default", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
    Index(None, "workspace", "endpoint"),
)

states = Table(
    "monitoring_rule_states",
    metadata,
    Column("rule", String(26), primary_key=True, info={"of": "monitoring_rules.id"}),
    Column("target", String(63), primary_key=True),
    Column("broken_since", Instant, nullable=True),
    Column("clear_since", Instant, nullable=True),
    Column("alert", String(26), nullable=True),
    Column("settled_at", Instant, nullable=True),
)

alerts = Table(
    "monitoring_alerts",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("endpoint", String(63), nullable=False),
    Column("target", String(63), nullable=False),
    Column("revision", String(63), nullable=False),
    Column("model", String(255), nullable=False),
    Column("model_version", String(63), nullable=False),
    Column("rule", String(26), nullable=False),
    Column("name", String(255), nullable=False),
    Column("metric", String(255), nullable=False),
    Column("severity", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("summary", Text, nullable=False),
    Column("value", Float, nullable=False),
    Column("last_value", Float, nullable=False),
    Column("threshold", Float, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("detail", Json, nullable=False),
    Column("fired_at", Instant, nullable=False),
    Column("acked_at", Instant, nullable=True),
    Column("acked_by", String(255), nullable=False),
    Column("resolved_at", Instant, nullable=True),
    Column("resolved_by", String(255), nullable=False),
    Column("note", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Index(None, "workspace", "state", "id"),
    Index(None, "workspace", "endpoint", "id"),
)

series_names = Table(
    "monitoring_series_names",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("workspace", String(63), nullable=False),
    Column("name", String(120), nullable=False),
    Column("labels_hash", String(64), nullable=False),
    Column("labels", Json, nullable=False),
    UniqueConstraint("name", "labels_hash"),
    Index(None, "workspace", "name"),
)

series = Table(
    "monitoring_series",
    metadata,
    Column("series", Integer, primary_key=True, info={"of": "monitoring_series_names.id"}),
    Column("step_s", Integer, primary_key=True),
    Column("start_s", BigInteger, primary_key=True),
    Column("observed", Float, nullable=False),
    Column("sum", Float, nullable=False),
    Column("buckets", Json, nullable=False),
    Index(None, "step_s", "start_s"),
)
