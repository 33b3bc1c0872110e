from __future__ import annotations

import pytest
from sqlalchemy import select

from aimass.cluster import CancelJob, Jobs
from aimass.collector import (
    Collector,
    CreateSource,
    ListCollections,
    ListQuarantine,
    ListSources,
    MendedRow,
    OneSource,
    ProposeTypes,
    ReplayQuarantine,
    Upload,
)
from aimass.collector.domain import ChangeSource
from aimass.collector.jobs import attention, collected, erase
from aimass.infra.blobs import Blobs
from aimass.infra.database import Database, audit_log, events_log, lineage_edges
from aimass.kernel.erasing import Person
from aimass.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Stale
from aimass.lake import AboutVersion, ListVersions, PreviewRows
from tests.fixtures.data import ANN, EVE, STRANGER
from tests.fixtures.rooms import person

TEXT = "id,mail,age\n1,ann@example.org,30\n2,bob@example.org,40\n3,cy@example.org,x\n"
TYPES = {"age": "integer"}
CUSTOMERS = "customers"


def about(**more):
    return AboutVersion(workspace="demo", dataset=CUSTOMERS, **more)


def test_a_file_becomes_a_version_with_report_lineage_and_events(data):
    found = data.collect(TEXT, types=TYPES, source={"max_reject_rate": 0.5, "keys": ["id"]})
    assert (found.state, found.rows, found.quarantined, found.dataset_version) == ("SUCCEEDED", 2, 1, 1)
    version = data.lake.get_version(ANN, about())
    assert (version.number, version.rows, version.quarantined, version.origin) == (1, 2, 1, f"collection:{found.id}")
    assert [(f.column, f.kind) for f in data.lake.get_classification(ANN, about())] == [("mail", "email")]
    with data.rooms.get(Database).read() as conn:
        edges = conn.execute(select(lineage_edges.c.src_kind, lineage_edges.c.dst_kind, lineage_edges.c.dst_id)).all()
        told = set(conn.execute(select(events_log.c.type)).scalars())
        kept = "".join(map(str, conn.execute(select(audit_log.c.detail)).scalars()))
    assert {("source", "collection", found.id), ("collection", "dataset_version", version.id)} <= set(edges)
    assert {"lake.version.created", "collector.collection.succeeded", "collector.source.pinned"} <= told
    assert "example.org" not in kept


def test_the_same_upload_is_collected_once_and_the_same_end_noted_once(data):
    first = data.collect(TEXT, types=TYPES, source={"max_reject_rate": 0.5})
    upload = Upload(upload=first.upload, size=0, filename="")
    assert data.start("customers", upload).id == first.id
    job = data.rooms.get(Jobs).job("demo", first.job)
    collected(data.rooms.registry, job)
    assert len(data.lake.list_versions(ANN, ListVersions(workspace="demo", dataset=CUSTOMERS)).items) == 1
    again = data.ended(data.start("customers", upload, key="once more"))
    assert (again.id != first.id, again.dataset_version) == (True, 2)
    assert data.lake.get_version(ANN, about()).rows == 4


def test_a_failed_collection_says_why_needs_somebody_and_may_be_tried_again(data):
    upload, source = data.upload(TEXT), data.source(max_reject_rate=0.1)
    data.pin(source, upload, types=TYPES)
    failed = data.ended(data.start(source, upload))
    assert failed.state == "FAILED"
    assert "1 of 3 rows were rejected" in failed.error["detail"]
    assert [need["subject"] for need in attention(data.rooms.registry, EVE)] == [f"collection:{failed.id}"]
    assert attention(data.rooms.registry, STRANGER) == []
    data.collector.change_source(ANN, ChangeSource(workspace="demo", source=source, max_reject_rate=0.5))
    again = data.ended(data.start(source, upload))
    assert (again.state, again.rows) == ("SUCCEEDED", 2)
    assert [need["kind"] for need in attention(data.rooms.registry, EVE)] == ["quarantine"]


def test_types_have_to_be_confirmed_before_anything_is_collected(data):
    upload, source = data.upload(TEXT), data.source()
    with pytest.raises(Conflict, match="not confirmed"):
        data.start(source, upload)


def test_a_source_collects_one_file_at_a_time_and_a_collection_can_be_cancelled(data):
    upload, source = data.upload("a\n1\n"), data.source()
    data.pin(source, upload)
    running = data.start(source, upload)
    with pytest.raises(Conflict, match="is collecting"):
        data.start(source, data.upload("a\n2\n"))
    with pytest.raises(Conflict, match="is collecting"):
        data.collector.delete_source(ANN, OneSource(workspace="demo", source=source))
    data.rooms.get(Jobs).cancel_job(ANN, CancelJob(workspace="demo", job=running.job))
    assert data.ended(running).state in {"CANCELLED", "SUCCEEDED"}


def test_only_files_that_were_sent_to_the_workspace_can_be_read_there(data):
    blob = data.rooms.get(Blobs).put(b"a\n1\n")
    with pytest.raises(NotFound, match="there is no upload"):
        data.collector.propose_types(ANN, ProposeTypes(workspace="demo", upload=blob.sha256))


def test_who_may_only_read_cannot_change_or_collect(data):
    data.collect("a\n1\n")
    assert len(data.collector.list_sources(EVE, ListSources(workspace="demo")).items) == 1
    assert len(data.collector.list_collections(EVE, ListCollections(workspace="demo")).items) == 1
    with pytest.raises(Forbidden):
        data.collector.create_source(EVE, CreateSource(workspace="demo", name="x"))
    with pytest.raises(Forbidden):
        data.collector.list_quarantine(EVE, ListQuarantine(workspace="demo", dataset=CUSTOMERS))
    with pytest.raises(NotFound):
        data.collector.list_sources(STRANGER, ListSources(workspace="demo"))


def test_a_stale_change_of_a_source_is_refused(data):
    source = data.source()
    with pytest.raises(Stale):
        data.collector.change_source(ANN, ChangeSource(workspace="demo", source=source, name="x", expected_version=9))
    with pytest.raises(Invalid, match="share"):
        ChangeSource(workspace="demo", source=source, max_reject_rate=2)


def test_mended_rows_leave_the_quarantine_as_a_new_version(data):
    data.collect(TEXT, types=TYPES, source={"max_reject_rate": 0.5})
    wish = ListQuarantine(workspace="demo", dataset=CUSTOMERS)
    row = data.collector.list_quarantine(ANN, wish).rows[0]
    assert (row.line, row.column, row.reason) == (4, "age", "'x' is no integer")
    mended = ReplayQuarantine(
        workspace="demo", dataset=CUSTOMERS, rows=[MendedRow(id=row.id, raw="3,cy@example.org,50")], key="k"
    )
    job = data.done(data.collector.replay_quarantine(ANN, mended))
    assert data.collector.replay_quarantine(ANN, mended).id == job.id
    assert data.collector.list_quarantine(ANN, wish).total == 0
    assert data.lake.get_version(ANN, about()).rows == 3
    with pytest.raises(NotFound):
        data.collector.replay_quarantine(ANN, ReplayQuarantine(workspace="demo", dataset="gone"))


def test_nothing_in_quarantine_is_said_as_such(data):
    data.collect("a\n1\n")
    assert data.collector.list_quarantine(ANN, ListQuarantine(workspace="demo", dataset=CUSTOMERS)).total == 0
    with pytest.raises(Conflict, match="in quarantine"):
        data.collector.replay_quarantine(ANN, ReplayQuarantine(workspace="demo", dataset=CUSTOMERS))


def test_a_deleted_source_leaves_its_dataset_and_frees_its_name(data):
    data.collect("a\n1\n")
    data.collector.delete_source(ANN, OneSource(workspace="demo", source="customers"))
    with pytest.raises(NotFound):
        data.collector.get_source(ANN, OneSource(workspace="demo", source="customers"))
    assert data.collector.create_source(ANN, CreateSource(workspace="demo", name="Customers")).dataset == CUSTOMERS
    assert data.lake.preview_rows(ANN, PreviewRows(workspace="demo", dataset=CUSTOMERS)).rows == [[1]]


def test_a_second_source_continues_the_dataset_in_its_own_transactions(data):
    data.collect("a\n1\n")
    data.collect("a\n2\n", "Other", source={"dataset": CUSTOMERS})
    assert data.lake.get_version(ANN, about()).rows == 2


def test_erasing_a_person_removes_the_uploads_that_name_him(data):
    found = data.collect(TEXT, types=TYPES, source={"max_reject_rate": 0.5})
    other = data.upload("a\n1\n")
    person = Person(erasure="01E", values=("ann@example.org",))
    assert {one.what: one.count for one in erase(data.rooms.registry, person)} == {
        "uploaded files": 1,
        "collections": 0,
        "pushed rows": 0,
    }
    blobs = data.rooms.get(Blobs)
    assert (blobs.exists(found.upload), blobs.exists(other.upload)) == (False, True)
    assert isinstance(data.rooms.get(Collector), Collector)


def test_a_source_fills_only_a_dataset_that_its_author_may_edit(data):
    data.collect(TEXT, types=TYPES, source={"max_reject_rate": 0.5})
    bob = person("Bob", "lake.read", "collector.read", "collector.edit")
    with pytest.raises(Forbidden, match=r"lake\.edit"):
        data.collector.create_source(bob, CreateSource(workspace="demo", name="Mine", dataset=CUSTOMERS))


def test_many_rows_in_quarantine_need_somebody_until_they_are_mended(data):
    found = data.collect(TEXT, types=TYPES, source={"max_reject_rate": 0.5})
    (need,) = attention(data.rooms.registry, EVE, "demo")
    assert (need["title"], need["path"]) == ("1 of 3 rows for customers are in quarantine", f"/demo/data/{CUSTOMERS}/quarantine")  # fmt: skip
    assert attention(data.rooms.registry, STRANGER) == []
    (row,) = data.collector.list_quarantine(ANN, ListQuarantine(workspace="demo", dataset=CUSTOMERS)).rows
    mended = MendedRow(id=row.id, raw="3,cy@example.org,50")
    data.done(data.collector.replay_quarantine(ANN, ReplayQuarantine(workspace="demo", dataset=CUSTOMERS, rows=[mended])))  # fmt: skip
    assert found.quarantined == 1
    assert attention(data.rooms.registry, EVE, "demo") == []
