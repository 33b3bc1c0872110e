"""Wait until a started platform answers."""

from __future__ import annotations

import http.client
import socket
import time
from pathlib import Path

import orjson

from aimass.bootstrap.lock import is_upgrading
from aimass.bootstrap.settings import PlatformSettings
from aimass.bootstrap.supervisor import Supervisor
from aimass.kernel.errors import Conflict, Unavailable
from aimass.kernel.layout import DataDir

_LIMIT_S = 60.0
_OK = 200
_MOST_WORDS = 1000


class _Inside(http.client.HTTPConnection):
    """A connection to the first gateway worker from inside, past TLS and whatever it asks of clients."""

    def __init__(self, place: Path) -> None:
        super().__init__("localhost", timeout=5)
        self._place = str(place)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._place)


def _connection(settings: PlatformSettings) -> http.client.HTTPConnection:
    if settings.is_tls:
        return _Inside(DataDir(settings.data_dir).socket("gateway-0.sock"))
    return http.client.HTTPConnection(settings.host, settings.port, timeout=5)


def answers(settings: PlatformSettings, path: str) -> bool:
    """Tell whether the platform answers 200."""
    connection = _connection(settings)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == _OK
    except OSError:
        return False
    finally:
        connection.close()


def wait_until_ready(supervisor: Supervisor, settings: PlatformSettings, limit_s: float = _LIMIT_S) -> None:
    """Wait for gateway and control; as long as it takes while the database is copied and upgraded.

    Raises
    ------
    Unavailable
        It did not become ready; the message carries the last line of the log.
    Conflict
        It can never start.
    """
    end = time.monotonic() + limit_s
    while not answers(settings, "/readyz"):
        supervisor.watch()
        if supervisor.refusing() is not None:
            supervisor.stop()
            told = _problem(_last_words(settings))
            raise Conflict(told.get("detail", "the platform cannot start"), hint=told.get("hint", "aimass doctor"))
        if is_upgrading(DataDir(settings.data_dir)):
            end = time.monotonic() + limit_s
        if time.monotonic() > end:
            supervisor.stop()
            raise Unavailable(f"the platform did not become ready: {_last_words(settings)}", hint="aimass doctor")
        time.sleep(0.05)


def _last_words(settings: PlatformSettings) -> str:
    log = settings.data_dir / "logs" / "control.log"
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1][:_MOST_WORDS] if lines else "no log"


def _problem(line: str) -> dict[str, str]:
    try:
        return dict(orjson.loads(line))
    except ValueError:
        return {}
