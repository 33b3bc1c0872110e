"""Inference records and series of one worker, written to its segments."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import orjson

from aimass.gateway.plane.metrics import Metrics
from aimass.infra.segments import SegmentWriter, frame

_LOG = logging.getLogger(__name__)


class SafeSegments:
    """A segment writer that never stops the one who writes: what cannot be written is counted and said once."""

    def __init__(self, folder: Path, what: str, *, max_bytes: int, max_age_s: float) -> None:
        self._writer = SegmentWriter(folder, max_bytes=max_bytes, max_age_s=max_age_s)
        self._what = what
        self._is_failing = False
        self.pending: list[bytes] = []
        self.lost = 0

    def flush(self) -> None:
        """Write what is pending with one write."""
        pending = self.pending
        if not pending:
            return
        self.pending = []
        try:
            self._writer.append(pending)
        except OSError as reason:
            self.lost += len(pending)
            if not self._is_failing:
                _LOG.error("cannot write %s to %s: %s; serving goes on", self._what, self._writer.folder, reason)
            self._is_failing = True
        else:
            self._is_failing = False

    def put(self, document: dict[str, Any]) -> None:
        """Add one document to what is pending."""
        self.pending.append(frame(orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)))

    def rotate_if_due(self) -> None:
        """Close the open segment when it is old enough."""
        try:
            self._writer.rotate_if_due()
        except OSError as reason:
            _LOG.warning("cannot rotate %s: %s", self._what, reason)

    def unsynced(self) -> list[int]:
        """Return the descriptors to bring to the disk; the caller owns them."""
        return self._writer.unsynced()

    def close(self) -> None:
        """Write what is pending and close the segment."""
        self.flush()
        try:
            self._writer.close()
        except OSError as reason:
            _LOG.warning("cannot close %s: %s", self._what, reason)


def flush_series(series: SafeSegments, metrics: Metrics, now: float) -> None:
    """Write the increments of all series since the last time."""
    points = metrics.increments()
    if points:
        series.put({"t": now, "points": points})
        series.flush()
