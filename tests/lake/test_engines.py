"""Engines that wait for the next query: they are lent for the same files alone, and nothing of one query is there for the next."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl
import pytest

from aimass.lake.children.engines import Engines, Limits
from aimass.lake.children.quoting import sql_literal

LIMITS = Limits(memory_mb=64)


@pytest.fixture
def engines() -> Iterator[Engines]:
    made = Engines(kept=2)
    yield made
    made.close()


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    paths = [str(tmp_path / f"{name}.parquet") for name in "abc"]
    for n, path in enumerate(paths):
        pl.DataFrame({"n": [n]}).write_parquet(path)
    return paths


def read(con: duckdb.DuckDBPyConnection, path: str) -> list[tuple[int]]:
    return con.execute(f"SELECT n FROM read_parquet([{sql_literal(path)}])").fetchall()  # noqa: S608 quoted


def leave_a_mark(con: duckdb.DuckDBPyConnection) -> None:
    """Do what no query can: a table that is there for whoever gets the same engine."""
    con.execute("CREATE TABLE mark AS SELECT 1 AS n")


def is_marked(con: duckdb.DuckDBPyConnection) -> bool:
    return bool(con.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'mark'").fetchall())


def test_it_is_kept_for_the_same_files_and_limits_alone(engines: Engines, files: list[str]) -> None:
    with engines.lent(files[:2], LIMITS) as con:
        leave_a_mark(con)
    with engines.lent(files[:1], LIMITS) as con:
        assert not is_marked(con)
    with engines.lent(files[:2], Limits(memory_mb=65)) as con:
        assert not is_marked(con)
    with engines.lent([files[1], files[0]], LIMITS) as con:
        assert not is_marked(con), "two others were used since"
    with engines.lent(files[:2], LIMITS) as con:
        leave_a_mark(con)
    with engines.lent([files[1], files[0]], LIMITS) as con:
        assert is_marked(con)


def test_it_reads_its_files_and_nothing_else_and_stays_so(engines: Engines, files: list[str]) -> None:
    for _ in range(2):
        with engines.lent(files[:1], LIMITS) as con:
            assert read(con, files[0]) == [(0,)]
            with pytest.raises(duckdb.PermissionException):
                read(con, files[1])
            with pytest.raises(duckdb.Error, match="locked"):
                con.execute(f"SET allowed_paths = [{sql_literal(files[1])}]")
            with pytest.raises(duckdb.Error, match="locked"):
                con.execute("SET memory_limit = '4GB'")


def test_views_and_variables_end_with_their_query(engines: Engines, files: list[str]) -> None:
    with engines.lent(files[:1], LIMITS) as con:
        con.execute("SET VARIABLE secret = 'of the first'")
        con.execute(f"CREATE TEMP VIEW mine AS SELECT n FROM read_parquet([{sql_literal(files[0])}])")  # noqa: S608 quoted
        leave_a_mark(con)
    with engines.lent(files[:1], LIMITS) as con:
        assert is_marked(con)
        assert con.execute("SELECT getvariable('secret')").fetchall() == [(None,)]
        assert con.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall() == []
        told = "SELECT current_setting('TimeZone'), current_setting('python_enable_replacements')"
        assert con.execute(told).fetchall() == [("UTC", False)]


def test_two_at_once_have_one_each(engines: Engines, files: list[str]) -> None:
    with engines.lent(files, LIMITS) as first, engines.lent(files, LIMITS) as second:
        leave_a_mark(first)
        assert not is_marked(second)
    with engines.lent(files, LIMITS) as con:
        assert is_marked(con), "the one that was given back last"


@pytest.mark.parametrize("reason", [ValueError("broken"), KeyboardInterrupt()])
def test_one_whose_query_failed_is_not_used_again(engines: Engines, files: list[str], reason: BaseException) -> None:
    with pytest.raises(type(reason)), engines.lent(files, LIMITS) as con:
        leave_a_mark(con)
        raise reason
    with engines.lent(files, LIMITS) as con:
        assert not is_marked(con)
