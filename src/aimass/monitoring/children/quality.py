"""Live quality: predictions against the truth that came back, each number with its 95 % interval.

References
----------
Wilson (1927) for shares; DeLong, DeLong & Clarke-Pearson (1988) for the area under the ROC curve; F1 by a parametric
bootstrap of the confusion counts (Efron 1979) with a fixed seed; Brier (1950) by the central limit theorem.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl

from aimass.kernel.clock import instant
from aimass.monitoring.children.boxes import measure_objects, pictures_of
from aimass.monitoring.children.decisions import decisions_of, measure_decisions
from aimass.monitoring.children.entities import answers_of, measure_entities
from aimass.monitoring.children.feedback import joined
from aimass.monitoring.children.forecasts import forecasts_of, measure_forecasts
from aimass.monitoring.children.numbers import measure_numbers, numbers_of
from aimass.monitoring.children.sets import is_of_sets, measure_sets
from aimass.monitoring.children.summaries import measure_summaries, summaries_of

Z = 1.959963984540054
_DRAWS = 2000
_TWO = 2


def quality(args: dict[str, Any]) -> dict[str, Any]:
    """Measure a deployment revision on the newest rows whose truth is known.

    Parameters
    ----------
    args
        ``records``, ``feedback`` (tables), ``deployment``, ``revision``, ``rows`` (size of the window), ``since``, ``classes`` (in the
        order of the probabilities) and ``positive``; both are found in the rows where they are not given; ``baseline``: what the model
        reached on its test rows, by metric.

    Returns
    -------
    dict
        ``rows``, ``since``, ``until``, ``classes``, ``positive``, ``labels`` (truth by class), ``confusion`` and ``metrics``: name to
        ``value``, ``low``, ``high``, ``count``, ``method``. Of a model that predicts numbers: ``rmse`` and ``mae``; of one that
        finds entities, or objects: ``f1``; of forecasts: ``mae``, ``rmse``, ``mase``; of summaries: ``rouge_l``, ``rouge_1``, ``rouge_2``; of a policy: ``reward``, and ``rewards`` by action; of several labels a row is right (``accuracy``) when all of them are, and ``f1`` is over all labels
        at once.
    """
    frame = joined(args)
    rows = None if frame is None else _newest(frame.filter(pl.col("label").is_not_null()), args)
    if frame is None or rows is None or not rows.height:
        return _of_others(frame, args)
    if is_of_sets(rows):
        found = measure_sets(rows)
        found["metrics"]["accuracy"] = share(found.pop("right"), rows.height)
        return {**_about(rows), **found}
    classes = args.get("classes") or classes_of(rows)
    positive = args.get("positive") or (classes[-1] if classes else None)
    return {
        **_about(rows),
        "classes": classes,
        "positive": positive,
        "labels": dict(rows["truth"].value_counts().sort("truth").iter_rows()),
        "confusion": _confusion(rows),
        "metrics": measure(rows, classes, positive),
    }


def _about(rows: pl.DataFrame) -> dict[str, Any]:
    return {"rows": rows.height, "since": instant(rows["t"][0]), "until": instant(rows["t"][-1])}


def _newest(frame: pl.LazyFrame, args: dict[str, Any]) -> pl.DataFrame:
    return frame.top_k(int(args["rows"]), by=["t", "id", "row"]).sort("t", "id").collect()


def _of_others(frame: pl.LazyFrame | None, args: dict[str, Any]) -> dict[str, Any]:
    """Return what is found of a model that predicts numbers, finds entities or objects, decides, sums up or forecasts; or nothing."""
    nothing = {"rows": 0, "since": None, "until": None, "classes": [], "positive": None, "labels": {}, "metrics": {}}
    for kind, measured in _OTHERS:
        said = None if frame is None else kind(frame)
        rows = None if said is None else _newest(said, args)
        if rows is not None and rows.height:
            span = {"since": instant(rows["t"][0]), "until": instant(rows["t"][-1])}
            return {**nothing, **span, "rows": rows.height, "confusion": [], **measured(rows, args)}
    return nothing


_Measured = Callable[[pl.DataFrame, dict[str, Any]], dict[str, Any]]
_OTHERS: Sequence[tuple[Callable[[pl.LazyFrame], pl.LazyFrame | None], _Measured]] = (
    (numbers_of, lambda rows, _args: {"metrics": measure_numbers(rows)}),
    (answers_of, lambda rows, _args: {"metrics": measure_entities(rows)}),
    (pictures_of, lambda rows, _args: {"metrics": measure_objects(rows)}),
    (decisions_of, lambda rows, _args: measure_decisions(rows)),
    (summaries_of, lambda rows, _args: {"metrics": measure_summaries(rows)}),
    (forecasts_of, lambda rows, args: {"metrics": measure_forecasts(rows, args.get("baseline"))}),
)


def classes_of(rows: pl.DataFrame) -> list[str]:
    """Find the class of each probability: the label that is given when it is the highest."""
    scored = rows.filter(pl.col("probabilities").is_not_null())
    if not scored.height:
        return sorted(set(rows["label"].unique().to_list()) | set(rows["truth"].unique().to_list()))
    places = scored.select(pl.col("probabilities").list.arg_max().alias("place"), "label").unique()
    found: dict[int, str] = dict(places.iter_rows())
    size = int(scored["probabilities"].list.len().max() or 0)  # pyright: ignore[reportArgumentType]
    left = sorted(set(rows["truth"].unique().to_list()) - set(found.values()))
    return [found[i] if i in found else (left.pop(0) if left else f"class {i}") for i in range(size)]


def _confusion(rows: pl.DataFrame) -> list[dict[str, Any]]:
    counted = rows.group_by("truth", "label").len().sort("truth", "label")
    return [{"truth": truth, "predicted": label, "count": count} for truth, label, count in counted.iter_rows()]


def measure(rows: pl.DataFrame, classes: list[str], positive: str | None) -> dict[str, Any]:
    """Return every metric that the rows allow."""
    truth, label = rows["truth"].to_numpy(), rows["label"].to_numpy()
    found = {"accuracy": share(int((truth == label).sum()), len(truth))}
    if len(classes) == _TWO:
        found["f1"] = f1(truth == positive, label == positive)
    else:
        found["f1"] = macro_f1(truth, label, classes)
    scored = rows.filter(pl.col("probabilities").list.len() == len(classes))
    if scored.height and classes:
        scores = np.array(scored["probabilities"].to_list(), dtype=float)
        actual = np.array(classes)[None, :] == scored["truth"].to_numpy()[:, None]
        found["brier"] = brier(actual, scores)
        area = _area(actual, scores, classes, positive)
        if area is not None:
            found["auc"] = area
    return found


def _area(actual: Any, scores: Any, classes: list[str], positive: str | None) -> dict[str, Any] | None:
    if len(classes) == _TWO and positive in classes:
        place = classes.index(positive)
        return auc(actual[:, place], scores[:, place])
    areas = [auc(actual[:, k], scores[:, k]) for k in range(len(classes))]
    known = [area for area in areas if area is not None]
    if not known:
        return None
    error = float(np.sqrt(np.mean([((a["high"] - a["low"]) / 2) ** 2 for a in known]) / len(known)))
    value = float(np.mean([a["value"] for a in known]))
    return _value(value, value - error, value + error, len(actual), "macro DeLong")


def _value(value: float, low: float, high: float, count: int, method: str) -> dict[str, Any]:
    return {"value": value, "low": max(0.0, low), "high": min(1.0, high), "count": count, "method": method}


def share(hits: int, count: int) -> dict[str, Any]:
    """Return a share with the interval of Wilson.

    Examples
    --------
    >>> found = share(8, 10)
    >>> round(found["low"], 3), round(found["high"], 3)
    (0.49, 0.943)
    """
    p, n = hits / count, count
    middle = (p + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * np.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    return _value(p, float(middle - half), float(middle + half), count, "Wilson")


def f1(truth: Any, guess: Any) -> dict[str, Any]:
    """Return the harmonic mean of precision and recall of one class."""
    counts = np.array([(truth & guess).sum(), (~truth & guess).sum(), (truth & ~guess).sum(), (~truth & ~guess).sum()])
    draws = np.random.default_rng(0).multinomial(counts.sum(), counts / counts.sum(), size=_DRAWS)
    low, high = np.quantile(_f1(draws), [0.025, 0.975])
    return _value(float(_f1(counts[None, :])[0]), float(low), float(high), int(counts.sum()), "bootstrap")


def _f1(counts: Any) -> Any:
    hit, false, missed = counts[:, 0], counts[:, 1], counts[:, 2]
    return 2 * hit / np.maximum(2 * hit + false + missed, 1)


def macro_f1(truth: Any, guess: Any, classes: list[str]) -> dict[str, Any]:
    """Return the mean F1 of the classes, its interval by drawing rows."""
    rng = np.random.default_rng(0)
    draws = [rng.integers(0, len(truth), len(truth)) for _ in range(200)]
    means = [_macro(truth[rows], guess[rows], classes) for rows in draws]
    low, high = np.quantile(means, [0.025, 0.975])
    return _value(_macro(truth, guess, classes), float(low), float(high), len(truth), "bootstrap")


def _macro(truth: Any, guess: Any, classes: list[str]) -> float:
    counts = np.array(
        [
            [
                ((truth == c) & (guess == c)).sum(),
                ((truth != c) & (guess == c)).sum(),
                ((truth == c) & (guess != c)).sum(),
            ]
            for c in classes
        ]
    )
    return float(np.mean(_f1(counts)))


def brier(actual: Any, scores: Any) -> dict[str, Any]:
    """Return the mean squared error of the probabilities; for two classes of one of them, else summed over all."""
    parts = (scores - actual) ** 2
    errors = parts[:, -1] if scores.shape[1] == _TWO else parts.sum(axis=1)
    half = Z * errors.std(ddof=1) / np.sqrt(len(errors)) if len(errors) > 1 else 1.0
    value = float(errors.mean())
    return {
        "value": value,
        "low": max(0.0, value - half),
        "high": value + half,
        "count": len(errors),
        "method": "normal",
    }


def auc(is_positive: Any, scores: Any) -> dict[str, Any] | None:
    """Return the chance that a positive row scores above a negative one, with the interval of DeLong.

    None while a class is missing. With one row of a class there is no variance; the interval is then the whole range.

    Examples
    --------
    >>> auc(np.array([False, False, True, True]), np.array([0.1, 0.4, 0.35, 0.8]))["value"]
    0.75
    """
    positive, negative = scores[is_positive], scores[~is_positive]
    m, n = len(positive), len(negative)
    if not m or not n:
        return None
    overall = midranks(np.concatenate([positive, negative]))
    value = float((overall[:m].sum() - m * (m + 1) / 2) / (m * n))
    if m == 1 or n == 1:
        return _value(value, 0.0, 1.0, m + n, "DeLong")
    by_positive = (overall[:m] - midranks(positive)) / n
    by_negative = 1 - (overall[m:] - midranks(negative)) / m
    half = Z * float(np.sqrt(by_positive.var(ddof=1) / m + by_negative.var(ddof=1) / n))
    return _value(value, value - half, value + half, m + n, "DeLong")


def midranks(values: Any) -> Any:
    """Return the ranks from 1, ties sharing their middle rank.

    Examples
    --------
    >>> midranks(np.array([10.0, 20.0, 20.0, 30.0])).tolist()
    [1.0, 2.5, 2.5, 4.0]
    """
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[where.ravel()].astype(float)
