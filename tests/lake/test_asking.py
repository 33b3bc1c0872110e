from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from hashlib import sha256
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from aimass.infra.database import Database, audit_log, events_log
from aimass.kernel.counters import Counters
from aimass.kernel.erasing import Person
from aimass.kernel.errors import AimassError, Conflict, Forbidden, Invalid, NotFound, TooLarge, TooMany
from aimass.lake import QueryRows
from aimass.lake.asking import ListQueryRuns, OneQuery, RunningQuery
from aimass.lake.commands import OneWorkspace
from aimass.lake.jobs import erase
from aimass.lake.keeping import collect
from tests.fixtures.browser import serving
from tests.fixtures.data import ANN, EVE, STRANGER, UMA

CSV = "id,mail\n" + "".join(f"{n},p{n}@x.org\n" for n in range(1, 101))
SLOW = "select sum(a.i * b.i % 7) from range(3000000) a(i), range(3000000) b(i), people"
WS = OneWorkspace(workspace="demo")


def collected(data):
    data.collect(CSV, "People", types={"id": "integer"})


@pytest.fixture
def people(filled, tmp_path):
    with filled.rooms(tmp_path / "data", collected) as found:
        yield found


def ask(data, sql="select count(*) from people", who=UMA, **more):
    return data.lake.query(who, QueryRows(workspace="demo", sql=sql, **more))


def runs(data, who=UMA, **more):
    return data.lake.list_query_runs(who, ListQueryRuns(workspace="demo", **more)).items


def running(data, who=ANN) -> list[RunningQuery]:
    return data.lake.list_running_queries(who, WS)


def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
    return found


@contextmanager
def slow(data, who=UMA, **more) -> Iterator[list[AimassError]]:
    """A query that runs until somebody ends it; in the list is how it ended."""
    ended: list[AimassError] = []

    def work() -> None:
        try:
            ask(data, SLOW, who, **more)
        except AimassError as reason:
            ended.append(reason)

    before = len(running(data))
    thread = threading.Thread(target=work)
    thread.start()
    until(lambda: len(running(data)) > before)
    try:
        yield ended
    finally:
        for query in running(data):
            data.lake.cancel_query(ANN, OneQuery(workspace="demo", query=query.id))
        thread.join(20)
        assert not thread.is_alive()


def reading(data) -> list[RunningQuery]:
    return until(lambda: [query for query in running(data) if query.datasets])


def test_what_was_asked_is_remembered_told_and_counted(people):
    sql = "select id from people where mail = 'p7@x.org'"
    assert ask(people, sql).rows == [[7]]
    (run,) = runs(people)
    assert (run.sql, run.state, run.rows, run.datasets, run.by) == (sql, "SUCCEEDED", 1, ["people"], "uma")
    assert run.bytes is not None
    assert run.bytes > 0
    digest = sha256(sql.encode()).hexdigest()
    with people.rooms.get(Database).read() as conn:
        events = conn.execute(select(events_log.c.data).where(events_log.c.type == "lake.query.ran")).scalars().all()
        noted = conn.execute(select(audit_log).where(audit_log.c.action == "lake.query.run")).all()
    assert [(e["sql_sha256"], e["datasets"], e["rows"], e["state"]) for e in events] == [
        (digest, ["people"], 1, "SUCCEEDED")
    ]
    assert (noted[0].detail["sql_sha256"], "p7" in str(noted), "p7" in str(events)) == (digest, False, False)
    with pytest.raises(Invalid):
        ask(people, "select nothing from people")
    failed = runs(people)[0]
    assert (failed.state, "nothing" in (failed.error or "")) == ("FAILED", True)
    assert 'lake_queries_total{state="succeeded"} 1' in people.rooms.get(Counters).text()
    assert 'lake_queries_total{state="failed"} 1' in people.rooms.get(Counters).text()


def test_only_who_asked_and_who_manages_the_lake_sees_what_was_asked(people):
    ask(people, "select 'secret'")
    assert ([run.by for run in runs(people, ANN)], len(runs(people))) == ([], 1)
    assert [run.sql for run in runs(people, ANN, everybody=True)] == ["select 'secret'"]
    with pytest.raises(Forbidden):
        runs(people, UMA, everybody=True)
    for who, error in ((EVE, Forbidden), (STRANGER, NotFound)):
        for call in (lambda who=who: runs(people, who), lambda who=who: running(people, who)):
            with pytest.raises(error):
                call()
    with slow(people):
        assert ([q.by for q in running(people)], len(running(people, UMA))) == (["uma"], 1)


def test_the_history_is_told_in_pages_and_forgotten_in_time(people, monkeypatch):
    for n in range(3):
        ask(people, f"select {n}")
    page = people.lake.list_query_runs(UMA, ListQueryRuns(workspace="demo", limit=2))
    rest = people.lake.list_query_runs(UMA, ListQueryRuns(workspace="demo", limit=2, cursor=page.next))
    assert [run.sql for run in (*page.items, *rest.items)] == ["select 2", "select 1", "select 0"]
    clock = people.rooms.get(Database).clock
    later = clock.now() + timedelta(days=31)
    monkeypatch.setattr(clock, "now", lambda: later)
    ask(people, "select 'new'")
    collect(people.rooms.registry)
    assert [run.sql for run in runs(people)] == ["select 'new'"]


def test_history_goes_with_the_person_it_names_and_the_account_that_asked(people):
    ask(people, "select * from people where mail = 'p7@x.org'")
    ask(people, "select 1")
    ask(people, "select 2", ANN)
    told = erase(people.rooms.registry, Person(erasure="e1", values=("p7@x.org",)))
    assert [one.count for one in told if one.what == "remembered queries"] == [1]
    assert [run.sql for run in runs(people)] == ["select 1"]
    erase(people.rooms.registry, Person(erasure="e2", values=("account:uma",)))
    assert (runs(people), len(runs(people, ANN))) == ([], 1)


def test_a_query_that_runs_is_listed_and_cancelled_and_the_next_one_runs(people):
    with slow(people) as ended:
        (query,) = reading(people)
        assert (query.state, query.datasets, query.sql, query.by_name) == ("RUNNING", ["people"], SLOW, "Uma")
        with pytest.raises(NotFound, match="does not run"):
            people.lake.cancel_query(ANN, OneQuery(workspace="demo", query="01J"))
        people.lake.cancel_query(UMA, OneQuery(workspace="demo", query=query.id))
        until(lambda: ended)
        assert isinstance(ended[0], Conflict)
        assert "cancelled" in ended[0].message
    assert running(people) == []
    assert (runs(people)[0].id, runs(people)[0].state) == (query.id, "CANCELLED")
    assert ask(people).rows == [[100]]


def test_nobody_cancels_the_query_of_another_without_managing_the_lake(people):
    with slow(people, ANN):
        (query,) = reading(people)
        with pytest.raises(NotFound):
            people.lake.cancel_query(UMA, OneQuery(workspace="demo", query=query.id))
        assert running(people, UMA) == []
        assert len(running(people)) == 1


def test_time_memory_rows_and_bytes_end_a_query(people, monkeypatch):
    settings = people.lake._ground.settings
    with pytest.raises(TooLarge, match="longer than 0.3 s"):
        ask(people, SLOW, timeout_s=0.3)
    monkeypatch.setattr(settings, "query_timeout_s", 0.2)
    with pytest.raises(TooLarge, match="longer than 0.2 s"):
        ask(people, SLOW, timeout_s=300)
    monkeypatch.setattr(settings, "query_timeout_s", 60)
    monkeypatch.setattr(settings, "query_memory_mb", 64)
    monkeypatch.setattr(settings, "query_disk_mb", 0)
    with pytest.raises(TooLarge, match="more memory"):
        ask(people, "select count(*) from (select distinct i * 7 % 10000019, i::varchar from range(20000000) t(i))")
    monkeypatch.setattr(settings, "query_memory_mb", 512)
    monkeypatch.setattr(settings, "query_rows", 3)
    found = ask(people, "select id from people order by id", limit=50)
    assert (found.rows, found.truncated) == ([[1], [2], [3]], True)
    monkeypatch.setattr(settings, "query_answer_mb", 1)
    with pytest.raises(TooLarge, match="larger than 1 MB"):
        ask(people, "select repeat('x', 1000000) from range(3)")


def test_what_is_too_large_for_the_memory_goes_to_disk_and_leaves_nothing_there(people, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(people.lake._ground.settings, "query_memory_mb", 100)
    sql = "select count(*) from (select i, repeat(i::varchar, 10) s from range(2000000) t(i) order by s) where i >= 0"
    assert ask(people, sql, timeout_s=120).rows == [[2_000_000]]
    assert list(tmp_path.glob("aimass-query-*")) == []


def test_one_person_holds_only_so_many_turns_and_others_wait_for_theirs(people, monkeypatch):
    ground = people.lake._ground
    monkeypatch.setattr(ground.running, "_most_each", 1)
    monkeypatch.setattr(ground.settings, "query_wait_s", 0.3)
    with slow(people):
        with pytest.raises(TooMany, match="1 queries of yours run"):
            ask(people)
        assert ask(people, who=ANN).rows == [[100]]
        monkeypatch.setattr(ground.running, "_most", 1)
        with pytest.raises(TooMany, match="1 queries run already"):
            ask(people, who=ANN)
        monkeypatch.setattr(ground.running, "_waiting", 0)
        monkeypatch.setattr(ground.settings, "query_wait_s", 600)
        with pytest.raises(TooMany):
            ask(people, who=ANN)
    assert runs(people, ANN)[0].state == "FAILED"
    assert ask(people).rows == [[100]]


def test_a_query_that_waits_runs_when_its_turn_comes_or_is_cancelled(people, monkeypatch):
    monkeypatch.setattr(people.lake._ground.running, "_most", 1)
    with slow(people):
        first = reading(people)[0]
        with slow(people, ANN) as ended:
            (waits,) = [query for query in running(people) if query.state == "WAITING"]
            people.lake.cancel_query(ANN, OneQuery(workspace="demo", query=waits.id))
            until(lambda: ended)
            found: list[Any] = []
            thread = threading.Thread(target=lambda: found.append(ask(people, who=ANN).rows))
            thread.start()
            until(lambda: len(running(people)) > 1)
            people.lake.cancel_query(UMA, OneQuery(workspace="demo", query=first.id))
            thread.join(20)
            assert found == [[[100]]]


def test_a_query_ends_when_who_sent_it_has_gone(people):
    with people.http() as client, serving(client.app) as address:
        host, port = address.removeprefix("http://").split(":")
        body = f'{{"sql": "{SLOW}"}}'.encode()
        with socket.create_connection((host, int(port))) as connection:
            head = "POST /api/v1/workspaces/demo/query HTTP/1.1\r\nHost: x\r\nX-Who: uma\r\nContent-Type: application/json\r\n"
            connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            reading(people)
        until(lambda: not running(people))
        until(lambda: runs(people))
        assert [run.state for run in runs(people)] == ["CANCELLED"]
        answer = httpx2.post(
            f"{address}/api/v1/workspaces/demo/query",
            json={"sql": "select max(id) from people"},
            headers={"x-who": "uma"},
        )
        assert answer.json()["rows"] == [[100]]


@pytest.mark.parametrize(
    ("who", "statuses"),
    [("", (401, 401, 401)), ("stranger", (404, 404, 404)), ("eve", (403, 403, 403)), ("uma", (200, 200, 404))],
)
def test_the_ladder_of_callers(people, who, statuses):
    with people.http() as client:
        base, headers = "/api/v1/workspaces/demo/queries", {"x-who": who}
        found = [client.get(f"{base}/running", headers=headers), client.get(f"{base}/runs", headers=headers)]
        found.append(client.delete(f"{base}/running/01J", headers=headers))
    assert tuple(answer.status_code for answer in found) == statuses
