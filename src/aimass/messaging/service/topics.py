"""Topics and publishing."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update

from aimass.infra.database import Change
from aimass.kernel.errors import Conflict
from aimass.kernel.ids import new_id
from aimass.kernel.keeping import Holding
from aimass.kernel.names import check_slug
from aimass.kernel.pages import Page, decode_cursor, decode_number, page_of
from aimass.kernel.principal import SYSTEM, Principal
from aimass.kernel.usecase import use_case
from aimass.messaging.domain.topics import (
    ChangeTopic,
    CreateTopic,
    ListMessages,
    ListTopics,
    Message,
    NewMessage,
    Published,
    PublishMessages,
    Topic,
    TopicName,
    written,
)
from aimass.messaging.errors import TopicInUse
from aimass.messaging.service.room import Part, checksum, fresh, topic_row
from aimass.messaging.store import messages, subscriptions, topics


class Topics(Part):
    """Use cases about topics and their messages."""

    @use_case("POST /workspaces/{workspace}/topics", permission="messaging.edit", cli="topics create", status=201)
    def create_topic(self, who: Principal, command: CreateTopic) -> Topic:
        """Create a topic."""
        slug = check_slug(command.topic, field="topic")
        values = {"title": command.title, "retention_h": command.retention_h, "last_seq": 0, "version": 1}
        with self._database.change(who, command.workspace) as change:
            same = select(topics.c.id).where(topics.c.workspace == command.workspace, topics.c.topic == slug)
            if change.execute(same).first() is not None:
                raise Conflict(f"topic {slug!r} exists", field="topic", value=slug, hint="choose another name")
            row = {"id": new_id(), "workspace": command.workspace, "topic": slug, "created_at": change.now, **values}
            change.execute(insert(topics).values(**row))
            _note(change, "created", slug)
            return _topic(topic_row(change.conn, command.workspace, slug), 0)

    @use_case("GET /workspaces/{workspace}/topics", permission="messaging.read", cli="topics list")
    def list_topics(self, who: Principal, command: ListTopics) -> Page[Topic]:
        """List the topics by name."""
        del who
        query = select(topics).where(topics.c.workspace == command.workspace)
        if command.cursor:
            query = query.where(topics.c.topic > decode_cursor(command.cursor))
        with self._database.read() as conn:
            rows = conn.execute(query.order_by(topics.c.topic).limit(command.limit + 1)).all()
            counted = select(messages.c.topic_id, func.count()).where(messages.c.topic_id.in_([row.id for row in rows]))
            counts: dict[str, int] = {id_: n for id_, n in conn.execute(counted.group_by(messages.c.topic_id))}  # noqa: C416 rows are no pairs
        return page_of([_topic(row, counts.get(row.id, 0)) for row in rows], command.limit, lambda topic: topic.topic)

    @use_case("GET /workspaces/{workspace}/topics/{topic}", permission="messaging.read", cli="topics show")
    def get_topic(self, who: Principal, command: TopicName) -> Topic:
        """Show a topic."""
        del who
        with self._database.read() as conn:
            row = topic_row(conn, command.workspace, command.topic)
            kept = select(func.count()).select_from(messages).where(messages.c.topic_id == row.id)
            return _topic(row, conn.execute(kept).scalar_one())

    @use_case("PATCH /workspaces/{workspace}/topics/{topic}", permission="messaging.edit", cli="topics change")
    def change_topic(self, who: Principal, command: ChangeTopic) -> Topic:
        """Change the title or the retention of a topic."""
        wishes = {"title": command.title, "retention_h": command.retention_h}
        values = {name: value for name, value in wishes.items() if value is not None}
        with self._database.change(who, command.workspace) as change:
            row = topic_row(change.conn, command.workspace, command.topic)
            fresh(row.version, command.expected_version)
            change.execute(update(topics).where(topics.c.id == row.id).values(version=row.version + 1, **values))
            _note(change, "changed", command.topic)
        return self.get_topic(who, TopicName(workspace=command.workspace, topic=command.topic))

    @use_case("DELETE /workspaces/{workspace}/topics/{topic}", permission="messaging.edit", cli="topics delete")
    def delete_topic(self, who: Principal, command: TopicName) -> None:
        """Delete a topic without subscriptions, and its messages."""
        with self._database.change(who, command.workspace) as change:
            row = topic_row(change.conn, command.workspace, command.topic)
            named = select(subscriptions.c.subscription).where(subscriptions.c.topic_id == row.id)
            readers = list(change.execute(named).scalars())
            if readers:
                raise TopicInUse(f"topic {command.topic!r} has subscriptions", value=readers, hint="delete them first")
            change.execute(delete(messages).where(messages.c.topic_id == row.id))
            change.execute(delete(topics).where(topics.c.id == row.id))
            _note(change, "deleted", command.topic)

    @use_case(
        "POST /workspaces/{workspace}/topics/{topic}/messages",
        permission="messaging.use",
        cli="topics publish",
        status=201,
    )
    def publish(self, who: Principal, command: PublishMessages) -> list[Published]:
        """Publish messages, all or none; they are kept when this returns."""
        with self._database.change(who, command.workspace) as change:
            return self.publish_in(change, command)

    def publish_in(self, change: Change, command: PublishMessages) -> list[Published]:
        """Publish inside the caller's own change, so that both happen or neither."""
        topic = topic_row(change.conn, command.workspace, command.topic)
        published = [self._add(change, topic.id, message) for message in command.messages]
        last = max([topic.last_seq, *(message.seq for message in published)])
        change.execute(update(topics).where(topics.c.id == topic.id).values(last_seq=last))
        return published

    def _add(self, change: Change, topic_id: str, message: NewMessage) -> Published:
        if message.id is not None:
            is_it = (messages.c.topic_id == topic_id) & (messages.c.id == message.id)
            known = change.execute(select(messages.c.seq).where(is_it)).scalar()
            if known is not None:
                return Published(id=message.id, seq=known, is_new=False)
        body = written(message.body, self._settings.message_bytes)
        row = {
            "topic_id": topic_id,
            "id": message.id or new_id(),
            "key": message.key,
            "time": change.now,
            "not_before": change.now + timedelta(seconds=message.delay_s) if message.delay_s else None,
            "headers": dict(message.headers),
            "body": body,
            "sum": checksum(body),
        }
        added = change.execute(insert(messages).values(**row))
        return Published(id=row["id"], seq=added.inserted_primary_key[0], is_new=True)  # pyright: ignore[reportOptionalSubscript]

    @use_case("GET /workspaces/{workspace}/topics/{topic}/messages", permission="messaging.read", cli="topics messages")
    def list_messages(self, who: Principal, command: ListMessages) -> Page[Message]:
        """Look at the messages of a topic, oldest first, without taking any."""
        del who
        with self._database.read() as conn:
            topic = topic_row(conn, command.workspace, command.topic)
            query = select(messages).where(messages.c.topic_id == topic.id)
            if command.since is not None:
                query = query.where(messages.c.time >= command.since)
            if command.cursor:
                query = query.where(messages.c.seq > decode_number(command.cursor))
            found = conn.execute(query.order_by(messages.c.seq).limit(command.limit + 1)).all()
        return page_of([_message(row) for row in found], command.limit, lambda message: str(message.seq))

    def holdings(self) -> list[Holding]:
        """Return how much the messages of each topic take, and how long they are kept."""
        size = func.coalesce(func.sum(func.length(messages.c.body)), 0).label("bytes")
        query = select(topics, func.count(messages.c.seq).label("kept"), size)
        query = query.outerjoin_from(topics, messages, messages.c.topic_id == topics.c.id).group_by(topics.c.id)
        with self._database.read() as conn:
            rows = conn.execute(query.order_by(topics.c.workspace, topics.c.topic)).all()
        return [_holding(row) for row in rows]

    def retain(self) -> int:
        """Delete the messages that have had their time; return how many."""
        with self._database.read() as conn:
            kept = conn.execute(select(topics.c.id, topics.c.retention_h)).all()
        gone = 0
        for topic_id, hours in kept:
            old = (messages.c.topic_id == topic_id) & (
                messages.c.time < self._database.clock.now() - timedelta(hours=hours)
            )
            with self._database.read() as conn:
                if conn.execute(select(messages.c.seq).where(old).limit(1)).first() is None:
                    continue
            with self._database.change(SYSTEM, "*") as change:
                gone += change.execute(delete(messages).where(old)).rowcount
        return gone


def _note(change: Change, verb: str, topic: str) -> None:
    change.event(f"messaging.topic.{verb}", subject=f"topic:{topic}")
    change.audit(f"messaging.topic.{verb}", object_=f"topic:{topic}")


def _topic(row: Row[Any], kept: int) -> Topic:
    return Topic(
        id=row.id,
        workspace=row.workspace,
        topic=row.topic,
        title=row.title,
        retention_h=row.retention_h,
        messages=kept,
        last_seq=row.last_seq,
        created_at=row.created_at,
        version=row.version,
    )


def _message(row: Row[Any]) -> Message:
    return Message(seq=row.seq, id=row.id, key=row.key, time=row.time, headers=row.headers, body=json.loads(row.body))


def _holding(row: Row[Any]) -> Holding:
    return Holding(
        part="messages",
        name=row.topic,
        workspace=row.workspace,
        size_bytes=row.bytes,
        count=row.kept,
        rule=f"messages are kept for {row.retention_h:g} hours",
        path=f"/{row.workspace}/operate/queues/{row.topic}",
    )
