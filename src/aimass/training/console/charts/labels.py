"""Charts of several labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aimass.training.console.charts.parts import importance_of, near, pairs

SHOWN_LABELS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelCharts:
    """The charts of one report about several labels, and the labels themselves with the probability each is chosen from."""

    aps: dict[str, Any]
    pr: dict[str, Any]
    per_row: dict[str, Any]
    labels: list[dict[str, Any]]
    importance: dict[str, Any]
    method: str


def label_charts(report: Mapping[str, Any], say: Callable[[str], str]) -> LabelCharts:
    """Draw a report about several labels."""
    curves, limits = report["curves"], report.get("thresholds") or {}
    items, method = importance_of(report.get("importance"))
    counts = [
        (say("What is true"), curves["per_row"]["true"], True),
        (say("Chosen"), curves["per_row"]["chosen"], False),
    ]
    share = sum(one["rows"] for one in curves["labels"]) / max(1, len(curves["labels"]) * sum(counts[0][1]))
    measured = [one for one in curves["labels"] if one["ap"] is not None]
    points = pairs(curves["pr"]["recall"], curves["pr"]["precision"])
    return LabelCharts(
        aps={"items": [{"name": one["name"], "value": round(one["ap"], 4)} for one in measured[:SHOWN_LABELS]]},
        pr={"curves": [{"name": "", "points": points}], "base": share},
        per_row={
            "x": "step",
            "x_name": say("labels of a row"),
            "from_zero": True,
            "series": [
                {"name": name, "points": near(range(len(one)), one), "dashed": dashed} for name, one, dashed in counts
            ],
        },
        labels=[{**one, "from": limits.get(one["name"])} for one in curves["labels"]],
        importance={"items": items},
        method=method,
    )
