"""Publish what the data plane reads, and read what its workers say of themselves."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from aimass.access import Access, GatewayKey
from aimass.gateway.store import all_limits
from aimass.infra.database import Database
from aimass.kernel.layout import DataDir
from aimass.serving import GatewayReport, Load, PlacedOn, Published, PublishedEndpoint, Running, Serving

_log = structlog.get_logger("aimass.gateway")
_LOOK_S = 1.0
_REMEMBERED = 200
_TOLD_NS = 3_600_000_000_000
_PLANE = b"aimass.gateway"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStatus:
    """The status file of a gateway worker that is alive.

    Attributes
    ----------
    loaded, errors
        Deployment id to revision id, and to the reason why it cannot be loaded.
    devices
        Deployment id to the device on which its graph runs, and why it is not the one that was asked for.
    load
        Deployment id to what its own workers have under way.
    memory
        Deployment id to the bytes that its model takes, 0 while it is not in memory; only for those run in the worker.
    model_bytes, max_model_bytes
        What all models of the worker take, and may take.
    """

    worker: str
    pid: int
    port: int
    snapshot: int
    loaded: Mapping[str, str]
    errors: Mapping[str, str]
    error: str | None
    load: Mapping[str, Mapping[str, Any]]
    memory: Mapping[str, int]
    devices: Mapping[str, list[str]]
    model_bytes: int
    max_model_bytes: int | None


@dataclass(slots=True)
class Publisher:
    """Keeps ``<data>/gateway/snapshot.json`` equal to what the rooms below say.

    A round in which nothing can have changed reads a few file times and nothing else.
    """

    database: Database
    access: Access
    serving: Serving
    layout: DataDir
    monotonic: Callable[[], float] = time.monotonic
    version: int = 0
    _content: dict[str, Any] = field(default_factory=dict[str, Any])
    _revisions: OrderedDict[int, dict[str, str]] = field(default_factory=OrderedDict[int, dict[str, str]])
    _mark: int = -1
    _looked: float = 0.0
    _files: dict[Path, tuple[int, WorkerStatus | None]] = field(
        default_factory=dict[Path, "tuple[int, WorkerStatus | None]"]
    )

    def __post_init__(self) -> None:
        """Go on with the version that was published last."""
        document = _read(self.path)
        if document:
            self.version = int(document["version"])
            self._remember(document)
            self._content = {name: value for name, value in document.items() if name != "version"}

    @property
    def path(self) -> Path:
        """The file that gateway workers follow."""
        return self.layout.gateway / "snapshot.json"

    @property
    def content(self) -> Mapping[str, Any]:
        """What was published last."""
        return self._content

    def run_once(self) -> bool:
        """Report what workers have loaded, and publish when something changed; tell whether it did."""
        self.serving.report_loaded(self._report(status) for status in self.workers())
        now, mark = self.monotonic(), self.serving.changes
        if mark == self._mark and now - self._looked < _LOOK_S:
            return False
        self._mark, self._looked = mark, now
        return self.publish()

    def publish(self) -> bool:
        """Write the snapshot when it differs from the last one; tell whether it did."""
        content = self._collect()
        if content == self._content and self.path.exists():
            return False
        document = {"version": self.version + 1, **content}
        write_whole(self.path, json.dumps(document, separators=(",", ":")).encode())
        self.version += 1
        self._content = content
        self._remember(document)
        return True

    def _collect(self) -> dict[str, Any]:
        closed = self.access.closed()
        endpoints = [one for one in self.serving.published() if one.workspace not in closed]
        keys, devices = self.access.gateway_keys(), self.access.gateway_devices()
        with self.database.read() as conn:
            rates = {(row.workspace, row.consumer): row.rate_per_s for row in all_limits(conn)}
        return {
            "control_socket": str(self.layout.socket("control.sock")),
            "keys": {key.sha256: _key(key, rates.get((key.workspace, key.consumer))) for key in keys},
            "devices": {one.sha256: _key(one, rates.get((one.workspace, one.consumer))) for one in devices},
            "tokens": asdict(self.access.published_tokens()),
            "endpoints": {f"{one.workspace}/{one.name}": _endpoint(one) for one in endpoints},
        }

    def _remember(self, document: Mapping[str, Any]) -> None:
        """Keep which revisions a snapshot named: workers report faults by deployment and snapshot."""
        shown = [one for endpoint in document["endpoints"].values() for one in endpoint["deployments"]]
        self._revisions[int(document["version"])] = {one["id"]: one["revision"] for one in shown}
        while len(self._revisions) > _REMEMBERED:
            self._revisions.popitem(last=False)

    def workers(self) -> list[WorkerStatus]:
        """Return the status of every gateway worker that is alive."""
        files = {path: path.stat().st_mtime_ns for path in sorted(self.layout.gateway.glob("status-*.json"))}
        for path, stamp in files.items():
            known = self._files.get(path)
            if known is None or known[0] != stamp:
                self._files[path] = (stamp, _status(path))
        self._files = {path: self._files[path] for path in files}
        found = [status for _, status in self._files.values() if status is not None]
        return [status for status in found if is_gateway(status.pid)]

    def gone(self) -> list[tuple[str, datetime]]:
        """Return the workers that told of themselves within the last hour and are not alive any more, and since when."""
        oldest = time.time_ns() - _TOLD_NS  # noqa: TID251 compared with times of files
        known = [(stamp, status) for stamp, status in self._files.values() if status is not None and stamp > oldest]
        return [
            (status.worker, datetime.fromtimestamp(stamp / 1e9, UTC))
            for stamp, status in known
            if not is_gateway(status.pid)
        ]

    def _report(self, status: WorkerStatus) -> GatewayReport:
        named = self._revisions.get(status.snapshot, {})
        return GatewayReport(
            worker=status.worker,
            pid=status.pid,
            snapshot=status.snapshot,
            loaded=status.loaded,
            errors={named[id_]: error for id_, error in status.errors.items() if id_ in named},
            load={id_: Load(**one) for id_, one in status.load.items()},
            memory=status.memory,
            devices={id_: PlacedOn(device=d[0], reason=d[1]) for id_, d in status.devices.items()},
            model_bytes=status.model_bytes,
            max_model_bytes=status.max_model_bytes,
        )


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that its readers see the old content or the new one, also after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    draft.touch(mode=0o600)
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def is_gateway(pid: int) -> bool:
    """Tell whether a process is alive and a gateway worker, not a later one with the same number."""
    if sys.platform == "linux":
        try:
            return _PLANE in Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}


def _status(path: Path) -> WorkerStatus | None:
    document = _read(path)
    try:
        return WorkerStatus(
            worker=str(document["worker"]),
            pid=int(document["pid"]),
            port=int(document.get("port") or 0),
            snapshot=int(document["snapshot"]),
            loaded=dict(document["loaded"]),
            errors=dict(document["errors"]),
            error=document.get("error"),
            load=dict(document.get("load") or {}),
            memory=dict(document.get("memory") or {}),
            devices=dict(document.get("devices") or {}),
            model_bytes=int(document.get("model_bytes") or 0),
            max_model_bytes=document.get("max_model_bytes"),
        )
    except (KeyError, TypeError, ValueError) as reason:
        _log.warning("status of a gateway worker cannot be read", path=str(path), error=repr(reason))
        return None


def _key(key: GatewayKey, rate_per_s: float | None) -> dict[str, Any]:
    return {
        "id": key.id,
        "consumer": key.consumer,
        "workspace": key.workspace,
        "use": list(key.use),
        "edit": list(key.edit),
        "routes": list(key.routes),
        "expires_at": key.expires_at,
        "rate_per_s": rate_per_s,
        "daily_quota": key.daily_quota,
    }


def _endpoint(endpoint: PublishedEndpoint) -> dict[str, Any]:
    return {
        "id": endpoint.id,
        "name": endpoint.name,
        "workspace": endpoint.workspace,
        "timeout_s": endpoint.timeout_s,
        "max_body_bytes": endpoint.max_body_bytes,
        "record": {"sample": endpoint.sample, "payload": endpoint.payload},
        "deployments": [_deployment(one) for one in endpoint.deployments],
        "traffic": dict(endpoint.traffic),
        "shadow": None if endpoint.shadow is None else _deployment(endpoint.shadow),
        "fallback": None if endpoint.fallback is None else _deployment(endpoint.fallback),
    }


def _running(running: Running) -> dict[str, Any]:
    return {"execution": running.execution, "threads": running.threads, "max_rows": running.max_rows}


def _deployment(one: Published) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "revision": one.revision,
        "weight": one.weight,
        "model": one.model,
        "version": one.version,
        "runtime": one.runtime,
        "package": one.package,
        "socket": one.socket,
        "sockets": one.sockets,
        "on_demand": one.on_demand,
        "unseen": one.unseen,
        "running": None if one.running is None else _running(one.running),
        "pinned": one.pinned,
        "device": one.device,
        "proven": one.proven,
    }
