"""Charts of clusters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aimass.training.console.charts.parts import importance_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterCharts:
    """The charts of one report about clusters, and the clusters themselves: name, rows, silhouette, columns."""

    sizes: dict[str, Any]
    silhouettes: dict[str, Any]
    clusters: list[dict[str, Any]]
    importance: dict[str, Any]
    method: str


def cluster_charts(report: Mapping[str, Any], say: Callable[[str], str]) -> ClusterCharts:
    """Draw a report about clusters."""
    del say
    clusters = report["curves"]["clusters"]
    items, method = importance_of(report.get("importance"))
    return ClusterCharts(
        sizes={"items": [{"name": one["name"], "value": one["rows"]} for one in clusters]},
        silhouettes={
            "items": [
                {"name": one["name"], "value": round(one["silhouette"], 4)}
                for one in clusters
                if one["silhouette"] is not None
            ]
        },
        clusters=clusters,
        importance={"items": items},
        method=method,
    )
