"""Offline against online: whether look-ups answer what the lake says, and look like what models learned from."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import orjson
import polars as pl

from aimass.lake.children.newest import lines
from aimass.lake.children.tables import scan

SAMPLE = 100_000
BINS = 10
MOST_CATEGORIES = 50
FLOOR = 1e-4
LEAST = 20
CLOSE = 1e-9
Kept = tuple[int, dict[str, Any]]


def skew(args: dict[str, Any]) -> dict[str, Any]:
    """Compare the newest values in the lake with those that look-ups find.

    Parameters
    ----------
    args
        ``view``, ``tables``, ``now`` as for :func:`materialise`; ``online``: a file with a line per entity: key, moment, content;
        ``one_in``: compare one of so many entities; ``oldest_us``: moment before which a value is too old (None: never);
        ``snapshot``: a training set, ``{path, version, columns}``, to compare the spread of values with.

    Returns
    -------
    dict
        ``entities, equal, different, missing`` (only in the lake), ``extra`` (only online), ``stale``, ``share`` of those that do
        not agree, and per feature ``different``, ``max_difference`` and ``psi``.
    """
    offline = _chosen(map(orjson.loads, lines(args, None)), args["one_in"])
    online = _chosen(_read(args["online"]), args["one_in"])
    names = [feature["name"] for feature in args["view"]["features"]]
    per = {name: {"feature": name, "different": 0, "max_difference": None, "psi": None} for name in names}
    both = offline.keys() & online.keys()
    different = sum(_differs(offline[key][1], online[key][1], per) for key in both)
    missing, extra = len(offline.keys() - both), len(online.keys() - both)
    entities = len(offline.keys() | online.keys())
    if args.get("snapshot"):
        _spread(args["snapshot"], [values for _, values in online.values()], per)
    oldest = args.get("oldest_us")
    return {
        "entities": entities,
        "equal": len(both) - different,
        "different": different,
        "missing": missing,
        "extra": extra,
        "stale": 0 if oldest is None else sum(moment < oldest for moment, _ in online.values()),
        "share": (different + missing + extra) / entities if entities else 0.0,
        "one_in": args["one_in"],
        "features": list(per.values()),
    }


def _read(path: str) -> Iterator[list[Any]]:
    with Path(path).open("rb") as file:
        for line in file:
            key, moment, content = orjson.loads(line)
            yield [key, moment, None, content]


def _chosen(rows: Iterable[Sequence[Any]], one_in: int) -> dict[str, Kept]:
    return {row[0]: (row[1], orjson.loads(row[3])["values"]) for row in rows if crc32(row[0].encode()) % one_in == 0}


def _differs(offline: Mapping[str, Any], online: Mapping[str, Any], per: dict[str, dict[str, Any]]) -> bool:
    found = False
    for name, told in per.items():
        is_same, distance = compared(offline.get(name), online.get(name))
        if not is_same:
            found = True
            told["different"] += 1
            if distance is not None:
                told["max_difference"] = max(told["max_difference"] or 0.0, distance)
    return found


def compared(offline: Any, online: Any) -> tuple[bool, float | None]:
    """Tell whether two values are the same, and how far numbers lie apart.

    Examples
    --------
    >>> compared(1, 1.0), compared(1.0, 3.5), compared("a", None)
    ((True, None), (False, 2.5), (False, None))
    """
    numbers = [value for value in (offline, online) if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) < 2:  # noqa: PLR2004 both have to be numbers
        return offline == online, None
    if math.isclose(offline, online, rel_tol=CLOSE, abs_tol=CLOSE):
        return True, None
    return False, abs(float(offline) - float(online))


def _spread(snapshot: Mapping[str, Any], online: Sequence[Mapping[str, Any]], per: dict[str, dict[str, Any]]) -> None:
    frame = scan(snapshot["path"], snapshot["version"], list(snapshot["columns"].values())).collect()
    for name, told in per.items():
        if name in snapshot["columns"] and online:
            now = pl.Series("now", [values.get(name) for values in online], strict=False)
            told["psi"] = psi(frame[snapshot["columns"][name]], now)


def psi(learned: pl.Series, now: pl.Series) -> float | None:
    """Measure how far the spread of values has moved from what was learned; None where there are too few to tell.

    Numbers are counted in tenths of what was learned, everything else by value; missing values are a value of their own.

    Examples
    --------
    >>> psi(pl.Series([1, 2, 3, 4] * 9), pl.Series([1, 2, 3, 4] * 5))
    0.0
    >>> psi(pl.Series(["a", "b"] * 10), pl.Series(["a"] * 20)) > 1, psi(pl.Series([1]), pl.Series([1]))
    (True, None)
    """
    if min(len(learned), len(now)) < LEAST:
        return None
    if learned.dtype.is_numeric() and now.dtype.is_numeric():
        cuts = (learned.quantile(n / BINS) for n in range(1, BINS))
        edges = sorted({cut for cut in cuts if cut is not None})
        shares = [_binned(series, edges) for series in (learned, now)]
    else:
        shares = [_counted(series) for series in (learned, now)]
    total = 0.0
    for name in shares[0].keys() | shares[1].keys():
        expected, actual = (max(share.get(name, 0.0), FLOOR) for share in shares)
        total += (actual - expected) * math.log(actual / expected)
    return round(total, 6)


def _binned(series: pl.Series, edges: Sequence[Any]) -> dict[Any, float]:
    cut = series.cast(pl.Float64).fill_nan(None)
    return _counted(_places(cut, edges))


def _places(series: pl.Series, edges: Sequence[float]) -> pl.Series:
    place = pl.Series("edges", list(edges), pl.Float64).search_sorted(series, side="left")
    return pl.select(pl.when(series.is_null()).then(None).otherwise(place)).to_series()


def _counted(series: pl.Series) -> dict[Any, float]:
    counts = series.cast(pl.String).value_counts(sort=True, name="n").head(MOST_CATEGORIES)
    return {value: n / len(series) for value, n in counts.iter_rows()}
