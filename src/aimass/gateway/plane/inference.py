"""Answer inference requests: key, choice of the deployment, checked inputs, model, reply, record, series."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from time import perf_counter
from typing import Any, Protocol

import orjson

from aimass.gateway.plane.calls import Asked, Call, Caller, Read, Work
from aimass.gateway.plane.cheap import CheapPath, Message, One, asked_again
from aimass.gateway.plane.connection import Connection
from aimass.gateway.plane.errors import ClientGone, Overloaded, RateLimited, WorkerFailed
from aimass.gateway.plane.events import OverEvents
from aimass.gateway.plane.limits import Budget
from aimass.gateway.plane.metrics import Metrics
from aimass.gateway.plane.moments import RequestIds, wall
from aimass.gateway.plane.package import Package
from aimass.gateway.plane.payload import kept_inputs, kept_outputs
from aimass.gateway.plane.policy import PARAMETER, trouble_of
from aimass.gateway.plane.records import SafeSegments
from aimass.gateway.plane.replies import OverHttp, ToNobody
from aimass.gateway.plane.runtimes.isolated import IsolatedRuntime
from aimass.gateway.plane.shadows import Given, ShadowStats
from aimass.gateway.plane.slow import SERVER_ERROR, SlowLog
from aimass.gateway.plane.snapshot import Deployment, Endpoint
from aimass.gateway.plane.telling import End, Teller
from aimass.gateway.plane.tracing import ID_BYTES
from aimass.gateway.plane.under_way import UnderWay
from aimass.gateway.settings import GatewaySettings
from aimass.kernel.errors import AimassError

_LOG = logging.getLogger(__name__)
_NOBODY = ToNobody()


class Host(Protocol):
    """What inference needs from the worker it runs in.

    Attributes
    ----------
    turn_ends
        Until when (seconds since the epoch) requests that came in one turn of the loop are answered.
    """

    settings: GatewaySettings
    budget: Budget
    turn_ends: float
    metrics: Metrics
    records: SafeSegments
    slow: SlowLog
    is_draining: bool

    def later(self, shadow: Callable[[], None]) -> None:
        """Do this after the replies of the turn have left."""
        ...


class Inference:
    """The inference door of one worker."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._new_id = RequestIds().new
        self._under_way = UnderWay(host.settings.max_in_flight, host.budget)
        self._share = random.Random(random.SystemRandom().getrandbits(64)).random  # noqa: S311 a share of traffic
        self._cheap = CheapPath(host, self, self._under_way, self._new_id, self._share)

    def answer(self, connection: Connection, call: Call, body: bytes) -> None:
        """Answer one request that came over HTTP; nothing that it holds can raise."""
        started, now = perf_counter(), wall()
        try:
            deployment = self._admit(call, now)
            if call.is_bare and self._cheap.answer(connection, call, deployment, body, (now, started)):
                return
        except AimassError as error:
            self._refuse(call, _caller(connection, call), error)
        except Exception:  # noqa: BLE001 one request must never end the worker; the log has the trace
            self._refuse(call, _caller(connection, call), _unexpected(call))
        else:
            self._general(
                call,
                _caller(connection, call),
                deployment,
                _reader(call, body),
                (now, started),
                body if call.is_bare else None,
            )

    def ask(self, call: Call, caller: Caller, read: Read, row: tuple[Message, bytes] | None = None) -> None:
        """Answer one request that came another way.

        Parameters
        ----------
        read
            Checks it against the signature.
        row
            The same as a request for one row, with its bytes, where it may be one.
        """
        started, now = perf_counter(), wall()
        try:
            deployment = self._admit(call, now)
            if row is not None and self._cheap.answer(row[0], call, deployment, row[1], (now, started)):
                return
        except AimassError as error:
            self._refuse(call, caller, error)
        except Exception:  # noqa: BLE001 one request must never end the worker; the log has the trace
            self._refuse(call, caller, _unexpected(call))
        else:
            self._general(call, caller, deployment, read, (now, started))

    def _admit(self, call: Call, now: float) -> Deployment:
        """Let a request in, and choose who answers it."""
        if now > self._host.turn_ends:
            raise Overloaded(
                "more requests wait here than can be answered in time",
                allowed=f"at most {self._host.settings.max_wait_s:g} s in the queue",
                hint="try again in a second, or start more gateway workers",
            )
        call.key.admit(now)
        if call.version:
            return call.endpoint.of_version(call.version)
        return call.endpoint.choose(self._share() if call.share is None else call.share)

    # -- any request

    def _general(
        self,
        call: Call,
        caller: Caller,
        deployment: Deployment,
        read: Read,
        times: tuple[float, float],
        lesson: bytes | None = None,
    ) -> None:
        """Read a request and run it; ``lesson`` is a body that the cheap path may learn from."""
        try:
            asked = read(deployment.loaded.package)
            if call.endpoint.split.by == PARAMETER and not call.version:
                deployment, asked = self._by_parameter(call, deployment, asked, read)
        except AimassError as error:
            self._refuse(call, caller, error, deployment)
            return
        except Exception:  # noqa: BLE001 one request must never end the worker; the log has the trace
            self._refuse(call, caller, _unexpected(call), deployment)
            return
        asked.id, asked.trace = asked.id or self._new_id(times[0]), caller.trace
        reader = deployment.loaded.runtime.reader
        if lesson is not None and reader is not None and asked.decoded.rows == 1 and asked.document is not None:
            reader.learn(lesson, asked.document, times[0])
        work = Work(
            call=call,
            caller=caller,
            deployment=deployment,
            asked=asked,
            now=times[0],
            started=times[1],
            read_at=perf_counter(),
            read=read,
        )
        if asked.plan is None:
            self._run(work, self._done)
        else:
            self._under_way.in_parts(work, self.timeout_s(call), lambda found, error: self._planned(work, found, error))

    def _by_parameter(self, call: Call, deployment: Deployment, asked: Asked, read: Read) -> tuple[Deployment, Asked]:
        """Choose by a parameter of the request; another deployment than the one it was read for reads it again."""
        split = call.endpoint.split
        value = asked.parameters.get(split.name)
        share = split.share(call.key.consumer, None if value is None else str(value))
        chosen = call.endpoint.choose(self._share() if share is None else share)
        return (deployment, asked) if chosen is deployment else (chosen, read(chosen.loaded.package))

    def _run(self, work: Work, done: End) -> None:
        """Run the model; ``done`` is called at once, or when the worker has answered."""
        decoded, endpoint = work.asked.decoded, work.call.endpoint
        timeout_s = endpoint.timeout_s if work.rescue else self.timeout_s(work.call)
        runtime = work.deployment.loaded.runtime
        if work.deployment.loaded.package.streams and isinstance(runtime, IsolatedRuntime):
            self._tell(work, runtime, timeout_s, done)
            return
        self._under_way.start(
            endpoint,
            work.asked.size,
            lambda ended: runtime.start(decoded.values, decoded.rows, timeout_s, ended),
            lambda outputs, error: done(work, outputs, error),
        )

    def _done(self, work: Work, outputs: dict[str, Any] | None, error: AimassError | None) -> None:
        answer, ran_at = None, perf_counter()
        if outputs is not None and error is None:
            try:
                answer = work.caller.write(work, outputs)
            except AimassError as reason:
                error = reason
            except Exception:  # noqa: BLE001 what cannot be written is this request's error alone
                error = _unexpected(work.call)
        if outputs is None or error is not None:
            error = error or WorkerFailed()
            if not self._rescue(work, error):
                self._record(work, None, error.status)
                work.deployment.tally.fail(perf_counter() - work.started)
                self._refuse(work.call, work.caller, error, work.deployment, work.started)
            return
        self._record(work, outputs, 200)
        self._count(work, ran_at, len(answer) if isinstance(answer, bytes) else 0)
        endpoint = work.call.endpoint
        if endpoint.shadow is not None and not work.rescue and self._is_shadowed(endpoint):
            given = Given(outputs=outputs, seconds=perf_counter() - work.read_at)
            self._shadow(work.call, work.deployment, work.asked, work.now, given)
        work.caller.send(work, answer)

    def _planned(self, work: Work, outputs: dict[str, Any] | None, error: AimassError | None) -> None:
        """Answer what is no traffic of the model."""
        answer, endpoint = None, work.call.endpoint
        if outputs is not None and error is None:
            try:
                answer = work.caller.write(work, outputs)
            except Exception:  # noqa: BLE001 what cannot be written is this request's error alone
                error = _unexpected(work.call)
        failed = error if error is not None or answer is not None else WorkerFailed()
        labels = (("code", str(200 if failed is None else failed.status)), ("endpoint", endpoint.name))
        self._host.metrics.count("gateway_explanations", (*labels, ("workspace", endpoint.workspace)))
        if failed is None:
            work.caller.send(work, answer)
        else:
            work.caller.refuse(work.call, failed, work.deployment)

    # -- what the cheap way leaves to this one

    def timeout_s(self, call: Call) -> float:
        """Return how long a model may take, until another answers in its place where one does."""
        after_s, timeout_s = call.endpoint.rescue.after_s, call.endpoint.timeout_s
        return timeout_s if after_s is None else min(timeout_s, after_s)

    def has_failed(self, one: One, error: AimassError) -> None:
        """Refuse a request whose model did not answer, or let another answer in its place."""
        caller, read = _general_of(one)
        try:
            asked = read(one.deployment.loaded.package)
        except Exception:  # noqa: BLE001 what cannot be read again is refused for the first reason
            self._refuse(one.call, caller, error, one.deployment)
            return
        asked.id, asked.trace = one.id.decode(), caller.trace
        work = Work(
            call=one.call,
            caller=caller,
            deployment=one.deployment,
            asked=asked,
            now=one.now,
            started=one.started,
            read_at=one.read_at,
            read=read,
        )
        self._done(work, None, error)

    def has_answered(self, one: One, outputs: Callable[[], dict[str, Any]], seconds: float) -> None:
        """Give the shadow a copy of a request, if it gets one."""
        if self._is_shadowed(one.call.endpoint):
            given = Given(outputs=outputs(), seconds=seconds)
            self._shadow(one.call, one.deployment, asked_again(one), one.now, given)

    # -- answers in chunks

    def _tell(self, work: Work, runtime: IsolatedRuntime, timeout_s: float, done: End) -> None:
        """Let a model answer in chunks; ``done`` hears of an answer that is wanted whole."""
        leave = self._under_way.enter(work.call.endpoint, work.asked.size)
        if leave is None:
            done(work, None, self._under_way.refused(work.call.endpoint))
            return
        teller = Teller(work, done, self._told, leave, self._host.metrics)
        teller.begin(runtime.stream(work.asked.decoded.values, work.asked.parameters, timeout_s, teller))

    def _told(self, work: Work, outputs: dict[str, Any] | None, error: AimassError | None) -> None:
        """Record an answer whose chunks were sent already, and send its end."""
        self._record(work, outputs, 200 if error is None else error.status)
        if error is None:
            self._count(work, perf_counter(), 0)
        else:
            if not isinstance(error, ClientGone):
                work.deployment.tally.fail(perf_counter() - work.started)
            self._count_refused(work.call, work.caller, error, work.deployment, work.started)
        if work.caller.chunks is not None:
            work.caller.chunks.ended(work, error)

    # -- another answers in its place

    def _rescue(self, work: Work, error: AimassError) -> bool:
        """Let the fallback, or the static answer, take a request over; tell whether one does."""
        endpoint, trouble = work.call.endpoint, trouble_of(error)
        if trouble not in endpoint.rescue.on or work.call.version:
            return False
        fallback = endpoint.fallback
        if fallback is not None and fallback.id != work.deployment.id and not work.rescue and fallback.is_ready:
            try:
                asked = work.asked if work.read is None else work.read(fallback.loaded.package)
            except Exception:  # noqa: BLE001 the fallback takes other inputs: it cannot answer this request
                return self._static(work, trouble)
            asked.id, asked.trace = work.asked.id, work.asked.trace
            self._took_over(work, trouble, fallback.name)
            self._run(self._instead(work, fallback, asked, trouble), self._done)
            return True
        return self._static(work, trouble)

    def _static(self, work: Work, trouble: str) -> bool:
        """Give the static answer, where there is one for what was asked."""
        if work.call.endpoint.static is None:
            return False
        answer, stands_for = work.call.endpoint.static
        if work.deployment is stands_for or not answer.has([want.name for want in work.asked.wanted]):
            return False
        self._took_over(work, trouble, stands_for.name)
        self._done(self._instead(work, stands_for, work.asked, trouble), answer.outputs(work.asked.decoded.rows), None)
        return True

    def _took_over(self, work: Work, trouble: str, to: str) -> None:
        """Count a request under the revision that failed; how long it took counts for that one too."""
        endpoint, failed = work.call.endpoint, work.deployment
        labels = (("endpoint", endpoint.name), ("reason", trouble), ("revision", failed.revision), ("to", to))
        self._host.metrics.count("gateway_fallback", (*labels, ("workspace", endpoint.workspace)))
        failed.latency.observe(perf_counter() - work.started)

    def _instead(self, work: Work, deployment: Deployment, asked: Asked, trouble: str) -> Work:
        now = perf_counter()
        return Work(
            call=work.call,
            caller=work.caller,
            deployment=deployment,
            asked=asked,
            now=work.now,
            started=now,
            read_at=now,
            rescue=f"{work.deployment.name}: {trouble}" if not work.rescue else f"{work.rescue}, then {trouble}",
        )

    def _count(self, work: Work, ran_at: float, size: int) -> None:
        endpoint, deployment, metrics = work.call.endpoint, work.deployment, self._host.metrics
        metrics.count(*deployment.count_key(endpoint.workspace, endpoint.name, work.call.key.consumer, 200))
        done_at = perf_counter()
        deployment.latency.observe(done_at - work.started)
        if done_at - work.started >= self._host.slow.after_s:
            self._host.slow.answered(work, ran_at, size)
        seconds = (work.read_at - work.started, ran_at - work.read_at, done_at - ran_at)
        deployment.tally.add(work.asked.decoded.rows, seconds, 0.0, work.now)
        for column in work.asked.decoded.unseen:
            labels = (("column", column), ("endpoint", endpoint.name), ("workspace", endpoint.workspace))
            metrics.count("gateway_unseen", labels)

    def _record(self, work: Work, outputs: dict[str, Any] | None, status: int) -> None:
        endpoint, decoded, package = work.call.endpoint, work.asked.decoded, work.deployment.loaded.package
        if endpoint.sample < 1.0 and self._share() >= endpoint.sample:
            return
        self._host.records.put(
            {
                "id": work.id,
                "trace": work.asked.trace[:ID_BYTES].decode(),
                "t": work.now,
                **orjson.loads(b"{%b}" % work.deployment.record_head),
                "consumer": work.call.key.consumer,
                "status": status,
                "latency_us": int((perf_counter() - work.started) * 1e6),
                "rows": decoded.rows,
                "inputs": kept_inputs(package, decoded.values) if endpoint.payload else None,
                "outputs": kept_outputs(package, outputs) if endpoint.payload and outputs is not None else None,
                "unseen": decoded.unseen,
                **({"fallback": work.rescue} if work.rescue else {}),
            }
        )

    def _refuse(
        self,
        call: Call,
        caller: Caller,
        error: AimassError,
        deployment: Deployment | None = None,
        began: float | None = None,
    ) -> None:
        self._count_refused(call, caller, error, deployment, began)
        caller.refuse(call, error, deployment)

    def _count_refused(
        self, call: Call, caller: Caller, error: AimassError, deployment: Deployment | None, began: float | None
    ) -> None:
        """Count a request that failed; ``began`` is when it was read, where it came so far."""
        endpoint = call.endpoint
        labels = (("code", str(error.status)), ("consumer", call.key.consumer), ("endpoint", endpoint.name))
        revision = deployment.revision if deployment is not None else ""
        labels = (*labels, ("revision", revision), ("workspace", endpoint.workspace))
        self._host.metrics.count("gateway_requests", labels)
        if error.status >= SERVER_ERROR:
            since = perf_counter() if began is None else began
            self._host.slow.failed(call, caller.trace, error, deployment, since)
        if isinstance(error, RateLimited):
            self._host.metrics.count_limited(error.reason, ("endpoint", endpoint.name), endpoint.workspace)

    # -- shadows

    def _is_shadowed(self, endpoint: Endpoint) -> bool:
        """Tell whether the shadow gets a copy of this request."""
        return endpoint.shadow_share >= 1.0 or self._share() < endpoint.shadow_share

    def _shadow(self, call: Call, answered: Deployment, asked: Asked, now: float, given: Given) -> None:
        self._host.later(lambda: self._run_shadow(call, answered, asked, now, given))

    def _run_shadow(self, call: Call, answered: Deployment, asked: Asked, now: float, given: Given) -> None:
        shadow = call.endpoint.shadow
        if shadow is None:
            return
        started = perf_counter()
        work = Work(
            call=call,
            caller=_NOBODY,
            deployment=shadow,
            asked=asked,
            now=now,
            started=started,
            read_at=started,
        )

        def done(work: Work, outputs: dict[str, Any] | None, error: AimassError | None) -> None:
            seconds = perf_counter() - started
            shadow.latency.observe(seconds)
            stats = answered.stats.get(shadow.revision) or self._stats(call.endpoint, answered, shadow)
            stats.compare(given, asked.decoded.rows, outputs if error is None else None, seconds)
            self._record(work, outputs, 200 if error is None else error.status)

        self._run(work, done)

    def _stats(self, endpoint: Endpoint, answered: Deployment, shadow: Deployment) -> ShadowStats:
        labels = (("endpoint", endpoint.name), ("revision", answered.revision), ("shadow", shadow.revision))
        stats = ShadowStats.of(self._host.metrics, (*labels, ("workspace", endpoint.workspace)))
        answered.stats[shadow.revision] = stats
        return stats


def _reader(call: Call, body: bytes) -> Read:
    """Return what reads a body when its deployment is known."""

    def read(package: Package) -> Asked:
        asked = call.dialect.read(call, body, package)
        asked.size = len(body)
        return asked

    return read


def _general_of(one: One) -> tuple[Caller, Read]:
    """Return who gets the answer to a request for one row and what reads it, as the general path knows them."""
    source = one.source
    if isinstance(source, Connection):
        return OverHttp(source), _reader(one.call, one.body)
    return source.caller, source.read


def _caller(connection: Connection, call: Call) -> OverHttp | OverEvents:
    return OverEvents(connection, is_old=call.is_old) if call.is_streamed else OverHttp(connection)


def _unexpected(call: Call) -> WorkerFailed:
    """Log what should not have happened, and say that the request failed."""
    _LOG.exception("an inference request on %r failed", call.endpoint.name)
    return WorkerFailed("the model failed on this request")
