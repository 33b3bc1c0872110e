"""Tables under many writers, under readers whose files are tidied away, and on a disk that is full."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import polars as pl
import pytest

from aimass.kernel.errors import Unavailable
from aimass.lake import open_table
from aimass.lake.children.append import append
from aimass.lake.children.maintain import maintain
from aimass.lake.children.query import batches, running
from aimass.lake.children.rewrite import ask
from tests.fixtures.disks import filled, small_disk
from tests.fixtures.lake_writers import ERASED, FIRST, KEPT, write


@pytest.mark.parametrize(
    ("kinds", "rounds"),
    [
        (["append", "merge", "delete", "erase", "tidy"], 3),
        pytest.param(
            ["append"] * 3 + ["merge", "merge", "delete", "erase", "tidy", "tidy"],
            20,
            marks=[pytest.mark.long, pytest.mark.timeout(300)],
        ),
    ],
    ids=["five", "nine"],
)
def test_writers_that_append_merge_delete_erase_and_tidy_at_once_lose_and_double_nothing(table, kinds, rounds):
    people = range(ERASED, ERASED + 50)
    table.append([{"id": n, "v": 0} for n in [*range(2 * KEPT + 20), *people]])
    numbers = [kinds[:place].count(kind) for place, kind in enumerate(kinds)]
    with ProcessPoolExecutor(len(kinds), mp_context=get_context("spawn")) as pool:
        paths, turns = [table.path] * len(kinds), [rounds] * len(kinds)
        assert list(pool.map(write, kinds, numbers, paths, turns)) == turns
    here = {n: 0 for n in people if not ERASED < n <= ERASED + rounds}
    merged = {n: rounds if n < 50 * kinds.count("merge") else 0 for n in range(KEPT)}
    left = {n: 0 for n in range(KEPT, 2 * KEPT + 20) if not KEPT + 5 <= n < KEPT + 5 * (rounds + 1)}
    added = {
        FIRST * (number + 1) + turn * 10 + n: turn
        for number in range(kinds.count("append"))
        for turn in range(1, rounds + 1)
        for n in range(10)
    }
    assert sorted(table.rows()) == sorted({**merged, **left, **here, **added}.items())


def test_a_reader_that_has_begun_ends_with_its_rows_while_upkeep_replaces_every_file(table):
    for part in range(6):
        table.append([{"id": part * 5_000 + n, "text": f"row {n}" * 5} for n in range(5_000)])
    wish = {"tables": {"t": {"path": table.path, "version": 5}}, "memory_mb": 512, "timeout_s": 60}
    with running(wish, ask("SELECT id FROM t", wish["tables"])) as (relation, _):
        reader = batches(relation)
        seen = [pl.DataFrame(reader.read_next_batch())]
        told = maintain({"path": table.path, "retain_hours": 1})
        assert told["compacted"] == 6
        seen += [pl.DataFrame(batch) for batch in reader]
    assert sorted(pl.concat(seen)["id"].to_list()) == list(range(30_000))


def test_what_upkeep_removes_is_never_what_a_pinned_version_needs(table):
    for part in range(8):
        table.append([{"id": part}], mode="overwrite" if part % 3 == 0 else "append")
    before = {version: sorted(table.rows(version)) for version in (1, 4)}
    for _ in range(2):
        maintain({"path": table.path, "pinned": [1, 4], "retain_hours": 0})
        assert {version: sorted(table.rows(version)) for version in (1, 4)} == before
        table.append([{"id": 99}])


def test_a_full_disk_stops_an_append_and_leaves_the_table_as_it_was(tmp_path):
    rows = [{"id": n, "text": f"{n * 7919 % 99991:x}" * 9} for n in range(2_000)]
    with small_disk(tmp_path / "disk", 16) as disk:
        order = {"path": str(disk / "t"), "rows": rows, "app_id": "a"}
        append({**order, "batch": 1})
        filler = filled(disk)
        with pytest.raises(Unavailable, match="the disk is full"):
            append({**order, "batch": 2})
        assert pl.read_delta(order["path"]).height == 2_000
        filler.unlink()
        assert append({**order, "batch": 2}) == {"version": 1, "rows": 2_000, "already": False}
        assert pl.read_delta(order["path"]).height == 4_000
        maintain({"path": order["path"], "retain_hours": 0, "compact": False})
        kept = {Path(uri).name for uri in open_table(order["path"]).file_uris()}
        assert {file.name for file in (disk / "t").glob("*.parquet")} == kept


def test_a_full_disk_leaves_nothing_of_a_table_that_was_to_be_made(tmp_path):
    with small_disk(tmp_path / "disk", 16) as disk:
        order = {"path": str(disk / "t"), "rows": [{"id": 1, "text": "x" * 5_000}], "app_id": "a", "batch": 1}
        filler = filled(disk)
        with pytest.raises(Unavailable, match="the disk is full"):
            append(order)
        filler.unlink()
        assert append(order)["version"] == 0
        assert pl.read_delta(order["path"]).height == 1
