"""What answers chunks: a graph in this process, or model workers of their own behind a socket, as serving runs them."""

from __future__ import annotations

import os
import queue
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import polars as pl

from aimass.infra.frames import FrameReader, Message, encode_frame, pack
from aimass.kernel.errors import Failed, Unavailable
from aimass.models import Package, find_runtime, load_model, runtime_module
from aimass.serving.children.feeds import Fed, Feeder
from aimass.serving.workers.cell import Cell
from aimass.serving.workers.keeping import Keeping
from aimass.serving.workers.wishes import Wish

MEMORY_BYTES = 4 * 1024**3
CHUNK_ROWS = 4_000
_START_S, _ANSWER_S, _LOOK_S = 60.0, 600.0, 0.02
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

    def answer(self, frame: pl.DataFrame, start: int) -> tuple[Fed, dict[str, Any]]:
        """Answer in this process; the session takes several threads at once."""
        fed = self._feeder.arrays(frame, start)
        return fed, self._model.answer(fed.values)


class WorkerScorer:
    """A package that runs code: as many model workers as slots, each with the limits that serving gives it."""

    chunk_rows = CHUNK_ROWS

    def __init__(self, workers: list[_Worker], feeder: Feeder) -> None:
        self._feeder = feeder
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


@dataclass(slots=True)
class _Worker:
    cell: Cell
    stream: socket.socket
    reader: FrameReader

    def ask(self, values: dict[str, Any], start: int) -> dict[str, Any]:
        """Send one chunk and wait for its answer."""
        try:
            self.stream.sendall(encode_frame({"id": start, "timeout_s": _ANSWER_S}, pack(values)))
            while True:
                data = self.stream.recv(_READ_BYTES)
                if not data:
                    raise ConnectionResetError
                for message in self.reader.feed(data):
                    if isinstance(message, Message) and message.head.get("id") == start:
                        return _outputs(message, start)
        except OSError as reason:
            raise Failed(
                f"the model worker ended at the rows from {start} on: {last_words(self.cell.log)}",
                hint="look into the log of the job",
            ) from reason


def _outputs(message: Message, start: int) -> dict[str, Any]:
    if "error" in message.head:
        raise Failed(f"the model failed on the rows from {start} on: {message.head['error']}")
    return {
        name: values.tolist() if isinstance(values, np.ndarray) else values for name, values in message.columns.items()
    }


@contextmanager
def scorer_of(package: Package, feeder: Feeder, slots: int, environment: str) -> Iterator[Scorer]:
    """Load what answers; model workers end with the block, and with this process.

    ``environment`` is the folder of the package's own environment; empty for the platform's.
    """
    if find_runtime(package.manifest.runtime).is_inline:
        yield InlineScorer(package, feeder)
        return
    with tempfile.TemporaryDirectory(prefix="aim") as folder, ExitStack() as stack:
        started = [_start(package, Path(folder), number, environment) for number in range(slots)]
        for cell in started:
            stack.callback(_end, cell)
        workers = [_reach(cell) for cell in started]
        for worker in workers:
            stack.callback(worker.stream.close)
        yield WorkerScorer(workers, feeder)


def _start(package: Package, folder: Path, number: int, environment: str) -> Cell:
    module = runtime_module(package.manifest.runtime)
    wish = Wish(
        revision=f"s{number}",
        package=str(package.folder),
        module=module,
        memory_bytes=MEMORY_BYTES,
        lanes=1,
        max_rows=CHUNK_ROWS,
    )
    kind = wish.kind(environment)
    cell = Cell(folder / str(number), folder / f"{number}.start.log", kind, Keeping.of(kind))
    cell.assign(wish, folder / f"{number}.log")
    return cell


def _reach(cell: Cell) -> _Worker:
    """Connect to a worker as soon as it answers."""
    end = time.monotonic() + _START_S
    while not cell.has_ended() and time.monotonic() < end:
        if cell.ready() is None:
            time.sleep(_LOOK_S)
            continue
        stream = socket.socket(socket.AF_UNIX)
        stream.connect(os.fspath(cell.io / "s"))
        stream.settimeout(_ANSWER_S)
        return _Worker(cell, stream, FrameReader())
    raise Unavailable(f"the model worker does not start: {last_words(cell.log)}")


def _end(cell: Cell) -> None:
    cell.kill()
    cell.tidy(keep_log=True)


def last_words(log: Path) -> str:
    """Return the last line of a log."""
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1][:500] if lines else "it said nothing"
