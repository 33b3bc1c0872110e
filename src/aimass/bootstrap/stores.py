"""Where blobs and tables lie: in the data directory, or in object stores that ``AIMASS_BLOBS`` and ``AIMASS_LAKE`` name."""

from __future__ import annotations

from pathlib import Path

from aimass.bootstrap.settings import PlatformSettings
from aimass.infra.blobs import BlobCache, Blobs, FolderBlobs, ObjectBlobs
from aimass.infra.objects import Bucket, ObjectStoreSettings, check_bucket, claim, claimed, parse_place
from aimass.infra.tables import LOG, ObjectTables, TablesGrant, granted, open_tables
from aimass.kernel.clock import Clock, SystemClock
from aimass.kernel.errors import Conflict
from aimass.kernel.keeping import needed
from aimass.kernel.layout import DataDir
from aimass.kernel.registry import Registry

SETTING, LAKE = "AIMASS_BLOBS", "AIMASS_LAKE"
_MIB = 1 << 20
_MOVE = "move them by a backup and a restore"


def claim_file(layout: DataDir) -> Path:
    """Return where a platform keeps which place in an object store is its own."""
    return layout.run / "blobs.json"


def open_bucket(address: str) -> Bucket:
    """Return the place that an address names; nothing is asked of the store yet."""
    return Bucket(parse_place(address, SETTING), ObjectStoreSettings())


def open_blobs(settings: PlatformSettings, clock: Clock | None = None) -> Blobs:
    """Return the blob store of a platform; nothing is asked of an object store yet."""
    layout, clock = DataDir(settings.data_dir), clock or SystemClock()
    if not settings.blobs:
        return FolderBlobs(layout.blobs, clock)
    budget = int(ObjectStoreSettings().cache_mib * _MIB)
    return ObjectBlobs(open_bucket(settings.blobs), BlobCache(layout.cache / "blobs", budget, clock), clock)


def settle(blobs: Blobs, layout: DataDir) -> None:
    """See at the start that the blobs of this platform are where the settings say, and that it can rely on the store.

    Raises
    ------
    Conflict
        The blobs lie elsewhere, or the place belongs to another platform.
    Unavailable
        The store does not answer, or does not keep conditions of puts.
    """
    elsewhere = claimed(claim_file(layout))
    if not isinstance(blobs, ObjectBlobs):
        if elsewhere:
            raise Conflict(
                f"this platform keeps its blobs in {elsewhere}, and {SETTING} is not set",
                value=elsewhere,
                hint=f"set {SETTING}={elsewhere}, or {_MOVE}",
            )
        return
    if not elsewhere and next(FolderBlobs(layout.blobs).list(), None) is not None:
        raise Conflict(
            f"the blobs of this platform lie in {str(layout.blobs)!r}, not in {blobs.bucket.place}",
            value=str(blobs.bucket.place),
            hint=f"leave {SETTING} unset, or {_MOVE}",
        )
    check_bucket(blobs.bucket)
    claim(blobs.bucket, claim_file(layout))


def lake_file(layout: DataDir) -> Path:
    """Return where a platform keeps which place of tables in an object store is its own."""
    return layout.run / "lake.json"


def open_lake(settings: PlatformSettings) -> ObjectTables | None:
    """Return the place of the tables in an object store; None where they lie in the data directory."""
    if not settings.lake:
        return None
    return open_tables(DataDir(settings.data_dir).lake, parse_place(settings.lake, LAKE), ObjectStoreSettings())


def grant_of(settings: PlatformSettings) -> TablesGrant:
    """Return what children that work on tables are told."""
    if not settings.lake:
        return TablesGrant()
    return granted(DataDir(settings.data_dir).lake, parse_place(settings.lake, LAKE), ObjectStoreSettings())


def settle_lake(settings: PlatformSettings, layout: DataDir) -> None:
    """See at the start that the tables of this platform are where the settings say, and that it can rely on the store.

    Raises
    ------
    Conflict
        The tables lie elsewhere, or the place belongs to another platform.
    Unavailable
        The store does not answer, or does not keep conditions of puts.
    """
    elsewhere, tables = claimed(lake_file(layout)), open_lake(settings)
    if tables is None:
        if elsewhere:
            raise Conflict(
                f"this platform keeps its tables in {elsewhere}, and {LAKE} is not set",
                value=elsewhere,
                hint=f"set {LAKE}={elsewhere}, or {_MOVE}",
            )
        return
    if not elsewhere and next(layout.lake.glob(f"*/**/{LOG}"), None) is not None:
        raise Conflict(
            f"the tables of this platform lie in {str(layout.lake)!r}, not in {tables.bucket.place}",
            value=str(tables.bucket.place),
            hint=f"leave {LAKE} unset, or {_MOVE}",
        )
    check_bucket(tables.bucket)
    claim(tables.bucket, lake_file(layout), "tables")


def keep_copies_in_use(registry: Registry) -> None:
    """Let local copies stay that open jobs name."""
    blobs = registry.get(Blobs)
    if isinstance(blobs, ObjectBlobs):
        blobs.cache.named = lambda: {one.sha256 for one in needed(registry) if one.is_laid_out}
