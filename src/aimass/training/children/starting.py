"""Begin with what another learner knows, and bring it closer to another domain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from aimass.kernel.errors import Invalid
from aimass.training.children.domains import MOST_ROWS, drawn, points_of, weights_of, worth
from aimass.training.children.online import Online

FEWEST = 10


def started(fresh: Online, other: Online, start: Mapping[str, Any], rows: pl.DataFrame) -> Online:
    """Return a new learner that knows what another one knows.

    Parameters
    ----------
    fresh
        The learner as it would begin without the other one.
    start
        ``from``: the name of the other one; ``transfer``: ``weighted`` where the rows that it keeps are to be learned again, each
        as often as it is likely among ``rows``.
    rows
        What the new one learns first.
    """
    _check_columns(fresh.columns, other.columns, start["from"])
    fresh.begin_with(other)
    fresh.note(f"it began with what {start['from']!r} knew after {other.rows} rows")
    if start["transfer"] == "weighted":
        _weigh(fresh, other, start["from"], rows)
    return fresh


def _check_columns(mine: Sequence[Mapping[str, Any]], its: Sequence[Mapping[str, Any]], name: str) -> None:
    """Refuse another learner that knows other columns; categories may differ, those that it does not know say nothing."""
    here, there = ({c["name"]: c["type"] for c in columns} for columns in (mine, its))
    wider = ("integer", "float")  # whole numbers go where others do
    odd = [one for one in sorted({*here, *there}) if here.get(one) != there.get(one)]
    odd = [one for one in odd if (here.get(one), there.get(one)) != wider]
    if odd:
        raise Invalid(
            f"column {odd[0]!r} is {there.get(odd[0], 'unknown')} to learner {name!r}, and {here.get(odd[0], 'unknown')} here",
            field="start_from",
            value=name,
            allowed=sorted(there)[:50],
            hint="both learners have to take the same columns: name them in the features of the split",
        )


def _weigh(fresh: Online, other: Online, name: str, rows: pl.DataFrame) -> None:
    """Learn the rows that the other one keeps again, drawn by how likely they are among those of the new one."""
    seed = int(fresh.spec["seed"])
    rng = np.random.default_rng(seed)
    kept = other.kept_rows()
    if min(len(kept), rows.height) < FEWEST:
        fresh.note(
            f"the rows that {name!r} keeps were not weighted: there are {len(kept)} of them, and {rows.height} here"
        )
        return
    kept = [kept[place] for place in rng.permutation(len(kept))[:MOST_ROWS]]
    mine = rows[rng.permutation(rows.height)[:MOST_ROWS].tolist()]
    here = [fresh.features_of(row) for row in mine.iter_rows(named=True)]
    weights = weights_of(
        points_of(fresh.columns, [features for features, _ in kept]), points_of(fresh.columns, here), seed
    )
    if not weights.sum() > 0:
        fresh.note(f"no row that {name!r} keeps is likely here")
        return
    for place in drawn(weights, len(kept), seed):
        fresh.learn_again(*kept[place])
    told = f"{len(kept)} rows that {name!r} keeps were learned again, as often as they are likely here"
    fresh.note(f"{told}: worth {worth(weights):.0f} of them")
