"""The table of proposals: columns and types of origins that wait for somebody's word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Column, Index, Row, String, Table, UniqueConstraint, delete, insert, select, update
from sqlalchemy import Connection as Link

from aimass.collector.proposals import DriftProposal, ListProposals
from aimass.infra.database import Change, Instant, Json, metadata
from aimass.kernel.ids import new_id
from aimass.kernel.pages import decode_cursor

proposals = Table(
    "collector_proposals",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("source_id", String(26), nullable=False),
    Column("source", String(63), nullable=False),
    Column("column", String(500), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("before", String(255), nullable=False),
    Column("spec", Json, nullable=False),
    Column("state", String(16), nullable=False),
    Column("collection", String(26), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("decided_by", String(120), nullable=True),
    Column("decided_at", Instant, nullable=True),
    UniqueConstraint("source_id", "column", "kind"),
    Index(None, "workspace", "state"),
)


def proposal_of(row: Row[Any]) -> DriftProposal:
    """Read a proposal."""
    told = {name: getattr(row, name) for name in DriftProposal.__slots__ if name not in ("after", "native")}
    return DriftProposal(**told, after=row.spec["type"], native=row.spec.get("native") or "")


def proposals_page(conn: Link, source_id: str, command: ListProposals) -> list[DriftProposal]:
    """Return one proposal more than the page wants, the newest first."""
    query = select(proposals).where(proposals.c.source_id == source_id)
    if command.state is not None:
        query = query.where(proposals.c.state == command.state)
    if command.cursor:
        query = query.where(proposals.c.id < decode_cursor(command.cursor))
    rows = conn.execute(query.order_by(proposals.c.id.desc()).limit(command.limit + 1))
    return [proposal_of(row) for row in rows]


def proposals_in(conn: Link, source_id: str, states: Sequence[str]) -> list[Row[Any]]:
    """Return the proposals of a source in these states, the oldest first."""
    query = select(proposals).where(proposals.c.source_id == source_id, proposals.c.state.in_(states))
    return list(conn.execute(query.order_by(proposals.c.id)))


def rejected_columns(conn: Link, source_id: str) -> list[str]:
    """Name the new columns of a source that somebody rejected."""
    return [row.column for row in proposals_in(conn, source_id, ("REJECTED",)) if row.kind == "new"]


def waiting_sources(conn: Link) -> list[Row[Any]]:
    """Return workspace, source, column and time of what waits, of all workspaces, the oldest first."""
    query = select(proposals).where(proposals.c.state == "WAITING")
    return list(conn.execute(query.order_by(proposals.c.id)))


def note_proposed(change: Change, about: Mapping[str, Any], found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Keep what a collection proposes; return the columns that wait now and did not before.

    What was rejected stays so. What waits already takes over the newest type. What was accepted and is proposed once more
    waits again: somebody has taken the column out since.
    """
    new: list[str] = []
    for one in found:
        key = (proposals.c.source_id == about["source_id"]) & (proposals.c.column == one["column"])
        key &= proposals.c.kind == one["kind"]
        known = change.execute(select(proposals.c.state).where(key)).scalar()
        values = {"before": one["before"], "spec": dict(one["spec"]), "state": "WAITING"}
        fresh = {**values, "collection": about["collection"], "created_at": change.now}
        if known is None:
            told = {name: about[name] for name in ("workspace", "source_id", "source")}
            told |= {"id": new_id(), "column": one["column"], "kind": one["kind"]}
            change.execute(insert(proposals).values(**told, **fresh, decided_by=None, decided_at=None))
        elif known == "ACCEPTED":
            change.execute(update(proposals).where(key).values(**fresh, decided_by=None, decided_at=None))
        elif known == "WAITING":
            change.execute(update(proposals).where(key).values(**values))
        if known in (None, "ACCEPTED"):
            new.append(one["column"])
    return new


def drop_proposals(change: Change, source_id: str) -> None:
    """Forget what was proposed of a source."""
    change.execute(delete(proposals).where(proposals.c.source_id == source_id))


def put_proposal(change: Change, id_: str, **values: Any) -> None:
    """Change a proposal."""
    change.execute(update(proposals).where(proposals.c.id == id_).values(**values))
