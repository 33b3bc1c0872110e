"""What is in a dataset: exact counts, ranges, quantiles, histograms and top values of each column."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

import polars as pl

from aimass.lake.children.long_texts import Slices, many_of
from aimass.lake.children.many_rows import Many, Numbers
from aimass.lake.children.values import plain, type_name

CELLS_AT_ONCE = 1_000_000
_SORTED = frozenset({"integer", "float", "timestamp", "date"})  # equal ones are then counted at a tenth of the cost
BINS = 20
TOP = 10
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
DETAILED_COLUMNS = 500


def profile(args: dict[str, Any]) -> dict[str, Any]:
    """Profile one version of a dataset.

    Parameters
    ----------
    args
        ``path``; ``version`` (Delta version, None: newest); ``columns`` (None: all); ``masked``: columns with personal
        data, of which only counts are told.

    Returns
    -------
    dict
        ``rows`` and ``columns``: per column name, type, nulls, distinct and what its type allows.
    """
    slices = Slices.of(args["path"], args.get("version"))
    names = args.get("columns") or slices.frame.collect_schema().names()
    masked, detailed = set(args.get("masked") or ()), len(names) <= DETAILED_COLUMNS
    told = (
        {}
        if slices.is_many
        else {
            name: describe_long(slices, name, masked=name in masked, detailed=detailed) for name in slices.names(names)
        }
    )
    if slices.is_many:
        with many_of(slices) as many:
            found = [describe_many(many, name, slices.rows, masked=name in masked, detailed=detailed) for name in names]
        return {"rows": slices.rows, "columns": found}
    step = max(1, CELLS_AT_ONCE // max(slices.rows, 1))
    short = [name for name in names if name not in told]
    for start in range(0, len(short), step):
        part = slices.frame.select(short[start : start + step]).collect()
        told |= {name: describe(part[name], masked=name in masked, detailed=detailed) for name in part.columns}
    return {"rows": slices.rows, "columns": [told[name] for name in names]}


def describe_long(slices: Slices, name: str, *, masked: bool, detailed: bool) -> dict[str, Any]:
    """Describe a column of texts that are too long to be held at once, as :func:`describe` does."""
    counted, nulls = slices.described(name)
    told: dict[str, Any] = {"name": name, "type": "string", "count": slices.rows, "nulls": nulls, "masked": masked}
    told["distinct"] = len(counted)
    if masked:
        return told
    size, blank = counted["letters"], counted.filter(pl.col("blank"))["count"].sum()
    told |= {"min_length": size.min(), "max_length": size.max(), "blank": int(blank)}
    if detailed:
        best = _best(counted, "hash").head(TOP)
        texts = slices.texts(name, best["hash"].to_list())
        found = [(int(count), texts[key]) for key, count in best.select("hash", "count").iter_rows()]
        told["top"] = [
            {"value": text, "count": count} for count, text in sorted(found, key=lambda one: (-one[0], one[1]))
        ]
    return told


def describe_many(many: Many, name: str, rows: int, *, masked: bool, detailed: bool) -> dict[str, Any]:
    """Describe a column of more cells than are held at once, as :func:`describe` does."""
    kind, nulls = type_name(many.schema[name]), many.nulls(name)
    told: dict[str, Any] = {"name": name, "type": kind, "count": rows, "nulls": nulls, "masked": masked}
    if kind == "json":
        return {**told, "distinct": None}
    told["distinct"] = many.distinct(name)
    if masked:
        return told
    if kind == "string":
        told |= many.texts(name)
    elif kind in {"integer", "float"}:
        told |= _many_numbers(Numbers(many, name), rows - nulls, detailed=detailed)
    elif kind in {"timestamp", "date"}:
        told |= dict(zip(("min", "max"), map(plain, many.bounds(name)), strict=True))
    if detailed:
        is_each_once = told["distinct"] == rows - nulls > TOP
        best = [] if is_each_once else many.top(name, TOP)
        is_any = bool(best) and (best[0][1] > 1 or told["distinct"] <= TOP)
        told["top"] = [{"value": plain(value), "count": count} for value, count in best] if is_any else []
    return told


def _many_numbers(numbers: Numbers, present: int, *, detailed: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"not_finite": present - numbers.count, "zeros": numbers.zeros}
    if not numbers.count:
        return {**told, "min": None, "max": None, "mean": None, "std": None}
    told |= {"min": plain(numbers.low), "max": plain(numbers.high), "mean": numbers.mean(), "std": numbers.std()}
    told["quantiles"] = dict(zip(map(str, QUANTILES), map(plain, numbers.quantile(QUANTILES)), strict=True))
    if detailed:
        low, high = float(numbers.low), float(numbers.high)
        told["histogram"] = binned(low, high, numbers.count, numbers.counted)
    return told


def describe(column: pl.Series, *, masked: bool = False, detailed: bool = True) -> dict[str, Any]:
    """Describe one column.

    Examples
    --------
    >>> told = describe(pl.Series("age", [20, 30, None]))
    >>> told["nulls"], told["distinct"], told["mean"]
    (1, 2, 25.0)
    """
    kind = type_name(column.dtype)
    told: dict[str, Any] = {
        "name": column.name,
        "type": kind,
        "count": len(column),
        "nulls": column.null_count(),
        "masked": masked,
    }
    present = column.drop_nulls()
    if kind == "json":
        return {**told, "distinct": None}
    if kind == "string":
        return {**told, **_of_texts(present.cast(pl.String), masked=masked, detailed=detailed)}
    if kind in _SORTED:
        present = (present.cast(pl.Float64) if column.dtype.is_decimal() else present).sort()
    counted = present.rename("value").value_counts(name="count")
    told["distinct"] = len(counted)
    if masked:
        return told
    if kind in {"integer", "float"}:
        told |= _numbers(present, detailed=detailed)
    elif kind in {"timestamp", "date"}:
        told |= {"min": plain(present.min()), "max": plain(present.max())}
    if detailed:
        told["top"] = _top(counted)
    return told


def _numbers(values: pl.Series, *, detailed: bool) -> dict[str, Any]:
    """Describe sorted numbers; what is not finite is counted and left out."""
    finite = values.filter(values.is_finite()) if values.dtype.is_float() else values
    told: dict[str, Any] = {"not_finite": len(values) - len(finite), "zeros": int((finite == 0).sum())}
    if not len(finite):
        return {**told, "min": None, "max": None, "mean": None, "std": None}
    told |= {
        "min": plain(finite[0]),
        "max": plain(finite[-1]),
        "mean": plain(finite.mean()),
        "std": plain(finite.std()),
    }
    told["quantiles"] = {str(share): plain(quantile(finite, share)) for share in QUANTILES}
    if detailed:
        told["histogram"] = histogram(finite)
    return told


def quantile(ordered: pl.Series, share: float) -> float:
    """Return a quantile of sorted numbers, linear between neighbours.

    Examples
    --------
    >>> quantile(pl.Series([1, 2, 3, 10]), 0.5)
    2.5
    """
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    first, second = float(ordered[low]), float(ordered[min(low + 1, len(ordered) - 1)])
    return first + (second - first) * (place - low)


def histogram(values: pl.Series, bins: int = BINS) -> dict[str, Any]:
    """Count numbers in bins of equal width between the smallest and the largest.

    Examples
    --------
    >>> histogram(pl.Series([0.0, 1.0, 9.0, 10.0]), bins=2)
    {'edges': [0.0, 5.0, 10.0], 'counts': [2, 2]}
    """
    numbers = values.cast(pl.Float64)
    low, high = float(numbers.min()), float(numbers.max())  # pyright: ignore[reportArgumentType]

    def counted(low: float, width: float, bins: int) -> dict[int, int]:
        return dict(((numbers - low) / width).floor().clip(0, bins - 1).cast(pl.Int64).value_counts().iter_rows())

    return binned(low, high, len(values), counted, bins)


def binned(
    low: float, high: float, count: int, counted: Callable[[float, float, int], dict[int, int]], bins: int = BINS
) -> dict[str, Any]:
    """Return the edges of bins of equal width, and what ``counted`` finds in each; one bin where there is no width."""
    width = (high - low) / bins
    if width < sys.float_info.min or low + width == low or not math.isfinite(width):
        return {"edges": [low, high], "counts": [count]}
    counts = counted(low, width, bins)
    return {
        "edges": [low + width * i for i in range(bins)] + [high],
        "counts": [int(counts.get(i, 0)) for i in range(bins)],
    }


def _of_texts(texts: pl.Series, *, masked: bool, detailed: bool) -> dict[str, Any]:
    """Describe texts, which are counted by their hashes: to sort those costs a quarter of comparing the texts."""
    hashes = texts.hash()
    counted = hashes.sort().rle().struct.unnest().rename({"value": "hash", "len": "count"})
    told: dict[str, Any] = {"distinct": len(counted)}
    if masked:
        return told
    size = texts.str.len_chars()
    blank = (texts.str.strip_chars().str.len_bytes() == 0).sum()
    told |= {"min_length": size.min(), "max_length": size.max(), "blank": int(blank)}
    if detailed:
        best = _best(counted, "hash")
        found = (
            pl.DataFrame({"value": texts, "hash": hashes}).filter(hashes.is_in(best["hash"].implode())).unique("hash")
        )
        told["top"] = _top(found.join(best, on="hash").select("value", "count"))
    return told


def _top(counted: pl.DataFrame) -> list[dict[str, Any]]:
    """List the most frequent values, ties in the order of the values; nothing when every value is there once."""
    return [
        {"value": plain(value), "count": int(count)} for value, count in _best(counted, "value").head(TOP).iter_rows()
    ]


def _best(counted: pl.DataFrame, by: str) -> pl.DataFrame:
    least = counted["count"].top_k(TOP).min()
    if not isinstance(least, int) or (least == 1 and counted["count"].max() == 1 and len(counted) > TOP):
        return counted.head(0)
    return counted.filter(pl.col("count") >= least).sort(["count", by], descending=[True, False])
