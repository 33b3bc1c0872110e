"""What needs people leaves the platform as a CloudEvent, where the workspace says so."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from aimass.access import CAPABILITY, Access, CreateWorkspace
from aimass.apps.overview.notify import document_of, on_event
from aimass.infra.notify import Notify
from aimass.kernel.events import Event
from aimass.kernel.principal import SYSTEM
from tests.fixtures.rooms import Rooms


def fact(type_: str, workspace: str = "demo") -> Event:
    return Event(
        id="01J",
        seq=1,
        type=type_,
        subject="endpoint:churn",
        workspace=workspace,
        actor="system",
        time=datetime(2026, 5, 1, tzinfo=UTC),
        data={"alert": "01K"},
    )


@pytest.fixture
def rooms(tmp_path: Path) -> Rooms:
    found = Rooms(tmp_path, [CAPABILITY]).start()
    settings = {"notify": {"webhook": "https://hooks.example.org/x"}}
    found.get(Access).create_workspace(SYSTEM, CreateWorkspace(name="demo", settings=settings))
    found.get(Access).create_workspace(SYSTEM, CreateWorkspace(name="quiet"))
    return found


def test_an_alert_is_put_into_the_outbox_once(rooms: Rooms) -> None:
    on_event(rooms.registry, fact("monitoring.alert.fired"))
    assert len(rooms.get(Notify).list("demo")) == 1


@pytest.mark.parametrize(
    ("type_", "workspace"), [("lake.version.created", "demo"), ("monitoring.alert.fired", "quiet")]
)
def test_nothing_else_is_told(rooms: Rooms, type_: str, workspace: str) -> None:
    on_event(rooms.registry, fact(type_, workspace))
    assert rooms.get(Notify).list() == []


def test_the_document_is_a_cloudevent() -> None:
    document = document_of(fact("monitoring.alert.fired"))
    assert (document["specversion"], document["source"], document["data"]) == (
        "1.0",
        "/workspaces/demo",
        {"alert": "01K"},
    )
