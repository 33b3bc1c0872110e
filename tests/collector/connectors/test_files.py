from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import httpx2 as httpx
import polars as pl
import pytest
from arro3.core import Table
from moto.server import ThreadedMotoServer
from obstore.store import S3Store

from aimass.collector.connectors import find_connector, load_connector
from aimass.collector.connectors.contract import ConnectorContract, Wrong, frame_of
from aimass.collector.connectors.port import StreamColumn, Wish
from aimass.collector.connectors.reach import Reach, limit_to
from aimass.kernel.errors import Forbidden, MissingExtra, Unavailable

N = (StreamColumn(name="n", type="integer"),)


class Follower:
    """Reads files as the loader would: what was read is kept with the state after it, and each time it is opened anew."""

    def __init__(self, folder: Path, stream: str = "*.csv", **said) -> None:
        limit_to(Reach(folders=(str(folder),), loopback=True))
        self.parameters = {"folder": str(folder)}
        self.stream, self.said = stream, {"min_age_s": 0.0, **said}
        self.state, self.rows, self.rejects = {}, [], []

    def opened(self):
        return load_connector("files")(find_connector("files").check(self.parameters))

    def look(self, columns=N, parts: int | None = None) -> list[int]:
        connector = self.opened()
        try:
            wish = Wish(stream=self.stream, columns=columns, mode="stream", parameters=self.said)
            for number, part in enumerate(connector.read(wish, self.state), 1):
                if part is None:
                    break
                self.state = json.loads(json.dumps(dict(part.state)))
                self.rejects += part.rejects
                if part.rows is not None:
                    self.rows += pl.DataFrame(Table.from_batches([part.rows])).rows(named=True)
                if number == parts:
                    break
        finally:
            connector.close()
        return sorted(int(row["n"]) for row in self.rows)


def write(path: Path, *numbers: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("n\n" + "".join(f"{n}\n" for n in numbers))
    return path


def test_every_file_comes_once_also_one_that_is_older_than_what_was_read(tmp_path):
    write(tmp_path / "b.csv", 1)
    follower = Follower(tmp_path)
    assert follower.look() == [1]
    old = write(tmp_path / "a.csv", 2)
    os.utime(old, (1, 1))
    assert follower.look() == [1, 2]
    assert follower.look() == [1, 2]


def test_a_reading_that_is_cut_off_goes_on_in_the_middle_of_a_file(tmp_path):
    write(tmp_path / "a.csv", *range(200_000))
    write(tmp_path / "b.csv", 200_000)
    follower = Follower(tmp_path)
    for _ in range(50):
        before = len(follower.rows)
        follower.look(parts=1)
        if len(follower.rows) == before and follower.state.get("at") is None and before == 200_001:
            break
    assert follower.look() == list(range(200_001))


@pytest.mark.parametrize(("changed", "rows"), [("ignore", [1, 2]), ("again", [1, 1, 2, 3])])
def test_a_file_that_changed_is_left_alone_or_read_again(tmp_path, changed, rows):
    path = write(tmp_path / "a.csv", 1)
    write(tmp_path / "b.csv", 2)
    follower = Follower(tmp_path, changed=changed)
    follower.look()
    write(path, 1, 3)
    os.utime(path, ns=(10**18, 10**18 * 2))
    assert follower.look() == rows
    assert follower.look() == rows


def test_a_young_file_waits(tmp_path):
    write(tmp_path / "a.csv", 1)
    assert Follower(tmp_path, min_age_s=3600).look() == []


def test_thousands_of_files_leave_a_small_state_and_come_once(tmp_path):
    for n in range(5_000):
        write(tmp_path / f"{n:05}.ndjson", 0).write_text(f'{{"n": {n}}}\n')
    follower = Follower(tmp_path, stream="*.ndjson")
    assert follower.look() == list(range(5_000))
    assert len(json.dumps(follower.state)) < 60_000
    write(tmp_path / "later.ndjson", 0).write_text('{"n": 5000}\n')
    assert follower.look() == list(range(5_001))


def test_a_file_that_is_removed_while_it_is_read_is_read_to_its_end(tmp_path):
    path = write(tmp_path / "a.csv", *range(100_000))
    follower = Follower(tmp_path)
    connector = follower.opened()
    reading = connector.read(Wish(stream="*.csv", columns=N, mode="stream", parameters=follower.said), {})
    parts = [next(reading)]
    path.unlink()
    parts += [part for part in iter(lambda: next(reading), None) if part is not None]
    connector.close()
    assert len(frame_of(parts)) == 100_000


def test_a_file_that_changes_while_it_is_read_is_told(tmp_path):
    path = write(tmp_path / "a.csv", *range(100_000))
    follower = Follower(tmp_path)
    connector = follower.opened()
    reading = connector.read(Wish(stream="*.csv", columns=N, mode="stream", parameters=follower.said), {})
    next(reading)
    os.utime(path, (1, 1))
    with pytest.raises(Unavailable, match="changed while it was read") as told:
        list(iter(lambda: next(reading), None))
    assert told.value.field == "min_age_s"
    connector.close()


def test_a_file_that_cannot_be_read_blocks_no_other(tmp_path):
    write(tmp_path / "a.csv", 1)
    follower = Follower(tmp_path)
    follower.look()
    (tmp_path / "b.csv").write_text("other,columns\n1,2\n")
    (tmp_path / "c.csv.gz").write_bytes(gzip.compress(b"n\n3\n")[:-6])
    (tmp_path / "d.csv").touch()
    write(tmp_path / "e.csv", 5)
    assert follower.look() == [1, 5]
    follower.stream = "*"
    follower.look()
    assert [(one.kind, one.place) for one in follower.rejects] == [("FILE", "b.csv"), ("FILE", "c.csv.gz")]


def test_a_format_whose_library_is_missing_is_told_and_not_passed_over(tmp_path, monkeypatch):
    (tmp_path / "a.avro").write_bytes(b"Obj\x01")
    monkeypatch.setitem(__import__("sys").modules, "fastavro", None)
    monkeypatch.delitem(__import__("sys").modules, "aimass.collector.connectors.file.run.avro_file", raising=False)
    with pytest.raises(MissingExtra):
        Follower(tmp_path, stream="*.avro").look()


def test_hostile_names_are_read_and_links_out_of_the_folder_are_not(tmp_path):
    root = tmp_path / "in"
    secret = write(tmp_path / "secret.csv", 99)
    odd = root / os.fsdecode(b"a\xff\n'; DROP.csv")
    write(odd, 1)
    write(root / "$(touch x) [1].csv", 2)
    (root / "link.csv").symlink_to(secret)
    (root / "folder").symlink_to(tmp_path)
    os.mkfifo(root / "pipe.csv")
    follower = Follower(root, stream="**/*.csv", path_column=True)
    columns = (*N, StreamColumn(name="_path", type="string"))
    assert follower.look(columns) == [1, 2]
    assert {row["_path"] for row in follower.rows} == {"a\\xff\n'; DROP.csv", "$(touch x) [1].csv"}
    assert follower.look(columns) == [1, 2]


def test_a_folder_outside_those_of_the_operator_is_refused(tmp_path):
    (tmp_path / "in").mkdir()
    limit_to(Reach(folders=(str(tmp_path / "in"),)))
    with pytest.raises(Forbidden):
        load_connector("files")(find_connector("files").check({"folder": str(tmp_path / "in" / "..")}))


def test_packed_files_and_other_formats_go_through_the_same_readers(tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"n\n1\n"))
    follower = Follower(tmp_path, stream="*.csv.gz")
    assert follower.look() == [1]
    pl.DataFrame({"n": [2, 3]}).write_parquet(tmp_path / "a.parquet")
    assert Follower(tmp_path, stream="*.parquet").look() == [2, 3]


class FolderOrigin:
    stream, stream_parameters = "*.ndjson", {"min_age_s": 0.0}

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.folder, self.parameters, self.count = folder, {"folder": str(folder)}, 0
        self.wrong = [Wrong(parameters={"folder": str(folder / "nothing")}, field="folder")]
        self.write("empty.ndjson", b"")

    def write(self, name: str, data: bytes) -> None:
        (self.folder / name).write_bytes(data)

    def put(self, items) -> None:
        told = [{"id": one.id, "name": one.name, "at": one.at and one.at.isoformat()} for one in items]
        self.count += 1
        self.write(f"{self.count:03}.ndjson", "".join(json.dumps(one) + "\n" for one in told).encode())


class TestFolder(ConnectorContract):
    __test__ = True
    connector = "files"
    can_be_interrupted = False

    @pytest.fixture
    def origin(self, tmp_path):
        return FolderOrigin(tmp_path / "in")


@pytest.fixture(scope="module")
def simulator():
    """A simulator of S3 over HTTP: no real object store runs in the tests."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


class BucketOrigin(FolderOrigin):
    def __init__(self, folder: Path, endpoint: str) -> None:
        httpx.post(f"{endpoint}/moto-api/reset")
        httpx.put(f"{endpoint}/shop")
        keys = {"access_key_id": "reader", "secret_access_key": "correct-horse"}
        self.store = S3Store("shop", endpoint=endpoint, region="us-east-1", client_options={"allow_http": True}, **keys)
        super().__init__(folder)
        self.parameters = {
            "url": "s3://shop/in",
            "endpoint": endpoint,
            "access_key": "reader",
            "secret_key": "correct-horse",
        }
        self.wrong = [
            Wrong(parameters={"url": "s3://absent"}, field="url"),
            Wrong(parameters={"endpoint": "http://127.0.0.1:1"}, field="endpoint"),
        ]

    def write(self, name: str, data: bytes) -> None:
        self.store.put(f"in/{name}", data)


class TestBucket(ConnectorContract):
    __test__ = True
    connector = "files"
    can_be_interrupted = False
    dies_within_rows = 50_000

    @pytest.fixture
    def origin(self, tmp_path, simulator):
        return BucketOrigin(tmp_path / "in", simulator)


def test_objects_come_once_and_changed_ones_by_the_policy(tmp_path, simulator):
    origin = BucketOrigin(tmp_path / "in", simulator)
    follower = Follower(tmp_path, stream="**/*.csv", changed="again")
    follower.parameters = origin.parameters
    origin.write("x/a.csv", b"n\n1\n")
    origin.write("x/odd 客 +&?#%25.csv", b"n\n2\n")
    assert follower.look() == [1, 2]
    assert follower.look() == [1, 2]
    origin.write("x/a.csv", b"n\n1\n3\n")
    assert follower.look() == [1, 1, 2, 3]


def test_a_store_that_the_operator_closed_is_not_reached():
    limit_to(Reach())
    told = find_connector("files").check({"url": "s3://shop", "endpoint": "http://127.0.0.1:9"})
    from aimass.collector.connectors.reach import check_reach

    with pytest.raises(Forbidden):
        check_reach(find_connector("files").parameters, told)


def test_a_missing_library_is_told_with_the_command(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "obstore.store", None)
    with pytest.raises(MissingExtra) as told:
        load_connector("files")(find_connector("files").check({"url": "s3://shop"}))
    assert told.value.hint == "pip install 'aimass[s3]'"
