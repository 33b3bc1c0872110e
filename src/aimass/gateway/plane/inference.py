"""Answer inference requests: key, choice of the deployment, checked inputs, model, reply, record, series."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol
from urllib.parse import quote

import orjson

from aimass.gateway.plane.calls import Call
from aimass.gateway.plane.connection import Connection
from aimass.gateway.plane.decode import Decoded, Wanted, decode, decompress, read_document, request_id, wanted_outputs
from aimass.gateway.plane.encode import encode
from aimass.gateway.plane.errors import InvalidJson, WorkerFailed
from aimass.gateway.plane.http import error_reply, reply
from aimass.gateway.plane.metrics import Metrics
from aimass.gateway.plane.moments import RequestIds, wall
from aimass.gateway.plane.records import SafeSegments
from aimass.gateway.plane.runtimes.single import SingleRow
from aimass.gateway.plane.snapshot import Deployment, Served
from aimass.infra.segments import frame
from aimass.kernel.errors import AimassError

_LOG = logging.getLogger(__name__)
_NUMPY = orjson.OPT_SERIALIZE_NUMPY
_MAX_HEADER = 200
_NULL = b"null"
_CLOSE = b"Connection: close\r\n"


class Worker(Protocol):
    """What inference needs from the worker it runs in."""

    metrics: Metrics
    records: SafeSegments
    is_draining: bool

    def later(self, shadow: Callable[[], None]) -> None:
        """Do this after the replies of the turn have left."""
        ...


@dataclass(slots=True, kw_only=True)
class _Work:
    """One request that takes the general path; a shadow has no connection."""

    connection: Connection | None
    call: Call
    deployment: Deployment
    id: str
    decoded: Decoded
    wanted: list[Wanted]
    now: float
    started: float


class Inference:
    """The inference door of one worker."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._new_id = RequestIds().new
        self._share = random.Random(random.SystemRandom().getrandbits(64)).random  # noqa: S311 a share of traffic

    def answer(self, connection: Connection, call: Call, body: bytes) -> None:
        """Answer one request; nothing that it holds can raise."""
        started = perf_counter()
        try:
            self._answer(connection, call, body, started)
        except AimassError as error:
            self._refuse(connection, call, error)
        except Exception:  # noqa: BLE001 one request must never end the worker; the log has the trace
            _LOG.exception("an inference request on %r failed", call.endpoint.name)
            self._refuse(connection, call, WorkerFailed("the model failed on this request"))

    def _answer(self, connection: Connection, call: Call, body: bytes, started: float) -> None:
        now = wall()
        call.key.admit(now)
        endpoint = call.endpoint
        deployment = endpoint.of_version(call.version) if call.version else endpoint.choose(self._share())
        single = deployment.loaded.runtime.single
        if single is not None and call.is_bare:
            taken = single.take(body)
            if taken is not None:
                self._single(connection, call, deployment, (single, *taken), (now, started))
                return
        self._general(connection, call, deployment, body, (now, started))

    # -- one row, the cheap way

    def _single(
        self,
        connection: Connection,
        call: Call,
        deployment: Deployment,
        row: tuple[SingleRow, bytes, bytes],
        times: tuple[float, float],
    ) -> None:
        (single, id_, inputs), (now, started) = row, times
        id_ = id_ or self._new_id(now).encode()
        label = single.label(single.run())
        probabilities = orjson.dumps(single.first, option=_NUMPY)
        endpoint = call.endpoint
        served = deployment.served.get(call.key.consumer) or self._served(call, deployment, single)
        served.count.value += 1
        seconds = perf_counter() - started
        deployment.latency.observe(seconds)
        if endpoint.sample >= 1.0 or self._share() < endpoint.sample:
            values = (inputs, label, probabilities) if endpoint.payload else ()
            record = served.record % (id_, now, seconds * 1e6, *values)
            self._worker.records.pending.append(frame(record))
        if endpoint.shadow is not None:
            decoded = Decoded(rows=1, values=orjson.loads(b"{%b}" % inputs), unseen=[])
            self._shadow(call, endpoint.shadow, decoded, (id_.decode(), now))
        size = served.reply_size + len(id_) + len(label) + len(probabilities)
        close = b"" if connection.keep else _CLOSE
        connection.send(served.reply % (close, id_, size, id_, label, probabilities))
        connection.finish()

    def _served(self, call: Call, deployment: Deployment, single: SingleRow) -> Served:
        consumer = call.key.consumer
        name, labels = deployment.count_key(call.endpoint.workspace, call.endpoint.name, consumer, 200)
        count = self._worker.metrics.counter(name, labels)
        served = deployment.served[consumer] = Served.of(
            count, deployment, single, consumer, has_payload=call.endpoint.payload
        )
        return served

    # -- any request

    def _general(
        self, connection: Connection, call: Call, deployment: Deployment, body: bytes, times: tuple[float, float]
    ) -> None:
        document, tail = _parts(call, body)
        package = deployment.loaded.package
        given = request_id(document) or self._new_id(times[0])
        wanted = wanted_outputs(document, [spec["name"] for spec in package.signature["outputs"]])
        decoded = decode(document, tail, package.columns)
        single = deployment.loaded.runtime.single
        if single is not None and decoded.rows == 1 and call.is_bare:
            single.learn(body, document, times[0])
        work = _Work(
            connection=connection,
            call=call,
            deployment=deployment,
            id=given,
            decoded=decoded,
            wanted=wanted,
            now=times[0],
            started=times[1],
        )
        deployment.loaded.runtime.start(
            decoded.values,
            decoded.rows,
            call.endpoint.timeout_s,
            lambda outputs, error: self._done(work, outputs, error),
        )

    def _done(self, work: _Work, outputs: dict[str, Any] | None, error: AimassError | None) -> None:
        connection, call, deployment = work.connection, work.call, work.deployment
        if connection is None:
            return
        if outputs is None or error is not None:
            error = error or WorkerFailed()
            self._record(work, None, error.status)
            self._refuse(connection, call, error, deployment)
            return
        head = {"model_name": call.endpoint.name, "model_version": deployment.version, "id": work.id}
        body, tail = encode(head, outputs, work.wanted)
        extra = b"%bX-Request-Id: %b\r\n" % (deployment.head_lines, _header_text(work.id))
        kind = b"application/json"
        if tail is not None:
            kind = b"application/octet-stream"
            extra += b"Inference-Header-Content-Length: %d\r\n" % len(body)
            body += tail
        self._record(work, outputs, 200)
        self._count(call, deployment, 200)
        deployment.latency.observe(perf_counter() - work.started)
        for column in work.decoded.unseen:
            labels = (("column", column), ("endpoint", call.endpoint.name), ("workspace", call.endpoint.workspace))
            self._worker.metrics.count("gateway_unseen", labels)
        if call.endpoint.shadow is not None:
            self._shadow(call, call.endpoint.shadow, work.decoded, (work.id, work.now))
        connection.send(reply(200, body, kind=kind, extra=extra, keep=connection.keep))
        connection.finish()

    def _record(self, work: _Work, outputs: dict[str, Any] | None, status: int) -> None:
        endpoint = work.call.endpoint
        if endpoint.sample < 1.0 and self._share() >= endpoint.sample:
            return
        self._worker.records.put(
            {
                "id": work.id,
                "t": work.now,
                **orjson.loads(b"{%b}" % work.deployment.record_head),
                "consumer": work.call.key.consumer,
                "status": status,
                "latency_us": int((perf_counter() - work.started) * 1e6),
                "rows": work.decoded.rows,
                "inputs": work.decoded.values if endpoint.payload else None,
                "outputs": _listed(outputs) if endpoint.payload and outputs is not None else None,
                "unseen": work.decoded.unseen,
            }
        )

    def _count(self, call: Call, deployment: Deployment, status: int) -> None:
        name, labels = deployment.count_key(call.endpoint.workspace, call.endpoint.name, call.key.consumer, status)
        self._worker.metrics.count(name, labels)

    def _refuse(
        self, connection: Connection, call: Call, error: AimassError, deployment: Deployment | None = None
    ) -> None:
        endpoint = call.endpoint
        labels = (("code", str(error.status)), ("consumer", call.key.consumer), ("endpoint", endpoint.name))
        revision = deployment.revision if deployment is not None else ""
        labels = (*labels, ("revision", revision), ("workspace", endpoint.workspace))
        self._worker.metrics.count("gateway_requests", labels)
        extra = deployment.head_lines if deployment is not None else b""
        connection.send(error_reply(error, extra=extra, keep=connection.keep))
        connection.finish()

    # -- shadows

    def _shadow(self, call: Call, deployment: Deployment, decoded: Decoded, given: tuple[str, float]) -> None:
        self._worker.later(lambda: self._run_shadow(call, deployment, decoded, given))

    def _run_shadow(self, call: Call, deployment: Deployment, decoded: Decoded, given: tuple[str, float]) -> None:
        started = perf_counter()
        work = _Work(
            connection=None,
            call=call,
            deployment=deployment,
            id=given[0],
            decoded=decoded,
            wanted=[],
            now=given[1],
            started=started,
        )
        deployment.loaded.runtime.start(
            decoded.values,
            decoded.rows,
            call.endpoint.timeout_s,
            lambda outputs, error: self._shadow_done(work, outputs, error),
        )

    def _shadow_done(self, work: _Work, outputs: dict[str, Any] | None, error: AimassError | None) -> None:
        work.deployment.latency.observe(perf_counter() - work.started)
        self._record(work, outputs, 200 if error is None else error.status)


def _parts(call: Call, body: bytes) -> tuple[dict[str, Any], memoryview | None]:
    """Return the JSON document of a body, and the bytes of the binary tensors after it."""
    if call.coding:
        body = decompress(body, call.coding, call.endpoint.max_body_bytes)
    size = call.json_bytes
    if size is None:
        return read_document(body), None
    if size > len(body):
        raise InvalidJson(
            "Inference-Header-Content-Length is longer than the body", value=size, allowed=f"at most {len(body)}"
        )
    return read_document(body[:size]), memoryview(body)[size:]


def _header_text(text: str) -> bytes:
    """Return a caller's id in the form in which a header can carry it."""
    if text.isascii() and text.isprintable():
        return text.encode()
    return quote(text)[:_MAX_HEADER].encode()


def _listed(outputs: dict[str, Any]) -> dict[str, Any]:
    return {name: array.tolist() if array.dtype == object else array for name, array in outputs.items()}
