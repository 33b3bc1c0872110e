"""The table of webhooks: an address for each source that takes them, and the sealed secrets that sign."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Column, LargeBinary, Row, String, Table, UniqueConstraint, delete, insert, select, update
from sqlalchemy import Connection as Link

from aimass.infra.database import Change, Instant, metadata

_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,40}")

hooks = Table(
    "collector_hooks",
    metadata,
    Column("source_id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("token", String(40), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("old_until", Instant, nullable=True),
    UniqueConstraint("token"),
)


def hook_of(conn: Link, source_id: str) -> Row[Any] | None:
    """Return the webhook of a source."""
    return conn.execute(select(hooks).where(hooks.c.source_id == source_id)).first()


def hook_at(conn: Link, token: str) -> Row[Any] | None:
    """Return the webhook at an address; what can be none is not looked for: PostgreSQL refuses a NUL, for example."""
    if not _TOKEN.fullmatch(token):
        return None
    return conn.execute(select(hooks).where(hooks.c.token == token)).first()


def put_hook(change: Change, source_id: str, values: Mapping[str, Any]) -> None:
    """Write the webhook of a source."""
    where = hooks.c.source_id == source_id
    if change.execute(update(hooks).where(where).values(**values)).rowcount == 0:
        change.execute(insert(hooks).values(source_id=source_id, **values))


def drop_hook(change: Change, source_id: str) -> bool:
    """Remove the webhook of a source; tell whether there was one."""
    return change.execute(delete(hooks).where(hooks.c.source_id == source_id)).rowcount == 1
