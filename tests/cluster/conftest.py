from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from aimass.cluster import ClusterSettings, Job, JobKinds, Jobs, Runner, SubmitJob
from aimass.cluster.kept import Kept
from aimass.cluster.service import Ground
from aimass.infra.compute import ProcessCompute, child_environment
from aimass.infra.database import Database, metadata
from aimass.infra.live import LiveHub
from aimass.kernel.capability import JobKind
from aimass.kernel.principal import SYSTEM, Grant, Principal
from aimass.kernel.registry import Registry

JOBS = Path(__file__).parent / "jobs"
ALICE = Principal(
    id="alice",
    name="Alice",
    kind="user",
    grants=(Grant(workspace="demo", permissions=frozenset({"cluster.read", "cluster.edit"})),),
)
KINDS = JobKinds(
    {
        "test.work": JobKind(run="cluster_jobs:work", done="cluster_jobs:done", failed="cluster_jobs:failed"),
        "test.refuse": JobKind(run="cluster_jobs:refuse", failed="cluster_jobs:failed"),
        "test.sleep": JobKind(run="cluster_jobs:sleep", failed="cluster_jobs:failed"),
    }
)


@dataclass
class Stage:
    """One platform as far as the room cluster sees it; it can be killed and started again."""

    folder: Path
    settings: ClusterSettings = field(default_factory=lambda: ClusterSettings(slots=2))
    live: LiveHub = field(default_factory=LiveHub)

    def start(self) -> None:
        self.database = Database.file(self.folder / "aimass.db")
        metadata.create_all(self.database.engine)
        environment = {**child_environment(dict(os.environ)), "PYTHONPATH": str(JOBS)}
        self.compute = ProcessCompute(self.folder / "jobs", environment=environment, nice=0)
        ground = Ground(
            database=self.database, compute=self.compute, kinds=KINDS, live=self.live, settings=self.settings
        )
        self.jobs, self.runner, self.kept = Jobs(ground), Runner(Registry(), ground), Kept(ground)

    def stop(self) -> None:
        self.compute.close()
        self.database.close()

    def submit(
        self, kind: str = "test.work", workspace: str = "demo", payload: dict[str, Any] | None = None, **options: Any
    ) -> Job:
        title = options.pop("title", kind)
        wish = SubmitJob(workspace=workspace, kind=kind, title=title, payload=payload or {}, **options)
        return self.jobs.submit(SYSTEM, wish)

    def job(self, job: Job) -> Job:
        return self.jobs.job(job.workspace, job.id)

    def until(self, condition: Callable[[], Any], timeout_s: float = 30) -> Any:
        end = time.monotonic() + timeout_s
        while True:
            self.runner.step()
            if value := condition():
                return value
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.01)

    def run(self, job: Job) -> Job:
        self.until(lambda: self.job(job).has_ended)
        return self.job(job)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.syspath_prepend(str(JOBS))
    sys.modules.pop("cluster_jobs", None)
    stage = Stage(tmp_path)
    stage.start()
    yield stage
    stage.stop()


@pytest.fixture
def alice() -> Principal:
    return ALICE
