"""Feature views and training sets through the service and over HTTP."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from aimass.infra.database import Database, audit_log, events_log, lineage_edges
from aimass.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Stale
from aimass.lake import CreateDataset, ListVersions, OneDataset, scan
from aimass.lake.commands import ChangeDataset, ChangeVersion, DeleteDataset, MaintainDataset, SetClassification
from aimass.lake.domain import Finding
from aimass.lake.feature_commands import (
    ChangeFeatureView,
    DeleteFeatureView,
    JoinFeatures,
    ListFeatureViews,
    ListTrainingSets,
    OneFeatureView,
    OneTrainingSet,
)
from aimass.lake.feature_specs import FEATURE_VIEW
from aimass.lake.features import Feature
from aimass.lake.keeping import collect
from tests.fixtures.data import ANN, EVE, STRANGER, Data
from tests.fixtures.features import DAY_S, TYPES, VISITS, built, declare, ended

V = "customer-visits"
ONE = OneFeatureView(workspace="demo", feature_view=V)
VIEWS = "/api/v1/workspaces/demo/feature-views"
SETS = "/api/v1/workspaces/demo/training-sets"


@pytest.fixture
def data(shop: Data) -> Data:
    return shop


def rows(data, dataset="training"):
    at = data.lake.locate(ANN, "demo", dataset)
    return scan(at.path, at.delta_version).sort("customer", "at").collect().rows()


def told(data, table=events_log, column="type"):
    with data.rooms.get(Database).read() as conn:
        return list(conn.execute(select(table.c[column])).scalars())


def test_a_view_takes_types_and_features_from_its_source(data):
    view = declare(data, ttl_s=30 * DAY_S, tags=["churn"])
    assert [(f.name, f.type) for f in view.features] == [("visits", "integer"), ("plan", "string")]
    assert (view.slug, view.entity_types, view.owner, view.ttl_s) == (V, {"customer": "integer"}, "Ann", 30 * DAY_S)
    assert "lake.feature_view.created" in told(data)
    assert "lake.feature_view.created" in told(data, audit_log, "action")
    with pytest.raises(Conflict, match="exists already"):
        declare(data)


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"entity": ["nobody"]}, "entity"),
        ({"entity": []}, "entity"),
        ({"event_time": "visits"}, "event_time"),
        ({"created_time": "at"}, "entity"),
        ({"features": [Feature(name="nothing")]}, "features"),
        ({"features": [Feature(name="plan", type="integer")]}, "features"),
        ({"features": [Feature(name="visits"), Feature(name="visits")]}, "features"),
        ({"features": [Feature(name="visits", default="none")]}, "features"),
        ({"sql": "SELECT *, random() AS r FROM visits"}, "sql"),
        ({"sql": "SELECT * FROM read_csv('/etc/passwd')"}, "sql"),
        ({"dataset": None}, "dataset"),
    ],
)
def test_a_declaration_that_cannot_work_is_refused_by_field(data, wish, field):
    with pytest.raises(Invalid) as refusal:
        declare(data, **wish)
    assert refusal.value.field == field


def test_a_view_is_changed_found_and_deleted(data):
    view = declare(data)
    sql = "SELECT customer, at, visits * 2 AS visits FROM visits"
    wish = {"sql": sql, "created_time": "", "features": [], "owner": "Bo", "expected_version": view.version}
    changed = data.lake.change_feature_view(ANN, ChangeFeatureView(workspace="demo", feature_view=V, **wish))
    assert (changed.dataset, changed.sql, changed.created_time, changed.owner) == (None, sql, None, "Bo")
    assert [f.name for f in changed.features] == ["visits"]
    with pytest.raises(Stale):
        data.lake.change_feature_view(ANN, ChangeFeatureView(workspace="demo", feature_view=V, **wish))
    found = data.lake.list_feature_views(EVE, ListFeatureViews(workspace="demo", text="VISITS"))
    assert [one.slug for one in found.items] == [V]
    with pytest.raises(Forbidden):
        data.lake.delete_feature_view(EVE, DeleteFeatureView(workspace="demo", feature_view=V))
    data.lake.delete_feature_view(ANN, DeleteFeatureView(workspace="demo", feature_view=V))
    with pytest.raises(NotFound):
        data.lake.get_feature_view(ANN, ONE)


def test_a_training_set_holds_what_was_known_with_its_lineage_and_versions(data):
    declare(data, ttl_s=30 * DAY_S, features=[Feature(name="visits"), Feature(name="plan", default="none")])
    made = built(data, label="churn")
    assert (made.state, made.number, made.rows, made.error) == ("SUCCEEDED", 1, 5, None)
    assert [(r[0], r[1].day, *r[3:]) for r in rows(data)] == [
        (1, 5, 3, "basic"),
        (2, 3, 5, "basic"),
        (2, 5, 6, "basic"),
        (3, 5, None, "none"),
        (4, 5, None, "none"),
    ]
    (view,) = made.report["views"]
    assert (view["known"], view["too_old"], view["newer"], made.report["newer"]) == (3, 1, 0, 0)
    sources = {(one.dataset, one.number) for one in made.sources}
    assert sources == {("churn", 1), ("visits", 1)}
    with data.rooms.get(Database).read() as conn:
        kinds = conn.execute(select(lineage_edges.c.src_kind, lineage_edges.c.src_id)).all()
    assert {("feature_view", V), *(("dataset_version", one.version_id) for one in made.sources)} <= set(
        map(tuple, kinds)
    )
    versions = data.lake.list_versions(ANN, ListVersions(workspace="demo", dataset="visits"))
    assert [version.pinned for version in versions.items] == [True]
    assert {"lake.training_set.started", "lake.training_set.built"} <= set(told(data))
    listed = data.lake.list_training_sets(EVE, ListTrainingSets(workspace="demo", feature_view=V))
    assert [one.id for one in listed.items] == [made.id]


def test_values_from_the_future_are_taken_only_when_asked_for_and_are_then_counted(data):
    declare(data)
    made = built(data, by_created=False)
    assert [r[3] for r in rows(data)] == [9, 6, 6, 1, None]
    assert made.report["newer"] == 2


def test_it_is_built_again_alike_after_later_rows_upkeep_and_a_changed_view(data):
    declare(data)
    first = built(data)
    data.collect(VISITS.replace(",3,basic", ",77,gold"), "Visits", types=TYPES)
    for dataset in ("visits", "churn"):
        data.lake.maintain_dataset(ANN, MaintainDataset(workspace="demo", dataset=dataset, retain_hours=0))
    wish = ChangeFeatureView(workspace="demo", feature_view=V, ttl_s=DAY_S, features=[Feature(name="plan")])
    data.lake.change_feature_view(ANN, wish)
    again = ended(data, data.lake.rebuild_training_set(ANN, OneTrainingSet(workspace="demo", training_set=first.id)))
    assert (again.state, again.digest, again.number, again.rebuild_of) == ("SUCCEEDED", first.digest, 2, first.id)
    assert again.definition == first.definition
    assert built(data).digest != first.digest


def test_a_version_that_retention_took_is_said_and_a_pinned_one_stays(data, monkeypatch):
    declare(data)
    first = built(data, pin=False)
    kept = built(data, into="kept", pin=True)
    for dataset in ("visits", "churn"):
        data.lake.change_dataset(ANN, ChangeDataset(workspace="demo", dataset=dataset, retain_days=1))
    data.collect(VISITS.replace(",3,basic", ",77,gold"), "Visits", types=TYPES)
    clock = data.rooms.get(Database).clock
    later = clock.now().replace(year=clock.now().year + 1)
    monkeypatch.setattr(clock, "now", lambda: later)
    collect(data.rooms.registry)
    one = OneTrainingSet(workspace="demo", training_set=kept.id)
    assert ended(data, data.lake.rebuild_training_set(ANN, one)).digest == kept.digest
    data.lake.change_version(ANN, ChangeVersion(workspace="demo", dataset="visits", number=1, pinned=False))
    collect(data.rooms.registry)
    with pytest.raises(Conflict, match="removed by retention"):
        data.lake.rebuild_training_set(ANN, OneTrainingSet(workspace="demo", training_set=first.id))


def pinned(data, dataset="visits"):
    listed = data.lake.list_versions(ANN, ListVersions(workspace="demo", dataset=dataset)).items
    return {version.number: version.pinned for version in listed}


def test_what_a_training_set_holds_is_let_go_with_it(data):
    declare(data)
    first = built(data)
    again = ended(data, data.lake.rebuild_training_set(ANN, OneTrainingSet(workspace="demo", training_set=first.id)))
    built(data, into="other")
    assert (again.state, pinned(data), pinned(data, "churn")) == ("SUCCEEDED", {1: True}, {1: True})
    for dataset, still in (("training", True), ("other", False)):
        order = DeleteDataset(workspace="demo", dataset=dataset)
        data.lake.delete_dataset(ANN, order)
        assert pinned(data) == {1: True}  # it can be restored
        data.lake.delete_dataset(ANN, replace(order, purge=True))
        assert pinned(data) == {1: still}
    assert pinned(data, "churn") == {1: False}


def test_what_a_person_pinned_stays_and_a_failed_build_holds_nothing(data):
    declare(data)
    data.lake.change_version(ANN, ChangeVersion(workspace="demo", dataset="churn", number=1, pinned=True))
    for file in data.lake.table_path("demo", "visits").glob("*.parquet"):
        file.unlink()
    assert built(data).state == "FAILED"
    assert (pinned(data), pinned(data, "churn")) == ({1: False}, {1: True})


def test_a_source_whose_files_are_gone_fails_the_training_set_with_its_reason(data):
    declare(data)
    for file in data.lake.table_path("demo", "visits").glob("*.parquet"):
        file.unlink()
    made = built(data)
    assert (made.state, made.number) == ("FAILED", None)
    assert made.error
    assert "lake.training_set.failed" in told(data)


def test_rows_that_are_sent_are_a_spine_too(data):
    declare(data)
    sent = [{"customer": 1, "at": "2026-01-05T02:00:00+02:00"}, {"customer": 9, "at": None}]
    made = built(data, spine=None, entities=sent)
    assert made.state == "SUCCEEDED", made.error
    assert [(r[0], r[2]) for r in rows(data)] == [(1, 3), (9, None)]
    assert {one.dataset for one in made.sources} == {"training-entities", "visits"}
    assert made.report["without_moment"] == 1


def test_the_same_key_builds_once_and_names_that_clash_are_told_apart(data):
    declare(data)
    declare(data, name="Other", dataset="visits")
    with pytest.raises(Invalid, match="would be called 'visits'"):
        built(data, views=["customer-visits,other"])
    made = built(data, views=["customer-visits,other"], full_names=True, key="once")
    assert built(data, key="once").id == made.id
    assert [column[2] for column in made.definition["names"]][:2] == [
        "customer_visits__visits",
        "customer_visits__plan",
    ]


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"views": []}, "views"),
        ({"spine": None}, "spine"),
        ({"event_time": "when"}, "event_time"),
        ({"label": "gone"}, "label"),
        ({"versions": {"churn": 1}}, "versions"),
        ({"spine": "plain"}, "spine"),
    ],
)
def test_a_join_that_cannot_work_is_refused_before_any_job(data, wish, field):
    declare(data)
    data.collect("name,at\nx,2026-01-05T00:00:00Z\n", "Plain", types={"at": "timestamp"})
    with pytest.raises(Invalid) as refusal:
        built(data, **wish)
    assert refusal.value.field == field


def test_what_is_personal_in_a_source_is_so_in_the_training_set(data):
    declare(data)
    private = Finding(column="plan", kind="personal", confidence=1.0, by="person", private=True)
    data.lake.set_classification(ANN, SetClassification(workspace="demo", dataset="visits", columns=[private]))
    built(data, full_names=True)
    made = data.lake.get_dataset(ANN, OneDataset(workspace="demo", dataset="training"))
    assert made.personal == ["customer_visits__plan"]
    log = "".join(f.read_text() for f in (data.lake.table_path("demo", "training") / "_delta_log").glob("*.json"))
    assert "gold" not in log


def test_whoever_may_not_use_a_source_builds_nothing_from_it(data):
    declare(data)
    wish = JoinFeatures(workspace="demo", into="training", views=[V], spine="churn", event_time="at")
    with pytest.raises(Forbidden):
        data.lake.join_features(EVE, wish)
    with pytest.raises(NotFound):
        data.lake.join_features(STRANGER, wish)


def test_the_ladder_of_callers_over_http(data):
    declare(data)
    data.lake.create_dataset(ANN, CreateDataset(workspace="demo", name="Empty"))
    body = {"name": "Web", "entity": ["customer"], "event_time": "at", "dataset": "visits"}
    join = {"into": "training", "views": [V], "spine": "churn", "event_time": "at"}
    with data.http() as client:
        for who, read, write in (("nobody", 401, 401), ("stranger", 404, 404), ("eve", 200, 403)):
            head = {"x-who": who}
            assert client.get(VIEWS, headers=head).status_code == read
            assert client.get(f"{VIEWS}/{V}", headers=head).status_code == read
            assert client.get(SETS, headers=head).status_code == read
            assert client.post(VIEWS, json=body, headers=head).status_code == write
            assert client.patch(f"{VIEWS}/{V}", json={"owner": "x"}, headers=head).status_code == write
            assert client.post(SETS, json=join, headers=head).status_code == write
            assert client.delete(f"{VIEWS}/{V}", headers=head).status_code == write
        assert client.post(VIEWS, json=body).status_code == 201
        answer = client.get(f"{VIEWS}/web")
        assert client.patch(
            f"{VIEWS}/web", json={"owner": "Bo"}, headers={"if-match": answer.headers["etag"]}
        ).is_success
        stale = client.patch(f"{VIEWS}/web", json={"owner": "Bo"}, headers={"if-match": answer.headers["etag"]})
        assert stale.status_code == 412
        empty = client.post(VIEWS, json={**body, "name": "No", "dataset": "empty"})
        assert (empty.status_code, empty.json()["field"]) == (404, "dataset")
        started = client.post(SETS, json=join)
        assert (started.status_code, started.json()["state"]) == (201, "RUNNING")
        made = ended(
            data, data.lake.get_training_set(ANN, OneTrainingSet(workspace="demo", training_set=started.json()["id"]))
        )
        assert client.get(f"{SETS}/{made.id}").json()["digest"] == made.digest
        assert client.post(f"{SETS}/{made.id}/rebuild", headers={"x-who": "eve"}).status_code == 403


DOCUMENT = {
    "kind": "feature-view",
    "name": "Customer visits",
    "description": "How often they come",
    "entity": ["customer"],
    "dataset": "visits",
    "event_time": "at",
    "created_time": "noted",
    "features": [{"name": "visits", "default": 0}, {"name": "plan", "type": "string"}],
    "ttl_s": DAY_S,
    "tags": ["churn"],
    "follows": True,
}


def test_a_document_makes_a_view_and_its_export_changes_nothing(data):
    registry = data.rooms.registry
    assert FEATURE_VIEW.apply(registry, ANN, "demo", DOCUMENT, dry_run=True)[0] == "create"
    assert FEATURE_VIEW.apply(registry, ANN, "demo", DOCUMENT, dry_run=False)[0] == "create"
    assert FEATURE_VIEW.apply(registry, ANN, "demo", DOCUMENT, dry_run=False) == ("none", [])
    (exported,) = FEATURE_VIEW.export(registry, ANN, "demo")
    assert FEATURE_VIEW.apply(registry, ANN, "demo", exported, dry_run=False) == ("none", [])
    other = {**DOCUMENT, "ttl_s": None, "features": [{"name": "visits"}]}
    assert FEATURE_VIEW.apply(registry, ANN, "demo", other, dry_run=False) == ("change", ["features", "ttl_s"])
    assert data.lake.get_feature_view(ANN, ONE).ttl_s is None
    with pytest.raises(Forbidden):
        FEATURE_VIEW.apply(registry, EVE, "demo", {**other, "owner": "Eve"}, dry_run=False)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"colour": 1}, "colour"),
        ({"features": [{"name": "x", "size": 1}]}, "features.size"),
        ({"entity": []}, "entity"),
    ],
)
def test_a_document_with_an_unknown_or_missing_field_is_refused(data, wrong, field):
    with pytest.raises(Invalid) as refusal:
        FEATURE_VIEW.apply(data.rooms.registry, ANN, "demo", {**DOCUMENT, **wrong}, dry_run=True)
    assert refusal.value.field == field
