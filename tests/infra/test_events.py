"""Events are told with the change, in order, at least once, and a poisoned one is put aside."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from aimass.infra.database import Database, metadata
from aimass.infra.events import Dispatcher, EventLog, events_dead
from aimass.kernel.errors import Failed
from aimass.kernel.events import Event
from aimass.kernel.principal import SYSTEM


class SteppedClock:
    def __init__(self) -> None:
        self.moment = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment


@pytest.fixture
def database(tmp_path: Path) -> Database:
    database = Database.file(tmp_path / "aimass.db", SteppedClock())
    metadata.create_all(database.engine)
    return database


def tell(database: Database, *types: str) -> None:
    for type_ in types:
        with database.change(SYSTEM, "demo") as change:
            change.event(type_, subject="thing:a")


def test_an_aborted_change_tells_nothing(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.change(SYSTEM, "demo") as change:
        change.event("a.b.c", subject="thing:a")
        _ = 1 / 0
    assert EventLog(database).read() == []


def test_a_change_inside_a_change_is_refused_at_once(database: Database) -> None:
    with pytest.raises(Failed), database.change(SYSTEM, "demo"), database.change(SYSTEM, "demo"):
        pass
    tell(database, "after.it.works")


def test_a_consumer_hears_each_event_once_and_in_order(database: Database) -> None:
    log, heard = EventLog(database), []
    dispatcher = Dispatcher(database, log)
    dispatcher.subscribe("one", "a.*", lambda event: heard.append(event.type))
    tell(database, "a.one", "b.two", "a.three")
    dispatcher.run_once()
    dispatcher.run_once()
    assert heard == ["a.one", "a.three"]


def test_a_cursor_survives_a_restart(database: Database) -> None:
    log, heard = EventLog(database), []
    Dispatcher(database, log).subscribe("one", "*", lambda event: heard.append(event.type))
    tell(database, "a.one")
    again = Dispatcher(database, log)
    again.subscribe("one", "*", lambda event: heard.append(event.type))
    again.run_once()
    assert heard == ["a.one"]


def test_a_poisoned_event_is_retried_then_put_aside_and_can_be_replayed(database: Database) -> None:
    heard: list[str] = []
    broken = [True]

    def handler(event: Event) -> None:
        if event.type == "a.bad" and broken[0]:
            raise ValueError(event.type)
        heard.append(event.type)

    dispatcher = Dispatcher(database, EventLog(database))
    dispatcher.subscribe("one", "*", handler)
    tell(database, "a.bad", "a.good")
    for _ in range(5):
        dispatcher.run_once()
        assert isinstance(database.clock, SteppedClock)
        database.clock.moment += timedelta(seconds=20)
    assert heard == ["a.good"]
    with database.read() as conn:
        (dead,) = conn.execute(select(events_dead)).all()
    assert dead.tries == 5
    broken[0] = False
    dispatcher.replay(dead.id)
    assert heard == ["a.good", "a.bad"]
