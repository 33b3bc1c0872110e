"""How often a study looks at a trial that learns: the steps that its pruner knows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MOST_LOOKS = 40
LOOKS = "looks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """How the steps of a recipe become the steps of a pruner.

    Every fold of every trial of a study has the same number of them, so that the same step is as far in each trial, however
    many epochs its parameters allow.

    Attributes
    ----------
    every
        A look comes after so many steps of the recipe.
    span
        Steps of a pruner that a fold counts for; its end is the last of them.
    """

    every: int = 1
    span: int = 1

    def step_of(self, fold: int) -> int:
        """Return the step at which so many folds are done."""
        return fold * self.span


def rhythm_of(steps: str | None, space: Mapping[str, Any], params: Mapping[str, Any]) -> Rhythm:
    """Return the rhythm of a study: at most forty looks at a fold of its longest trial.

    Parameters
    ----------
    steps
        The parameter of the recipe that counts its steps; None for one that learns in one go.
    space
        What the study searches.
    params
        All parameters of the recipe, with their defaults and what every trial has.

    Examples
    --------
    >>> rhythm_of("epochs", {}, {"epochs": 12})
    Rhythm(every=1, span=12)
    >>> rhythm_of("trees", {"trees": {"type": "int", "low": 50, "high": 600}}, {"trees": 150})
    Rhythm(every=15, span=40)
    >>> rhythm_of(None, {}, {})
    Rhythm(every=1, span=1)
    """
    if steps is None:
        return Rhythm()
    searched = space.get(steps, {})
    most = max([searched.get("high", 1), *searched.get("choices", ())])
    if not searched or searched.get("when"):
        most = max(most, params[steps])
    every = math.ceil(most / MOST_LOOKS)
    return Rhythm(every=every, span=max(1, math.ceil(most / every)))


def look_name(metric: str) -> str:
    """Return what a job calls a metric that it saw in a look.

    Examples
    --------
    >>> look_name("roc_auc")
    'look_roc_auc'
    """
    return f"look_{metric}"
