"""The conformance suite of places of tables: inherit it, give ``make`` and ``again``."""

from __future__ import annotations

import threading
import time
from abc import abstractmethod
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from aimass.infra.tables.port import LOG, Tables
from aimass.kernel.clock import SystemClock

_FIRST = f"{LOG}/{0:020}.json"
_SECOND = f"{LOG}/{1:020}.json"


class TablesContract:
    """What a place of tables must do; an adapter's test class inherits this."""

    __test__ = False

    @abstractmethod
    def make(self, root: Path) -> Tables:
        """Return an empty place, which a folder stands for."""

    @abstractmethod
    def again(self, tables: Tables, root: Path) -> Tables:
        """Return the same place as another process of this machine sees it."""

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        """Give each case a folder of its own."""
        return tmp_path / "lake"

    @pytest.fixture
    def tables(self, root: Path) -> Tables:
        """Give each case an empty place."""
        return self.make(root)

    def test_what_is_written_is_read_as_files(self, tables: Tables, root: Path, tmp_path: Path) -> None:
        """The log is there after a refresh, data files after they were brought."""
        table = _filled(tables, root / "demo" / "visits", tmp_path)
        other = self.again(tables, root)
        other.refresh(table)
        assert (table / _FIRST).read_bytes() == b"{}"
        other.bring(table, ["day=1/rows.parquet"])
        assert (table / "day=1/rows.parquet").read_bytes() == b"rows"
        found = {file.name: (file.size, file.is_log, file.is_data) for file in other.files(table)}
        assert found == {_FIRST: (2, True, False), "day=1/rows.parquet": (4, False, True)}

    def test_a_log_is_followed(self, tables: Tables, root: Path, tmp_path: Path) -> None:
        """A file that is new, changed or gone is so after a refresh."""
        table = _filled(tables, root / "demo" / "visits", tmp_path)
        other = self.again(tables, root)
        other.refresh(table)
        with tables.lease(table):
            tables.rewrite(table, _SECOND, b"second")
            tables.rewrite(table, _FIRST, b"first")
        other.refresh(table)
        assert [(table / name).read_bytes() for name in (_FIRST, _SECOND)] == [b"first", b"second"]
        with tables.lease(table):
            tables.remove(table, [_FIRST, f"{LOG}/_last_checkpoint"])
        other.refresh(table)
        assert sorted(file.name for file in (table / LOG).iterdir()) == [_SECOND.rpartition("/")[2]]

    def test_a_version_that_is_known_is_not_looked_for(self, tables: Tables, root: Path, tmp_path: Path) -> None:
        """Asking for a version brings it when it is new."""
        table = _filled(tables, root / "demo" / "visits", tmp_path)
        other = self.again(tables, root)
        other.refresh(table)
        tables.rewrite(table, _SECOND, b"second")
        other.refresh(table, 0)
        other.refresh(table, 1)
        assert (table / _SECOND).exists()

    def test_a_missing_table_has_nothing(self, tables: Tables, root: Path) -> None:
        """Nothing is made by looking, and what is missing can be removed."""
        table = root / "demo" / "visits"
        tables.refresh(table)
        tables.bring(table, [])
        tables.remove(table, [_FIRST])
        tables.sweep(table)
        tables.clear(table)
        tables.drop(table)
        assert list(tables.files(table)) == []
        assert (tables.used_at(table), tables.folders(root)) == (None, [])

    def test_removed_files_leave_no_bytes_behind(self, tables: Tables, root: Path, tmp_path: Path) -> None:
        """What one removes is gone for those who had read it."""
        table = _filled(tables, root / "demo" / "visits", tmp_path)
        other = self.again(tables, root)
        other.refresh(table)
        other.bring(table, ["day=1/rows.parquet"])
        with tables.lease(table):
            tables.remove(table, ["day=1/rows.parquet"])
            tables.sweep(table)
        assert not (table / "day=1/rows.parquet").exists()
        assert [file.name for file in other.files(table)] == [_FIRST]

    def test_a_file_of_another_table_is_taken_over(self, tables: Tables, root: Path, tmp_path: Path) -> None:
        """A copy stays when the first one goes."""
        table, branch = _filled(tables, root / "demo" / "visits", tmp_path), root / "demo" / "fix"
        tables.copy(table, "day=1/rows.parquet", branch, "day=1/part-1.parquet")
        tables.remove(table, ["day=1/rows.parquet"])
        other = self.again(tables, root)
        other.bring(branch, ["day=1/part-1.parquet"])
        assert (branch / "day=1/part-1.parquet").read_bytes() == b"rows"

    def test_tables_are_found_by_their_folders(self, tables: Tables, root: Path, tmp_path: Path) -> None:
        """Folders are named in order; a name that begins like another is another."""
        for name in ("visits", "visits-2", "_quarantine/visits"):
            _filled(tables, root / "demo" / name, tmp_path)
        assert [folder.name for folder in tables.folders(root)] == ["demo"]
        assert [folder.name for folder in tables.folders(root / "demo")] == ["_quarantine", "visits", "visits-2"]
        tables.drop(root / "demo" / "visits")
        assert [folder.name for folder in tables.folders(root / "demo")] == ["_quarantine", "visits-2"]
        assert sum(file.is_log or file.is_data for file in tables.files(root / "demo" / "_quarantine" / "visits")) == 2  # noqa: PLR2004 both
        assert sum(file.name.endswith((".json", ".parquet")) for file in tables.files(root / "demo")) == 4  # noqa: PLR2004 of two tables

    def test_a_dropped_table_goes_everywhere(self, tables: Tables, root: Path, tmp_path: Path) -> None:
        """Who had read a table that was dropped finds it gone, and one of the same name is another."""
        table = _filled(tables, root / "demo" / "visits", tmp_path)
        other = self.again(tables, root)
        other.refresh(table)
        other.bring(table, ["day=1/rows.parquet"])
        tables.drop(table)
        other.refresh(table)
        assert not (table / LOG).exists()
        tables.rewrite(table, _FIRST, b"another")
        other.refresh(table)
        assert (table / _FIRST).read_bytes() == b"another"

    def test_a_table_counts_as_used_when_it_is_stamped(self, tables: Tables, root: Path, tmp_path: Path) -> None:
        """A stamp is never older than the last commit, and about now."""
        table = _filled(tables, root / "demo" / "visits", tmp_path)
        written = tables.used_at(table)
        tables.stamp(table)
        stamped = tables.used_at(table)
        assert written is not None
        assert stamped is not None
        assert stamped >= written
        assert abs(SystemClock().now() - stamped) < timedelta(minutes=2)

    def test_one_writer_at_a_time(self, tables: Tables, root: Path) -> None:
        """Of many who hold the lease in turn no two hold it at once."""
        table, inside, most = root / "demo" / "visits", list[int](), list[int]()

        def write() -> None:
            mine = self.again(tables, root)
            with mine.lease(table):
                inside.append(1)
                most.append(len(inside))
                time.sleep(0.02)
                inside.pop()

        writers = [threading.Thread(target=write) for _ in range(4)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join(60)
        assert most == [1, 1, 1, 1]

    def test_a_lease_is_free_after_an_error_and_others_never_wait_for_it(self, tables: Tables, root: Path) -> None:
        """Who fails gives the lease back; that of another table is another."""
        with suppress(ValueError), tables.lease(root / "demo" / "visits"), tables.lease(root / "demo" / "other"):
            raise ValueError
        with tables.lease(root / "demo" / "visits"):
            pass


def _filled(tables: Tables, table: Path, outside: Path) -> Path:
    """Make a table with a log of one commit and one file."""
    made = outside / "made.parquet"
    made.write_bytes(b"rows")
    with tables.lease(table):
        tables.put(table, "day=1/rows.parquet", made)
        tables.rewrite(table, _FIRST, b"{}")
    made.unlink()
    return table
