"""What is kept of jobs: files of ended ones for some time, their rows for longer, and no folder that nobody knows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson
import structlog
from sqlalchemy import Row

from aimass.cluster.service import Ground
from aimass.cluster.store import (
    forget_files,
    forget_jobs,
    jobs_with_files,
    known_jobs,
    payloads_of_open_jobs,
)
from aimass.infra.compute import KeptFiles
from aimass.kernel.errors import Conflict, NotFound
from aimass.kernel.keeping import Going, Holding
from aimass.kernel.principal import ANYWHERE, SYSTEM

_ORPHAN_DAYS = 1
_ORPHAN = "files that no job knows go after a day"
_BATCH = 500
_HASHES = re.compile(rb"(?<![0-9a-f])([0-9a-f]{2})/?([0-9a-f]{62})(?![0-9a-f])")
_log = structlog.get_logger("aimass.cluster")


class Kept:
    """What goes for good, and what is still needed."""

    def __init__(self, ground: Ground) -> None:
        self._database = ground.database
        self._compute = ground.compute
        self._settings = ground.settings

    @property
    def rule(self) -> str:
        """Say how long files of jobs are kept."""
        hours = (self._settings.keep_succeeded_h, self._settings.keep_failed_h)
        return "files of succeeded jobs are kept for {:g} hours, those of failed ones for {:g}".format(*hours)

    def holdings(self) -> list[Holding]:
        """Return how much the files of jobs take."""
        found = list(self._compute.kept())
        size = sum(files.size_bytes for files in found)
        return [Holding(part="job files", size_bytes=size, count=len(found), rule=self.rule)]

    def going(self) -> list[Going]:
        """Return what goes and when: files of jobs that end in the same hour together, and files that no job knows."""
        sizes = {files.job: files for files in self._compute.kept()}
        hours: dict[tuple[str, datetime], list[Row[Any]]] = {}
        for row in self._ended():
            hours.setdefault((row.workspace, _hour(self._goes_at(row))), []).append(row)
        ended = [self._together(workspace, hour, rows, sizes) for (workspace, hour), rows in hours.items()]
        return [*ended, *(_orphan(files) for files in self._orphans())]

    def purge(self) -> list[Going]:
        """Delete the files, and much later the rows, of jobs that have had their time."""
        now = self._database.clock.now()
        sizes = {files.job: files for files in self._compute.kept()}
        due = [row for row in self._ended() if self._goes_at(row) <= now]
        gone = [self._together(row.workspace, self._goes_at(row), [row], sizes) for row in due]
        for start in range(0, len(due), _BATCH):
            part = [row.id for row in due[start : start + _BATCH]]
            removed = [job for job in part if self._remove(job)]
            with self._database.change(SYSTEM, ANYWHERE) as change:
                forget_files(change, removed)
        with self._database.change(SYSTEM, ANYWHERE) as change:
            forget_jobs(change, now - timedelta(days=self._settings.keep_rows_days))
        orphans = [files for files in self._orphans() if _orphan(files).goes_at <= now]
        return [*gone, *(_orphan(files) for files in orphans if self._remove(files.job))]

    def named_blobs(self) -> Iterator[str]:
        """Yield every hash, and every hash in a path, in what jobs were given that wait, run or may be tried again."""
        with self._database.read() as conn:
            payloads = payloads_of_open_jobs(conn)
        for payload in payloads:
            yield from (b"".join(found).decode() for found in _HASHES.findall(orjson.dumps(payload)))

    def _ended(self) -> Sequence[Row[Any]]:
        with self._database.read() as conn:
            return jobs_with_files(conn)

    def _goes_at(self, row: Row[Any]) -> datetime:
        succeeded, failed = self._settings.keep_succeeded_h, self._settings.keep_failed_h
        return row.ended_at + timedelta(hours=succeeded if row.state == "SUCCEEDED" else failed)

    def _together(self, workspace: str, at: datetime, rows: list[Row[Any]], sizes: dict[str, KeptFiles]) -> Going:
        return Going(
            kind="job files",
            name="",
            workspace=workspace,
            since=min(row.ended_at for row in rows),
            goes_at=at,
            rule=self.rule,
            size_bytes=sum(sizes[row.id].size_bytes for row in rows if row.id in sizes),
            count=len(rows),
        )

    def _orphans(self) -> list[KeptFiles]:
        """Return files whose job is unknown: a crash, or a restored backup that is older than the job, left them."""
        found = list(self._compute.kept())
        with self._database.read() as conn:
            known = known_jobs(conn, [files.job for files in found])
        return [files for files in found if files.job not in known]

    def _remove(self, job: str) -> bool:
        try:
            self._compute.remove(job)
        except NotFound:
            _log.info("the files of a job were gone before", job=job)
        except Conflict:
            return False  # it still runs, or runs again
        return True


def _hour(moment: datetime) -> datetime:
    """Return the end of the hour, so that nothing is said to go before all of it does."""
    return moment.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


def _orphan(files: KeptFiles) -> Going:
    return Going(
        kind="job files",
        name=files.job,
        workspace=ANYWHERE,
        since=files.used_at,
        goes_at=files.used_at + timedelta(days=_ORPHAN_DAYS),
        rule=_ORPHAN,
        size_bytes=files.size_bytes,
    )
