"""Read the increments of series that a process wrote."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aimass.infra.segments import read_segment
from aimass.monitoring.domain.series import FINEST_S, Sample, bound_text, floor_to

_MAX_NAME = 120
Labels = tuple[tuple[str, str], ...]
Place = tuple[str, Labels, int]


@dataclass(slots=True)
class Increments:
    """What a segment of series holds: samples by name, labels and start of the bucket, and what could not be read."""

    samples: dict[Place, Sample] = field(default_factory=dict[Place, Sample])
    frames: int = 0
    damage: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    @property
    def endpoints(self) -> set[tuple[str, str]]:
        """Return the endpoints (workspace, slug) that the series speak of."""
        labels = [dict(place[1]) for place in self.samples]
        return {
            (known["workspace"], known["endpoint"]) for known in labels if known.keys() >= {"workspace", "endpoint"}
        }


def read_increments(path: Path) -> Increments:
    """Read a segment of series; a frame that makes no sense is named and skipped as a whole."""
    segment = read_segment(path)
    found = Increments(
        frames=len(segment.payloads), damage=[{"offset": d.offset, "reason": d.reason} for d in segment.damage]
    )
    for index, payload in enumerate(segment.payloads):
        try:
            frame = json.loads(payload)
            parts = [_point(point, floor_to(float(frame["t"]), FINEST_S)) for point in frame["points"]]
        except (ValueError, TypeError, KeyError, OverflowError) as reason:
            found.damage.append({"offset": index, "reason": f"frame {index} holds no series: {reason!r}"[:300]})
            continue
        for place, sample in parts:
            found.samples[place] = found.samples.get(place, Sample()) + sample
    return found


def _point(point: Mapping[str, Any], t: int) -> tuple[Place, Sample]:
    name = point["name"]
    if not isinstance(name, str) or not 0 < len(name) <= _MAX_NAME:
        raise ValueError("the name of a series is no short text")
    labels = tuple(sorted((str(key), str(value)) for key, value in point["labels"].items()))
    if "buckets" in point:
        buckets = {bound_text(bound): _count(count) for bound, count in point["buckets"]}
        sample = Sample(count=_count(point["count"]), sum=_finite(point["sum"]), buckets=buckets)
    else:
        sample = Sample(count=_count(point["value"]))
    return (name, labels, t), sample


def _finite(number: Any) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError("a number is not finite")
    return value


def _count(number: Any) -> float:
    value = _finite(number)
    if value < 0:
        raise ValueError("an increment is negative")
    return value
