"""Rows that are pushed: by whom, signed how, stored once, collected by themselves, and gone with a person."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import hmac
import random
import shutil
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from fastapi.testclient import TestClient

from aimass.client import AsyncClient, Client
from aimass.collector import CollectStreams, ListCollections, OneSource, StreamWish
from aimass.collector.commands import ChangeReading, LoadedColumn, SetHook
from aimass.collector.connectors.push.spool import Full
from aimass.collector.jobs import erase, follow, on_workspace_purged
from aimass.collector.keeping import collect, storage
from aimass.collector.specs import SOURCE
from aimass.collector.store.hooks import hook_at
from aimass.kernel.erasing import Person
from aimass.kernel.errors import Conflict, Invalid, NotFound, TooMany
from aimass.kernel.events import Event
from tests.fixtures.browser import serving
from tests.fixtures.collecting import collect_and_kill
from tests.fixtures.data import ANN, Data, data_rooms

SOURCES = "/api/v1/workspaces/demo/sources"
SECRET = "correct-horse-battery"
COLUMNS = [LoadedColumn(name="n", type="integer"), LoadedColumn(name="name", type="string")]


@pytest.fixture(scope="module")
def platform(tmp_path_factory) -> Iterator[Data]:
    with data_rooms(tmp_path_factory.mktemp("pushed")) as found:
        found.connect("Inbox", "push")
        yield found


@pytest.fixture(scope="module")
def http(platform) -> Iterator[TestClient]:
    with platform.http() as client:
        yield client


@pytest.fixture
def quiet(data) -> Iterator[tuple[Data, TestClient]]:
    """A platform on which nothing else waits."""
    data.connect("Inbox", "push")
    with data.http() as client:
        yield data, client


def make(platform: Data, name: str, *, columns: Any = COLUMNS, **more: Any) -> Any:
    wish = StreamWish(stream=name, columns=columns, stream_parameters=more.pop("parameters", {}))
    command = CollectStreams(workspace="demo", connection="inbox", streams=[wish], **more)
    return platform.collector.collect_streams(ANN, command)[0]


def hooked(platform: Data, name: str, scheme: Any, **more: Any) -> tuple[str, str]:
    """Make a source that takes webhooks; return its path and its secret."""
    source = make(platform, name, **more)
    secret = None if scheme == "standard" else SECRET
    made = platform.collector.set_hook(ANN, SetHook(workspace="demo", source=source.slug, scheme=scheme, secret=secret))
    return "/hooks/" + made.hook.rpartition("/")[2], made.secret


def waits(platform: Data, source: str) -> int:
    return platform.collector.get_inbox(ANN, OneSource(workspace="demo", source=source)).rows


def digest(secret: bytes | str, message: bytes) -> bytes:
    return hmac.new(secret if isinstance(secret, bytes) else secret.encode(), message, hashlib.sha256).digest()


def github(secret: str, body: bytes, **more: str) -> dict[str, str]:
    return {"X-Hub-Signature-256": f"sha256={digest(secret, body).hex()}", **more}


def stripe(secret: str, body: bytes, at: float) -> dict[str, str]:
    signature = digest(secret, f"{int(at)}.".encode() + body).hex()
    return {"Stripe-Signature": f"t={int(at)},v1={'0' * 64},v1={signature},v0=abc"}


def standard(secret: str, body: bytes, at: float, name: str = "msg_1") -> dict[str, str]:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = base64.b64encode(digest(key, f"{name}.{int(at)}.".encode() + body)).decode()
    told = {"webhook-id": name, "webhook-timestamp": str(int(at))}
    return {**told, "webhook-signature": f"v1a,abc v1,{signature}"}


@pytest.mark.parametrize(("who", "status"), [("", 401), ("stranger", 404), ("eve", 403), ("uma", 202), ("ann", 202)])
def test_who_may_push(platform, http, who, status):
    source = make(platform, f"from {who or 'nobody'}")
    answer = http.post(f"{SOURCES}/{source.slug}/push", content=b'{"n": 1}', headers={"x-who": who})
    assert answer.status_code == status
    assert waits(platform, source.slug) == int(status == 202)


@pytest.mark.parametrize(("who", "status"), [("", 401), ("stranger", 404), ("eve", 403), ("uma", 403), ("ann", 201)])
def test_who_may_set_the_secret_of_a_webhook(platform, http, who, status):
    source = make(platform, f"hook of {who or 'nobody'}")
    answer = http.post(f"{SOURCES}/{source.slug}/hook", json={"scheme": "github"}, headers={"x-who": who})
    assert answer.status_code == status
    seen = http.get(f"{SOURCES}/{source.slug}/inbox", headers={"x-who": "eve"})
    assert (seen.status_code, "secret" in seen.json()) == (200, False)
    assert bool(seen.json()["hook"]) == (status == 201)
    again = http.delete(f"{SOURCES}/{source.slug}/hook", headers={"x-who": who})
    assert again.status_code == (204 if status == 201 else status)


def test_rows_appear_without_another_click(quiet):
    platform, http = quiet
    source = make(platform, "orders")
    at = f"{SOURCES}/{source.slug}/push"
    assert source.reading["every_s"] == 0.0
    assert follow(platform.rooms.registry) == 0, "nothing waits, so nothing begins"
    sent = [
        http.post(at, json=[{"n": 1, "name": "a"}, {"n": "none", "name": "odd"}]),
        http.post(at, content=b'{"n": 2, "name": "b"}\n{"n": 3}\n'),
        http.post(at, content=gzip.compress(b'{"n": 4}'), headers={"content-encoding": "gzip"}),
    ]
    assert [one.status_code for one in sent] == [202] * 3
    assert [one.json()["rows"] for one in sent] == [2, 2, 1]
    assert len({one.json()["id"] for one in sent}) == 3
    told = http.get(f"{SOURCES}/{source.slug}/inbox").json()
    assert (told["rows"], told["is_counted"], bool(told["received_at"])) == (5, True, True)
    assert follow(platform.rooms.registry) == 1
    (begun,) = platform.collector.list_collections(ANN, ListCollections(workspace="demo", source="orders")).items
    ended = platform.ended(begun)
    assert (ended.rows, ended.quarantined) == (4, 1)
    assert sorted(platform.rows("orders")["n"].to_list()) == [1, 2, 3, 4]
    assert waits(platform, "orders") == 0
    folder = platform.collector._ground.inboxes.folder(source)
    assert list(folder.glob("*.seg")) == [], "what is in the dataset does not stay beside it"


def test_a_source_without_columns_takes_what_comes_with_moment_and_name(platform, http):
    make(platform, "anything", columns=[])
    receipt = http.post(f"{SOURCES}/anything/push", json={"id": 7, "who": {"name": "x"}}).json()
    assert platform.load("anything").state == "SUCCEEDED"
    (row,) = platform.rows("anything").to_dicts()
    assert (row["id"], row["who"], row["_push"]) == (7, '{"name":"x"}', receipt["id"])
    assert row["_received"] is not None


def test_columns_of_any_name_land(platform, http):
    make(platform, "odd names")
    row = {"N": 2, "a.b": 3, "x\ny": 4, "k" * 300: 5, "\u202e": 6, "c\0": 7, "_rest": 8, 'q"`': 9}
    assert http.post(f"{SOURCES}/odd-names/push", json=[{"n": 1, **row}, {"n": 2}]).status_code == 202
    ended = platform.load("odd-names")
    assert (ended.state, ended.rows) == ("SUCCEEDED", 2), ended
    assert platform.rows("odd-names")["n"].to_list() == [1, 2]


def test_the_same_key_again_is_answered_as_before_and_stored_once(platform, http):
    make(platform, "keyed")
    at, key = f"{SOURCES}/keyed/push", {"Idempotency-Key": "delivery 1"}
    first = http.post(at, json={"n": 1}, headers=key).json()
    again = http.post(at, json={"n": 1}, headers=key)
    assert again.json() == {**first, "repeated": True}
    assert platform.load("keyed").rows == 1
    assert http.post(at, json={"n": 1}, headers=key).json()["repeated"], "also when it is in the dataset"
    assert http.post(at, json={"n": 2}, headers=key).status_code == 409
    assert http.post(at, json={"n": 2}, headers={"Idempotency-Key": "x" * 256}).status_code == 400
    assert waits(platform, "keyed") == 0


def test_what_cannot_be_taken_is_said_and_nothing_is_stored(platform, http, monkeypatch):
    make(platform, "limits")
    at = f"{SOURCES}/limits/push"
    monkeypatch.setenv("AIMASS_COLLECTOR_MAX_PUSH_BYTES", "2000")
    assert http.post(at, content=b"x" * 2001).status_code == 413
    bomb = gzip.compress(b'{"n": 1}\n' * 1000)
    assert http.post(at, content=bomb, headers={"content-encoding": "gzip"}).status_code == 413
    assert http.post(at, content=b"oops").json()["field"] == "body"
    assert waits(platform, "limits") == 0
    platform.source("Files")
    assert http.post(f"{SOURCES}/files/push", json={}).status_code == 409
    assert http.post(f"{SOURCES}/nowhere/push", json={}).status_code == 404


def test_a_full_inbox_is_refused_with_429_until_it_is_collected(platform, http, monkeypatch):
    monkeypatch.setenv("AIMASS_COLLECTOR_MAX_INBOX_BYTES", "2000")
    make(platform, "narrow")
    at = f"{SOURCES}/narrow/push"
    answers = [http.post(at, json={"n": n}) for n in range(60)]
    taken = [one for one in answers if one.status_code == 202]
    refused = answers[-1]
    assert (refused.status_code, refused.headers["retry-after"], refused.json()["code"]) == (429, "5", "too_many")
    assert 0 < len(taken) < 60
    assert platform.load("narrow").rows == len(taken)
    assert http.post(at, json={"n": 60}).status_code == 202


def test_a_signature_like_that_of_github(platform, http):
    at, secret = hooked(platform, "commits", "github")
    body = b'{"n": 1, "name": "push"}'
    for headers, sent in [
        ({}, body),
        (github("another secret", body), body),
        (github(secret, body), body + b" "),
        ({"X-Hub-Signature-256": "sha256=zz"}, body),
        ({"X-Hub-Signature-256": "sha256="}, body),
    ]:
        answer = http.post(at, content=sent, headers=headers)
        assert answer.status_code == 401
        assert secret not in answer.text
        assert digest(secret, sent).hex() not in answer.text
    assert waits(platform, "commits") == 0
    good = github(secret, body, **{"X-GitHub-Delivery": "d-1"})
    first, again = http.post(at, content=body, headers=good), http.post(at, content=body, headers=good)
    assert (first.status_code, first.json()["repeated"], again.json()["repeated"]) == (202, False, True)
    assert waits(platform, "commits") == 1
    large = b"x" * (16 * 2**20 + 1)
    assert http.post(at, content=large, headers=github(secret, large)).status_code == 413


def test_a_signature_like_that_of_stripe_is_good_for_a_while(platform, http):
    at, secret = hooked(platform, "payments", "stripe", parameters={"tolerance_s": 100})
    body, now = b'{"id": "evt_1", "n": 1}', time.time()
    for moment in (now - 110, now + 110):
        assert http.post(at, content=body, headers=stripe(secret, body, moment)).status_code == 401
    moved = {"Stripe-Signature": stripe(secret, body, now - 110)["Stripe-Signature"].replace("t=", "t=9")}
    assert http.post(at, content=body, headers=moved).status_code == 401
    assert http.post(at, content=body, headers={"Stripe-Signature": "t=x,v1=ab"}).status_code == 401
    assert http.post(at, content=body, headers=stripe(secret, body, now)).json()["rows"] == 1
    later = http.post(at, content=body, headers=stripe(secret, body, now + 1))
    assert later.json()["repeated"], "the id of the event is that of the delivery"
    anew = b'{"id": "evt_1", "n": 1, "pending_webhooks": 0}'
    again = http.post(at, content=anew, headers=stripe(secret, anew, now))
    assert (again.status_code, again.json()["repeated"]) == (202, True), "an event that is sent again is written anew"
    both = stripe(secret, body, now)["Stripe-Signature"].replace("0" * 64, "zz")
    assert http.post(at, content=body, headers={"Stripe-Signature": both}).status_code == 202


def test_a_signature_of_standard_webhooks_covers_id_and_moment(platform, http):
    at, secret = hooked(platform, "standards", "standard")
    body, now = b'{"n": 1}', time.time()
    good = standard(secret, body, now)
    for odd in (
        {**good, "webhook-id": "msg_2"},
        {**good, "webhook-timestamp": str(int(now) + 1)},
        {**good, "webhook-signature": "v1,!"},
        {**good, "webhook-signature": good["webhook-signature"].replace("v1,", "v2,")},
        standard(secret, body, now - 301),
    ):
        assert http.post(at, content=body, headers=odd).status_code == 401
    assert http.post(at, content=body, headers=good).status_code == 202
    assert http.post(at, content=body, headers=standard(secret, body, now + 2)).json()["repeated"]
    assert waits(platform, "standards") == 1


def test_a_new_secret_and_the_one_before_count_for_a_while(platform, http, monkeypatch):
    at, old = hooked(platform, "rotated", "github")
    body = b'{"n": 1}'
    told = {"workspace": "demo", "source": "rotated"}
    made = platform.collector.set_hook(ANN, SetHook(**told, keep_h=1))
    assert made.hook.endswith(at)
    assert [http.post(at, content=body, headers=github(one, body)).status_code for one in (old, made.secret)] == [
        202
    ] * 2
    clock = platform.collector._database.clock
    later = clock.now().timestamp() + 3700
    with monkeypatch.context() as patched:
        patched.setattr(clock, "now", lambda: type(made.old_until).fromtimestamp(later, made.old_until.tzinfo))
        assert http.post(at, content=body, headers=github(old, body)).status_code == 401
        assert http.post(at, content=body, headers=github(made.secret, body)).status_code == 202
    newest = platform.collector.set_hook(ANN, SetHook(**told, keep_h=0))
    assert http.post(at, content=body, headers=github(made.secret, body)).status_code == 401
    assert http.post(at, content=body, headers=github(newest.secret, body)).status_code == 202
    other = platform.collector.set_hook(ANN, SetHook(**told, scheme="standard"))
    assert other.old_until is None, "who signs otherwise has another secret"
    good = standard(other.secret, body, time.time())
    assert http.post(at, content=body, headers=good).status_code == 202
    turned = ChangeReading(**told, stream_parameters={"scheme": "github"})
    platform.collector.change_reading(ANN, turned)
    assert http.post(at, content=body, headers=github(other.secret, body)).status_code == 202
    platform.collector.set_hook(ANN, SetHook(**told, secret="no base64, but long enough", keep_h=0))
    platform.collector.change_reading(ANN, ChangeReading(**told, stream_parameters={"scheme": "standard"}))
    assert http.post(at, content=body, headers=good).status_code == 401, "a secret of another form fits nothing"
    base64s = ("no base64 at all", "é" * 20)
    for wrong in (
        {"secret": "short"},
        {"secret": "whsec_0123456789"},
        *({"scheme": "standard", "secret": one} for one in base64s),
    ):
        with pytest.raises(Invalid):
            platform.collector.set_hook(ANN, SetHook(**told, **wrong))


def test_a_secret_of_another_scheme_signs_nothing_when_the_scheme_changes(platform, http):
    at, old = hooked(platform, "moved", "github")
    body, now = b'{"n": 1}', time.time()
    made = platform.collector.set_hook(ANN, SetHook(workspace="demo", source="moved", scheme="standard"))
    assert made.hook.endswith(at)
    assert http.post(at, content=body, headers=github(old, body)).status_code == 401
    assert http.post(at, content=body, headers=standard(made.secret, body, now)).status_code == 202
    with pytest.raises(Invalid, match="no base64"):
        platform.collector.set_hook(ANN, SetHook(workspace="demo", source="moved", secret="ünd so weiter und so fort"))


def test_an_address_at_which_nothing_is_taken_tells_nothing(platform, http):
    at, secret = hooked(platform, "closed", "github")
    body = b'{"n": 1}'
    unknown = http.post("/hooks/" + "x" * 32, content=body, headers=github(secret, body))
    platform.collector.close_hook(ANN, OneSource(workspace="demo", source="closed"))
    gone = http.post(at, content=body, headers=github(secret, body))
    assert (unknown.status_code, gone.status_code) == (404, 404)
    assert unknown.json() == gone.json()
    for odd in ("x%00", "%ff", "x" * 41, "%2e%2e"):
        assert http.post(f"/hooks/{odd}", content=body, headers=github(secret, body)).json() == gone.json()
    assert hook_at(None, "x\0") is None, "no database is asked for what can be no address"
    anew = platform.collector.set_hook(ANN, SetHook(workspace="demo", source="closed", scheme="github"))
    assert not anew.hook.endswith(at), "an address that was closed does not come back"


def test_no_secret_leaves_by_a_face_or_lies_open(platform, http):
    hooked(platform, "sealed", "github")
    seen = [http.get(f"{SOURCES}/sealed{end}").text for end in ("", "/inbox")]
    assert all(SECRET not in text for text in seen)
    files = [path for path in platform.rooms.folder.rglob("*") if path.is_file()]
    assert all(SECRET.encode() not in path.read_bytes() for path in files)


def test_a_person_is_blanked_where_rows_wait_and_the_others_stay(platform, http):
    source = make(platform, "people")
    rows = [
        {"n": 1, "name": "ann@example.org"},
        {"n": 2, "name": "of ann@example.org"},
        {"n": 3, "name": "joann@example.org"},
    ]
    http.post(f"{SOURCES}/people/push", json=rows)
    (told,) = [
        one
        for one in erase(platform.rooms.registry, Person(erasure="e", values=("ann@example.org",), workspace="demo"))
        if one.what == "pushed rows"
    ]
    assert (told.count, waits(platform, "people")) == (2, 1)
    held = b"".join(path.read_bytes() for path in platform.collector._ground.inboxes.folder(source).glob("*"))
    assert b'"ann@example.org"' not in held


def test_an_inbox_is_shown_by_storage_and_goes_with_its_source(platform, http):
    source = make(platform, "leaving")
    http.post(f"{SOURCES}/leaving/push", json={"n": 1})
    (held,) = [one for one in storage(platform.rooms.registry) if one.path.endswith("/leaving")]
    assert held.size_bytes > 0
    folder = platform.collector._ground.inboxes.folder(source)
    platform.collector.delete_source(ANN, OneSource(workspace="demo", source="leaving"))
    assert not folder.exists()
    (folder / "x").mkdir(parents=True)
    assert [one.kind for one in collect(platform.rooms.registry)] == ["inbox"]
    assert not folder.exists()
    (folder.parent.parent / "gone" / "s").mkdir(parents=True)
    moment = platform.collector._database.clock.now()
    told = {"id": "e", "seq": 1, "time": moment, "type": "access.workspace.purged", "subject": "workspace:gone"}
    on_workspace_purged(platform.rooms.registry, Event(**told, workspace="gone", actor="system", data={}))
    assert not (folder.parent.parent / "gone").exists()


def test_an_inbox_that_is_made_while_others_are_removed_stays(platform, http, monkeypatch):
    inboxes, real = platform.collector._ground.inboxes, platform.collector._ground.inboxes.held

    def held() -> Any:
        source = make(platform, "meanwhile")
        assert http.post(f"{SOURCES}/meanwhile/push", json={"n": 1}).status_code == 202
        assert inboxes.folder(source).exists()
        return real()

    with monkeypatch.context() as patched:
        patched.setattr(inboxes, "held", held)
        assert collect(platform.rooms.registry) == []
    assert waits(platform, "meanwhile") == 1


def test_a_paused_source_keeps_what_comes(quiet):
    platform, http = quiet
    make(platform, "resting")
    one = OneSource(workspace="demo", source="resting")
    platform.collector.pause_source(ANN, one)
    assert http.post(f"{SOURCES}/resting/push", json={"n": 1}).status_code == 202
    assert follow(platform.rooms.registry) == 0
    platform.collector.change_reading(ANN, ChangeReading(workspace="demo", source="resting", every_s=-1))
    platform.collector.resume_source(ANN, one)
    assert follow(platform.rooms.registry) == 0, "only when it is asked for"
    with pytest.raises(Conflict):
        platform.collector.get_inbox(ANN, OneSource(workspace="demo", source=platform.source("Files")))
    assert waits(platform, "resting") == 1


@pytest.mark.timeout(110)
@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.long) for seed in (2, 3))])
def test_pushes_land_exactly_once_while_the_collector_is_killed(platform, http, seed):
    source = make(platform, f"killed {seed}")
    at, done = f"{SOURCES}/{source.slug}/push", threading.Event()

    def send() -> None:
        for first in range(0, 1_500, 10):
            rows = [{"n": n} for n in range(first, first + 10)]
            for _ in range(1 + first % 3):  # a sender that is not sure sends again
                http.post(at, json=rows, headers={"Idempotency-Key": f"part {first}"})
            time.sleep(0.04)
        done.set()

    sender = threading.Thread(target=send)
    sender.start()
    kills = collect_and_kill(platform, source, random.Random(seed), done.is_set, between_s=(1.5, 3))
    sender.join()
    assert platform.load(source).state == "SUCCEEDED"
    assert kills >= 2
    assert sorted(platform.rows(source.dataset)["n"].to_list()) == list(range(1_500))


def test_the_client_and_the_terminal_push_in_parts_that_are_stored_once(quiet, tmp_path, monkeypatch):
    platform, http = quiet
    make(platform, "programs")
    monkeypatch.setattr("aimass.client.pushing.CHUNK_ROWS", 100)
    rows = ({"n": n, "name": Decimal("1.5"), "at": datetime(2026, 5, 1, tzinfo=UTC)} for n in range(250))
    with serving(http.app) as url, Client(url, key="", workspace="demo") as client:
        client.transport.http.headers["x-who"] = "uma"
        done = client.push("programs", rows, key="night 1")
        assert (done.rows, len(done.ids), done.repeated) == (250, 3, 0)
        again = client.push(
            "programs", [{"n": n, "name": "1.5", "at": "2026-05-01T00:00:00+00:00"} for n in range(250)], key="night 1"
        )
        assert (again.ids, again.repeated) == (done.ids, 250)
        path = tmp_path / "rows.json"
        path.write_text('[{"n": 250}, {"n": 251, "name": "é"}]')
        assert client.push("programs", path).rows == 2
        assert client.push("programs", [b'{"n": 252}']).rows == 1
        with pytest.raises(Invalid):
            client.push("programs", [{"n": float("nan")}])
        with pytest.raises(NotFound):
            client.push("nowhere", [{"n": 1}])
        monkeypatch.setenv("AIMASS_COLLECTOR_SPARE_DISK_BYTES", str(1 << 60))
        make(platform, "refused")
        with pytest.raises(TooMany):
            client.push("refused", [{"n": 1}], timeout_s=0)
    assert waits(platform, "programs") == 253


def test_the_client_for_asyncio_waits_as_long_as_it_is_asked_to_and_lets_others_go_on(quiet, monkeypatch):
    platform, http = quiet
    make(platform, "patient")
    monkeypatch.setattr(Full, "retry_after_s", 1)
    monkeypatch.setattr("aimass.client.pushing.CHUNK_ROWS", 2)
    real, is_full = shutil.disk_usage, [True]
    monkeypatch.setattr(shutil, "disk_usage", lambda path: real(path)._replace(free=0) if is_full[0] else real(path))

    async def make_room():
        await asyncio.sleep(0.4)  # the first pause of its own would be over by now
        is_full[0] = False

    async def both(url):
        async with AsyncClient(url, key="", workspace="demo") as client:
            client.transport.http.headers["x-who"] = "uma"
            began = time.monotonic()
            done, _ = await asyncio.gather(
                client.push("patient", [{"n": n} for n in range(5)], timeout_s=20), make_room()
            )
            took = time.monotonic() - began
            with pytest.raises(NotFound):
                await client.push("nowhere", [{"n": 1}])
            return done, took

    with serving(http.app) as url:
        done, took = asyncio.run(both(url))
    assert (done.rows, len(done.ids), done.repeated) == (5, 3, 0)
    assert took >= 1.0
    assert waits(platform, "patient") == 5


def test_a_source_that_is_pushed_to_is_a_document_with_its_scheme_and_without_its_secret(platform):
    hooked(platform, "written", "github")
    documents = SOURCE.export(platform.rooms.registry, ANN, "demo")
    (told,) = [one for one in documents if one["name"] == "written"]
    assert (told["connection"], told["reading"]["parameters"]["scheme"]) == ("inbox", "github")
    assert SECRET not in str(documents)
    assert SOURCE.apply(platform.rooms.registry, ANN, "demo", told, dry_run=False) == ("none", [])
    platform.collector.delete_source(ANN, OneSource(workspace="demo", source="written"))
    assert SOURCE.apply(platform.rooms.registry, ANN, "demo", told, dry_run=False)[0] == "create"
    inbox = platform.collector.get_inbox(ANN, OneSource(workspace="demo", source="written"))
    assert (inbox.scheme, inbox.hook) == ("github", ""), "it gets an address with its first secret"
