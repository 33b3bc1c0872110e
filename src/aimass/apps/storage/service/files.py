"""The files that belong to no room alone: blobs, the database, logs, copies before upgrades."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import text

from aimass.apps.storage.settings import StorageSettings
from aimass.infra.blobs import Blob, Blobs
from aimass.infra.database import Database
from aimass.kernel.keeping import Going, Holding, needed
from aimass.kernel.layout import DataDir
from aimass.kernel.principal import ANYWHERE
from aimass.kernel.registry import Registry

UNNAMED = "unnamed files"
_LAST = "inputs of jobs"  # what a job works with is something else's as well, most often
_RULES = {
    "model packages": "a package is kept while a version or a deployment names it",
    "packages that serve": "a package is kept while a version or a deployment names it",
    "files of runs": "files of a run are kept with the run",
    "splits": "a split is kept with the runs that it was made for",
    _LAST: "what a job works with is kept until it has ended",
}
_DATABASE = "the platform's own facts are kept; events and audit entries for ever"
_LOGS = "logs are begun anew at {:g} MiB, the one before is kept; those of ended processes for {:g} days"
_COPIES = "of the copies of the database from before upgrades, the newest three are kept"


class Files:
    """What takes room on the disk, and what of it nobody needs."""

    def __init__(self, registry: Registry, settings: StorageSettings) -> None:
        self._registry = registry
        self._settings = settings
        self._layout = registry.get(DataDir)
        self._database = registry.get(Database)
        self._blobs = registry.get(Blobs)
        self._rules = {
            **_RULES,
            UNNAMED: f"a file that nothing names goes {settings.grace_h:g} hours after it was stored",
        }

    def holdings(self) -> tuple[list[Holding], int]:
        """Return how much blobs of each kind, the database and logs take, and how many blobs are missing."""
        kinds = self._kinds()
        found: dict[str, list[int]] = {}
        there = 0
        for blob in self._blobs.list():
            there += blob.sha256 in kinds
            counted = found.setdefault(kinds.get(blob.sha256, UNNAMED), [0, 0])
            counted[0] += 1
            counted[1] += blob.size
        blobs = [
            Holding(part=what, count=n, size_bytes=size, rule=self._rule(what)) for what, (n, size) in found.items()
        ]
        return [*blobs, self._facts(), self._logs(), *self._copies()], len(kinds) - there

    def _rule(self, what: str) -> str:
        return self._rules.get(what, f"kept while the {what} are")

    def _kinds(self) -> dict[str, str]:
        """Return what kind of thing each needed blob is; where several rooms name one, the first that it belongs to."""
        last: dict[str, str] = {}
        kinds: dict[str, str] = {}
        for one in needed(self._registry):
            (last if one.what == _LAST else kinds).setdefault(one.sha256, one.what)
        return {**last, **kinds}

    def _facts(self) -> Holding:
        files = [
            self._layout.root / f"{name}{end}" for name in ("aimass.db", "workflows.db") for end in ("", "-wal", "-shm")
        ]
        size = sum(_size(file) for file in files)
        if not self._database.is_sqlite:
            with self._database.read() as conn:
                size = int(conn.execute(text("select pg_database_size(current_database())")).scalar_one())
        return Holding(part="database", size_bytes=size, count=1, rule=_DATABASE)

    def _logs(self) -> Holding:
        files = [file for file in self._layout.logs.rglob("*") if file.is_file()]
        rule = _LOGS.format(self._settings.log_mib, self._settings.keep_logs_days)
        return Holding(part="logs", size_bytes=sum(map(_size, files)), count=len(files), rule=rule)

    def _copies(self) -> Iterator[Holding]:
        files = [file for file in (self._layout.root / "backups").rglob("*") if file.is_file()]
        if files:
            yield Holding(part="copies", size_bytes=sum(map(_size, files)), count=len(files), rule=_COPIES)

    # -- what goes

    @property
    def _grace(self) -> timedelta:
        return timedelta(hours=self._settings.grace_h)

    def going(self) -> list[Going]:
        """Return the blobs that nothing names, those of one hour together, and old logs."""
        kinds = self._kinds()
        hours: dict[datetime, list[Blob]] = {}
        for blob in self._blobs.list():
            if blob.sha256 not in kinds:
                goes_at = blob.put_at + self._grace
                hours.setdefault(goes_at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1), []).append(
                    blob
                )
        return [*(self._unnamed(blobs, hour) for hour, blobs in hours.items()), *map(self._old_log, self._ended_logs())]

    def purge(self) -> list[Going]:
        """Remove the blobs that nobody needs and nobody stored of late, what broken uploads left, and old logs."""
        now = self._database.clock.now()
        before = now - self._grace
        old = [blob for blob in self._blobs.list() if blob.put_at < before]
        kinds = self._kinds()  # asked after the list: whoever names a blob from now on stores or touches it first
        unneeded = [blob for blob in old if blob.sha256 not in kinds]
        gone = [blob for blob in unneeded if self._blobs.remove_older(blob.sha256, before)]
        broken = self._blobs.remove_broken(before)
        found = [self._unnamed(gone, now)] if gone else []
        if broken:
            found.append(self._broken(broken, now))
        return [*found, *self._purge_logs(now)]

    def _unnamed(self, blobs: Iterable[Blob], at: datetime) -> Going:
        found = list(blobs)
        return Going(
            kind="unnamed file",
            name="" if len(found) > 1 else found[0].sha256[:12],
            workspace=ANYWHERE,
            since=min(blob.put_at for blob in found),
            goes_at=at,
            rule=self._rules[UNNAMED],
            size_bytes=sum(blob.size for blob in found),
            count=len(found),
        )

    def _broken(self, size: int, now: datetime) -> Going:
        rule, since = self._rules[UNNAMED], now - self._grace
        return Going(
            kind="broken upload", name="", workspace=ANYWHERE, since=since, goes_at=now, rule=rule, size_bytes=size
        )

    def _ended_logs(self) -> Iterator[Path]:
        """Yield the logs of workers of revisions; those of the platform's own processes are begun anew instead."""
        yield from self._layout.logs.glob("worker-*.log")

    def _old_log(self, path: Path) -> Going:
        since = _written_at(path)
        return Going(
            kind="log",
            name=path.name,
            workspace=ANYWHERE,
            since=since,
            goes_at=since + timedelta(days=self._settings.keep_logs_days),
            rule=_LOGS.format(self._settings.log_mib, self._settings.keep_logs_days),
            size_bytes=_size(path),
        )

    def _purge_logs(self, now: datetime) -> list[Going]:
        gone = [going for going in map(self._old_log, self._ended_logs()) if going.goes_at <= now]
        for going in gone:
            (self._layout.logs / going.name).unlink(missing_ok=True)
        for path in self._layout.logs.glob("*.log"):
            if _size(path) > self._settings.log_mib * 2**20:
                _begin_anew(path)
        return gone


def _begin_anew(path: Path) -> None:
    """Keep a log as the one before and empty it; its process goes on writing at the end of the same file."""
    shutil.copyfile(path, path.with_suffix(".log.1"))
    with path.open("r+b") as file:
        file.truncate(0)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _written_at(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)
