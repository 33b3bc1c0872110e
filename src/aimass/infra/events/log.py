"""Read the event log."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, func, select

from aimass.infra.database import Database, events_log
from aimass.kernel.events import Event


class EventLog:
    """The facts, oldest first, by sequence number.

    Numbers are given in commit order, so a reader that remembers the last one misses nothing.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(
        self, after: int = 0, *, limit: int = 500, type_: str | None = None, workspace: str | None = None
    ) -> list[Event]:
        """Return events after a sequence number; ``type_`` may end in ``*``."""
        query = select(events_log).where(events_log.c.seq > after).order_by(events_log.c.seq).limit(limit)
        if type_ is not None and type_ != "*":
            prefix = type_.removesuffix("*")
            query = query.where(events_log.c.type == type_ if prefix == type_ else events_log.c.type.startswith(prefix))
        if workspace is not None:
            query = query.where(events_log.c.workspace == workspace)
        with self._database.read() as conn:
            return [_event(row) for row in conn.execute(query)]

    def head(self) -> int:
        """Return the highest sequence number, 0 for an empty log."""
        with self._database.read() as conn:
            return conn.execute(select(func.max(events_log.c.seq))).scalar() or 0


def _event(row: Row[Any]) -> Event:
    return Event(
        id=row.id,
        seq=row.seq,
        type=row.type,
        subject=row.subject,
        workspace=row.workspace,
        actor=row.actor,
        time=row.time,
        data=row.data,
        trace=row.trace,
    )
