"""A deleted workspace: its data stays for its retention, then goes from every room, and nothing of another one does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from aimass.access import CreateWorkspace
from aimass.access.domain.members import ListDeleted, OneWorkspace, RestoreWorkspace
from aimass.apps.overview import Overview
from aimass.apps.overview.domain import Find
from aimass.apps.storage import Storage
from aimass.apps.storage.domain import AskErasure, CollectNow, ListGoing
from aimass.cluster import Jobs, Runner, SubmitJob
from aimass.infra.database import OUTLIVES, Database, belonging, metadata
from aimass.infra.events import Dispatcher
from aimass.infra.search import Document, Search
from aimass.kernel.errors import Conflict, NotFound
from aimass.kernel.layout import DataDir
from aimass.kernel.principal import SYSTEM
from aimass.lake import CreateDataset, Lake
from aimass.messaging import CreateSubscription, CreateTopic, Messaging, NewMessage, PublishMessages
from aimass.messaging.domain.schedules import CreateSchedule, MessageAction
from aimass.messaging.jobs import fire_schedules
from aimass.models import Models
from tests.fixtures.packages import packages, registered
from tests.fixtures.rooms import Rooms
from tests.fixtures.site import Site, whole_site

PLATFORM = {
    "access_attempts", "access_audit_chain", "access_audit_heads", "access_device_requests", "access_devices", "access_group_members", "access_groups",
    "access_identities", "access_providers", "access_recovery_codes", "access_refresh_tokens", "access_revoked_tokens", "access_session_origins",
    "access_sessions", "access_sign_ins", "access_users", "access_workspaces", "cluster_nodes", "events_cursors", "events_dead", "models_successors", "monitoring_damage", "monitoring_segments", "storage_collections",
}  # fmt: skip

PLACES = {"old": "old", "demo": "demo", "late": "old"}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with whole_site(tmp_path / "d") as found:
        found.access.create_workspace(found.root, CreateWorkspace(name="Old"))
        for workspace in ("old", "demo"):
            fill(found, workspace)
        yield found


@pytest.fixture
def later(site: Site, monkeypatch: pytest.MonkeyPatch) -> Any:
    clock = site.registry.get(Database).clock
    now = [clock.now()]
    monkeypatch.setattr(clock, "now", lambda: now[0])

    def move(**time: float) -> None:
        now[0] += timedelta(**time)

    return move


def fill(site: Site, workspace: str) -> None:
    get = site.registry.get
    get(Lake).create_dataset(site.root, CreateDataset(workspace=workspace, name="Customers"))
    table = get(Lake).table_path(workspace, "customers")
    for folder in (table / "_delta_log", table.parent / "_records-churn"):
        folder.mkdir(parents=True)
        (folder / "0.json").write_text("{}")
    topics = get(Messaging)
    topics.create_topic(site.root, CreateTopic(workspace=workspace, topic="orders"))
    topics.create_subscription(
        site.root, CreateSubscription(workspace=workspace, topic="orders", subscription="billing")
    )
    topics.publish(site.root, PublishMessages(workspace=workspace, topic="orders", messages=[NewMessage(body=1)]))
    registered(get(Models), SYSTEM, "churn", packages()["one"], workspace=workspace)
    get(Storage).ask_erasure(site.root, AskErasure(workspace=workspace, values=["nobody@example.org"]))
    told = {"kind": "dataset", "text": "", "href": "/", "permission": "lake.read"}
    get(Search).put([Document(workspace=workspace, key="dataset:customers", title="Customers", **told)])


def rows(site: Site, workspace: str) -> dict[str, int]:
    """Return how many rows of each table belong to a workspace; what outlives it is not counted."""
    found: dict[str, int] = {}
    with site.registry.get(Database).read() as conn:
        for table in metadata.sorted_tables:
            mine = belonging(table, workspace)
            if mine is not None and OUTLIVES not in table.info:
                found[table.name] = conn.execute(select(func.count()).select_from(table).where(mine)).scalar_one()
    return {name: count for name, count in found.items() if count}


def delete(site: Site) -> None:
    site.access.delete_workspace(site.root, OneWorkspace(workspace="old"))


def collect(site: Site) -> Any:
    done = site.registry.get(Storage).collect_now(site.root, CollectNow())
    while site.registry.get(Dispatcher).run_once():
        pass
    return done


def test_every_table_belongs_to_a_workspace_or_to_the_platform(site: Site) -> None:
    assert {table.name for table in metadata.sorted_tables if belonging(table, "x") is None} == PLATFORM


def test_it_is_told_when_it_goes_and_stays_until_then(site: Site, later: Any) -> None:
    before = rows(site, "old")
    assert {"lake_datasets", "messaging_messages", "messaging_subscriptions", "models_versions"} <= set(before)
    delete(site)
    later(days=29)
    (going,) = [g for g in site.registry.get(Storage).list_going(site.root, ListGoing()).items if g.kind == "workspace"]
    assert (going.name, going.rule) == ("Old", "a deleted workspace is kept for 30 days")
    collect(site)
    assert before.items() >= {name: n for name, n in rows(site, "old").items() if name in before}.items()
    assert rows(site, "old")["lake_datasets"] == 1


def _runs(site: Site, workspace: str) -> int:
    with site.registry.get(Database).read() as conn:
        found = metadata.tables["messaging_schedules"]
        return conn.execute(select(found.c.runs).where(found.c.workspace == workspace)).scalar_one()


def test_from_then_on_its_schedules_rest_and_its_jobs_are_cancelled(site: Site, later: Any) -> None:
    get, jobs = site.registry.get, dict[str, str]()
    for workspace in ("old", "demo"):
        wish = CreateSchedule(
            workspace=workspace, name="Nightly", cron="* * * * *", message=MessageAction(topic="orders")
        )
        get(Messaging).create_schedule(site.root, wish)
        order = SubmitJob(workspace=workspace, kind="lake.upkeep", title="Upkeep", payload={"path": "x"})
        jobs[workspace] = get(Jobs).submit(SYSTEM, order).id
    delete(site)
    later(minutes=2)
    fire_schedules(site.registry)
    assert (_runs(site, "old"), _runs(site, "demo")) == (0, 1)
    late = SubmitJob(workspace="old", kind="lake.upkeep", title="Late", payload={"path": "x"})
    jobs["late"] = get(Jobs).submit(SYSTEM, late).id
    get(Runner).step()
    assert get(Jobs).job("old", jobs["late"]).attempts == 0
    while get(Dispatcher).run_once():
        pass
    rooms = Rooms(site.folder, (), registry=site.registry)
    rooms.until(lambda: all(get(Jobs).job(place, jobs[name]).has_ended for name, place in PLACES.items()))
    assert [get(Jobs).job("old", jobs[name]).state for name in ("old", "late")] == ["CANCELLED", "CANCELLED"]
    assert get(Jobs).job("demo", jobs["demo"]).state != "CANCELLED"
    assert [hit.workspace for hit in get(Overview).search(site.root, Find(q="Customers"))] == ["demo"]


def test_it_can_be_restored_and_its_schedules_go_on(site: Site, later: Any) -> None:
    wish = CreateSchedule(workspace="old", name="Nightly", cron="* * * * *", message=MessageAction(topic="orders"))
    site.registry.get(Messaging).create_schedule(site.root, wish)
    delete(site)
    later(minutes=2)
    page = site.visitor("root").open("/settings/workspaces").text
    assert "/settings/workspaces/old/restore" in page
    assert site.visitor("admin").do("POST", "/settings/workspaces/old/restore").status_code == 403
    assert site.visitor("root").do("POST", "/settings/workspaces/old/restore").status_code < 300
    while site.registry.get(Dispatcher).run_once():
        pass
    fire_schedules(site.registry)
    assert _runs(site, "old") == 1
    assert site.access.list_deleted(site.root, ListDeleted()) == []
    with pytest.raises(NotFound, match="no deleted workspace"):
        site.access.restore_workspace(site.root, RestoreWorkspace(deleted="old"))


def test_after_its_time_it_goes_from_every_room_and_nothing_of_another_does(site: Site, later: Any) -> None:
    delete(site)
    later(days=31)
    others, folder = rows(site, "demo"), site.registry.get(DataDir).lake
    done = collect(site)
    assert done.error == ""
    assert done.kinds["workspace"][0] == 1
    assert rows(site, "old") == {}
    assert (folder / "old").exists() is False
    assert site.registry.get(Search).find(SYSTEM, "Customers")[0].workspace == "demo"
    assert rows(site, "demo") == others
    assert (folder / "demo" / "_records-churn").exists()


def test_the_slug_the_audit_log_and_its_erasures_stay(site: Site, later: Any) -> None:
    delete(site)
    later(days=31)
    collect(site)
    later(hours=2)
    assert "workspace" not in collect(site).kinds, "it goes once"
    with pytest.raises(Conflict, match="taken"):
        site.access.create_workspace(site.root, CreateWorkspace(name="Old"))
    with site.registry.get(Database).read() as conn:
        audit, kept = metadata.tables["audit_log"], metadata.tables["storage_erasures"]
        actions = list(conn.execute(select(audit.c.action).where(audit.c.workspace == "old")).scalars())
        erasures = conn.execute(select(func.count()).select_from(kept).where(kept.c.workspace == "old")).scalar_one()
    assert (actions.count("access.workspace.purge"), erasures) == (1, 1)
    assert site.access.verify_audit(site.root).ok
    with pytest.raises(NotFound):
        site.access.get_workspace(site.root, OneWorkspace(workspace="old"))
