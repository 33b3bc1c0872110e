"""More training rows than there are: copies with noise, mixtures of two rows, and rows between rare ones.

All of it happens inside of ``fit``, from the training rows that it got; what judges a model never passes here. The weights
keep what every class weighs, so the probabilities of a model keep their meaning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from sklearn.neighbors import NearestNeighbors

from aimass.training.errors import Unlearnable
from aimass.training.recipes.protocol import RecipeContext, Table
from aimass.training.recipes.space import Space

NEIGHBOURS = 5
MOST_NEW = 200_000
_NOISE = 0.1
_BETA = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Enlarged:
    """Rows to learn from, the first ones as they were, with what each weighs; together as much as the rows were."""

    features: pl.DataFrame
    truth: Any
    weights: Any


def is_enlarging(ctx: RecipeContext) -> bool:
    """Tell whether the parameters want more rows."""
    return getattr(ctx.params, "augment", "none") != "none"


def enlarged(ctx: RecipeContext, table: Table) -> Enlarged:
    """Return the training rows with more rows made of them.

    Noise moves each number of a copy by a tenth of the deviation of its column. Mixtures (Zhang et al. 2018) lie between two rows, with
    the truth of both, each by its share. Rows between a row and a neighbour of its class (SMOTE, Chawla et al. 2002) fill classes up
    towards the largest. A text of a new row is that of one of its two.
    """
    if ctx.task not in ("classification", "regression") or any(one.shape is not None for one in ctx.signature.inputs):
        raise Unlearnable(
            "rows are made of other rows for classes and numbers, from columns without lists",
            field="params.augment",
            value=ctx.params.augment,
            allowed="none",
        )
    if ctx.params.augment == "between" and ctx.task != "classification":
        raise Unlearnable(
            "numbers have no rare classes", field="params.augment", value="between", allowed=["none", "noise", "mixup"]
        )
    numbers = [one.name for one in ctx.signature.inputs if one.type not in ("string", "boolean")]
    rows = table.features.with_columns(pl.col(name).cast(pl.Float64) for name in numbers)
    make = {"noise": _with_noise, "mixup": _mixed, "between": _between}[ctx.params.augment]
    rng = np.random.default_rng(ctx.seed)
    more, truth, weights = make(rows, table.truth, ctx.params.augment_share, rng)
    whole = np.concatenate([np.ones(rows.height), weights])
    found = np.concatenate([table.truth, truth])
    if ctx.task == "classification":
        for number in np.unique(table.truth):
            mine = found == number
            whole[mine] *= (table.truth == number).sum() / whole[mine].sum()
    else:
        whole *= rows.height / whole.sum()
    return Enlarged(features=pl.concat([rows, more]), truth=found, weights=whole)


def _count(rows: pl.DataFrame, share: float) -> int:
    return min(max(1, round(rows.height * share)), MOST_NEW)


def _with_noise(rows: pl.DataFrame, truth: Any, share: float, rng: Any) -> tuple[pl.DataFrame, Any, Any]:
    drawn = rng.integers(rows.height, size=_count(rows, share))
    more = rows[drawn]
    moved = [
        (column + pl.Series(rng.normal(scale=_NOISE * (rows[column.name].std() or 0.0), size=len(drawn)))).alias(
            column.name
        )
        for column in more
        if column.dtype == pl.Float64
    ]
    return more.with_columns(moved), truth[drawn], np.ones(len(drawn))


def _mixed(rows: pl.DataFrame, truth: Any, share: float, rng: Any) -> tuple[pl.DataFrame, Any, Any]:
    count = _count(rows, share)
    one, other = rng.integers(rows.height, size=count), rng.integers(rows.height, size=count)
    part = rng.beta(_BETA, _BETA, size=count)
    more = _blend(rows[one], rows[other], part, rng)
    if np.issubdtype(truth.dtype, np.floating):
        return more, part * truth[one] + (1 - part) * truth[other], np.ones(count)
    return pl.concat([more, more]), np.concatenate([truth[one], truth[other]]), np.concatenate([part, 1 - part])


def _between(rows: pl.DataFrame, truth: Any, share: float, rng: Any) -> tuple[pl.DataFrame, Any, Any]:
    space = Space.of(rows).points(rows).space
    names, counts = np.unique(truth, return_counts=True)
    parts, found = [rows.clear()], [truth[:0]]
    for name, count in zip(names, counts, strict=True):
        wanted = min(round((counts.max() - count) * min(share, 1.0)), MOST_NEW)
        if count < 2 or not wanted:  # noqa: PLR2004 nothing lies between one row and itself
            continue
        own = np.flatnonzero(truth == name)
        near = NearestNeighbors(n_neighbors=min(NEIGHBOURS + 1, count)).fit(space[own])
        others = (
            near.kneighbors(return_distance=False)
            if count > NEIGHBOURS + 1
            else near.kneighbors(space[own], return_distance=False)[:, 1:]
        )
        first = rng.integers(count, size=wanted)
        second = others[first, rng.integers(others.shape[1], size=wanted)]
        parts.append(_blend(rows[own[first]], rows[own[second]], rng.random(wanted), rng))
        found.append(np.full(wanted, name, dtype=truth.dtype))
    made = np.concatenate(found)
    return pl.concat(parts), made, np.ones(len(made))


def _blend(one: pl.DataFrame, other: pl.DataFrame, part: Any, rng: Any) -> pl.DataFrame:
    """Return rows between two: numbers by the part of the first, and of what is no number the value of one of the two."""
    first = pl.Series(rng.random(len(part)) < part)
    share = pl.Series(part)
    columns: list[pl.Series] = []
    for mine, theirs in zip(one, other, strict=True):
        chosen = mine.zip_with(first, theirs)
        between = (mine * share + theirs * (1 - share)).fill_null(chosen) if mine.dtype == pl.Float64 else chosen
        columns.append(between.alias(mine.name))
    return pl.DataFrame(columns)
