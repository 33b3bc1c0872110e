"""Logged decisions: which action was taken, with which chance, and what a model expects of the others.

Rows of the training part are judged by models that did not see them (cross-fitting, Chernozhukov et al., Econometrics Journal 21,
2018); rows of the other parts by the mean of those models. They are the same for every run on a split, whatever it learns from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from aimass.training.children.episodes import check_episodes, whole_episodes
from aimass.training.children.judging import estimated
from aimass.training.errors import Unlearnable
from aimass.training.measures.episodes import Steps
from aimass.training.measures.policies import Logged
from aimass.training.recipes.space import Space

POLICY = "policy"
MOST_ACTIONS, LEAST_ROWS = 50, 20
LEAST_CHANCE = 0.01
_SURE = 4.0  # deviations of a mean
_SHORT = 0.9


def actions_of(rows: pl.DataFrame, column: str) -> pl.Series:
    """Return the action of each row as text, null where none is known."""
    found = rows[column]
    if found.dtype.is_float():
        known = found.drop_nulls()
        if not (known == known.round()).all():
            raise Unlearnable(
                f"column {column!r} holds fractions, and an action is one of a few",
                field="action_column",
                value=column,
                hint="name the column that says which action was taken",
            )
        found = found.cast(pl.Int64, strict=False)
    return found.cast(pl.String).alias("action")


def chances_of(rows: pl.DataFrame, column: str) -> pl.Series:
    """Return with which chance the action of each row was taken, or refuse what is no chance."""
    if not rows[column].dtype.is_numeric():
        raise Unlearnable(
            f"column {column!r} holds {rows[column].dtype}, and a chance is a number",
            field="propensity_column",
            value=column,
            hint="name the column of the chance with which the action was taken, or none: it is estimated then",
        )
    found = rows[column].cast(pl.Float64).fill_nan(None).alias("chance")
    odd = found.drop_nulls().filter(~found.drop_nulls().is_between(0, 1, closed="right"))
    if len(odd):
        raise Unlearnable(
            f"{len(odd)} chances in {column!r} are none",
            field="propensity_column",
            value=odd.head(5).to_list(),
            allowed="above 0, and at most 1",
            hint="an action that was taken had a chance: repair these rows, or leave them out",
        )
    return found


def decided(rows: pl.DataFrame, rewards: pl.Series, payload: Mapping[str, Any]) -> pl.Series:
    """Return the rewards, null where it is not known what was done, or with which chance."""
    known = actions_of(rows, payload["action"]).is_not_null()
    if payload.get("propensity"):
        known = known & chances_of(rows, payload["propensity"]).is_not_null()
    found = pl.select(pl.when(known).then(rewards)).to_series().alias(rewards.name)
    return whole_episodes(rows, found, payload) if payload.get("episode") else found


def check_decisions(rows: pl.DataFrame, rewards: pl.Series, payload: Mapping[str, Any], parts: pl.Series) -> list[str]:
    """Refuse decisions that no policy can be learned from; return what people should know of them."""
    known = rewards.is_not_null()
    actions = actions_of(rows, payload["action"]).filter(known)
    count = actions.n_unique()
    if not 2 <= count <= MOST_ACTIONS:  # noqa: PLR2004 a choice
        raise Unlearnable(
            f"column {payload['action']!r} holds {count} different actions",
            field="action_column",
            value=count,
            allowed=f"2 to {MOST_ACTIONS}",
            hint="put actions that are alike together" if count > MOST_ACTIONS else "",
        )
    for part in ("train", "validation", "test"):
        counts = actions.filter(parts.filter(known) == part).value_counts()
        least = LEAST_ROWS if part == "train" else 1
        few = dict.fromkeys(actions.unique(), 0) | dict(counts.iter_rows())
        short = sorted(name for name, rows_of in few.items() if rows_of < least)
        if short:
            raise Unlearnable(
                f"action {short[0]!r} was taken in {few[short[0]]} rows of part {part!r}",
                field="action_column",
                value=short[0],
                allowed=f"{least} rows or more",
                hint="nothing tells what it is worth: log it more often, or leave its rows out",
            )
    odd = int((~known).sum()) - rows[payload["target"]].null_count()
    notes = [f"{odd} rows left out: their action or its chance is not known"] if odd else []
    if payload.get("episode"):
        notes = check_episodes(rows, rewards, payload)
    if not payload.get("propensity"):
        return [*notes, "no column tells the chance of an action: it is estimated from the training rows"]
    return [*notes, *_support(chances_of(rows, payload["propensity"]).filter(known).to_numpy(), count)]


def _support(chances: Any, count: int) -> list[str]:
    """Say when some actions had no chance at all: the mean of 1 / chance is how many had one."""
    turned = 1 / chances
    mean, error = float(turned.mean()), float(turned.std() / np.sqrt(len(turned)))
    if mean < _SHORT * count - _SURE * error:
        return [
            f"of {count} actions only {mean:.1f} had a chance in a row, on average: where one had none, nothing tells what it is worth"
        ]
    if mean > count / _SHORT + _SURE * error:
        return [f"chances are too small: they count {mean:.1f} actions, there are {count}"]
    return []


def logged_of(features: pl.DataFrame, rewards: pl.Series, told: Mapping[str, Any], actions: tuple[str, ...]) -> Logged:
    """Return decisions with what each row is judged by.

    Parameters
    ----------
    features
        Everything that is known of a row before the action is taken.
    told
        ``parts``, ``actions``, ``chances`` (None where they are to be estimated) and ``groups`` of the rows, or None; of
        episodes ``episodes`` and ``order`` of the rows, and ``discount``.
    actions
        Those that there are.
    """
    places = {name: place for place, name in enumerate(actions)}
    taken = np.array([places[name] for name in told["actions"]], dtype=np.int64)
    train = (told["parts"] == "train").to_numpy()
    space = Space.of(features.filter(pl.Series(train))).points(features).space
    groups = None if told.get("groups") is None else told["groups"].filter(pl.Series(train)).to_numpy()
    chances = None if told["chances"] is None else told["chances"].to_numpy()
    found = rewards.to_numpy().astype(float)
    known = judge(
        space, Logged(actions=taken, rewards=found, chances=chances, expected=None), train, groups, len(actions)
    )
    if told.get("episodes") is None:
        return known
    return Steps(
        actions=known.actions,
        rewards=known.rewards,
        chances=known.chances,
        expected=known.expected,
        episodes=told["episodes"].to_numpy(),
        order=told["order"].to_numpy(),
        discount=told["discount"],
        space=space,
    )


def judge(space: Any, known: Logged, train: Any, groups: Any, count: int) -> Logged:
    """Return decisions with expected rewards and, where none are told, chances."""
    places = np.flatnonzero(train)
    expected, chances = estimated(space, known, places, groups, count)
    if known.chances is None:
        told = np.maximum(chances[np.arange(len(known)), known.actions], LEAST_CHANCE)
    else:
        told = known.chances
    return Logged(actions=known.actions, rewards=known.rewards, chances=told, expected=expected)
