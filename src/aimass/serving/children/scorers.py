"""What answers chunks: a graph in this process, or model workers of their own behind a socket, as serving runs them."""

from __future__ import annotations

import os
import queue
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import polars as pl

from aimass.infra.compute import child_environment
from aimass.infra.frames import FrameReader, encode_frame
from aimass.kernel.errors import Failed, Unavailable
from aimass.models import Package, find_runtime, load_model
from aimass.serving.children.feeds import Fed, Feeder
from aimass.serving.workers import Wish, thread_settings, worker_command

MEMORY_BYTES = 4 * 1024**3
_START_S, _ANSWER_S, _LOOK_S, _END_S = 60.0, 600.0, 0.02, 5.0
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

    chunk_rows = 4_000

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
    process: subprocess.Popen[bytes]
    log: Path
    stream: socket.socket
    reader: FrameReader

    def ask(self, values: dict[str, Any], start: int) -> dict[str, Any]:
        """Send one chunk and wait for its answer."""
        try:
            self.stream.sendall(encode_frame({"id": start, "inputs": values}))
            while True:
                data = self.stream.recv(_READ_BYTES)
                if not data:
                    raise ConnectionResetError
                for message in self.reader.feed(data):
                    return _outputs(message, start)
        except OSError as reason:
            raise Failed(
                f"the model worker ended at the rows from {start} on: {last_words(self.log)}",
                hint="look into the log of the job",
            ) from reason


def _outputs(message: dict[str, Any], start: int) -> dict[str, Any]:
    if "error" in message:
        raise Failed(f"the model failed on the rows from {start} on: {message['error']}")
    return message["outputs"]


@contextmanager
def scorer_of(package: Package, feeder: Feeder, slots: int) -> Iterator[Scorer]:
    """Load what answers; model workers end with the block, and with this process."""
    if find_runtime(package.manifest.runtime).is_inline:
        yield InlineScorer(package, feeder)
        return
    with tempfile.TemporaryDirectory(prefix="aim") as folder:
        started = [_start(package, Path(folder), number) for number in range(slots)]
        try:
            yield WorkerScorer([_reach(one, Path(folder), number) for number, one in enumerate(started)], feeder)
        finally:
            for process in started:
                _end(process)


def _start(package: Package, folder: Path, number: int) -> subprocess.Popen[bytes]:
    wish = Wish(revision=f"s{number}", package=str(package.folder), memory_bytes=MEMORY_BYTES, threads=1)
    with _log(folder, number).open("wb") as log:
        return subprocess.Popen(
            worker_command(wish, _socket(folder, number)),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**child_environment(), **thread_settings(1)},
        )


def _reach(process: subprocess.Popen[bytes], folder: Path, number: int) -> _Worker:
    """Connect to a worker as soon as it answers."""
    end = time.monotonic() + _START_S
    while process.poll() is None and time.monotonic() < end:
        stream = socket.socket(socket.AF_UNIX)
        try:
            stream.connect(os.fspath(_socket(folder, number)))
        except OSError:
            stream.close()
            time.sleep(_LOOK_S)
            continue
        stream.settimeout(_ANSWER_S)
        return _Worker(process, _log(folder, number), stream, FrameReader())
    raise Unavailable(f"the model worker does not start: {last_words(_log(folder, number))}")


def _socket(folder: Path, number: int) -> Path:
    return folder / f"{number}.sock"


def _log(folder: Path, number: int) -> Path:
    return folder / f"{number}.log"


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def last_words(log: Path) -> str:
    """Return the last line of a log."""
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1][:500] if lines else "it said nothing"
