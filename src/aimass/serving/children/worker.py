"""An isolated model worker: imports its runtime, waits to be told which package, and answers frames on a Unix socket.

``python -m aimass.serving.children.worker --module aimass.models.runtimes.python``. One line of JSON on the standard
input says the rest (:class:`Assignment`); a worker that waits for it is a warm spare. When that pipe is closed, or its
parent ends, the worker ends.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import os
import resource
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from aimass.infra.batching import Batcher
from aimass.infra.calibration import measure
from aimass.infra.parent import die_with_parent
from aimass.infra.plans import Plan, machine
from aimass.kernel.errors import AimassError
from aimass.models import Package, load_model, verify_package
from aimass.serving.children.desk import ROWS, Desk
from aimass.serving.children.journal import FileJournal
from aimass.serving.children.streams import Streams, only_streams

_LOG = logging.getLogger("aimass.serving.worker")
_DRAIN_S = 5.0
_FILES = 512
_STACKS_BYTES = 512 * 1024 * 1024  # what threads reserve for their stacks and mostly never touch


class PackedRows(Protocol):
    """Answers rows that come as bytes in a format of its own."""

    format: str

    def answer(self, rows: Sequence[bytes]) -> list[bytes]:
        """Answer each row."""
        ...


class Model(Protocol):
    """What a loaded package can do."""

    def predict(self, columns: Any) -> Any:
        """Answer columns with columns."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What a worker is told.

    Attributes
    ----------
    package
        Folder of the package.
    folder
        Where the socket ``s``, the journal ``running`` and, at last, ``ready.json`` are to lie.
    threads
        Threads of one prediction.
    device
        On which device a graph shall run.
    plan
        By which requests are run; without one the worker measures its model, writes ``calibration.json`` and waits for
        a plan in another line, or for its end.
    measured_threads
        How many predictions at once are tried when the model is measured.
    memory_bytes
        How much memory the model may ask for beyond what the libraries took; 0 for as much as it likes.
    """

    package: str
    folder: str
    threads: int = 1
    device: str = "auto"
    plan: dict[str, int] | None = None
    measured_threads: int = 1
    memory_bytes: int = 0


async def serve(model: Model, folder: Path, plan: Plan) -> None:
    """Answer on the socket until SIGTERM, then finish what is under way."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_reader(sys.stdin, _hear, stop)
    rows: PackedRows | None = getattr(model, "rows", None)
    batcher = Batcher(_runner(model, rows), plan, FileJournal(folder / "running", plan.lanes))
    streams = Streams(model)
    facts: dict[str, Any] = {"pid": os.getpid(), "lanes": plan.lanes, "max_rows": plan.max_rows}
    facts |= {"streams": streams.places, "rows": "" if rows is None else rows.format}
    device = getattr(model, "device", None)
    facts |= {} if device is None else {"device": device.name, "device_reason": device.fallback}
    before = os.umask(0o077)
    server = await loop.create_unix_server(lambda: Desk(batcher, facts, streams), str(folder / "s"))
    os.umask(before)
    _write(folder / "ready.json", facts)
    await stop.wait()
    server.close()
    end = loop.time() + _DRAIN_S
    while not (batcher.is_idle and streams.is_idle) and loop.time() < end:  # noqa: ASYNC110 a few looks at the end of a life
        await asyncio.sleep(0.01)
    streams.close()


def _runner(model: Model, rows: PackedRows | None) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return what answers columns, and packed rows where the model has a format for them."""
    predict = getattr(model, "predict", only_streams)
    if rows is None:
        return predict
    answer = rows.answer
    return lambda columns: {ROWS: answer(columns[ROWS])} if ROWS in columns else predict(columns)


def _hear(stop: asyncio.Event) -> None:
    """End when told so, at once when the pipe to whoever keeps this worker is closed."""
    if not os.read(sys.stdin.fileno(), 4096):
        os._exit(0)
    stop.set()


def _write(path: Path, facts: dict[str, Any]) -> None:
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(facts))
    draft.rename(path)


def _limit() -> None:
    """Leave no core files, and do not open files without end."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _lower(resource.RLIMIT_NOFILE, _FILES)


def _limit_memory(memory_bytes: int) -> None:
    """Let the model ask for so much memory beyond what there is now: a request that wants more fails by itself."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    held = next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData:")), None)
    if held is not None and memory_bytes:
        _lower(resource.RLIMIT_DATA, held + memory_bytes + _STACKS_BYTES)


def _lower(limit: int, most: int) -> None:
    _, hard = resource.getrlimit(limit)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(limit, (most, most))


def main() -> int:
    """Import the runtime, wait for the package, check its hashes, and serve it."""
    parser = argparse.ArgumentParser(prog="python -m aimass.serving.children.worker", description="Serve one package.")
    parser.add_argument("--module", required=True, help="package of the runtime")
    parser.add_argument("--parent-pid", type=int, help="end at once when this parent is gone already")
    parser.add_argument("--cores", help="the cores on which it may run, with commas")
    arguments = parser.parse_args()
    if arguments.cores:
        os.sched_setaffinity(0, {int(core) for core in arguments.cores.split(",")})
    if arguments.parent_pid:
        die_with_parent(arguments.parent_pid)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    _limit()
    getattr(import_module(f"{arguments.module}.run"), "warm", int)()
    told = _told()
    if told is None:
        return 0
    try:
        package = verify_package(Path(told["package"]))
        assignment = Assignment(**told)
        _limit_memory(assignment.memory_bytes)
        model = load_model(package, threads=assignment.threads, module=arguments.module, device=assignment.device)
    except AimassError as error:
        sys.stderr.write(f"{error.message}; {error.hint}\n")
        return 1
    gc.freeze()
    folder, plan = Path(assignment.folder), assignment.plan
    if plan is None:
        _write(folder / "calibration.json", calibrate(model, package, assignment.measured_threads))
        plan = _told()
    if plan is not None:
        asyncio.run(serve(model, folder, Plan(**plan)))
    return 0


def _told() -> dict[str, Any] | None:
    """Read one line of JSON; None when there is no more to do."""
    line = sys.stdin.buffer.raw.readline()  # type: ignore[attr-defined]
    return json.loads(line) if line.startswith(b"{") else None


def calibrate(model: Model, package: Package, threads: int) -> dict[str, Any]:
    """Measure a model on the samples of its package."""
    try:
        timings = measure(getattr(model, "predict", only_streams), package.samples()["inputs"], threads)
    except Exception as reason:  # noqa: BLE001 what cannot be measured can still be served, and the plan says so
        message = reason.message if isinstance(reason, AimassError) else f"{type(reason).__name__}: {reason}"
        return {"error": message[:300], "machine": machine()}
    return {"call_us": timings.call_us, "rows_per_s": timings.rows_per_s, "machine": machine()}


if __name__ == "__main__":
    sys.exit(main())
