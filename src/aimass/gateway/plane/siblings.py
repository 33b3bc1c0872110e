"""The other workers of one port: whoever is asked for metrics answers for all of them."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from aimass.gateway.plane.connection import Connection
from aimass.gateway.plane.http import reply
from aimass.gateway.plane.sinks import Quiet
from aimass.gateway.settings import GatewaySettings
from aimass.kernel.layout import DataDir

_LOG = logging.getLogger(__name__)
_WAIT_S = 1.0
_ASK = b"GET /metrics?own HTTP/1.0\r\n\r\n"
KIND = b"text/plain; version=0.0.4; charset=utf-8"
OWN = b"own"


def place_of(settings: GatewaySettings, worker: int) -> Path:
    """Return the socket on which a worker answers its siblings."""
    return DataDir(settings.data_dir).socket(f"gateway-{worker}.sock")


async def ask(settings: GatewaySettings, worker: int) -> str:
    """Return the metrics of a sibling, empty when it does not answer in time."""
    try:
        async with asyncio.timeout(_WAIT_S):
            reader, writer = await asyncio.open_unix_connection(place_of(settings, worker))
            try:
                writer.write(_ASK)
                answer = await reader.read(-1)
            finally:
                writer.close()
    except (OSError, TimeoutError) as reason:
        _LOG.debug("gateway worker %d does not answer: %r", worker, reason)
        return ""
    return answer.partition(b"\r\n\r\n")[2].decode()


class OfAll(Quiet):
    """Answers a request for metrics with those of all workers."""

    ends_with_client = True

    def __init__(self, connection: Connection, settings: GatewaySettings, own: str) -> None:
        self._connection = connection
        self._settings = settings
        self._own = own
        self._task: asyncio.Task[None] | None = None

    def end(self) -> None:
        """Ask the others."""
        self._task = asyncio.get_running_loop().create_task(self._gather())

    def lost(self) -> None:
        """Ask no longer."""
        if self._task is not None:
            self._task.cancel()

    async def _gather(self) -> None:
        settings, connection = self._settings, self._connection
        others = [number for number in range(settings.workers) if number != settings.worker]
        texts = await asyncio.gather(*(ask(settings, number) for number in others))
        up = {settings.worker: 1, **{number: int(bool(text)) for number, text in zip(others, texts, strict=True)}}
        lines = ["# TYPE aimass_gateway_worker_up gauge"]
        lines += [f'aimass_gateway_worker_up{{worker="{number}"}} {is_up}' for number, is_up in sorted(up.items())]
        body = merged(["\n".join(lines) + "\n", self._own, *texts]).encode()
        connection.reply(reply(200, body, kind=KIND, keep=connection.keep))
        connection.finish()


def merged(texts: list[str]) -> str:
    r"""Put metrics of several workers together: what belongs to one name stands in one place.

    Examples
    --------
    >>> print(merged(["# TYPE a gauge\na 1\n# TYPE b gauge\nb 2\n", "# TYPE a gauge\na 3\n"]), end="")
    # TYPE a gauge
    a 1
    a 3
    # TYPE b gauge
    b 2
    """
    heads: dict[str, list[str]] = {}
    samples: dict[str, list[str]] = {}
    for text in texts:
        name = ""
        for line in text.splitlines():
            if not line.startswith("# "):
                samples[name].append(line)
                continue
            name = line.split(" ", 3)[2]
            samples.setdefault(name, [])
            head = heads.setdefault(name, [])
            if line not in head:
                head.append(line)
    return "".join(f"{line}\n" for name, head in heads.items() for line in (*head, *samples[name]))
