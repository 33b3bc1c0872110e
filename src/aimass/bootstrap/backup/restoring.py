"""Lay a backup into an empty data directory, verify it there, and only then let it be one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from aimass.access import Access
from aimass.bootstrap.backup.erasures import replay
from aimass.bootstrap.carrying.blobs import blobs_to_files, filled_store, require_free_store
from aimass.bootstrap.carrying.engines import filled_server, require_empty_server
from aimass.bootstrap.carrying.files import Told, add, clear_errors, copy, data_of, require_room, size_of
from aimass.bootstrap.carrying.manifest import DATABASES, Fact, Manifest, read_manifest
from aimass.bootstrap.carrying.tables import filled_lake, require_free_lake, tables_to_files
from aimass.bootstrap.lock import lock_data_dir
from aimass.bootstrap.platform import declare_tables, open_platform
from aimass.bootstrap.schema import known_schemas
from aimass.bootstrap.settings import PlatformSettings
from aimass.bootstrap.stores import claim_file, lake_file
from aimass.infra.collecting import nothing_goes
from aimass.infra.database import clear_errors as clear_database_errors
from aimass.infra.objects import claimed
from aimass.infra.search import Search
from aimass.infra.tables import is_copy
from aimass.kernel.durable import sync_folder
from aimass.kernel.errors import AimassError, Conflict, Invalid
from aimass.kernel.keeping import needed
from aimass.kernel.layout import DataDir
from aimass.models import Models

_log = structlog.get_logger("aimass.backup")
_FILES_SHARE = 0.7
_UNTOLD = "who was erased after the backup is not known here: name the data directory that it came from with --erasures"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """A platform that was restored."""

    data_dir: str
    files: int
    size_bytes: int
    created_at: str
    version: str
    audit_rows: int
    erasures: int | None

    def __str__(self) -> str:
        told = f"restored {self.files} files of {self.created_at}; audit log verified ({self.audit_rows} entries)"
        if self.erasures is None:
            return f"{told}; {_UNTOLD}"
        return f"{told}; {self.erasures} erasures that the backup did not know were carried out again"


def restore(source: Path, settings: PlatformSettings, told: Told, erasures: Path | None = None) -> Restored:
    """Restore a backup into an empty data directory, completely or not at all.

    A copy that was made before an upgrade is a backup too: what it does not hold is taken from the data directory that it
    lies in, which stays as it is, with the erasures that were asked for since.

    Everything is laid into a folder of its own inside the data directory and verified there. After a fault the data
    directory is as it was; after a kill it is refused by everybody but the next restore, which begins again.

    Raises
    ------
    Invalid
        A file of the backup is missing or damaged.
    Conflict
        The data directory or the database holds something, the backup is of a newer version, or its audit log does not
        verify.
    """
    manifest = read_manifest(source, known_schemas())
    origin = _origin(source, manifest)
    declare_tables()
    if settings.database:
        require_empty_server(settings.database)
    require_free_store(settings)
    require_free_lake(settings)
    with clear_errors("the restore"), _empty_place(settings.data_dir) as place:
        more = size_of(origin) if origin is not None else 0
        require_room(settings.data_dir, manifest.size_bytes + more, "the restore")
        _lay(source, place, manifest, told)
        files = manifest.files if origin is None else {**manifest.files, **_laid_from(origin, settings, place, told)}
        rows = _verified_rows(place, settings)
        erased = replay(place, settings, erasures or _ledger_of(origin))
        _lay_out_packages(place, settings)
        with (
            filled_store(settings, place, told) if settings.blobs else nullcontext(),
            filled_lake(settings, place, told),
            filled_server(settings.database, place, told) if settings.database else nullcontext(),
        ):
            _install(place, settings)
    return Restored(
        data_dir=str(settings.data_dir),
        files=len(files),
        size_bytes=sum(fact.size for fact in files.values()),
        created_at=manifest.created_at,
        version=manifest.version,
        audit_rows=rows,
        erasures=erased,
    )


def _origin(source: Path, manifest: Manifest) -> Path | None:
    """Return the data directory that a copy of the databases alone belongs to."""
    if manifest.covers != DATABASES:
        return None
    root = source.absolute().parent.parent
    if not DataDir(root).keys.is_dir():
        raise Invalid(
            f"{str(source)!r} is a copy of the databases alone, and lies in no data directory",
            value=str(source),
            hint="leave it in the folder 'backups' of the data directory that was upgraded",
        )
    return root


def _ledger_of(origin: Path | None) -> Path | None:
    return origin if origin is not None and DataDir(origin).erasures.exists() else None


def _laid_from(origin: Path, settings: PlatformSettings, place: Path, told: Told) -> dict[str, Fact]:
    """Copy the files that the databases name from the data directory that they were copied from."""
    files, total, done = dict[str, Fact](), max(size_of(origin), 1), 0
    with nothing_goes(DataDir(origin).run):
        lake = claimed(lake_file(DataDir(origin)))
        for file in data_of(origin):
            if lake and file.is_relative_to(origin / "lake") and is_copy(file, origin / "lake"):
                continue
            fact = add(files, file, place, origin)
            done += fact.size if fact is not None else 0
            told(_FILES_SHARE * min(1.0, done / total), file.relative_to(origin).parts[0])
        store = claimed(claim_file(DataDir(origin)))
        if store:
            theirs = replace(settings, data_dir=origin, blobs=store)
            files.update(
                {f"blobs/{name}": fact for name, fact in blobs_to_files(theirs, place / "blobs", told).items()}
            )
        theirs = replace(settings, data_dir=origin, lake=lake)
        files.update({f"lake/{name}": fact for name, fact in tables_to_files(theirs, place / "lake", told).items()})
    return files


@contextmanager
def _empty_place(root: Path) -> Iterator[Path]:
    """Hold an empty data directory and give a folder in it; its removal is what makes the data directory one."""
    place, was_there = DataDir(root).restoring, root.exists()
    there = {path.name for path in root.iterdir()} if was_there else set[str]()
    if there - {"run"} and not place.exists():
        raise Conflict(f"{str(root)!r} is not empty", value=str(root), hint="restore into a new --data-dir")
    with lock_data_dir(root):
        try:
            _remove(root, keep={"run", place.name})  # what a restore left that was killed
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            yield place
            place.rmdir()
            sync_folder(root)
        except BaseException:
            _remove(root, keep={"run"} & there)
            if not was_there:
                root.rmdir()
            raise


def _remove(root: Path, keep: set[str]) -> None:
    """Remove what is in a data directory; the mark of an unfinished restore goes last."""
    mark = DataDir(root).restoring.name
    for path in sorted(root.iterdir(), key=lambda path: path.name == mark):
        if path.name in keep:
            continue
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _lay(source: Path, place: Path, manifest: Manifest, told: Told) -> None:
    done = 0
    for name, fact in manifest.files.items():
        copy(source / name, place / name, fact)
        done += fact.size
        told(_FILES_SHARE * done / max(manifest.size_bytes, 1), name.partition("/")[0])


def _verified_rows(place: Path, settings: PlatformSettings) -> int:
    """Open what was laid down, on the files alone; return the number of entries of its audit log."""
    with clear_database_errors(), closing(open_platform(settings.on_files(place))) as platform:
        platform.registry.get(Search).rebuild()  # a database of an older schema comes from a server without its words
        report = platform.registry.get(Access).inspect_audit()
    if not report.ok:
        raise Conflict(
            f"the audit log of the backup does not verify: row {report.broken_row}: {report.reason}",
            hint="restore an earlier backup",
        )
    return report.rows


def _lay_out_packages(place: Path, settings: PlatformSettings) -> None:
    """Unpack the packages that serve or that open jobs name: a backup holds them as blobs alone.

    One that was broken before the backup is broken here too, and its deployment says so; it keeps nobody from the rest.
    """
    with clear_database_errors(), closing(open_platform(settings.on_files(place))) as platform:
        models = platform.registry.get(Models)
        named = {found.sha256 for found in needed(platform.registry) if found.is_laid_out}
        for digest in named.intersection(models.digests()):
            try:
                models.package_folder(digest)
            except AimassError as reason:
                _log.warning("a package cannot be unpacked", digest=digest, error=reason.message)


def _install(place: Path, settings: PlatformSettings) -> None:
    """Move everything to where a platform looks for it."""
    here, there = DataDir(place), DataDir(settings.data_dir)
    if settings.database:
        for file in (here.database, here.workflows):
            file.unlink(missing_ok=True)
    for name in ("node-id", "administrator"):
        (here.run / name).touch()
        (here.run / name).replace(there.run / name)
    shutil.rmtree(here.run)
    shutil.rmtree(place / "backups", ignore_errors=True)  # the backup itself is the copy before an upgrade
    for path in sorted(place.iterdir()):
        path.replace(there.root / path.name)
