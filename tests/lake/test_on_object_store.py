"""Tables of the lake in an object store (a simulator of S3 over HTTP), through the functions that work on tables in a folder."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from aimass.infra.tables import ObjectTables, accept
from aimass.kernel.errors import Conflict, NotFound, Unavailable
from aimass.lake import Commit, Part, commit, commit_parts, fold, open_newest, widen
from aimass.lake.children.append import append
from aimass.lake.children.branch import fork, merge_back, take_over
from aimass.lake.children.change import revert
from aimass.lake.children.compare import compare
from aimass.lake.children.describe import describe_version
from aimass.lake.children.erase import erase, mentions
from aimass.lake.children.maintain import diff, maintain, used_bytes
from aimass.lake.children.merge import merge
from aimass.lake.children.preview import preview
from aimass.lake.children.query import query
from aimass.lake.children.selecting import materialise
from aimass.lake.children.share import files
from aimass.lake.children.tables import exists, scan
from tests.fixtures.object_store import ObjectStoreServer
from tests.fixtures.stored import grant_of, stored


class Place:
    """A place in a store, and tables in it."""

    def __init__(self, tables: ObjectTables, server: ObjectStoreServer) -> None:
        self.tables, self.server, self.root = tables, server, tables.root
        self.batch = 0

    def path(self, name: str) -> str:
        return str(self.root / "demo" / name)

    def append(self, name: str, rows: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        self.batch += 1
        return append({"path": self.path(name), "rows": rows, "app_id": "test", "batch": self.batch, **more})

    def rows(self, name: str, version: int | None = None) -> list[tuple[Any, ...]]:
        return sorted(scan(self.path(name), version).collect().rows())

    def objects(self, name: str) -> dict[str, bytes]:
        found = [file.name for file in self.tables.bucket.list(f"tables/demo/{name}")]
        return {file: self.tables.bucket.get(file)[0] for file in found}

    def forget(self) -> None:
        """Do as a machine that has no copies."""
        shutil.rmtree(self.root)


@pytest.fixture
def place(object_store: ObjectStoreServer, tmp_path: Path) -> Iterator[Place]:
    with stored(object_store, tmp_path / "lake") as tables:
        yield Place(tables, object_store)


def ask(place: Place, sql: str, name: str, **more: Any) -> list[list[Any]]:
    return query({"sql": sql, "tables": {name: {"path": place.path(name), **more}}, "known": [name]})["rows"]


def test_rows_are_written_once_and_read_by_every_reader(place: Place) -> None:
    told = place.append("t", [{"a": 1, "b": "x"}])
    assert told == {"version": 0, "rows": 1, "already": False}
    order = {"path": place.path("t"), "rows": [{"a": 2, "c": 0.5}], "app_id": "again", "batch": 1}
    assert [append(order)["already"], append(order)["already"]] == [False, True]
    place.forget()
    assert place.rows("t") == [(1, "x", None), (2, None, 0.5)]
    assert place.rows("t", 0) == [(1, "x")]
    assert ask(place, "SELECT sum(a) FROM t", "t") == [[3]]
    assert ask(place, "SELECT sum(a) FROM t", "t", version=0) == [[1]]
    assert preview({"path": place.path("t"), "version": 1, "limit": 10})["total_columns"] == 3
    told = describe_version({"path": place.path("t")})
    assert (told["rows"], [c["name"] for c in told["columns"]]) == (2, ["a", "b", "c"])
    shared = files({"path": place.path("t"), "version": 1})
    assert {f"tables/demo/t/{file['name']}" for file in shared["files"]} <= set(place.objects("t"))
    with pytest.raises(NotFound):
        scan(place.path("u"))
    with pytest.raises(NotFound):
        scan(place.path("t"), 7)
    assert not exists(place.path("u"))


def test_what_breaks_off_leaves_nothing(place: Place) -> None:
    wish = {"path": place.path("t"), "sql": "SELECT error('no')", "tables": {}, "app_id": "x", "batch": 1}
    with pytest.raises(Exception, match="no"):
        materialise(wish)
    assert place.objects("t") == {}
    with place.server.fault(status=403), pytest.raises(Unavailable):
        place.append("t", [{"a": 1}])
    assert place.append("t", [{"a": 1}])["version"] == 0


def test_rows_are_changed_by_key_and_files_become_rows(place: Place, tmp_path: Path) -> None:
    order = {"path": place.path("t"), "app_id": "m", "keys": ["id"]}
    merge({**order, "batch": 1, "rows": [{"id": n, "v": 0} for n in range(5)]})
    told = merge({**order, "batch": 2, "rows": [{"id": 1, "v": 9}, {"id": 7, "v": 7}], "delete": [{"id": 0}]})
    assert (told["inserted"], told["updated"], told["deleted"]) == (1, 1, 1)
    changes = pl.DataFrame({"id": [7, 8], "v": [None, 8], "_operation": ["delete", "update"]})
    fold(place.path("t"), changes, ["id"], Commit(app_id="f", batch=1))
    made = tmp_path / "part.parquet"
    pl.DataFrame({"id": [20], "v": [20]}).write_parquet(made)
    commit_parts(place.path("t"), [Part(file=made, rows=1)], Commit(app_id="p", batch=1))
    made.unlink()
    widen(place.path("t"), {"v": pl.Float64()}, Commit(app_id="w", batch=1))
    place.forget()
    assert place.rows("t") == [(1, 9.0), (2, 0.0), (3, 0.0), (4, 0.0), (8, 8.0), (20, 20.0)]


@pytest.mark.long
def test_versions_are_compared_and_brought_back(place: Place) -> None:
    place.append("t", [{"id": 1, "v": 1}, {"id": 2, "v": 2}])
    place.append("t", [{"id": 3, "v": 3}])
    path = place.path("t")
    told = diff({"path": path, "base": 0, "head": 1})
    assert (told["rows"], told["rows_added"]) == ({"before": 2, "after": 3}, 1)
    sides = {"base": {"path": path, "version": 0}, "head": {"path": path, "version": 1}}
    assert compare({**sides, "keys": ["id"]})["added"] == 1
    revert({"path": path, "version": 0, "expected": 1, "app_id": "r", "batch": 1, "describe": {}})
    assert place.rows("t") == [(1, 1), (2, 2)]


@pytest.mark.long
def test_upkeep_compacts_removes_and_tidies_and_leaves_pinned_versions(place: Place) -> None:
    for n in range(12):
        place.append("t", [{"a": n}])
    place.rows("t", 3)
    wish = {"path": place.path("t"), "pinned": [3], "retain_hours": 0}
    assert maintain(wish)["compacted"] == 12
    told = maintain(wish)
    assert told["removed"] == 8
    assert told["bytes"] == used_bytes(place.path("t")) == sum(len(text) for text in place.objects("t").values())
    data = {name.rpartition("/")[2] for name in place.objects("t") if "_delta_log" not in name}
    assert len(data) == 5
    assert {file.name for file in Path(place.path("t")).glob("*.parquet")} <= data
    place.forget()
    assert place.rows("t", 3) == [(n,) for n in range(4)]
    assert place.rows("t") == [(n,) for n in range(12)]
    place.append("t", [{"a": 99}])
    assert len(place.rows("t")) == 13


def test_a_branch_goes_away_and_comes_back(place: Place) -> None:
    place.append("t", [{"id": 1, "v": 1}, {"id": 2, "v": 2}])
    branch, path = place.path("fix"), place.path("t")
    told = fork({"path": path, "version": 0, "target": branch})
    assert (told["files"], told["copied"]) == (1, 1)
    with pytest.raises(Conflict):
        fork({"path": path, "version": 0, "target": branch})
    merge({"path": branch, "app_id": "m", "batch": 1, "keys": ["id"], "rows": [{"id": 2, "v": 20}]})
    place.append("t", [{"id": 3, "v": 3}])
    place.forget()
    order = {"keys": ["id"], "app_id": "b", "batch": 1, "base": {"path": path, "version": 0}}
    order |= {"theirs": {"path": branch, "version": 1}, "ours": {"path": path, "version": 1}}
    assert merge_back(order)["changed"] == 1
    assert place.rows("t") == [(1, 1), (2, 20), (3, 3)]
    source = {"path": branch, "version": 1}
    take_over({"path": path, "expected": 2, "source": source, "app_id": "o", "batch": 1})
    place.tables.drop(Path(branch))
    assert place.rows("t") == [(1, 1), (2, 20)]
    assert not exists(branch)


def test_an_erased_person_is_gone_from_the_store_and_from_the_copies(place: Place) -> None:
    place.append("t", [{"mail": "one@a.example", "n": 1}])
    place.append("t", [{"mail": "two@a.example", "n": 2}])
    place.rows("t")
    before = place.rows("t", 0)
    wish = {"path": place.path("t"), "values": ["two@a.example"], "columns": ["mail"], "kept": [0, 1]}
    told = erase({**wish, "app_id": "erasure:1"})
    assert (told["deleted"], told["lost"], told["found"]) == (1, [1], [])
    assert mentions({"path": place.path("t"), "values": ["two@a.example"], "but": []}) == {"columns": {}}
    kept = [*place.objects("t").values(), *(file.read_bytes() for file in place.root.rglob("*") if file.is_file())]
    assert not any(b"two@a.example" in text for text in kept)
    for folder in (place.root, None):
        if folder is None:
            place.forget()
        assert place.rows("t", 0) == before == place.rows("t")


def test_a_handle_that_stays_open_sees_what_others_did(place: Place) -> None:
    place.append("t", [{"a": 1}])
    held = open_newest(place.path("t"))
    assert held is not None
    place.append("t", [{"a": 2}])
    assert open_newest(place.path("t")).version() == 1  # pyright: ignore[reportOptionalMemberAccess]
    place.tables.drop(Path(place.path("t")))
    assert open_newest(place.path("t")) is None
    assert commit(place.path("t"), pl.DataFrame({"z": ["new"]}), Commit(app_id="n", batch=1)).version == 0
    assert place.rows("t") == [("new",)]


def _begin(grant: Mapping[str, Any]) -> None:
    accept(grant)


def _append(order: dict[str, Any]) -> dict[str, Any]:
    return append(order)


@pytest.mark.long
def test_writers_in_many_processes_lose_and_double_nothing(place: Place) -> None:
    bucket = place.tables.bucket.place.bucket
    orders = [{"path": place.path("t"), "rows": [{"a": n}], "app_id": f"s{n}", "batch": 1} for n in range(6)] * 2
    grant = grant_of(place.server, place.root, bucket).told
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn"), _begin, (grant,)) as pool:
        told = list(pool.map(_append, orders))
    assert place.rows("t") == [(n,) for n in range(6)]
    assert sum(not one["already"] for one in told) == 6


def _write_on(grant: Mapping[str, Any], path: str) -> None:
    accept(grant)
    for batch in range(1, 1000):
        append({"path": path, "rows": [{"a": batch}] * 1000, "app_id": "killed", "batch": batch})


def test_a_writer_that_is_killed_leaves_whole_commits_and_no_lease(place: Place) -> None:
    grant = grant_of(place.server, place.root, place.tables.bucket.place.bucket).told
    writer = multiprocessing.get_context("spawn").Process(target=_write_on, args=(grant, place.path("t")))
    writer.start()
    until = time.monotonic() + 60
    while not exists(place.path("t")) or scan(place.path("t")).select(pl.len()).collect().item() < 3000:
        assert time.monotonic() < until
        time.sleep(0.05)
    assert writer.pid is not None
    os.kill(writer.pid, signal.SIGKILL)
    writer.join(20)
    began = time.monotonic()
    place.append("t", [{"a": 0}])
    assert time.monotonic() - began < 10  # it is of this machine: nobody waits for the end of its lease
    counts = scan(place.path("t")).group_by("a").len().collect().sort("a").rows()
    assert counts[0] == (0, 1)
    assert [count for _, count in counts[1:]] == [1000] * (len(counts) - 1)
    assert [batch for batch, _ in counts[1:]] == list(range(1, len(counts)))
