"""Backup and restore: a snapshot of the database, then the blobs and Delta versions that it names.

The order makes it safe on a running platform: whatever the snapshot names was there before it was taken, and blobs and
data files never change. Delta logs are copied before their data files for the same reason.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from hashlib import file_digest
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import insert, select

from aimass._version import __version__
from aimass.access import Access
from aimass.bootstrap.lock import lock_data_dir
from aimass.bootstrap.platform import Platform, open_platform
from aimass.bootstrap.settings import PlatformSettings
from aimass.infra.database import Database, metadata
from aimass.kernel.clock import SystemClock, instant
from aimass.kernel.errors import Conflict, Invalid, Unavailable
from aimass.kernel.layout import DataDir

_MANIFEST = "manifest.json"
_TREES = ("blobs", "lake", "records", "series", "jobs")
_DATABASES = ("aimass.db", "workflows.db")
_SPARE_BYTES = 64 << 20


def backup(settings: PlatformSettings, target: Path) -> str:
    """Write a backup into an empty folder; the platform may go on running.

    Returns
    -------
    str
        A sentence with what was written.
    """
    if target.exists() and any(target.iterdir()):
        raise Conflict(f"{str(target)!r} is not empty", value=str(target), hint="choose a new folder")
    layout = DataDir(settings.data_dir)
    target.mkdir(parents=True, exist_ok=True)
    target.chmod(0o700)
    _check_space(layout.root, target)
    _copy_tree(layout, "keys", target)  # before the database: the signed head beside it must not be newer than its rows
    if settings.database:
        _dump(Database(settings.database), target / "tables")
    for name in _DATABASES:
        if (layout.root / name).exists():
            with (
                closing(sqlite3.connect(layout.root / name)) as source,
                closing(sqlite3.connect(target / name)) as copy,
            ):
                source.backup(copy)
    for tree in _TREES:
        _copy_tree(layout, tree, target)
    files = {str(f.relative_to(target)): _fact(f) for f in sorted(target.rglob("*")) if f.is_file()}
    manifest = {"format": 1, "version": __version__, "created_at": instant(SystemClock().now()), "files": files}
    (target / _MANIFEST).write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
    total = sum(fact["size"] for fact in files.values())
    return f"{len(files)} files, {total / 2**20:.1f} MiB, written to {target}"


def _copy_tree(layout: DataDir, tree: str, target: Path) -> None:
    for file in _ordered(layout.root / tree):
        _copy(file, target / file.relative_to(layout.root))


def restore(source: Path, settings: PlatformSettings) -> str:
    """Verify a backup, lay it into an empty data directory and verify the audit log.

    Raises
    ------
    Invalid
        A file of the backup is missing or damaged; nothing was restored.
    Conflict
        The data directory holds something, or the audit log does not verify.
    """
    manifest = _read_manifest(source)
    root = settings.data_dir
    if root.exists() and any(p.name != "run" for p in root.iterdir()):
        raise Conflict(f"{str(root)!r} is not empty", value=str(root), hint="restore into a new --data-dir")
    _verify(source, manifest["files"])
    with lock_data_dir(root):
        for name in manifest["files"]:
            if not name.startswith("tables/"):
                _copy(source / name, root / name)
        platform = open_platform(settings)
        try:
            if settings.database:
                _load(platform.registry.get(Database), source / "tables")
            return _verified(platform, manifest)
        finally:
            platform.close()


def _verified(platform: Platform, manifest: dict[str, Any]) -> str:
    report = platform.registry.get(Access).inspect_audit()
    if not report.ok:
        raise Conflict(
            f"the audit log of the backup does not verify: row {report.broken_row}: {report.reason}",
            hint="restore an earlier backup",
        )
    (DataDir(platform.settings.data_dir).run / "administrator").touch()
    return f"restored {len(manifest['files'])} files of {manifest['created_at']}; audit log verified ({report.rows} entries)"


def _read_manifest(source: Path) -> dict[str, Any]:
    path = source / _MANIFEST
    if not path.exists():
        raise Invalid(f"{str(source)!r} holds no backup", value=str(source), hint=f"a backup has a {_MANIFEST}")
    return orjson.loads(path.read_bytes())


def _verify(source: Path, files: dict[str, dict[str, Any]]) -> None:
    for name, fact in files.items():
        path = source / name
        if ".." in Path(name).parts or Path(name).is_absolute():
            raise Invalid(f"the backup names a file outside its folder: {name!r}", value=name)
        if not path.exists() or _fact(path) != fact:
            raise Invalid(f"{name!r} of the backup is missing or damaged", value=name, hint="restore an earlier backup")


def _ordered(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder, Delta logs first; what is still being written is left out."""
    files = [f for f in folder.rglob("*") if f.is_file() and not f.is_symlink()]
    kept = [f for f in files if f.suffix not in (".open", ".tmp", ".lock") and "incoming" not in f.parts]
    yield from sorted(kept, key=lambda f: ("_delta_log" not in f.parts, f))


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copy2(source, target)
    except FileNotFoundError:
        return  # collected meanwhile: the snapshot of the database does not need it
    with target.open("rb") as file:
        os.fsync(file.fileno())


def _fact(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"sha256": file_digest(file, "sha256").hexdigest(), "size": path.stat().st_size}


def _check_space(root: Path, target: Path) -> None:
    need = sum(f.stat().st_size for f in root.rglob("*") if f.is_file()) + _SPARE_BYTES
    free = shutil.disk_usage(target).free
    if free < need:
        raise Unavailable(
            f"the backup needs {need / 2**20:.0f} MiB, {free / 2**20:.0f} MiB are free", hint="free some space"
        )


def _dump(database: Database, folder: Path) -> None:
    """Write every table of a server database as JSON lines, in one transaction."""
    folder.mkdir()
    with database.read() as conn:
        for table in metadata.sorted_tables:
            with (folder / f"{table.name}.ndjson").open("wb") as file:
                for row in conn.execute(select(table)):
                    file.write(orjson.dumps(dict(row._mapping), option=orjson.OPT_APPEND_NEWLINE))  # noqa: SLF001 SQLAlchemy's public name
    database.close()


def _load(database: Database, folder: Path) -> None:
    with database.engine.begin() as conn:
        for table in metadata.sorted_tables:
            path = folder / f"{table.name}.ndjson"
            lines = path.read_bytes().splitlines() if path.exists() else []
            rows = [_typed(table, orjson.loads(line)) for line in lines]
            if rows:
                conn.execute(insert(table), rows)


def _typed(table: Any, row: dict[str, Any]) -> dict[str, Any]:
    times = {c.name for c in table.columns if type(c.type).__name__ == "Instant"}
    return {k: datetime.fromisoformat(v) if k in times and v is not None else v for k, v in row.items()}
