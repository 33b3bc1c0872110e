"""Collections across real rooms: what goes and when, what stays, who may, and what is told of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from aimass.apps.storage import Storage
from aimass.apps.storage.domain import CollectNow, ListCollections, ListGoing
from aimass.apps.storage.events import COLLECTED
from aimass.apps.storage.store import collections
from aimass.cluster import Jobs, SubmitJob
from aimass.collector import Collector
from aimass.collector.domain import Upload
from aimass.infra.blobs import Blobs
from aimass.infra.collecting import nothing_goes
from aimass.infra.database import Database, audit_log
from aimass.infra.events import EventLog
from aimass.infra.segments import closed_segments, read_segment
from aimass.kernel.capability import Capabilities, Capability
from aimass.kernel.errors import Conflict, NotFound
from aimass.kernel.keeping import KEEP_DELETED_DAYS
from aimass.kernel.layout import DataDir
from aimass.kernel.principal import SYSTEM
from aimass.kernel.registry import Registry
from aimass.lake import CreateDataset, Lake
from aimass.lake.commands import DeleteDataset
from aimass.models import Models, OneVersion
from aimass.models.domain import OneModel
from tests.fixtures.packages import packages, registered
from tests.fixtures.site import ROLES, Site, whole_site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with whole_site(tmp_path / "d") as found:
        yield found


@pytest.fixture
def later(site: Site, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let time go by."""
    clock = site.registry.get(Database).clock
    now: list[datetime] = [clock.now()]
    monkeypatch.setattr(clock, "now", lambda: now[0])

    def go(**time: float) -> None:
        now[0] += timedelta(**time)

    return go


def storage(site: Site) -> Storage:
    return site.registry.get(Storage)


def collect(site: Site, **wish: Any) -> dict[str, int]:
    """Collect as the administrator; return how many of each kind went."""
    done = storage(site).collect_now(site.root, CollectNow(**wish))
    return {kind: counted[0] for kind, counted in done.kinds.items()}


def version_of(site: Site, model: str = "churn") -> Any:
    return registered(site.registry.get(Models), SYSTEM, model, packages()["one"])


# -- what goes


def test_a_deleted_version_goes_after_its_time_and_its_package_with_it(site: Site, later: Any) -> None:
    models, version = site.registry.get(Models), version_of(site)
    models.materialise(version)
    name = OneVersion(workspace="demo", model="churn", number=version.number)
    models.delete_version(site.root, name)
    later(days=2)
    assert collect(site) == {"unpacked package": 1}, "the blobs of a deleted version stay while it is kept"
    (going,) = storage(site).list_going(site.root, ListGoing()).items
    assert (going.kind, going.name) == ("model version", "churn version 1")
    assert going.goes_at - going.since == timedelta(days=KEEP_DELETED_DAYS)
    later(days=KEEP_DELETED_DAYS)
    assert collect(site)["model version"] == 1
    assert list(site.registry.get(Blobs).list()) == []


def test_a_package_that_is_named_stays_and_is_unpacked_again_when_it_is_wanted(site: Site, later: Any) -> None:
    models, version = site.registry.get(Models), version_of(site)
    folder = models.materialise(version)
    later(days=400)
    assert collect(site) == {"unpacked package": 1}
    assert not folder.exists()
    assert models.materialise(version) == folder
    assert (folder / "manifest.json").exists()


def test_what_a_waiting_job_names_stays(site: Site, later: Any) -> None:
    blobs = site.registry.get(Blobs)
    named, path, gone = blobs.put(b"a"), blobs.put(b"b"), blobs.put(b"c")
    payload = {"sha256": named.sha256, "split": {"file": str(blobs.path(path.sha256))}}
    wish = SubmitJob(workspace="demo", kind="lake.upkeep", title="Upkeep", payload=payload)
    site.registry.get(Jobs).submit(SYSTEM, wish)
    later(days=3)
    assert collect(site) == {"unnamed file": 1}
    assert {blob.sha256 for blob in blobs.list()} == {named.sha256, path.sha256}
    assert not blobs.exists(gone.sha256)


def test_an_upload_goes_thirty_days_after_it_was_used_last(site: Site, later: Any) -> None:
    blobs, collector = site.registry.get(Blobs), site.registry.get(Collector)
    blob = blobs.put(b"id\n1\n")
    upload = Upload(upload=blob.sha256, size=blob.size, filename="people.csv")
    collector.keep_upload(site.root, "demo", upload)
    later(days=20)
    collector.keep_upload(site.root, "demo", upload)  # the same file again
    later(days=20)
    assert collect(site) == {}
    later(days=11)
    assert collect(site) == {"upload": 1, "unnamed file": 1}
    assert list(blobs.list()) == []


def test_a_dataset_that_was_deleted_long_ago_goes(site: Site, later: Any) -> None:
    lake = site.registry.get(Lake)
    lake.create_dataset(site.root, CreateDataset(workspace="demo", name="Old"))
    lake.delete_dataset(site.root, DeleteDataset(workspace="demo", dataset="old"))
    later(days=KEEP_DELETED_DAYS - 1)
    assert collect(site) == {}
    later(days=2)
    assert collect(site) == {"dataset": 1}


def test_a_dataset_that_comes_back_at_the_same_moment_stays(site: Site, later: Any, monkeypatch: Any) -> None:
    lake = site.registry.get(Lake)
    lake.create_dataset(site.root, CreateDataset(workspace="demo", name="Old"))
    lake.delete_dataset(site.root, DeleteDataset(workspace="demo", dataset="old"))
    later(days=KEEP_DELETED_DAYS + 1)
    purge = lake.delete_dataset

    def restored_first(*args: Any) -> None:
        lake.restore_dataset(site.root, _one("old"))
        purge(*args)

    monkeypatch.setattr(lake, "delete_dataset", restored_first)
    assert collect(site) == {}
    assert lake.get_dataset(site.root, _one("old")).deleted_at is None


def _one(slug: str) -> Any:
    from aimass.lake import OneDataset

    return OneDataset(workspace="demo", dataset=slug)


def test_files_that_no_job_knows_go(site: Site, later: Any) -> None:
    left = site.registry.get(DataDir).jobs / "01LEFT"
    left.mkdir()
    (left / "log.txt").write_text("what a crash left")
    assert collect(site) == {}
    later(days=2)
    assert collect(site) == {"job files": 1}
    assert not left.exists()


# -- what is told


def test_a_dry_run_tells_what_would_go_and_leaves_it(site: Site, later: Any) -> None:
    blobs = site.registry.get(Blobs)
    blobs.put(b"abc")
    later(days=2)
    told = storage(site).collect_now(site.root, CollectNow(dry_run=True))
    assert (told.things, told.size_bytes, told.kinds) == (1, 3, {"unnamed file": [1, 3]})
    assert len(list(blobs.list())) == 1
    done = storage(site).collect_now(site.root, CollectNow())
    assert (done.things, done.size_bytes) == (1, 3)


def test_a_collection_is_in_the_list_the_audit_the_events_and_the_series(site: Site, later: Any) -> None:
    site.registry.get(Blobs).put(b"abc")
    later(days=2)
    done = storage(site).collect_now(site.root, CollectNow())
    (listed,) = storage(site).list_collections(site.root, ListCollections()).items
    assert listed == done
    assert (listed.state, listed.cause, listed.by_name) == ("DONE", "person", "root")
    with site.registry.get(Database).read() as conn:
        row = conn.execute(select(audit_log).where(audit_log.c.action == "storage.collect")).one()
    assert (row.actor, row.object, row.detail["size_bytes"]) == ("root", f"collection:{done.id}", 3)
    (event,) = site.registry.get(EventLog).read(type_=COLLECTED)
    assert event.data["things"] == 1
    (segment,) = closed_segments(site.registry.get(DataDir).series / "control")
    (points,) = read_segment(segment).objects()
    assert {p["name"]: p["value"] for p in points["points"]} == {"storage_collected": 1, "storage_collected_bytes": 3}


def test_the_clock_collects_once_an_hour_and_tells_only_what_it_removed(site: Site, later: Any) -> None:
    room = storage(site)
    assert room.collect_when_due() is None, "not right after the start"
    later(minutes=6)
    assert room.collect_when_due() is not None
    assert room.list_collections(site.root, ListCollections()).items == [], "it removed nothing"
    site.registry.get(Blobs).put(b"abc")
    later(hours=25)
    assert room.collect_when_due() is not None
    assert room.collect_when_due() is None
    (listed,) = room.list_collections(site.root, ListCollections()).items
    assert (listed.cause, listed.by_name, listed.things) == ("schedule", "system", 1)


def test_the_report_adds_up_by_part_and_names_the_largest(site: Site) -> None:
    version_of(site)
    report = storage(site).show_storage(site.root)
    parts = {use.part: use for use in report.parts}
    assert parts["model packages"].count == 3
    assert parts["database"].size_bytes > 100_000 or not site.registry.get(Database).is_sqlite
    assert report.total_bytes == sum(use.size_bytes for use in report.parts)
    assert report.missing == 0
    assert report.disk_bytes > report.free_bytes > 0


def test_a_blob_that_a_version_names_and_that_is_lost_is_counted(site: Site) -> None:
    version = version_of(site)
    report = storage(site).show_storage(site.root)
    site.registry.get(Blobs).remove(version.digest)
    assert storage(site).show_storage(site.root).missing == report.missing + 1


# -- faults


def broken(registry: Registry) -> list[Any]:
    raise NotFound("a table is gone")


def test_the_fault_of_one_room_keeps_no_other_from_collecting(site: Site, later: Any) -> None:
    found = site.registry.get(Capabilities)
    odd = Capability(name="odd", title="Odd", collect=f"{__name__}:broken")
    site.registry.put(Capabilities, Capabilities([odd, *found]))  # as if one more room were installed
    site.registry.get(Blobs).put(b"abc")
    later(days=2)
    done = storage(site).collect_now(site.root, CollectNow())
    assert (done.state, done.things, done.error) == ("DONE", 1, "odd: NotFound")


def test_a_collection_that_was_killed_is_told_and_the_next_does_the_rest(site: Site, later: Any) -> None:
    site.registry.get(Blobs).put(b"abc")
    later(days=2)
    with site.registry.get(Database).change(SYSTEM, "*") as change:
        values = {
            "state": "RUNNING",
            "cause": "schedule",
            "by": "system",
            "by_name": "system",
            "started_at": change.now,
        }
        values |= {"ended_at": None, "things": 0, "size_bytes": 0, "kinds": {}, "error": ""}
        change.execute(insert(collections).values(id="01KILLED", **values))
    assert collect(site) == {"unnamed file": 1}
    states = {one.id: one.state for one in storage(site).list_collections(site.root, ListCollections()).items}
    assert states.pop("01KILLED") == "INTERRUPTED"
    assert list(states.values()) == ["DONE"]


def test_nothing_goes_while_a_backup_is_written(site: Site, later: Any) -> None:
    site.registry.get(Blobs).put(b"abc")
    later(days=2)
    with nothing_goes(site.registry.get(DataDir).run):
        with pytest.raises(Conflict, match="a backup is being written"):
            collect(site)
        assert storage(site).collect_when_due() is None
    assert collect(site) == {"unnamed file": 1}


def test_a_deleted_model_goes_with_its_versions_reviews_and_cards(site: Site, later: Any) -> None:
    models = site.registry.get(Models)
    version_of(site)
    models.delete_model(site.root, OneModel(workspace="demo", model="churn"))
    later(days=KEEP_DELETED_DAYS + 1)
    assert collect(site) == {"model": 1, "unnamed file": 3}


# -- who may

WAYS = [("GET", "/api/v1/storage"), ("GET", "/api/v1/storage/going"), ("GET", "/api/v1/storage/collections")]


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with whole_site(tmp_path_factory.mktemp("site")) as found:
        yield found


@pytest.mark.parametrize(("method", "path"), [*WAYS, ("POST", "/api/v1/storage/collections")])
def test_each_kind_of_caller_gets_its_answer(busy: Site, method: str, path: str) -> None:
    def ask(name: str | None) -> int:
        headers = {"accept": "application/json"} | ({"authorization": f"Bearer {busy.token(name)}"} if name else {})
        body = {"json": {}} if method == "POST" else {}
        return busy.visitor().client.request(method, path, headers=headers, **body).status_code

    assert ask(None) == 401
    assert {name: ask(name) for name in ("stranger", *ROLES)} == dict.fromkeys(("stranger", *ROLES), 403)
    assert ask("root") == (201 if method == "POST" else 200)
