"""Charts of classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aimass.training.console.charts.parts import importance_of, nearest, pairs

HALF = 0.5
_BINARY = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassCharts:
    """The charts of one report about classes; each is the data that the chart of its name takes."""

    roc: dict[str, Any]
    pr: dict[str, Any]
    calibration: dict[str, Any]
    confusion: dict[str, Any]
    importance: dict[str, Any]
    method: str


def class_charts(report: Mapping[str, Any], say: Callable[[str], str]) -> ClassCharts:
    """Draw a report about classes."""
    del say
    curves, metrics = report["curves"], report["metrics"]
    classes: list[str] = list(report["classes"])
    one = len(curves["roc"]) == 1
    items, method = importance_of(report.get("importance"))
    return ClassCharts(
        roc={"curves": [_roc(name, curve, metrics if one else {}) for name, curve in curves["roc"].items()]},
        pr={
            "curves": [_pr(name, curve, metrics if one else {}) for name, curve in curves["pr"].items()],
            **_base(curves["confusion"], classes, one=one),
        },
        calibration={
            "curves": [
                {"name": name, "points": pairs(curve["predicted"], curve["observed"])}
                for name, curve in curves["calibration"].items()
            ]
        },
        confusion={"labels": classes, "counts": curves["confusion"]},
        importance={"items": items},
        method=method,
    )


def _roc(name: str, curve: Mapping[str, Any], metrics: Mapping[str, float]) -> dict[str, Any]:
    points = pairs(curve["false_positive_rate"], curve["true_positive_rate"])
    auc = {"auc": metrics["roc_auc"]} if "roc_auc" in metrics else {}
    return {"name": name, "points": points, "threshold": points[nearest(curve["threshold"], HALF)], **auc}


def _pr(name: str, curve: Mapping[str, Any], metrics: Mapping[str, float]) -> dict[str, Any]:
    points = pairs(curve["recall"], curve["precision"])
    area = {"ap": metrics["pr_auc"]} if "pr_auc" in metrics else {}
    return {"name": name, "points": points, "threshold": points[nearest(curve["threshold"], HALF)], **area}


def _base(confusion: Sequence[Sequence[int]], classes: Sequence[str], *, one: bool) -> dict[str, float]:
    """Return the precision that guessing gives: the share of the class that counts as positive."""
    total = sum(map(sum, confusion))
    return {"base": sum(confusion[1]) / total} if one and len(classes) == _BINARY and total else {}
