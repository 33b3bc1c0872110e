"""One gateway worker: its connections, and the end of each turn of the loop, where records go before replies."""

from __future__ import annotations

import asyncio
import logging
import math
import resource
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Protocol

from aimass.gateway.plane.access_log import access_log
from aimass.gateway.plane.calls import Call
from aimass.gateway.plane.connection import Connection
from aimass.gateway.plane.crowd import Crowd
from aimass.gateway.plane.dialects import speak
from aimass.gateway.plane.entrance import Entrance
from aimass.gateway.plane.errors import BadRequest, MethodNotAllowed, NotReady, Overloaded
from aimass.gateway.plane.http import RequestHead, dump, error_reply, reply
from aimass.gateway.plane.inference import Inference
from aimass.gateway.plane.limits import Budget, Limits
from aimass.gateway.plane.metrics import Metrics, Sample, text_of
from aimass.gateway.plane.moments import wall
from aimass.gateway.plane.passthrough import Relay
from aimass.gateway.plane.proxy.door import SEGMENT, Proxy
from aimass.gateway.plane.proxy.shown import of_cache, of_services
from aimass.gateway.plane.records import SafeSegments, flush_series
from aimass.gateway.plane.repository import Repository
from aimass.gateway.plane.shelf import Shelf
from aimass.gateway.plane.shown import of_deployments, of_replicas, read_report
from aimass.gateway.plane.siblings import KIND, OWN, OfAll
from aimass.gateway.plane.sink import Sink
from aimass.gateway.plane.sinks import Answer, Drop
from aimass.gateway.plane.slow import SlowLog
from aimass.gateway.plane.snapshot import Snapshot
from aimass.gateway.plane.trust import Trust
from aimass.gateway.plane.upstream import Control
from aimass.gateway.settings import GatewaySettings
from aimass.infra.segments import sync
from aimass.kernel.errors import AimassError
from aimass.kernel.layout import DataDir

_LOG = logging.getLogger(__name__)
_MAX_SHADOWS = 1000
_OTHER_FILES = 200
_SWEEP_S = 0.5
_LOCAL = frozenset({b"/metrics", b"/healthz"})


class Writer(Protocol):
    """Whoever has something to say at the end of a turn."""

    def written(self) -> None:
        """Say it."""
        ...


class Door(Protocol):
    """Whoever answers below a first part of an address."""

    def open(self, connection: Connection, head: RequestHead, raw: bytes) -> Sink:
        """Decide who answers a request; raises what refuses it."""
        ...

    def refuse(self, error: AimassError) -> bytes:
        """Return the body of a refusal."""
        ...


class _Forgetful(dict[bytes, Call]):
    """Remembers nothing."""

    def __setitem__(self, head: bytes, call: Call) -> None:
        """Let it pass."""


class Worker:
    """Everything that one gateway process holds."""

    def __init__(self, settings: GatewaySettings, loop: asyncio.AbstractEventLoop) -> None:
        self.settings = settings
        self.loop = loop
        self.limits = _limits(settings)
        self.budget = Budget(settings.max_buffered_bytes)
        self.now = loop.time()
        self.is_draining = False
        self.turn_ends = math.inf
        self.snapshot = Snapshot()
        self.calls: dict[bytes, Call] = {}
        self.metrics = Metrics()
        self.access = access_log(settings, self.metrics)
        self.slow = SlowLog(settings, self.metrics)
        self.shelf = Shelf(settings.max_model_bytes, settings.max_load_wait_s, loop, self.metrics)
        self.control = Control(str(DataDir(settings.data_dir).socket("control.sock")), settings.upstream_idle_s)
        self.records = self._segments("records", "inference records")
        self.series = self._segments("series", "series")
        self.connections = Crowd(room_for(settings), settings.max_connections_per_address)
        self.admit, self.leave = self.connections.admit, self.connections.leave
        self.look: Callable[[], Awaitable[None]] = _nothing_to_see
        self.entrance = Entrance(self, Repository(self))
        self.proxy = Proxy(self)
        self._trust = Trust(settings.trusted())
        self._dialects: dict[bytes, Door] = {**speak(self.entrance), SEGMENT: self.proxy}
        self._inference = Inference(self)
        self.infer, self.ask = self._inference.answer, self._inference.ask
        self._dirty: list[Writer] = []
        self._shadows: deque[Callable[[], None]] = deque()
        self._is_running_shadows = False

    @property
    def gateway_folder(self) -> Path:
        """Where the files lie that all workers follow."""
        return DataDir(self.settings.data_dir).gateway

    def _segments(self, name: str, what: str) -> SafeSegments:
        settings = self.settings
        folder = settings.data_dir / name / str(settings.worker)
        return SafeSegments(folder, what, max_bytes=settings.segment_bytes, max_age_s=settings.segment_age_s)

    # -- connections

    def open(self, connection: Connection, head: RequestHead, raw: bytes) -> Sink:
        """Decide who answers a request; a refusal is an answer too."""
        self._trust.look(connection, head)
        try:
            return self._route(connection, head, raw)
        except AimassError as error:
            return self._refuse(connection, head, error)

    def _route(self, connection: Connection, head: RequestHead, raw: bytes) -> Sink:
        path = head.path
        if head.method == b"CONNECT":
            raise MethodNotAllowed("this is no forward proxy", value="CONNECT")
        if self.proxy.table.has_hosts and self.proxy.table.at_host(head) is not None:
            return self._spoken(self.proxy, connection, head, raw)
        dialect = self._dialects.get(path.split(b"/", 2)[1] if path[:1] == b"/" else b"")
        if dialect is not None:
            return self._spoken(dialect, connection, head, raw)
        if path in _LOCAL:
            return self._local(connection, head)
        if path == b"/readyz" and not self.snapshot.version:
            raise NotReady("no snapshot has been applied yet")
        if path == b"*":
            raise BadRequest("'*' is not served here")
        if self.control.in_use >= self.settings.max_passthrough:
            raise Overloaded(
                "control has as many requests under way as it may", allowed=f"at most {self.settings.max_passthrough}"
            )
        return Relay(self, connection, head)

    def _spoken(self, dialect: Door, connection: Connection, head: RequestHead, raw: bytes) -> Sink:
        """Let a dialect decide who answers; it writes its own errors."""
        try:
            return dialect.open(connection, head, raw)
        except AimassError as error:
            return self._refuse(connection, head, error, dialect.refuse(error))

    def _refuse(self, connection: Connection, head: RequestHead, error: AimassError, body: bytes = b"") -> Sink:
        """Answer with an error; the body is read and dropped, and a long one ends the connection."""
        is_short = head.length is not None and head.length <= self.settings.max_refused_bytes
        connection.keep = connection.keep and not head.expects and (not head.has_body or is_short)
        self.metrics.count("gateway_refused", (("code", str(error.status)),))
        answer = error_reply(error, body=body, keep=connection.keep)
        if not head.has_body:
            return Answer(connection, answer)
        connection.reply(answer)
        connection.finish()
        return Drop()

    def _local(self, connection: Connection, head: RequestHead) -> Sink:
        if head.method not in (b"GET", b"HEAD"):
            raise MethodNotAllowed(value=head.method.decode("latin-1"), allowed=["GET", "HEAD"])
        if head.path == b"/metrics":
            return self._metrics(connection, head)
        body = {"status": "ok", "role": "gateway", "worker": self.settings.worker, "snapshot": self.snapshot.version}
        return Answer(connection, reply(200, dump(body), keep=connection.keep))

    def _metrics(self, connection: Connection, head: RequestHead) -> Sink:
        """Answer for all workers of the port; each series says whose it is, since each counts from its own start."""
        settings = self.settings
        whose = (("worker", str(settings.worker)),) if settings.workers > 1 else ()
        services = [*of_services(self.proxy.table, self.loop.time()), *of_cache(self.proxy.cache)]
        told = self.metrics.text([*self._now(), *of_deployments(self.snapshot), *services], whose)
        if head.query != OWN:
            told += text_of(of_replicas(self.snapshot, read_report(settings.data_dir)))
        if head.query == OWN or settings.workers == 1:
            return Answer(connection, reply(200, told.encode(), kind=KIND, keep=connection.keep))
        return OfAll(connection, settings, told)

    def _now(self) -> Iterator[Sample]:
        yield Sample("gateway_connections", len(self.connections))
        yield Sample("gateway_buffered_bytes", self.budget.held)
        yield Sample("gateway_passthrough_in_use", self.control.in_use)
        yield Sample("gateway_snapshot_version", self.snapshot.version)
        yield Sample("gateway_deployments_loaded", len(self.snapshot.loaded))
        yield Sample("gateway_deployments_failed", len(self.snapshot.errors))
        yield Sample("gateway_models_in_memory", self.shelf.count)
        yield Sample("gateway_model_bytes", self.shelf.size)
        yield Sample("gateway_model_bytes_limit", self.shelf.most_bytes)

    # -- the end of a turn

    def will_write(self, writer: Writer) -> None:
        """Let somebody write what he has to say at the end of this turn, after the records."""
        if not self._dirty:
            self.loop.call_soon(self._end_turn)
            self.turn_ends = wall() + self.settings.max_wait_s
        self._dirty.append(writer)

    def write_now(self, connection: Connection) -> None:
        """Write what a client has to hear already in this turn, after the records."""
        self._write_records()
        connection.written()

    def _end_turn(self) -> None:
        self.turn_ends = math.inf
        self._write_records()
        dirty, self._dirty = self._dirty, []
        for writer in dirty:
            writer.written()
        if self._shadows and not self._is_running_shadows:
            self._is_running_shadows = True
            self.loop.call_soon(self._next_shadow)

    def _write_records(self) -> None:
        records = self.records
        if records.pending:
            lost = records.lost
            records.flush()
            if records.lost != lost:
                self.metrics.count("gateway_records_lost", (), records.lost - lost)

    def later(self, shadow: Callable[[], None]) -> None:
        """Do this after the replies of the turn have left."""
        if len(self._shadows) >= _MAX_SHADOWS:
            self.metrics.count("gateway_shadow_dropped", ())
        else:
            self._shadows.append(shadow)

    def _next_shadow(self) -> None:
        try:
            self._shadows.popleft()()
        except Exception:  # noqa: BLE001 one shadow must never end those of others; the log has the trace
            _LOG.exception("a shadow failed")
        self._write_records()
        if self._shadows:
            self.loop.call_soon(self._next_shadow)
        else:
            self._is_running_shadows = False

    # -- housekeeping

    def apply(self, snapshot: Snapshot) -> None:
        """Serve by this snapshot from now on."""
        self.snapshot = snapshot
        self.forget_calls()
        self.control.use(snapshot.control_socket)

    async def sweep(self) -> None:
        """Look at time limits, twice a second or more often when they are short."""
        limits = self.limits
        pause = min(_SWEEP_S, min(limits.head_s, limits.body_s, limits.idle_s, limits.write_s) / 5)
        while True:
            await asyncio.sleep(pause)
            now = self.loop.time()
            missed, self.now = now - self.now - pause, now
            if missed > pause:
                self.connections.wait_for_us(missed)
            for connection in self.connections.late(now):
                connection.timed_out()
            self.control.sweep(now)
            self.proxy.sweep(now)
            self._write_records()
            if self.access is not None:
                self.access.flush(self.loop)

    async def sync(self) -> None:
        """Bring records to the disk and close old segments."""
        while True:
            await asyncio.sleep(self.settings.sync_s)
            self.records.rotate_if_due()
            self.series.rotate_if_due()
            self.slow.segments.rotate_if_due()
            descriptors = self.records.unsynced() + self.series.unsynced() + self.slow.segments.unsynced()
            if descriptors:
                try:
                    await self.loop.run_in_executor(None, sync, descriptors)
                except OSError as reason:
                    _LOG.warning("cannot bring records to the disk: %s", reason)

    async def flush_series(self) -> None:
        """Write series, and what was slow, each so many seconds."""
        while True:
            await asyncio.sleep(self.settings.series_flush_s)
            flush_series(self.series, self.metrics, wall())
            self.slow.flush()

    def forget_calls(self) -> None:
        """Understand every head anew; while draining always, since each answer has to say that the connection ends."""
        self.calls = _Forgetful() if self.is_draining else {}

    def close(self) -> None:
        """Write everything that is left."""
        self.control.close()
        self.proxy.close()
        self.shelf.close()
        flush_series(self.series, self.metrics, wall())
        self.records.close()
        self.series.close()
        self.slow.close()
        if self.access is not None:
            self.access.close()


def _limits(settings: GatewaySettings) -> Limits:
    return Limits(
        head_bytes=settings.max_head_bytes,
        target_bytes=settings.max_target_bytes,
        headers=settings.max_headers,
        head_s=settings.head_timeout_s,
        body_s=settings.body_timeout_s,
        idle_s=settings.idle_timeout_s,
        write_s=settings.write_timeout_s,
        bytes_per_s=settings.min_bytes_per_s,
    )


def room_for(settings: GatewaySettings) -> int:
    """Return how many connections there may be: as many as asked for, or as the system gives file descriptors for."""
    needed = settings.max_connections + settings.max_passthrough + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    given = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if soft != resource.RLIM_INFINITY and soft < given:
        resource.setrlimit(resource.RLIMIT_NOFILE, (given, hard))
    room = min(settings.max_connections, max(given - settings.max_passthrough - _OTHER_FILES, given // 2))
    if room < settings.max_connections:
        _LOG.warning(
            "room for %d connections instead of %d: raise the limit of open files (ulimit -n)",
            room,
            settings.max_connections,
        )
    return room


async def _nothing_to_see() -> None:
    """Stand in for the watcher until there is one."""
