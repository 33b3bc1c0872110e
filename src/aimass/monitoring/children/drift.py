"""Drift of inputs and predictions: the live window against the reference, feature by feature."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from aimass.kernel.clock import instant
from aimass.monitoring.children.histories import hidden_in, lists_in, with_figures
from aimass.monitoring.children.measures import (
    MAX_CATEGORIES,
    Test,
    chi_square_test,
    edges_of,
    histogram,
    ks_test,
    stability_index,
)
from aimass.monitoring.children.numbers import VALUE
from aimass.monitoring.children.records import window
from aimass.monitoring.children.rows import INPUT
from aimass.monitoring.children.sets import is_of_sets

MISSING, UNSEEN, OTHER = "(missing)", "(unseen)", "(other)"
_TWO = 2
MIN_TEXTS = 50
_WORD = r"\p{Han}|[\p{L}\p{N}]+"


def drift(args: dict[str, Any]) -> dict[str, Any]:
    """Compare the newest rows of a deployment revision with its reference.

    Parameters
    ----------
    args
        ``records`` (table), ``reference`` (Parquet file made by ``build_reference``), ``deployment``, ``revision``, ``rows``
        (size of the window), ``since``.

    Returns
    -------
    dict
        ``rows``, ``reference_rows``, ``since``, ``until`` of the window; ``features`` and ``prediction``: per column ``psi``, test,
        shares of missing and unseen values, and both histograms; ``misfits``: rows with a value of a wrong type;
        ``unwatched``: inputs of which records keep no values, because their lists are long.
    """
    live = window(args)
    reference = pl.read_parquet(args["reference"])
    if not live.height:
        return {
            "rows": 0,
            "reference_rows": reference.height,
            "since": None,
            "until": None,
            "features": [],
            "prediction": None,
        }
    names = [name for name in reference.columns if name.startswith(INPUT)]
    hidden = hidden_in(live, lists_in(names))
    names = [name for name in names if not name.startswith(tuple(f"{one}." for one in hidden))]
    live = with_figures(live, lists_in(names))
    features = [compare(name, reference[name], _column(live, name, reference[name].dtype)) for name in names]
    return {
        "rows": live.height,
        "reference_rows": reference.height,
        "since": instant(live["t"][0]),
        "until": instant(live["t"][-1]),
        "features": sorted(features, key=lambda feature: -feature["psi"]),
        "prediction": _prediction(reference, live),
        "misfits": live.height - live["misfit"].null_count(),
        "unwatched": [name.removeprefix(INPUT) for name in hidden],
    }


def _column(live: pl.DataFrame, name: str, dtype: Any) -> pl.Series:
    """Return a live column in the type of the reference; an input that was never sent is missing throughout."""
    if name not in live.columns:
        return pl.Series(name, [None] * live.height, dtype=dtype)
    column = live[name]
    if dtype == pl.Boolean and column.dtype.is_numeric():
        return column.cast(pl.Boolean)
    if dtype == pl.String and column.dtype == pl.Boolean:
        return column.cast(pl.String)
    return column.cast(dtype, strict=False)


def compare(name: str, reference: pl.Series, live: pl.Series) -> dict[str, Any]:
    """Compare one column: numbers by shared quantile bins, texts by their lengths, everything else by categories."""
    kind = kind_of(reference)
    if kind == "numeric":
        found, shares = _numbers(reference, live), [_null_share(side) for side in (reference, live)]
    else:
        texts = [_texts(side) for side in (reference, live)]
        found = _written(*texts) if kind == "text" else _categories(*texts)
        shares = [side.null_count() / max(len(side), 1) for side in texts]
    return {
        "name": name.removeprefix(INPUT),
        "kind": kind,
        "missing": {"reference": shares[0], "live": shares[1]},
        **found,
    }


def kind_of(reference: pl.Series) -> str:
    """Return how a column is compared: texts of which most occur once are no categories.

    Examples
    --------
    >>> kind_of(pl.Series(["a", "b"] * 60)), kind_of(pl.Series([f"parcel {n} is late" for n in range(120)]))
    ('categorical', 'text')
    """
    if reference.dtype.is_numeric():
        return "numeric"
    known = _texts(reference).drop_nulls()
    return "text" if len(known) >= MIN_TEXTS and known.n_unique() > len(known) / 2 else "categorical"


def _written(reference: pl.Series, live: pl.Series) -> dict[str, Any]:
    """Compare texts by their lengths; unseen is one without any word of the reference."""
    found = _numbers(reference.str.len_chars().cast(pl.Float64), live.str.len_chars().cast(pl.Float64))
    known, said = _words(reference).explode().drop_nulls().unique(), _words(live.drop_nulls())
    strange = said.list.eval(pl.element().is_in(known.implode())).list.any().not_()
    return found | {"unseen": float(strange.sum()) / max(len(live), 1)}


def _words(column: pl.Series) -> pl.Series:
    return column.str.to_lowercase().str.extract_all(_WORD)


def _null_share(column: pl.Series) -> float:
    return 1 - len(_finite(column)) / max(len(column), 1)


def _finite(column: pl.Series) -> Any:
    numbers = column.cast(pl.Float64).drop_nulls().to_numpy()
    return numbers[np.isfinite(numbers)]


def _texts(column: pl.Series) -> pl.Series:
    """Return categories as text; an empty text is a missing value, as on the wire."""
    text = column.cast(pl.String)
    return text.set(text == "", None)


def _numbers(reference: pl.Series, live: pl.Series) -> dict[str, Any]:
    first, second = _finite(reference), _finite(live)
    edges = edges_of(first) if len(first) else np.array([])
    counts = [np.append(histogram(s, edges), len(side) - len(s)) for s, side in ((first, reference), (second, live))]
    test = ks_test(first, second) if len(first) and len(second) else None
    labels = [*_ranges(edges), MISSING]
    return _told(counts[0], counts[1], labels, test) | {"unseen": _outside(first, second)}


def _outside(first: Any, second: Any) -> float:
    """Return the share of live numbers outside the range of the reference."""
    if not len(first) or not len(second):
        return 0.0
    return float(((second < first.min()) | (second > first.max())).mean())


def _ranges(edges: Any) -> list[str]:
    if not len(edges):
        return ["(all)"]
    texts = [f"{edge:.6g}" for edge in edges]
    return [
        f"≤ {texts[0]}",
        *[f"{low} – {high}" for low, high in pairwise(texts)],
        f"> {texts[-1]}",
    ]


def _categories(reference: pl.Series, live: pl.Series) -> dict[str, Any]:
    """Compare categories; rare ones of the reference share a bin, those it never had are a bin of their own."""
    first, second = _counts(reference), _counts(live)
    common = sorted(first, key=lambda value: (-first[value], value))[:MAX_CATEGORIES]
    rare = set(first) - set(common)
    bins = [*common, *([OTHER] if rare else []), UNSEEN, MISSING]
    counts = [_binned(found, bins, rare, column.null_count()) for found, column in ((first, reference), (second, live))]
    used = (counts[0] + counts[1]) > 0
    test = chi_square_test(counts[0], counts[1]) if used.sum() >= _TWO else None
    kept = [label for label, is_used in zip(bins, used, strict=True) if is_used]
    unseen = counts[1][bins.index(UNSEEN)] / max(len(live), 1)
    return _told(counts[0][used], counts[1][used], kept, test) | {"unseen": float(unseen)}


def _counts(column: pl.Series) -> dict[str, int]:
    return dict(column.drop_nulls().value_counts().iter_rows())


def _binned(found: Mapping[str, int], bins: list[str], rare: set[str], missing: int) -> Any:
    places = {label: place for place, label in enumerate(bins)}
    counts = np.zeros(len(bins))
    for value, count in found.items():
        counts[places[OTHER] if value in rare else places.get(value, places[UNSEEN])] += count
    counts[places[MISSING]] += missing
    return counts


def _told(first: Any, second: Any, labels: list[str], test: Test | None) -> dict[str, Any]:
    return {
        "psi": stability_index(first, second) if first.sum() and second.sum() else 0.0,
        "test": test.name if test else None,
        "statistic": test.statistic if test else None,
        "p_value": test.p_value if test else None,
        "histogram": {
            "labels": labels,
            "reference": [float(share) for share in first / max(first.sum(), 1)],
            "live": [float(share) for share in second / max(second.sum(), 1)],
        },
    }


def _prediction(reference: pl.DataFrame, live: pl.DataFrame) -> dict[str, Any] | None:
    """Compare the score of the last class, the labels where a model gives no probabilities, or the number that it gives."""
    sides = (reference, live)
    if all("probabilities" in side.columns and side["probabilities"].null_count() < side.height for side in sides):
        is_set = all(
            is_of_sets(side) for side in sides
        )  # how many labels are expected of a row, not how likely the last is
        scores = [
            (side["probabilities"].list.sum() if is_set else side["probabilities"].list.last()).alias("score")
            for side in sides
        ]
        return compare("score", scores[0], scores[1])
    if all("label" in side.columns and side["label"].null_count() < side.height for side in sides):
        return compare("label", reference["label"], live["label"])
    if all(VALUE in side.columns and side[VALUE].null_count() < side.height for side in sides):
        return compare("value", reference[VALUE], _column(live, VALUE, pl.Float64))
    return None


def misfit_names(text: str | None) -> list[str]:
    """Return the inputs whose value had a wrong type in a row.

    Examples
    --------
    >>> misfit_names('{"input_age": "old"}')
    ['age']
    """
    return [name.removeprefix(INPUT) for name in json.loads(text or "{}")]
