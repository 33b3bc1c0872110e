"""Slow and failed requests: taken over from the workers, kept for a while, and shown."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Row

from aimass.gateway.domain.slow import ListSlow, SlowRequest
from aimass.gateway.service.ground import Ground, Part
from aimass.gateway.store import add_slow, count_slow, drop_old_slow, drop_slow_of, slow_matching
from aimass.infra.segments import closed_segments, read_segment, recover
from aimass.kernel.erasing import Erased, Person
from aimass.kernel.keeping import Holding
from aimass.kernel.pages import Page, page_of
from aimass.kernel.principal import ANYWHERE, SYSTEM, Principal
from aimass.kernel.usecase import use_case

_LOG = structlog.get_logger("aimass.gateway")
_DROP_S, _ABANDONED_S = 60.0, 30.0
_BATCH = 500
_TEXTS = {
    "service": 255, "target": 64, "version": 300, "consumer": 255, "method": 20, "path": 500, "error": 100,
    "breaker": 20, "trace": 32,
}  # with the most letters that are kept # fmt: skip
_NUMBERS = ("first_byte_s", "queue_s", "compute_s", "bytes_in", "bytes_out")
_FIELDS = [field.name for field in fields(SlowRequest)]


class Slow(Part):
    """Use cases about requests that took long, or failed."""

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        self._drop_at = 0.0

    @use_case("GET /workspaces/{workspace}/requests/slow", permission="gateway.read", cli="gateway slow")
    def list_slow_requests(self, who: Principal, command: ListSlow) -> Page[SlowRequest]:
        """List the requests that took longer than the threshold, or failed with 500 or more."""
        del who
        with self._database.read() as conn:
            found = [told(row) for row in slow_matching(conn, command)]
        is_by_time = command.order == "newest"
        return page_of(found, command.limit, lambda one: one.id if is_by_time else f"{one.seconds!r} {one.id}")

    @property
    def slow_after_s(self) -> float:
        """From how many seconds on a request is slow; 0 when none is kept."""
        return self._settings.slow_s

    def take_slow(self, *, is_last: bool = False) -> int:
        """Take over what workers have written; return how many requests that were.

        A segment goes after its requests are in the database, so a crash between both takes it again, which adds nothing.
        """
        taken = 0
        for folder in sorted(self._layout.slow.glob("*")):
            if is_last or _is_abandoned(folder, self._database.clock.now().timestamp()):
                with suppress(FileNotFoundError):  # its worker came back meanwhile and closed it
                    recover(folder)
            for path in closed_segments(folder):
                taken += self._take(path)
        return taken

    def _take(self, path: Path) -> int:
        segment = read_segment(path)
        rows = [row for payload in segment.payloads if (row := _row(payload)) is not None]
        if len(rows) < len(segment.payloads) or segment.damage:
            _LOG.warning(
                "slow requests that cannot be read", path=str(path), damage=[one.reason for one in segment.damage]
            )
        for start in range(0, len(rows), _BATCH):
            with self._database.change(SYSTEM, ANYWHERE) as change:
                add_slow(change, rows[start : start + _BATCH])
        path.unlink(missing_ok=True)
        return len(rows)

    def drop_slow(self) -> int:
        """Delete what had its time, once a minute; return how many requests that were."""
        if time.monotonic() < self._drop_at:
            return 0
        self._drop_at = time.monotonic() + _DROP_S
        before = self._database.clock.now() - timedelta(days=self._settings.slow_days)
        with self._database.change(SYSTEM, ANYWHERE) as change:
            return drop_old_slow(change, before, self._settings.slow_rows)

    def slow_holdings(self) -> list[Holding]:
        """Return how much the slow requests of each workspace take."""
        with self._database.read() as conn:
            rows = count_slow(conn)
        days, most = self._settings.slow_days, self._settings.slow_rows
        return [
            Holding(
                part="slow requests",
                workspace=workspace,
                size_bytes=size,
                count=count,
                rule=f"slow requests are kept for {days} days, and at most {most} of them",
                path=f"/{workspace}/operate/gateway/slow",
            )
            for workspace, count, size in rows
        ]

    def erase_slow(self, person: Person) -> list[Erased]:
        """Delete the requests of a person, also those that wait."""
        self.take_slow(is_last=True)
        with self._database.change(SYSTEM, ANYWHERE) as change:
            return [Erased(what="slow requests", count=drop_slow_of(change, person))]


def _is_abandoned(folder: Path, now: float) -> bool:
    """Tell whether a worker left something open long ago; a living one closes it within a second."""
    for path in folder.glob("*.open"):
        with suppress(FileNotFoundError):
            if now - path.stat().st_mtime > _ABANDONED_S:
                return True
    return False


def _row(payload: bytes) -> dict[str, Any] | None:
    """Return a request as the table wants it; None for what is none."""
    try:
        one: Mapping[str, Any] = json.loads(payload)
        row: dict[str, Any] = {name: str(one[name]) for name in ("id", "workspace", "kind", "name")}
        row |= {"at": datetime.fromtimestamp(float(one["at"]), UTC), "seconds": float(one["seconds"])}
        row |= {"status": int(one["status"]), "retries": int(one.get("retries") or 0)}
    except (ValueError, TypeError, KeyError, OverflowError):
        return None
    for name, most in _TEXTS.items():
        row[name] = str(one.get(name) or "").replace("\0", "")[:most]
    return row | {name: one.get(name) for name in _NUMBERS}


def told(row: Row[Any]) -> SlowRequest:
    """Return a request as its row says."""
    return SlowRequest(**{name: getattr(row, name) for name in _FIELDS})
