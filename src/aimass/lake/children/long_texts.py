"""Columns of texts that are too long to be held at once: they are read in slices, of which hashes and lengths stay.

Texts of which one is as good as another are told apart by 64 bits: that two different ones of a hundred million fall
together has a chance of about one in four thousand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import polars as pl

from aimass.lake.children import many_rows
from aimass.lake.children.tables import files, open_table, scan

LONG_BYTES = 64 * 2**20
SLICE_BYTES = 16 * 2**20
FEW_BYTES = (
    2**15
)  # packed: no more than LONG_BYTES even if they were the same letter throughout, which zstd packs 1,650 to 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Slices:
    """A version of a table, and which of its columns are read in slices.

    Attributes
    ----------
    paths
        The files of the version.
    long
        Their names, each with the bytes of all its texts.
    """

    frame: pl.LazyFrame
    rows: int
    paths: Sequence[str] = ()
    long: Mapping[str, int] = field(default_factory=dict[str, int])

    @classmethod
    def of(cls, path: str | Path, version: int | None = None) -> Slices:
        """Look at the footers of the files."""
        frame = scan(path, version)
        rows = int(frame.select(pl.len()).collect().item())
        texts = [name for name, kind in frame.collect_schema().items() if kind == pl.String]
        paths = files(open_table(path, version))
        sizes = _sizes(paths) if texts else {}
        long = {name: sizes[name] for name in texts if sizes.get(name, 0) > LONG_BYTES}
        return cls(frame=frame, rows=rows, paths=paths, long=long)

    @property
    def is_many(self) -> bool:
        """Tell whether a column has more cells than are held at once."""
        return self.rows > many_rows.MANY_ROWS

    def collected(self, frame: pl.LazyFrame) -> pl.DataFrame:
        """Return an answer about the rows, read in a stream where they are many."""
        return frame.collect(engine="streaming" if self.is_many else "auto")

    def names(self, columns: Sequence[str]) -> list[str]:
        """Return those of some columns that are read in slices."""
        return [name for name in columns if name in self.long]

    def parts(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """Yield some columns in slices of about the same bytes, in the order of the rows."""
        size = sum(self.long.get(name, 0) for name in columns)
        step = max(1, self.rows * SLICE_BYTES // max(size, 1))
        for start in range(0, self.rows, step):
            yield self.frame.select(columns).slice(start, step).collect()

    def hashes(self, columns: Sequence[str]) -> pl.Series:
        """Return a number for the values of each row; null where one of them is missing."""
        whole = pl.all_horizontal(pl.col(name).is_not_null() for name in columns)
        made = pl.when(whole).then(_hash(columns)).alias("hash")
        found = [part.select(made)["hash"] for part in self.parts(columns)]
        return pl.concat(found) if found else pl.Series("hash", [], pl.UInt64)

    def described(self, name: str) -> tuple[pl.DataFrame, int]:
        """Return of each different text its hash, count, letters and whether it is blank; and how many are missing."""
        text, nulls = pl.col(name), 0
        cells = [_hash([name]).alias("hash"), text.str.len_chars().alias("letters")]
        cells.append(text.str.contains(r"^\s*$").alias("blank"))
        counted: list[pl.DataFrame] = []
        for part in self.parts([name]):
            present = part.drop_nulls()
            nulls += len(part) - len(present)
            counted.append(present.select(cells).group_by("hash", "letters", "blank").agg(pl.len().alias("count")))
        schema = {"hash": pl.UInt64, "letters": pl.UInt32, "blank": pl.Boolean, "count": pl.UInt32}
        whole = pl.concat([pl.DataFrame(schema=schema), *counted])
        return whole.group_by("hash", "letters", "blank").agg(pl.col("count").sum()), nulls

    def texts(self, name: str, hashes: Sequence[int]) -> dict[int, str]:
        """Return the texts behind some hashes."""
        wanted, found = set(hashes), dict[int, str]()
        for part in self.parts([name]) if wanted else ():
            made = part.with_columns(_hash([name]).alias("hash")).filter(pl.col("hash").is_in(list(wanted)))
            found |= dict(made.unique("hash").select("hash", name).iter_rows())
            wanted -= found.keys()
            if not wanted:
                break
        return found


def many_of(slices: Slices) -> AbstractContextManager[many_rows.Many]:
    """Open the engine that counts what is not held at once."""
    return many_rows.opened(slices.paths, slices.rows, dict(slices.frame.collect_schema()))


def _hash(columns: Sequence[str]) -> pl.Expr:
    return pl.col(columns[0]).hash() if len(columns) == 1 else pl.struct(columns).hash()


def _sizes(paths: Sequence[str]) -> dict[str, int]:
    """Add up the bytes of each column before they were packed."""
    if sum(Path(path).stat().st_size for path in paths) < FEW_BYTES:
        return {}
    query = "SELECT path_in_schema, sum(total_uncompressed_size) FROM parquet_metadata(?) GROUP BY 1"
    with duckdb.connect(config={"threads": 1}) as con:
        return {str(name): int(size) for name, size in con.execute(query, [list(paths)]).fetchall()}
