"""Tables of the room training."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, String, Table, Text, UniqueConstraint

from aimass.infra.database import Instant, Json, metadata

experiments = Table(
    "training_experiments",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("slug", String(63), nullable=False),
    Column("name", String(255), nullable=False),
    Column("description", Text, nullable=False),
    Column("created_by", String(120), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("deleted_at", Instant, nullable=True),
    Column("version", Integer, nullable=False),
    UniqueConstraint("workspace", "slug"),
)

splits = Table(
    "training_splits",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("key", String(120), nullable=False),
    Column("dataset", String(63), nullable=False),
    Column("dataset_version", Integer, nullable=False),
    Column("target", String(255), nullable=False),
    Column("key_column", String(255), nullable=True),
    Column("fractions", Json, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("stratify", Boolean, nullable=False),
    Column("base", String(26), nullable=True),
    Column("state", String(16), nullable=False),
    Column("counts", Json, nullable=False),
    Column("classes", Json, nullable=False),
    Column("sha256", String(64), nullable=True),
    Column("notes", Json, nullable=False),
    Column("error", Json, nullable=True),
    Column("job", String(26), nullable=True),
    Column("created_by", String(120), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("version", Integer, nullable=False),
    UniqueConstraint("workspace", "key"),
    Index(None, "workspace", "dataset"),
)

runs = Table(
    "training_runs",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("key", String(120), nullable=False),
    Column("experiment", String(63), nullable=False),
    Column("name", String(255), nullable=False),
    Column("recipe", String(63), nullable=False),
    Column("recipe_version", String(63), nullable=False),
    Column("params", Json, nullable=False),
    Column("dataset", String(63), nullable=False),
    Column("dataset_version", Integer, nullable=False),
    Column("split", String(26), nullable=False),
    Column("target", String(255), nullable=False),
    Column("features", Json, nullable=True),
    Column("unseen", Json, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("folds", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("job", String(26), nullable=True),
    Column("metrics", Json, nullable=False),
    Column("tags", Json, nullable=False),
    Column("package", Json, nullable=True),
    Column("sampled", Json, nullable=True),
    Column("notes", Json, nullable=False),
    Column("error", Json, nullable=True),
    Column("created_by", String(120), nullable=False),
    Column("created_by_name", String(255), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("started_at", Instant, nullable=True),
    Column("ended_at", Instant, nullable=True),
    Column("deleted_at", Instant, nullable=True),
    Column("version", Integer, nullable=False),
    UniqueConstraint("workspace", "key"),
    Index(None, "workspace", "experiment"),
    Index(None, "state"),
)

scores = Table(
    "training_scores",
    metadata,
    Column("run", String(26), primary_key=True, info={"of": "training_runs.id"}),
    Column("name", String(120), primary_key=True),
    Column("value", Float, nullable=False),
    Index(None, "name", "value"),
)

points = Table(
    "training_points",
    metadata,
    Column("run", String(26), primary_key=True, info={"of": "training_runs.id"}),
    Column("name", String(120), primary_key=True),
    Column("step", Integer, primary_key=True),
    Column("value", Float, nullable=False),
)

artifacts = Table(
    "training_artifacts",
    metadata,
    Column("run", String(26), primary_key=True, info={"of": "training_runs.id"}),
    Column("name", String(255), primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("size", BigInteger, nullable=False),
)

evaluations = Table(
    "training_evaluations",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("run", String(26), nullable=False),
    Column("part", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("rows", Integer, nullable=True),
    Column("metrics", Json, nullable=False),
    Column("auc", Json, nullable=False),
    Column("notes", Json, nullable=False),
    Column("error", Json, nullable=True),
    Column("job", String(26), nullable=True),
    Column("created_by", String(120), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("version", Integer, nullable=False),
    UniqueConstraint("run", "part"),
)
