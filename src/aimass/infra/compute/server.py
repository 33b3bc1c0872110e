"""The other end of :class:`~aimass.infra.compute.WarmChild`: ``python -m aimass.infra.compute.server <fd> <folder> [<fd of secrets>]``."""

from __future__ import annotations

import os
import queue
import resource
import shutil
import signal
import socket
import sys
import threading
from typing import Any

from aimass.infra.compute.confiding import confided
from aimass.infra.compute.files import plain
from aimass.infra.compute.frames import receive, send
from aimass.infra.compute.worker import problem, trace
from aimass.infra.tables import accept
from aimass.kernel.capability import load


def serve(descriptor: int, scratch: str) -> None:
    """Answer calls one after the other until the platform hangs up.

    A second thread reads, so that the end of the platform also ends a call that is still running; then the folder of temporary
    files goes too.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    stream = socket.socket(fileno=descriptor)
    calls: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(stream, calls, scratch), daemon=True).start()
    while True:
        send(stream, _answer(calls.get()))


def _read(stream: socket.socket, calls: queue.SimpleQueue[dict[str, Any]], scratch: str) -> None:
    while (call := receive(stream)) is not None:
        calls.put(call)
    shutil.rmtree(scratch, ignore_errors=True)
    os._exit(0)


def _answer(call: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"result": plain(load(call["function"])(call["args"]))}
    except (Exception, SystemExit) as reason:  # noqa: BLE001 whatever the call raises is its answer
        sys.stderr.write(trace(reason))
        return {"error": problem(reason)}


if __name__ == "__main__":
    if sys.argv[3:]:
        accept(confided(int(sys.argv[3])))
    serve(int(sys.argv[1]), sys.argv[2])
