"""Distillation: a smaller model learns the answers of a larger one, on the training rows and on rows made from them.

A row is made by taking some of its values from another row to which the teacher gives a similar answer. The teacher answers
these rows, so that the student sees more of what it knows than the data tell. (Bucilă, Caruana and Niculescu-Mizil, "Model
Compression", 2006, make rows from neighbours in the same spirit.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from aimass.training.errors import Uncompressible
from aimass.training.measures.relevance import Lists
from aimass.training.recipes.protocol import Table

SWAPPED = 0.25
_NEAR = 20


def transfer_set(train: Table, teacher: Callable[[pl.DataFrame], Any], *, copies: int, seed: int) -> Table:
    """Return the training rows as they are, and ``copies`` as many made rows with the answers of the teacher.

    The rows of the data keep their own truth, so that no class is lost of which the teacher knows nothing.

    Raises
    ------
    Uncompressible
        The teacher tells an order: what it says of a made row belongs to no list.
    """
    if isinstance(train.truth, Lists):
        raise Uncompressible("rows are made from others, and a made row belongs to no list")
    if not copies:
        answers = teacher(train.features)
        return Table(features=train.features, truth=_truth(answers, train.truth))
    rng = np.random.default_rng(seed)
    order, groups = _alike(teacher(train.features))
    made = pl.concat([mixed(train.features, order, groups, rng) for _ in range(copies)])
    said = _truth(teacher(made), train.truth)
    return Table(features=pl.concat([train.features, made]), truth=np.concatenate([train.truth, said]))


def _truth(answers: Any, like: Any) -> Any:
    """Return what a student learns from: the class that the teacher names, or its number."""
    told = answers.argmax(axis=1) if answers.ndim > 1 else answers
    return told.astype(like.dtype)


def _alike(answers: Any) -> tuple[Any, Any]:
    """Return the rows in an order in which neighbours have similar answers, and which of them belong together."""
    if answers.ndim == 1:
        return np.argsort(answers, kind="stable"), np.zeros(len(answers), np.int64)
    classes = answers.argmax(axis=1)
    order = np.lexsort((answers.max(axis=1), classes))
    return order, classes[order]


def mixed(features: pl.DataFrame, order: Any, groups: Any, rng: Any) -> pl.DataFrame:
    """Return as many rows, in each of which a quarter of the values come from a row of similar answer."""
    height = len(order)
    places = np.arange(height)
    partner = np.clip(places + rng.integers(-_NEAR, _NEAR + 1, height), 0, height - 1)
    partner = np.where(groups[partner] == groups, partner, places)
    own, other = features[order], features[order[partner]]
    return own.select(
        pl.when(pl.Series(rng.random(height) < SWAPPED)).then(other[name]).otherwise(pl.col(name)).alias(name)
        for name in own.columns
    )
