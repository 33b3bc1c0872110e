"""Tables of shares and recipients, and the queries on them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    Row,
    String,
    Table,
    Text,
    UniqueConstraint,
    delete,
    insert,
    or_,
    select,
    update,
)

from aimass.infra.database import Change, Instant, Json, metadata
from aimass.kernel.errors import NotFound
from aimass.lake.sharing import Recipient, Share, SharedTable

shares = Table(
    "lake_shares",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("slug", String(63), nullable=False),
    Column("description", Text, nullable=False),
    Column("tables", Json, nullable=False),
    Column("created_by", String(120), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("version", Integer, nullable=False),
    UniqueConstraint("workspace", "slug"),
)
recipients = Table(
    "lake_recipients",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("slug", String(63), nullable=False),
    Column("name", String(255), nullable=False),
    Column("shares", Json, nullable=False),
    Column("token_sha256", String(64), nullable=False, unique=True),
    Column("old_sha256", String(64), nullable=True, unique=True),
    Column("expires_at", Instant, nullable=False),
    Column("grace_until", Instant, nullable=True),
    Column("revoked_at", Instant, nullable=True),
    Column("last_used_at", Instant, nullable=True),
    Column("created_by", String(120), nullable=False),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("workspace", "slug"),
)


def share_of(row: Row[Any]) -> Share:
    """Read a share."""
    values = {name: getattr(row, name) for name in Share.__dataclass_fields__}
    return Share(**{**values, "tables": [SharedTable(**table) for table in row.tables]})


def recipient_of(row: Row[Any]) -> Recipient:
    """Read a recipient; its token stays where it is."""
    return Recipient(**{name: getattr(row, name) for name in Recipient.__dataclass_fields__})


def find_share(conn: Connection, workspace: str, slug: str) -> Row[Any] | None:
    """Return the row of a share, if there is one."""
    return conn.execute(select(shares).where(shares.c.workspace == workspace, shares.c.slug == slug)).first()


def share_row(conn: Connection, workspace: str, slug: str) -> Row[Any]:
    """Return the row of a share, or say that there is none."""
    row = find_share(conn, workspace, slug)
    if row is None:
        raise NotFound(f"there is no share {slug!r} in workspace {workspace!r}", field="share", value=slug)
    return row


def shares_of(conn: Connection, workspace: str) -> list[Row[Any]]:
    """Return the rows of all shares of a workspace, by name."""
    return list(conn.execute(select(shares).where(shares.c.workspace == workspace).order_by(shares.c.slug)))


def add_share(change: Change, values: dict[str, Any]) -> None:
    """Write a new share."""
    change.execute(insert(shares).values(**values))


def put_share(change: Change, id_: str, **values: Any) -> None:
    """Change a share."""
    change.execute(update(shares).where(shares.c.id == id_).values(version=shares.c.version + 1, **values))


def drop_share(change: Change, id_: str) -> None:
    """Forget a share."""
    change.execute(delete(shares).where(shares.c.id == id_))


def find_recipient(conn: Connection, workspace: str, slug: str) -> Row[Any] | None:
    """Return the row of a recipient, if there is one."""
    query = select(recipients).where(recipients.c.workspace == workspace, recipients.c.slug == slug)
    return conn.execute(query).first()


def recipient_row(conn: Connection, workspace: str, slug: str) -> Row[Any]:
    """Return the row of a recipient, or say that there is none."""
    row = find_recipient(conn, workspace, slug)
    if row is None:
        raise NotFound(f"there is no recipient {slug!r} in workspace {workspace!r}", field="recipient", value=slug)
    return row


def recipient_by_token(conn: Connection, sha256: str) -> Row[Any] | None:
    """Return the row of the recipient with a token, the one before the last rotation included."""
    found = or_(recipients.c.token_sha256 == sha256, recipients.c.old_sha256 == sha256)
    return conn.execute(select(recipients).where(found)).first()


def recipients_of(conn: Connection, workspace: str) -> list[Row[Any]]:
    """Return the rows of all recipients of a workspace, by name."""
    query = select(recipients).where(recipients.c.workspace == workspace)
    return list(conn.execute(query.order_by(recipients.c.slug)))


def add_recipient(change: Change, values: dict[str, Any]) -> None:
    """Write a new recipient."""
    change.execute(insert(recipients).values(**values))


def put_recipient(change: Change, id_: str, **values: Any) -> None:
    """Change a recipient."""
    change.execute(update(recipients).where(recipients.c.id == id_).values(**values))


def drop_recipient(change: Change, id_: str) -> None:
    """Forget a recipient."""
    change.execute(delete(recipients).where(recipients.c.id == id_))
