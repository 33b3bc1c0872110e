"""Requests that took long, or failed: the slowest of each service and model are handed to control, and no more than those.

What is kept of a request names no header, no query and no body: keys, tokens and what people send stand there.
"""

from __future__ import annotations

import math
from heapq import heappush, heapreplace
from time import perf_counter
from typing import Any, NamedTuple

from aimass.gateway.plane.calls import Call, Work
from aimass.gateway.plane.metrics import Metrics
from aimass.gateway.plane.moments import RequestIds, wall
from aimass.gateway.plane.records import SafeSegments
from aimass.gateway.plane.snapshot import Deployment
from aimass.gateway.plane.tracing import ID_BYTES
from aimass.gateway.settings import GatewaySettings
from aimass.kernel.errors import AimassError
from aimass.kernel.layout import DataDir

SERVER_ERROR = 500
_MOST_GROUPS = 100
_MOST_PATH = 500
Group = tuple[str, str, str, int, str]


class Asked(NamedTuple):
    """What was asked for, and by whom.

    Attributes
    ----------
    kind, name
        ``route`` or ``endpoint``, and what it is called.
    """

    workspace: str
    kind: str
    name: str
    consumer: str
    method: bytes
    path: bytes
    trace: bytes


class SlowLog:
    """Keeps the slowest requests of a while, and the slowest of each way to fail, for each route and endpoint.

    Under a storm of slow requests a worker holds a fixed number of them, and so does what it writes.

    Attributes
    ----------
    after_s
        From how many seconds on a request is slow; infinite where no such log is wanted.
    segments
        What is handed to control.
    """

    def __init__(self, settings: GatewaySettings, metrics: Metrics) -> None:
        self.after_s = settings.slow_s or math.inf
        folder = DataDir(settings.data_dir).slow / str(settings.worker)
        self.segments = SafeSegments(folder, "slow requests", max_bytes=settings.segment_bytes, max_age_s=0.0)
        self._most = settings.slow_most
        self._metrics = metrics
        self._new_id = RequestIds().new
        self._groups: dict[Group, list[tuple[float, str, dict[str, Any]]]] = {}

    def threshold(self, own_s: float) -> float:
        """Return from how many seconds on the requests of a route are slow; its own number counts where it has one."""
        return own_s if own_s and self.after_s != math.inf else self.after_s

    def keep(self, asked: Asked, seconds: float, about: dict[str, Any], *, is_slow: bool) -> None:
        """Keep a request that has ended, unless slower ones took its place.

        Parameters
        ----------
        about
            How it went: ``status``, and what else is known.
        is_slow
            False for one that only failed.
        """
        if self.after_s == math.inf:
            return
        labels = ((asked.kind, asked.name), ("workspace", asked.workspace))
        if is_slow:
            self._metrics.count("gateway_slow_requests", labels)
        failure = about["status"] if about["status"] >= SERVER_ERROR else 0
        group = (asked.workspace, asked.kind, asked.name, failure, about.get("error", ""))
        heap = self._groups.get(group)
        if heap is None:
            if len(self._groups) >= _MOST_GROUPS:
                self._leave_out()
                return
            heap = self._groups[group] = []
        if len(heap) >= self._most:
            self._leave_out()
            if seconds <= heap[0][0]:
                return
        began = wall() - seconds
        id_ = self._new_id(began)
        one = (seconds, id_, {"id": id_, "at": began, "seconds": round(seconds, 6), **_told(asked), **about})
        if len(heap) < self._most:
            heappush(heap, one)
        else:
            heapreplace(heap, one)

    def _leave_out(self, by: int = 1) -> None:
        self._metrics.count("gateway_slow_requests_left_out", (), by)

    def answered(self, work: Work, ran_at: float, size: int) -> None:
        """Keep a request to a model that was answered late; ``size`` is that of the answer."""
        seconds = perf_counter() - work.started
        self.infer(
            work.call, work.deployment, work.caller.trace, seconds, (ran_at - work.read_at, work.asked.size, size)
        )

    def infer(
        self, call: Call, deployment: Deployment, trace: bytes, seconds: float, known: tuple[float, int, int]
    ) -> None:
        """Keep an answer of a model; ``known`` are the seconds in the model, and the bytes of question and answer."""
        about = {"status": 200, "compute_s": round(known[0], 6), "bytes_in": known[1], "bytes_out": known[2]}
        self.keep(_of(call, trace), seconds, {**about, **_of_deployment(deployment)}, is_slow=True)

    def failed(self, call: Call, trace: bytes, error: AimassError, deployment: Deployment | None, began: float) -> None:
        """Keep a request to a model that failed; ``began`` is in seconds of ``perf_counter``."""
        seconds = perf_counter() - began
        about = {"status": error.status, "error": error.code, **_of_deployment(deployment)}
        self.keep(_of(call, trace), seconds, about, is_slow=seconds >= self.after_s)

    def flush(self) -> None:
        """Write what was kept since the last time."""
        groups, self._groups = self._groups, {}
        if not groups:
            return
        lost = self.segments.lost
        for heap in groups.values():
            for _, _, document in heap:
                self.segments.put(document)
        self.segments.flush()
        if self.segments.lost != lost:
            self._leave_out(self.segments.lost - lost)

    def close(self) -> None:
        """Write what is left."""
        self.flush()
        self.segments.close()


def _told(asked: Asked) -> dict[str, Any]:
    return {
        "workspace": asked.workspace,
        "kind": asked.kind,
        "name": asked.name,
        "consumer": asked.consumer,
        "method": asked.method.decode("latin-1"),
        "path": asked.path.partition(b"?")[0][:_MOST_PATH].decode("latin-1"),
        "trace": asked.trace[:ID_BYTES].decode(),
    }


def _of(call: Call, trace: bytes) -> Asked:
    endpoint = call.endpoint
    return Asked(endpoint.workspace, "endpoint", endpoint.name, call.key.consumer, call.method, call.path, trace)


def _of_deployment(deployment: Deployment | None) -> dict[str, Any]:
    if deployment is None:
        return {}
    return {"target": deployment.revision, "service": deployment.name, "version": str(deployment.version)}
