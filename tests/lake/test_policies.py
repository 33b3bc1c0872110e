from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from sqlalchemy import select

from aimass.access import Access
from aimass.access.store.tables import group_members, groups
from aimass.cluster import GetJob, Jobs, ListJobs, WaitJob
from aimass.infra.database import Database, audit_log, events_log
from aimass.kernel.errors import Forbidden, Invalid, NotFound, Stale, Unauthenticated
from aimass.kernel.principal import SYSTEM, Principal
from aimass.lake import AboutVersion, CreateDataset, OneDataset, PreviewRows, QueryRows
from aimass.lake.commands import CompareVersions, MakeVersion
from aimass.lake.policies import Caller, OnePolicy, Policy, SetPolicy, decide
from aimass.lake.policy_store import token_keys
from aimass.lake.service.guarding import RECIPIENT
from aimass.lake.store import dataset_row
from tests.fixtures.data import ANN, EVE, STRANGER, UMA

CSV = "id,region,mail,pay\n" + "".join(f"{n},{'EU' if n % 2 else 'US'},p{n}@x.org,{1000 + n}\n" for n in range(1, 9))
D: dict[str, Any] = {"workspace": "demo", "dataset": "staff"}


def collected(data):
    data.collect(CSV, "Staff", types={"id": "integer", "pay": "float"})


@pytest.fixture
def staff(filled, tmp_path):
    with filled.rooms(tmp_path / "data", collected) as found:
        yield found


def put(data, policy, who=ANN, **wishes):
    return data.lake.set_policy(who, SetPolicy(**D, policy=policy, **wishes))


def ask(data, sql="select * from staff order by id", who=UMA, **more):
    return data.lake.query(who, QueryRows(workspace="demo", sql=sql, **more)).rows


def test_a_policy_counts_for_whom_it_names_and_from_the_next_query_on(staff):
    assert len(ask(staff)) == 8
    put(staff, "eu-only", filter="region = 'EU'", exempt=["user:ann"])
    put(staff, "no-mail", columns=["mail"], mask="full", applies_to=["user:Uma"])
    assert ask(staff, "select distinct region, mail from staff") == [["EU", "•••"]]
    assert len(ask(staff, who=ANN)) == 8
    staff.lake.remove_policy(ANN, OnePolicy(**D, policy="eu-only"))
    assert len(ask(staff)) == 8
    put(staff, "no-mail", columns=["mail"], mask="full", applies_to=["user:uma"], enabled=False)
    assert ask(staff, "select min(mail) from staff") == [["p1@x.org"]]


def test_groups_and_roles_open_what_a_policy_closes(staff):
    put(staff, "regions", filter="list_contains(granted(), region)", granted={"group:emea": ["EU"], "user:uma": ["XX"]})
    assert ask(staff) == []
    with staff.rooms.get(Database).change(SYSTEM, "demo") as change:
        change.execute(groups.insert().values(slug="emea", name="EMEA", created_at=change.now))
        change.execute(group_members.insert().values(group_slug="emea", user_id=UMA.id))
    assert staff.rooms.get(Access).standing(UMA, "demo").groups == {"emea"}
    assert ask(staff, "select distinct region from staff") == [["EU"]]
    put(staff, "regions", filter="in_group('emea') and not has_role('auditor') and caller() = 'Uma' and id < 3")
    assert ask(staff, "select id from staff order by id") == [[1], [2]]


def test_every_door_that_shows_rows_obeys(staff):
    put(staff, "eu-only", filter="region = 'EU'", applies_to=["user:uma", "user:eve"])
    put(staff, "no-mail", columns=["mail"], mask="token", applies_to=["user:uma"])
    put(staff, "no-pay", columns=["pay"], mask="hide", applies_to=["user:uma"])
    lake = staff.lake
    seen = lake.preview_rows(UMA, PreviewRows(**D))
    assert ([c.name for c in seen.columns], len(seen.rows), seen.total_columns) == (["id", "region", "mail"], 4, 3)
    assert all("@" not in str(row[2]) for row in seen.rows)
    assert len(lake.preview_rows(EVE, PreviewRows(**D)).rows) == 4
    with pytest.raises(Invalid):
        lake.preview_rows(UMA, PreviewRows(**D, columns=["pay"]))
    profile = lake.get_profile(UMA, AboutVersion(**D)).columns
    assert [(c["name"], c["masked"], c["distinct"]) for c in profile] == [
        (n, True, None) for n in ("id", "region", "mail")
    ]
    assert "top" in str(lake.get_profile(ANN, AboutVersion(**D)).columns)
    assert all(rule["samples"] == [] for rule in lake.get_quality(UMA, AboutVersion(**D)).rules)
    rules = lake.list_rules(UMA, OneDataset(workspace="demo", dataset="staff"))
    assert not any(set(rule.params) & {"values", "min", "max"} for rule in rules)
    with pytest.raises(Forbidden, match="a comparison"):
        lake.compare_versions(UMA, CompareVersions(**D, base=1, head=1))
    with staff.http() as client:
        text = client.get("/api/v1/workspaces/demo/datasets/staff/file", headers={"x-who": "uma"}).text
        rows = list(csv.DictReader(io.StringIO(text)))
        assert ([*rows[0]], len(rows), "@" in text) == (["id", "region", "mail"], 4, False)
        aside = client.get("/api/v1/workspaces/demo/datasets/staff/quarantine", headers={"x-who": "uma"})
        assert (aside.status_code, aside.json()["code"]) == (403, "forbidden")


def test_a_job_gets_a_copy_of_what_its_author_sees(staff):
    lake = staff.lake
    whole = lake.locate(UMA, "demo", "staff")
    assert (whole.rows, whole.path) == (8, str(lake.table_path("demo", "staff")))
    put(staff, "eu-only", filter="region = 'EU'")
    put(staff, "mail", columns=["mail"], mask="token")
    mine = lake.locate(UMA, "demo", "staff")
    assert (mine.rows, mine.path != whole.path) == (4, True)
    assert lake.locate(UMA, "demo", "staff").path == mine.path
    behalf = Principal(id="policy:drift", name="pipeline churn", kind="system")
    assert lake.locate(behalf, "demo", "staff").rows == 4
    assert lake.locate(SYSTEM, "demo", "staff").rows == 8
    with pytest.raises(Forbidden):
        lake.locate(EVE, "demo", "staff")
    assert any(going.kind == "copy" for going in lake.going())


def test_work_that_is_let_off_lets_off_neither_recipients_nor_accounts_that_are_gone(staff):
    put(staff, "mail", columns=["mail"], mask="full", exempt=["system"])
    lake, behalf = staff.lake, Principal(id="policy:drift", name="pipeline churn", kind="system")
    assert lake.locate(behalf, "demo", "staff").path == str(lake.table_path("demo", "staff"))
    with staff.rooms.get(Database).read() as conn:
        row = dataset_row(conn, "demo", "staff")
        assert lake.policy_of(conn, RECIPIENT, row)["masks"].keys() == {"mail"}
        gone = Principal(id="no-account-any-more", name="Ann", kind="system")
        with pytest.raises(Unauthenticated):
            lake.policy_of(conn, gone, row)
    put(staff, "mail", columns=["mail"], mask="full", exempt=["recipient"])
    with staff.rooms.get(Database).read() as conn:
        assert lake.policy_of(conn, RECIPIENT, dataset_row(conn, "demo", "staff")) is None


def test_whoever_looks_at_jobs_is_not_told_what_is_in_the_data(staff):
    jobs, lake = staff.rooms.get(Jobs), staff.lake
    lake.create_dataset(ANN, CreateDataset(workspace="demo", name="Copy"))
    many = "select a.* from staff a, staff b, staff c"  # so many that a rule tells which regions there may be
    made = staff.done(lake.make_version(ANN, MakeVersion(workspace="demo", dataset="copy", sql=many)))
    assert "'EU'" in str(made.result)
    listed = jobs.list_jobs(EVE, ListJobs(workspace="demo")).items
    assert {job.kind for job in listed} >= {"collector.collect", "lake.make_version"}
    for job in listed:
        one = {"workspace": "demo", "job": job.id}
        shown = [job, jobs.get_job(EVE, GetJob(**one)), jobs.wait_job(EVE, WaitJob(**one))]
        assert not any("'EU'" in str([each.payload, each.result]) for each in shown)


def made(data, name, sql):
    data.lake.create_dataset(ANN, CreateDataset(workspace="demo", name=name))
    data.done(data.lake.make_version(ANN, MakeVersion(workspace="demo", dataset=name, sql=sql)))
    data.rooms.until(lambda: data.lake.newest_of("demo", name))


def test_decimals_are_filtered_rounded_and_counted(staff):
    made(staff, "paid", "select id, (pay / 100)::decimal(10, 2) as pay from staff")
    made(staff, "none", "from paid where id > 100")
    for dataset in ("paid", "none"):
        where = {"workspace": "demo", "dataset": dataset}
        staff.lake.set_policy(ANN, SetPolicy(**where, policy="low", filter="pay < 10.05"))
        staff.lake.set_policy(ANN, SetPolicy(**where, policy="pay", columns=["pay"], mask="round", step="10"))
    assert [float(pay) for (pay,) in ask(staff, "select pay from paid")] == [10, 10, 10, 10]
    assert ask(staff, "select pay from none") == []


def test_a_version_made_of_a_query_holds_what_its_author_sees(staff):
    put(staff, "eu-only", filter="region = 'EU'", applies_to=["user:mia"])
    put(staff, "mail", columns=["mail"], mask="full", applies_to=["user:mia"])
    mia = Principal(id="mia", name="Mia", kind="user", grants=ANN.grants)
    staff.lake.create_dataset(ANN, CreateDataset(workspace="demo", name="Copy"))
    job = staff.lake.make_version(mia, MakeVersion(workspace="demo", dataset="copy", sql="select * from Staff"))
    staff.done(job)
    staff.rooms.until(lambda: staff.lake.newest_of("demo", "copy"))
    assert ask(staff, "select count(*), min(mail), min(region) from copy", ANN) == [[4, "•••", "EU"]]


def test_a_version_that_waited_is_not_made_of_what_its_author_may_not_see_any_more(staff):
    """Rows are laid out when a job is asked for; one that runs later, or is begun again, does not get round a policy."""
    staff.lake.create_dataset(ANN, CreateDataset(workspace="demo", name="Copy"))
    make = MakeVersion(workspace="demo", dataset="copy", sql="select id, mail from staff")
    waiting, jobs = staff.lake.make_version(ANN, make), staff.rooms.get(Jobs)
    put(staff, "no-mail", columns=["mail"], mask="full", applies_to=["user:ann"])
    staff.rooms.until(lambda: jobs.job("demo", waiting.id).has_ended)
    ended = jobs.job("demo", waiting.id)
    assert (ended.state, ended.error["code"]) == ("FAILED", "conflict")
    assert "were changed after it was asked for" in ended.error["detail"]
    staff.done(staff.lake.make_version(ANN, make))
    assert ask(staff, "select distinct mail from copy") == [["•••"]]


def test_tokens_are_stable_within_a_workspace_and_their_secret_is_sealed(staff):
    put(staff, "mail", columns=["mail"], mask="token")
    first = ask(staff, "select mail from staff where id = 1")
    assert first == ask(staff, "select mail from staff where id = 1")
    with staff.rooms.get(Database).read() as conn:
        sealed = conn.execute(select(token_keys.c.sealed)).scalar_one()
        log = str(conn.execute(select(audit_log)).all()) + str(conn.execute(select(events_log)).all())
    key = staff.lake.token_key("demo")
    assert bytes.fromhex(key) not in sealed
    assert key not in log
    assert "lake.policy.set" in log


@pytest.mark.parametrize(
    ("wishes", "field"),
    [
        ({}, "filter"),
        ({"filter": "id > 1", "mask": "full", "columns": ["mail"]}, "filter"),
        ({"mask": "full"}, "columns"),
        ({"columns": ["mail"]}, "filter"),
        ({"mask": "full", "columns": ["nope"]}, "columns"),
        ({"mask": "round", "columns": ["pay"], "step": "-1"}, "step"),
        ({"filter": "id > 1", "applies_to": []}, "applies_to"),
        ({"filter": "id > 1", "exempt": ["ann"]}, "exempt"),
        ({"filter": "id >"}, "filter"),
        ({"filter": "nope = 1"}, "filter"),
        ({"filter": "id in (select id from staff)"}, "filter"),
        ({"filter": "read_text('/etc/passwd') = ''"}, "filter"),
        ({"filter": "getenv('HOME') = ''"}, "filter"),
        ({"filter": "upper(mail)"}, "filter"),
        ({"filter": "caller('secret') = ''"}, "filter"),
    ],
)
def test_a_policy_that_cannot_be_is_refused(staff, wishes, field):
    with pytest.raises(Invalid) as told:
        put(staff, "odd", **wishes)
    assert told.value.field == field


def test_each_caller_gets_what_he_may(staff):
    put(staff, "regions", filter="list_contains(granted(), region)", granted={"user:eve": ["EU"]})
    path = "/api/v1/workspaces/demo/datasets/staff/policies"
    body = {"columns": ["mail"], "mask": "null"}
    with staff.http() as client:
        for who, read, write in (("nobody", 401, 401), ("stranger", 404, 404), ("eve", 200, 403), ("ann", 200, 200)):
            head = {"x-who": who}
            assert client.get(path, headers=head).status_code == read
            assert client.get(f"{path}/regions", headers=head).status_code == write
            assert client.put(f"{path}/{who}", json=body, headers=head).status_code == write
        assert client.get(path, headers={"x-who": "eve"}).json()[1]["granted"] == {}
        assert client.delete(f"{path}/ann", headers={"x-who": "eve"}).status_code == 403
        assert client.delete(f"{path}/ann").status_code in (200, 204)
    with pytest.raises(NotFound):
        staff.lake.get_policy(ANN, OnePolicy(**D, policy="ann"))
    with pytest.raises(Stale):
        put(staff, "regions", filter="true", expected_version=7)
    with pytest.raises(NotFound):
        staff.lake.list_policies(STRANGER, OneDataset(**D))


def policy(name, **more):
    given = {"filter": "", "columns": [], "mask": None, "keep": 4, "step": "", "applies_to": ["everyone"]}
    given |= {"exempt": [], "granted": {}, "enabled": True, **more}
    times = {"created_at": None, "changed_at": None}
    return Policy(id=name, name=name, workspace="demo", dataset="d", created_by="", version=1, **times, **given)


def test_the_strictest_mask_counts_and_filters_add_up():
    eve = Caller(id="e", name="Eve", kind="user", roles=frozenset({"analyst"}))
    found = decide(
        [
            policy("a", columns=["x"], mask="partial"),
            policy("b", columns=["x", "y"], mask="hide", applies_to=["role:analyst"]),
            policy("c", columns=["y"], mask="token"),
            policy("d", filter="p", exempt=["user:EVE"]),
            policy("e", filter="q"),
            policy("f", filter="r"),
        ],
        eve,
    )
    assert found is not None
    assert {column: mask["mask"] for column, mask in found["masks"].items()} == {"x": "hide", "y": "hide"}
    assert [one["sql"] for one in found["filters"]] == ["q", "r"]
