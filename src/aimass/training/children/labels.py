"""Rows with several labels: which labels are learned, how rows are shared out, and from which probability a label is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from aimass.training.children.targets import MAX_CLASSES
from aimass.training.errors import Unlearnable
from aimass.training.measures.labels import best_thresholds

LEAST_ROWS = 10
_NAMED = 10
_JUDGED = ("train", "validation", "test")


def labels_to_learn(target: pl.Series) -> tuple[tuple[str, ...], list[str]]:
    """Return the labels of the training rows that are learned, and what people should know of the others.

    A label needs ten rows that have it and ten that do not; of more than a hundred the most frequent are learned.

    Examples
    --------
    >>> labels_to_learn(pl.Series([["a", "rare"]] + [["a"]] * 9 + [["b"]] * 10))
    (('a', 'b'), ["labels with fewer than 10 training rows are not learned: 'rare'"])
    """
    counted = target.explode().drop_nulls().value_counts().rows()
    counts = sorted(counted, key=lambda one: (-one[1], one[0]))
    rare = [name for name, count in counts if count < LEAST_ROWS]
    usual = [name for name, count in counts if count > len(target) - LEAST_ROWS]
    fit = [name for name, _ in counts if name not in rare and name not in usual]
    told = [
        (rare, f"labels with fewer than {LEAST_ROWS} training rows are not learned"),
        (usual, f"labels that all but {LEAST_ROWS} training rows have are not learned"),
        (fit[MAX_CLASSES:], f"only the {MAX_CLASSES} most frequent labels are learned, not"),
    ]
    if not fit:
        raise Unlearnable(
            f"no label has {LEAST_ROWS} training rows, and {LEAST_ROWS} without it",
            field="target",
            value=len(counts),
            hint="collect more rows, or name the separator of the labels (label_separator)",
        )
    return tuple(sorted(fit[:MAX_CLASSES])), [f"{what}: {some(sorted(names))}" for names, what in told if names]


def some(names: Sequence[str]) -> str:
    """Return names as a part of a sentence, the first ten of them.

    Examples
    --------
    >>> some(["a", "b"]), some([str(n) for n in range(12)])[-19:]
    ("'a', 'b'", "'8', '9' and 2 more")
    """
    shown = ", ".join(repr(name) for name in names[:_NAMED])
    return shown if len(names) <= _NAMED else f"{shown} and {len(names) - _NAMED} more"


def labels_by_part(target: pl.Series, parts: pl.Series) -> list[str]:
    """Return which labels are missing in which part; refuse a split in which no label is in all of them."""
    found = pl.DataFrame({"part": parts, "label": target}).explode("label").drop_nulls("label")
    by_part = {part: set(found.filter(pl.col("part") == part)["label"].to_list()) for part in _JUDGED}
    everywhere = set.intersection(*by_part.values())
    if not everywhere:
        raise Unlearnable(
            "no label occurs in each of train, validation and test",
            field="target",
            value=sorted(set.union(*by_part.values()))[:_NAMED],
            hint="collect more rows, or name the separator of the labels (label_separator)",
        )
    learned = found.filter(pl.col("part") == "train")["label"].value_counts()
    known = {name for name, count in learned.rows() if count >= LEAST_ROWS}
    lost = {part: sorted(known - by_part[part]) for part in _JUDGED[1:]}
    return [f"labels that do not occur in {part}: {some(names)}" for part, names in lost.items() if names]


def is_of_sets(truth: Any) -> bool:
    """Tell whether each row has several labels, or none.

    Examples
    --------
    >>> is_of_sets(np.zeros((3, 2), dtype=bool)), is_of_sets(np.zeros(3))
    (True, False)
    """
    return isinstance(truth, np.ndarray) and truth.ndim > 1


def rarest_label(truth: Any, least: int) -> Any:
    """Return the rarest label of each row as a number; who shares these out shares every label out.

    Rows without a label, and those of numbers with fewer rows than ``least``, are of one kind.

    Examples
    --------
    >>> rarest_label(np.array([[1, 1], [1, 0], [0, 1], [1, 0], [0, 0]], dtype=bool), 2).tolist()
    [1, 0, 1, 0, 2]
    """
    order = np.argsort(truth.sum(axis=0), kind="stable")
    rarest = np.where(truth.any(axis=1), order[truth[:, order].argmax(axis=1)], truth.shape[1])
    few = np.flatnonzero(np.bincount(rarest, minlength=truth.shape[1] + 1) < least)
    return np.where(np.isin(rarest, few), truth.shape[1], rarest)


def check_labels(truth: Any, labels: Sequence[str], folds: int) -> None:
    """Refuse folds of which there are more than rows with one of the labels."""
    counts = truth.sum(axis=0)
    if int(counts.min()) < folds:
        name = labels[int(counts.argmin())]
        raise Unlearnable(
            f"label {name!r} has {int(counts.min())} training rows, {folds} folds need {folds}",
            field="folds",
            value=folds,
            hint="take fewer folds",
        )


def whole_labels(cuts: list[tuple[Any, Any]], truth: Any, labels: Sequence[str]) -> list[tuple[Any, Any]]:
    """Refuse folds that learn without a label, or without a row that lacks it, or that judge by none."""
    for number, (inside, outside) in enumerate(cuts, start=1):
        shares = truth[inside].mean(axis=0)
        lacking = np.flatnonzero((shares == 0) | (shares == 1))
        if len(lacking) or not truth[outside].any():
            name = labels[int(lacking[0])] if len(lacking) else None
            what = f"cannot learn label {name!r}" if name else "has no label to judge by"
            raise Unlearnable(
                f"fold {number} {what}",
                field="folds",
                value=name,
                hint="take fewer folds, or split by a column whose groups hold every label",
            )
    return cuts


def thresholds_of(truth: Any, places: Any, outside: pl.DataFrame) -> Any:
    """Return from which probability each label is chosen, found on what the folds say of rows that they left out.

    Parameters
    ----------
    truth, places
        The labels of each row, and where it stands in the dataset version.
    outside
        What the folds say, as they wrote it down.
    """
    truth = truth[np.searchsorted(places, outside["row"].to_numpy())]
    said = outside.select(f"p{place}" for place in range(truth.shape[1])).to_numpy()
    return best_thresholds(truth, said)
