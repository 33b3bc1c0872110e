from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from sqlalchemy import select

from aimass.cluster import Jobs, ListJobs
from aimass.infra.database import Database, audit_log, events_log
from aimass.kernel.erasing import Person
from aimass.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Stale
from aimass.kernel.principal import SYSTEM, Grant, Principal
from aimass.lake import (
    AboutVersion,
    Commit,
    CreateDataset,
    ListDatasets,
    ListVersions,
    OneDataset,
    PreviewRows,
    QueryRows,
    commit,
)
from aimass.lake.commands import (
    ChangeDataset,
    ChangeVersion,
    CompareVersions,
    DeleteDataset,
    MaintainDataset,
    MakeVersion,
    OneWorkspace,
    SetClassification,
    SetRules,
    VersionOrder,
)
from aimass.lake.domain import Finding, Rule
from aimass.lake.jobs import attention, doctor, erase, tend
from aimass.lake.keeping import collect
from aimass.lake.store import mark_collected
from tests.fixtures.data import ANN, EVE, STRANGER

TEXT = "id,mail,age\n1,ann@example.org,30\n2,bob@example.org,40\n"
C = "customers"


def at(number: int | None = None, dataset: str = C) -> AboutVersion:
    return AboutVersion(workspace="demo", dataset=dataset, number=number)


def one(dataset: str = C) -> OneDataset:
    return OneDataset(workspace="demo", dataset=dataset)


def told(data, *, audit: bool = False) -> list[str]:
    column = audit_log.c.action if audit else events_log.c.type
    with data.rooms.get(Database).read() as conn:
        return list(conn.execute(select(column)).scalars())


def test_datasets_are_created_found_changed_and_paged(data):
    for name in ("客户 😀", "Sales 2026", "Sales 2025"):
        data.lake.create_dataset(ANN, CreateDataset(workspace="demo", name=name))
    found = data.lake.list_datasets(EVE, ListDatasets(workspace="demo", text="sales", limit=1))
    assert ([d.slug for d in found.items], found.next is not None) == (["sales-2025"], True)
    rest = data.lake.list_datasets(EVE, ListDatasets(workspace="demo", text="sales", limit=1, cursor=found.next))
    assert ([d.slug for d in rest.items], rest.next) == (["sales-2026"], None)
    changed = data.lake.change_dataset(
        ANN, ChangeDataset(workspace="demo", dataset="sales-2026", description="all", keys=["id"], expected_version=1)
    )
    assert (changed.description, changed.keys, changed.version) == ("all", ["id"], 2)
    with pytest.raises(Stale):
        data.lake.change_dataset(ANN, ChangeDataset(workspace="demo", dataset="sales-2026", expected_version=1))


def test_a_name_is_taken_once_and_rules_of_slugs_are_kept(data):
    data.lake.create_dataset(ANN, CreateDataset(workspace="demo", name="Sales"))
    with pytest.raises(Conflict, match="exists already"):
        data.lake.create_dataset(ANN, CreateDataset(workspace="demo", name="SALES"))
    with pytest.raises(Invalid) as wrong:
        data.lake.create_dataset(ANN, CreateDataset(workspace="demo", name="x", slug="A b"))
    assert wrong.value.hint == "use 'a-b'"


def test_the_ladder_of_callers(data):
    data.collect(TEXT)
    for who, error in ((STRANGER, NotFound), (EVE, Forbidden)):
        with pytest.raises(error):
            data.lake.create_dataset(who, CreateDataset(workspace="demo", name="x"))
    grant = Grant(workspace="demo", permissions=frozenset({"lake.read"}), object=f"dataset:{C}")
    guest = Principal(id="g", name="Guest", kind="user", grants=(grant,))
    assert data.lake.get_dataset(guest, one()).slug == C
    with pytest.raises(Forbidden):
        data.lake.list_datasets(guest, ListDatasets(workspace="demo"))


def test_a_deleted_dataset_comes_back_and_a_purged_one_does_not(data):
    data.collect(TEXT)
    path = data.lake.table_path("demo", C)
    data.lake.delete_dataset(ANN, DeleteDataset(workspace="demo", dataset=C))
    with pytest.raises(NotFound):
        data.lake.get_dataset(ANN, one())
    assert [d.slug for d in data.lake.list_datasets(ANN, ListDatasets(workspace="demo", deleted=True)).items] == [C]
    assert data.lake.restore_dataset(ANN, one()).rows == 2
    data.lake.delete_dataset(ANN, DeleteDataset(workspace="demo", dataset=C, purge=True))
    assert not path.exists()
    assert data.lake.list_datasets(ANN, ListDatasets(workspace="demo", deleted=True)).items == []


def test_a_dataset_that_was_deleted_long_ago_is_purged_by_the_loop(data, monkeypatch):
    data.collect(TEXT)
    data.lake.delete_dataset(ANN, DeleteDataset(workspace="demo", dataset=C))
    collect(data.rooms.registry)
    assert data.lake.table_path("demo", C).exists()
    clock = data.rooms.get(Database).clock
    later = clock.now() + timedelta(days=31)
    monkeypatch.setattr(clock, "now", lambda: later)
    collect(data.rooms.registry)
    assert not data.lake.table_path("demo", C).exists()


def test_what_a_crash_left_of_a_purged_dataset_does_not_come_back(data):
    data.collect(TEXT)
    path = data.lake.table_path("demo", C)
    data.lake.delete_dataset(ANN, DeleteDataset(workspace="demo", dataset=C, purge=True))
    pl.DataFrame({"old": [1]}).write_delta(str(path))
    data.lake.create_dataset(ANN, CreateDataset(workspace="demo", name="Customers"))
    assert not path.exists()


def test_only_those_who_may_use_a_dataset_see_personal_data(data):
    data.collect(TEXT)
    rows = {who.name: data.lake.preview_rows(who, PreviewRows(workspace="demo", dataset=C)).rows for who in (ANN, EVE)}
    assert rows["Ann"][0] == [1, "ann@example.org", 30]
    assert rows["Eve"][0] == [1, "•••", 30]
    profile = data.lake.get_profile(EVE, at())
    assert "example.org" not in repr(profile)
    assert [c["distinct"] for c in profile.columns] == [2, 2, 2]


def test_a_query_reads_datasets_by_slug_and_version(data):
    data.collect(TEXT)
    data.collect("id,mail,age\n3,cy@example.org,50\n")
    ask = "select count(*), max(age) from customers"
    assert data.lake.query(ANN, QueryRows(workspace="demo", sql=ask)).rows == [[3, 50]]
    assert data.lake.query(ANN, QueryRows(workspace="demo", sql=ask, versions={C: 1})).rows == [[2, 40]]
    with pytest.raises(Invalid, match="no dataset 'other'") as wrong:
        data.lake.query(ANN, QueryRows(workspace="demo", sql="select * from other"))
    assert wrong.value.allowed == [C]
    with pytest.raises(Forbidden):
        data.lake.query(EVE, QueryRows(workspace="demo", sql=ask))
    assert told(data, audit=True).count("lake.query.run") == 3


def test_versions_are_listed_tagged_pinned_and_compared(data):
    data.collect(TEXT)
    data.collect("id,mail,age\n3,cy@example.org,50\n")
    assert [v.number for v in data.lake.list_versions(EVE, ListVersions(workspace="demo", dataset=C)).items] == [2, 1]
    tagged = data.lake.change_version(
        ANN, ChangeVersion(workspace="demo", dataset=C, number=1, tag="gold", pinned=True)
    )
    assert (tagged.tag, tagged.pinned, tagged.version) == ("gold", True, 2)
    with pytest.raises(Conflict, match="version 1 has the tag"):
        data.lake.change_version(ANN, ChangeVersion(workspace="demo", dataset=C, number=2, tag="gold"))
    difference = data.lake.compare_versions(ANN, CompareVersions(workspace="demo", dataset=C, base=1, head=2))
    assert (difference.rows, difference.rows_added, difference.rows_removed) == ({"before": 2, "after": 3}, 1, 0)
    with pytest.raises(NotFound, match="no version 9"):
        data.lake.get_version(ANN, at(9))


def test_a_version_is_made_by_sql_once_per_key(data):
    data.collect(TEXT)
    data.lake.create_dataset(ANN, CreateDataset(workspace="demo", name="Old"))
    wish = MakeVersion(workspace="demo", dataset="old", sql="select id, mail from customers where age > 35", key="k")
    job = data.done(data.lake.make_version(ANN, wish))
    assert data.lake.make_version(ANN, wish).id == job.id
    assert [v.rows for v in data.lake.list_versions(ANN, ListVersions(workspace="demo", dataset="old")).items] == [1]
    log = Path(data.lake.table_path("demo", "old"), "_delta_log")
    assert "example.org" not in "".join(file.read_text() for file in log.glob("*.json"))


def test_another_room_adds_rows_from_a_file_once(data, tmp_path):
    data.collect(TEXT)
    pl.DataFrame({"id": [9], "mail": ["z@example.org"], "age": [7]}).write_parquet(tmp_path / "rows.parquet")
    order = VersionOrder(
        workspace="demo",
        dataset=C,
        key="feedback-1",
        parquet=str(tmp_path / "rows.parquet"),
        sources=(("records", "churn"),),
    )
    job = data.done(data.lake.order_version(SYSTEM, order))
    assert data.lake.order_version(SYSTEM, order).id == job.id
    found = data.lake.get_version(ANN, at())
    assert (found.number, found.rows, found.origin) == (2, 3, f"job:{job.id}")
    assert data.lake.locate(ANN, "demo", C, 1).delta_version < data.lake.locate(ANN, "demo", C).delta_version


def test_rules_can_be_set_and_a_version_checked_again(data):
    data.collect(TEXT)
    assert {rule.id for rule in data.lake.list_rules(EVE, one())} >= {"not_null:mail", "row_count"}
    rule = Rule(id="", kind="range", column="age", params={"max": 35})
    data.lake.set_rules(ANN, SetRules(workspace="demo", dataset=C, rules=[rule]))
    report = data.lake.check_quality(ANN, at())
    assert (report.passed, report.score, report.rules[0]["failed"]) == (False, 50.0, 1)
    assert data.lake.get_quality(EVE, at()).score == 50.0
    assert data.lake.get_dataset(EVE, one()).passed is False
    assert [need["subject"] for need in attention(data.rooms.registry, EVE)] == [f"dataset:{C}"]
    assert attention(data.rooms.registry, STRANGER) == []
    assert {"lake.quality.checked", "lake.quality.failed"} <= set(told(data))


@pytest.mark.parametrize(
    "rule",
    [
        Rule(id="", kind="not_null"),
        Rule(id="", kind="in_set", column="a"),
        Rule(id="", kind="regex", column="a"),
    ],
)
def test_a_rule_that_lacks_something_is_refused(data, rule):
    data.lake.create_dataset(ANN, CreateDataset(workspace="demo", name="Customers"))
    with pytest.raises(Invalid, match="needs"):
        data.lake.set_rules(ANN, SetRules(workspace="demo", dataset=C, rules=[rule]))


def test_rules_hold_for_later_versions(data):
    data.collect(TEXT)
    data.lake.set_rules(ANN, SetRules(workspace="demo", dataset=C, rules=[Rule(id="", kind="unique", column="id")]))
    assert data.collect("id,mail,age\n1,dup@example.org,50\n").dataset_version == 2
    report = data.lake.get_quality(ANN, at())
    assert (report.passed, report.rules[0]["failed"]) == (False, 2)


def test_a_classification_by_a_person_is_obeyed(data):
    data.collect(TEXT)
    finding = Finding(column="age", kind="age", confidence=1.0, by="person", private=True)
    data.lake.set_classification(ANN, SetClassification(workspace="demo", dataset=C, columns=[finding]))
    data.collect("id,mail,age\n3,cy@example.org,50\n")
    assert data.lake.get_classification(EVE, one()) == [finding]
    assert [c["masked"] for c in data.lake.get_profile(EVE, at()).columns] == [False, False, True]


def test_a_profile_is_made_when_it_is_asked_for_once_for_all_who_ask(data, monkeypatch):
    data.collect(TEXT)
    called, call = list[str](), data.lake._call
    monkeypatch.setattr(data.lake, "_call", lambda name, *more: called.append(name) or call(name, *more))
    assert data.lake.count_nulls(EVE, at()) == {"id": 0, "mail": 0, "age": 0}
    with ThreadPoolExecutor(3) as pool:
        told = list(pool.map(lambda _: data.lake.get_profile(EVE, at()), range(3)))
    assert called == ["proposing:nulls", "profile:profile"]
    assert told == [data.lake.get_profile(EVE, at())] * 3
    assert [(c["name"], c["distinct"]) for c in told[0].columns] == [("id", 2), ("mail", 2), ("age", 2)]
    assert data.lake.count_nulls(EVE, at()) == {"id": 0, "mail": 0, "age": 0}
    assert len(called) == 2


def test_a_profile_that_ends_after_an_erasure_is_forgotten_with_the_version(data, monkeypatch):
    data.collect(TEXT, source={"keys": ["mail"]})
    call = data.lake._call

    def erased_meanwhile(name, *more):
        made = call(name, *more)
        if name == "profile:profile":
            erase(data.rooms.registry, Person(erasure="01E", values=("ann@example.org",)))
        return made

    monkeypatch.setattr(data.lake, "_call", erased_meanwhile)
    assert data.lake.get_profile(ANN, at(1)).columns == data.lake.get_profile(ANN, at(1)).columns == []


def test_nobody_asked_for_the_profile_of_a_version_that_retention_took(data):
    data.collect(TEXT)
    with data.rooms.get(Database).change(ANN, "demo") as change:
        mark_collected(change, [data.lake.get_version(ANN, at()).id], change.now)
    with pytest.raises(Conflict, match="removed by retention"):
        data.lake.get_profile(ANN, at())


def test_retention_collects_old_versions_but_never_pinned_tagged_or_newest_ones(data, monkeypatch):
    for n in range(4):
        data.collect(f"id\n{n}\n", source={"mode": "replace"})
    data.lake.change_version(ANN, ChangeVersion(workspace="demo", dataset=C, number=1, pinned=True))
    data.lake.change_version(ANN, ChangeVersion(workspace="demo", dataset=C, number=2, tag="gold"))
    data.lake.change_dataset(ANN, ChangeDataset(workspace="demo", dataset=C, retain_days=7))
    assert collect(data.rooms.registry) == []
    clock = data.rooms.get(Database).clock
    later = clock.now() + timedelta(days=8)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert len(collect(data.rooms.registry)) == 1
    jobs = data.rooms.get(Jobs).list_jobs(ANN, ListJobs(workspace="demo", kind="lake.upkeep")).items
    assert data.done(jobs[0]).result["version"] > 0
    with pytest.raises(Conflict, match="removed by retention"):
        data.lake.locate(ANN, "demo", C, 3)
    for number in (1, 2, 4):
        found = data.lake.preview_rows(ANN, PreviewRows(workspace="demo", dataset=C, number=number))
        assert found.rows == [[number - 1]]


def test_upkeep_and_storage_tell_bytes(data):
    data.collect(TEXT)
    data.collect("id,mail,age\n3,cy@example.org,50\n")
    done = data.lake.maintain_dataset(ANN, MaintainDataset(workspace="demo", dataset=C, retain_hours=0))
    assert (done.compacted, done.removed) == (2, 0)
    storage = data.lake.get_storage(EVE, OneWorkspace(workspace="demo"))
    assert storage.total_bytes == storage.datasets[0].total_bytes == done.size_bytes
    assert (storage.datasets[0].versions, storage.datasets[0].latest_bytes > 0) == (2, True)
    assert data.lake.preview_rows(ANN, PreviewRows(workspace="demo", dataset=C, number=1)).rows[1][0] == 2


def test_an_erased_person_is_gone_from_rows_versions_quarantine_and_profile(data):
    data.collect(
        "id,mail,age\n1,ann@example.org,30\n2,bob@example.org,40\n3,ann@example.org,x\n",
        types={"age": "integer"},
        source={"max_reject_rate": 0.5, "keys": ["mail"]},
    )
    person = Person(erasure="01E", values=("ann@example.org",))
    counted = {one.what: one.count for one in erase(data.rooms.registry, person)}
    kinds = {"rows of datasets": 1, "rows in quarantine": 1, "versions of datasets": 1}
    others = ("online values of features", "remembered queries", "saved queries", "views")
    assert counted == {**kinds, **dict.fromkeys(others, 0)}
    assert data.lake.preview_rows(ANN, PreviewRows(workspace="demo", dataset=C)).rows == [[2, "bob@example.org", 40]]
    assert [
        (v.number, v.collected_at is None)
        for v in data.lake.list_versions(ANN, ListVersions(workspace="demo", dataset=C)).items
    ] == [(2, True), (1, False)]
    assert data.lake.get_profile(ANN, at(1)).columns == []
    assert {one.count for one in erase(data.rooms.registry, person)} == {0}
    other = Person(erasure="01F", values=("bob@example.org",), workspace="demo")
    assert erase(data.rooms.registry, other)[0].count == 1
    for file in data.lake.table_path("demo", C).rglob("*"):
        assert not file.is_file() or b"@example.org" not in file.read_bytes()


def test_an_erasure_in_one_workspace_leaves_the_others_alone(data):
    data.collect(TEXT, source={"keys": ["mail"]})
    found = erase(data.rooms.registry, Person(erasure="01E", values=("ann@example.org",), workspace="other"))
    assert {one.count for one in found} == {0}


def test_an_erasure_that_was_killed_before_it_was_noted_is_noted_by_the_next(data, monkeypatch):
    data.collect(TEXT, source={"keys": ["mail"]})
    person = Person(erasure="01E", values=("ann@example.org",))
    with monkeypatch.context() as patch:
        patch.setattr(type(data.lake), "_note", lambda *_: (_ for _ in ()).throw(ConnectionResetError))
        with pytest.raises(ConnectionResetError):
            data.lake.erase_person(person)
    erase(data.rooms.registry, person)
    versions = data.lake.list_versions(ANN, ListVersions(workspace="demo", dataset=C)).items
    assert [(v.number, v.origin, v.collected_at is None) for v in versions] == [
        (2, "erasure:01E", True),
        (1, versions[1].origin, False),
    ]
    assert data.lake.get_profile(ANN, at(1)).columns == []


def test_a_dataset_without_rows_says_what_to_do(data):
    data.lake.create_dataset(ANN, CreateDataset(workspace="demo", name="Customers"))
    for call in (data.lake.get_profile, data.lake.get_version):
        with pytest.raises(Conflict, match="has no version yet"):
            call(ANN, at())


def test_the_doctor_names_a_version_whose_table_is_gone_or_ends_before_it(data):
    def bad() -> list[str]:
        return [found.detail for found in doctor(data.rooms.registry) if not found.is_good]

    for n in range(2):
        data.collect(f"id\n{n}\n", source={"mode": "replace"})
    assert bad() == []
    log = data.lake.table_path("demo", C) / "_delta_log"
    max(log.glob("*.json")).unlink()
    assert bad() == [f"demo/{C} version 2 is not on the disk"]
    shutil.rmtree(log)
    assert bad() == [f"demo/{C} version 2 is not on the disk"]


def test_a_table_that_took_many_commits_is_tended_by_itself_and_kept_versions_stay(data):
    data.collect("id,n\n1,1\n", "Many")
    path, jobs = data.lake.table_path("demo", "many"), data.rooms.get(Jobs)
    frame = pl.DataFrame({"id": [1], "n": [2]})
    for batch in range(1, 121):
        commit(path, frame, Commit(app_id="stream", batch=batch))
    assert tend(data.rooms.registry) == 1
    assert tend(data.rooms.registry) == 0
    (job,) = jobs.list_jobs(ANN, ListJobs(workspace="demo", kind="lake.upkeep")).items
    assert data.done(job).result["compacted"] > 100
    assert len(list((path / "_delta_log").glob("*.json"))) > 100, (
        "young commits stay for whoever has just begun to read"
    )
    assert data.lake.preview_rows(ANN, PreviewRows(workspace="demo", dataset="many", number=1)).rows == [[1, 1]]
    dataset = data.lake.get_dataset(ANN, OneDataset(workspace="demo", dataset="many"))
    assert dataset.version == 2, "nobody who edits it is told that it changed"
