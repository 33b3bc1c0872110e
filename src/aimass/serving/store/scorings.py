"""Queries on scorings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, insert, or_, select, update

from aimass.infra.database import Change
from aimass.kernel.pages import decode_cursor
from aimass.serving.domain.scoring import ENDED, ListScorings
from aimass.serving.store.tables import scorings


def find(conn: Connection, workspace: str, id_: str) -> Row[Any] | None:
    """Return a scoring."""
    return conn.execute(select(scorings).where(scorings.c.workspace == workspace, scorings.c.id == id_)).first()


def by_key(conn: Connection, workspace: str, key: str) -> Row[Any] | None:
    """Return the scoring that was asked for under a key."""
    return conn.execute(select(scorings).where(scorings.c.workspace == workspace, scorings.c.key == key)).first()


def matching(conn: Connection, command: ListScorings) -> Sequence[Row[Any]]:
    """Return one scoring more than the page wants, the newest first; what runs has no state of its own here."""
    query = select(scorings).where(scorings.c.workspace == command.workspace)
    for name in ("endpoint", "model"):
        if getattr(command, name) is not None:
            query = query.where(scorings.c[name] == getattr(command, name))
    if command.dataset is not None:
        query = query.where(or_(scorings.c.dataset == command.dataset, scorings.c.target == command.dataset))
    if command.state is not None:
        is_over = command.state in ENDED
        query = query.where(scorings.c.state == command.state if is_over else scorings.c.state.not_in(ENDED))
    if command.cursor is not None:
        query = query.where(scorings.c.id < decode_cursor(command.cursor))
    return conn.execute(query.order_by(scorings.c.id.desc()).limit(command.limit + 1)).all()


def add(change: Change, values: Mapping[str, Any]) -> None:
    """Write a new scoring."""
    change.execute(insert(scorings).values(**values))


def end(change: Change, id_: str, **values: Any) -> bool:
    """Note how a scoring ended, once."""
    query = update(scorings).where(scorings.c.id == id_, scorings.c.state.not_in(ENDED))
    return change.execute(query.values(**values)).rowcount == 1
