"""Which part each row goes to: by a seed, by groups that stay whole, or by time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from aimass.kernel.errors import Invalid
from aimass.training.errors import Unlearnable

PARTS = ("train", "validation", "test", "future")
_LARGE = 0.1  # a group with more of the rows of the smallest part is given away before the others are drawn


def assign(strata: pl.Series, fractions: Mapping[str, float], seed: int, *, stratify: bool) -> pl.Series:
    """Draw the part of each row; with ``stratify`` each stratum on its own, so that all parts have its share."""
    rng = np.random.default_rng(seed)
    parts = np.full(len(strata), "none", dtype=object)
    groups = sorted(strata.drop_nulls().unique().to_list()) if stratify else [None]
    ends = np.cumsum([fractions[part] for part in PARTS])
    for group in groups:
        wanted = strata.is_not_null() if group is None else (strata == group).fill_null(value=False)
        rows = rng.permutation(np.flatnonzero(wanted.to_numpy()))
        cuts = np.round(ends * len(rows)).astype(int)
        for part, chosen in zip(PARTS, np.split(rows, cuts[:-1]), strict=True):
            parts[chosen] = part
    return pl.Series("part", parts.tolist())


def assign_groups(
    groups: pl.Series, is_known: pl.Series, fractions: Mapping[str, float], seed: int, *, is_drawn: bool = False
) -> pl.Series:
    """Give each group, whole, to the part that lacks most rows, in an order by the seed.

    Groups that are large beside the smallest part come first, the largest of all at the beginning, or no order would keep the shares.
    Of all others none is favoured for its size: were they taken by it too, training would have the large ones and the parts that judge
    the small ones.

    Parameters
    ----------
    groups
        What names the group of each row, see :func:`group_of`.
    is_known
        Rows whose target is known; the others are in no part.
    is_drawn
        No group comes first: of episodes, how long they are is part of what is measured.
    """
    sizes = pl.DataFrame({"group": groups.filter(is_known)}).group_by("group").len().sort("group")
    order = np.random.default_rng(seed).permutation(sizes.height)
    missing = {part: fractions[part] * int(sizes["len"].sum()) for part in PARTS if fractions[part] > 0}
    if not is_drawn:
        counts = sizes["len"].to_numpy()[order].astype(np.int64)
        order = order[np.argsort(-np.where(counts > _LARGE * min(missing.values()), counts, 0), kind="stable")]
    chosen: dict[str, str] = {}
    for name, size in sizes[order].iter_rows():
        part = max(missing, key=lambda one: missing[one])
        chosen[name] = part
        missing[part] -= size
    found = groups.replace_strict(chosen, default="none", return_dtype=pl.String)
    return pl.select(pl.when(is_known).then(found).otherwise(pl.lit("none"))).to_series().alias("part")


def group_of(column: pl.Series) -> pl.Series:
    """Return what names the group of each row; a row without one is a group of its own."""
    alone = pl.Series(column.name, [f"\0{row}" for row in range(len(column))])
    return pl.select(pl.when(column.is_null()).then(alone).otherwise(column.cast(pl.String))).to_series()


def assign_times(times: pl.Series, is_known: pl.Series, fractions: Mapping[str, float]) -> pl.Series:
    """Give the earliest rows to the first part, and so on; rows of one moment lie in one part."""
    usable = is_known & times.is_not_null()
    rows = np.flatnonzero(usable.to_numpy())
    moments = times.filter(usable).to_physical().to_numpy()
    rows = rows[np.argsort(moments, kind="stable")]
    ordered = np.sort(moments, kind="stable")
    ends = np.round(np.cumsum([fractions[part] for part in PARTS]) * len(rows)).astype(int)
    cuts = [int(np.searchsorted(ordered, ordered[end], side="left")) if end < len(rows) else len(rows) for end in ends]
    parts = np.full(len(times), "none", dtype=object)
    for part, chosen in zip(PARTS, np.split(rows, cuts[:-1]), strict=True):
        parts[chosen] = part
    return pl.Series("part", parts.tolist())


def times_of(column: pl.Series) -> pl.Series:
    """Return a column of moments that can be put in order, or refuse one that holds none.

    Examples
    --------
    >>> times_of(pl.Series("day", ["2026-01-02", "2026-01-01"])).dt.day().to_list()
    [2, 1]
    """
    if column.dtype.is_temporal() or column.dtype.is_numeric():
        return column
    fault: Exception | None = None
    if column.dtype == pl.String:
        try:
            return column.str.to_datetime(time_unit="us", time_zone="UTC").alias(column.name)
        except pl.exceptions.PolarsError as reason:
            fault = reason
    raise Invalid(
        f"column {column.name!r} cannot be read as times",
        field="time_column",
        value=column.name,
        allowed="dates, times, numbers, or text such as 2026-01-31T08:00:00",
    ) from fault


def check_parts(parts: pl.Series) -> None:
    """Refuse a split that leaves train, validation or test without rows."""
    counted = dict(parts.value_counts().iter_rows())
    for part in ("train", "validation", "test"):
        if not counted.get(part):
            raise Unlearnable(
                f"no row falls into {part!r}",
                field="fractions",
                value=part,
                hint="collect more rows, or give it a larger share",
            )


def check_groups(groups: pl.Series, parts: pl.Series) -> None:
    """Refuse a split that has rows of one group in two parts."""
    torn = _torn(groups, parts)
    if len(torn):
        raise Unlearnable(
            f"{len(torn)} groups of column {groups.name!r} lie in more than one part",
            field="group_column",
            value=groups.name,
            hint="make the split without 'base', or name the base that was split by the same column",
        )


def leaks(identity: pl.Series, parts: pl.Series) -> list[str]:
    """Say it when what names a row lies in two parts: a model is then judged on rows that it learned from."""
    torn = _torn(identity, parts)
    if not len(torn):
        return []
    said = f"{len(torn)} rows occur in more than one part, with the same key or the same content: scores may look better than "
    return [f"{said}they are; name the column that tells them apart as key, or the one that they share as group"]


def _torn(names: pl.Series, parts: pl.Series) -> pl.Series:
    frame = pl.DataFrame({"name": names, "part": parts}).filter(pl.col("part") != "none")
    return frame.group_by("name").agg(pl.col("part").n_unique()).filter(pl.col("part") > 1)["name"].sort()


def keep_groups(groups: pl.Series, parts: pl.Series, is_new: pl.Series) -> pl.Series:
    """Give new rows of a group that the base knows the part of their group."""
    known = pl.DataFrame({"group": groups, "part": parts}).filter(~is_new & (parts != "none"))
    firsts = dict(known.unique("group", keep="first", maintain_order=True).iter_rows())
    own = groups.replace_strict(firsts, default=None, return_dtype=pl.String)
    return pl.select(pl.when(is_new & own.is_not_null()).then(own).otherwise(parts)).to_series().alias("part")


def out_of_order(times: pl.Series, parts: pl.Series) -> list[str]:
    """Say it when rows to learn from are later than the first row to judge by."""
    first: Any = times.filter(parts == "test").min()
    if first is None:
        return []
    later = int(((parts == "train") & (times >= first)).sum())
    return [f"{later} rows of 'train' are not earlier than the first of 'test'"] if later else []
