"""What is shown of objects in pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_WENT = (
    ("right", "right"),
    ("other_label", "of another label"),
    ("far_off", "with a box too far off"),
    ("missed", "missed"),
    ("invented", "said where none is"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxCharts:
    """What is shown of one report about objects: the numbers of each label, precision by overlap, and how objects went."""

    labels: list[dict[str, Any]]
    reached: dict[str, Any]
    went: dict[str, Any]
    importance: dict[str, Any]
    method: str


def box_charts(report: Mapping[str, Any], say: Callable[[str], str]) -> BoxCharts:
    """Draw a report about objects."""
    curves = report["curves"]
    reached = [[round(least, 2), round(value, 4)] for least, value in curves["reached"]]
    return BoxCharts(
        labels=curves["labels"],
        reached={
            "x": "step",
            "x_name": say("Overlap"),
            "from_zero": True,
            "series": [{"name": "mAP", "points": reached}],
        },
        went={"items": [{"name": say(name), "value": curves["went"][key]} for key, name in _WENT]},
        importance={"items": []},
        method="",
    )
