"""The event log: facts in commit order, with durable consumers, retries and dead letters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimass.kernel.doors import door

if TYPE_CHECKING:
    from aimass.infra.events.dispatch import Dispatcher
    from aimass.infra.events.log import EventLog
    from aimass.infra.events.tables import events_cursors, events_dead

__getattr__, __dir__ = door(
    __name__,
    {
        "Dispatcher": "aimass.infra.events.dispatch",
        "EventLog": "aimass.infra.events.log",
        "events_cursors": "aimass.infra.events.tables",
        "events_dead": "aimass.infra.events.tables",
    },
)
__all__ = ["Dispatcher", "EventLog", "events_cursors", "events_dead"]
