"""The cheap way for one row: read by its layout, run bound or by a worker that takes its memory, reply from a template."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any, NamedTuple, Protocol

import numpy as np
import orjson

from aimass.gateway.plane.calls import Asked, Call, Caller, Read
from aimass.gateway.plane.connection import Connection
from aimass.gateway.plane.decode import Decoded
from aimass.gateway.plane.errors import WorkerFailed
from aimass.gateway.plane.metrics import Metrics
from aimass.gateway.plane.records import SafeSegments
from aimass.gateway.plane.runtimes.isolated import IsolatedRuntime
from aimass.gateway.plane.runtimes.reader import Row, RowReader
from aimass.gateway.plane.slow import SlowLog
from aimass.gateway.plane.snapshot import Deployment, Served
from aimass.gateway.plane.under_way import UnderWay
from aimass.infra.segments import frame
from aimass.kernel.errors import AimassError

_NUMPY = orjson.OPT_SERIALIZE_NUMPY
_CLOSE = b"Connection: close\r\n"
_NUMBER_BYTES = 8


class Message(Protocol):
    """A request for one row that did not come over a connection of our own.

    Attributes
    ----------
    caller, read
        Who gets the answer, and what reads the request, where the general path takes over.
    """

    caller: Caller
    read: Read

    @property
    def trace(self) -> bytes:
        """Return the trace that the client put the request in; empty without one."""
        ...

    def row(self, reader: RowReader) -> Row | None:
        """Return the row, or None when the general path must look at it."""
        ...

    def send_row(self, name: str, deployment: Deployment, id_: bytes, label: bytes, values: Any) -> None:
        """Answer; ``label`` is JSON, ``name`` that of the endpoint."""
        ...


class One(NamedTuple):
    """A request for one row on its way.

    Attributes
    ----------
    source
        Where it came from, and where its answer goes.
    body
        The request as it came, for the general path to fall back on.
    now, started, read_at
        When it came in seconds since the epoch; when it came and was read in seconds of ``perf_counter``.
    """

    source: Connection | Message
    call: Call
    deployment: Deployment
    reader: RowReader
    id: bytes
    members: bytes
    body: bytes
    now: float
    started: float
    read_at: float


class Host(Protocol):
    """What this path needs from the worker it runs in."""

    metrics: Metrics
    records: SafeSegments
    slow: SlowLog


class General(Protocol):
    """The general path, which takes over what is unusual."""

    def has_failed(self, one: One, error: AimassError) -> None:
        """Refuse a request whose model did not answer, or let another answer in its place."""
        ...

    def has_answered(self, one: One, outputs: Callable[[], dict[str, Any]], seconds: float) -> None:
        """Hear of an answer, for those who compare it."""
        ...

    def timeout_s(self, call: Call) -> float:
        """Return how long a model may take."""
        ...


class CheapPath:
    """Answers requests for one row that look like others before them."""

    def __init__(
        self,
        host: Host,
        general: General,
        under_way: UnderWay,
        new_id: Callable[[float], str],
        share: Callable[[], float],
    ) -> None:
        self._host = host
        self._slow = host.slow
        self._general = general
        self._under_way = under_way
        self._new_id = new_id
        self._share = share

    def answer(
        self,
        source: Connection | Message,
        call: Call,
        deployment: Deployment,
        body: bytes,
        times: tuple[float, float],
    ) -> bool:
        """Answer a request, or tell that the general path must."""
        runtime, (now, started) = deployment.loaded.runtime, times
        single = runtime.single
        if single is not None:
            row = single.read(body) if isinstance(source, Connection) else source.row(single)
            if row is None:
                return False
            single.put(row)
            runtime.used_at = now
            read_at = perf_counter()
            id_ = row.id or self._new_id(now).encode()
            one = One(source, call, deployment, single, id_, row.members, body, now, started, read_at)
            self._answered(one, single.label(single.run()), single.first, perf_counter())
            return True
        if isinstance(runtime, IsolatedRuntime) and runtime.remote is not None:
            reader = runtime.remote
            row = reader.read(body) if isinstance(source, Connection) else source.row(reader)
            if row is None:
                return False
            id_ = row.id or self._new_id(now).encode()
            one = One(source, call, deployment, reader, id_, row.members, body, now, started, perf_counter())
            self._ask(one, runtime, row)
            return True
        return False

    def _ask(self, one: One, runtime: IsolatedRuntime, row: Row) -> None:
        """Let a worker run a row."""
        leave = self._under_way.enter(one.call.endpoint, len(one.body))
        if leave is None:
            self._general.has_failed(one, self._under_way.refused(one.call.endpoint))
            return

        def done(answer: bytes | None, error: AimassError | None) -> None:
            leave()
            ran_at, reader = perf_counter(), one.reader
            if answer is None or error is not None:
                self._general.has_failed(one, error or WorkerFailed())
                return
            label = reader.number_label(int.from_bytes(answer[:_NUMBER_BYTES], "little", signed=True))
            if label is None or len(answer) != _NUMBER_BYTES + 4 * len(reader.classes):
                self._general.has_failed(one, WorkerFailed("the worker's answer does not keep to the signature"))
                return
            self._answered(one, label, np.frombuffer(answer, "<f4", offset=_NUMBER_BYTES), ran_at)

        runtime.start_row(row.memory, self._general.timeout_s(one.call), done)

    def _answered(self, one: One, label: bytes, values: Any, ran_at: float) -> None:
        """Record and count an answer, and send it."""
        call, deployment, now, id_ = one.call, one.deployment, one.now, one.id
        endpoint = call.endpoint
        probabilities = orjson.dumps(values, option=_NUMPY)
        served = deployment.served.get(call.key.consumer) or self._served(call, deployment, one.reader)
        served.count.value += 1
        written_at = perf_counter()
        seconds = written_at - one.started
        deployment.latency.observe(seconds)
        if seconds >= self._slow.after_s:
            self._keep(one, seconds, ran_at, served.reply_size + len(label) + len(probabilities))
        tally = deployment.tally
        tally.last, sums = now, tally.one
        sums.count += 1
        sums.inputs_s += one.read_at - one.started
        sums.model_s += ran_at - one.read_at
        sums.outputs_s += written_at - ran_at
        if endpoint.sample >= 1.0 or self._share() < endpoint.sample:
            kept = (one.members, label, probabilities) if endpoint.payload else ()
            self._host.records.pending.append(frame(served.record % (id_, one.source.trace, now, seconds * 1e6, *kept)))
        if endpoint.shadow is not None:
            self._general.has_answered(one, lambda: one.reader.outputs(label, values), seconds)
        source = one.source
        if isinstance(source, Connection):
            size = served.reply_size + len(id_) + len(label) + len(probabilities)
            close = b"" if source.keep else _CLOSE
            source.send(served.reply % (close, id_, size, id_, label, probabilities))
            source.finish()
        else:
            source.send_row(endpoint.name, deployment, id_, label, values)

    def _keep(self, one: One, seconds: float, ran_at: float, size: int) -> None:
        """Hand a request that took long to the log of those."""
        known = (ran_at - one.read_at, len(one.body), size)
        self._slow.infer(one.call, one.deployment, one.source.trace, seconds, known)

    def _served(self, call: Call, deployment: Deployment, reader: RowReader) -> Served:
        consumer = call.key.consumer
        name, labels = deployment.count_key(call.endpoint.workspace, call.endpoint.name, consumer, 200)
        count = self._host.metrics.counter(name, labels)
        served = deployment.served[consumer] = Served.of(
            count, deployment, reader, consumer, has_payload=call.endpoint.payload
        )
        return served


def asked_again(one: One) -> Asked:
    """Return a request for one row as the general path knows it."""
    decoded = Decoded(rows=1, values=orjson.loads(b"{%b}" % one.members), unseen=[])
    return Asked(id=one.id.decode(), trace=one.source.trace, decoded=decoded, wanted=[])
