"""Tables that a process keeps open between its commits."""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import median

import polars as pl
import pytest

from aimass.lake import Commit, commit, committed_before, scan
from aimass.lake.children.maintain import maintain

ROWS = pl.DataFrame({"a": range(3), "b": ["x", "y", "z"]})
OTHER = """
import sys, polars as pl
from aimass.lake import Commit, commit
commit(sys.argv[1], pl.DataFrame({"a": [9], "b": ["other"]}), Commit(app_id="other", batch=int(sys.argv[2])))
"""


def order(batch: int, app: str = "mine") -> Commit:
    """Return the transaction of a batch."""
    return Commit(app_id=app, batch=batch, metadata={"aimass.run": f"run-{batch}"})


def other_process(path: Path, batch: int) -> None:
    """Let another process commit a row."""
    subprocess.run([sys.executable, "-c", OTHER, str(path), str(batch)], check=True)


def test_commits_of_another_process_are_seen_and_none_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "t"
    for batch in range(1, 4):
        made = commit(path, ROWS, order(batch))
        assert made.version == 2 * (batch - 1)
        other_process(path, batch)
    found = committed_before(path, order(1, "other"))
    assert found is not None
    assert found.already
    assert scan(path).select(pl.len()).collect().item() == 3 * 3 + 3


def test_a_table_that_was_removed_and_made_anew_is_not_taken_for_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "t"
    for batch in range(1, 6):
        commit(path, ROWS, order(batch))
    shutil.rmtree(path)
    assert committed_before(path, order(5)) is None
    assert commit(path, ROWS, order(5)).version == 0
    for batch in range(6, 12):
        other_process(path, batch)
    assert commit(path, ROWS, order(6)).version == 7
    assert sorted(int(file.stem) for file in (path / "_delta_log").glob("*.json")) == list(range(8))


def test_a_batch_that_another_process_made_is_not_made_again(tmp_path: Path) -> None:
    path = tmp_path / "t"
    commit(path, ROWS, order(1))
    other_process(path, 7)
    again = commit(path, ROWS, Commit(app_id="other", batch=7))
    assert again.already
    assert again.version == 1


def test_a_failed_commit_lets_go_of_the_table(tmp_path: Path) -> None:
    path = tmp_path / "t"
    commit(path, ROWS, order(1))
    with pytest.raises(Exception, match=r"(?i)schema|cast|type"):
        commit(path, pl.DataFrame({"a": ["no number"], "b": ["x"]}), order(2))
    assert commit(path, ROWS, order(2)).version == 1


def test_new_columns_and_overwrites_pass_through_an_open_table(tmp_path: Path) -> None:
    path = tmp_path / "t"
    commit(path, ROWS, order(1))
    commit(path, ROWS.with_columns(c=pl.lit(1)), order(2))
    assert scan(path).collect()["c"].null_count() == 3
    commit(path, ROWS.head(1), Commit(app_id="mine", batch=3, mode="overwrite"))
    assert scan(path).collect().height == 1


@pytest.mark.long
@pytest.mark.timeout(900)
def test_three_thousand_small_commits_cost_the_same_at_the_end(tmp_path: Path) -> None:
    """The last third takes at most 1.1 times the CPU of the first, upkeep included; both are measured in turn, block by block."""
    block, third = 100, 10
    old, young = tmp_path / "old", tmp_path / "young"
    for number in range(2 * third):
        _block(old, number, block)
    spent = [(_block(young, number, block), _block(old, 2 * third + number, block)) for number in range(third)]
    assert [scan(path).select(pl.len()).collect().item() for path in (young, old)] == [
        len(ROWS) * block * thirds * third for thirds in (1, 3)
    ]
    first, last = (median(pair[place] for pair in spent) for place in (0, 1))
    assert last <= 1.1 * first, spent


def _block(path: Path, number: int, size: int) -> float:
    """Commit a block, and tend the table as upkeep does; return the CPU seconds."""
    before = _cpu_s()
    for batch in range(1, size + 1):
        commit(path, ROWS, order(number * size + batch))
    maintain({"path": str(path), "pinned": [], "retain_hours": 0, "vacuum": number % 10 == 9})
    return _cpu_s() - before


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
