"""Episodes: decisions that follow each other, of which each changes what the next one finds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from aimass.training.children.assigning import times_of
from aimass.training.errors import Unlearnable

MOST_STEPS = 1000
MOST_CELLS = 20_000_000  # episodes times the steps of the longest: what a measure of them holds in memory several times


def order_of(rows: pl.DataFrame, column: str) -> pl.Series:
    """Return numbers that put the rows of an episode in order, null where none is known."""
    found = times_of(rows[column])
    found = found.fill_nan(None) if found.dtype.is_float() else found
    return found.to_physical().alias("order")


def whole_episodes(rows: pl.DataFrame, rewards: pl.Series, payload: Mapping[str, Any]) -> pl.Series:
    """Return rewards, null throughout an episode of which a row is not known: what follows a gap does not follow the row before it."""
    known = pl.DataFrame(
        {
            "episode": rows[payload["episode"]].cast(pl.String),
            "known": rewards.is_not_null() & order_of(rows, payload["step"]).is_not_null(),
            "reward": rewards,
        }
    )
    whole = pl.col("known").all().over("episode") & pl.col("episode").is_not_null()
    return known.select(pl.when(whole).then(pl.col("reward")))["reward"].alias(rewards.name)


def check_episodes(rows: pl.DataFrame, rewards: pl.Series, payload: Mapping[str, Any]) -> list[str]:
    """Refuse rows that are no episodes; return what people should know of them.

    ``rewards`` are null where an episode is left out, see :func:`whole_episodes`.
    """
    frame = pl.DataFrame(
        {
            "episode": rows[payload["episode"]].cast(pl.String),
            "order": order_of(rows, payload["step"]),
            "known": rewards.is_not_null(),
        }
    )
    kept = frame.filter("known")
    twice = int(kept.select("episode", "order").is_duplicated().sum())
    if twice:
        raise Unlearnable(
            f"{twice} rows share their episode and their place in it with another",
            field="step_column",
            value=payload["step"],
            hint="name the column that puts the rows of an episode in order, and remove rows that occur twice",
        )
    sizes = kept["episode"].value_counts()["count"]
    longest = int(sizes.max() or 0)  # type: ignore[arg-type]  a count
    if longest > MOST_STEPS:
        raise Unlearnable(
            f"an episode has {longest} steps",
            field="episode_column",
            value=longest,
            allowed=f"at most {MOST_STEPS}",
            hint="cut long episodes into shorter ones, or take fewer, longer steps",
        )
    if len(sizes) * longest > MOST_CELLS:
        raise Unlearnable(
            f"{len(sizes)} episodes of up to {longest} steps are too many",
            field="episode_column",
            value=len(sizes) * longest,
            allowed=f"at most {MOST_CELLS:,} episodes times steps of the longest",
            hint="cut long episodes into shorter ones, or take fewer, longer steps",
        )
    told = [f"{len(sizes)} episodes, the longest has {longest} steps"]
    lost = frame["episode"].drop_nulls().n_unique() - len(sizes)
    unnamed = int(frame["episode"].is_null().sum())
    told += [f"{lost} episodes left out: a row of theirs has no action, chance, reward or place"] if lost else []
    return told + ([f"{unnamed} rows left out: they name no episode"] if unnamed else [])
