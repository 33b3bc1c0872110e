"""Columns of so many rows that they are not held at once: an engine counts them, and spills to disk what does not fit."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import polars as pl

from aimass.lake.children.engines import engine
from aimass.lake.children.quoting import sql_literal, sql_name
from aimass.lake.children.values import plain

MANY_ROWS = 4_000_000
MEMORY_MB = 192
PART_VALUES = 12_000_000  # different ones that are counted at once: more of them do not fit, spilled or not
SURELY = 1.5  # times the estimate of how many there are
ENOUGH = 500_000  # numbers that are fetched to be ranked
CUTS = 4096
_TIMES = '"times§"'  # the name of no column
_BLANK = r"[\s\v\x{85}\p{Z}]*"


@dataclass(frozen=True, slots=True)
class Many:
    """A version of a table in the words of the engine.

    Attributes
    ----------
    rows, count
        ``SELECT`` that yields them, and how many they are.
    schema
        Columns and their types, as they are read elsewhere.
    estimates
        How many different values some columns have, about.
    """

    con: duckdb.DuckDBPyConnection
    rows: str
    count: int
    schema: dict[str, pl.DataType]
    estimates: dict[tuple[str, ...], int] = field(default_factory=dict[tuple[str, ...], int])

    def one(self, told: str, where: str = "true") -> tuple[Any, ...]:
        """Return one row of aggregates."""
        found = self.con.execute(f"SELECT {told} FROM ({self.rows}) WHERE {where}").fetchone()  # noqa: S608 quoted
        return found or ()

    def nulls(self, name: str) -> int:
        """Return how many cells of a column are empty."""
        return int(self.one("count(*)", f"{sql_name(name)} IS NULL")[0])

    def distinct(self, name: str) -> int:
        """Return how many different values a column has."""
        cell, found = sql_name(name), 0
        for part in self._parts([name]):
            groups = f"SELECT 1 FROM ({self.rows}) WHERE {cell} IS NOT NULL AND {part} GROUP BY {cell}"  # noqa: S608 quoted
            found += int(self.con.execute(f"SELECT count(*) FROM ({groups})").fetchall()[0][0])  # noqa: S608 quoted
        return found

    def top(self, name: str, count: int) -> list[tuple[Any, int]]:
        """Return the most frequent values, ties in the order of the values."""
        cell = sql_name(name)
        found: list[tuple[Any, int]] = []
        for part in self._parts([name]):
            query = f"""
                SELECT {self._told(cell, name)}, {_TIMES} FROM (
                    SELECT {cell}, count(*) AS {_TIMES} FROM ({self.rows}) WHERE {cell} IS NOT NULL AND {part}
                    GROUP BY {cell} ORDER BY {_TIMES} DESC, {cell} LIMIT {int(count)})"""  # noqa: S608 quoted
            found += [(self._read(value, name), int(times)) for value, times in self.con.execute(query).fetchall()]
        return sorted(found, key=lambda one: (-one[1], one[0] != one[0], one[0]))[:count]

    def _parts(self, columns: Sequence[str]) -> list[str]:
        """Return conditions that divide the values into parts which are counted one after the other, each in a reading of its own."""
        cells = ", ".join(map(sql_name, columns))
        count = -(-self._most_values(columns, cells) // PART_VALUES)
        return [f"hash({cells}) % {count} = {part}" for part in range(count)] if count > 1 else ["true"]

    def _most_values(self, columns: Sequence[str], cells: str) -> int:
        """Return how many different values there are at most, by an estimate that is asked for only where it may save a reading."""
        if self.count <= PART_VALUES:
            return self.count
        key = tuple(columns)
        if key not in self.estimates:
            self.estimates[key] = int(self.one(f"approx_count_distinct(hash({cells}))")[0])
        return min(self.count, int(self.estimates[key] * SURELY))

    def bounds(self, name: str) -> tuple[Any, Any]:
        """Return the smallest and the largest value."""
        cell = sql_name(name)
        low, high = self.one(f"{self._told(f'min({cell})', name)}, {self._told(f'max({cell})', name)}")
        return self._read(low, name), self._read(high, name)

    def texts(self, name: str) -> dict[str, Any]:
        """Return shortest and longest length of the texts of a column, and how many are blank."""
        cell = sql_name(name)
        blank = f"count(*) FILTER (regexp_full_match({cell}, {sql_literal(_BLANK)}))"
        low, high, empty = self.one(f"min(length({cell})), max(length({cell})), {blank}")
        return {"min_length": low, "max_length": high, "blank": int(empty)}

    def repeated(self, columns: Sequence[str]) -> int:
        """Return how many rows share what they have in some columns with others; empty cells do not count."""
        found = 0
        for part in self._parts(columns):
            groups = self._groups(columns, f"count(*) AS {_TIMES}", part)
            found += int(self.con.execute(f"SELECT coalesce(sum({_TIMES}), 0) FROM ({groups})").fetchall()[0][0])  # noqa: S608 quoted
        return found

    def examples(self, columns: Sequence[str], count: int) -> pl.DataFrame:
        """Return some of the values that are there more than once."""
        told = ", ".join(self._told(sql_name(name), name) for name in columns)
        rows: list[tuple[Any, ...]] = []
        for part in self._parts(columns):
            groups = self._groups(columns, ", ".join(map(sql_name, columns)), part)
            rows += self.con.execute(f"SELECT {told} FROM ({groups}) LIMIT {int(count)}").fetchall()  # noqa: S608 quoted
            if len(rows) >= count:
                break
        cells = zip(*rows, strict=True) if rows else [() for _ in columns]
        return pl.DataFrame(
            [
                pl.Series(name, [self._read(value, name) for value in values], dtype=self.schema[name])
                for name, values in zip(columns, cells, strict=True)
            ]
        )

    def _groups(self, columns: Sequence[str], told: str, part: str) -> str:
        names = [sql_name(name) for name in columns]
        there = " AND ".join(f"{name} IS NOT NULL" for name in names)
        where = f"{there} AND {part} GROUP BY {', '.join(names)} HAVING count(*) > 1"
        return f"SELECT {told} FROM ({self.rows}) WHERE {where}"  # noqa: S608 quoted

    def _told(self, cell: str, name: str) -> str:
        """Write a value so that it comes over without a library for time zones."""
        return f"epoch_us({cell})" if isinstance(self.schema[name], pl.Datetime) else cell

    def _read(self, value: Any, name: str) -> Any:
        kind = self.schema[name]
        if value is None or not isinstance(kind, pl.Datetime):
            return value
        return pl.Series([value], dtype=pl.Int64).cast(pl.Datetime("us", kind.time_zone))[0]


@contextmanager
def opened(files: Sequence[str], count: int, schema: dict[str, pl.DataType]) -> Iterator[Many]:
    """Open an engine for a version of a table, with a folder to spill to that goes with it."""
    listed = ", ".join(map(sql_literal, files))
    rows = f"SELECT * FROM read_parquet([{listed}], union_by_name = true)"  # noqa: S608 quoted
    with TemporaryDirectory(prefix="aimass-") as spill, engine(memory_mb=MEMORY_MB, spill=spill) as con:
        con.execute("SET preserve_insertion_order = false")
        known = {str(row[0]) for row in con.execute(f"DESCRIBE {rows}").fetchall()}
        absent = [f"NULL AS {sql_name(name)}" for name in schema if name not in known]
        whole = f"SELECT {', '.join(['*', *absent])} FROM ({rows})" if absent else rows  # noqa: S608 quoted
        yield Many(con, whole, count, schema)


class Numbers:
    """The finite numbers of a column."""

    def __init__(self, many: Many, name: str) -> None:
        self._many = many
        self._cell = sql_name(name)
        is_float = many.schema[name].is_float()
        self._finite = f"{self._cell} IS NOT NULL" + (f" AND isfinite({self._cell})" if is_float else "")
        self._value = f"CAST({self._cell} AS DOUBLE)"
        self.count, self.zeros = map(int, many.one(f"count(*), count(*) FILTER ({self._cell} = 0)", self._finite))
        self.low, self.high = many.one(f"min({self._cell}), max({self._cell})", self._finite)

    def mean(self) -> Any:
        """Return the mean, None where it leaves the numbers."""
        return self._number(f"avg({self._value})")

    def std(self) -> Any:
        """Return the standard deviation, None where it leaves the numbers."""
        return self._number(f"stddev_samp({self._value})")

    def _number(self, told: str) -> Any:
        with suppress(duckdb.OutOfRangeException):
            return plain(self._many.one(told, self._finite)[0])
        return None

    def counted(self, low: float, width: float, bins: int) -> dict[int, int]:
        """Return how many numbers are in each bin of equal width."""
        return {place: count for place, count, *_ in self._binned(low, width, bins, low, float(self.high))}

    def quantile(self, shares: Sequence[float]) -> list[float]:
        """Return quantiles, linear between neighbours."""
        places = [share * (self.count - 1) for share in shares]
        pairs = [(math.floor(place), min(math.floor(place) + 1, self.count - 1)) for place in places]
        ranked = self._ranked(sorted({rank for pair in pairs for rank in pair}))
        steps = zip(places, pairs, strict=True)
        return [ranked[low] + (ranked[high] - ranked[low]) * (place - low) for place, (low, high) in steps]

    def _ranked(self, ranks: Sequence[int]) -> dict[int, float]:
        """Return the numbers at some places of their order: bins that hold a wanted place are looked at more closely."""
        found: dict[int, float] = {}
        todo = [(float(self.low), float(self.high), 0, self.count)]
        while todo:
            low, high, before, count = todo.pop()
            wanted = [rank for rank in ranks if before <= rank < before + count]
            if not wanted:
                continue
            width = (high - low) / CUTS
            if low == high:
                found |= dict.fromkeys(wanted, low)
            elif count <= ENOUGH or not math.isfinite(width) or low + width == low:
                found |= self._picked(low, high, before, wanted)
            else:
                for _, here, least, most in self._binned(low, width, CUTS, low, high):
                    todo.append((least, most, before, here))
                    before += here
        return found

    def _binned(
        self, low: float, width: float, bins: int, least: float, most: float
    ) -> list[tuple[int, int, float, float]]:
        """Return place, count, smallest and largest of each bin that holds any number, in their order."""
        place = f"least(greatest(floor(({self._value} - ?) / ?), 0), {bins - 1})"
        query = f"""
            SELECT CAST({place} AS INTEGER), count(*), min({self._value}), max({self._value})
            FROM ({self._many.rows}) WHERE {self._finite} AND {self._value} BETWEEN ? AND ?
            GROUP BY 1 ORDER BY 1"""  # noqa: S608 quoted
        return self._many.con.execute(query, [low, width, least, most]).fetchall()

    def _picked(self, low: float, high: float, before: int, ranks: Sequence[int]) -> dict[int, float]:
        """Return the numbers at some places of the order of those in a bin, of which so many come before."""
        query = f"""
            SELECT {self._value}, count(*) FROM ({self._many.rows})
            WHERE {self._finite} AND {self._value} BETWEEN ? AND ? GROUP BY 1 ORDER BY 1"""  # noqa: S608 quoted
        found: dict[int, float] = {}
        for value, count in self._many.con.execute(query, [low, high]).fetchall():
            found |= {rank: float(value) for rank in ranks if before <= rank < before + count}
            before += count
        return found
