from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from aimass.infra.database import Database, audit_log, events_log
from aimass.kernel.erasing import Person
from aimass.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Stale
from aimass.lake.asking import ListQueryRuns
from aimass.lake.jobs import erase
from aimass.lake.policies import SetPolicy
from aimass.lake.saved import (
    ChangeSavedQuery,
    DeleteSavedQuery,
    ListSavedQueries,
    OneSavedQuery,
    RunSavedQuery,
    SaveQuery,
)
from aimass.lake.saved_specs import QUERY
from tests.fixtures.data import ANN, EVE, STRANGER, UMA

CSV = "id,mail\n1,ann@example.org\n2,bob@example.org\n3,cy@example.org\n"
SQL = "select id from people where id >= $least order by id"


def collected(data):
    data.collect(CSV, "People", types={"id": "integer"})


@pytest.fixture
def people(filled, tmp_path):
    with filled.rooms(tmp_path / "data", collected) as found:
        yield found


def save(data, who=UMA, name="By id", **more):
    return data.lake.save_query(who, SaveQuery(workspace="demo", **{"name": name, "sql": SQL, **more}))


def one(slug="by-id"):
    return OneSavedQuery(workspace="demo", saved_query=slug)


def run(data, who=UMA, slug="by-id", **more):
    return data.lake.run_saved_query(who, RunSavedQuery(workspace="demo", saved_query=slug, **more)).rows


def listed(data, who, **more):
    page = data.lake.list_saved_queries(who, ListSavedQueries(workspace="demo", **more))
    return [saved.slug for saved in page.items]


def test_a_saved_query_runs_with_its_values_or_with_others(people):
    saved = save(people, parameters={"least": 2})
    assert (saved.slug, saved.owner, saved.shared, saved.version) == ("by-id", "uma", False, 1)
    assert run(people) == [[2], [3]]
    assert run(people, parameters={"least": 3}) == [[3]]
    history = people.lake.list_query_runs(UMA, ListQueryRuns(workspace="demo")).items
    assert {ran.via for ran in history} == {"saved:by-id"}
    with pytest.raises(Conflict, match="exists already"):
        save(people, ANN)


def test_a_private_one_is_there_for_its_owner_and_a_shared_one_for_all_under_their_own_rights(people):
    save(people, parameters={"least": 1})
    save(people, ANN, "Hidden")
    assert (listed(people, UMA), listed(people, ANN)) == (["by-id"], ["by-id", "hidden"])
    for call in (lambda: people.lake.get_saved_query(UMA, one("hidden")), lambda: run(people, UMA, "hidden")):
        with pytest.raises(NotFound):
            call()
    people.lake.change_saved_query(ANN, ChangeSavedQuery(workspace="demo", saved_query="hidden", shared=True))
    assert listed(people, UMA, text="HIDD") == ["hidden"]
    people.lake.set_policy(
        ANN, SetPolicy(workspace="demo", dataset="people", policy="few", filter="id <= 2", exempt=["user:ann"])
    )
    assert (
        run(people, ANN, "hidden", parameters={"least": 1}),
        run(people, UMA, "hidden", parameters={"least": 1}),
    ) == (
        [[1], [2], [3]],
        [[1], [2]],
    )


def test_only_its_owner_and_who_manages_the_lake_change_it_in_the_state_they_know(people):
    save(people, ANN, shared=True)
    change: dict[str, Any] = {"workspace": "demo", "saved_query": "by-id"}
    with pytest.raises(Forbidden, match="belongs to somebody else"):
        people.lake.change_saved_query(UMA, ChangeSavedQuery(**change, description="mine"))
    with pytest.raises(Forbidden):
        people.lake.delete_saved_query(UMA, DeleteSavedQuery(**change))
    changed = people.lake.change_saved_query(ANN, ChangeSavedQuery(**change, name="New", sql="select 1", parameters={}))
    assert (changed.name, changed.slug, changed.sql, changed.version) == ("New", "by-id", "select 1", 2)
    with pytest.raises(Stale):
        people.lake.delete_saved_query(ANN, DeleteSavedQuery(**change, expected_version=1))
    people.lake.delete_saved_query(ANN, DeleteSavedQuery(**change, expected_version=2))
    assert listed(people, ANN) == []
    with people.rooms.get(Database).read() as conn:
        told = list(conn.execute(select(events_log.c.type)).scalars())
        noted = list(conn.execute(select(audit_log.c.action)).scalars())
    wanted = {f"lake.saved_query.{what}" for what in ("created", "changed", "deleted")}
    assert wanted <= set(told) & set(noted)


def test_the_list_comes_in_pages(people):
    for name in ("a", "b", "c"):
        save(people, name=name)
    page = people.lake.list_saved_queries(UMA, ListSavedQueries(workspace="demo", limit=2))
    rest = people.lake.list_saved_queries(UMA, ListSavedQueries(workspace="demo", limit=2, cursor=page.next))
    assert [saved.slug for saved in (*page.items, *rest.items)] == ["a", "b", "c"]


def test_an_erased_person_is_in_no_saved_query_and_keeps_none_for_himself(people):
    save(people, ANN, sql="select * from people where mail = 'bob@example.org'", parameters={"m": "bob@example.org"})
    save(people, UMA, "Private")
    save(people, UMA, "Shared", shared=True)
    told = erase(people.rooms.registry, Person(erasure="e1", values=("bob@example.org", "account:uma")))
    assert [one.count for one in told if one.what == "saved queries"] == [3]
    assert listed(people, ANN) == ["by-id", "shared"]
    shared = people.lake.get_saved_query(ANN, one("shared"))
    assert (shared.owner, shared.owner_name) == ("uma", "[erased]")
    again = erase(people.rooms.registry, Person(erasure="e1", values=("bob@example.org", "account:uma")))
    assert [one.count for one in again if one.what == "saved queries"] == [0]
    assert "bob" not in str(people.lake.get_saved_query(ANN, one()))


def test_queries_are_documents(people):
    save(people, shared=True, parameters={"least": 2}, description="from two on")
    registry = people.rooms.registry
    (document,) = QUERY.export(registry, UMA, "demo")
    assert document == {
        "kind": "query",
        "name": "By id",
        "description": "from two on",
        "sql": SQL,
        "parameters": {"least": 2},
        "shared": True,
    }
    assert QUERY.export(registry, EVE, "demo") == []
    assert QUERY.apply(registry, UMA, "demo", document, dry_run=False) == ("none", [])
    changed = {**document, "sql": "select 1"}
    assert QUERY.apply(registry, UMA, "demo", changed, dry_run=True) == ("change", ["sql"])
    assert people.lake.get_saved_query(UMA, one()).sql == SQL
    assert QUERY.apply(registry, UMA, "demo", changed, dry_run=False) == ("change", ["sql"])
    assert people.lake.get_saved_query(UMA, one()).sql == "select 1"
    made = QUERY.apply(registry, UMA, "demo", {"kind": "query", "name": "Second", "sql": SQL}, dry_run=False)
    assert (made, listed(people, UMA)) == (("create", ["sql"]), ["by-id", "second"])
    for bad in ({"name": "x"}, {"name": "x", "sql": "select 1", "colour": 1}):
        with pytest.raises(Invalid):
            QUERY.apply(registry, UMA, "demo", bad, dry_run=True)


@pytest.mark.parametrize(("who", "status"), [("", 401), ("stranger", 404), ("eve", 403), ("uma", 200)])
def test_the_ladder_of_callers(people, who, status):
    save(people, ANN, shared=True, parameters={"least": 1})
    with people.http() as client:
        base, headers = "/api/v1/workspaces/demo/saved-queries", {"x-who": who}
        shown = client.get(f"{base}/by-id", headers=headers)
        answers = [client.get(base, headers=headers), shown, client.post(f"{base}/by-id/run", json={}, headers=headers)]
        made = client.post(base, json={"name": "mine", "sql": "select 1"}, headers=headers)
    assert {answer.status_code for answer in answers} == {status}
    assert made.status_code == (201 if status == 200 else status)
    assert status != 200 or shown.headers["etag"] == '"1"'


def test_who_is_no_member_learns_nothing(people):
    save(people, shared=True)
    with pytest.raises(NotFound):
        people.lake.get_saved_query(STRANGER, one())
