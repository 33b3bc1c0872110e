"""One writer at a time on an object store: a mark that changes by conditional puts alone, and that its holder keeps changing."""

from __future__ import annotations

import threading
import time

from aimass.infra.objects import Bucket, Lost
from aimass.kernel.errors import NotFound, Unavailable
from aimass.kernel.ids import new_id

LAPSES_S = 30.0
_RENEWED_S = LAPSES_S / 3
_LOOK_S = 0.2
_FREE = b""


class Lease:
    """The lease of one table.

    A mark that stands still for half a minute, by the clock of whoever waits, is that of a writer who died; one of this machine is
    that at once, because only who has the lock of this machine comes here.

    Parameters
    ----------
    name
        The mark.
    machine
        Whose lock the holder has besides.
    lapses_s
        How long a mark stands still before it is free.
    """

    def __init__(self, bucket: Bucket, name: str, machine: str, lapses_s: float = LAPSES_S) -> None:
        self._bucket, self._name, self._machine, self._lapses_s = bucket, name, machine, lapses_s
        self._tag = ""
        self._done = threading.Event()
        self._keeper: threading.Thread | None = None

    def take(self) -> None:
        """Wait until the mark is free, and hold it."""
        seen, since = "", time.monotonic()
        while True:
            try:
                text, tag = self._bucket.get(self._name)
            except NotFound:
                text, tag = _FREE, ""
            if tag != seen:
                seen, since = tag, time.monotonic()
            is_mine = text.startswith(f"{self._machine} ".encode())
            is_free = text == _FREE or is_mine or time.monotonic() - since >= self._lapses_s
            if is_free and self._put(tag):
                break
            time.sleep(0 if is_free else _LOOK_S)
        self._done.clear()
        self._keeper = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._keeper.start()

    def give_back(self) -> None:
        """Let others go on."""
        self._done.set()
        if self._keeper is not None:
            self._keeper.join()
        try:
            self._bucket.put_over(self._name, _FREE, self._tag)
        except (Lost, Unavailable):
            return  # somebody took it for that of a dead writer, or will

    def _keep(self) -> None:
        """Change the mark while the lease is held."""
        while not self._done.wait(min(_RENEWED_S, self._lapses_s / 3)):
            try:
                if not self._put(self._tag):
                    return
            except Unavailable:
                continue  # the commit itself will say so

    def _put(self, tag: str) -> bool:
        text = f"{self._machine} {new_id()}".encode()
        try:
            if tag:
                self._bucket.put_over(self._name, text, tag)
            else:
                self._bucket.put_new(self._name, text)
        except Lost:
            return False
        mine, self._tag = self._bucket.get(self._name)
        return mine == text
