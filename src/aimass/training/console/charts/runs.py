"""What a run measured of itself: words, curves while it learned, folds, and what it used of the machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SHOWN_WORDS = 15


def words_of(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return, by class, the words that speak most for it; empty where nothing was read.

    Examples
    --------
    >>> words_of({"terms": {"angry": [{"column": "review", "term": "late", "weight": 4.0}], "calm": []}})
    [{'name': 'angry', 'words': [{'column': 'review', 'term': 'late', 'weight': 4.0}]}]
    """
    found = report.get("terms") or {}
    return [{"name": name, "words": list(words)[:SHOWN_WORDS]} for name, words in found.items() if words]


def history_of(report: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the curves of what a recipe measured while it learned; None when it measured nothing."""
    found = report.get("history") or {}
    series = [{"name": name, "points": points} for name, points in found.items() if points]
    return {"x": "step", "series": series} if series else None


def system_of(report: Mapping[str, Any], x_name: str) -> dict[str, dict[str, Any]] | None:
    """Return the curves of what a run used of the machine; None for one that was too short to be seen."""
    found = report.get("system") or {}
    if min((len(points) for points in found.values()), default=0) < 2:  # noqa: PLR2004 a line
        return None
    return {
        name.removeprefix("system."): {"x": "step", "x_name": x_name, "series": [{"name": name, "points": points}]}
        for name, points in found.items()
    }


def folds_of(report: Mapping[str, Any], metric: str, x_name: str) -> dict[str, Any] | None:
    """Return one metric over the folds of the cross-validation."""
    folds = [fold[metric] for fold in report.get("folds", []) if metric in fold]
    points = [[number, value] for number, value in enumerate(folds, start=1)]
    return {"x": "step", "x_name": x_name, "series": [{"name": metric, "points": points}]} if points else None
