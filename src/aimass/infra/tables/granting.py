"""How a child learns where tables lie: what it is told holds the key of the store, and goes through the pipe of secrets alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aimass.infra.objects import Bucket, ObjectStoreSettings, Place
from aimass.infra.tables.mounts import mount
from aimass.infra.tables.objects import ObjectTables

_KEY = "tables"
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class TablesGrant:
    """What a child is told so that it finds the tables; nothing where they lie in folders."""

    told: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)


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
            _KEY: {
                "root": str(root),
                "bucket": place.bucket,
                "prefix": place.prefix,
                "settings": {**settings.handed(), "cache_mib": settings.cache_mib},
            }
        }
    )


def accept(secrets: Mapping[str, Any]) -> dict[str, Any]:
    """Let the tables of this process lie where it was told, if it was; return the other secrets."""
    grant = secrets.get(_KEY)
    if grant is not None:
        root, settings = Path(grant["root"]), ObjectStoreSettings(**grant["settings"])
        mount(root, open_tables(root, Place(grant["bucket"], grant["prefix"]), settings))
    return {name: value for name, value in secrets.items() if name != _KEY}
