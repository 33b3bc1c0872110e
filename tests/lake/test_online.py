"""Online values through the service and over HTTP: renewed, looked up, compared, erased."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import psutil
import pytest
from sqlalchemy import func, select

from aimass.access import Access, CreateService, CreateWorkspace
from aimass.infra.database import Database, events_log
from aimass.kernel.erasing import Person
from aimass.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from aimass.kernel.events import Event
from aimass.kernel.principal import ANYWHERE, SYSTEM, Principal
from aimass.lake.children.skew import skew
from aimass.lake.commands import DeleteDataset, MaintainDataset
from aimass.lake.feature_commands import ChangeFeatureView, CreateFeatureView, DeleteFeatureView, OneFeatureView
from aimass.lake.feature_tables import materialisations, online
from aimass.lake.features import Feature
from aimass.lake.history import RevertVersion
from aimass.lake.jobs import attention, erase, on_version_created, store_values
from aimass.lake.online import FindFeatures, FindManyFeatures, ListMaterialisations, MaterialiseFeatures, key_of
from aimass.lake.policies import SetPolicy
from tests.fixtures.data import ANN, EVE, STRANGER, UMA, Data
from tests.fixtures.features import DAY_S, TYPES, VISITS, built, declare

V = "customer-visits"
ONE = OneFeatureView(workspace="demo", feature_view=V)
ONLINE = "/api/v1/workspaces/demo/features/online"
MORE = """customer,at,noted,visits,plan
4,2026-01-07T00:00:00Z,2026-01-07T00:00:00Z,40,gold
2,2026-01-08T00:00:00Z,2026-01-08T00:00:00Z,20,gold
1,2026-01-02T00:00:00Z,2026-01-02T00:00:00Z,1,late
"""


@pytest.fixture
def data(shop: Data) -> Data:
    return shop


def begun(data: Data, **more: Any) -> Any:
    return data.lake.materialise_features(ANN, MaterialiseFeatures(workspace="demo", feature_view=V, **more))


def renewals(data: Data) -> list[Any]:
    wish = ListMaterialisations(workspace="demo", feature_view=V, limit=100)
    return data.lake.list_materialisations(ANN, wish).items


def settled(data: Data, id_: str | None = None) -> Any:
    """Let the loop run until a renewal has ended."""

    def ended() -> bool:
        store_values(data.rooms.registry)
        return all(one.state != "RUNNING" for one in renewals(data))

    data.rooms.until(ended)
    return next(one for one in renewals(data) if id_ in (None, one.id))


def renewed(data: Data, **more: Any) -> Any:
    found = settled(data, begun(data, **more).id)
    assert found.state == "SUCCEEDED", found.error
    return found


def find(data: Data, entity: str | int, view: str = V) -> Any:
    return data.lake.find_features(ANN, FindFeatures(workspace="demo", feature_view=view, entity=str(entity)))


def values(data: Data, *entities: int) -> list[Any]:
    return [find(data, entity).values["visits"] for entity in entities]


def test_the_newest_known_value_of_each_entity_is_found_with_its_type(data):
    declare(data)
    assert find(data, 1).reasons == {"visits": "not materialised", "plan": "not materialised"}
    made = renewed(data)
    assert (made.mode, made.rows, made.removed) == ("full", 3, 0)
    found = find(data, 1)
    assert (found.entity, found.values, found.reasons) == ({"customer": 1}, {"visits": 9, "plan": "gold"}, {})
    assert found.event_time.isoformat() == "2026-01-03T00:00:00+00:00"
    assert values(data, 2, 3) == [6, 1]
    missing = find(data, 77)
    assert (missing.values, missing.reasons["visits"]) == ({"visits": None, "plan": None}, "unknown entity")
    view = data.lake.get_feature_view(EVE, ONE)
    assert (view.online_rows, [(s.dataset, s.number) for s in view.online_from]) == (3, [("visits", 1)])


def test_values_that_are_too_old_or_empty_are_defaults_with_their_reason(data):
    declare(data, ttl_s=DAY_S, features=[Feature(name="visits", default=0), Feature(name="plan")])
    renewed(data)
    found = find(data, 1)
    assert (found.values, found.reasons) == ({"visits": 0, "plan": None}, {"visits": "too old", "plan": "too old"})
    data.lake.change_feature_view(ANN, ChangeFeatureView(workspace="demo", feature_view=V, ttl_s=0))
    assert find(data, 1).values == {"visits": 9, "plan": "gold"}


def test_what_is_added_is_read_alone_and_a_late_row_changes_nothing(data):
    declare(data)
    renewed(data)
    data.collect(MORE, "Visits", types=TYPES)
    made = renewed(data)
    assert (made.mode, made.rows) == ("incremental", 3)
    assert values(data, 1, 2, 3, 4) == [9, 20, 1, 40]
    assert renewed(data).rows == 0


def test_what_the_source_has_no_more_is_dropped(data):
    declare(data)
    renewed(data)
    data.collect(MORE, "Visits", types=TYPES)
    data.lake.maintain_dataset(ANN, MaintainDataset(workspace="demo", dataset="visits", retain_hours=0))
    erased = erase(data.rooms.registry, Person(erasure="e1", values=("3",), workspace="demo", column="customer"))
    assert {one.what: one.count for one in erased}["online values of features"] == 1
    assert find(data, 3).reasons["visits"] == "unknown entity"
    made = renewed(data)
    assert made.mode == "full"
    assert values(data, 1, 2, 3, 4) == [9, 20, None, 40]


def test_what_a_revert_took_away_is_dropped_although_only_additions_were_asked_for(data):
    declare(data)
    data.collect(MORE, "Visits", types=TYPES)
    renewed(data)
    assert values(data, 2, 4) == [20, 40]
    data.lake.revert_version(ANN, RevertVersion(workspace="demo", dataset="visits", number=1))
    begun_ = begun(data)
    assert begun_.mode == "incremental"
    made = settled(data, begun_.id)
    assert (made.state, made.mode, made.removed) == ("SUCCEEDED", "full", 1)
    assert values(data, 1, 2, 3) == [9, 6, 1]
    assert find(data, 4).reasons["visits"] == "unknown entity"


def test_look_ups_show_nobody_more_than_policies_do(data):
    access = data.rooms.get(Access)
    access.create_workspace(SYSTEM, CreateWorkspace(name="demo", slug="demo"))
    account = access.create_service(SYSTEM, CreateService(workspace="demo", name="Builder", role="editor"))
    author, one = access.principal(account.id), {"workspace": "demo", "feature_view": V}
    wish = {"name": "Customer visits", "entity": ["customer"], "event_time": "at", "created_time": "noted"}
    data.lake.create_feature_view(author, CreateFeatureView(workspace="demo", dataset="visits", **wish))
    renewed(data)

    def plan(who: Principal) -> Any:
        return data.lake.find_features(who, FindFeatures(**one, entity="1")).values["plan"]

    assert plan(UMA) == "gold"
    rule = {"workspace": "demo", "dataset": "visits", "policy": "plan", "columns": ["plan"], "mask": "full"}
    data.lake.set_policy(ANN, SetPolicy(**rule, exempt=["service:builder"]))
    many = FindManyFeatures(**one, entities=[{"customer": 1}])
    asked = [plan, lambda who: data.lake.find_many_features(who, many), lambda who: data.lake.check_skew(who, ONE)]
    for ask in asked:
        with pytest.raises(Forbidden, match="online values"):
            ask(UMA)
    assert plan(author) == "gold"
    assert data.lake.check_skew(author, ONE).skew["features"]
    assert data.lake.get_feature_view(UMA, ONE).skew["features"] == []
    data.lake.set_policy(ANN, SetPolicy(**rule))
    with pytest.raises(Forbidden):
        plan(author)
    assert renewed(data).mode == "full", "what they were computed from was more than anybody sees now"
    assert [plan(who) for who in (author, UMA)] == ["•••", "•••"]


def test_a_view_whose_source_is_gone_keeps_no_other_from_its_renewal(data):
    declare(data, follows=True)
    declare(
        data,
        name="Other",
        sql="SELECT customer, at, noted, visits FROM visits JOIN churn USING (customer, at)",
        follows=True,
    )
    data.lake.delete_dataset(ANN, DeleteDataset(workspace="demo", dataset="churn"))
    for _ in range(2):
        data.lake.follow_source("demo", "visits")
    settled(data)
    assert values(data, 1) == [9]
    wish = ListMaterialisations(workspace="demo", feature_view="other")
    (failed,) = data.lake.list_materialisations(ANN, wish).items
    assert (failed.state, "churn" in str(failed.error)) == ("FAILED", True)


def test_a_view_that_cannot_be_compared_says_why_and_the_others_are_compared(data):
    declare(data)
    declare(data, name="Also", features=[Feature(name="visits")])
    renewed(data)
    data.lake.materialise_features(ANN, MaterialiseFeatures(workspace="demo", feature_view="also"))
    data.rooms.until(lambda: store_values(data.rooms.registry))
    data.lake.delete_dataset(ANN, DeleteDataset(workspace="demo", dataset="visits"))
    assert data.lake.compare_renewed() == 2
    for view in (V, "also"):
        shown = data.lake.get_feature_view(ANN, OneFeatureView(workspace="demo", feature_view=view))
        assert "visits" in shown.skew["error"]["detail"]
    assert data.lake.compare_renewed() == 0


def test_a_value_of_a_moment_that_has_not_come_is_found_only_then(data, monkeypatch):
    declare(data)
    data.collect(MORE.replace("2026-01-08", "2099-01-08"), "Visits", types=TYPES)
    renewed(data)
    assert values(data, 2) == [6]
    clock = data.rooms.get(Database).clock
    later = clock.now().replace(year=2100)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert renewed(data).mode == "full"
    assert values(data, 2) == [20]


def test_several_keys_are_found_in_their_order_and_by_name(data):
    declare(data, name="By plan", entity=["customer", "plan"])
    data.lake.materialise_features(ANN, MaterialiseFeatures(workspace="demo", feature_view="by-plan"))
    data.rooms.until(lambda: store_values(data.rooms.registry))
    assert find(data, "1,gold", "by-plan").values == {"visits": 9}
    wish = FindManyFeatures(workspace="demo", feature_view="by-plan", entities=[{"plan": "basic", "customer": 1}, {"customer": "2", "plan": "x"}])  # fmt: skip
    found = data.lake.find_many_features(ANN, wish)
    assert [one.values["visits"] for one in found] == [3, None]
    with pytest.raises(Invalid, match="joined by 2 keys"):
        find(data, "1", "by-plan")


@pytest.mark.parametrize(
    ("entity", "features", "field"),
    [
        ({"customer": "x"}, None, "entities"),
        ({}, None, "entities"),
        ({"customer": 1, "shop": 2}, None, "entities"),
        ({"customer": True}, None, "entities"),
        ({"customer": 1}, ["nothing"], "features"),
    ],
)
def test_a_look_up_that_cannot_be_meant_is_refused(data, entity, features, field):
    declare(data)
    wish = FindManyFeatures(workspace="demo", feature_view=V, entities=[entity], features=features)
    with pytest.raises(Invalid) as refusal:
        data.lake.find_many_features(ANN, wish)
    assert refusal.value.field == field


def test_two_renewals_at_a_time_leave_the_newest_values(data):
    declare(data)
    first = begun(data)
    data.collect(MORE, "Visits", types=TYPES)
    second = begun(data, full=True)
    settled(data)
    states = {one.id: one.state for one in renewals(data)}
    assert states[second.id] == "SUCCEEDED"
    assert states[first.id] in ("SUCCEEDED", "SUPERSEDED")
    assert values(data, 1, 2, 3, 4) == [9, 20, 1, 40]
    with data.rooms.get(Database).read() as conn:
        kept = conn.execute(select(func.count()).select_from(online)).scalar_one()
    assert kept == 4


def test_an_older_renewal_that_ends_later_changes_nothing(data):
    declare(data)
    first = begun(data)
    data.rooms.until(lambda: _is_computed(data, first.id))
    data.collect(MORE, "Visits", types=TYPES)
    second = begun(data)
    with data.rooms.get(Database).change(ANN, "demo") as change:
        change.execute(materialisations.update().where(materialisations.c.id == first.id).values(position=-1))
    settled_alone(data, second.id)
    with data.rooms.get(Database).change(ANN, "demo") as change:
        change.execute(materialisations.update().where(materialisations.c.id == first.id).values(position=0))
    assert settled(data, first.id).state == "SUPERSEDED"
    assert values(data, 4) == [40]


def settled_alone(data: Data, id_: str) -> None:
    def ended() -> bool:
        store_values(data.rooms.registry)
        return next(one for one in renewals(data) if one.id == id_).state != "RUNNING"

    data.rooms.until(ended)


def _is_computed(data: Data, id_: str) -> bool:
    with data.rooms.get(Database).read() as conn:
        position = conn.execute(select(materialisations.c.position).where(materialisations.c.id == id_)).scalar_one()
    return position >= 0


def test_a_view_that_is_changed_under_way_is_renewed_by_its_new_definition(data):
    declare(data)
    begun(data)
    sql = "SELECT customer, at, noted, visits * 100 AS visits FROM visits"
    wish = ChangeFeatureView(workspace="demo", feature_view=V, sql=sql, features=[])
    data.lake.change_feature_view(ANN, wish)
    settled(data)
    assert values(data, 1, 2) == [900, 600]
    assert [one.state for one in renewals(data)] == ["SUCCEEDED", "SUPERSEDED"]


def test_a_storing_that_broke_off_goes_on_and_begins_nothing_twice(data, monkeypatch):
    declare(data)
    monkeypatch.setattr("aimass.lake.service.storing.PART", 1)
    id_ = begun(data).id
    data.rooms.until(lambda: _is_computed(data, id_))
    real, calls = data.lake._put_part, []

    def broken(*args: Any) -> bool:
        calls.append(args)
        if len(calls) == 2:
            raise Conflict("the process is gone")
        return real(*args)

    monkeypatch.setattr(data.lake, "_put_part", broken)
    with pytest.raises(Conflict):
        store_values(data.rooms.registry)
    monkeypatch.setattr(data.lake, "_put_part", real)
    assert settled(data, id_).state == "SUCCEEDED"
    assert values(data, 1, 2, 3) == [9, 6, 1]


def test_a_job_that_is_killed_begins_again_and_ends_with_the_same_values(data):
    rows = "".join(f"{n},2026-01-01T00:00:00Z,2026-01-01T00:00:00Z,{n},basic\n" for n in range(30_000))
    data.collect("customer,at,noted,visits,plan\n" + rows, "Visits", types=TYPES)
    declare(data)
    id_ = begun(data).id
    for process in data.rooms.until(_children):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)
    assert settled(data, id_).state == "SUCCEEDED"
    view = data.lake.get_feature_view(ANN, ONE)
    assert (view.online_rows, values(data, 0, 29_999)) == (30_000, [0, 29_999])


def _children() -> list[psutil.Process]:
    found: list[psutil.Process] = []
    for process in psutil.Process(os.getpid()).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            found += [process] if "aimass.infra.compute.child" in " ".join(process.cmdline()) else []
    return found


def test_a_new_version_renews_the_views_that_follow_it(data):
    declare(data, follows=True)
    renewed(data)
    data.collect(MORE, "Visits", types=TYPES)
    news = {"id": "e", "seq": 1, "type": "lake.version.created", "workspace": "demo", "actor": "ann"}
    clock = data.rooms.get(Database).clock
    for dataset in ("visits", "visits", "churn"):
        on_version_created(data.rooms.registry, Event(subject=f"dataset:{dataset}", time=clock.now(), **news))
    settled(data)
    assert values(data, 4) == [40]
    assert [(one.created_by, one.state) for one in renewals(data)] == [("system", "SUCCEEDED"), ("ann", "SUCCEEDED")]


def test_online_and_lake_are_compared_and_a_difference_calls_somebody(data):
    declare(data)
    with pytest.raises(Conflict, match="no online values"):
        data.lake.check_skew(ANN, ONE)
    renewed(data)
    built(data)
    agree = data.lake.check_skew(ANN, ONE).skew
    assert (agree["entities"], agree["equal"], agree["share"], agree["behind"]) == (3, 3, 0.0, [])
    assert attention(data.rooms.registry, ANN) == []
    data.collect(MORE, "Visits", types=TYPES)
    found = data.lake.check_skew(ANN, ONE).skew
    assert {name: found[name] for name in ("equal", "different", "missing", "extra")} == {"equal": 2, "different": 1, "missing": 1, "extra": 0}  # fmt: skip
    per = {one["feature"]: one for one in found["features"]}
    assert (per["visits"]["different"], per["visits"]["max_difference"], found["behind"]) == (1, 14.0, ["visits"])
    assert per["visits"]["psi"] is None, "three rows are too few to tell a spread"
    (need,) = attention(data.rooms.registry, ANN)
    assert (need["kind"], need["path"]) == ("skew", f"/demo/features/{V}")
    assert attention(data.rooms.registry, STRANGER) == []
    renewed(data)
    assert data.lake.check_skew(ANN, ONE).skew["share"] == 0.0
    assert attention(data.rooms.registry, ANN) == []
    with data.rooms.get(Database).read() as conn:
        told = list(conn.execute(select(events_log.c.type)).scalars())
    assert told.count("lake.features.skewed") == 1


def test_an_erased_person_is_in_no_online_value_not_even_one_that_is_being_computed(data):
    text = VISITS.replace("customer,", "mail,", 1)
    for n, mail in enumerate(("ann@example.org", "bo@example.org", "cy@example.org"), 1):
        text = text.replace(f"\n{n},", f"\n{mail},")
    data.collect(text, "Visits", types=TYPES, source={"keys": ["mail"]})
    declare(data, entity=["mail"])
    renewed(data)
    under_way = begun(data, full=True)
    told = erase(data.rooms.registry, Person(erasure="e2", values=("ann@example.org",), workspace=ANYWHERE))
    assert {one.what: one.count for one in told}["online values of features"] == 1
    settled(data)
    assert next(one for one in renewals(data) if one.id == under_way.id).state == "SUPERSEDED"
    with data.rooms.get(Database).read() as conn:
        rows = conn.execute(select(online)).all()
    assert len({row.entity for row in rows}) == 2
    assert "ann@example.org" not in json.dumps([tuple(row) for row in rows])


def test_a_deleted_view_leaves_nothing_behind(data):
    declare(data)
    renewed(data)
    begun(data)
    data.lake.delete_feature_view(ANN, DeleteFeatureView(workspace="demo", feature_view=V))
    store_values(data.rooms.registry)
    with data.rooms.get(Database).read() as conn:
        assert conn.execute(select(func.count()).select_from(online)).scalar_one() == 0
    with pytest.raises(NotFound):
        find(data, 1)


def test_computed_values_that_are_gone_fail_the_renewal_with_a_way_out(data):
    declare(data)
    id_ = begun(data).id
    data.rooms.until(lambda: _is_computed(data, id_))
    for file in Path(data.rooms.folder).rglob("values.ndjson"):
        file.unlink()
    found = settled(data, id_)
    assert (found.state, found.error["hint"]) == ("FAILED", "renew them again")


def test_the_ladder_of_callers_over_http(data):
    declare(data)
    renewed(data)
    renewal = renewals(data)[0].id
    base = f"/api/v1/workspaces/demo/feature-views/{V}"
    with data.http() as client:
        for who, read, use in (("nobody", 401, 401), ("stranger", 404, 404), ("eve", 200, 403)):
            head = {"x-who": who}
            assert client.get(f"{base}/materialisations", headers=head).status_code == read
            assert client.get(f"{base}/materialisations/{renewal}", headers=head).status_code == read
            assert client.post(f"{base}/materialisations", json={}, headers=head).status_code == use
            assert client.post(f"{base}/skew", headers=head).status_code == use
            asked = {"feature_view": V, "entity": "1"}
            assert client.get(ONLINE, params=asked, headers=head).status_code == use
            assert client.post(ONLINE, json={"feature_view": V, "entities": [{"customer": 1}]}, headers=head).status_code == use  # fmt: skip
        found = client.get(ONLINE, params={"feature_view": V, "entity": "1"}).json()
        assert found["values"] == {"visits": 9, "plan": "gold"}
        many = client.post(ONLINE, json={"feature_view": V, "entities": [{"customer": 2}, {"customer": 9}]}).json()
        assert [one["values"]["visits"] for one in many] == [6, None]
        assert client.post(f"{base}/materialisations", json={}).status_code == 201
        assert client.post(f"{base}/skew").json()["skew"]["equal"] == 3
    with pytest.raises(Forbidden):
        data.lake.materialise_features(EVE, MaterialiseFeatures(workspace="demo", feature_view=V))


def test_a_spread_that_moved_and_values_that_differ_are_measured(tmp_path):
    rows = pl.DataFrame({"x": [float(n % 10) for n in range(200)], "plan": ["a", "b"] * 100})
    rows.write_delta(str(tmp_path / "learned"))
    at = pl.Series([datetime(2026, 1, 1, tzinfo=UTC)] * 50)
    lake = pl.DataFrame({"id": range(50), "at": at, "x": [9.0] * 50, "plan": ["a", "b"] * 25})
    lake.write_delta(str(tmp_path / "now"))
    view = {"view": "v", "entity": ["id"], "dataset": "now", "sql": None, "event_time": "at", "created_time": None}
    view["features"] = [{"name": "x", "type": "float"}, {"name": "plan", "type": "string"}]
    kept = [[key_of([n]), 0, json.dumps({"values": {"x": 9.0 if n else 4.0, "plan": "ab"[n % 2]}})] for n in range(49)]
    (tmp_path / "online").write_text("".join(json.dumps(line) + "\n" for line in kept))
    told = skew({
        "view": view,
        "tables": {"now": {"path": str(tmp_path / "now"), "version": 0}},
        "now": "2026-06-01T00:00:00Z",
        "online": str(tmp_path / "online"),
        "one_in": 1,
        "oldest_us": 1,
        "snapshot": {"path": str(tmp_path / "learned"), "version": 0, "columns": {"x": "x", "plan": "plan"}},
    })  # fmt: skip
    assert {name: told[name] for name in ("entities", "equal", "different", "missing", "stale")} == {"entities": 50, "equal": 48, "different": 1, "missing": 1, "stale": 49}  # fmt: skip
    x, plan = told["features"]
    assert (x["different"], x["max_difference"], plan["different"]) == (1, 5.0, 0)
    assert (x["psi"] > 1, plan["psi"] < 0.01) == (True, True)
