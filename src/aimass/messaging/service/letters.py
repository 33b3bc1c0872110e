"""Dead letters: look at them, deliver them again, let them go."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, func, insert, select

from aimass.infra.database import Change
from aimass.kernel.errors import NotFound
from aimass.kernel.ids import new_id
from aimass.kernel.pages import Page, decode_cursor, page_of
from aimass.kernel.principal import Principal
from aimass.kernel.usecase import use_case
from aimass.messaging.domain.subscriptions import (
    DeadLetter,
    DeadLetterId,
    ListDeadLetters,
    Settled,
    SettleDeadLetters,
    Subscription,
)
from aimass.messaging.service.room import Part, checksum, subscription_row
from aimass.messaging.store import dead, messages, pending

_BATCH = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadCount:
    """How many messages a subscription gave up on, and since when the newest lies there."""

    workspace: str
    topic: str
    subscription: str
    count: int
    since: datetime


class DeadLetters(Part):
    """Use cases about messages that a subscription could not digest."""

    @use_case("GET /workspaces/{workspace}/dead-letters", permission="messaging.read", cli="dead-letters list")
    def list_dead_letters(self, who: Principal, command: ListDeadLetters) -> Page[DeadLetter]:
        """List dead letters, newest first."""
        del who
        query = select(dead).where(dead.c.workspace == command.workspace)
        for column, value in ((dead.c.topic, command.topic), (dead.c.subscription, command.subscription)):
            if value is not None:
                query = query.where(column == value)
        if command.cursor:
            query = query.where(dead.c.id < decode_cursor(command.cursor))
        with self._database.read() as conn:
            rows = conn.execute(query.order_by(dead.c.id.desc()).limit(command.limit + 1)).all()
        return page_of([_letter(row) for row in rows], command.limit, lambda letter: letter.id)

    def dead_by_subscription(self, workspace: str | None = None) -> list[DeadCount]:
        """Count the dead letters of each subscription; of every workspace when none is named."""
        by = (dead.c.workspace, dead.c.topic, dead.c.subscription)
        query = select(*by, func.count().label("count"), func.max(dead.c.time).label("since")).group_by(*by)
        if workspace is not None:
            query = query.where(dead.c.workspace == workspace)
        with self._database.read() as conn:
            return [DeadCount(**row._mapping) for row in conn.execute(query)]  # noqa: SLF001 the public mapping view of a row

    @use_case("GET /workspaces/{workspace}/dead-letters/{letter}", permission="messaging.read", cli="dead-letters show")
    def get_dead_letter(self, who: Principal, command: DeadLetterId) -> DeadLetter:
        """Show a dead letter with its message and the last error."""
        del who
        query = select(dead).where(dead.c.id == command.letter, dead.c.workspace == command.workspace)
        with self._database.read() as conn:
            row = conn.execute(query).first()
        if row is None:
            raise NotFound(f"there is no dead letter {command.letter!r}", field="letter", value=command.letter)
        return _letter(row)

    @use_case(
        "POST /workspaces/{workspace}/topics/{topic}/subscriptions/{subscription}/dead-letters/replay",
        permission="messaging.edit",
        cli="dead-letters replay",
    )
    def replay_dead_letters(self, who: Principal, command: SettleDeadLetters) -> Settled:
        """Deliver dead letters to their subscription again, all or those that are named."""
        with self._database.change(who, command.workspace) as change:
            row = subscription_row(change.conn, command.workspace, command.topic, command.subscription)
            letters = _wanted(change, row, command)
            for letter in letters:
                _revive(change, row, letter)
            return self._let_go(change, command, letters, "replayed")

    @use_case(
        "POST /workspaces/{workspace}/topics/{topic}/subscriptions/{subscription}/dead-letters/purge",
        permission="messaging.edit",
        cli="dead-letters purge",
    )
    def purge_dead_letters(self, who: Principal, command: SettleDeadLetters) -> Settled:
        """Let dead letters go for good, all or those that are named."""
        with self._database.change(who, command.workspace) as change:
            row = subscription_row(change.conn, command.workspace, command.topic, command.subscription)
            return self._let_go(change, command, _wanted(change, row, command), "purged")

    def _let_go(self, change: Change, command: SettleDeadLetters, letters: Sequence[Row[Any]], verb: str) -> Settled:
        found = [letter.id for letter in letters]
        change.execute(delete(dead).where(dead.c.id.in_(found)))
        subject = f"subscription:{command.topic}/{command.subscription}"
        change.audit(f"messaging.dead_letters.{verb}", object_=subject, detail={"count": len(found)})
        return Settled(count=len(found), stale=[one for one in command.letters if one not in found])


def _wanted(change: Change, row: Row[Any], command: SettleDeadLetters) -> Sequence[Row[Any]]:
    query = select(dead).where(dead.c.subscription_id == row.id).order_by(dead.c.seq).limit(_BATCH)
    return change.execute(query.where(dead.c.id.in_(command.letters)) if command.letters else query).all()


def _revive(change: Change, row: Row[Any], letter: Row[Any]) -> None:
    """Make a dead letter pending again; its message is written again when its topic let it go meanwhile."""
    if change.execute(select(messages.c.seq).where(messages.c.seq == letter.seq)).first() is None:
        values = {"seq": letter.seq, "topic_id": row.topic_id, "id": letter.message_id, "key": letter.key}
        values |= {"time": change.now, "not_before": None, "headers": letter.headers}
        change.execute(insert(messages).values(body=letter.body, sum=checksum(letter.body), **values))
    values = {"subscription_id": row.id, "seq": letter.seq, "key": letter.key, "until": change.now}
    change.execute(insert(pending).values(tries=0, receipt=None, error=letter.error, **values))


def bury(change: Change, row: Row[Any], one: Subscription, seqs: Sequence[int], error: str) -> None:
    """Make pending messages dead letters; the last error that a reader gave says why."""
    is_it = (pending.c.subscription_id == row.id) & pending.c.seq.in_(seqs)
    spent = {p.seq: p for p in change.execute(select(pending).where(is_it))}
    for message in change.execute(select(messages).where(messages.c.seq.in_(list(spent)))).all():
        p = spent[message.seq]
        values = {
            "id": new_id(),
            "workspace": one.workspace,
            "topic": one.topic,
            "subscription_id": row.id,
            "subscription": one.subscription,
            "seq": message.seq,
            "message_id": message.id,
            "key": message.key,
            "headers": message.headers,
            "body": message.body,
            "published_at": message.time,
            "tries": p.tries,
            "error": p.error or error,
            "time": change.now,
        }
        change.execute(insert(dead).values(**values))
    change.execute(delete(pending).where(is_it))
    data = {"topic": one.topic, "subscription": one.subscription, "count": len(spent)}
    change.event("messaging.message.dead", subject=f"subscription:{one.topic}/{one.subscription}", data=data)


def _letter(row: Row[Any]) -> DeadLetter:
    values = dict(row._mapping)  # noqa: SLF001 the public name of the mapping view of a row
    del values["subscription_id"]
    return DeadLetter(**{**values, "body": _body(row.body)})


def _body(text: str) -> Any:
    """Return the body of a letter; one that was damaged on the disk is shown as it is."""
    try:
        return json.loads(text)
    except ValueError:
        return text
