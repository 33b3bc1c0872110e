"""A place in an object store belongs to one platform: two of them would take each other's files for nobody's."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from aimass.infra.objects.bucket import Bucket, Lost
from aimass.kernel.errors import Conflict, NotFound
from aimass.kernel.ids import new_id

_OWNER = "owner.json"


def claimed(file: Path) -> str:
    """Return the address of the place that a platform has claimed, by the file it keeps; empty for none."""
    return str(orjson.loads(file.read_bytes())["place"]) if file.exists() else ""


def claim(bucket: Bucket, file: Path, what: str = "blobs") -> None:
    """Make a place this platform's own, once.

    Parameters
    ----------
    file
        Where the platform keeps what it has claimed.
    what
        What it keeps there, in the words of people.

    Raises
    ------
    Conflict
        The place belongs to another platform, or holds something else.
    """
    place = str(bucket.place)
    kept = orjson.loads(file.read_bytes()) if file.exists() else None
    if kept is None:
        kept = {"place": place, "platform": new_id()}
        _write(file, kept)  # first, so that a start that is killed here finds its own claim
    if kept["place"] != place:
        raise Conflict(
            f"this platform keeps its {what} in {kept['place']}, not in {place}",
            value=place,
            allowed=kept["place"],
            hint="name that place, or move the platform by a backup and a restore",
        )
    try:
        owner = orjson.loads(bucket.get(_OWNER)[0])["platform"]
    except NotFound:
        owner = _settle(bucket, kept["platform"])
    if owner != kept["platform"]:
        if _is_new(file, kept):
            file.unlink()
        raise Conflict(
            f"{place} belongs to another platform",
            value=place,
            hint="name a prefix of its own for each platform; a restore needs an empty one",
        )
    _write(file, {**kept, "is_settled": True})


def release(bucket: Bucket, file: Path) -> None:
    """Give a place back that was claimed and never used."""
    bucket.remove(_OWNER)
    file.unlink(missing_ok=True)


def _settle(bucket: Bucket, platform: str) -> str:
    """Write the owner into an empty place; return who it is."""
    if next(bucket.list(), None) is not None:
        raise Conflict(
            f"{bucket.place} is not empty", value=str(bucket.place), hint="name a prefix where nothing lies yet"
        )
    try:
        bucket.put_new(_OWNER, orjson.dumps({"platform": platform}))
    except Lost:
        return str(orjson.loads(bucket.get(_OWNER)[0])["platform"])
    return platform


def _is_new(file: Path, kept: Mapping[str, Any]) -> bool:
    return file.exists() and not kept.get("is_settled")


def _write(file: Path, kept: Mapping[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    with part.open("wb") as written:
        written.write(orjson.dumps(kept))
        written.flush()
        os.fsync(written.fileno())
    part.replace(file)
