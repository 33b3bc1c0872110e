"""An isolated model worker: loads one package and answers frames on a Unix socket, until its parent ends.

``python -m aimass.serving.children.worker --package DIR --socket PATH``. A frame is ``{"id": n, "inputs": {column:
[values]}}``; the answer is ``{"id": n, "outputs": {name: [values]}}`` or ``{"id": n, "error": sentence}``.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any, Protocol

from aimass.infra.frames import FrameReader, encode_frame
from aimass.infra.parent import die_with_parent
from aimass.kernel.errors import AimassError
from aimass.models import load_model, verify_package

_LOG = logging.getLogger("aimass.serving.worker")


class Model(Protocol):
    """What a loaded package can do."""

    def predict(self, columns: Any) -> dict[str, list[Any]]:
        """Answer columns with columns."""
        ...


class Desk(asyncio.Protocol):
    """Answers the frames of one gateway worker, in the order in which they come."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._reader = FrameReader()
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every complete frame."""
        try:
            for message in self._reader.feed(data):
                self._transport.write(encode_frame(self._answer(message)))
        except (AimassError, ValueError, KeyError) as reason:
            _LOG.warning("what came is no frame: %s", reason)
            self._transport.abort()

    def _answer(self, message: dict[str, Any]) -> dict[str, Any]:
        try:
            return {"id": message["id"], "outputs": self._model.predict(message["inputs"])}
        except Exception as reason:  # noqa: BLE001 whatever a model raises belongs to this one request
            _LOG.exception("a request failed")
            return {"id": message["id"], "error": f"{type(reason).__name__}: {reason}"[:500]}


async def serve(model: Model, path: Path) -> None:
    """Answer on the socket until SIGTERM."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    before = os.umask(0o077)
    server = await loop.create_unix_server(lambda: Desk(model), str(path))
    os.umask(before)
    await stop.wait()
    server.close()


def main() -> int:
    """Load the package, check its hashes, and serve it."""
    parser = argparse.ArgumentParser(prog="python -m aimass.serving.children.worker", description="Serve one package.")
    parser.add_argument("--package", type=Path, required=True, help="folder of the package")
    parser.add_argument("--socket", type=Path, required=True, help="Unix socket to answer on")
    parser.add_argument("--parent-pid", type=int, help="end at once when this parent is gone already")
    parser.add_argument("--threads", type=int, default=1, help="threads of one prediction")
    arguments = parser.parse_args()
    die_with_parent(arguments.parent_pid)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        model = load_model(verify_package(arguments.package), threads=arguments.threads)
    except AimassError as error:
        sys.stderr.write(f"{error.message}; {error.hint}\n")
        return 1
    arguments.socket.unlink(missing_ok=True)
    asyncio.run(serve(model, arguments.socket))
    arguments.socket.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
