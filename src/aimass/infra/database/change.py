"""The unit of work: one transaction carries state, events, audit entries and lineage edges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, CursorResult, Executable, insert

from aimass.infra.database.tables import audit_log, events_log, lineage_edges
from aimass.kernel.clock import Clock
from aimass.kernel.ids import new_id
from aimass.kernel.principal import Principal
from aimass.kernel.tracing import current_trace


class Change:
    """What a writer holds inside ``with database.change(who, workspace) as change``.

    Everything is committed together at the end of the block, or not at all.
    """

    def __init__(self, conn: Connection, clock: Clock, who: Principal, workspace: str) -> None:
        self.conn = conn
        self.clock = clock
        self.who = who
        self.workspace = workspace
        self.now = clock.now()
        self.has_events = False

    def execute(self, statement: Executable, values: Any = None) -> CursorResult[Any]:
        """Run a statement inside the transaction."""
        return self.conn.execute(statement, values) if values is not None else self.conn.execute(statement)

    def event(self, type_: str, *, subject: str, data: Mapping[str, Any] | None = None) -> None:
        """Tell a fact: ids, counts and hashes only, never a data subject's values."""
        self.has_events = True
        self.conn.execute(
            insert(events_log).values(
                id=new_id(),
                type=type_,
                subject=subject,
                workspace=self.workspace,
                actor=self.who.id,
                time=self.now,
                data=dict(data or {}),
                trace=current_trace(),
            )
        )

    def audit(self, action: str, *, object_: str, detail: Mapping[str, Any] | None = None) -> None:
        """Note who did what; the sealer chains it after the commit."""
        self.conn.execute(
            insert(audit_log).values(
                id=new_id(),
                time=self.now,
                actor_id=self.who.id,
                actor=self.who.name,
                actor_kind=self.who.kind,
                workspace=self.workspace,
                action=action,
                object=object_,
                detail=dict(detail or {}),
            )
        )

    def edge(self, *, src: tuple[str, str], dst: tuple[str, str], via: str = "") -> None:
        """Draw a lineage edge from one object to another, each ``(kind, id)``."""
        self.edges([(src, dst)], via=via)

    def edges(self, pairs: Sequence[tuple[tuple[str, str], tuple[str, str]]], *, via: str = "") -> None:
        """Draw several lineage edges."""
        rows = [
            {
                "id": new_id(),
                "time": self.now,
                "workspace": self.workspace,
                "src_kind": src[0],
                "src_id": src[1],
                "dst_kind": dst[0],
                "dst_id": dst[1],
                "via": via,
            }
            for src, dst in pairs
        ]
        if rows:
            self.conn.execute(insert(lineage_edges), rows)
