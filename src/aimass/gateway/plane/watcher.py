"""Watches the snapshot that control publishes, loads what is new beside what serves, and swaps at once."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import orjson

from aimass.gateway.plane.auth import read_keys
from aimass.gateway.plane.describe import memory_of
from aimass.gateway.plane.holds import FILE, read_holds, without_held
from aimass.gateway.plane.moments import wall
from aimass.gateway.plane.proxy.following import Following
from aimass.gateway.plane.quotas import QUOTAS, shared_quotas
from aimass.gateway.plane.rates import Rates, shared_rates
from aimass.gateway.plane.runtimes.isolated import IsolatedRuntime
from aimass.gateway.plane.shelf import Shelf
from aimass.gateway.plane.snapshot import (
    Builder,
    Endpoint,
    Identity,
    Model,
    Snapshot,
    identity,
    make_model,
    wanted_deployments,
)
from aimass.gateway.plane.tokens import Tokens
from aimass.gateway.plane.worker import Worker
from aimass.kernel.errors import AimassError, Invalid

_LOG = logging.getLogger(__name__)
_LINGER_S, _LOAD_S = 1.0, 0.5
Stamp = tuple[int, int, int]


class Watcher:
    """Follows ``<data>/gateway/snapshot.json`` and reports in ``status-<worker>.json`` beside it.

    The report tells the ``snapshot`` version applied, which revision answers for each deployment (``loaded``), which
    deployments wait for their isolated worker (``waiting``), why a deployment could not be loaded (``errors``), and why
    the snapshot as a whole could not be used (``error``).
    """

    def __init__(self, worker: Worker) -> None:
        folder = worker.settings.data_dir / "gateway"
        folder.mkdir(parents=True, exist_ok=True)
        self._worker = worker
        worker.look = self.look
        self._path = folder / "snapshot.json"
        self._status = folder / f"status-{worker.settings.worker}.json"
        self._seen: tuple[Stamp | None, Stamp | None] = (None, None)
        self._turn = asyncio.Lock()
        self._reported: dict[str, Any] = {}
        self._error: str | None = None
        self._load: dict[str, Any] = {}
        self._looked_at = 0.0
        self._is_alarmed = False
        self.port = 0
        self.grpc_port = 0
        self._rates = shared_rates(folder / "rates") if worker.settings.workers > 1 else Rates()
        self._counts = cache(partial(shared_quotas, folder / QUOTAS, worker.settings.worker))
        self._services = Following(worker.proxy, worker.settings, self._rates, self._counts)
        self._waiting: dict[Identity, Model] = {}

    async def run(self) -> None:
        """Look again and again."""
        while True:
            await self.look()
            await asyncio.sleep(self._worker.settings.poll_s)

    async def look(self) -> None:
        """Look once; apply what changed, reach for isolated workers, report."""
        async with self._turn:
            await self._look()

    async def _look(self) -> None:
        await self._services.look()
        await self._reach()
        stamp = (_stamp(self._path), _stamp(self._path.with_name(FILE)))
        if stamp[0] is not None and (stamp != self._seen or any(model.is_ready for model in self._waiting.values())):
            self._seen = stamp
            try:
                await self._take()
                self._error = None
            except (AimassError, OSError, KeyError, TypeError, ValueError, AttributeError) as reason:
                self._waiting = {}
                self._error = f"the snapshot cannot be used: {reason!r}"
                _LOG.error("%s; the one before keeps serving", self._error)
        self._report()

    async def _reach(self) -> None:
        for model in (*self._worker.snapshot.models.values(), *self._waiting.values()):
            await model.runtime.connect()
            if isinstance(model.runtime, IsolatedRuntime):
                model.runtime.alarm = self._report_soon

    async def _take(self) -> None:
        worker = self._worker
        loop = worker.loop
        document = await loop.run_in_executor(None, _read, self._path)
        before = worker.snapshot
        waited = self._waiting
        found = await loop.run_in_executor(None, _make, document, {**waited, **before.models}, worker.shelf)
        await self._prove(found)
        models = found.models
        self._waiting = {key: model for key, model in models.items() if not model.is_ready}
        await self._reach()
        builder = Builder(before, models, worker.metrics)
        endpoints = {
            (e.workspace, e.name): e for e in (builder.endpoint(*item) for item in document["endpoints"].items())
        }
        kept = _in_use(endpoints.values())
        self._waiting = {key: m for key, m in models.items() if key not in kept and not m.is_ready}
        keys = read_keys(document["keys"], before.keys, self._rates, self._counts)
        devices = read_keys(document.get("devices") or {}, before.devices, self._rates, self._counts)
        worker.apply(
            Snapshot(
                version=int(document["version"]),
                control_socket=document.get("control_socket") or "",
                keys=keys,
                devices=devices,
                tokens=Tokens(document.get("tokens"), (*keys.values(), *devices.values()), before.tokens),
                endpoints=endpoints,
                models=kept,
                loaded=builder.loaded,
                errors=found.errors,
                held=_held(document),
            )
        )
        in_use = {id(model) for model in (*kept.values(), *self._waiting.values())}
        self._let_go([m for m in (*before.models.values(), *waited.values()) if id(m) not in in_use])

    async def _prove(self, found: _Found) -> None:
        """Load graphs that have never answered, so that what is wrong shows now, and pinned ones; others wait to be asked."""
        for key, specs in found.unproven.items():
            lazy = found.models[key].lazy
            if lazy is None:
                continue
            try:
                await self._worker.shelf.load(lazy)
            except Exception as reason:  # noqa: BLE001 whatever is wrong with one package must not stop the others
                del found.models[key]
                found.fail(specs, reason)
        for model, spec in found.wishes:
            model.use(spec)

    def _let_go(self, gone: list[Model]) -> None:
        """Close what nobody is sent to any more, after the requests whose head came before."""
        for model in gone:
            self._worker.loop.call_later(_LINGER_S, model.runtime.close)

    def _report_soon(self) -> None:
        """Tell at the end of this turn that somebody waits for a worker."""
        if not self._is_alarmed:
            self._is_alarmed = True
            self._worker.loop.call_soon(self._report)

    def _report(self) -> None:
        now = self._worker.loop.time()
        if self._is_alarmed or now - self._looked_at >= _LOAD_S:
            self._load, self._looked_at, self._is_alarmed = _load(self._worker.snapshot), now, False
        snapshot = self._worker.snapshot
        waiting = sorted(d.id for e in snapshot.endpoints.values() for d in e.all() if not d.is_ready)
        status = {
            "worker": self._worker.settings.worker,
            "pid": os.getpid(),
            "port": self.port,
            "grpc_port": self.grpc_port,
            "snapshot": snapshot.version,
            "loaded": {id_: revision for id_, revision in snapshot.loaded.items() if id_ not in waiting},
            "waiting": waiting,
            "errors": {**snapshot.errors, **_faults(snapshot), **snapshot.held},
            "services": self._services.version,
            "error": self._error or self._services.error,
            "load": self._load,
            "memory": _memory(snapshot),
            "devices": _devices(snapshot),
            "model_bytes": self._worker.shelf.size,
            "max_model_bytes": self._worker.shelf.most_bytes,
        }
        if status == self._reported:
            return
        draft = self._status.with_suffix(".tmp")
        try:
            draft.write_bytes(orjson.dumps({**status, "at": wall()}))
            draft.rename(self._status)
            self._reported = status
        except OSError as reason:
            _LOG.warning("cannot write %s: %s", self._status, reason)


def _held(document: dict[str, Any]) -> dict[str, str]:
    """Return why each deployment that is unloaded does not answer."""
    held = [spec["held"] for spec in document["endpoints"].values() if "held" in spec]
    return {id_: f"it was unloaded through the gateway by {one['by']!r}" for one in held for id_ in one["deployments"]}


def _stamp(path: Path) -> Stamp | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_ino, stat.st_size


def _read(path: Path) -> dict[str, Any]:
    document = orjson.loads(path.read_bytes())
    if not isinstance(document, dict):
        raise Invalid("the snapshot is not a JSON object")
    return without_held(document, read_holds(path.parent))


@dataclass(slots=True)
class _Found:
    """What a document asks for.

    Attributes
    ----------
    wishes
        Every model with each deployment that it stands for.
    unproven
        Deployments whose package has never answered anywhere, by what is to be loaded for them.
    errors
        Why some deployments have no model.
    """

    models: dict[Identity, Model] = field(default_factory=dict[Identity, Model])
    wishes: list[tuple[Model, dict[str, Any]]] = field(default_factory=list[tuple[Model, dict[str, Any]]])
    unproven: dict[Identity, list[str]] = field(default_factory=dict[Identity, list[str]])
    errors: dict[str, str] = field(default_factory=dict[str, str])

    def fail(self, deployments: Iterable[str], reason: Exception) -> None:
        """Note why deployments cannot be loaded."""
        message = reason.message if isinstance(reason, AimassError) else repr(reason)
        for id_ in deployments:
            _LOG.error("deployment %s cannot be loaded: %s", id_, message)
            self.errors[id_] = message


def _make(document: dict[str, Any], present: dict[Identity, Model], shelf: Shelf) -> _Found:
    """Make what stands for every model that is not there yet."""
    found = _Found()
    for spec in wanted_deployments(document):
        key = identity(spec)
        if key not in found.models:
            try:
                found.models[key] = present.get(key) or make_model(spec, shelf)
            except Exception as reason:  # noqa: BLE001 whatever is wrong with one package must not stop the others
                found.fail([spec["id"]], reason)
                continue
        found.wishes.append((found.models[key], spec))
        if key not in present and not spec.get("proven"):
            found.unproven.setdefault(key, []).append(spec["id"])
    return found


def _faults(snapshot: Snapshot) -> dict[str, str]:
    """Return why deployments whose graph was asked for cannot be loaded."""
    every = (d for endpoint in snapshot.endpoints.values() for d in endpoint.all())
    return {d.id: d.loaded.lazy.fault for d in every if d.loaded.lazy is not None and d.loaded.lazy.fault}


def _load(snapshot: Snapshot) -> dict[str, Any]:
    """Return what each deployment with workers of its own has under way."""
    found: dict[str, Any] = {}
    for deployment in (d for endpoint in snapshot.endpoints.values() for d in endpoint.all()):
        runtime, latency = deployment.loaded.runtime, deployment.latency
        if isinstance(runtime, IsolatedRuntime) and deployment.id not in found:
            told = {"answered": sum(latency.counts), "seconds": round(latency.sum, 6), "revision": deployment.revision}
            found[deployment.id] = {**runtime.load(), **told}
    return found


def _memory(snapshot: Snapshot) -> dict[str, int]:
    """Return how many bytes each deployment that this process runs itself takes; 0 for one that is not in memory."""
    every = (d for endpoint in snapshot.endpoints.values() for d in endpoint.all())
    return {d.id: memory_of(d) for d in every if d.loaded.lazy is not None}


def _devices(snapshot: Snapshot) -> dict[str, list[str]]:
    """Return on which device each graph in memory runs, and why it is not the one that was asked for."""
    every = (d for endpoint in snapshot.endpoints.values() for d in endpoint.all())
    found = {d.id: d.loaded.lazy.device for d in every if d.loaded.lazy is not None}
    return {id_: [device.name, device.fallback] for id_, device in found.items() if device is not None}


def _in_use(endpoints: Iterable[Endpoint]) -> dict[Identity, Model]:
    """Return every model that answers, also those that go on because their successor failed."""
    return {d.loaded.key: d.loaded for endpoint in endpoints for d in endpoint.all()}
