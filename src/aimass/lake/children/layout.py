"""The order of the rows of a table: which files a condition can be answered from, and when to bring them in order again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
from deltalake import DeltaTable

from aimass.kernel.errors import Invalid
from aimass.lake.children.conditions import Condition, conditions_of
from aimass.lake.children.guard import read_select
from aimass.lake.children.tables import STATS_COLUMNS, listed, names, open_at
from aimass.lake.children.values import type_name

SMALLEST, LARGEST, PARTS = 8 * 2**20, 128 * 2**20, 32
SPILL_BYTES = 256 * 2**20  # what an ordering holds in memory before it goes to disk
DRIFTED = 0.2
MANY_FILES, MANY_BYTES = 16, 256 * 2**20  # below, a query reads all of it in no time
MOST = 5
ORDERED = ("string", "integer", "boolean", "timestamp", "date")
_LONGEST = 32  # a longer text may be cut in the statistics
_TICK = timedelta(milliseconds=1)  # statistics may cut moments to it


def matching(table: DeltaTable, wanted: Sequence[Sequence[Condition]], parameters: Mapping[str, Any]) -> list[str]:
    """Return the files in which a row may fulfil the conditions, by the smallest and largest values in the log.

    Parameters
    ----------
    table
        A version of a table.
    wanted
        For each place where a query reads the table the conditions that all its rows fulfil; none: every row counts.
    parameters
        Values of the query by name.
    """
    every = listed(table)
    if len(every) == 1 or not wanted or not all(wanted):
        return every
    told = pl.DataFrame(table.get_add_actions(flatten=True))
    kept = [_kept(told, conditions, parameters) for conditions in wanted]
    return [file for number, file in enumerate(every) if any(one[number] for one in kept)]


def _kept(told: pl.DataFrame, conditions: Sequence[Condition], parameters: Mapping[str, Any]) -> list[bool]:
    """Tell for each file whether its values can fulfil all conditions; what is not known can."""
    fits: list[pl.Expr] = []
    for condition in conditions:
        bounds = [f"{side}.{condition.column}" for side in ("min", "max")]
        if not {*bounds} <= {*told.columns}:
            continue
        kind = told.schema[bounds[0]]
        if condition.is_list and not (kind.is_integer() or isinstance(kind, pl.String)):
            continue
        low, high = (_as(kind, end) for end in condition.ends(parameters))
        if low is not None:
            fits.append((_highest(bounds[1], kind) >= low).fill_null(value=True))
        if high is not None:
            fits.append((pl.col(bounds[0]) <= high).fill_null(value=True))
    return told.select(pl.all_horizontal(fits)).to_series().to_list() if fits else [True] * len(told)


def _highest(name: str, kind: pl.DataType) -> pl.Expr:
    """Return the largest value, or None where the statistics may have cut it."""
    column = pl.col(name)
    if isinstance(kind, pl.String):
        return pl.when(column.str.len_bytes() < _LONGEST).then(column)
    return column + _TICK if isinstance(kind, pl.Datetime) else column


def _as(kind: pl.DataType, value: Any) -> Any:
    """Return a value in the type of a column, None where the two cannot be compared as the engine would.

    Examples
    --------
    >>> _as(pl.Int64(), 3), _as(pl.Int64(), "3"), _as(pl.Date(), "2026-05-01"), _as(pl.Float64(), 1)
    (3, None, datetime.date(2026, 5, 1), None)
    """
    if kind.is_integer():
        return value if isinstance(value, int) and not isinstance(value, bool) else None
    if isinstance(kind, pl.String):
        return value if isinstance(value, str) else None
    if not isinstance(kind, pl.Date | pl.Datetime) or not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:  # the engine reads more ways to write a moment
        return None
    if isinstance(kind, pl.Date):
        return date.fromisoformat(value) if len(value) == len("2026-05-01") else None
    return _in_zone(moment, kind)


def _in_zone(moment: datetime, kind: pl.Datetime) -> datetime | None:
    if kind.time_zone is None:
        return None if moment.tzinfo else moment
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)  # queries work in UTC


def share_read(table: DeltaTable, column: str) -> float:
    """Return which share of its bytes a query for one value of a column reads: between 0, and 1 for rows in no order.

    The mean over the smallest values of the files, each weighted with the bytes of its file. A file without statistics is
    read by every query.
    """
    told = pl.DataFrame(table.get_add_actions(flatten=True))
    low, high = f"min.{column}", f"max.{column}"
    total = int(told["size_bytes"].sum()) if len(told) else 0
    if not total or not {low, high} <= {*told.columns}:
        return 1.0
    known = told.filter(pl.col(low).is_not_null() & pl.col(high).is_not_null()).select(low, high, "size_bytes")
    unknown = total - int(known["size_bytes"].sum())
    read = 0.0
    for value, size in known.select(low, "size_bytes").iter_rows():
        overlapping = known.filter((pl.col(low) <= value) & (pl.col(high) >= value))["size_bytes"].sum()
        read += size * (int(overlapping) + unknown)
    return (read + unknown * total) / total / total


def check_order(table: DeltaTable, columns: Sequence[str]) -> None:
    """Refuse columns by which a table cannot be ordered."""
    kinds = {name: type_name(kind) for name, kind in pl.scan_delta(table).collect_schema().items()}
    kept = table.metadata().configuration.get(STATS_COLUMNS) or ""
    told = kept.split(",") if kept else list(kinds)
    for column in columns:
        if kinds.get(column) not in ORDERED:
            allowed = [name for name, kind in kinds.items() if kind in ORDERED and name in told]
            raise Invalid(f"rows cannot be ordered by {column!r}", field="columns", value=column, allowed=allowed[:50])
        if column not in told:
            raise Invalid(
                f"the log keeps no smallest and largest values of {column!r}: it names rows, or holds personal data",
                field="columns",
                value=column,
                allowed=[name for name in told if kinds.get(name) in ORDERED][:50],
            )


def ordered(table: DeltaTable, columns: Sequence[str]) -> int:
    """Write the rows anew, so that alike values lie together; return how many files that replaced.

    Rows and their number stay, so it is no new version of the dataset; versions from before keep their files.
    """
    size = part_bytes(bytes_of(table))
    return int(table.optimize.z_order(list(columns), target_size=size, max_spill_size=SPILL_BYTES)["numFilesRemoved"])


def bytes_of(table: DeltaTable) -> int:
    """Add up the bytes of the files of a version."""
    return int(pl.DataFrame(table.get_add_actions(flatten=True))["size_bytes"].sum())


def part_bytes(size: int) -> int:
    """Return how large the files of an ordered table are to be: small enough to pass most of them over.

    Examples
    --------
    >>> part_bytes(10), part_bytes(2**30) // 2**20, part_bytes(2**40) // 2**20
    (8388608, 32, 128)
    """
    return max(SMALLEST, min(LARGEST, size // PARTS))


def is_due(table: DeltaTable, columns: Sequence[str], before: float | None) -> bool:
    """Tell whether so much came since the last ordering that queries read a fifth of the table more."""
    return before is None or share_read(table, columns[0]) > before + DRIFTED


def checked(args: dict[str, Any]) -> dict[str, Any]:
    """Refuse ``columns`` by which the newest version of the table at ``path`` cannot be ordered."""
    check_order(open_at(args["path"], None), args["columns"])
    return {"columns": list(args["columns"])}


def look(args: dict[str, Any]) -> dict[str, Any]:
    """Tell how the rows of a table lie, and by which columns an order would help.

    Parameters
    ----------
    args
        ``path``, ``dataset`` (its name in SQL), ``order_by``, and ``queries``: statements that were asked of it.

    Returns
    -------
    dict
        ``files``, ``size_bytes``, ``share``, and ``proposals``: ``column``, ``queries`` and ``share`` each.
    """
    table, columns = open_at(args["path"], None), list(args["order_by"])
    size, count = bytes_of(table), len(names(table))
    share = share_read(table, columns[0]) if columns else None
    proposals: list[dict[str, Any]] = []
    if not columns and count >= MANY_FILES and size >= MANY_BYTES:
        proposals = _proposed(table, args["dataset"], args["queries"])
    return {"files": count, "size_bytes": size, "share": share, "proposals": proposals}


def _proposed(table: DeltaTable, dataset: str, queries: Sequence[str]) -> list[dict[str, Any]]:
    """Return the columns that queries compare with values and that give an order, the most asked for first."""
    names = [field.name for field in table.schema().fields]
    asked: Counter[str] = Counter()
    for sql in queries:
        try:
            places = conditions_of(read_select(sql), dataset, names)
        except Invalid:  # a view of that time, or a statement that is refused today
            continue
        asked.update({condition.column for place in places for condition in place})
    found = [{"column": name, "queries": count, "share": share_read(table, name)} for name, count in asked.items()]
    useful = [one for one in found if one["share"] > DRIFTED and _gives_order(table, one["column"])]
    return sorted(useful, key=lambda one: (-one["queries"], one["column"]))[:MOST]


def _gives_order(table: DeltaTable, column: str) -> bool:
    try:
        check_order(table, [column])
    except Invalid:
        return False
    return True
