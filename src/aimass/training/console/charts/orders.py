"""Charts of an order within lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aimass.training.console.charts.parts import importance_of, near


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCharts:
    """What is drawn of one report about an order within lists: points by place; ``drawn`` is a draw, ``best`` the best order."""

    ndcg: list[list[float]]
    drawn: list[list[float]]
    wanted: list[list[float]]
    best: list[list[float]]
    sizes: dict[str, Any]
    importance: dict[str, Any]
    method: str


def order_charts(report: Mapping[str, Any], say: Callable[[str], str]) -> OrderCharts:
    """Draw a report about an order."""
    del say
    order = report["curves"]["order"]
    items, method = importance_of(report.get("importance"))
    return OrderCharts(
        ndcg=near(order["depth"], order["ndcg"]),
        drawn=near(order["depth"], order["drawn"]),
        wanted=near(range(1, len(order["wanted"]) + 1), order["wanted"]),
        best=near(range(1, len(order["best"]) + 1), order["best"]),
        sizes={"items": [{"name": str(size), "value": count} for size, count in order["sizes"]]},
        importance={"items": items},
        method=method,
    )
