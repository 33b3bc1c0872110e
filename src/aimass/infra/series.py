"""Counters of what control does now and then: written as a closed segment, which monitoring brings to the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import orjson

from aimass.infra.segments import SegmentWriter, frame

Counted = tuple[str, Mapping[str, str], float]


def count(folder: Path, at: datetime, counters: Sequence[Counted]) -> None:
    """Raise counters, each ``(name, labels, by)``; meant for what happens a few times an hour, from one thread.

    Parameters
    ----------
    folder
        The folder of series of the data directory.
    """
    points = [{"name": name, "labels": dict(labels), "value": by} for name, labels, by in counters]
    writer = SegmentWriter(folder / "control")
    writer.append([frame(orjson.dumps({"t": at.timestamp(), "points": points}))])
    writer.close()
