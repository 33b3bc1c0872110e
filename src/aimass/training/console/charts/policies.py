"""Charts of a policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aimass.training.console.charts.parts import importance_of


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyCharts:
    """What is shown of one report about a policy: estimates, and each action by share, reward and expectation; 0 episodes: rows."""

    episodes: int
    estimates: list[dict[str, Any]]
    actions: list[dict[str, Any]]
    chosen: dict[str, Any]
    importance: dict[str, Any]
    method: str


def policy_charts(report: Mapping[str, Any], say: Callable[[str], str]) -> PolicyCharts:
    """Draw a report about a policy."""
    del say
    curves = report["curves"]
    items, method = importance_of(report.get("importance"))
    return PolicyCharts(
        episodes=curves.get("episodes", 0),
        estimates=curves["estimates"],
        actions=curves["actions"],
        chosen={"items": [{"name": one["name"], "value": round(one["chosen"], 4)} for one in curves["actions"]]},
        importance={"items": items},
        method=method,
    )
