"""Parts are cut by bytes as well as by rows, so that wide rows take no more memory than narrow ones."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
import psutil
import pytest
from pyarrow import Table, orc

from aimass.cluster import Runner
from aimass.collector import OneCollection, StartCollection
from aimass.collector.connectors.file.plan import plan_of
from aimass.collector.connectors.file.run.quarantine import Origin, Quarantine
from aimass.collector.connectors.file.run.read import propose_file, reading
from aimass.collector.connectors.port import StreamColumn, Wish
from aimass.collector.connectors.portions import PART_BYTES, PIECE_ROWS, fetched, pieces
from aimass.collector.connectors.reach import Reach, limit_to
from aimass.collector.connectors.sqlite.manifest import Parameters
from aimass.collector.connectors.sqlite.run import Sqlite
from tests.fixtures.collecting import children
from tests.fixtures.data import ANN, Data

MB = 2**20
COLUMNS = (StreamColumn(name="id", type="integer"), StreamColumn(name="body", type="string"))


def wide_view(path: Path, rows: int, width: int) -> Path:
    """Make a database whose rows are made while they are read; it takes a page on the disk."""
    numbers = f"WITH RECURSIVE t(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM t WHERE i < {rows - 1})"  # noqa: S608 own numbers
    body = f"i || '-' || substr(hex(zeroblob({width // 2})), 1, {width} - 1 - length(i)) AS body"
    with closing(sqlite3.connect(path)) as con:
        con.execute(f"CREATE VIEW wide AS {numbers} SELECT i AS id, {body} FROM t")  # noqa: S608 own numbers
        con.commit()
    return path


def test_rows_of_a_database_are_cut_by_bytes(tmp_path):
    limit_to(Reach(folders=(str(tmp_path),)))
    connector = Sqlite(Parameters(path=str(wide_view(tmp_path / "wide.db", 40, MB))))
    with closing(connector):
        parts = list(connector.read(Wish(stream="wide", columns=COLUMNS), {}))
    counts = [0 if part.rows is None else part.rows.num_rows for part in parts]
    assert counts == [8, 8, 8, 8, 8, 0]
    assert all(MB * rows <= part.size_bytes <= PART_BYTES + MB for rows, part in zip(counts, parts, strict=True))


def test_wide_rows_after_narrow_ones_are_weighed_before_many_came():
    left = [("narrow",)] * 1_000 + [("w" * MB,)] * 100
    asked: list[int] = []

    def fetch(count: int) -> list[tuple[str]]:
        asked.append(count)
        taken, left[:] = left[:count], left[count:]
        return taken

    sizes = [size for _, size in fetched(fetch, 50_000)]
    assert max(sizes) <= PART_BYTES + PIECE_ROWS * MB
    assert max(asked) == PIECE_ROWS
    assert len(sizes) >= 4


def test_a_batch_that_came_in_one_piece_is_cut_where_its_rows_are_wide():
    bodies = ["x" * MB] * 20 + ["y"] * 1_000 + ["z" * 40 * MB, None]
    frame = pl.DataFrame({"id": range(len(bodies)), "body": bodies})
    cut = list(pieces(frame))
    assert pl.concat(cut)["id"].to_list() == frame["id"].to_list()
    assert [len(one) for one in cut] == [7, 7, 1_006, 1, 1]
    assert [len(one) for one in pieces(frame.head(0))] == [0]


@pytest.mark.parametrize("file_format", ["ndjson", "arrow", "orc", "csv"])
def test_rows_of_a_file_are_cut_by_bytes(tmp_path, file_format):
    rows = 24
    frame = pl.DataFrame({"id": list(range(rows)), "body": ["x" * MB] * rows})
    path = tmp_path / f"wide.{file_format}"
    if file_format == "orc":
        orc.write_table(Table.from_pydict(frame.to_dict(as_series=False)), str(path))
    else:
        write = {"ndjson": frame.write_ndjson, "arrow": frame.write_ipc, "csv": frame.write_csv}[file_format]
        write(path)
    told = propose_file(path, {"filename": path.name})
    kept = Quarantine(tmp_path, Origin(source="s", run="r", batch=1))
    with reading(path, plan_of(told), tmp_path / "work") as (source, _):
        counts = [batch.num_rows for batch in source.batches(kept) if batch.num_rows]
    assert sum(counts) == rows
    assert max(counts) <= 9
    assert kept.count == 0


def test_rejected_rows_are_spooled_by_bytes(tmp_path):
    kept = Quarantine(tmp_path, Origin(source="s", run="r", batch=1))
    for line in range(24):
        kept.add("x" * MB, line, "a", "too wide", "CAST")
    frames = list(kept.frames())
    assert (sum(map(len, frames)), max(map(len, frames))) == (24, 8)


class Watch:
    """The largest resident memory of the processes in which jobs run."""

    def __init__(self) -> None:
        self.peak_bytes = 0

    def look(self) -> None:
        for child in children():
            try:
                told = Path(f"/proc/{child.pid}/status").read_text()
            except (OSError, psutil.NoSuchProcess):
                continue
            for line in told.splitlines():
                if line.startswith("VmHWM:"):
                    self.peak_bytes = max(self.peak_bytes, int(line.split()[1]) * 1024)


def loaded(data: Data, tmp_path: Path, rows: int, width: int) -> tuple[Any, Watch]:
    """Load a stream by a job, and watch its memory."""
    connection = data.connect("Shop", "sqlite", path=str(wide_view(tmp_path / "wide.db", rows, width)))
    (source,) = data.follow(connection, "wide", into="append")
    begun = data.collector.start_collection(ANN, StartCollection(workspace="demo", source=source.slug))
    watch, one = Watch(), OneCollection(workspace="demo", collection=begun.id)

    def is_over() -> bool:
        data.rooms.get(Runner).step()
        watch.look()
        return data.collector.get_collection(ANN, one).state != "RUNNING"

    data.rooms.until(is_over, 240)
    return data.collector.get_collection(ANN, one), watch


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_stream_of_a_gigabyte_is_loaded_in_less_than_half_of_one(data, tmp_path, monkeypatch):
    """Rows of 20,000 letters, all different: they are read, cast, stored, profiled and checked by rules in one job."""
    monkeypatch.setenv("AIMASS_COLLECTOR_FOLDERS", json.dumps([str(tmp_path)]))
    rows, width = 50_000, 20_000
    ended, watch = loaded(data, tmp_path, rows, width)
    assert (ended.state, ended.rows) == ("SUCCEEDED", rows), ended
    table = pl.scan_delta(str(data.lake.table_path("demo", "wide")))
    assert table.select(pl.len(), pl.col("id").n_unique().alias("ids")).collect().row(0) == (rows, rows)
    assert set(table.select(pl.col("body").str.len_bytes()).slice(rows - 100).collect()["body"]) == {width}
    assert 100 * MB < watch.peak_bytes < 500 * MB
