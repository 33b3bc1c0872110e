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
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from aimass.infra.batching import Batcher, Plan
from aimass.infra.parent import die_with_parent
from aimass.kernel.errors import AimassError
from aimass.models import load_model, verify_package
from aimass.serving.children.desk import Desk
from aimass.serving.children.journal import FileJournal
from aimass.serving.children.streams import Streams, only_streams

_LOG = logging.getLogger("aimass.serving.worker")
_DRAIN_S = 5.0
_FILES = 512


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
    lanes, max_rows
        The plan by which requests are run.
    """

    package: str
    folder: str
    threads: int = 1
    lanes: int = 1
    max_rows: int = 32


async def serve(model: Model, told: Assignment, facts: dict[str, Any]) -> None:
    """Answer on the socket until SIGTERM, then finish what is under way."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_reader(sys.stdin, _hear, stop)
    folder = Path(told.folder)
    plan = Plan(lanes=told.lanes, max_rows=told.max_rows)
    batcher = Batcher(getattr(model, "predict", only_streams), plan, FileJournal(folder / "running", told.lanes))
    streams = Streams(model)
    facts = {**facts, "streams": streams.places}
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
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def main() -> int:
    """Import the runtime, wait for the package, check its hashes, and serve it."""
    parser = argparse.ArgumentParser(prog="python -m aimass.serving.children.worker", description="Serve one package.")
    parser.add_argument("--module", required=True, help="package of the runtime")
    parser.add_argument("--parent-pid", type=int, help="end at once when this parent is gone already")
    arguments = parser.parse_args()
    if arguments.parent_pid:
        die_with_parent(arguments.parent_pid)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    _limit()
    import_module(f"{arguments.module}.run")
    line = sys.stdin.readline()
    if not line:
        return 0
    told = Assignment(**json.loads(line))
    try:
        model = load_model(verify_package(Path(told.package)), threads=told.threads, module=arguments.module)
    except AimassError as error:
        sys.stderr.write(f"{error.message}; {error.hint}\n")
        return 1
    gc.freeze()
    asyncio.run(serve(model, told, {"pid": os.getpid(), "lanes": told.lanes, "max_rows": told.max_rows}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
