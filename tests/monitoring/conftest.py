from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aimass.infra.compute import WarmChild, child_environment
from aimass.infra.database import Database, metadata
from aimass.infra.live import LiveHub
from aimass.infra.segments import SegmentWriter, frame
from aimass.kernel.layout import DataDir
from aimass.monitoring.service.ground import Ground
from aimass.monitoring.service.monitoring import Monitoring
from aimass.monitoring.settings import MonitoringSettings
from tests.monitoring.samples import START

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


class Moving:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.moment = datetime.fromtimestamp(START + 1000, UTC)

    def now(self) -> datetime:
        return self.moment

    def forward(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Moving:
    return Moving()


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmChild]:
    """The real data child, shared: its functions keep nothing between calls."""
    child = WarmChild(tmp_path_factory.mktemp("warm") / "log", environment=child_environment(os.environ), idle_s=600)
    yield child
    child.close()


@pytest.fixture
def ground(tmp_path: Path, clock: Moving, warm: WarmChild) -> Iterator[Ground]:
    layout = DataDir(tmp_path)
    for folder in layout.folders():
        folder.mkdir(parents=True, exist_ok=True)
    database = Database.file(layout.database, clock)
    metadata.create_all(database.engine)
    yield Ground(database=database, layout=layout, child=warm, live=LiveHub(), settings=MonitoringSettings())
    database.close()


@pytest.fixture
def service(ground: Ground) -> Monitoring:
    return Monitoring(ground)
