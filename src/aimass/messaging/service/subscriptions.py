"""Subscriptions: pull, acknowledge, dead letters."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from aimass.infra.database import Change
from aimass.kernel.errors import Conflict
from aimass.kernel.ids import new_id
from aimass.kernel.names import check_slug
from aimass.kernel.pages import Page, decode_cursor, page_of
from aimass.kernel.principal import Principal
from aimass.kernel.usecase import use_case
from aimass.messaging.domain.subscriptions import (
    AckMessages,
    CreateSubscription,
    Delivery,
    ListSubscriptions,
    NackMessages,
    Pending,
    PullMessages,
    SeekSubscription,
    Settled,
    Subscription,
    SubscriptionName,
    plan,
)
from aimass.messaging.service.letters import DeadLetters, bury
from aimass.messaging.service.room import checksum, subscription_row, topic_row
from aimass.messaging.store import dead, messages, pending, subscriptions, topics

_POLL_S = 0.5


class Subscriptions(DeadLetters):
    """Use cases about reading a topic with a place of one's own."""

    @use_case(
        "POST /workspaces/{workspace}/topics/{topic}/subscriptions",
        permission="messaging.edit",
        cli="subscriptions create",
        status=201,
    )
    def create_subscription(self, who: Principal, command: CreateSubscription) -> Subscription:
        """Create a subscription of a topic."""
        slug = check_slug(command.subscription, field="subscription")
        with self._database.change(who, command.workspace) as change:
            topic = topic_row(change.conn, command.workspace, command.topic)
            is_it = (subscriptions.c.topic_id == topic.id) & (subscriptions.c.subscription == slug)
            if change.execute(select(subscriptions.c.id).where(is_it)).first() is not None:
                raise Conflict(
                    f"subscription {slug!r} exists", field="subscription", value=slug, hint="choose another name"
                )
            values = {"lease_s": command.lease_s, "max_tries": command.max_tries, "is_ordered": command.is_ordered}
            values |= {"seq": topic.last_seq if command.start == "end" else 0, "created_at": change.now, "version": 1}
            change.execute(insert(subscriptions).values(id=new_id(), topic_id=topic.id, subscription=slug, **values))
            _note(change, "created", command.topic, slug)
            return _find(change.conn, command.workspace, command.topic, slug)

    @use_case(
        "GET /workspaces/{workspace}/topics/{topic}/subscriptions",
        permission="messaging.read",
        cli="subscriptions list",
    )
    def list_subscriptions(self, who: Principal, command: ListSubscriptions) -> Page[Subscription]:
        """List the subscriptions of a topic by name."""
        del who
        with self._database.read() as conn:
            topic = topic_row(conn, command.workspace, command.topic)
            query = select(subscriptions).where(subscriptions.c.topic_id == topic.id)
            if command.cursor:
                query = query.where(subscriptions.c.subscription > decode_cursor(command.cursor))
            rows = conn.execute(query.order_by(subscriptions.c.subscription).limit(command.limit + 1)).all()
            found = [_subscription(conn, row, topic) for row in rows]
        return page_of(found, command.limit, lambda one: one.subscription)

    @use_case(
        "GET /workspaces/{workspace}/topics/{topic}/subscriptions/{subscription}",
        permission="messaging.read",
        cli="subscriptions show",
    )
    def get_subscription(self, who: Principal, command: SubscriptionName) -> Subscription:
        """Show a subscription: how much waits, is in flight and is dead."""
        del who
        with self._database.read() as conn:
            return _find(conn, command.workspace, command.topic, command.subscription)

    @use_case(
        "DELETE /workspaces/{workspace}/topics/{topic}/subscriptions/{subscription}",
        permission="messaging.edit",
        cli="subscriptions delete",
    )
    def delete_subscription(self, who: Principal, command: SubscriptionName) -> None:
        """Delete a subscription with its place and its dead letters."""
        with self._database.change(who, command.workspace) as change:
            row = subscription_row(change.conn, command.workspace, command.topic, command.subscription)
            change.execute(delete(pending).where(pending.c.subscription_id == row.id))
            change.execute(delete(dead).where(dead.c.subscription_id == row.id))
            change.execute(delete(subscriptions).where(subscriptions.c.id == row.id))
            _note(change, "deleted", command.topic, command.subscription)

    @use_case(
        "POST /workspaces/{workspace}/topics/{topic}/subscriptions/{subscription}/seek",
        permission="messaging.edit",
        cli="subscriptions seek",
    )
    def seek_subscription(self, who: Principal, command: SeekSubscription) -> Subscription:
        """Let a subscription go on from another place: a number, a moment, the begin or the end."""
        with self._database.change(who, command.workspace) as change:
            row = subscription_row(change.conn, command.workspace, command.topic, command.subscription)
            seq = _place(change.conn, row.topic_id, command)
            change.execute(delete(pending).where(pending.c.subscription_id == row.id))
            values = {"seq": seq, "version": row.version + 1}
            change.execute(update(subscriptions).where(subscriptions.c.id == row.id).values(**values))
            _note(change, "moved", command.topic, command.subscription)
            return _find(change.conn, command.workspace, command.topic, command.subscription)

    @use_case(
        "POST /workspaces/{workspace}/topics/{topic}/subscriptions/{subscription}/pull",
        permission="messaging.use",
        cli="subscriptions pull",
    )
    def pull(self, who: Principal, command: PullMessages) -> list[Delivery]:
        """Take messages for the time of a lease; wait for the first one as long as asked."""
        end = time.monotonic() + command.wait_s
        seen = self._database.commits
        while True:
            found = self._pull(who, command)
            left = end - time.monotonic()
            if found or left <= 0:
                return found
            seen = self._database.wait(seen, min(_POLL_S, left))

    def _pull(self, who: Principal, command: PullMessages) -> list[Delivery]:
        if not self._has_work(command):
            return []
        with self._database.change(who, command.workspace) as change:
            one = _find(change.conn, command.workspace, command.topic, command.subscription)
            row = subscription_row(change.conn, command.workspace, command.topic, command.subscription)
            self._take_up(change, row, command.limit)
            kept = change.execute(
                select(pending).where(pending.c.subscription_id == row.id).order_by(pending.c.seq)
            ).all()
            waiting = [Pending(seq=p.seq, key=p.key, until=p.until, tries=p.tries) for p in kept]
            decided = plan(waiting, one, change.now, command.limit)
            if decided.dead:
                bury(change, row, one, decided.dead, "it was delivered too often without being acknowledged")
            return self._deliver(change, one, [p for p in kept if p.seq in set(decided.deliver)])

    def _has_work(self, command: PullMessages) -> bool:
        """Tell without writing whether a pull can find anything."""
        with self._database.read() as conn:
            row = subscription_row(conn, command.workspace, command.topic, command.subscription)
            newer = (messages.c.topic_id == row.topic_id) & (messages.c.seq > row.seq)
            due = (pending.c.subscription_id == row.id) & (pending.c.until <= self._database.clock.now())
            queries = (select(messages.c.seq).where(newer), select(pending.c.seq).where(due))
            return any(conn.execute(query.limit(1)).first() is not None for query in queries)

    def _take_up(self, change: Change, row: Row[Any], wanted: int) -> None:
        """Move the place forward over new messages, which become pending."""
        count = select(func.count()).select_from(pending).where(pending.c.subscription_id == row.id)
        room = min(max(wanted * 2, 100), self._settings.in_flight - change.execute(count).scalar_one())
        newer = (messages.c.topic_id == row.topic_id) & (messages.c.seq > row.seq)
        new = change.execute(select(messages).where(newer).order_by(messages.c.seq).limit(max(room, 0))).all()
        if not new:
            return
        values = [
            {
                "subscription_id": row.id,
                "seq": message.seq,
                "key": message.key,
                "until": message.not_before or change.now,
                "tries": 0,
                "receipt": None,
                "error": "",
            }
            for message in new
        ]
        change.execute(insert(pending), values)
        change.execute(update(subscriptions).where(subscriptions.c.id == row.id).values(seq=new[-1].seq))

    def _deliver(self, change: Change, one: Subscription, taken: Sequence[Row[Any]]) -> list[Delivery]:
        wanted = [p.seq for p in taken]
        found = change.execute(select(messages).where(messages.c.seq.in_(wanted))).all()
        by_seq = {row.seq: row for row in found if checksum(row.body) == row.sum}
        lost = [seq for seq in wanted if seq not in by_seq]
        if lost:
            damaged = [row.seq for row in found if row.seq in lost]
            if damaged:
                bury(
                    change,
                    subscription_row(change.conn, one.workspace, one.topic, one.subscription),
                    one,
                    damaged,
                    "damaged",
                )
            change.execute(delete(pending).where(pending.c.subscription_id == one.id, pending.c.seq.in_(lost)))
        until = change.now + timedelta(seconds=one.lease_s)
        return [_lease(change, one, p, by_seq[p.seq], until) for p in taken if p.seq in by_seq]

    @use_case(
        "POST /workspaces/{workspace}/topics/{topic}/subscriptions/{subscription}/ack",
        permission="messaging.use",
        cli="subscriptions ack",
    )
    def ack(self, who: Principal, command: AckMessages) -> Settled:
        """Say that messages are dealt with."""
        with self._database.change(who, command.workspace) as change:
            row = subscription_row(change.conn, command.workspace, command.topic, command.subscription)
            held = _held(change.conn, row.id, command.receipts)
            is_it = (pending.c.subscription_id == row.id) & pending.c.receipt.in_(list(held))
            change.execute(delete(pending).where(is_it))
            return Settled(count=len(held), stale=[one for one in command.receipts if one not in held])

    @use_case(
        "POST /workspaces/{workspace}/topics/{topic}/subscriptions/{subscription}/nack",
        permission="messaging.use",
        cli="subscriptions nack",
    )
    def nack(self, who: Principal, command: NackMessages) -> Settled:
        """Give messages back: they come again after the delay, or become dead letters when tried often enough."""
        with self._database.change(who, command.workspace) as change:
            row = subscription_row(change.conn, command.workspace, command.topic, command.subscription)
            held = _held(change.conn, row.id, command.receipts)
            values = {"until": change.now + timedelta(seconds=command.delay_s), "receipt": None, "error": command.error}
            is_it = (pending.c.subscription_id == row.id) & pending.c.receipt.in_(list(held))
            change.execute(update(pending).where(is_it).values(**values))
            spent = [p.seq for p in held.values() if p.tries >= row.max_tries]
            if spent:
                one = _find(change.conn, command.workspace, command.topic, command.subscription)
                bury(change, row, one, spent, command.error)
            return Settled(count=len(held), stale=[one for one in command.receipts if one not in held])


def _held(conn: Connection, subscription_id: str, receipts: Sequence[str]) -> dict[str, Row[Any]]:
    is_it = (pending.c.subscription_id == subscription_id) & pending.c.receipt.in_(list(receipts))
    return {row.receipt: row for row in conn.execute(select(pending).where(is_it))}


def _lease(change: Change, one: Subscription, p: Row[Any], message: Row[Any], until: Any) -> Delivery:
    receipt = new_id()
    is_it = (pending.c.subscription_id == one.id) & (pending.c.seq == p.seq)
    change.execute(update(pending).where(is_it).values(until=until, tries=p.tries + 1, receipt=receipt))
    return Delivery(
        receipt=receipt,
        until=until,
        tries=p.tries + 1,
        seq=p.seq,
        id=message.id,
        key=message.key,
        time=message.time,
        headers=message.headers,
        body=json.loads(message.body),
    )


def _place(conn: Connection, topic_id: str, command: SeekSubscription) -> int:
    """Return the number of the last message that is not delivered again."""
    if command.seq is not None:
        return max(0, command.seq - 1)
    if command.to == "begin":
        return 0
    last = conn.execute(select(topics.c.last_seq).where(topics.c.id == topic_id)).scalar_one()
    if command.time is None:
        return last
    later = (messages.c.topic_id == topic_id) & (messages.c.time >= command.time)
    first = conn.execute(select(func.min(messages.c.seq)).where(later)).scalar()
    return last if first is None else first - 1


def _find(conn: Connection, workspace: str, topic: str, subscription: str) -> Subscription:
    row = subscription_row(conn, workspace, topic, subscription)
    return _subscription(conn, row, topic_row(conn, workspace, topic))


def _subscription(conn: Connection, row: Row[Any], topic: Row[Any]) -> Subscription:
    newer = (messages.c.topic_id == row.topic_id) & (messages.c.seq > row.seq)

    def count(table: Any, condition: Any) -> int:
        return conn.execute(select(func.count()).select_from(table).where(condition)).scalar_one()

    return Subscription(
        id=row.id,
        workspace=topic.workspace,
        topic=topic.topic,
        subscription=row.subscription,
        lease_s=row.lease_s,
        max_tries=row.max_tries,
        is_ordered=row.is_ordered,
        seq=row.seq,
        waiting=count(messages, newer),
        in_flight=count(pending, pending.c.subscription_id == row.id),
        dead=count(dead, dead.c.subscription_id == row.id),
        created_at=row.created_at,
        version=row.version,
    )


def _note(change: Change, verb: str, topic: str, subscription: str) -> None:
    subject = f"subscription:{topic}/{subscription}"
    change.event(f"messaging.subscription.{verb}", subject=subject)
    change.audit(f"messaging.subscription.{verb}", object_=subject)
