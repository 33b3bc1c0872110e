"""What a backup says about itself: who wrote it, when, from which schema, and the hash of every file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import orjson

from aimass._version import __version__
from aimass.kernel.errors import Conflict, Invalid

NAME = "manifest.json"
PLATFORM = "platform"
DATABASES = "databases"
FORMAT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What a file of a backup has to be."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A backup's own description.

    ``schema`` is the newest migration of its database; ``engine`` tells what the platform ran on. ``covers`` is the whole
    platform, or its databases alone: of a copy that was made before an upgrade, whose other files are those of the data
    directory that it lies in.
    """

    created_at: str
    schema: str
    engine: str
    files: Mapping[str, Fact]
    version: str = __version__
    covers: str = PLATFORM
    format: int = field(default=FORMAT)

    @property
    def size_bytes(self) -> int:
        """Return how much all files take."""
        return sum(fact.size for fact in self.files.values())


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write it as the last file of a backup: a folder without one is no backup."""
    part = folder / f"{NAME}.part"
    with part.open("wb") as file:
        file.write(orjson.dumps(asdict(manifest), option=orjson.OPT_INDENT_2))
        file.flush()
        os.fsync(file.fileno())
    part.replace(folder / NAME)


def read_manifest(folder: Path, known: frozenset[str]) -> Manifest:
    """Read what a backup says about itself.

    Parameters
    ----------
    folder
        The backup.
    known
        Schemas that this installation can read.

    Raises
    ------
    Invalid
        The folder is no backup, or its description is damaged.
    Conflict
        The backup was written by a newer version.
    """
    told = _told(folder)
    _refuse_newer(told, known)
    try:
        files = {name: Fact(**fact) for name, fact in told.pop("files").items()}
        manifest = Manifest(files=files, **told)
    except (TypeError, KeyError, AttributeError) as reason:
        raise _damaged(reason) from reason
    for name in manifest.files:
        if not name or name.startswith("/") or ".." in PurePosixPath(name).parts:
            raise Invalid(f"the backup names a file outside its folder: {name!r}", value=name)
    return manifest


def _told(folder: Path) -> dict[str, Any]:
    path = folder / NAME
    if not path.is_file():
        raise Invalid(
            f"{str(folder)!r} holds no complete backup",
            value=str(folder),
            hint=f"a complete one has a {NAME}; was it cut off while it was written?",
        )
    try:
        told = orjson.loads(path.read_bytes())
    except ValueError as reason:
        raise _damaged(reason) from reason
    if not isinstance(told, dict):
        raise _damaged("it is no object")
    return told


def _damaged(reason: object) -> Invalid:
    return Invalid(f"{NAME} of the backup is damaged: {reason}", hint="restore an earlier backup")


def _refuse_newer(told: Mapping[str, Any], known: frozenset[str]) -> None:
    number, schema = told.get("format"), told.get("schema")
    is_newer = isinstance(number, int) and number > FORMAT
    if is_newer or (isinstance(schema, str) and schema not in known):
        raise Conflict(
            f"the backup was written by a newer version, AI Mass {told.get('version')} (schema {schema!r}); "
            f"this is {__version__}",
            value=schema,
            allowed=sorted(known),
            hint="install that version, or restore an earlier backup",
        )
