"""Places of tables in object stores, as settings name them and as a child is told of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aimass.infra.objects import Bucket, ObjectStoreSettings, Place
from aimass.infra.tables.grants import KEY, TablesGrant
from aimass.infra.tables.mounts import mount
from aimass.infra.tables.objects import ObjectTables

_MIB = 1 << 20


def open_tables(root: Path, place: Place, settings: ObjectStoreSettings) -> ObjectTables:
    """Return the place of tables in an object store; nothing is asked of the store yet."""
    return ObjectTables(root, Bucket(place, settings), settings.delta(), int(settings.cache_mib * _MIB))


def granted(root: Path, place: Place, settings: ObjectStoreSettings) -> TablesGrant:
    """Return what a child is told; it holds secrets.

    Examples
    --------
    >>> settings = ObjectStoreSettings(key_id="id", secret="word", region="eu")
    >>> granted(Path("/srv/lake"), Place("company", "lake"), settings)
    TablesGrant()
    """
    return TablesGrant(
        {
            KEY: {
                "root": str(root),
                "bucket": place.bucket,
                "prefix": place.prefix,
                "settings": {**settings.handed(), "cache_mib": settings.cache_mib},
            }
        }
    )


def mount_told(told: Mapping[str, Any]) -> None:
    """Mount the place that a process was told of."""
    root, settings = Path(told["root"]), ObjectStoreSettings(**told["settings"])
    mount(root, open_tables(root, Place(told["bucket"], told["prefix"]), settings))
