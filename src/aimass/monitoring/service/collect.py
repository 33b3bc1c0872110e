"""Take over what gateway workers wrote: records into the lake, series into the database; each segment once.

The order of the steps makes a crash harmless at every point: the lake commits a segment under its own number, the
database accounts for it in one transaction, then the file goes. What was done is found done when it is tried again.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from aimass.infra.database import Change
from aimass.infra.segments import recover
from aimass.kernel.errors import AimassError, Unavailable
from aimass.kernel.principal import SYSTEM
from aimass.monitoring.service.ground import Ground, Part, moment_of
from aimass.monitoring.service.increments import read_increments
from aimass.monitoring.service.watching import Served, meet
from aimass.monitoring.store import recorded, series

_LOG = structlog.get_logger("aimass.monitoring")
_PAUSES_S = (1.0, 2.0, 5.0, 15.0, 60.0)
_CLOSED, _OPEN = ".seg", ".open"


@dataclass(slots=True)
class _Trouble:
    tries: int = 0
    not_before: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Segment:
    kind: str
    worker: str
    path: Path

    @property
    def number(self) -> int:
        return int(self.path.stem)


class Collector(Part):
    """Takes closed segments, oldest first within each worker. An idle turn only lists the folders."""

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        self._one = threading.Lock()
        self._trouble: dict[tuple[str, str], _Trouble] = {}

    def run_once(self) -> int:
        """Take every closed segment; return how many were taken."""
        with self._one:
            layout = self._ground.layout
            taken = 0
            for kind, folder in (("records", layout.records), ("series", layout.series)):
                for worker, names in _waiting(folder):
                    taken += self._take_worker(kind, folder / worker, names)
            return taken

    def close_left(self) -> None:
        """Close every segment that no living worker holds, however young, so that the next turn takes it."""
        with self._one:
            for folder in (self._ground.layout.records, self._ground.layout.series):
                for worker, _ in _waiting(folder):
                    with suppress(FileNotFoundError):  # its worker came back meanwhile and closed it
                        recover(folder / worker)

    def _take_worker(self, kind: str, folder: Path, names: list[str]) -> int:
        if any(name.endswith(_OPEN) for name in names):
            self._adopt(folder, names)
        trouble = self._trouble.get((kind, folder.name))
        if trouble is not None and time.monotonic() < trouble.not_before:
            return 0
        taken = 0
        for name in sorted(name for name in names if name.endswith(_CLOSED)):
            if not self._try(_Segment(kind=kind, worker=folder.name, path=folder / name)):
                break
            taken += 1
        return taken

    def _adopt(self, folder: Path, names: list[str]) -> None:
        """Close what a worker left open that died and does not come back; a living one holds a lock on its file."""
        open_ = [folder / name for name in names if name.endswith(_OPEN)]
        ages = [self._ground.now().timestamp() - path.stat().st_mtime for path in open_ if path.exists()]
        if ages and min(ages) > self._settings.abandoned_s:
            recover(folder)

    def _try(self, segment: _Segment) -> bool:
        key = (segment.kind, segment.worker)
        try:
            self._take(segment)
        except (AimassError, OSError) as reason:
            trouble = self._trouble.setdefault(key, _Trouble())
            is_ours = isinstance(reason, AimassError) and not isinstance(reason, Unavailable)
            trouble.tries += is_ours
            trouble.not_before = time.monotonic() + _PAUSES_S[min(trouble.tries, len(_PAUSES_S) - 1)]
            _LOG.warning(
                "segment not taken", kind=segment.kind, worker=segment.worker, segment=segment.number, error=str(reason)
            )
            if trouble.tries >= self._settings.tries:
                self._set_aside(segment, str(reason))
                self._trouble.pop(key)
            return False
        self._trouble.pop(key, None)
        return True

    def _take(self, segment: _Segment) -> None:
        if segment.kind == "series":
            self._take_series(segment)
        else:
            self._take_records(segment)
        segment.path.unlink(missing_ok=True)

    def _take_records(self, segment: _Segment) -> None:
        with self._database.read() as conn:
            is_late = segment.number <= recorded.last_segment(conn, "records", segment.worker)
            policies = recorded.policies(conn)
        place = {"path": str(segment.path), "worker": segment.worker, "number": segment.number}
        where = {"lake": str(self._ground.layout.lake), "policies": policies, "late": is_late}
        told = self._call("commit:commit_segment", place | where)
        self._account(segment, told, is_late=is_late)
        for table in told["tables"]:
            self._ground.pulse.touch(table["workspace"], table["endpoint"])
            topic = f"{table['workspace']}/endpoint:{table['endpoint']}/records"
            self._ground.live.publish(topic, {"requests": table["requests"], "rows": table["rows"]})

    def _account(self, segment: _Segment, told: Mapping[str, Any], *, is_late: bool) -> None:
        """Add a segment to the counters, in one transaction with its number."""
        damage = [] if is_late else told["damage"]
        with self._database.change(SYSTEM, "*") as change:
            for table in told["tables"]:
                self._count(change, table | ({"repeated": 0} if is_late else {}))
            counts = {"frames": 0 if is_late else told["frames"], "damaged": len(damage)}
            recorded.note_segment(change, "records", segment.worker, segment.number, counts)
            recorded.note_damage(change, "records", segment.worker, segment.number, damage)

    def _count(self, change: Change, table: Mapping[str, Any]) -> None:
        self._need_endpoint(change, table["workspace"], table["endpoint"])
        recorded.count_commit(change, table, None if table["last"] is None else moment_of(table["last"]))
        for line in table["traffic"]:
            recorded.count_traffic(change, table, line, (moment_of(line["first"]), moment_of(line["last"])))
            if line["deployment"]:
                meet(change, _served(table, line), self._settings)

    def _take_series(self, segment: _Segment) -> None:
        found = read_increments(segment.path)
        with self._database.change(SYSTEM, "*") as change:
            if segment.number <= recorded.last_segment(change.conn, "series", segment.worker):
                return
            samples = {
                (series.id_of(change, name, dict(labels)), t): s for (name, labels, t), s in found.samples.items()
            }
            series.add(change, series.FINEST_S, samples)
            counts = {"frames": found.frames, "damaged": len(found.damage)}
            recorded.note_segment(change, "series", segment.worker, segment.number, counts)
            recorded.note_damage(change, "series", segment.worker, segment.number, found.damage)
        for workspace, endpoint in found.endpoints:
            self._ground.pulse.touch(workspace, endpoint)

    def _set_aside(self, segment: _Segment, reason: str) -> None:
        """Keep a segment that cannot be taken under another name, and say so; the next ones go on."""
        segment.path.rename(segment.path.with_suffix(".bad"))
        with self._database.change(SYSTEM, "*") as change:
            places = [{"offset": 0, "reason": f"set aside after {self._settings.tries} tries: {reason}"[:500]}]
            recorded.note_segment(change, segment.kind, segment.worker, segment.number, {"frames": 0, "damaged": 1})
            recorded.note_damage(change, segment.kind, segment.worker, segment.number, places)
        _LOG.error("segment set aside", kind=segment.kind, worker=segment.worker, segment=segment.number, error=reason)


def _waiting(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield each worker that has something, with the names of its files."""
    try:
        workers = sorted(os.listdir(folder))  # noqa: PTH208 twice a second: names are enough
    except FileNotFoundError:
        return
    for worker in workers:
        try:
            names = os.listdir(folder / worker)  # noqa: PTH208 the same
        except (NotADirectoryError, FileNotFoundError):
            continue
        if any(name.endswith((_CLOSED, _OPEN)) for name in names):
            yield worker, names


def _served(table: Mapping[str, Any], line: Mapping[str, Any]) -> Served:
    return Served(
        workspace=table["workspace"],
        endpoint=table["endpoint"],
        deployment=line["deployment"],
        revision=line["revision"],
        model=line["model"],
        model_version=line["version"],
    )
