"""Folds of the cross-validation, cut as the split was; and what a run says of the rows that each of them left out."""

from __future__ import annotations

import io
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from aimass.training.children.labels import check_labels, is_of_sets, rarest_label, whole_labels
from aimass.training.children.newcomers import cuts_of_both
from aimass.training.children.table import Prepared
from aimass.training.errors import Unlearnable
from aimass.training.measures.forecasts import Windows
from aimass.training.measures.policies import Logged
from aimass.training.measures.spans import bare

FOLDS_FILE = "folds.parquet"
LEAST_WINDOWS = 10
HELD_OUT = 5
Cut = tuple[Any, Any]


def cuts_of(data: Prepared, folds: int, seed: int) -> list[Cut]:
    """Return, per fold, the training rows to learn from and those to judge by; positions among the training rows.

    Rows of one group lie on one side. By time, each fold is judged on rows that are later than those it learned from,
    so the earliest rows are never judged on; by both, on later rows of other groups. Otherwise rows are drawn by the seed,
    classes by their share. One fold alone is the last of five: the other four learn.
    """
    if folds == 1:
        return cuts_of(data, HELD_OUT, seed)[-1:]
    train = data.table("train")
    if isinstance(train.truth, Windows):
        return _rolling(train.truth, folds)
    classes = data.signature.classes if data.has_truth else ()
    named = train.truth.actions if isinstance(train.truth, Logged) else train.truth
    is_of_labels = is_of_sets(named)
    if is_of_labels:
        check_labels(named, classes, folds)
    elif classes:
        _check_classes(named, classes, folds)
    elif len(train.truth) < 2 * folds:
        raise Unlearnable(
            f"there are {len(train.truth)} training rows, {folds} folds need {2 * folds}", field="folds", value=folds
        )
    rows = named if classes else np.zeros(len(train.truth))
    if is_of_labels:
        rows = rarest_label(named, folds)
    if data.times is not None and data.groups is not None:
        is_train = data.parts == "train"
        groups = data.groups.filter(is_train).to_numpy()
        return _whole(cuts_of_both(data.times.filter(is_train), groups, folds, seed), named, classes)
    if data.times is not None:
        return _whole(_by_time(data.times.filter(data.parts == "train"), folds), named, classes)
    # loaded here alone: it takes a second, and a job whose recipe or data are refused never comes so far
    from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

    if data.groups is not None:
        groups = data.groups.filter(data.parts == "train").to_numpy()
        _check_groups(len(np.unique(groups)), folds)
        kind = StratifiedGroupKFold if classes else GroupKFold
        cuts = kind(folds, shuffle=True, random_state=seed).split(rows, rows, groups)
    else:
        kind = StratifiedKFold if classes else KFold
        cuts = kind(folds, shuffle=True, random_state=seed).split(rows, rows)
    return _whole(list(cuts), named, classes)


def _rolling(truth: Windows, folds: int) -> list[Cut]:
    """Return folds of windows: each learns from all that was over when the windows begin that it is judged by."""
    first, last = int(truth.when.min()), int(truth.when.max())
    edges = np.linspace(first, last + 1, folds + 2).round().astype(int)
    over = truth.when + truth.steps
    cuts = [
        (np.flatnonzero(over <= start), np.flatnonzero((truth.when >= start) & (truth.when < end)))
        for start, end in pairwise(edges[1:])
    ]
    if any(len(inside) < LEAST_WINDOWS or not len(outside) for inside, outside in cuts):
        raise Unlearnable(
            f"the training part spans {last - first + 1} windows of time, too few for {folds} folds that look {truth.steps} steps ahead",
            field="folds",
            value=folds,
            hint="take fewer folds, look fewer steps ahead, take a shorter history, or collect more rows",
        )
    return cuts


def _by_time(times: pl.Series, folds: int) -> list[Cut]:
    from sklearn.model_selection import TimeSeriesSplit

    order = np.argsort(times.to_physical().to_numpy(), kind="stable")
    if len(order) <= folds:
        raise Unlearnable(f"there are {len(order)} training rows, too few for {folds} folds by time", field="folds")
    return [(order[inside], order[outside]) for inside, outside in TimeSeriesSplit(folds).split(order)]


def _check_classes(truth: Any, classes: tuple[str, ...], folds: int) -> None:
    counts = np.bincount(truth, minlength=len(classes))
    if int(counts.min()) < folds:
        name = classes[int(counts.argmin())]
        raise Unlearnable(
            f"class {name!r} has {int(counts.min())} training rows, {folds} folds need {folds}",
            field="folds",
            value=folds,
            hint="collect more rows of this class, or take fewer folds",
        )


def _check_groups(groups: int, folds: int) -> None:
    if groups < folds:
        raise Unlearnable(
            f"the training rows have {groups} groups, {folds} folds need {folds}",
            field="folds",
            value=folds,
            hint="take fewer folds, or split by a column with more groups",
        )


def _whole(cuts: list[Cut], truth: Any, classes: tuple[str, ...]) -> list[Cut]:
    """Refuse folds that have rows of one class alone, or learn without one."""
    if is_of_sets(truth):
        return whole_labels(cuts, truth, classes)
    for number, (inside, outside) in enumerate(cuts, start=1):
        for code, name in enumerate(classes):
            if not (truth[inside] == code).any() or not (truth[outside] == code).any():
                raise Unlearnable(
                    f"fold {number} has no row of class {name!r} to learn from or to judge by",
                    field="folds",
                    value=name,
                    hint="take fewer folds, or split by a column whose groups hold every class",
                )
    return cuts


def out_of_fold(fold: int, rows: Any, predicted: Any) -> pl.DataFrame:
    """Return what a fold says of the rows that it left out.

    Parameters
    ----------
    fold
        Number of the fold, from 1.
    rows
        Positions of its rows in the canonical order of the dataset version.
    predicted
        Shape ``(n,)`` or ``(n, columns)``; or texts, shape ``(n,)``.

    Returns
    -------
    polars.DataFrame
        ``row`` (``UInt32``), ``fold`` (``UInt8``) and ``p0`` to ``pk`` (``Float32``): a column per class in the order of
        the signature's classes, or ``p0`` alone for a number; ``said`` (``String``) of entities, without what people wrote.

    Examples
    --------
    >>> out_of_fold(2, np.array([7, 3]), np.array([0.5, 1.5])).rows()
    [(7, 2, 0.5), (3, 2, 1.5)]
    """
    frame = pl.DataFrame({"row": np.asarray(rows, dtype=np.uint32)})
    if np.asarray(predicted).dtype == object:
        return frame.with_columns(
            pl.lit(fold, dtype=pl.UInt8).alias("fold"),
            said=pl.Series([bare(one) for one in predicted], dtype=pl.String),
        )
    columns = np.asarray(predicted, dtype=np.float32).reshape(len(rows), -1)
    said = {f"p{place}": columns[:, place] for place in range(columns.shape[1])}
    return frame.with_columns(pl.lit(fold, dtype=pl.UInt8).alias("fold"), **{n: pl.Series(v) for n, v in said.items()})


def packed(frame: pl.DataFrame) -> bytes:
    """Return the predictions of a fold as the bytes of a checkpoint."""
    stream = io.BytesIO()
    frame.write_parquet(stream, compression="zstd", statistics=False)
    return stream.getvalue()


def unpacked(state: bytes) -> pl.DataFrame:
    """Return the predictions of a fold from a checkpoint."""
    return pl.read_parquet(io.BytesIO(state))
