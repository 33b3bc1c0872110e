"""What a study that watches sees of a fold while it is learned: its objective on the rows that the fold left out, now and then.

What is seen is what the fold would score if it ended there, in the mean with the folds that are done. It decides about nothing but
whether the trial goes on, as the scores of whole folds do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from aimass.training.domain.looks import LOOKS, look_name
from aimass.training.measures.bytask import measures_of
from aimass.training.recipes.protocol import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """The looks at one fold.

    Attributes
    ----------
    metric
        What is looked at.
    every, span
        After how many steps of the recipe a look comes, and how many looks a whole fold has at most, its end included.
    done
        What the folds before scored.
    """

    task: str
    metric: str
    every: int
    span: int
    done: Sequence[float]

    def seen(self, step: int, table: Table, answer: Callable[[pl.DataFrame], Any]) -> dict[str, float]:
        """Return the number of the look and what it saw; nothing where none is due, or there is no such number."""
        number, rest = divmod(step, self.every)
        if rest or not 0 < number < self.span:  # the end of the fold tells the last one
            return {}
        found = measures_of(self.task).scores(table.truth, answer(table.features)).get(self.metric)
        if found is None or not np.isfinite(found):
            return {}
        value = float(np.mean([*self.done, found]))
        return {LOOKS: len(self.done) * self.span + number, look_name(self.metric): value}


def looks_of(said: Mapping[str, Any] | None, task: str, done: Sequence[Mapping[str, float]]) -> Looks | None:
    """Return the looks at the next fold, as the payload of the job wants them; None where nobody watches."""
    if said is None or any(said["metric"] not in fold for fold in done):
        return None
    return Looks(
        task=task,
        metric=said["metric"],
        every=int(said["every"]),
        span=int(said["span"]),
        done=[float(fold[said["metric"]]) for fold in done],
    )
