"""The rows that a later version of a dataset brings: what its new files hold, without what they only took over."""

from __future__ import annotations

from typing import Any

import polars as pl
from deltalake import DeltaTable

from aimass.kernel.errors import Conflict

_PLACE, _NTH, _HASH = "__place", "__nth", "__hash"


def increment(path: str, before: int, now: int) -> pl.DataFrame:
    """Return the rows that are in one version of a table and not in an earlier one, in the order in which they came.

    Only files that one of the versions has alone are read. A row that a merge changed is a new row; one that was merely
    written again is none. The same two versions always give the same rows in the same order.

    Parameters
    ----------
    path
        Folder of the Delta table.
    before, now
        Versions of the table.
    """
    old, new = _files(path, before), _files(path, now)
    known = set(old)
    added = _read(path, [name for name in new if name not in known], now)
    fresh = set(new)
    removed = [name for name in old if name not in fresh]
    if not removed or not added.height:
        return added
    return _without(added, _read(path, removed, before))


def _files(path: str, version: int) -> list[str]:
    """Return the files of a version, the oldest first."""
    actions = pl.DataFrame(DeltaTable(path, version=version).get_add_actions(flatten=True))
    return actions.sort("modification_time", "path")["path"].to_list() if actions.height else []


def _read(path: str, names: list[str], version: int) -> pl.DataFrame:
    table = DeltaTable(path, version=version)
    partitions = table.metadata().partition_columns
    try:
        frames = [pl.read_parquet(f"{path}/{name}", hive_partitioning=bool(partitions), glob=False) for name in names]
    except FileNotFoundError as reason:
        raise Conflict(
            "files of an earlier version of the dataset are gone, so it cannot be told which rows are new",
            field="dataset",
            value=version,
            hint="they were cleaned up before the learner came to them: create a learner on a split of the newest version",
        ) from reason
    return pl.concat(frames, how="diagonal_relaxed") if frames else pl.DataFrame()


def _without(added: pl.DataFrame, removed: pl.DataFrame) -> pl.DataFrame:
    """Take rows away as often as they were there before."""
    common = sorted(set(added.columns) & set(removed.columns))
    left = _counted(added, common).with_row_index(_PLACE)
    kept = left.join(_counted(removed, common), on=[_HASH, _NTH], how="anti").sort(_PLACE)
    return added[kept[_PLACE].to_list()]


def _counted(frame: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
    content = frame.select(pl.struct(columns).struct.json_encode().alias(_HASH))
    return content.with_columns(pl.int_range(pl.len()).over(_HASH).alias(_NTH))


def texts(column: pl.Series) -> list[Any]:
    """Return labels as the splits of the room write them: whole numbers without a fraction, truth values in lower case."""
    if column.dtype.is_float():
        whole = (column.is_finite() & (column == column.round())).fill_null(value=False)
        numbers = pl.select(pl.when(whole).then(column).otherwise(None)).to_series()
        return numbers.cast(pl.Int64, strict=False).cast(pl.String).to_list()
    return column.cast(pl.String).to_list()


def numbers_of(column: pl.Series) -> list[float | None]:
    """Return labels as numbers; what is none, or NaN, is not known.

    Examples
    --------
    >>> numbers_of(pl.Series([1, None])), numbers_of(pl.Series(["2.5", "much"]))
    ([1.0, None], [2.5, None])
    """
    return column.cast(pl.Float64, strict=False).fill_nan(None).to_list()
