"""The queries that run in this process: whose turn it is, and what stops them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from aimass.infra.compute import Stop
from aimass.kernel.errors import Conflict, NotFound, TooMany
from aimass.lake.asking import RunningQuery

_LOOK_S = 0.1


class Together:
    """Lets one do what several want at the same time; the others wait, and get what he got: an answer, or his error.

    Examples
    --------
    >>> Together().do("a", lambda: {"rows": 3})
    {'rows': 3}
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._done: dict[str, Future[dict[str, Any]]] = {}

    def do(self, thing: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Do it, or wait for who does it already."""
        with self._lock:
            known = self._done.get(thing)
            mine = self._done.setdefault(thing, Future())
        if known is not None:
            return known.result()
        try:
            mine.set_result(work())
        except BaseException as reason:
            mine.set_exception(reason)
            raise
        finally:
            with self._lock:
                del self._done[thing]
        return mine.result()


class Running:
    """Who may run a query now.

    Parameters
    ----------
    most, most_each
        Queries that run at once: in all, and of one person.
    waiting
        Queries that may wait; each holds a thread of control.
    """

    def __init__(self, *, most: int, most_each: int, waiting: int) -> None:
        self._most, self._most_each, self._waiting = most, most_each, waiting
        self._changed = threading.Condition()
        self._known: dict[str, tuple[RunningQuery, Stop]] = {}

    @contextmanager
    def turn(self, query: RunningQuery, stop: Stop, wait_s: float) -> Iterator[None]:
        """Let a query be seen and stopped, and go on when its turn has come.

        Raises
        ------
        TooMany
            Others run, and too many wait or none of them ended in time.
        """
        with self._changed:
            if not self._is_free(query.by) and self._count("WAITING") >= self._waiting:
                raise self._full(query.by)
            self._known[query.id] = (replace(query, state="WAITING"), stop)
        try:
            self._wait(query, stop, wait_s)
            yield
        finally:
            with self._changed:
                self._known.pop(query.id, None)
                self._changed.notify_all()

    def _wait(self, query: RunningQuery, stop: Stop, wait_s: float) -> None:
        end = time.monotonic() + wait_s
        with self._changed:
            while not self._is_free(query.by):
                if stop.is_stopped:
                    raise Conflict("the query was cancelled before it began")
                if time.monotonic() >= end:
                    raise self._full(query.by)
                self._changed.wait(_LOOK_S)
            self._known[query.id] = (replace(query, state="RUNNING"), stop)

    def _is_free(self, by: str) -> bool:
        return self._count("RUNNING") < self._most and self._count("RUNNING", by) < self._most_each

    def _count(self, state: str, by: str | None = None) -> int:
        return sum(query.state == state and by in (None, query.by) for query, _ in self._known.values())

    def _full(self, by: str) -> TooMany:
        mine = self._count("RUNNING", by)
        who = f"{mine} queries of yours run" if mine >= self._most_each else f"{self._count('RUNNING')} queries run"
        return TooMany(f"{who} already", allowed=self._most, hint="try again in a moment, or cancel one")

    def reads(self, id_: str, datasets: list[str]) -> None:
        """Note what a query reads."""
        with self._changed:
            if id_ in self._known:
                query, stop = self._known[id_]
                self._known[id_] = (replace(query, datasets=datasets), stop)

    def of(self, workspace: str) -> list[RunningQuery]:
        """Return the queries of a workspace, oldest first."""
        with self._changed:
            found = [query for query, _ in self._known.values() if query.workspace == workspace]
        return sorted(found, key=lambda query: query.started_at)

    def find(self, workspace: str, id_: str) -> tuple[RunningQuery, Stop]:
        """Return a query and what stops it, or say that it does not run."""
        with self._changed:
            known = self._known.get(id_)
        if known is None or known[0].workspace != workspace:
            raise NotFound(f"query {id_!r} does not run", field="query", value=id_, hint="it may have ended")
        return known
