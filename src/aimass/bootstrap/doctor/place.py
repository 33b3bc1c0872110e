"""Where the platform lives: disk, data directory, keys, port, database."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from aimass.bootstrap.lock import lock_data_dir
from aimass.bootstrap.ports import check_port
from aimass.bootstrap.schema import known_schemas, newest_schema, present_schema
from aimass.bootstrap.settings import PlatformSettings
from aimass.bootstrap.stores import LAKE, SETTING, claim_file, lake_file, open_bucket, open_lake
from aimass.bootstrap.supervisor import require_whole
from aimass.bootstrap.waiting import answers
from aimass.infra.database import Database
from aimass.infra.objects import Bucket, check_bucket, claimed, clock_gap
from aimass.kernel.clock import SystemClock
from aimass.kernel.errors import AimassError
from aimass.kernel.findings import Finding, finding_of
from aimass.kernel.layout import DataDir

GROUND = (
    "rooms",
    "data directory",
    "keys",
    "database",
    "blobs",
)  # what has to be good before the rooms can look at their data
_LEAST_FREE_BYTES = 1 << 30
_MOST_GAP_S = 60.0
_NEW = "will be made at the first start"
_RESTORE = "restore the last backup: aimass restore"


def disk(settings: PlatformSettings) -> Finding:
    """Look at the room that is left."""
    place = settings.data_dir
    while not place.is_dir():
        place = place.parent
    free = shutil.disk_usage(place).free
    return Finding(
        name="disk",
        is_good=free > _LEAST_FREE_BYTES,
        detail=f"{free / 2**30:.1f} GiB free at {settings.data_dir}",
        hint="free some space (at least 1 GiB), or choose another --data-dir",
    )


def rights(settings: PlatformSettings) -> Finding:
    """Look whether this user may write, and whether the folder is a whole one."""
    root = settings.data_dir
    if not root.exists():
        return Finding(name="data directory", is_good=True, detail=f"{root} {_NEW}")
    require_whole(DataDir(root))
    good = root.is_dir() and os.access(root, os.R_OK | os.W_OK | os.X_OK)
    return Finding(
        name="data directory",
        is_good=good,
        detail=str(root) if good else f"{root} cannot be read and written by this user",
        hint="change its owner or rights",
    )


def keys(settings: PlatformSettings) -> Finding:
    """Look whether the keys are there, readable by this user and by nobody else."""
    layout = DataDir(settings.data_dir)
    if not layout.keys.exists():
        is_new = not layout.database.exists() and not settings.database
        detail = f"{layout.keys} {_NEW if is_new else 'is missing'}"
        return Finding(name="keys", is_good=is_new, detail=detail, hint=_RESTORE)
    if not layout.keys.is_dir() or not os.access(layout.keys, os.R_OK | os.X_OK):
        detail = f"{layout.keys} cannot be read by this user"
        return Finding(name="keys", is_good=False, detail=detail, hint="run as its owner, or change its owner")
    files = [layout.keys, *sorted(layout.keys.iterdir())]
    unread = [f"{file} cannot be read by this user" for file in files if not os.access(file, os.R_OK)]
    wide = [f"{file} can be read by others" for file in files if file.stat().st_mode & 0o077]
    hint = f"chmod -R go= {layout.keys}" if wide else "run as its owner, or change its owner"
    return finding_of("keys", str(layout.keys), unread + wide, hint)


def running(settings: PlatformSettings) -> Finding:
    """Look whether the platform runs and answers, or could start."""
    try:
        if (settings.data_dir / "run").exists():
            lock_data_dir(settings.data_dir).close()
    except AimassError:
        good = answers(settings, "/readyz")
        address = settings.url
        detail = f"runs at {address}" if good else f"runs, but does not answer at {address}"
        hint = f"read {settings.data_dir / 'logs'}, or name the --port that it was started with"
        return Finding(name="platform", is_good=good, detail=detail, hint=hint)
    check_port(settings.host, settings.port)
    return Finding(name="platform", is_good=True, detail=f"does not run; port {settings.port} is free")


def database(settings: PlatformSettings) -> Finding:
    """Look whether the database is sound, and of a version that this installation knows."""
    layout = DataDir(settings.data_dir)
    if not settings.database and not layout.database.exists():
        return Finding(name="database", is_good=True, detail=_NEW)
    files = [] if settings.database else [file for file in (layout.database, layout.workflows) if file.exists()]
    damaged = [told for told in (_damage(file) for file in files) if told]
    if damaged:
        return finding_of("database", "", damaged, _RESTORE)
    opened = Database(settings.database or f"sqlite:///{layout.database}")
    try:
        with opened.read() as conn:
            return _schema(present_schema(conn), opened.url.render_as_string(hide_password=True))
    finally:
        opened.close()


def blobs(settings: PlatformSettings) -> Finding:
    """Look whether the blob store answers, keeps the conditions of puts, and agrees about the time."""
    layout = DataDir(settings.data_dir)
    if not settings.blobs:
        elsewhere = claimed(claim_file(layout))
        faults = [f"they lie in {elsewhere}, and {SETTING} is not set"] if elsewhere else []
        return finding_of("blobs", str(layout.blobs), faults, f"set {SETTING}={elsewhere}")
    return _store("blobs", open_bucket(settings.blobs))


def lake(settings: PlatformSettings) -> Finding:
    """Look whether the store of the tables answers, keeps the conditions of puts, and agrees about the time."""
    layout, tables = DataDir(settings.data_dir), open_lake(settings)
    if tables is not None:
        return _store("tables", tables.bucket)
    elsewhere = claimed(lake_file(layout))
    faults = [f"they lie in {elsewhere}, and {LAKE} is not set"] if elsewhere else []
    return finding_of("tables", str(layout.lake), faults, f"set {LAKE}={elsewhere}")


def _store(what: str, bucket: Bucket) -> Finding:
    check_bucket(bucket)
    ahead = clock_gap(bucket, SystemClock()).total_seconds()
    faults = [f"the clock of {bucket.place} is {ahead:+.0f} s off this machine's"] if abs(ahead) > _MOST_GAP_S else []
    told = f"{bucket.place} answers and keeps the conditions of puts"
    return finding_of(what, told, faults, "let both machines take the time from a time server")


def _damage(file: Path) -> str:
    """Return what is wrong with a SQLite file; an empty text when nothing is."""
    try:
        with closing(sqlite3.connect(file.absolute().as_uri() + "?mode=ro", uri=True, timeout=5)) as opened:
            verdict = str(opened.execute("pragma quick_check(1)").fetchone()[0])
    except sqlite3.DatabaseError as reason:
        verdict = str(reason)
    return "" if verdict == "ok" else f"{file.name} is damaged: {verdict}"


def _schema(present: str | None, place: str) -> Finding:
    good, hint = present is None or present in known_schemas(), "install the version that wrote it"
    told = f"schema {present}" if present == newest_schema() else f"schema {present}, upgraded at the next start"
    if not good:
        told = f"written by a newer version (schema {present!r})"
    return Finding(name="database", is_good=good, detail=f"{place}, {_NEW if present is None else told}", hint=hint)
