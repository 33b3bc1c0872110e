"""The log of a table is tidied, and what is kept stays readable."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from aimass.kernel.errors import NotFound
from aimass.lake import Commit, commit, committed_before, open_table, scan
from aimass.lake.children.erase import erase
from aimass.lake.children.log import entries, readable, tidy
from aimass.lake.children.maintain import maintain


def filled(path: Path, count: int, *, app: str = "mine") -> None:
    """Commit one row at a time."""
    for batch in range(1, count + 1):
        rows = pl.DataFrame({"n": [batch], "who": [f"person-{batch % 7}"]})
        commit(path, rows, Commit(app_id=app, batch=batch, metadata={"aimass.run": str(batch)}))


def rows(path: Path, version: int | None = None) -> int:
    """Count the rows of a version."""
    return int(scan(path, version).select(pl.len()).collect().item())


def test_kept_versions_outlive_the_commits_that_led_to_them(tmp_path: Path) -> None:
    path = tmp_path / "t"
    filled(path, 230)
    removed = tidy(path, [17, 120, 130], hours=0)
    assert removed > 220
    assert [rows(path, version) for version in (17, 120, 130, 229)] == [18, 121, 131, 230]
    assert readable(path) == {17, 120, 130, 229}
    with pytest.raises(NotFound, match="version"):
        open_table(path, 60)
    filled(path, 5, app="other")
    assert rows(path) == 235
    assert tidy(path, [17, 231], hours=0) > 0
    assert [rows(path, version) for version in (17, 231, 234)] == [18, 232, 235]


def test_where_every_version_is_kept_the_commits_stay_and_only_one_checkpoint_is_written(tmp_path: Path) -> None:
    path = tmp_path / "t"
    filled(path, 90)
    assert tidy(path, range(90), hours=0) == 0
    assert [rows(path, version) for version in (0, 44, 89)] == [1, 45, 90]
    assert len(list((path / "_delta_log").glob("*.checkpoint.parquet"))) == 1
    assert tidy(path, [0, 89], hours=0) > 80
    assert [rows(path, version) for version in (0, 89)] == [1, 90]


def test_what_is_done_once_leaves_no_commit_behind(tmp_path: Path) -> None:
    path = tmp_path / "t"
    for number in range(30):
        commit(path, pl.DataFrame({"n": [number]}), Commit(app_id=f"rows:{number}", batch=1))
    assert tidy(path, [], hours=0) > 28
    again = committed_before(path, Commit(app_id="rows:3", batch=1))
    assert again is not None
    assert rows(path) == 30


def test_a_source_finds_its_last_commit_after_the_tidying(tmp_path: Path) -> None:
    path = tmp_path / "t"
    rows_ = pl.DataFrame({"n": [0], "who": ["x"]})
    commit(path, rows_, Commit(app_id="quiet", batch=3, metadata={"aimass.run": "r", "aimass.state": '{"at": 9}'}))
    filled(path, 40)
    tidy(path, [], hours=0)
    found = committed_before(path, Commit(app_id="quiet", batch=3, metadata={"aimass.run": "r"}))
    assert found is not None
    assert found.version == 0
    states = [entry.info.get("aimass.state") for entry in entries(path) if entry.info.get("aimass.run") == "r"]
    assert states == ['{"at": 9}']


def test_young_files_of_the_log_stay_for_readers_that_have_just_begun(tmp_path: Path) -> None:
    path = tmp_path / "t"
    filled(path, 30)
    assert tidy(path, [], hours=1) == 0
    assert rows(path, 11) == 12


def test_upkeep_tidies_and_keeps_what_is_pinned(tmp_path: Path) -> None:
    path = tmp_path / "t"
    filled(path, 150)
    told = maintain({"path": str(path), "pinned": [9, 140], "retain_hours": 0})
    assert told["compacted"] == 150
    assert rows(path, 9) == 10
    assert rows(path, 140) == 141
    assert rows(path) == 150
    assert len(list((path / "_delta_log").iterdir())) < 20


def test_a_person_is_erased_from_a_tidied_table_and_from_its_checkpoints(tmp_path: Path) -> None:
    path = tmp_path / "t"
    rows_ = pl.DataFrame({"n": [1, 2], "who": ["ann.archer@example.org", "b"]})
    commit(path, rows_, Commit(app_id="mine", batch=1))
    filled(path, 30, app="more")
    maintain({"path": str(path), "pinned": [0, 12, 30], "retain_hours": 0})
    filled(path, 3, app="again")
    told = erase({
        "path": str(path), "values": ["ann.archer@example.org"], "columns": ["who"], "texts": [], "kept": [0, 12, 30],
        "app_id": "erasure-1",
    })  # fmt: skip
    assert told["deleted"] == 1
    assert told["found"] == []
    assert rows(path) == 1 + 30 + 3
    assert told["lost"] == [0, 12, 30]
    left = b"".join(file.read_bytes() for file in path.rglob("*") if file.is_file() and file.suffix == ".json")
    assert b"ann.archer" not in left
    assert DeltaTable(str(path)).version() == told["version"] or told["version"] is not None
    filled(path, 35, app="more")
    assert rows(path) == 1 + 35 + 3
