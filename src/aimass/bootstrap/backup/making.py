"""Write a backup into an empty folder, while the platform may go on running."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aimass._version import __version__
from aimass.bootstrap.carrying.blobs import blobs_to_files, stored_bytes
from aimass.bootstrap.carrying.engines import server_bytes, to_files
from aimass.bootstrap.carrying.files import (
    Told,
    add,
    clear_errors,
    data_of,
    fact_of,
    require_room,
    secrets_of,
    size_of,
)
from aimass.bootstrap.carrying.manifest import Fact, Manifest, write_manifest
from aimass.bootstrap.carrying.tables import tables_bytes, tables_to_files
from aimass.bootstrap.platform import declare_tables
from aimass.bootstrap.schema import schema_of_file
from aimass.bootstrap.settings import PlatformSettings
from aimass.infra.collecting import nothing_goes
from aimass.infra.tables import is_copy
from aimass.kernel.clock import SystemClock, instant
from aimass.kernel.errors import Conflict, Invalid, NotFound
from aimass.kernel.layout import DataDir

_DATABASES_SHARE = 0.3
_BLOBS_SHARE = 0.4  # where they come from an object store


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A backup that was written."""

    folder: str
    files: int
    size_bytes: int
    created_at: str
    version: str
    schema: str

    def __str__(self) -> str:
        return f"{self.files} files, {self.size_bytes / 2**20:.1f} MiB, written to {self.folder}"


def backup(settings: PlatformSettings, target: Path, told: Told) -> Made:
    """Write a backup; the platform may go on running.

    Parameters
    ----------
    settings
        The platform.
    target
        A folder that is new or empty, outside the data directory.
    told
        Called with a share of the whole and a note.
    """
    target = target.absolute()
    _require_platform(settings)
    if target.resolve().is_relative_to(settings.data_dir.resolve()):
        raise Invalid(
            f"{str(target)!r} lies in the data directory", value=str(target), hint="choose a folder elsewhere"
        )
    declare_tables()
    with clear_errors("the backup"), _new_folder(target), nothing_goes(DataDir(settings.data_dir).run):
        total = size_of(settings.data_dir)
        outside = (
            stored_bytes(settings)
            + tables_bytes(settings)
            + (server_bytes(settings.database) if settings.database else 0)
        )
        require_room(target, total + outside, "the backup")
        manifest = _write(settings, target, total, told)
        write_manifest(target, manifest)
    return Made(
        folder=str(target),
        files=len(manifest.files),
        size_bytes=manifest.size_bytes,
        created_at=manifest.created_at,
        version=manifest.version,
        schema=manifest.schema,
    )


def _require_platform(settings: PlatformSettings) -> None:
    layout = DataDir(settings.data_dir)
    if not layout.keys.is_dir() or not (settings.database or layout.database.exists()):
        raise NotFound(
            f"there is no platform in {str(layout.root)!r}",
            value=str(layout.root),
            hint="name its folder with --data-dir",
        )


@contextmanager
def _new_folder(target: Path) -> Iterator[None]:
    """Make the folder, readable by its owner alone; after a fault nothing of the backup is left."""
    is_new = not target.exists()
    if not is_new and (not target.is_dir() or any(target.iterdir())):
        raise Conflict(f"{str(target)!r} is not empty", value=str(target), hint="choose a new folder")
    target.mkdir(parents=True, exist_ok=True)
    target.chmod(0o700)
    try:
        yield
    except BaseException:
        for child in target.iterdir():
            shutil.rmtree(child) if child.is_dir() else child.unlink()
        if is_new:
            target.rmdir()
        raise


def _write(settings: PlatformSettings, target: Path, total: int, told: Told) -> Manifest:
    root, files = settings.data_dir, dict[str, Fact]()
    created = instant(SystemClock().now())
    for file in secrets_of(root):  # before the databases: the signed head beside them must not be newer than its rows
        add(files, file, target, root)
    to_files(settings, target, lambda share, note: told(_DATABASES_SHARE * share, note))
    for name in ("aimass.db", "workflows.db"):
        if (target / name).exists():
            files[name] = fact_of(target / name)
    done, begun = 0, _DATABASES_SHARE
    if settings.blobs:
        fetched = blobs_to_files(
            settings, target / "blobs", lambda share, note: told(_DATABASES_SHARE + _BLOBS_SHARE * share, note)
        )
        files.update({f"blobs/{name}": fact for name, fact in fetched.items()})
        begun += _BLOBS_SHARE
    for file in data_of(root):
        if settings.lake and file.is_relative_to(root / "lake") and is_copy(file, root / "lake"):
            continue
        fact = add(files, file, target, root)
        done += fact.size if fact is not None else 0
        share = min(1.0, done / max(total, 1))
        told(begun + (1 - begun) * share, file.relative_to(root).parts[0])
    fetched = tables_to_files(settings, target / "lake", lambda _, note: told(1.0, note))
    files.update({f"lake/{name}": fact for name, fact in fetched.items()})
    engine = "postgresql" if settings.database else "sqlite"
    return Manifest(
        created_at=created,
        schema=schema_of_file(target / "aimass.db"),
        engine=engine,
        files=files,
        version=__version__,
    )
