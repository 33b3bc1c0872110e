"""The files of a platform: which belong to a backup, in which order, and how they are copied."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import file_digest, sha256
from pathlib import Path

from aimass.bootstrap.carrying.manifest import Fact
from aimass.kernel.errors import AimassError, Invalid, Unavailable
from aimass.kernel.layout import DataDir

SPARE_BYTES = 64 << 20
_TREES = ("records", "push", "series", "jobs", "lake", "blobs")
_UNFINISHED = (".tmp", ".lock", ".part")
_OF_THE_MOMENT = ("process.json", "heartbeat", "lock")  # of a job: they name processes, which stay where they are
_CHUNK = 1 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

Told = Callable[[float, str], None]


def secrets_of(root: Path) -> Iterator[Path]:
    """Yield what is copied before the databases: keys, the name under which workflows are run, and the ledger of erasures."""
    yield from _below(root / "keys")
    for file in (root / "run" / "node-id", DataDir(root).erasures):
        if file.exists():
            yield file


def data_of(root: Path) -> Iterator[Path]:
    """Yield what is copied after the databases.

    Whatever they name was there before and never changes. Records and what was pushed come before the lake that takes them in, and the log of a
    Delta table before its files, so that a step that is made meanwhile is seen too early or completely, and never lost.
    """
    for tree in _TREES:
        yield from (file for file in _below(root / tree) if "_delta_log" in file.parts)
        yield from (file for file in _below(root / tree) if "_delta_log" not in file.parts)


def _below(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.rglob("*")) if folder.exists() else ():
        if file.suffix in _UNFINISHED or "incoming" in file.parts:
            continue
        if file.name in _OF_THE_MOMENT and file.parent.parent.name == "jobs":
            continue
        if file.is_file() and not file.is_symlink():
            yield file


def size_of(root: Path) -> int:
    """Return the bytes that a backup of this folder takes, about."""
    files = [*_below(root / "keys"), *(f for tree in _TREES for f in _below(root / tree)), *root.glob("*.db")]
    total = 0
    for file in files:
        try:
            total += file.stat().st_size
        except FileNotFoundError:
            continue
    return total


def copy(source: Path, target: Path, fact: Fact | None = None) -> Fact | None:
    """Copy a file to where nothing is, synced, with its rights and times; return what was copied.

    None for a file that went meanwhile, unless ``fact`` says what it has to be.

    Raises
    ------
    Invalid
        The file is not what ``fact`` says.
    """
    digest, size = sha256(), 0
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with source.open("rb") as old, target.open("wb") as new:
            while chunk := old.read(_CHUNK):
                digest.update(chunk)
                size += new.write(chunk)
            new.flush()
            os.fsync(new.fileno())
        shutil.copystat(source, target)
    except FileNotFoundError:
        found = None
    else:
        found = Fact(sha256=digest.hexdigest(), size=size)
    if fact is not None and found != fact:
        name = source.name
        raise Invalid(f"{name!r} of the backup is missing or damaged", value=name, hint="restore an earlier backup")
    return found


def add(files: dict[str, Fact], file: Path, target: Path, root: Path) -> Fact | None:
    """Copy a file of a data directory to its place in another folder, and note it; return what was copied."""
    name = file.relative_to(root).as_posix()
    fact = copy(file, target / name)
    if fact is not None:
        files[name] = fact
    return fact


def fact_of(path: Path) -> Fact:
    """Return what a file is."""
    with path.open("rb") as file:
        return Fact(sha256=file_digest(file, "sha256").hexdigest(), size=path.stat().st_size)


def require_room(place: Path, need: int, what: str) -> None:
    """Refuse to begin what the disk cannot hold."""
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < need + SPARE_BYTES:
        raise Unavailable(
            f"{what} needs {(need + SPARE_BYTES) / 2**20:.0f} MiB, {free / 2**20:.0f} MiB are free at {place}",
            hint="free some space, or choose another folder",
        )


@contextmanager
def clear_errors(what: str) -> Iterator[None]:
    """Say in one sentence what the operating system refused."""
    try:
        yield
    except OSError as reason:
        if isinstance(reason, AimassError):
            raise
        place = f" at {reason.filename!r}" if reason.filename else ""
        if reason.errno in _FULL:
            raise Unavailable(f"the disk is full: {what} was given up", hint="free some space and repeat") from reason
        raise Unavailable(
            f"{what} was given up: {reason.strerror}{place}", hint="look at the folder's rights"
        ) from reason
