"""What there is to see of deployments at this moment: models in memory, and workers of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from aimass.gateway.plane.describe import memory_of
from aimass.gateway.plane.metrics import Labels, Sample
from aimass.gateway.plane.runtimes.isolated import IsolatedRuntime
from aimass.gateway.plane.snapshot import Deployment, Snapshot
from aimass.kernel.layout import DataDir

Report = Mapping[tuple[str, int], Mapping[str, Any]]


def read_report(data_dir: Path) -> Report:
    """Return what whoever keeps the workers said last, by revision and number; nothing when it is gone."""
    try:
        document = orjson.loads((DataDir(data_dir).run / "workers.json").read_bytes())
    except (OSError, ValueError):
        return {}
    if not _is_alive(document["pid"]):
        return {}
    return {(one["revision"], one["replica"]): one for one in document["workers"].values()}


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's process
        return True
    return True


def of_deployments(snapshot: Snapshot) -> Iterator[Sample]:
    """Return what this gateway worker has of each deployment: its model in memory, or requests at its workers."""
    for labels, deployment in _deployments(snapshot):
        runtime = deployment.loaded.runtime
        if isinstance(runtime, IsolatedRuntime):
            yield from _under_way(labels, runtime)
        elif deployment.loaded.lazy is not None:
            device = deployment.loaded.lazy.device
            placed = ("device", device.name if device is not None else "")
            yield Sample("gateway_model_memory_bytes", memory_of(deployment), (*labels, placed))


def _under_way(labels: Labels, runtime: IsolatedRuntime) -> Iterator[Sample]:
    load = runtime.load()
    yield Sample("gateway_model_workers", runtime.count, labels)
    yield Sample("gateway_model_workers_waiting", load["waiting"], labels)
    for number, count in enumerate(load["workers"].values()):
        yield Sample("gateway_model_workers_in_flight", count, (*labels, ("replica", str(number))))


def of_replicas(snapshot: Snapshot, report: Report) -> Iterator[Sample]:
    """Return how the workers of each deployment do; these are the same for every gateway worker."""
    for labels, deployment in _deployments(snapshot):
        if not isinstance(deployment.loaded.runtime, IsolatedRuntime):
            continue
        wanted = len(deployment.loaded.runtime.load()["workers"])
        own = [
            (number, report[deployment.revision, number])
            for number in range(wanted)
            if (deployment.revision, number) in report
        ]
        yield Sample("serving_replicas_wanted", wanted, labels)
        yield Sample("serving_replicas_ready", sum(one["is_up"] for _, one in own), labels)
        for number, one in own:
            yield from _replica((*labels, ("replica", str(number))), one)


def _replica(labels: Labels, one: Mapping[str, Any]) -> Iterator[Sample]:
    about = {name: str(one[name] or "") for name in ("device", "isolation", "revision")}
    yield Sample("serving_replica_info", int(one["is_up"]), (*labels, *about.items()))
    yield Sample("serving_replica_memory_bytes", one["memory_bytes"], labels)
    yield Sample("serving_replica_restarts", one["restarts"], labels, "counter")


def _deployments(snapshot: Snapshot) -> Iterator[tuple[Labels, Deployment]]:
    """Return every deployment once, whatever its roles are, with the labels that name it."""
    for endpoint in snapshot.endpoints.values():
        for deployment in {one.id: one for one in endpoint.all()}.values():
            name = deployment.name or deployment.id
            yield (("deployment", name), ("endpoint", endpoint.name), ("workspace", endpoint.workspace)), deployment
