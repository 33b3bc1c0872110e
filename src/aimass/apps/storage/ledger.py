"""The ledger of erasures: what was asked for, sealed, in a file beside the database, so that no restore forgets it."""

from __future__ import annotations

import fcntl
import os
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from aimass.infra.secrets import Secrets
from aimass.kernel.clock import instant, parse_instant
from aimass.kernel.erasing import Person
from aimass.kernel.errors import Failed, Invalid, Unavailable

_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One erasure as it was asked for; ``sealed`` holds the values, and who opens it needs the master key."""

    id: str
    workspace: str
    column: str | None
    by: str
    by_name: str
    asked_at: datetime
    sealed: str


def seal(secrets: Secrets, erasure: str, values: Iterable[str]) -> str:
    """Seal the values of an erasure; they open for this erasure alone."""
    return b64encode(secrets.seal(orjson.dumps(list(values)), about=_about(erasure))).decode()


def unseal(secrets: Secrets, erasure: str, sealed: str) -> tuple[str, ...]:
    """Return the values of an erasure.

    Raises
    ------
    Failed
        The master key is gone, or the ledger was changed.
    """
    return tuple(orjson.loads(secrets.unseal(b64decode(sealed), about=_about(erasure))))


def person_of(secrets: Secrets, asked: Asked) -> Person:
    """Return whom an erasure is about."""
    values = unseal(secrets, asked.id, asked.sealed)
    return Person(erasure=asked.id, values=values, workspace=asked.workspace, column=asked.column)


def _about(erasure: str) -> str:
    return f"erasure:{erasure}"


class Ledger:
    """Erasures, one a line, in the order in which they were asked for; a line never changes.

    Parameters
    ----------
    path
        The ledger of a data directory.
    copy
        A second file, on another disk, to which each line goes as well.
    """

    def __init__(self, path: Path, copy: Path | None = None) -> None:
        self.path = path
        self._files = (path,) if copy is None else (path, copy)

    def entries(self) -> list[Asked]:
        """Return every erasure of the ledger; a line that was cut off by a crash is none."""
        return list(read_ledger(self.path))

    def add(self, asked: Iterable[Asked]) -> int:
        """Write erasures that the ledger does not have yet, and bring them to the disk; return how many those were.

        Raises
        ------
        Unavailable
            A file cannot be written; those before it have the erasures.
        """
        wanted = list(asked)
        try:
            return max(_append(file, wanted) for file in self._files)
        except OSError as reason:
            raise Unavailable(
                f"the list of erasures cannot be written: {reason.strerror or reason}",
                hint="free some space, or look at AIMASS_STORAGE_LEDGER_COPY; what was asked for is carried out all the same",
            ) from reason


def read_ledger(path: Path) -> Iterator[Asked]:
    """Yield the erasures of a file; a line that a crash cut off is passed over.

    Raises
    ------
    Failed
        A newer version wrote a line: passing it over would let somebody come back.
    """
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            told = orjson.loads(line)
        except ValueError:
            continue
        if not isinstance(told, dict) or "format" not in told:
            continue
        if told["format"] != _FORMAT:
            raise Failed(
                f"the list of erasures {path.name!r} has a line of format {told['format']!r}",
                value=told["format"],
                allowed=_FORMAT,
                hint="use the version that wrote it",
            )
        yield _asked(told)


def find_ledger(place: Path, name: str) -> Path:
    """Return the ledger that somebody names: the file itself, or the data directory or backup that has one.

    Raises
    ------
    Invalid
        There is none.
    """
    path = place / name if place.is_dir() else place
    if not path.is_file():
        raise Invalid(f"there is no list of erasures in {str(place)!r}", value=str(place), hint=f"it is called {name}")
    return path


def _asked(told: dict[str, Any]) -> Asked:
    values = {name: told[name] for name in ("id", "workspace", "column", "by", "by_name", "sealed")}
    return Asked(asked_at=parse_instant(told["asked_at"]), **values)


def _line(one: Asked) -> bytes:
    told = {name: getattr(one, name) for name in ("id", "workspace", "column", "by", "by_name", "sealed")}
    return orjson.dumps({"format": _FORMAT, **told, "asked_at": instant(one.asked_at)}) + b"\n"


def _append(file: Path, wanted: list[Asked]) -> int:
    file.parent.mkdir(parents=True, exist_ok=True)
    with _held(file) as descriptor:
        known = {one.id for one in read_ledger(file)}
        lines = [_line(one) for one in wanted if one.id not in known]
        rest = memoryview(_before(file) + b"".join(lines)) if lines else memoryview(b"")
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        if lines:
            os.fsync(descriptor)
        return len(lines)


def _before(file: Path) -> bytes:
    """Return what ends a line that was cut off, so that the next one stands alone."""
    text = file.read_bytes()
    return b"" if not text or text.endswith(b"\n") else b"\n"


@contextmanager
def _held(file: Path) -> Iterator[int]:
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def reseal(asked: Asked, secrets: Secrets, old: Secrets | None) -> Asked:
    """Return an erasure sealed for a platform that may have other master keys than the one that was asked.

    Raises
    ------
    Failed
        Neither has the master key of the erasure.
    """
    try:
        unseal(secrets, asked.id, asked.sealed)
    except Failed as reason:
        if old is None:
            raise Failed(
                f"erasure {asked.id} cannot be opened: {reason.message}",
                hint="name the data directory that the ledger comes from: its keys are in it",
            ) from reason
        return replace(asked, sealed=seal(secrets, asked.id, unseal(old, asked.id, asked.sealed)))
    return asked
