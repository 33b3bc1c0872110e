"""The isolated runtime: worker processes behind Unix sockets, many requests at once on each connection.

Requests wait here, not in the workers, so that whoever is free takes the next one. When a worker dies, the request that
it was running alone is the one that fails; others that shared its batch run again, each alone, and those that it had
not begun are sent again as if nothing had happened.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

from aimass.gateway.plane.encode import as_arrays
from aimass.gateway.plane.errors import InvalidJson, Loading, WorkerBusy, WorkerFailed, WorkerGone, WorkerSlow
from aimass.gateway.plane.package import PLATFORMS, Package
from aimass.gateway.plane.runtimes.port import Done
from aimass.gateway.plane.runtimes.reader import RowReader
from aimass.gateway.plane.runtimes.replica import Fallen, Pending, Replica
from aimass.gateway.plane.runtimes.single import remote_row
from aimass.gateway.plane.runtimes.streaming import ROOM, Queue, Reader, Stream, look_at
from aimass.infra.frames import Message, Packed, Row, encode_frame, pack
from aimass.kernel.errors import AimassError

_LOG = logging.getLogger(__name__)
_LOOK_S = 0.05
_GRACE_S = 10.0
_MOST_SENDS = 4
_MOST_COLD = 200
_COLD_S = 30.0
_GONE = "the worker of this model is not running"
_AGAIN = "try again in a few seconds"


RowDone = Callable[[bytes | None, AimassError | None], None]


def _silent(*_: float) -> None:
    """Tell nobody."""


class IsolatedRuntime:
    """All workers of one revision.

    Attributes
    ----------
    is_on_demand
        Whether the first worker is started when somebody asks, so that requests wait for it.
    alarm
        Called when a request waits and no worker is there.
    awake
        Called when the first worker is there, with the seconds since somebody asked for it.
    """

    single = None
    used_at = 0.0

    def __init__(self, paths: Sequence[str], package: Package) -> None:
        self.platform = PLATFORMS.get(package.runtime, f"aimass_{package.runtime}")
        self._signature = package.signature["outputs"]
        self._replicas = {path: Replica(path, self, self._now, self._signature) for path in paths}
        self._leaving: list[Replica] = []
        self.is_on_demand = False
        self.alarm: Callable[[], None] = _silent
        self.awake: Callable[[float], None] = _silent
        self._asked_at: float | None = None
        self.asked = 0
        self._waiting: deque[Pending] = deque()
        self._streams = Queue(lambda: list(self._replicas.values()))
        self._ids = count(random.SystemRandom().getrandbits(22) << 40)
        self._is_looking = False
        self._is_closed = False
        self._lost_at = float("-inf")
        self.reader, self._format = remote_row(package) or (None, "")
        self.remote: RowReader | None = None

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    def use(self, paths: Sequence[str], *, is_on_demand: bool) -> None:
        """Send requests to these workers from now on; others finish what they have."""
        self.is_on_demand = is_on_demand
        for path in paths:
            if path not in self._replicas:
                self._replicas[path] = Replica(path, self, self._now, self._signature)
        for path in [path for path in self._replicas if path not in paths]:
            replica = self._replicas.pop(path)
            replica.leave()
            if replica.sent or replica.streams:
                self._leaving.append(replica)

    @property
    def is_ready(self) -> bool:
        """Tell whether a request can be answered: by a worker that is there, or one that starts when it is asked for."""
        return self.is_on_demand or self.is_there

    @property
    def is_there(self) -> bool:
        """Tell whether a worker is there."""
        return any(replica.is_ready for replica in self._replicas.values())

    @property
    def count(self) -> int:
        """Return how many workers are there."""
        return sum(replica.is_ready for replica in self._replicas.values())

    def load(self) -> dict[str, Any]:
        """Return what is under way in each worker by its address, what waits, and how often it was asked."""
        under_way = {path: len(replica.sent) + len(replica.streams) for path, replica in self._replicas.items()}
        return {"workers": under_way, "waiting": len(self._waiting) + len(self._streams), "asked": self.asked}

    async def connect(self) -> None:
        """Try to reach the workers that are not reached yet; called again and again by the watcher."""
        for replica in list(self._replicas.values()):
            await replica.connect()

    def start(self, values: dict[str, Any], rows: int, timeout_s: float, done: Done) -> None:
        """Send a request to the worker with the least under way, or let it wait for one that is free."""
        if self._may_wait(self._now()):
            packed = pack(values)
            self._ask(packed, rows, packed.size, timeout_s, done)
        else:
            done(None, _gone())

    def start_row(self, memory: bytes, timeout_s: float, done: RowDone) -> None:
        """Send one row as :attr:`remote` reads it; ``done`` gets the number of the label and the probabilities."""
        if self._may_wait(self._now()):
            self._ask(memory, 1, len(memory), timeout_s, done)
        else:
            done(None, _gone())

    def _ask(self, content: Packed | bytes, rows: int, size: int, timeout_s: float, done: RowDone | Done) -> None:
        now = self._now()
        is_cold = self.is_on_demand and not self.is_there
        if is_cold and len(self._waiting) >= _MOST_COLD:
            busy = WorkerBusy(
                "as many requests as may wait for a worker of this model that is being started", hint=_AGAIN
            )
            done(None, busy)
            return
        self.asked += 1
        deadline = now + (min(timeout_s, _COLD_S) if is_cold else timeout_s)
        self._waiting.append(
            Pending(id=next(self._ids), content=content, rows=rows, size=size, deadline=deadline, done=done)
        )
        self._pump()
        self._look_later()
        if is_cold:
            self._wake(now)

    def stream(self, values: dict[str, Any], parameters: dict[str, Any], timeout_s: float, reader: Reader) -> Stream:
        """Begin a stream, or let it wait for a place; ``timeout_s`` holds for each chunk."""
        now = self._now()
        number = next(self._ids)
        head = {"id": number, "stream": ROOM, "parameters": parameters}
        try:
            request = encode_frame(head, pack(values))
        except TypeError as reason:
            reader.end(InvalidJson(f"the parameters cannot be handed on: {reason}", field="parameters"))
            return Stream(number, b"", reader, timeout_s, self._now)
        stream = Stream(number, request, reader, timeout_s, self._now)
        if not self._may_wait(now):
            stream.end(_gone())
        elif self._has_no_streams():
            stream.end(WorkerFailed("the signature of this model says that it streams, but it has no predict_stream"))
        else:
            self.asked += 1
            self._streams.put(stream)
            self._look_later()
            if not self.is_there:
                self._wake(now)
        return stream

    def _wake(self, now: float) -> None:
        """Tell that somebody waits and nothing runs."""
        if self.is_on_demand and self._asked_at is None:
            self._asked_at = now
        self.alarm()

    def _has_no_streams(self) -> bool:
        """Tell whether every worker that is there has said that its model knows no streams."""
        ready = [replica for replica in self._replicas.values() if replica.is_ready]
        return bool(ready) and not any(replica.facts.get("streams") for replica in ready)

    def _may_wait(self, now: float) -> bool:
        """Tell whether a worker is there, or was a moment ago, so that its successor is about to be."""
        return self.is_ready or now - self._lost_at < _GRACE_S

    def _pump(self) -> None:
        """Send what waits, as far as workers have room."""
        while self._waiting:
            free = [replica for replica in self._replicas.values() if replica.has_room()]
            if not free:
                return
            min(free, key=lambda replica: replica.rows).send(self._waiting.popleft())

    # -- what replicas say

    def reached(self, replica: Replica) -> None:
        """Send what waits."""
        del replica
        if self._asked_at is not None:
            self.awake(self._now() - self._asked_at)
            self._asked_at = None
        self._agree_on_rows()
        self._pump()
        self._streams.pump()

    def _agree_on_rows(self) -> None:
        """Read rows for the workers as long as every one of them takes them in the format that is known here."""
        ready = [replica for replica in self._replicas.values() if replica.is_ready]
        do_agree = bool(ready) and all(replica.facts.get("rows") == self._format for replica in ready)
        self.remote = self.reader if do_agree else None
        if self.remote is None:
            stranded = [pending for pending in self._waiting if isinstance(pending.content, bytes)]
            self._waiting = deque(pending for pending in self._waiting if pending not in stranded)
            for pending in stranded:
                _end(pending, None, _gone())

    def answered(self, pending: Pending, message: Message | Row) -> None:
        """Hand an answer over, and use the room that it leaves."""
        if isinstance(message, Row) and isinstance(pending.content, bytes):
            _end(pending, message.data, None)
        elif isinstance(message, Row):
            _end(pending, None, WorkerFailed("the worker's answer is not of the kind that was asked for"))
        elif "error" in message.head:
            _end(pending, None, WorkerFailed(f"the model failed: {str(message.head['error'])[:300]}"))
        elif isinstance(pending.content, bytes):
            _end(pending, None, WorkerFailed("the worker's answer is not of the kind that was asked for"))
        else:
            try:
                outputs = as_arrays(message.columns, self._signature)
            except (KeyError, TypeError, ValueError) as reason:
                failed = WorkerFailed(f"the worker's answer does not keep to the signature: {reason!r}")
                _end(pending, None, failed)
            else:
                _end(pending, outputs, None)
        if self._waiting:
            self._pump()

    def lost(self, replica: Replica, fallen: Fallen) -> None:
        """Fail what killed the worker, and let the rest run again."""
        self._lost_at = self._now()
        if self._is_closed:
            replica.leave()
        batches = fallen.batches
        if batches is None:
            batches = [[pending.id for pending in fallen.pending]]
        shared = {id_: len(batch) > 1 for batch in batches for id_ in batch}
        again = [pending for pending in fallen.pending if pending.done is not None and _may_run_again(pending, shared)]
        self._waiting.extendleft(reversed(again))
        for pending in fallen.pending:
            if pending not in again:
                _end(pending, None, WorkerGone("the worker of this model ended while it ran this request"))
        self._pump()

    # -- time

    def _look_later(self) -> None:
        if not self._is_looking:
            self._is_looking = True
            asyncio.get_running_loop().call_later(_LOOK_S, self._look)

    def _look(self) -> None:
        """Give up what nobody waits for any more."""
        self._is_looking = False
        now = self._now()
        late = [pending for pending in self._waiting if pending.deadline <= now or not self._may_wait(now)]
        if late:
            gone = set(map(id, late))
            self._waiting = deque(pending for pending in self._waiting if id(pending) not in gone)
        for pending in late:
            _end(pending, None, self._why_late(pending))
        self._leaving = [replica for replica in self._leaving if replica.sent or replica.streams]
        every = [*self._replicas.values(), *self._leaving]
        sent = [pending for replica in every for pending in replica.sent.values()]
        for pending in sent:
            if pending.done is not None and pending.deadline <= now:
                _end(pending, None, _too_late(pending))
        streams = [stream for replica in every for stream in replica.streams.values()]
        look_at(streams, now)
        self._streams.look(now, may_wait=self._may_wait(now))
        if self._waiting or sent or streams or len(self._streams):
            self._look_later()
        elif self._is_closed:
            self.close()

    def _why_late(self, pending: Pending) -> AimassError:
        if self.is_there:
            return _too_late(pending)
        return Loading("a worker of this model is still being started", hint=_AGAIN) if self.is_on_demand else _gone()

    def close(self) -> None:
        """Let the workers go; what is under way is answered first."""
        self._is_closed = True
        for replica in self._replicas.values():
            if not self._waiting:
                replica.leave()


def _gone() -> WorkerGone:
    return WorkerGone(_GONE, hint=_AGAIN)


def _may_run_again(pending: Pending, shared: dict[int, bool]) -> bool:
    """Tell whether a request of a dead worker runs again; one that shared a batch does so alone."""
    if pending.sends >= _MOST_SENDS:
        return False
    if pending.id not in shared:
        return True
    pending.is_alone = True
    return shared[pending.id]


def _too_late(pending: Pending) -> AimassError:
    state = "did not answer" if pending.sends else "had no time for this request"
    return WorkerSlow(
        f"the model {state} within its time limit", hint="raise timeout_s of the endpoint, or add replicas"
    )


def _end(pending: Pending, outputs: Any, error: AimassError | None) -> None:
    done, pending.done = pending.done, None
    if done is not None:
        done(outputs, error)
