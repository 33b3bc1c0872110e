"""Which rows of a quarantine may still go into a dataset that is merged by keys: an old row never takes the place of a newer one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from aimass.lake import exists, scan

_ID, _MINE, _THEIRS, _IS = "§id", "§mine", "§theirs", "§is"
IS_THERE = "the dataset has a row with these keys, and nothing tells which of the two is newer"
IS_TWICE = "another row that is replayed has the same keys, and nothing tells which of the two is newer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Merging:
    """How the sources of a dataset merge: the columns that name a row, and the one that orders the rows of a name.

    Attributes
    ----------
    order
        The cursor of the source; None: the rows have no order (change capture, streams), so that only those come in whose keys
        are not there.
    """

    keys: list[str]
    order: str | None

    @classmethod
    def of(cls, plans: Mapping[str, Mapping[str, Any]]) -> Merging | None:
        """Return how the sources merge, None where none does; where only some know an order, no order counts."""
        found = [plan for plan in plans.values() if plan.get("merged_by")]
        if not found:
            return None
        orders = {plan.get("ordered_by") for plan in found}
        return cls(keys=list(found[0]["merged_by"]), order=orders.pop() if len(orders) == 1 else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorted:
    """The rows that go in, the names of those that a newer row stands for already, and those that nobody can place."""

    rows: pl.DataFrame
    superseded: list[str]
    refused: list[dict[str, Any]]


def sort_out(target: str, rows: pl.DataFrame, ids: Sequence[str], how: Merging) -> Sorted:
    """Compare rows out of quarantine with those of the dataset, and with each other."""
    named = rows.with_columns(pl.Series(_ID, ids, pl.String))
    if how.order is None:
        return _without_order(target, named, how.keys)
    mine = named.with_columns(pl.col(how.order).alias(_MINE))
    last = mine.sort(_MINE, nulls_last=False, maintain_order=True).unique(how.keys, keep="last", maintain_order=True)
    there = _there(target, last, how.keys, pl.col(how.order).max().alias(_THEIRS))
    if there is None:
        taken = set(last[_ID])
        return Sorted(rows=last.select(rows.columns), superseded=[i for i in ids if i not in taken], refused=[])
    joined = last.join(there.with_columns(pl.lit(value=True).alias(_IS)), on=how.keys, how="left")
    is_new, is_bare = pl.col(_IS).is_null(), pl.col(_MINE).is_null()
    is_newer = pl.col(_THEIRS).is_null() | (pl.col(_MINE) >= pl.col(_THEIRS))
    goes = joined.filter(is_new | (~is_bare & is_newer))
    bare = joined.filter(~is_new & is_bare)[_ID].to_list()
    settled = {*goes[_ID], *bare}
    return Sorted(
        rows=goes.select(rows.columns),
        superseded=[id_ for id_ in ids if id_ not in settled],
        refused=[{"id": id_, "column": how.order, "reason": IS_THERE} for id_ in bare],
    )


def _without_order(target: str, named: pl.DataFrame, keys: list[str]) -> Sorted:
    once = named.unique(keys, keep="first", maintain_order=True)
    there = _there(target, once, keys, pl.len().alias(_THEIRS))
    goes = once if there is None else once.join(there, on=keys, how="anti")
    taken, first = set(goes[_ID]), set(once[_ID])
    refused = [
        {"id": id_, "column": keys[0], "reason": IS_THERE if id_ in first else IS_TWICE}
        for id_ in named[_ID]
        if id_ not in taken
    ]
    return Sorted(rows=goes.drop(_ID), superseded=[], refused=refused)


def _there(target: str, rows: pl.DataFrame, keys: list[str], told: pl.Expr) -> pl.DataFrame | None:
    """Return what the dataset says of the keys of some rows."""
    if not exists(target):
        return None
    found = scan(target).join(rows.lazy().select(keys).unique(), on=keys, how="semi")
    return found.group_by(keys).agg(told).collect()
