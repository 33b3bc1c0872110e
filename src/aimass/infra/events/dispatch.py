"""Hand events to handlers: at least once, in order per consumer, with retries, then dead letters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import Row, delete, insert, select, update

from aimass.infra.database import Change, Database
from aimass.infra.events.log import EventLog
from aimass.infra.events.tables import events_cursors, events_dead
from aimass.kernel.errors import NotFound
from aimass.kernel.events import Event
from aimass.kernel.ids import new_id
from aimass.kernel.principal import SYSTEM
from aimass.kernel.tracing import tracing

Handler = Callable[[Event], None]
_MAX_TRIES = 5
_BATCH = 200
_log = structlog.get_logger("aimass.events")


@dataclass(frozen=True, slots=True)
class _Consumer:
    name: str
    pattern: str
    handler: Handler


class Dispatcher:
    """Calls handlers for events; each consumer has a durable cursor of its own.

    A handler that fails is called again after 1, 2, 4 and 8 seconds while its later events wait; then the event is put
    aside as a dead letter and the consumer goes on. A handler may see an event twice after a crash, so it is idempotent.
    """

    def __init__(self, database: Database, log: EventLog) -> None:
        self._database = database
        self._log = log
        self._consumers: list[_Consumer] = []
        self._seen: dict[str, int] = {}

    def subscribe(self, name: str, pattern: str, handler: Handler) -> None:
        """Add a consumer; a new name starts at the present end of the log."""
        self._consumers.append(_Consumer(name, pattern, handler))
        with self._database.read() as conn:
            known = conn.execute(select(events_cursors.c.seq).where(events_cursors.c.consumer == name)).first()
        if known is None:
            head = self._log.head()
            with self._database.change(SYSTEM, "*") as change:
                change.execute(insert(events_cursors).values(consumer=name, seq=head, tries=0, retry_at=None, error=""))

    def run_once(self) -> int:
        """Let every consumer work off what waits; return the number of events handled."""
        names = [consumer.name for consumer in self._consumers]
        with self._database.read() as conn:
            rows = conn.execute(select(events_cursors).where(events_cursors.c.consumer.in_(names))).all()
        cursors, head = {row.consumer: row for row in rows}, self._log.head()
        return sum(self._serve(consumer, cursors[consumer.name], head) for consumer in self._consumers)

    def _serve(self, consumer: _Consumer, cursor: Row[Any], head: int) -> int:
        """Work off what a consumer has not seen; up to where nothing was for it is kept in memory, not written."""
        after = max(cursor.seq, self._seen.get(consumer.name, 0))
        if after >= head or (cursor.retry_at is not None and cursor.retry_at > self._database.clock.now()):
            return 0
        events = self._log.read(after, limit=_BATCH, type_=consumer.pattern)
        tries = cursor.tries
        for done, event in enumerate(events):
            if not self._try(consumer, event, tries):
                return done
            tries = 0
        if len(events) < _BATCH:
            self._seen[consumer.name] = head
        return len(events)

    def _try(self, consumer: _Consumer, event: Event, tries: int) -> bool:
        try:
            with tracing(event.trace):
                consumer.handler(event)
        except Exception as reason:  # noqa: BLE001 the fault is kept, shown and retried; one consumer never stops another
            return self._failed(consumer, event, tries + 1, f"{type(reason).__name__}: {reason}")
        with self._database.change(SYSTEM, "*") as change:
            self._move(change, consumer, event.seq)
        return True

    def _failed(self, consumer: _Consumer, event: Event, tries: int, error: str) -> bool:
        now = self._database.clock.now()
        _log.warning(
            "event handler failed", consumer=consumer.name, event_id=event.id, type=event.type, tries=tries, error=error
        )
        with self._database.change(SYSTEM, event.workspace) as change:
            if tries < _MAX_TRIES:
                later = now + timedelta(seconds=2 ** (tries - 1))
                values = {"tries": tries, "retry_at": later, "error": error}
                change.execute(
                    update(events_cursors).where(events_cursors.c.consumer == consumer.name).values(**values)
                )
                return False
            row = {
                "id": new_id(),
                "consumer": consumer.name,
                "event_seq": event.seq,
                "time": now,
                "tries": tries,
                "error": error,
            }
            change.execute(insert(events_dead).values(**row))
            self._move(change, consumer, event.seq)
        return True

    def _move(self, change: Change, consumer: _Consumer, seq: int) -> None:
        values = {"seq": seq, "tries": 0, "retry_at": None, "error": ""}
        change.execute(update(events_cursors).where(events_cursors.c.consumer == consumer.name).values(**values))

    def replay(self, dead_id: str) -> None:
        """Call the handler of a dead letter again, and forget the letter when it succeeds."""
        with self._database.read() as conn:
            dead = conn.execute(select(events_dead).where(events_dead.c.id == dead_id)).first()
        consumer = next((c for c in self._consumers if dead is not None and c.name == dead.consumer), None)
        if dead is None or consumer is None:
            raise NotFound(f"there is no dead letter {dead_id!r}", value=dead_id)
        event = self._log.read(dead.event_seq - 1, limit=1)[0]
        with tracing(event.trace):
            consumer.handler(event)
        with self._database.change(SYSTEM, "*") as change:
            change.execute(delete(events_dead).where(events_dead.c.id == dead_id))
