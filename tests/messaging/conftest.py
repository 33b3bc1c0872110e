from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aimass.infra.database import Database, metadata
from aimass.kernel.principal import Grant, Principal
from aimass.messaging import CreateSubscription, CreateTopic, Messaging, MessagingSettings, NewMessage, PublishMessages
from aimass.messaging.service import Ground


class Time:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 5, 1, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def move(self, **span: float) -> None:
        self.moment += timedelta(**span)


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def who() -> Principal:
    rights = frozenset({"messaging.read", "messaging.use", "messaging.edit"})
    return Principal(id="alice", name="Alice", kind="user", grants=(Grant(workspace="demo", permissions=rights),))


@pytest.fixture
def database(tmp_path: Path, clock: Time) -> Iterator[Database]:
    database = Database.file(tmp_path / "aimass.db", clock)
    metadata.create_all(database.engine)
    yield database
    database.close()


class Desk:
    """The service with short words for the tests."""

    def __init__(self, service: Messaging, who: Principal) -> None:
        self.service, self.who = service, who

    def topic(self, topic: str = "orders", **options: object) -> None:
        self.service.create_topic(self.who, CreateTopic(workspace="demo", topic=topic, **options))

    def subscribe(self, subscription: str = "billing", topic: str = "orders", **options: object) -> None:
        wish = CreateSubscription(workspace="demo", topic=topic, subscription=subscription, **options)
        self.service.create_subscription(self.who, wish)

    def publish(self, *bodies: object, topic: str = "orders", **options: object) -> list[int]:
        messages = [NewMessage(body=body, **options) for body in bodies]
        wish = PublishMessages(workspace="demo", topic=topic, messages=messages)
        return [one.seq for one in self.service.publish(self.who, wish)]


@pytest.fixture
def desk(database: Database, who: Principal) -> Desk:
    ground = Ground(database=database, settings=MessagingSettings(), kinds={"lifecycle.pipeline"})
    return Desk(Messaging(ground), who)
