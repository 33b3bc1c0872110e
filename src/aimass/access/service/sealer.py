"""Seal the audit log: bind committed rows into the chain, sign its head, keep the head outside the database too."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from aimass.access.domain.chain import START, Head, links
from aimass.access.service.ground import Part
from aimass.access.store import audit, queries, rows
from aimass.access.store.tables import audit_heads
from aimass.infra.database import Change
from aimass.infra.secrets import write_private
from aimass.kernel.clock import instant
from aimass.kernel.principal import ANYWHERE, SYSTEM

_BATCH = 1000


class Sealer(Part):
    """Only control runs it; a second one at the same time would do no harm, the transaction keeps them apart."""

    def seal_audit(self, *, sign_now: bool = False) -> int:
        """Bind every committed row that waits, sign the head when it is due, and return how many rows were bound."""
        sealed = 0
        while found := self._seal_batch():
            sealed += found
        self._sign_when_due(now=sign_now)
        return sealed

    def _seal_batch(self) -> int:
        with self._database.read() as conn:
            last = audit.last_link(conn)
            if audit.last_number(conn) <= (last.seq if last else 0):
                return 0
        with self._database.change(SYSTEM, ANYWHERE) as change:
            last = audit.last_link(change.conn)
            waiting = audit.texts(change.conn, last.seq if last else 0, _BATCH)
            if waiting:
                audit.add_links(change.conn, list(links(last.hash if last else START, waiting)))
            return len(waiting)

    def _sign_when_due(self, *, now: bool) -> None:
        with self._database.read() as conn:
            if not self._is_due(conn, now=now):
                return
        with self._database.change(SYSTEM, ANYWHERE) as change:
            if not self._is_due(change.conn, now=now):
                return
            head = self._next_head(change)
            values = {"number": head.number, "seq": head.seq, "rows": head.rows, "hash": head.hash, "time": head.time}
            rows.add(change.conn, audit_heads, **values, key=head.key, signature=head.signature)
        write_private(
            self._ground.anchor, {**values, "time": instant(head.time), "key": head.key, "sig": head.signature}
        )

    def _is_due(self, conn: Any, *, now: bool) -> bool:
        last, head = audit.last_link(conn), queries.last_head(conn)
        if last is None or (head is not None and head.seq >= last.seq):
            return False
        if now or head is None or last.seq - head.seq >= self._settings.head_every_rows:
            return True
        return self._now() - head.time >= timedelta(seconds=self._settings.head_every_s)

    def _next_head(self, change: Change) -> Head:
        last, before = audit.last_link(change.conn), queries.last_head(change.conn)
        head = Head(
            number=before.number + 1 if before else 1,
            seq=last.seq if last else 0,
            rows=audit.count_links(change.conn),
            hash=last.hash if last else START,
            time=change.now,
        )
        signature = self._ground.audit_keys.sign(head.message())
        return Head(
            number=head.number,
            seq=head.seq,
            rows=head.rows,
            hash=head.hash,
            time=head.time,
            key=signature.key,
            signature=signature.value.hex(),
        )
