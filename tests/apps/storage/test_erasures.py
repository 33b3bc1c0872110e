"""Erasures across real rooms: everybody who holds the person forgets, nobody else is touched, and a restore does not bring anybody back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from sqlalchemy import select

from aimass.access import Access, CreateWorkspace, RequestApproval
from aimass.access.domain.people import InviteUser, OneUser
from aimass.apps.storage import Storage
from aimass.apps.storage.domain import AskErasure, Erasure, ListErasures, OneErasure
from aimass.apps.storage.jobs import doctor
from aimass.apps.storage.ledger import Asked, Ledger, seal
from aimass.bootstrap.backup import backup, restore
from aimass.bootstrap.platform import open_platform
from aimass.bootstrap.settings import PlatformSettings
from aimass.cluster import Jobs, SubmitJob
from aimass.gateway.store import put_limit
from aimass.infra.blobs import Blobs
from aimass.infra.compute import child_environment
from aimass.infra.database import Database, metadata
from aimass.infra.events import Dispatcher
from aimass.infra.notify import Mail, Notify
from aimass.infra.search import Document, Search
from aimass.infra.secrets import Secrets
from aimass.kernel.capability import Capabilities, Capability
from aimass.kernel.erasing import Erased, Person
from aimass.kernel.errors import Conflict, Invalid, NotFound, Unavailable
from aimass.kernel.layout import DataDir
from aimass.kernel.principal import SYSTEM, Principal
from aimass.kernel.registry import Registry
from aimass.lake import Lake, OneDataset, PreviewRows
from aimass.lake.commands import DeleteDataset
from aimass.messaging import CreateTopic, Messaging, NewMessage, PublishMessages
from aimass.messaging.domain.topics import ListMessages
from aimass.models import Decide, Models, OneVersion
from aimass.serving import CreateEndpoint, Deploy, Serving
from aimass.serving.store import queries
from tests.fixtures import rooms as rooms_fixture
from tests.fixtures.data import Data
from tests.fixtures.packages import packages, registered
from tests.fixtures.rooms import Rooms
from tests.fixtures.site import ROLES, Site, whole_site

ANN, BOB = "ann@example.org", "bob@example.org"
TEXT = f"id,mail,age\n1,{ANN},30\n2,{BOB},40\n3,cy@example.org,x\n"


on_both = pytest.mark.parametrize(
    "site", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


@pytest.fixture
def site(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    if getattr(request, "param", "sqlite") == "postgres":
        monkeypatch.setenv("AIMASS_DB", request.getfixturevalue("postgres").create())
    with whole_site(tmp_path / "d") as found:
        yield found


@pytest.fixture
def clock(site: Site, monkeypatch: pytest.MonkeyPatch) -> Any:
    found = site.registry.get(Database).clock
    now = [found.now()]
    monkeypatch.setattr(found, "now", lambda: now[0])

    def later(**time: float) -> None:
        now[0] += timedelta(**time)

    return later


def storage(site: Site) -> Storage:
    return site.registry.get(Storage)


def ask(site: Site, *values: str, workspace: str = "demo", **more: Any) -> Erasure:
    return storage(site).ask_erasure(site.root, AskErasure(workspace=workspace, values=list(values), **more))


def get(site: Site, one: Erasure) -> Erasure:
    return storage(site).get_erasure(site.root, OneErasure(workspace=one.workspace, erasure=one.id))


def erase(site: Site, clock: Any, *values: str, **more: Any) -> Erasure:
    """Ask, and carry out both passes."""
    one = ask(site, *values, **more)
    storage(site).erase_due()
    clock(minutes=5)
    storage(site).erase_due()
    return get(site, one)


def data_of(site: Site) -> Data:
    return Data(Rooms(site.folder, (), registry=site.registry))


def holding(site: Site, value: str) -> list[str]:
    """Return what still holds a value: files of the data directory (Parquet decoded), and cells of the database."""
    found: list[str] = []
    for file in site.folder.rglob("*"):
        if file.is_file() and not file.name.startswith("aimass.db"):
            text = file.read_bytes()
            cells = pl.read_parquet(file).write_ndjson() if text[:4] == b"PAR1" else ""
            found += [str(file.relative_to(site.folder))] if value.encode() in text or value in cells else []
    with site.registry.get(Database).read() as conn:
        for table in metadata.sorted_tables:
            found += [table.name for row in conn.execute(select(table)) if value in str(row)]
    return found


def fill(site: Site) -> None:
    """Let every room hold Ann in its own way."""
    data = data_of(site)
    data.collect(TEXT, types={"age": "integer"}, source={"max_reject_rate": 0.5, "keys": ["mail"]})
    messaging = site.registry.get(Messaging)
    messaging.create_topic(site.root, CreateTopic(workspace="demo", topic="orders"))
    wish = PublishMessages(
        workspace="demo",
        topic="orders",
        messages=[
            NewMessage(body={"of": ANN, "street": "Mill Lane 1"}, key=ANN),
            NewMessage(body={"of": BOB}, headers={"about": "nobody"}),
        ],
    )
    messaging.publish(site.root, wish)
    asked = RequestApproval(workspace="demo", subject="x:1", reason=f"May {ANN} see it?", permission="models.approve")
    site.access.request_approval(site.people["editor"], asked)
    logs = site.registry.get(DataDir).logs
    (logs / "control.log").write_text(f'{{"event": "odd row", "mail": "{ANN}"}}\n')


# -- what is erased


@on_both
def test_a_person_is_gone_from_every_room_and_nobody_else_is(site: Site, clock: Any) -> None:
    fill(site)
    assert len(holding(site, ANN)) >= 5
    done = erase(site, clock, ANN)
    assert (done.state, done.left, done.error) == ("DONE", [], "")
    assert done.erased["rows of datasets"] == 1
    assert done.erased["uploaded files"] == 1
    assert done.erased["messages"] == 1
    assert done.erased["approvals"] == 1
    assert holding(site, ANN) == []
    rows = site.registry.get(Lake).preview_rows(SYSTEM, PreviewRows(workspace="demo", dataset="customers")).rows
    assert rows == [[2, BOB, 40]]
    page = site.registry.get(Messaging).list_messages(site.root, ListMessages(workspace="demo", topic="orders"))
    assert [message.body for message in page.items] == [None, {"of": BOB}]
    assert page.items[0].headers == {"aimass-erased": done.id}


@on_both
def test_an_account_goes_with_its_limits_its_letters_and_its_signature(site: Site, clock: Any) -> None:
    site.access.invite_user(site.root, InviteUser(name=ANN, email=ANN))
    notify, eve = site.registry.get(Notify), Principal(id="u9", name=ANN, kind="user")
    with site.registry.get(Database).change(eve, "demo") as change:
        put_limit(change, ANN, 5.0)
        put_limit(change, "shop", 5.0)
        notify.post(change, Mail(to=ANN, subject="Your key", text="ends soon"))
        notify.post(change, Mail(to=BOB, subject="Your key", text="ends soon"))
    done = erase(site, clock, ANN, workspace="*")
    expected = {"accounts": 1, "limits of consumers": 1, "letters and calls": 1, "names of authors": 1}
    assert {name: done.erased.get(name) for name in expected} == expected, done.erased
    assert sorted((one.state, one.error) for one in notify.list("demo")) == [("given_up", "erased"), ("waiting", "")]
    assert holding(site, ANN) == []


def _told(site: Site) -> list[Erasure]:
    """Deliver what happened, and return the erasures of the platform."""
    while site.registry.get(Dispatcher).run_once():
        pass
    return storage(site).list_erasures(site.root, ListErasures(workspace="*")).items


@on_both
def test_an_account_that_is_erased_among_the_people_does_not_come_back_by_a_restore(
    site: Site, clock: Any, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    site.access.invite_user(site.root, InviteUser(name=ANN, email=ANN))
    user = site.access.get_user(site.root, OneUser(user=ANN))
    settings = site.registry.get(PlatformSettings)
    site.access.seal_audit(sign_now=True)
    backup(settings, tmp_path / "b", lambda *_: None)
    assert site.visitor("root").do("DELETE", f"/settings/users/{user.id}").status_code < 300
    (one,) = _told(site)
    assert (one.origin, one.by_name, one.erased) == ("account", "root", {"accounts": 1})
    storage(site).erase_due()
    clock(minutes=5)
    storage(site).erase_due()
    assert (get(site, one).state, get(site, one).erased) == ("DONE", {"accounts": 1})
    url = request.getfixturevalue("postgres").create() if settings.database else ""
    again = replace(settings, data_dir=tmp_path / "again", database=url)
    assert restore(tmp_path / "b", again, lambda *_: None, site.folder).erasures == 1
    with closing(open_platform(again)) as platform:
        found = platform.registry.get(Access).get_user(SYSTEM, OneUser(user=user.id))
        assert (found.name, found.email) == (f"erased-{user.id.lower()}", None)
        while platform.registry.get(Dispatcher).run_once():
            pass
        kept = platform.registry.get(Storage).list_erasures(SYSTEM, ListErasures(workspace="*")).items
        assert [erasure.id for erasure in kept] == [one.id], "the same account is not noted twice"


def test_an_erasure_that_found_an_account_by_its_name_keeps_its_id_too(site: Site, clock: Any) -> None:
    """Called otherwise in an older backup, it is found there all the same; and no data is searched for an id."""
    site.access.invite_user(site.root, InviteUser(name=ANN))
    erase(site, clock, ANN, workspace="*")
    assert sorted(one.origin for one in _told(site)) == ["account", "person"]


def test_the_bytes_of_the_database_are_overwritten(site: Site, clock: Any) -> None:
    if not site.registry.get(Database).is_sqlite:
        pytest.skip("PostgreSQL overwrites by its own vacuum")
    fill(site)
    erase(site, clock, ANN)
    for name in ("aimass.db", "aimass.db-wal"):
        path = site.folder / name
        assert not path.exists() or ANN.encode() not in path.read_bytes(), name


@on_both
def test_an_erasure_in_one_workspace_leaves_the_others_alone(site: Site, clock: Any) -> None:
    fill(site)
    before = holding(site, ANN)
    site.access.create_workspace(site.root, CreateWorkspace(name="Other"))
    assert erase(site, clock, ANN, workspace="other").erased == {"logs": 1}, "logs belong to nobody"
    assert set(before) - set(holding(site, ANN)) == {"logs/control.log"}


def test_what_was_asked_for_stands_nowhere_in_clear(site: Site) -> None:
    one = ask(site, ANN, column="mail")
    assert holding(site, ANN) == []
    assert (one.by_name, one.values if hasattr(one, "values") else None) == ("root", None)
    with site.registry.get(Database).read() as conn:
        rows = conn.execute(select(metadata.tables["audit_log"])).all()
    (entry,) = [row for row in rows if row.action == "storage.erasure.ask"]
    assert (entry.actor, entry.object, entry.detail) == ("root", f"erasure:{one.id}", {"values": 1, "column": "mail"})


def test_samples_of_a_package_go_and_whoever_names_it_names_the_new_one(site: Site, clock: Any) -> None:
    models, serving = site.registry.get(Models), site.registry.get(Serving)
    version = registered(models, site.root, "churn", packages()["one"])
    one = OneVersion(workspace="demo", model="churn", number=version.number)
    review = models.submit_review(site.root, one)
    checks = [replace(check, passed=True, evidence="replayed") for check in review.checks]
    models.note_checks(SYSTEM, "demo", review.id, checks)
    models.approve(
        site.people["reviewer"], Decide(workspace="demo", model="churn", number=version.number, comment="good")
    )
    serving.create_endpoint(site.root, CreateEndpoint(workspace="demo", name="churn"))
    serving.deploy(site.root, Deploy(workspace="demo", endpoint="churn", model="churn", model_version=version.number))
    serving.reconciler.run_once()
    folder = models.materialise(version)
    before = models.package_manifest(version.digest)
    new = models.drop_samples(version.digest, [0, 1], Person(erasure="01E", values=("someone",)))
    done = erase(site, clock, "someone-else")
    found = models.get_version(site.root, OneVersion(workspace="demo", model="churn", number=version.number))
    assert found.digest == new == models.successor(version.digest)
    samples = models.materialise(found).joinpath("samples.json").read_text()
    assert folder.joinpath("samples.json").read_text() == samples, "the place that others know has the new one"
    assert models.package_manifest(new).files["model.onnx"] == before.files["model.onnx"]
    with site.registry.get(Database).read() as conn:
        assert queries.digests(conn) == [new]
    assert not site.registry.get(Blobs).exists(version.digest)
    assert done.state == "DONE"


def test_a_model_that_learned_the_value_is_named(site: Site, clock: Any) -> None:
    registered(site.registry.get(Models), SYSTEM, "churn", packages()["one"])
    done = erase(site, clock, "basic")
    assert done.state == "INCOMPLETE"
    assert done.left == ["churn version 1 knows it as a category of input 'c0': train it again without that column"]
    assert done.erased["samples of models"] > 0


def test_a_column_that_nobody_looked_at_is_named(site: Site, clock: Any) -> None:
    data_of(site).collect("id,note\n1,asked by A-1007\nA-1007,\n", source={"keys": ["id"]}, types={"id": "string"})
    done = erase(site, clock, "A-1007")
    assert done.erased["rows of datasets"] == 1
    assert re.search(r"1 rows of dataset 'customers' mention it in column 'note'", done.left[0])
    again = erase(site, clock, "A-1007", column="note")
    assert (again.state, again.erased["rows of datasets"]) == ("DONE", 1)


def test_what_has_not_ended_is_asked_again_later(site: Site, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms_fixture, "child_environment", child_environment)
    jobs = site.registry.get(Jobs)
    wish = SubmitJob(workspace="demo", kind="lake.upkeep", title=f"Look for {ANN}", payload={"path": "x", "of": ANN})
    job = jobs.submit(SYSTEM, wish)
    one = erase(site, clock, ANN)
    assert (one.state, one.later) == ("SETTLING", [f"job {job.id} works with it and has not ended"])
    rooms = Rooms(site.folder, (), registry=site.registry)
    rooms.until(lambda: jobs.job("demo", job.id).has_ended)
    clock(minutes=11)
    storage(site).erase_due()
    assert (get(site, one).state, get(site, one).later) == ("DONE", [])
    assert jobs.job("demo", job.id).payload["of"] == "[erased]"
    assert holding(site, ANN) == []


def test_the_search_forgets_and_finds_the_thing_by_its_new_words(site: Site, clock: Any) -> None:
    search = site.registry.get(Search)
    told = {"key": "job:none", "kind": "job", "text": ANN, "href": "/", "permission": "cluster.read"}
    search.put([Document(workspace="demo", title=f"Look for {ANN}", **told)])
    assert search.find(SYSTEM, ANN)
    assert erase(site, clock, ANN).erased["findings of the search"] == 1
    assert search.find(SYSTEM, ANN) == []


# -- how it is carried out


def test_it_looks_twice_because_records_may_be_on_their_way(site: Site, clock: Any) -> None:
    one = ask(site, ANN)
    assert get(site, one).state == "ASKED"
    storage(site).erase_due()
    assert get(site, one).state == "SETTLING"
    storage(site).erase_due()
    assert get(site, one).passes == 1
    fill(site)
    clock(minutes=2)
    storage(site).erase_due()
    assert (get(site, one).state, get(site, one).passes) == ("DONE", 2)
    assert holding(site, ANN) == []


broken: list[bool] = []


def odd(registry: Registry, person: Person) -> list[Erased]:
    if broken:
        raise RuntimeError("with " + person.values[0])
    return [Erased(what="events", count=1)]


def test_a_room_that_fails_is_asked_again_and_tells_no_value(site: Site, clock: Any) -> None:
    found = site.registry.get(Capabilities)
    more = Capability(name="odd", title="Odd", erase=f"{__name__}:odd")
    site.registry.put(Capabilities, Capabilities([more, *found]))
    broken.append(True)
    one = erase(site, clock, ANN)
    assert (one.state, one.error) == ("RUNNING", "odd: RuntimeError")
    broken.clear()
    clock(minutes=5)
    storage(site).erase_due()
    clock(minutes=5)
    storage(site).erase_due()
    assert (get(site, one).state, get(site, one).erased) == ("DONE", {"events": 1})


@on_both
def test_it_goes_on_after_a_kill(site: Site, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(site)
    one = ask(site, ANN)
    with monkeypatch.context() as patch:
        patch.setattr(Storage, "_note", lambda *_, **__: (_ for _ in ()).throw(ConnectionResetError))
        with pytest.raises(ConnectionResetError):
            storage(site).erase_due()
    assert get(site, one).state == "ASKED"
    storage(site).erase_due()
    clock(minutes=5)
    storage(site).erase_due()
    assert get(site, one).state == "DONE"
    assert holding(site, ANN) == []


def test_it_can_be_repeated_with_what_the_ledger_has(site: Site, clock: Any) -> None:
    one = ask(site, ANN)
    with pytest.raises(Conflict, match="under way"):
        storage(site).repeat_erasure(site.root, OneErasure(workspace="demo", erasure=one.id))
    storage(site).erase_due()
    clock(minutes=5)
    storage(site).erase_due()
    fill(site)
    storage(site).repeat_erasure(site.root, OneErasure(workspace="demo", erasure=one.id))
    storage(site).erase_due()
    clock(minutes=5)
    storage(site).erase_due()
    assert (get(site, one).state, holding(site, ANN)) == ("DONE", [])


# -- what a restore must not forget


@on_both
def test_what_the_ledger_has_and_the_database_does_not_is_carried_out(site: Site, clock: Any) -> None:
    fill(site)
    ledger = Ledger(site.registry.get(DataDir).erasures)
    sealed = seal(site.registry.get(Secrets), "01NEWER", [ANN])
    at = site.registry.get(Database).clock.now()
    asked = Asked(id="01NEWER", workspace="demo", column=None, by="u1", by_name="eve", asked_at=at, sealed=sealed)
    ledger.add([asked])
    storage(site).erase_due()
    clock(minutes=5)
    storage(site).erase_due()
    found = storage(site).get_erasure(site.root, OneErasure(workspace="demo", erasure="01NEWER"))
    assert (found.state, found.origin, found.by_name) == ("DONE", "restore", "eve")
    assert holding(site, ANN) == []
    assert storage(site).erase_due() == 0, "it is carried out once"


def test_an_erasure_that_was_asked_for_before_the_ledger_had_it_gets_there(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "add", lambda *_: (_ for _ in ()).throw(OSError("the disk is full")))
        with pytest.raises(OSError, match="full"):
            ask(site, ANN)
    storage(site).erase_due()
    (one,) = storage(site).list_erasures(site.root, ListErasures(workspace="demo")).items
    assert [asked.id for asked in Ledger(site.registry.get(DataDir).erasures).entries()] == [one.id]


# -- who may, and bad input


def test_odd_values_are_refused(site: Site) -> None:
    for values in ([], [""], [" ann"], ["x" * 301], ["a"] * 101):
        with pytest.raises(Invalid):
            AskErasure(workspace="demo", values=values)
    with pytest.raises(NotFound):
        storage(site).get_erasure(site.root, OneErasure(workspace="demo", erasure="none"))


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with whole_site(tmp_path_factory.mktemp("site")) as found:
        ask(found, ANN)
        yield found


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("workspace", ["demo", "*"])
def test_each_kind_of_caller_gets_its_answer(busy: Site, method: str, workspace: str) -> None:
    def send(name: str | None) -> int:
        headers = {"accept": "application/json"} | ({"authorization": f"Bearer {busy.token(name)}"} if name else {})
        body = {"json": {"values": [BOB]}} if method == "POST" else {}
        path = f"/api/v1/workspaces/{workspace}/erasures"
        return busy.visitor().client.request(method, path, headers=headers, **body).status_code

    well = 201 if method == "POST" else 200
    here = workspace == "demo"
    expected: dict[str | None, int] = {None: 401, "stranger": 404 if here else 403, "root": well}
    expected |= {role: well if role == "admin" and here else 403 for role in ROLES}
    assert {name: send(name) for name in expected} == expected


def test_a_dataset_of_a_deleted_source_is_searched_too(site: Site, clock: Any) -> None:
    fill(site)
    lake = site.registry.get(Lake)
    lake.delete_dataset(site.root, DeleteDataset(workspace="demo", dataset="customers"))
    assert erase(site, clock, ANN).erased["rows of datasets"] == 1
    lake.restore_dataset(site.root, OneDataset(workspace="demo", dataset="customers"))
    assert holding(site, ANN) == []


def test_the_doctor_says_when_an_erasure_could_not_be_carried_out_again(site: Site, clock: Any) -> None:
    one = erase(site, clock, ANN)
    assert [(found.is_good, found.detail) for found in doctor(site.registry)] == [(True, "1 are kept for a restore")]
    site.registry.get(DataDir).erasures.unlink()
    (found,) = doctor(site.registry)
    assert (found.is_good, found.detail) == (False, f"erasures.ndjson lacks erasure {one.id}")


def test_a_ledger_that_cannot_be_written_keeps_nobody_from_erasing(site: Site, clock: Any) -> None:
    fill(site)
    ledger = site.registry.get(DataDir).erasures
    ledger.unlink(missing_ok=True)
    ledger.mkdir()
    with pytest.raises(Unavailable, match="the list of erasures cannot be written"):
        ask(site, ANN)
    for _ in range(2):
        storage(site).erase_due()
        clock(minutes=5)
    (one,) = storage(site).list_erasures(site.root, ListErasures(workspace="demo")).items
    assert (one.state, holding(site, ANN)) == ("DONE", [])
