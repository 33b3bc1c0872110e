"""Shares and recipients through their front doors, and the protocol Delta Sharing as a client speaks it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from shutil import rmtree
from typing import Any

import polars as pl
import pytest
from sqlalchemy import select

from aimass.access import CAPABILITY as ACCESS
from aimass.cluster import CAPABILITY as CLUSTER
from aimass.collector import CAPABILITY as COLLECTOR
from aimass.infra.database import Database, audit_log
from aimass.kernel.errors import Conflict, Invalid, NotFound
from aimass.kernel.ids import new_id
from aimass.lake import CAPABILITY as LAKE
from aimass.lake import Lake
from aimass.lake.history import MergeRows
from aimass.lake.policies import SetPolicy
from aimass.lake.sharing import (
    CreateRecipient,
    CreateShare,
    OneRecipient,
    OneShare,
    RotateRecipient,
    ShareDataset,
    UnshareTable,
)
from aimass.protocols.deltasharing import CAPABILITY as DELTA_SHARING
from aimass.training.children.sources import Source, read_rows
from tests.fixtures.browser import axe_violations, browser, new_page, picture, serving, settle  # noqa: F401
from tests.fixtures.data import ANN, Data
from tests.fixtures.rooms import Rooms
from tests.fixtures.site import Site, site_of, unnamed_actions
from tests.fixtures.stored import grant_of, stored

ROWS = "id,city,age\n1,Kiel,30\n2,Ulm,40\n3,Bonn,50\n"
MAILS = "id,mail\n1,ann@example.org\n2,bob@example.org\n"
API, DS = "/api/v1/workspaces/demo", "/delta-sharing"
TABLE = f"{DS}/shares/partners/schemas/default/tables/customers"
W: dict[str, Any] = {"workspace": "demo"}


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Iterator[Site]:
    with site_of(tmp_path_factory.mktemp("site"), [ACCESS, CLUSTER, LAKE, COLLECTOR, DELTA_SHARING]) as found:
        data = Data(Rooms(found.folder, [], registry=found.registry))
        data.collect(ROWS, source={"keys": ["id"]})
        data.collect(MAILS, "Mails")
        data.collect(ROWS, "Cities", source={"keys": ["id"]})
        lake = data.lake
        lake.create_share(ANN, CreateShare(**W, share="partners"))
        lake.create_share(ANN, CreateShare(**W, share="secret"))
        lake.share_dataset(ANN, ShareDataset(**W, share="partners", dataset="customers", history=True))
        yield found


def lake_of(site: Site) -> Lake:
    return site.registry.get(Lake)


def profile(site: Site, *shares: str, name: str = "") -> dict[str, Any]:
    name = name or f"Partner {new_id()}"
    return lake_of(site).create_recipient(ANN, CreateRecipient(**W, name=name, shares=list(shares))).profile


def client(site: Site, told: dict[str, Any]) -> Any:
    visitor = site.visitor("stranger").client
    visitor.cookies.clear()
    visitor.headers["Authorization"] = f"Bearer {told['bearerToken']}"
    return visitor


def lines(answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def test_a_recipient_lists_what_is_shared_with_it_and_nothing_else(site):
    http = client(site, profile(site, "partners"))
    assert [one["name"] for one in http.get(f"{DS}/shares").json()["items"]] == ["partners"]
    assert http.get(f"{DS}/shares/Partners").json()["share"]["name"] == "partners"
    assert http.get(f"{DS}/shares/partners/schemas").json()["items"] == [{"name": "default", "share": "partners"}]
    for path in ("schemas/default/tables", "all-tables"):
        (table,) = http.get(f"{DS}/shares/partners/{path}").json()["items"]
        assert (table["share"], table["schema"], table["name"]) == ("partners", "default", "customers")
    for path in ("shares/secret", "shares/partners/schemas/none/tables", "shares/secret/all-tables"):
        answer = http.get(f"{DS}/{path}")
        assert (answer.status_code, answer.json()["errorCode"]) == (404, "NOT_FOUND")


def test_lists_come_in_pages(site):
    http = client(site, profile(site, "partners", "secret"))
    first = http.get(f"{DS}/shares?maxResults=1").json()
    second = http.get(f"{DS}/shares?maxResults=1&pageToken={first['nextPageToken']}").json()
    assert [one["name"] for one in (*first["items"], *second["items"])] == ["partners", "secret"]
    assert "nextPageToken" not in second
    assert http.get(f"{DS}/shares?maxResults=many").status_code == 400


def test_a_table_is_read_by_addresses_that_need_no_other_proof(site, tmp_path):
    http = client(site, profile(site, "partners"))
    assert http.head(f"{TABLE}/version").headers["delta-table-version"] == "1"
    protocol, meta = lines(http.get(f"{TABLE}/metadata"))
    assert protocol == {"protocol": {"minReaderVersion": 1}}
    assert [f["name"] for f in json.loads(meta["metaData"]["schemaString"])["fields"]] == ["id", "city", "age"]
    answer = http.post(f"{TABLE}/query", json={"predicateHints": ["age > 1"], "limitHint": 100})
    (entry,) = [line["file"] for line in lines(answer)[2:]]
    assert (answer.headers["delta-table-version"], json.loads(entry["stats"])) == ("1", {"numRecords": 3})
    del http.headers["Authorization"]
    path = entry["url"].partition("/delta-sharing")[2]
    whole = http.get(f"{DS}{path}")
    (tmp_path / "f.parquet").write_bytes(whole.content)
    assert sorted(pl.read_parquet(tmp_path / "f.parquet").rows()) == [(1, "Kiel", 30), (2, "Ulm", 40), (3, "Bonn", 50)]
    part = http.get(f"{DS}{path}", headers={"Range": "bytes=0-3"})
    assert (part.status_code, part.content) == (206, b"PAR1")
    assert http.head(f"{DS}{path}").headers["content-length"] == str(entry["size"])
    assert str(site.folder) not in answer.text
    assert http.get(f"{DS}{path}".replace("/files/", "/files/A")).status_code == 404


@pytest.mark.long
def test_a_table_in_an_object_store_is_read_by_addresses_of_the_platform(object_store, tmp_path):
    with stored(object_store, tmp_path / "lake") as tables:
        grant = grant_of(object_store, tables.root, tables.bucket.place.bucket)
        with site_of(tmp_path, [ACCESS, CLUSTER, LAKE, COLLECTOR, DELTA_SHARING], grant) as site:
            Data(Rooms(tmp_path, [], registry=site.registry)).collect(ROWS, source={"keys": ["id"]})
            lake_of(site).create_share(ANN, CreateShare(**W, share="partners"))
            lake_of(site).share_dataset(ANN, ShareDataset(**W, share="partners", dataset="customers"))
            http = client(site, profile(site, "partners"))
            (entry,) = [line["file"] for line in lines(http.post(f"{TABLE}/query", json={}))[2:]]
            rmtree(tmp_path / "lake" / "demo")
            whole = http.get(DS + entry["url"].partition("/delta-sharing")[2])
            assert len(pl.read_parquet(whole.content)) == 3
            where = lake_of(site).locate(ANN, "demo", "customers")
            rmtree(tmp_path / "lake" / "demo")
            lake_of(site).bring({"dataset": {"path": where.path, "version": where.delta_version}})
            source = Source(path=where.path, version=where.delta_version, target="city")
            assert read_rows(source)["city"].sort().to_list() == ["Bonn", "Kiel", "Ulm"]


def test_an_address_counts_for_an_hour(site, monkeypatch):
    http = client(site, profile(site, "partners"))
    entry = lines(http.post(f"{TABLE}/query", json={}))[2]["file"]
    path = DS + entry["url"].partition("/delta-sharing")[2]
    clock = site.registry.get(Database).clock
    later = clock.now() + timedelta(minutes=61)
    monkeypatch.setattr(type(clock), "now", lambda _: later)
    assert http.get(path).status_code == 404


def fetched(http, entry, folder) -> pl.DataFrame:
    path = folder / f"{entry['id']}.parquet"
    path.write_bytes(http.get(DS + entry["url"].partition("/delta-sharing")[2]).content)
    return pl.read_parquet(path)


def test_a_policy_leaves_recipients_a_filtered_copy_and_ends_older_addresses(site, tmp_path):
    lake, table = lake_of(site), TABLE.replace("partners", "towns").replace("customers", "towns")
    Data(Rooms(site.folder, [], registry=site.registry)).collect(ROWS, "Towns", source={"keys": ["id"]})
    lake.create_share(ANN, CreateShare(**W, share="towns"))
    lake.share_dataset(ANN, ShareDataset(**W, share="towns", dataset="towns", history=True))
    http = client(site, profile(site, "towns"))
    before = lines(http.post(f"{table}/query", json={}))[2]["file"]
    assert fetched(http, before, tmp_path).height == 3
    lake.set_policy(ANN, SetPolicy(**W, dataset="towns", policy="young", filter="age < 45"))
    lake.set_policy(ANN, SetPolicy(**W, dataset="towns", policy="city", columns=["city"], mask="hide"))
    assert http.get(DS + before["url"].partition("/delta-sharing")[2]).status_code == 404
    _, meta, file = lines(http.post(f"{table}/query", json={}))
    assert [f["name"] for f in json.loads(meta["metaData"]["schemaString"])["fields"]] == ["id", "age"]
    assert sorted(fetched(http, file["file"], tmp_path).rows()) == [(1, 30), (2, 40)]


def test_earlier_versions_are_read_where_the_history_is_shared(site):
    lake, path = lake_of(site), TABLE.replace("partners", "past").replace("customers", "cities")
    lake.create_share(ANN, CreateShare(**W, share="past"))
    lake.share_dataset(ANN, ShareDataset(**W, share="past", dataset="cities", history=True))
    lake.merge_rows(ANN, MergeRows(**W, dataset="cities", rows=[{"id": 4, "city": "Jena", "age": 60}]))
    http = client(site, profile(site, "past"))
    rows = [
        sum(
            json.loads(line["file"]["stats"])["numRecords"] for line in lines(http.post(f"{path}/query", json=body))[2:]
        )
        for body in ({}, {"version": 1}, {"timestamp": "2099-01-01T00:00:00Z"})
    ]
    assert rows == [4, 3, 4]
    assert http.post(f"{path}/query", json={"version": 9}).status_code == 404
    assert http.post(f"{path}/query", json={"version": "new"}).status_code == 400
    assert http.get(f"{path}/changes?startingVersion=1").json()["errorCode"] == "INVALID"
    lake.unshare_table(ANN, UnshareTable(**W, share="past", namespace="default", name="cities"))
    assert http.post(f"{path}/query", json={}).status_code == 404
    lake.share_dataset(ANN, ShareDataset(**W, share="past", dataset="cities"))
    assert http.post(f"{path}/query", json={"version": 1}).status_code == 403


def test_a_token_ends_is_rotated_with_grace_and_revoked(site, monkeypatch):
    lake, old = lake_of(site), profile(site, "partners", name="Partner Ltd")
    one = OneRecipient(**W, recipient="partner-ltd")
    assert client(site, old).get(f"{DS}/shares").status_code == 200
    new = lake.rotate_recipient(ANN, RotateRecipient(**W, recipient="partner-ltd", grace_hours=1)).profile
    assert [client(site, told).get(f"{DS}/shares").status_code for told in (old, new)] == [200, 200]
    clock = site.registry.get(Database).clock
    later = clock.now() + timedelta(hours=2)
    monkeypatch.setattr(type(clock), "now", lambda _: later)
    assert [client(site, told).get(f"{DS}/shares").status_code for told in (old, new)] == [401, 200]
    lake.revoke_recipient(ANN, one)
    answer = client(site, new).get(f"{DS}/shares")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    fresh = lake.rotate_recipient(ANN, RotateRecipient(**W, recipient="partner-ltd", days=1)).profile
    assert client(site, fresh).get(f"{DS}/shares").status_code == 200
    end = later + timedelta(days=1)
    monkeypatch.setattr(type(clock), "now", lambda _: end)
    assert client(site, fresh).get(f"{DS}/shares").status_code == 401
    assert client(site, {"bearerToken": "ads_none"}).get(f"{DS}/shares").status_code == 401


def test_every_read_is_in_the_audit_log_and_no_token_is(site):
    told = profile(site, "partners", name="Reader")
    lines(client(site, told).post(f"{TABLE}/query", json={}))
    with site.registry.get(Database).read() as conn:
        rows = conn.execute(select(audit_log).where(audit_log.c.action == "lake.share.read")).all()
        everything = str(conn.execute(select(audit_log)).all())
    told_of = [(row.object, row.detail["share"], row.detail["files"]) for row in rows if row.actor == "Reader"]
    assert told_of == [("dataset:customers", "partners", 1)]
    assert told["bearerToken"] not in everything


def test_personal_data_goes_only_where_somebody_said_so(site):
    lake_of(site).create_share(ANN, CreateShare(**W, share="letters"))
    wish = {**W, "share": "letters", "dataset": "mails"}
    with pytest.raises(Conflict, match="personal data"):
        lake_of(site).share_dataset(ANN, ShareDataset(**wish))
    made = lake_of(site).share_dataset(ANN, ShareDataset(**wish, personal=True))
    assert [table.personal for table in made.tables] == [True]


@pytest.mark.parametrize(
    ("wish", "error"),
    [
        (lambda lake: lake.create_share(ANN, CreateShare(**W, share="partners")), Conflict),
        (lambda lake: lake.create_share(ANN, CreateShare(**W, share="No Slug")), Invalid),
        (lambda lake: lake.share_dataset(ANN, ShareDataset(**W, share="partners", dataset="customers")), Conflict),
        (lambda lake: lake.share_dataset(ANN, ShareDataset(**W, share="partners", dataset="none")), NotFound),
        (lambda lake: lake.delete_share(ANN, OneShare(**W, share="none")), NotFound),
        (lambda lake: lake.create_recipient(ANN, CreateRecipient(**W, name="X", shares=["none"])), NotFound),
        (lambda lake: lake.revoke_recipient(ANN, OneRecipient(**W, recipient="none")), NotFound),
    ],
)
def test_what_cannot_be_is_refused(site, wish, error):
    with pytest.raises(error):
        wish(lake_of(site))


CASES = [
    ("GET", f"{API}/shares", None, (401, 404, 200, 200)),
    ("POST", f"{API}/shares", {"share": "more"}, (401, 404, 403, 201)),
    ("POST", f"{API}/shares/secret/tables", {"dataset": "customers"}, (401, 404, 403, 200)),
    ("GET", f"{API}/recipients", None, (401, 404, 403, 200)),
    ("POST", f"{API}/recipients", {"name": "New", "shares": ["partners"]}, (401, 404, 403, 201)),
]


def test_who_may_do_what_over_http(site):
    with Data(Rooms(site.folder, [], registry=site.registry)).http() as http:
        for method, path, body, statuses in CASES:
            for who, status in zip(("nobody", "stranger", "eve", "ann"), statuses, strict=True):
                answer = http.request(method, path, json=body, headers={"x-who": who})
                assert answer.status_code == status, (who, method, path, answer.text)


def test_the_page_shows_shares_and_recipients_and_tells_a_profile_once(site, browser):
    admin = site.visitor("admin")
    made = admin.do("POST", "/demo/recipients", name="Page Ltd", shares="partners")
    assert "ads_" in made.text
    text = admin.open("/demo/sharing").text
    assert all(word in text for word in ("partners.default.customers", "Page Ltd", "all"))
    assert "ads_" not in text
    assert unnamed_actions(text, site.cases()) == []
    seen = site.visitor("viewer").open("/demo/sharing").text
    assert ("Page Ltd" in seen, "data-operation" in seen) == (False, False)
    assert admin.do("POST", "/demo/sharing/secret/tables", dataset="mails").status_code == 409
    for method, path in (
        ("POST", "recipients/page-ltd/revoke"),
        ("DELETE", "recipients/page-ltd"),
        ("DELETE", "sharing/secret"),
    ):
        assert admin.do(method, f"/demo/{path}").status_code in (200, 204)
    found: dict[str, list[str]] = {}
    admin.do("POST", "/demo/recipients", name="Page Ltd", shares="partners")
    for language, theme in (("en", "light"), ("zh", "dark")):
        visit = {"language": language, "theme": theme, "cookies": site.cookies("root")}
        with serving(site.app) as url, new_page(browser, **visit, url=url) as page:
            page.goto(f"{url}/demo/sharing")
            settle(page)
            picture(page, f"sharing-{language}")
            found[language] = axe_violations(page)
    assert found == {"en": [], "zh": []}
