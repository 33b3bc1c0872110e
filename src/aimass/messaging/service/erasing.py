"""Erasing a person from topics: messages that name him lose their body, and keep their place."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import select, update

from aimass.infra.database import Change, mentioning, scrub
from aimass.kernel.erasing import Erased, Person
from aimass.kernel.principal import ANYWHERE, SYSTEM
from aimass.messaging.service.room import Part, checksum
from aimass.messaging.store import dead, messages, pending, schedules, subscriptions, topics

_TEXTS = ("key", "headers", "body")
_EMPTY = "null"


class Erasing(Part):
    """What erases a person; the room storage asks for it."""

    def erase_person(self, person: Person) -> list[Erased]:
        """Empty the messages and dead letters that name a person, and scrub errors and schedules."""
        here = [] if person.workspace == ANYWHERE else [topics.c.workspace == person.workspace]
        mine = select(topics.c.id).where(*here)
        readers = select(subscriptions.c.id).where(subscriptions.c.topic_id.in_(mine))
        with self._database.change(SYSTEM, person.workspace) as change:
            emptied = self._empty(change, person)
            scrub(change, pending, ["error", "key"], person, pending.c.subscription_id.in_(readers))
            ours = [] if person.workspace == ANYWHERE else [schedules.c.workspace == person.workspace]
            planned = scrub(change, schedules, ["job", "message", "name"], person, *ours)
        return [Erased(what="messages", count=emptied), Erased(what="schedules", count=len(planned))]

    def _empty(self, change: Change, person: Person) -> int:
        """Take the body of a message as a whole: what stands beside the name belongs to the person as well."""
        here = [] if person.workspace == ANYWHERE else [topics.c.workspace == person.workspace]
        mine = select(topics.c.id).where(*here)
        letters = [] if person.workspace == ANYWHERE else [dead.c.workspace == person.workspace]
        places = ((messages, [messages.c.topic_id.in_(mine)]), (dead, letters))
        emptied = 0
        for table, where in places:
            found = select(table).where(mentioning([table.c[name] for name in _TEXTS], person), *where)
            for row in change.execute(found).all():
                told = [row.key, row.headers, _body(row.body)]
                if person.scrubbed(told) == told:
                    continue
                values = {"body": _EMPTY, "headers": {"aimass-erased": person.erasure}, "key": person.scrubbed(row.key)}
                if table is messages:
                    values["sum"] = checksum(_EMPTY)
                key = [column == getattr(row, column.name) for column in table.primary_key]
                change.execute(update(table).where(*key).values(**values))
                emptied += 1
        scrub(change, dead, ["error"], person, *letters)
        return emptied


def _body(text: str) -> Any:
    """Return the body of a message; one that was damaged on the disk is a text like any other."""
    try:
        return json.loads(text)
    except ValueError:
        return text
