"""Parts by group and by time together: later rows of groups that no earlier part knows.

A part is a set of groups and a span of time, and holds the rows in which both meet; the rest is left out. Groups whose rows come
first go to the first part. Where each group lives for a short while, hardly a row is lost. Where each is there all the time, at
most 1 / (sum of the roots of the shares) ** 2 of the rows can be kept (by Cauchy and Schwarz): each part then has a share of
groups and of time as the roots of its own share. What lies between is found by steps from one to the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from aimass.training.children.assigning import PARTS
from aimass.training.errors import Unlearnable

Cut = tuple[Any, Any]
_STEPS = 30
_NONE = len(PARTS)


@dataclass(frozen=True, slots=True)
class _Placed:
    """The known rows in the order of time: the moment of each, and its group, groups in the order in which they live."""

    moments: Any
    groups: Any
    ends: Any


def list_moments(times: pl.Series, groups: pl.Series) -> pl.Series:
    """Return for each row the latest moment of its group, for lists that are not to be torn.

    Examples
    --------
    >>> list_moments(pl.Series("t", [1, 5, 2]), pl.Series("g", ["a", "a", "b"])).to_list()
    [5, 5, 2]
    """
    frame = pl.DataFrame([times.alias("time"), groups.alias("group")])
    return frame.select(pl.col("time").max().over("group"))["time"].alias(times.name)


def assign_both(
    groups: pl.Series, times: pl.Series, is_known: pl.Series, fractions: Mapping[str, float]
) -> tuple[pl.Series, list[str]]:
    """Give each part groups of its own and a span of time of its own, and say how many rows are of neither.

    Parameters
    ----------
    groups
        What names the group of each row.
    times
        When each row was; rows without a time are in no part.
    is_known
        Rows whose target is known; the others are in no part.
    fractions
        The share that each part is to have of the rows that are kept.

    Examples
    --------
    >>> fractions = {"train": 0.5, "validation": 0.25, "test": 0.25, "future": 0.0}
    >>> parts, notes = assign_both(
    ...     pl.Series("g", ["a", "a", "b", "c"]), pl.Series("t", [1, 2, 3, 4]), pl.Series([True] * 4), fractions
    ... )
    >>> parts.to_list(), notes
    (['train', 'train', 'validation', 'test'], [])
    """
    usable = is_known & times.is_not_null()
    rows = np.flatnonzero(usable.to_numpy())
    rows = rows[np.argsort(times.filter(usable).to_physical().to_numpy(), kind="stable")]
    placed = _placed(groups[rows], times[rows].to_physical().to_numpy())
    wanted = np.array([fractions[part] for part in PARTS])
    codes = _best(placed, wanted)
    found = np.full(len(times), "none", dtype=object)
    names = np.array([*PARTS, "none"], dtype=object)
    found[rows] = names[codes]
    _check_kept(codes, wanted, groups.name)
    without, lost = int((is_known & times.is_null()).sum()), int((codes == _NONE).sum())
    notes = [f"{without} rows left out: their time is null"] if without else []
    if lost:
        notes.append(f"{lost} of {len(rows)} rows left out: their group and their time belong to different parts")
    return pl.Series("part", found.tolist()), notes


def _placed(groups: pl.Series, moments: Any) -> _Placed:
    """Return rows with their groups numbered by the middle of their rows in time; the ends count rows, group after group."""
    frame = pl.DataFrame({"group": groups, "rank": np.arange(len(groups))})
    lived = frame.group_by("group").agg(pl.col("rank").median(), pl.len()).sort("rank", "group")
    lived = lived.with_columns(pl.col("len").cum_sum().alias("end"), pl.int_range(pl.len()).alias("number"))
    numbers = frame.join(lived.select("group", "number"), on="group", how="left", maintain_order="left")["number"]
    middles = (lived["end"] - lived["len"] / 2).to_numpy() / max(len(groups), 1)
    return _Placed(moments=moments, groups=numbers.to_numpy(), ends=middles)


def _best(placed: _Placed, wanted: Any) -> Any:
    """Return the part of each row in the order of time: the one of its group where that is the one of its moment."""
    shares, best, reached = wanted.copy(), np.full(len(placed.moments), _NONE), -1.0
    for _ in range(_STEPS):
        codes = _met(placed, shares)
        kept = np.bincount(codes, minlength=_NONE + 1)[:_NONE] / max(len(codes), 1)
        worst = float((kept[wanted > 0] / wanted[wanted > 0]).min())
        if worst > reached + 1e-9:
            best, reached = codes, worst
        lean = np.where(wanted > 0, np.sqrt(wanted * max(kept.sum(), 1e-9) / np.maximum(kept, 1e-4)), 0.0)
        shares = shares * np.clip(lean, 0.5, 2.0)
        shares = shares / shares.sum()
    return best


def _met(placed: _Placed, shares: Any) -> Any:
    """Return the part in which group and moment of each row meet, where parts have such shares of both."""
    edges = np.minimum(np.cumsum(shares)[:-1], 1.0)
    of_group = np.searchsorted(edges, placed.ends, side="right")[placed.groups]
    count = len(placed.moments)
    cuts = [round(edge * count) for edge in edges]
    starts = [int(np.searchsorted(placed.moments, placed.moments[cut])) if cut < count else count for cut in cuts]
    of_time = np.searchsorted(starts, np.arange(count), side="right")
    return np.where(of_group == of_time, of_group, _NONE)


def _check_kept(codes: Any, wanted: Any, name: str) -> None:
    """Refuse parts in which no group meets its time."""
    counts = np.bincount(codes, minlength=_NONE + 1)
    empty = next((part for code, part in enumerate(PARTS) if wanted[code] > 0 and not counts[code]), None)
    if empty:
        raise Unlearnable(
            f"no row falls into {empty!r}: no group of its own has rows in its time",
            field="group_column",
            value=name,
            hint="split by one of the two columns, take larger shares, or collect rows of more groups",
        )


def cuts_of_both(times: pl.Series, groups: Any, folds: int, seed: int) -> list[Cut]:
    """Return folds that are judged on later rows of groups that they did not learn from.

    Spans of time follow each other, as they do where time alone counts. In each, the groups that begin there are judged,
    and of the older ones every so many-th, drawn by the seed, which the fold then does not learn from.
    """
    moments = times.to_physical().to_numpy()
    names, codes = np.unique(groups, return_inverse=True)
    drawn = np.random.default_rng(seed).permutation(len(names)) % folds
    begins = np.full(len(names), moments.max())
    np.minimum.at(begins, codes, moments)
    ordered = np.sort(moments, kind="stable")
    edges = [ordered[round(len(ordered) * step / (folds + 1))] for step in range(1, folds + 1)]
    cuts: list[Cut] = []
    for fold, start in enumerate(edges):
        is_mine = ((begins >= start) | (drawn == fold))[codes]
        is_here = moments >= start
        if fold + 1 < folds:
            is_here &= moments < edges[fold + 1]
        cuts.append((np.flatnonzero((moments < start) & ~is_mine), np.flatnonzero(is_here & is_mine)))
        if not all(len(side) for side in cuts[-1]):
            raise Unlearnable(
                f"fold {fold + 1} has no rows of other groups to learn from, or no later ones to judge by",
                field="folds",
                value=folds,
                hint="take fewer folds, or split by one of the two columns",
            )
    return cuts
