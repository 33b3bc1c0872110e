"""A request of many rows, run a part at a time, so that the requests of others have their turns in between."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import numpy as np

from aimass.gateway.plane.calls import Work
from aimass.gateway.plane.errors import ClientGone, WorkerFailed, WorkerSlow
from aimass.gateway.plane.runtimes.port import Done
from aimass.kernel.errors import AimassError

_LOG = logging.getLogger(__name__)
_PART = 256


class Parts:
    """Runs one request; one part in a turn of the loop.

    Parameters
    ----------
    timeout_s
        How long all parts may take together.
    leave
        Called when the request is over.
    done
        Hears of the outputs of all rows, or of the first error.
    """

    def __init__(self, work: Work, timeout_s: float, leave: Callable[[], None], done: Done) -> None:
        self._work = work
        self._rows = work.asked.decoded.rows
        self._loop = asyncio.get_running_loop()
        self._ends_at = self._loop.time() + timeout_s
        self._timeout_s = timeout_s
        self._leave = leave
        self._done: Done | None = done
        self._found: list[dict[str, Any]] = []
        self._at = 0

    def run(self) -> None:
        """Run the next part."""
        try:
            self._ask()
        except Exception:  # noqa: BLE001 one request must never end the worker; the log has the trace
            _LOG.exception("a part of a request failed")
            self._end(None, WorkerFailed())

    def _ask(self) -> None:
        left_s = self._ends_at - self._loop.time()
        if self._work.caller.is_gone:
            self._end(None, ClientGone())
        elif left_s <= 0:
            self._end(None, self._too_slow())
        else:
            upto = self._at + _PART
            part = {name: column[self._at : upto] for name, column in self._work.asked.decoded.values.items()}
            rows, self._at = min(_PART, self._rows - self._at), upto
            self._work.deployment.loaded.runtime.start(part, rows, left_s, self._heard)

    def _heard(self, outputs: dict[str, Any] | None, error: AimassError | None) -> None:
        if outputs is None or error is not None:
            self._end(None, error)
            return
        self._found.append(outputs)
        if self._at < self._rows:
            self._loop.call_soon(self.run)
        else:
            self._end(*_joined(self._found))

    def _end(self, outputs: dict[str, Any] | None, error: AimassError | None) -> None:
        done, self._done = self._done, None
        if done is not None:
            self._leave()
            done(outputs, error)

    def _too_slow(self) -> WorkerSlow:
        return WorkerSlow(
            f"the model ran {self._at} of {self._rows} rows within {self._timeout_s:g} s",
            allowed=self._timeout_s,
            hint="ask for fewer rows or orders at a time, or raise timeout_s of the endpoint",
        )


def _joined(found: list[dict[str, Any]]) -> tuple[dict[str, Any] | None, AimassError | None]:
    try:
        return {name: np.concatenate([one[name] for one in found]) for name in found[0]}, None
    except ValueError as reason:
        return None, WorkerFailed(f"the answers of the model do not fit together: {reason}")
