from __future__ import annotations

import csv
import io
import itertools
import socket
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import psutil
import pyarrow as pa
import pytest
from arro3.core import Table as ArrowTable

from aimass.access import CAPABILITY as ACCESS
from aimass.access import Access, CreateKey
from aimass.client import Client
from aimass.cluster import CAPABILITY as CLUSTER
from aimass.collector import CAPABILITY as COLLECTOR
from aimass.kernel.errors import Forbidden, Invalid, MissingExtra, TooLarge
from aimass.lake import CAPABILITY as LAKE
from aimass.lake.children import answers
from aimass.lake.policies import SetPolicy
from tests.fixtures.browser import serving
from tests.fixtures.data import ANN, Data
from tests.fixtures.rooms import Rooms
from tests.fixtures.site import Site, site_of
from tests.lake.test_asking import SLOW, reading, running, runs, until

CSV = "id,mail\n" + "".join(f"{n},p{n}@x.org\n" for n in range(1, 101))
COUNT = itertools.count()
ARROW = "application/vnd.apache.arrow.stream"
KINDS = """
select 1::bigint i, 2.5::double f, true b, 'é€'::varchar s, null::varchar nothing, date '2026-05-01' d,
    timestamptz '2026-05-01 12:00:00+02' t, 12.340::decimal(18, 3) m, [1, 2] l, {'a': 1} r, sum(id) big from people
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site_of(tmp_path_factory.mktemp("site"), [ACCESS, CLUSTER, LAKE, COLLECTOR]) as found:
        Data(Rooms(found.folder, [], registry=found.registry)).collect(CSV, "People", types={"id": "integer"})
        yield found


@pytest.fixture
def client(site: Site) -> Iterator[Client]:
    with serving(site.app) as url, Client(url, key=key(site, "analyst"), workspace="demo") as client:
        yield client


def key(site: Site, role: str) -> str:
    wish = CreateKey(workspace="demo", name=f"key {next(COUNT)}")
    return site.registry.get(Access).create_key(site.people[role], wish).text


def test_the_sdk_gives_frames_tables_and_rows_with_their_types(client):
    answer = client.query(KINDS)
    frame = answer.to_polars()
    assert frame.schema["m"] == pl.Decimal(18, 3)
    (row,) = answer.rows()
    assert (row["i"], row["f"], row["b"], row["s"], row["nothing"]) == (1, 2.5, True, "é€", None)
    assert (row["d"], row["m"], row["l"], row["r"]) == (date(2026, 5, 1), Decimal("12.340"), [1, 2], {"a": 1})
    assert row["t"] == datetime(2026, 5, 1, 10, tzinfo=UTC)
    assert row["big"] == 5050
    table = answer.to_arrow()
    assert isinstance(table, ArrowTable)
    assert pa.table(table).column("i").to_pylist() == [1]
    assert pa.ipc.open_stream(answer.path).read_all().column("s").to_pylist() == ["é€"]
    assert answer.to_pandas()["m"].tolist() == [Decimal("12.340")]
    path = answer.path
    del answer
    assert not path.exists()


def test_values_go_in_as_parameters_and_are_no_text(client):
    sql = "select id from people where mail = $mail"
    assert client.query(sql, parameters={"mail": "p7@x.org"}).rows() == [{"id": 7}]
    assert client.query(sql, parameters={"mail": "' or true --"}).rows() == []
    assert client.query("select id from people where id < $n order by id", parameters={"n": 3}).rows() == [
        {"id": 1},
        {"id": 2},
    ]
    with pytest.raises(Invalid, match="parameter"):
        client.query(sql)


def test_an_answer_without_rows_keeps_its_columns(client):
    frame = client.query("select id, mail from people where false").to_polars()
    assert (frame.schema, frame.height) == (pl.Schema({"id": pl.Int64, "mail": pl.String}), 0)


def test_a_missing_library_is_told_by_name(client, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(MissingExtra) as wrong:
        client.query("select 1").to_pandas()
    assert wrong.value.hint == "pip install 'aimass[pandas]'"


@pytest.mark.parametrize("file_format", ["csv", "parquet", "ndjson", "arrow", "avro", "xlsx"])
def test_an_answer_is_written_in_every_format(client, tmp_path, file_format):
    sql = "select id, mail, [id, 1] as l, id * 1.5 as f from people order by id"
    path = client.query_to_file(sql, tmp_path / "a", file_format=file_format)
    readers = {
        "parquet": pl.read_parquet,
        "ndjson": pl.read_ndjson,
        "avro": pl.read_avro,
        "xlsx": pl.read_excel,
        "arrow": pl.read_ipc_stream,
        "csv": lambda file: pl.DataFrame(list(csv.DictReader(io.StringIO(Path(file).read_text())))),
    }
    frame = readers[file_format](path)
    assert (frame.columns, frame.height) == (["id", "mail", "l", "f"], 100)
    assert str(frame["id"][99]) == "100"
    assert frame["mail"][99] == "p100@x.org"
    assert "100" in str(frame["l"].to_list()[99])
    with pytest.raises(Invalid, match="no such format"):
        client.query_to_file(sql, tmp_path / "b", file_format="xml")


def test_what_goes_wrong_is_told_as_it_is_elsewhere_and_leaves_no_file(client, site, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(Invalid, match="no dataset 'nothing'"):
        client.query("select * from nothing")
    with pytest.raises(Invalid, match='"mail" is no INT32'):
        client.query("select mail::integer from people")
    lake = Data(Rooms(site.folder, [], registry=site.registry)).lake
    monkeypatch.setattr(lake._ground.settings, "query_file_mb", 1)
    with pytest.raises(TooLarge, match="larger than 1 MB"):
        client.query("select i, repeat('x', 100) from range(200000) t(i)")
    with pytest.raises(TooLarge, match=r"longer than 0\.2 s"):
        client.query(SLOW, timeout_s=0.2)
    assert list(tmp_path.iterdir()) == []


def test_policies_count_for_files_too(client, site):
    lake = Data(Rooms(site.folder, [], registry=site.registry)).lake
    where: dict[str, Any] = {"workspace": "demo", "dataset": "people"}
    lake.set_policy(ANN, SetPolicy(**where, policy="few", filter="id <= 3"))
    lake.set_policy(ANN, SetPolicy(**where, policy="mail", columns=["mail"], mask="full"))
    try:
        assert client.query("select distinct mail from people").rows() == [{"mail": "•••"}]
        assert client.query("select count(*) as n from people").rows() == [{"n": 3}]
    finally:
        for name in ("few", "mail"):
            lake.set_policy(ANN, SetPolicy(**where, policy=name, filter="true", enabled=False))


def test_a_large_answer_is_streamed_without_memory_for_it(data, tmp_path):
    """32 million rows, 512 MB, are written while the child stays far below that."""
    target = tmp_path / "answer"
    warm = data.lake._ground.warm
    warm.call(
        "aimass.lake.children.answers:write", {**order("select 1 as i"), "format": "arrow", "target": str(target)}
    )
    (child,) = map(psutil.Process, warm.pids)
    before = child.memory_info().rss
    sql = "select i, i * 2 as j from range(32000000) t(i)"
    told = warm.call(
        "aimass.lake.children.answers:write", {**order(sql), "format": "arrow", "target": str(target)}, timeout_s=120
    )
    assert told["rows"] == 32_000_000
    assert target.stat().st_size > 500_000_000
    assert child.memory_info().rss - before < 300 * 2**20
    with pa.OSFile(str(target)) as source:
        batches = pa.ipc.open_stream(source)
        first = batches.read_next_batch()
        assert (first.schema.names, sum(batch.num_rows for batch in batches) + first.num_rows) == (
            ["i", "j"],
            32_000_000,
        )


def order(sql):
    return {"sql": sql, "tables": {}, "known": ["people"]}


def test_a_name_for_a_row_that_is_a_category_is_written_as_text(tmp_path):
    target = tmp_path / "a"
    answers.write({**order("select 'a'::enum('a', 'b') as e"), "format": "arrow", "target": str(target)})
    assert pl.read_ipc_stream(target)["e"].to_list() == ["a"]


def test_a_stream_ends_when_who_asked_has_gone(data):
    data.collect(CSV, "People", types={"id": "integer"})
    with data.http() as client, serving(client.app) as address:
        host, port = address.removeprefix("http://").split(":")
        body = f'{{"sql": "{SLOW}"}}'.encode()
        with socket.create_connection((host, int(port))) as connection:
            head = f"POST /api/v1/workspaces/demo/query HTTP/1.1\r\nHost: x\r\nX-Who: uma\r\nAccept: {ARROW}\r\n"
            head += "Content-Type: application/json\r\n"
            connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            reading(data)
        until(lambda: not running(data))
        until(lambda: runs(data))
        assert [(run.state, run.via) for run in runs(data)] == [("CANCELLED", "arrow")]


@pytest.mark.parametrize(("who", "status"), [("", 401), ("stranger", 404), ("eve", 403), ("uma", 200)])
def test_the_ladder_of_callers(data, who, status):
    with data.http() as client:
        answer = client.post(
            "/api/v1/workspaces/demo/query", json={"sql": "select 1 as a"}, headers={"x-who": who, "accept": "text/csv"}
        )
        assert answer.status_code == status
        if status == 200:
            assert (answer.text, answer.headers["content-type"]) == ("a\n1\n", "text/csv; charset=utf-8")
            bad = client.post("/api/v1/workspaces/demo/query", json={"sq": 1}, headers={"x-who": who, "accept": ARROW})
            assert bad.status_code in (400, 422)


def test_who_may_not_ask_hears_so_in_the_sdk(site):
    with (
        serving(site.app) as url,
        Client(url, key=key(site, "viewer"), workspace="demo") as client,
        pytest.raises(Forbidden),
    ):
        client.query("select 1")
