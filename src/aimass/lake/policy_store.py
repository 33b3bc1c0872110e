"""Tables of policies and of the secrets that tokens are made with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    delete,
    insert,
    select,
    update,
)

from aimass.infra.database import Change, Instant, Json, metadata
from aimass.lake.policies import Policy

policies = Table(
    "lake_policies",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("dataset_id", String(26), nullable=False),
    Column("dataset", String(63), nullable=False),
    Column("name", String(63), nullable=False),
    Column("filter", Text, nullable=False),
    Column("columns", Json, nullable=False),
    Column("mask", String(10), nullable=True),
    Column("keep", Integer, nullable=False),
    Column("step", String(20), nullable=False),
    Column("applies_to", Json, nullable=False),
    Column("exempt", Json, nullable=False),
    Column("granted", Json, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("created_by", String(120), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("version", Integer, nullable=False),
    UniqueConstraint("dataset_id", "name"),
    Index(None, "workspace", "dataset"),
)

token_keys = Table(
    "lake_token_keys",
    metadata,
    Column("workspace", String(63), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("created_at", Instant, nullable=False),
)

_FIELDS = tuple(Policy.__dataclass_fields__)


def policies_of(conn: Connection, dataset_id: str) -> list[Policy]:
    """Return the policies of a dataset by name."""
    rows = conn.execute(select(policies).where(policies.c.dataset_id == dataset_id).order_by(policies.c.name))
    return [Policy(**{name: getattr(row, name) for name in _FIELDS}) for row in rows]


def guarded_datasets(conn: Connection, workspace: str) -> set[str]:
    """Return the slugs of the datasets of a workspace that have a policy which is switched on."""
    wanted = select(policies.c.dataset).where(policies.c.workspace == workspace, policies.c.enabled.is_(True))
    return set(conn.execute(wanted).scalars())


def add_policy(change: Change, values: Mapping[str, Any]) -> None:
    """Write a new policy."""
    change.execute(insert(policies).values(**values))


def put_policy(change: Change, id_: str, **values: Any) -> None:
    """Change a policy."""
    values = {"changed_at": change.now, "version": policies.c.version + 1, **values}
    change.execute(update(policies).where(policies.c.id == id_).values(**values))


def drop_policy(change: Change, id_: str) -> None:
    """Forget a policy."""
    change.execute(delete(policies).where(policies.c.id == id_))


def drop_policies(change: Change, dataset_id: str) -> None:
    """Forget the policies of a dataset that is gone."""
    change.execute(delete(policies).where(policies.c.dataset_id == dataset_id))


def sealed_key(conn: Connection, workspace: str) -> bytes | None:
    """Return the sealed secret of a workspace."""
    return conn.execute(select(token_keys.c.sealed).where(token_keys.c.workspace == workspace)).scalar()


def add_key(change: Change, workspace: str, sealed: bytes) -> None:
    """Keep the secret of a workspace."""
    change.execute(insert(token_keys).values(workspace=workspace, sealed=sealed, created_at=change.now))
