"""Wait until a started platform answers."""

from __future__ import annotations

import http.client
import time

import orjson

from aimass.bootstrap.lock import is_upgrading
from aimass.bootstrap.settings import PlatformSettings
from aimass.bootstrap.supervisor import Supervisor
from aimass.kernel.errors import Conflict, Unavailable
from aimass.kernel.layout import DataDir

_LIMIT_S = 60.0
_OK = 200
_MOST_WORDS = 1000


def answers(host: str, port: int, path: str) -> bool:
    """Tell whether an address answers 200."""
    connection = http.client.HTTPConnection(host, port, timeout=5)
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
    while not answers(settings.host, settings.port, "/readyz"):
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
