"""Tables of an object store in a backup: they lie in it like those of a folder, so a backup moves a platform either way."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aimass.bootstrap.carrying.blobs import written
from aimass.bootstrap.carrying.files import Told
from aimass.bootstrap.carrying.manifest import Fact
from aimass.bootstrap.settings import PlatformSettings
from aimass.bootstrap.stores import LAKE, lake_file, open_lake
from aimass.infra.objects import check_bucket, claim, claimed, release
from aimass.infra.tables import LOG, ObjectTables, TableFile, is_copy
from aimass.kernel.errors import Conflict, NotFound
from aimass.kernel.layout import DataDir


def require_free_lake(settings: PlatformSettings) -> None:
    """Refuse an object store that cannot be relied on, or a place in it where something lies that is not this platform's."""
    tables = open_lake(settings)
    if tables is None:
        return
    bucket = tables.bucket
    check_bucket(bucket)
    is_ours = claimed(lake_file(DataDir(settings.data_dir))) == str(bucket.place)
    if not is_ours and next(bucket.list(), None) is not None:
        raise Conflict(
            f"{bucket.place} is not empty",
            value=str(bucket.place),
            hint=f"name a prefix where nothing lies yet in {LAKE}",
        )


def tables_bytes(settings: PlatformSettings) -> int:
    """Return the bytes of the tables that lie outside the data directory."""
    tables = open_lake(settings)
    return 0 if tables is None else sum(file.size for file in tables.files(tables.root))


def tables_to_files(settings: PlatformSettings, target: Path, told: Told) -> dict[str, Fact]:
    """Copy the tables of an object store below a folder; return what was copied, by its path below it.

    The logs come first, as they are now, and then every data file: whatever a log names was there before it.
    """
    tables = open_lake(settings)
    if tables is None:
        return {}
    files = _copied(tables, [file for file in tables.files(tables.root) if _is_log(file)], target, told)
    return files | _copied(tables, [file for file in tables.files(tables.root) if not _is_log(file)], target, told)


def _copied(tables: ObjectTables, found: list[TableFile], target: Path, told: Told) -> dict[str, Fact]:
    files = dict[str, Fact]()
    for number, file in enumerate(found):
        try:
            files[file.name] = written(target / file.name, tables.read(file.name))
        except NotFound:
            continue  # removed meanwhile: no log that was copied needs it
        moment = file.at.timestamp()
        os.utime(target / file.name, (moment, moment))
        told((number + 1) / len(found), "lake")
    return files


def _is_log(file: TableFile) -> bool:
    return LOG in file.name.split("/")


@contextmanager
def filled_lake(settings: PlatformSettings, place: Path, told: Told) -> Iterator[None]:
    """Bring the tables of a restored folder into the object store of a platform; after a fault it is as it was."""
    tables, file = open_lake(settings), lake_file(DataDir(settings.data_dir))
    if tables is None:
        yield
        return
    claim(tables.bucket, file, "tables")
    was_empty = next(tables.bucket.list("tables"), None) is None
    try:
        _bring(DataDir(place).lake, tables, told)
        yield
    except BaseException:
        if was_empty:
            tables.clear(tables.root)
            release(tables.bucket, file)
        raise


def _bring(source: Path, tables: ObjectTables, told: Told) -> None:
    found = [file for file in sorted(source.rglob("*")) if file.is_file() and is_copy(file, source)]
    found.sort(key=lambda file: (LOG in file.parts, file.name == "_last_checkpoint"))
    for number, file in enumerate(found):
        tables.bucket.put(f"tables/{file.relative_to(source).as_posix()}", file)
        told((number + 1) / len(found), "lake")
    for log in [*source.rglob(LOG)]:
        shutil.rmtree(log.parent, ignore_errors=True)
