"""A platform that runs the jobs of the room cluster until it is killed: ``platform_program.py <folder>``."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from aimass.cluster import ClusterSettings, Jobs, Runner, SubmitJob
from aimass.cluster.service import Ground
from aimass.infra.compute import ProcessCompute, child_environment
from aimass.infra.database import Database, metadata
from aimass.infra.live import LiveHub
from aimass.kernel.capability import JobKind, JobKinds
from aimass.kernel.principal import SYSTEM
from aimass.kernel.registry import Registry


def main(folder: Path) -> None:
    database = Database.file(folder / "aimass.db")
    metadata.create_all(database.engine)
    environment = {**child_environment(dict(os.environ)), "PYTHONPATH": str(Path(__file__).parent)}
    compute = ProcessCompute(folder / "jobs", environment=environment, nice=0)
    kinds = JobKinds({"test.steps": JobKind(run="cluster_jobs:steps", done="cluster_jobs:note_done")})
    ground = Ground(database=database, compute=compute, kinds=kinds, live=LiveHub(), settings=ClusterSettings(slots=2))
    jobs, registry = Jobs(ground), Registry()
    registry.put(Path, folder)
    runner = Runner(registry, ground)
    for number in range(4):
        wish = SubmitJob(workspace="demo", kind="test.steps", title=f"{number}", key=f"{number}", payload={"steps": 30})
        jobs.submit(SYSTEM, wish)
    print("ready", flush=True)
    while True:
        runner.step()
        time.sleep(0.01)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
