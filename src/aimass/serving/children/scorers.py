"""What answers chunks: a graph in this process, or model workers of their own behind a socket, as serving runs them."""

from __future__ import annotations

import os
import queue
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import polars as pl

from aimass.infra.compute import find_groups
from aimass.infra.frames import FrameReader, Message, encode_frame, pack
from aimass.kernel.errors import Failed, Unavailable
from aimass.models import Package, find_runtime, load_model, runtime_module
from aimass.serving.children.feeds import Fed, Feeder
from aimass.serving.children.shortplace import short_place
from aimass.serving.domain.placing import IsolationWish
from aimass.serving.domain.things import Resources
from aimass.serving.workers.cell import Cell
from aimass.serving.workers.keeping import Keepings
from aimass.serving.workers.wishes import Wish

CHUNK_ROWS = 4_000
_START_S, _ANSWER_S, _LOOK_S, _WATCH_S = 60.0, 600.0, 0.02, 0.5
_END_S = 5.0
_READ_BYTES = 1 << 20


class Scorer(Protocol):
    """Answers one chunk; called from as many threads as the job has slots."""

    chunk_rows: int

    def answer(self, frame: pl.DataFrame, start: int) -> tuple[Fed, dict[str, Any]]:
        """Return what was fed, and arrays by output."""
        ...


class InlineScorer:
    """A package that only describes a computation."""

    chunk_rows = 20_000

    def __init__(self, package: Package, feeder: Feeder) -> None:
        self._model: Any = load_model(package, threads=1)
        self._feeder = feeder
        self.chunk_rows = feeder.rows_at_once(type(self).chunk_rows)

    def answer(self, frame: pl.DataFrame, start: int) -> tuple[Fed, dict[str, Any]]:
        """Answer in this process; the session takes several threads at once."""
        fed = self._feeder.arrays(frame, start)
        return fed, self._model.answer(fed.values)


class WorkerScorer:
    """A package that runs code: as many model workers as slots, each with the limits that serving gives it."""

    chunk_rows = CHUNK_ROWS

    def __init__(self, workers: list[_Worker], feeder: Feeder) -> None:
        self._feeder = feeder
        self.chunk_rows = feeder.rows_at_once(type(self).chunk_rows)
        self._free: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        for worker in workers:
            self._free.put(worker)

    def answer(self, frame: pl.DataFrame, start: int) -> tuple[Fed, dict[str, Any]]:
        """Let the next free worker answer."""
        fed = self._feeder.lists(frame, start)
        worker = self._free.get()
        try:
            outputs = worker.ask(fed.values, start)
        finally:
            self._free.put(worker)
        return fed, {name: np.asarray(values, dtype=object) for name, values in outputs.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Staff:
    """What model workers of a job may use, and how they are kept; as those of a deployment.

    Attributes
    ----------
    hide
        Folders that they must not see.
    environment
        The folder of the package's own environment; empty for the platform's.
    """

    memory_bytes: int = Resources().memory_bytes
    threads: int = 1
    cpus: float | None = None
    isolation: IsolationWish = "auto"
    network: bool = False
    device: str = "auto"
    hide: tuple[Path, ...] = ()
    environment: str = ""


@dataclass(slots=True)
class _Worker:
    cell: Cell
    stream: socket.socket
    reader: FrameReader
    memory_bytes: int

    def ask(self, values: dict[str, Any], start: int) -> dict[str, Any]:
        """Send one chunk and wait for its answer, with an eye on the memory of the worker."""
        end = time.monotonic() + _ANSWER_S
        try:
            self.stream.settimeout(_ANSWER_S)
            self.stream.sendall(encode_frame({"id": start, "timeout_s": _ANSWER_S}, pack(values)))
            self.stream.settimeout(_WATCH_S)
            while time.monotonic() < end:
                for message in self.reader.feed(self._heard(start)):
                    if isinstance(message, Message) and message.head.get("id") == start:
                        return _outputs(message, start)
        except OSError as reason:
            raise self._failed(start, self._how_it_ended()) from reason
        raise self._failed(start, f"it did not answer within {_ANSWER_S:g} s")

    def _heard(self, start: int) -> bytes:
        """Return what has come within a moment; nothing, when it goes on working."""
        try:
            data = self.stream.recv(_READ_BYTES)
        except TimeoutError:
            self._watch(start)
            return b""
        if not data:
            raise ConnectionResetError
        return data

    def _watch(self, start: int) -> None:
        """End a worker that takes more memory than it may, where the kernel does not."""
        if self.cell.resident_bytes() > self.memory_bytes:
            self.cell.kill()
            self.cell.process.wait()
            raise self._failed(start, f"it used more than {self.memory_bytes} bytes of memory")

    def _how_it_ended(self) -> str:
        end = time.monotonic() + _END_S
        while not self.cell.has_ended() and time.monotonic() < end:
            time.sleep(_LOOK_S)
        return self.cell.how_it_ended() if self.cell.has_ended() else last_words(self.cell.log)

    def _failed(self, start: int, why: str) -> Failed:
        return Failed(f"the model worker ended at the rows from {start} on: {why}", hint="look into the log of the job")


def _outputs(message: Message, start: int) -> dict[str, Any]:
    if "error" in message.head:
        raise Failed(f"the model failed on the rows from {start} on: {message.head['error']}")
    return {
        name: values.tolist() if isinstance(values, np.ndarray) else values for name, values in message.columns.items()
    }


@contextmanager
def scorer_of(
    package: Package, feeder: Feeder, slots: int, staff: Staff, log: Callable[[str], None]
) -> Iterator[Scorer]:
    """Load what answers; model workers end with the block, and with this process."""
    if find_runtime(package.manifest.runtime).is_inline:
        yield InlineScorer(package, feeder)
        return
    keepings = Keepings(hide=staff.hide, groups=find_groups(tidy=False))
    with short_place() as folder, ExitStack() as stack:
        started: list[Cell] = []
        for number in range(slots):
            started.append(_start(package, folder, number, (staff, keepings)))
            stack.callback(_end, started[-1])
        kept = started[0].keeping
        log(f"model workers: {len(started)}, kept as {kept.isolation}, limits: {kept.limits}")
        workers = [_reach(cell, staff.memory_bytes) for cell in started]
        for worker in workers:
            stack.callback(worker.stream.close)
        yield WorkerScorer(workers, feeder)


def _start(package: Package, folder: Path, number: int, kept: tuple[Staff, Keepings]) -> Cell:
    staff, keepings = kept
    wish = Wish(
        revision=f"s{number}",
        package=str(package.folder),
        module=runtime_module(package.manifest.runtime),
        memory_bytes=staff.memory_bytes,
        threads=staff.threads,
        lanes=1,
        max_rows=CHUNK_ROWS,
        isolation=staff.isolation,
        network=staff.network,
        cpus=staff.cpus,
        device=staff.device,
    )
    kind = wish.kind(staff.environment)
    keeping = keepings.of(kind, secrets.token_hex(5))
    cell = Cell(folder / str(number), folder / f"{number}.start.log", kind, keeping)
    cell.assign(wish, folder / f"{number}.log")
    return cell


def _reach(cell: Cell, memory_bytes: int) -> _Worker:
    """Connect to a worker as soon as it answers."""
    end = time.monotonic() + _START_S
    while not cell.has_ended() and time.monotonic() < end:
        if cell.ready() is None:
            time.sleep(_LOOK_S)
            continue
        stream = socket.socket(socket.AF_UNIX)
        stream.connect(os.fspath(cell.io / "s"))
        return _Worker(cell, stream, FrameReader(), memory_bytes)
    why = cell.how_it_ended() if cell.has_ended() else last_words(cell.log)
    raise Unavailable(f"the model worker does not start: {why}")


def _end(cell: Cell) -> None:
    cell.kill()
    cell.tidy(keep_log=True)


def last_words(log: Path) -> str:
    """Return the last line of a log."""
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1][:500] if lines else "it said nothing"
