"""What the parts of the service share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Row, select

from aimass.infra.database import Database
from aimass.kernel.errors import NotFound, Stale
from aimass.kernel.principal import Principal
from aimass.messaging.settings import MessagingSettings
from aimass.messaging.store import subscriptions, topics


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The ports that the room stands on.

    ``kinds`` are the jobs that a person's schedule may start; ``check`` refuses a payload for a kind, in a workspace.
    """

    database: Database
    settings: MessagingSettings
    kinds: Collection[str] = ()
    check: Callable[[Principal, str, str, Mapping[str, Any]], None] = lambda *_: None


class Part:
    """One part of the service."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._database = ground.database
        self._settings = ground.settings


def topic_row(conn: Connection, workspace: str, topic: str) -> Row[Any]:
    """Return a topic's row, or raise NotFound."""
    row = conn.execute(select(topics).where(topics.c.workspace == workspace, topics.c.topic == topic)).first()
    if row is None:
        raise NotFound(f"there is no topic {topic!r}", field="topic", value=topic)
    return row


def subscription_row(conn: Connection, workspace: str, topic: str, subscription: str) -> Row[Any]:
    """Return a subscription's row, or raise NotFound."""
    topic_id = topic_row(conn, workspace, topic).id
    is_it = (subscriptions.c.topic_id == topic_id) & (subscriptions.c.subscription == subscription)
    row = conn.execute(select(subscriptions).where(is_it)).first()
    if row is None:
        raise NotFound(
            f"topic {topic!r} has no subscription {subscription!r}", field="subscription", value=subscription
        )
    return row


def fresh(version: int, expected: int | None) -> None:
    """Refuse a change of something that was changed since it was read."""
    if expected is not None and expected != version:
        raise Stale(f"version {expected} was changed to {version} meanwhile", value=expected, hint="read it again")


def checksum(text: str) -> str:
    """Return the checksum that is kept beside a message."""
    return sha256(text.encode(errors="surrogatepass")).hexdigest()
