"""How far the answers of a shadow are from those that were given, and how long both took; counted, not kept."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from aimass.gateway.plane.metrics import BOUNDS, Counter, Histogram, Labels, Metrics

DIFFERENCES = (*(float(f"{digit}e-{power}") for power in range(6, 0, -1) for digit in (1, 2, 5)), 1.0)


@dataclass(slots=True, kw_only=True)
class Given:
    """An answer that was given, and how long its model took."""

    outputs: dict[str, Any]
    seconds: float


@dataclass(slots=True, kw_only=True)
class ShadowStats:
    """The series of one shadow beside one deployment."""

    same: Counter
    differs: Counter
    failed: Counter
    strange: Counter
    difference: Histogram
    given_s: Histogram
    shadow_s: Histogram

    @classmethod
    def of(cls, metrics: Metrics, labels: Labels) -> ShadowStats:
        """Make them; the labels name endpoint, workspace, the revision that answers and that of the shadow."""
        counters = {
            outcome: metrics.counter("gateway_shadow_rows", (*labels, ("outcome", outcome)))
            for outcome in ("same", "differs", "failed", "strange")
        }
        return cls(
            **counters,
            difference=metrics.histogram("gateway_shadow_difference", labels, DIFFERENCES),
            given_s=metrics.histogram("gateway_shadow_seconds", (*labels, ("role", "given")), BOUNDS),
            shadow_s=metrics.histogram("gateway_shadow_seconds", (*labels, ("role", "shadow")), BOUNDS),
        )

    def compare(self, given: Given, rows: int, outputs: dict[str, Any] | None, seconds: float) -> None:
        """Count one request; ``strange`` are rows whose answers cannot be compared."""
        if outputs is None:
            self.failed.value += rows
            return
        self.given_s.observe(given.seconds)
        self.shadow_s.observe(seconds)
        found = differences(given.outputs, outputs)
        if found is None:
            self.strange.value += rows
            return
        other, distance = found
        count = int(other.sum())
        self.differs.value += count
        self.same.value += rows - count
        if distance is not None:
            for value in distance.tolist():
                self.difference.observe(value)


def differences(given: dict[str, Any], other: dict[str, Any]) -> tuple[Any, Any] | None:
    """Return for each row whether a label differs, and the largest difference of its numbers.

    None when nothing can be compared; the second part is None when there are no numbers.

    Examples
    --------
    >>> first = {"label": np.array(["No"], dtype=object), "p": np.array([[0.75, 0.25]])}
    >>> second = {"label": np.array(["Yes"], dtype=object), "p": np.array([[0.25, 0.75]])}
    >>> differences(first, second)
    (array([ True]), array([0.5]))
    """
    differs, distance = None, None
    for name in given.keys() & other.keys():
        first, second = np.asarray(given[name]), np.asarray(other[name])
        if not first.ndim or first.shape != second.shape or (first.dtype.kind == "f") != (second.dtype.kind == "f"):
            return None
        rows = first.reshape(len(first), math.prod(first.shape[1:]))
        if first.dtype.kind == "f":
            apart = np.abs(rows - second.reshape(rows.shape)).max(axis=1, initial=0.0)
            distance = apart if distance is None else np.maximum(distance, apart)
        else:
            unlike = (rows != second.reshape(rows.shape)).any(axis=1)
            differs = unlike if differs is None else differs | unlike
    if differs is not None:
        return differs, distance
    return None if distance is None else (np.zeros(len(distance), dtype=bool), distance)
