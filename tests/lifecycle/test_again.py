"""Splitting again: what the task of the champion was told is asked anew, all of it."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from aimass.lifecycle.domain import missing
from aimass.lifecycle.plans import RELEASE, RETRAIN
from aimass.lifecycle.steps.again import NewRows, order_again
from aimass.training import CreateSplit, Split

ASKED: dict[str, dict[str, Any]] = {
    "forecasting": {
        "time_column": "at",
        "group_column": "shop",
        "horizon": 12,
        "known_ahead": ["sale"],
        "past": ["rain"],
    },
    "multilabel": {"key_column": "id", "label_separator": "; "},
    "policy": {
        "action_column": "done",
        "propensity_column": "chance",
        "episode_column": "visit",
        "step_column": "nth",
        "discount": 0.9,
    },
}
OF_THE_ROWS = {"dataset_version", "base", "new_rows", "key"}


def split_of(wish: CreateSplit) -> Split:
    """Return what a split says of itself that was made by a wish."""
    own = {field.name: getattr(wish, field.name) for field in fields(Split) if hasattr(wish, field.name)}
    own |= {"known_ahead": tuple(wish.known_ahead or ()), "past": tuple(wish.past or ()), "version": 1}
    own |= {"discount": 1.0 if wish.episode_column is None else wish.discount, "dataset_version": 1}
    empty: dict[str, Any] = {"counts": {}, "classes": {}, "sha256": "0", "notes": (), "texts": (), "lists": {}}
    by = {"created_by": "ann", "created_at": datetime(2026, 1, 1, tzinfo=UTC), "error": None, "job": None}
    return Split(**{**own, **empty, **by, "id": "first", "state": "READY"})


@pytest.mark.parametrize("task", [*ASKED, "classification"])
def test_all_that_was_asked_is_asked_again(task: Any) -> None:
    shares = {"train": 0.6, "validation": 0.2, "test": 0.2}
    wish = CreateSplit(workspace="demo", dataset="d", target="t", task=task, **ASKED.get(task, {}), fractions=shares)
    wish = replace(wish, seed=3, stratify=False)
    again = order_again(split_of(wish), NewRows(dataset="d", version=2, target=None, key="k"))
    told = {one.name: getattr(again, one.name) for one in fields(CreateSplit) if one.name not in OF_THE_ROWS}
    assert told == {name: getattr(wish, name) for name in told}
    assert (again.dataset_version, again.new_rows, again.key) == (2, "train", "k")
    assert again.base == (None if task == "forecasting" else "first"), "the newest moments of series judge"


def test_a_task_that_grows_by_rows_asks_its_champion_for_the_target() -> None:
    given = {"dataset": "meter", "model": "load", "endpoint": "load"}
    assert missing(RETRAIN, {**given, "task": "forecasting"}) == missing(RETRAIN, {**given, "task": "policy"}) == []
    assert missing(RETRAIN, {**given, "task": "multilabel"}) == ["target"], "what is fed back is a target"
    assert missing(RELEASE, {**given, "task": "policy"}) == ["target", "action_column"]
