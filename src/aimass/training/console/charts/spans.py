"""What is shown of entities."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_WENT = (
    ("right", "right"),
    ("other_type", "of another type"),
    ("other_ends", "with other ends"),
    ("missed", "missed"),
    ("invented", "said where none is"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanCharts:
    """What is shown of one report about entities: the numbers of each type, and how entities went."""

    types: list[dict[str, Any]]
    confused: dict[str, Any]
    importance: dict[str, Any]
    method: str


def span_charts(report: Mapping[str, Any], say: Callable[[str], str]) -> SpanCharts:
    """Draw a report about entities."""
    curves = report["curves"]
    return SpanCharts(
        types=curves["types"],
        confused={"items": [{"name": say(name), "value": curves["confused"][key]} for key, name in _WENT]},
        importance={"items": []},
        method="",
    )
