from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from aimass.infra.segments import SegmentWriter, frame

WriteSegment = Callable[..., Path]


@pytest.fixture
def write_segment(tmp_path: Path) -> WriteSegment:
    """Write records as one closed segment of a worker, with the gateway's own writer."""

    def write(records: Sequence[dict[str, Any]], worker: str = "w0", kind: str = "records") -> Path:
        folder = tmp_path / kind / worker
        before = set(folder.glob("*.seg"))
        writer = SegmentWriter(folder)
        writer.append([frame(json.dumps(record).encode()) for record in records])
        writer.close()
        return next(iter(set(folder.glob("*.seg")) - before))

    return write
