"""Every place of tables passes the same suite; the object store is a simulator of S3 over HTTP."""

import os
import time
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from aimass.infra.objects import Bucket, ObjectStoreSettings, Place
from aimass.infra.tables import FolderTables, ObjectTables, Tables, mount, tables_of, unmount
from aimass.infra.tables.contract import TablesContract
from aimass.infra.tables.leases import Lease
from aimass.kernel.errors import Failed
from tests.fixtures.object_store import KEY_ID, REGION, SECRET, ObjectStoreServer

_MIB = 1 << 20
_COUNT = count()


def settings(server: ObjectStoreServer) -> ObjectStoreSettings:
    return ObjectStoreSettings(endpoint=server.url, region=REGION, key_id=KEY_ID, secret=SECRET)  # pyright: ignore[reportArgumentType]


def tables_in(server: ObjectStoreServer, root: Path, bucket: str, budget: int = _MIB) -> ObjectTables:
    told = settings(server)
    place = Bucket(Place(bucket, "some/lake"), told, patience=timedelta(seconds=1))
    return ObjectTables(root, place, told.delta(), budget, lapses_s=0.6)


class TestFolders(TablesContract):
    __test__ = True

    def make(self, root: Path) -> Tables:
        return FolderTables()

    def again(self, tables: Tables, root: Path) -> Tables:
        return FolderTables()


class TestObjects(TablesContract):
    __test__ = True
    server: ObjectStoreServer

    @pytest.fixture(autouse=True)
    def _server(self, object_store: ObjectStoreServer) -> None:
        self.server = object_store

    def make(self, root: Path) -> Tables:
        return tables_in(self.server, root, self.server.bucket())

    def again(self, tables: Tables, root: Path) -> Tables:
        assert isinstance(tables, ObjectTables)
        return tables_in(self.server, root, tables.bucket.place.bucket)


class TestObjectsOnAnotherMachine(TestObjects):
    """The other one has copies of its own, and no lock in common."""

    def again(self, tables: Tables, root: Path) -> Tables:
        assert isinstance(tables, ObjectTables)
        other = tables_in(self.server, root, tables.bucket.place.bucket)
        other._machine = f"machine-{next(_COUNT)}"
        return other


def test_the_lease_of_a_writer_who_died_is_free_at_once_here_and_after_its_time_elsewhere(
    object_store: ObjectStoreServer,
) -> None:
    bucket = Bucket(Place(object_store.bucket(), "x"), settings(object_store))
    bucket.put_new("leases/t/lease", b"here dead")
    began = time.monotonic()
    Lease(bucket, "leases/t/lease", "here", lapses_s=30).take()
    assert time.monotonic() - began < 5
    bucket.put("leases/t/lease", b"here dead")
    other = Lease(bucket, "leases/t/lease", "there", lapses_s=0.6)
    began = time.monotonic()
    other.take()
    assert 0.5 < time.monotonic() - began < 10
    time.sleep(1.5)
    assert bucket.get("leases/t/lease")[0].startswith(b"there ")  # a writer who lives keeps it
    other.give_back()
    assert bucket.get("leases/t/lease")[0] == b""


def test_copies_go_when_their_room_is_needed_but_never_those_in_use(
    object_store: ObjectStoreServer, tmp_path: Path
) -> None:
    root, bucket = tmp_path / "lake", object_store.bucket()
    tables, table = tables_in(object_store, root, bucket, budget=250), root / "demo" / "visits"
    made = tmp_path / "made"
    made.write_bytes(b"x" * 100)
    names = [f"part-{number}.parquet" for number in range(3)]
    for name in names:
        tables.bucket.put(f"tables/demo/visits/{name}", made)
    tables.rewrite(table, "_delta_log/00000000000000000000.json", b"{}")
    beside = root / "demo" / "_labelled" / "rows.parquet"
    beside.parent.mkdir(parents=True)
    beside.write_bytes(b"x" * 1000)  # no copy of anything, so it takes no room and never goes
    tables.bring(table, names[:2])
    old = time.time() - 7200
    os.utime(table / names[0], (old, old))
    os.utime(beside, (old, old))
    tables.bring(table, names[2:])
    assert [(table / name).exists() for name in names] == [False, True, True]
    assert beside.exists()
    tables.bring(table, names)
    assert [(table / name).exists() for name in names] == [True, True, True]


def test_a_process_without_the_key_reads_no_old_copy(object_store: ObjectStoreServer, tmp_path: Path) -> None:
    tables, table = tables_in(object_store, tmp_path / "lake", object_store.bucket()), tmp_path / "lake" / "demo" / "t"
    tables.rewrite(table, "_delta_log/00000000000000000000.json", b"{}")
    for path in (table, str(table), f"{table}/", table / "_delta_log"):
        with pytest.raises(Failed, match="this process was not told its key"):
            tables_of(path)


def test_a_path_belongs_to_the_place_that_is_mounted_above_it(object_store: ObjectStoreServer, tmp_path: Path) -> None:
    root = tmp_path / "lake"
    tables = tables_in(object_store, root, object_store.bucket())
    mount(root, tables)
    try:
        assert tables_of(root / "demo" / "visits") is tables
        assert isinstance(tables_of(tmp_path / "lake-2" / "visits"), FolderTables)
        assert SECRET not in repr(tables.target(root / "demo"))
    finally:
        unmount(root)
    assert isinstance(tables_of(root / "demo"), FolderTables)
