from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from aimass.access import CAPABILITY as ACCESS
from aimass.access.domain.people import OneUser
from aimass.cluster import CAPABILITY as CLUSTER
from aimass.cluster import Jobs
from aimass.cluster.domain import RetryJob
from aimass.collector import CAPABILITY as COLLECTOR
from aimass.infra.database import Database, audit_log, events_log, lineage_edges
from aimass.kernel.capability import JobKinds
from aimass.kernel.erasing import Person
from aimass.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from aimass.kernel.principal import SYSTEM
from aimass.lake import CAPABILITY as LAKE
from aimass.lake.commands import AboutVersion, ChangeDataset, DeleteDataset, MakeVersion, OneDataset
from aimass.lake.history import MergeRows
from aimass.lake.jobs import attention, check_refresh, erase, order_refresh, refresh_views
from aimass.lake.policies import SetPolicy
from aimass.lake.saved import SaveQuery
from aimass.lake.search import document
from aimass.lake.view_specs import VIEW
from aimass.lake.views import ChangeView, DeleteView, ListViewRefreshes, ListViews, OneViewRefresh
from tests.fixtures.data import ANN, EVE, Data
from tests.fixtures.rooms import Rooms
from tests.fixtures.site import site_of
from tests.fixtures.views import Viewing

ROWS = [
    {"region": "EU", "amount": 2, "mail": "ann@example.org"},
    {"region": "US", "amount": 5, "mail": "bo@example.org"},
]
TOTAL = "SELECT region, sum(amount) AS total FROM orders GROUP BY region"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewing]:
    with site_of(tmp_path_factory.mktemp("site"), [ACCESS, CLUSTER, LAKE, COLLECTOR]) as site:
        found = Viewing(site)
        found.put("orders", ROWS)
        yield found


@pytest.fixture
def views(platform: Viewing) -> Iterator[Viewing]:
    yield platform
    for view in platform.lake.list_views(SYSTEM, ListViews(workspace="demo")).items:
        platform.lake.delete_view(SYSTEM, DeleteView(workspace="demo", view=view.slug))


def drop(views: Viewing, slug: str) -> None:
    views.lake.delete_view(SYSTEM, DeleteView(workspace="demo", view=slug))


def change(views: Viewing, slug: str, who=None, **more: Any):
    return views.lake.change_view(who or views.owner, ChangeView(workspace="demo", view=slug, **more))


def test_a_view_keeps_types_is_left_alone_while_fresh_and_tells_what_has_moved_on(views):
    read = views.put("prices", [{"at": "2026-05-01T12:00:00Z", "price": 1.25}], at="timestamp", price="float")
    sql = "SELECT at, CAST(price AS DECIMAL(12,3)) AS price, count(*) AS n, sum(1) AS s FROM prices GROUP BY ALL"
    made = views.make("Price list", sql)
    assert (made.slug, made.state, made.layer, made.number, made.owner_name) == (
        "price-list",
        "NEW",
        "gold",
        None,
        "editor",
    )
    now = views.refresh("price-list")
    assert (now.state, now.number, now.rows, now.why, now.job) == ("FRESH", 1, 1, [], None)
    version = views.lake.get_version(SYSTEM, AboutVersion(workspace="demo", dataset="price-list"))
    assert [(c.name, c.type, c.scale) for c in version.columns][:3] == [
        ("at", "timestamp", None),
        ("price", "decimal", 3),
        ("n", "integer", None),
    ]
    assert views.rows("price-list")[0][:3] == ["2026-05-01T12:00:00.000Z", 1.25, 1]
    source = views.lake.get_version(SYSTEM, AboutVersion(workspace="demo", dataset="prices"))
    with views.site.registry.get(Database).read() as conn:
        edges = conn.execute(select(lineage_edges.c.src_id).where(lineage_edges.c.dst_id == version.id)).scalars().all()
        told = set(conn.execute(select(events_log.c.type).where(events_log.c.subject == "view:price-list")).scalars())
        noted = set(conn.execute(select(audit_log.c.action)).scalars())
    assert edges == [source.id]
    assert told == {"lake.view.created", "lake.view.refreshing", "lake.view.refreshed"} & noted
    asked = views.ask("price-list")
    assert (asked.state, asked.job, asked.number, len(views.refreshes("price-list"))) == ("FRESH", None, 1, 1)
    views.put("prices", [], mode="overwrite", at="timestamp", price="float")
    stale = views.view("price-list")
    assert (stale.state, stale.why) == ("STALE", ["sources"])
    assert [(m.dataset, m.read, m.newest) for m in stale.behind] == [("prices", read, read + 1)]
    change(views, "price-list", sql="SELECT at, price AS paid FROM prices")
    assert views.view("price-list").why == ["sources", "definition"]
    empty = views.refresh("price-list")
    assert (empty.state, empty.number, empty.rows, views.rows("price-list")) == ("FRESH", 2, 0, [])
    assert (
        views.lake.get_view_refresh(EVE, OneViewRefresh(workspace="demo", view="price-list", refresh=asked.id)).number
        == 1
    )
    with pytest.raises(NotFound):
        views.lake.get_view_refresh(EVE, OneViewRefresh(workspace="demo", view="price-list", refresh="nope"))


def test_the_policies_of_its_owner_count_also_those_that_come_later(views):
    views.put("people", [{"id": 1, "mail": "ann@example.org"}, {"id": 2, "mail": "bo@example.org"}])
    policy = SetPolicy(
        workspace="demo", dataset="people", policy="mails", columns=["mail"], mask="full", exempt=["user:admin"]
    )
    views.lake.set_policy(SYSTEM, policy)
    views.make("Everybody", "SELECT id, mail FROM people", parameters={})
    views.refresh("everybody", who=views.site.people["admin"])  # who asks is exempt, whose view it is is not
    assert views.rows("everybody", who=views.site.people["admin"]) == [[1, "•••"], [2, "•••"]]
    made = views.lake.get_dataset(EVE, OneDataset(workspace="demo", dataset="everybody"))
    assert made.personal == ["mail"]  # what a source knows of a column is known of it here, though no value tells it
    views.lake.set_policy(SYSTEM, SetPolicy(workspace="demo", dataset="people", policy="few", filter="id < 2"))
    assert (views.view("everybody").state, views.view("everybody").why) == ("STALE", ["policies"])
    change(views, "everybody", views.site.people["admin"], take_over=True)
    assert (views.view("everybody").owner_name, views.view("everybody").why) == ("admin", ["policies"])
    with pytest.raises(Forbidden, match="belongs to somebody else"):
        change(views, "everybody", description="mine")


def test_without_its_owner_or_his_rights_a_view_stays_and_is_not_refreshed(views):
    vera, site = views.site.person("vera", "editor"), views.site
    views.make("Of vera", TOTAL, vera, refresh="on_change", every_s=60)
    assert views.refresh("of-vera", who=vera).number == 1
    views.put("orders", ROWS)
    site.access.disable_user(site.root, OneUser(user="vera"))
    with pytest.raises(Conflict, match="gone or suspended"):
        views.ask("of-vera")
    stuck = views.view("of-vera")
    assert (stuck.state, stuck.number, (stuck.error or {})["field"]) == ("FAILED", 1, "owner")
    needs = [one["subject"] for one in attention(site.registry, views.owner, "demo") if one["kind"] == "view"]
    assert needs == ["view:of-vera"]
    assert views.loop() == 0  # it waits until something changes, or for longer and longer
    site.access.enable_user(site.root, OneUser(user="vera"))
    erased = erase(site.registry, Person(erasure="e1", values=(f"account:{vera.id}",)))
    assert [one.count for one in erased if one.what == "views"] == [1]
    assert views.view("of-vera").owner_name == "[erased]"
    taken = change(views, "of-vera", site.people["admin"], take_over=True)
    assert taken.owner_name == "admin"
    begun = views.ask("of-vera")
    assert (begun.state, begun.sources[0].number) == ("RUNNING", stuck.behind[0].newest)
    views.cancel(begun.job)


def test_a_refresh_that_fails_keeps_what_was_made_before(views):
    views.put("notes", [{"note": "1"}])
    views.make("Numbers", "SELECT CAST(note AS INTEGER) AS n FROM notes", layer="silver")
    views.refresh("numbers")
    views.put("notes", [{"note": "two"}])
    failed = views.refresh("numbers")
    assert (failed.state, failed.number, views.rows("numbers")) == ("FAILED", 1, [[1]])
    said = (failed.error or {})["detail"]
    assert 'a value of column "note" is no INT32 (line 1, column 13)' in said
    assert "two" not in said
    assert [(one.state, one.number) for one in views.refreshes("numbers")] == [("FAILED", None), ("SUCCEEDED", 1)]


def test_views_that_follow_are_refreshed_one_after_another_and_only_once(views, monkeypatch):
    views.make("Totals", TOTAL, refresh="on_change", every_s=60)
    views.make(
        "Largest",
        "SELECT max(total) AS most, (SELECT count(*) FROM orders) AS n FROM totals",
        refresh="on_change",
        every_s=60,
    )
    assert [views.loop(), views.loop(), views.loop()] == [1, 1, 0]
    views.put("orders", [{"region": "EU", "amount": 100, "mail": "cy@example.org"}])
    assert views.loop() == 0  # its least pause is not over
    clock = views.site.registry.get(Database).clock
    later = clock.now() + timedelta(seconds=61)
    monkeypatch.setattr(clock, "now", lambda: later)
    views.put("orders", [{"region": "EU", "amount": 1, "mail": "cy@example.org"}])
    assert views.loop() == 1
    moved = {one.dataset: one.newest for one in views.view("largest").behind}
    assert (views.view("totals").state, moved) == ("FRESH", {"orders": views.newest("orders"), "totals": 2})
    assert refresh_views(views.site.registry) == 1
    assert [views.view(slug).state for slug in ("totals", "largest")] == ["FRESH", "REFRESHING"]
    assert [source.number for source in views.refreshes("largest")[0].sources] == [views.newest("orders"), 2]
    views.cancel(views.view("largest").job)
    assert refresh_views(views.site.registry) == 0  # what was cancelled is not begun again at once
    assert [len(views.refreshes(slug)) for slug in ("totals", "largest")] == [2, 2]
    assert {one.cause for one in views.refreshes("totals")} == {"on_change"}


def test_a_schedule_refreshes_what_is_not_fresh(views):
    views.make("Nightly", TOTAL)
    registry = views.site.registry
    assert registry.get(JobKinds)["lake.refresh_view"].by_schedule
    check_refresh(registry, views.owner, "demo", {"view": "nightly"})
    order_refresh(registry, SYSTEM, "demo", {"view": "nightly"}, "k1")
    order_refresh(registry, SYSTEM, "demo", {"view": "nightly"}, "k2")
    assert [(one.cause, one.state) for one in views.refreshes("nightly")] == [("schedule", "RUNNING")]
    views.cancel(views.view("nightly").job)
    for payload, field in (
        ({}, "view"),
        ({"view": "nightly", "x": 1}, "x"),
        ({"view": "nightly", "force": 1}, "force"),
    ):
        with pytest.raises(Invalid) as told:
            check_refresh(registry, views.owner, "demo", payload)
        assert told.value.field == field
    with pytest.raises(Forbidden):
        check_refresh(registry, EVE, "demo", {"view": "nightly"})
    with pytest.raises(NotFound):
        check_refresh(registry, views.owner, "demo", {"view": "nope"})


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("DELETE FROM orders", "only one SELECT"),
        ("SELECT 1; SELECT 2", "only one SELECT"),
        ("SELECT * FROM nowhere", "there is no dataset 'nowhere'"),
        ("SELECT * FROM other.orders", "is not a dataset"),
        ("SELECT * FROM read_csv('/etc/passwd')", "not allowed"),
        ("SELECT colour FROM orders", "colour"),
        ("SELECT region, mail AS Region FROM orders", "two columns are called"),
        ("SELECT * FROM odd", "reads what it makes: odd → odd"),
        ("", "needs its text"),
    ],
)
def test_what_no_view_can_ask(views, sql, why):
    with pytest.raises(Invalid, match=why):
        views.make("Odd", sql)
    assert "odd" not in {view.slug for view in views.lake.list_views(EVE, ListViews(workspace="demo")).items}


def test_a_view_reads_itself_through_no_other_one(views):
    views.make("A", "SELECT * FROM orders")
    views.make("B", "SELECT * FROM a")
    views.make("C", "SELECT * FROM b")
    with pytest.raises(Invalid, match="a → c → b → a"):
        change(views, "a", sql="SELECT * FROM c")
    with pytest.raises(Conflict, match="has no version yet"):
        views.ask("c")
    assert [document["name"] for document in VIEW.export(views.site.registry, EVE, "demo")] == ["A", "B", "C"]


@pytest.fixture
def meanwhile(views, monkeypatch):
    """Let something happen between the check of a change and the change."""

    def arrange(event: Any) -> None:
        real, left = views.lake._reads_of, [event]

        def reads_of(*args: Any) -> list[str]:
            found = real(*args)
            while left:
                left.pop()()
            return found

        monkeypatch.setattr(views.lake, "_reads_of", reads_of)

    return arrange


def test_two_changes_at_once_make_no_circle(views, meanwhile):
    views.make("One", "SELECT * FROM orders")
    views.make("Two", "SELECT * FROM orders")
    meanwhile(lambda: change(views, "two", sql="SELECT * FROM one"))
    with pytest.raises(Invalid, match="one → two → one"):
        change(views, "one", sql="SELECT * FROM two")
    assert (views.view("one").reads, views.view("two").reads) == (["orders"], ["one"])


def test_who_lost_a_view_while_he_changed_it_changes_nothing(views, meanwhile):
    views.make("Moving", TOTAL)
    boss = views.site.people["admin"]
    meanwhile(lambda: change(views, "moving", boss, take_over=True))
    with pytest.raises(Forbidden, match="belongs to somebody else"):
        change(views, "moving", sql="SELECT * FROM orders")
    assert (views.view("moving").sql, views.view("moving").owner) == (TOTAL, boss.id)


def test_a_refresh_that_cannot_begin_does_not_let_another_one_beside_the_one_that_runs(views, monkeypatch):
    views.make("Busy", TOTAL)
    real, begun = views.lake._plan_view, []

    def lost(row: Any) -> Any:
        monkeypatch.setattr(views.lake, "_plan_view", real)
        begun.append(views.ask("busy"))
        raise Conflict("the right is gone", field="owner")

    monkeypatch.setattr(views.lake, "_plan_view", lost)
    with pytest.raises(Conflict):
        views.ask("busy")
    assert views.ask("busy", force=True).id == begun[0].id
    (told,) = [
        one for one in erase(views.site.registry, Person(erasure="e3", values=("nobody",))) if one.what == "views"
    ]
    assert told.later == ("view 'busy' is being refreshed from rows of before",), "the erasure asks again"
    views.cancel(begun[0].job)
    assert views.view("busy").job is None


def test_a_refresh_that_waited_or_is_begun_again_does_not_get_round_a_policy_that_came_meanwhile(views):
    views.put("guests", [{"id": 1, "mail": "ann@example.org"}])
    views.make("Guest list", "SELECT id, mail FROM guests")
    begun = views.ask("guest-list")
    views.lake.set_policy(
        SYSTEM, SetPolicy(workspace="demo", dataset="guests", policy="mails", columns=["mail"], mask="full")
    )
    views.ended(begun.job or "")
    failed = views.view("guest-list")
    assert (failed.state, failed.number) == ("FAILED", None)
    assert "what its owner may see was changed" in (failed.error or {})["detail"]
    assert views.refresh("guest-list").state == "FRESH"
    assert views.rows("guest-list") == [[1, "•••"]]
    views.site.registry.get(Jobs).retry_job(SYSTEM, RetryJob(workspace="demo", job=begun.job or ""))
    views.ended(begun.job or "")
    assert (views.newest("guest-list"), views.rows("guest-list")) == (1, [[1, "•••"]])


def test_with_its_view_a_refresh_goes_that_has_not_begun(views):
    views.make("Leaving", TOTAL)
    begun = views.ask("leaving")
    drop(views, "leaving")
    views.ended(begun.job or "")
    assert views.newest("leaving") is None


def test_its_dataset_is_nobody_elses(views):
    with pytest.raises(Conflict, match="a view would replace its rows"):
        views.make("Orders", "SELECT 1 AS one")
    views.make("Sums", TOTAL, dataset="sums-of-orders", description="by region")
    found = document(views.site.registry, "demo", "view:sums")
    assert found is not None
    assert (found.text, found.href) == ("sums by region orders", "/demo/views/sums")
    assert document(views.site.registry, "demo", "view:nope") is None
    for name, more in (("Sums", {}), ("Other", {"dataset": "sums-of-orders"})):
        with pytest.raises(Conflict):
            views.make(name, TOTAL, **more)
    views.refresh("sums")
    where: dict[str, Any] = {"workspace": "demo", "dataset": "sums-of-orders"}
    views.lake.change_dataset(ANN, ChangeDataset(**where, keys=["region"]))
    doors = (
        lambda: views.lake.make_version(views.owner, MakeVersion(**where, sql="SELECT 1 AS region")),
        lambda: views.lake.merge_rows(ANN, MergeRows(**where, rows=[{"region": "EU"}])),
        lambda: views.lake.delete_dataset(ANN, DeleteDataset(**where)),
        lambda: views.put("sums-of-orders", [{"region": "EU"}]),
    )
    for door in doors:
        with pytest.raises(Conflict, match="is made by view 'sums'"):
            door()
    drop(views, "sums")
    again = views.make("Sums", "SELECT count(*) AS n FROM orders", dataset="sums-of-orders")
    assert (again.state, again.number) == ("NEW", 1)  # what an earlier view of the name has left is taken over
    drop(views, "sums")
    assert views.put("sums-of-orders", [{"region": "XX", "total": 1}]) == 2
    with pytest.raises(Conflict, match="a view would replace its rows"):
        views.make("Sums", TOTAL, dataset="sums-of-orders")


def test_an_erasure_does_not_part_a_view_from_what_an_earlier_one_has_left(views):
    views.put("visitors", [{"mail": "zed@example.org"}, {"mail": "yan@example.org"}])
    views.make("Visitor List", "SELECT mail FROM visitors", dataset="visitor-list")
    views.refresh("visitor-list")
    drop(views, "visitor-list")
    erase(views.site.registry, Person(erasure="e9", values=("zed@example.org",)))
    newest = views.lake.get_version(ANN, AboutVersion(workspace="demo", dataset="visitor-list", number=2))
    assert (newest.origin, newest.rows) == ("erasure:e9", 1)
    assert views.make("Visitor List", "SELECT mail FROM visitors", dataset="visitor-list").state == "NEW"
    drop(views, "visitor-list")
    views.put("visitors", [{"mail": "zed@example.org"}])
    erase(views.site.registry, Person(erasure="e10", values=("zed@example.org",)))
    with pytest.raises(Conflict, match="a view would replace its rows"):
        views.make("Visitors", "SELECT 1 AS one", dataset="visitors")


def test_the_text_of_a_saved_query_is_taken_with_its_values(views):
    saved = SaveQuery(
        workspace="demo",
        name="Least",
        sql="SELECT * FROM orders WHERE amount >= $least",
        parameters={"least": 5},
        shared=True,
    )
    views.lake.save_query(views.owner, saved)
    with pytest.raises(Invalid, match="one text"):
        views.make("Least", "SELECT 1", saved_query="least")
    made = views.make("Least", None, saved_query="least")
    assert (made.saved_query, made.parameters, made.sql) == ("least", {"least": 5}, saved.sql)
    other = change(views, "least", views.site.people["admin"], parameters={"least": 1000})
    assert (other.owner_name, other.saved_query, other.parameters) == ("admin", "least", {"least": 1000})


def test_views_are_documents(views):
    registry = views.site.registry
    document = {"kind": "view", "name": "By region", "description": "", "sql": TOTAL, "parameters": {}, "layer": "gold", "refresh": "on_change", "every_s": 3600.0}  # fmt: skip
    apply = lambda doc, who=views.owner, **more: VIEW.apply(registry, who, "demo", doc, **{"dry_run": False, **more})  # noqa: E731
    assert apply(document, dry_run=True) == ("create", ["every_s", "refresh", "sql"])
    assert apply(document)[0] == "create"
    assert VIEW.export(registry, views.owner, "demo") == [document]
    assert apply(document) == ("none", [])
    assert apply({**document, "layer": "silver", "every_s": 60}) == ("change", ["every_s", "layer"])
    assert views.view("by-region").layer == "silver"
    for bad in (
        {"name": "x"},
        {**document, "colour": 1},
        {**document, "refresh": "daily"},
        {**document, "dataset": "x"},
    ):
        with pytest.raises(Invalid):
            apply(bad)


def test_an_erased_person_is_in_no_view(views):
    views.make("Hers", "SELECT * FROM orders WHERE mail <> 'zoe@example.org'", description="without zoe@example.org")
    told = erase(views.site.registry, Person(erasure="e2", values=("zoe@example.org",)))
    assert [one.count for one in told if one.what == "views"] == [1]
    assert "zoe" not in str(views.view("hers"))


@pytest.mark.parametrize(
    ("who", "reads", "writes"),
    [("", 401, 401), ("stranger", 404, 404), ("eve", 200, 403), ("uma", 200, 403), ("ann", 200, 201)],
)
def test_the_ladder_of_callers(views, who, reads, writes):
    views.make("Ladder", TOTAL)
    base, headers = "/api/v1/workspaces/demo/views", {"x-who": who}
    with Data(Rooms(views.site.folder, [], registry=views.site.registry)).http() as client:
        shown = client.get(f"{base}/ladder", headers=headers)
        listed = [client.get(path, headers=headers) for path in (base, f"{base}/ladder/refreshes")]
        made = client.post(base, json={"name": f"Of {who or 'nobody'}", "sql": TOTAL}, headers=headers)
        begun = client.post(f"{base}/ladder/refresh", json={}, headers=headers)
        changed = client.patch(f"{base}/ladder", json={"description": "x"}, headers=headers)
        gone = client.delete(f"{base}/ladder", headers=headers)
    assert {answer.status_code for answer in (shown, *listed)} == {reads}
    assert {made.status_code, begun.status_code} == {writes}
    assert (changed.status_code, gone.status_code) == ((200, 204) if writes == 201 else (writes, writes))
    assert reads != 200 or shown.headers["etag"] == '"1"'
    if begun.status_code == 201:
        views.cancel(begun.json()["job"])


def test_a_refresh_that_is_cancelled_is_no_failure(views):
    views.make("Stopped", TOTAL)
    begun = views.ask("stopped")
    again = views.ask("stopped")
    assert (again.id, again.state, views.view("stopped").state) == (begun.id, "RUNNING", "REFRESHING")
    views.cancel(begun.job)
    assert (views.view("stopped").state, views.view("stopped").error) == ("NEW", None)
    listed = views.lake.list_view_refreshes(EVE, ListViewRefreshes(workspace="demo", view="stopped")).items
    assert [one.state for one in listed] == ["CANCELLED"]
