"""What every blob store does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol, runtime_checkable


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """Some bytes: their SHA-256 (64 hex letters), their size in bytes, and when they were put or touched last."""

    sha256: str
    size: int
    put_at: datetime = field(compare=False)


@runtime_checkable
class Blobs(Protocol):
    """Keeps bytes by their SHA-256; the same bytes twice are one blob; a blob never changes.

    Whoever stores the hash of a blob puts the blob, or touches it, before he commits: a blob that nobody names is
    collected once it was neither put nor touched for the grace period.
    """

    def put(self, data: bytes | Iterable[bytes]) -> Blob:
        """Store bytes or a stream of them, completely or not at all.

        Raises
        ------
        Unavailable
            The store is full; nothing was kept.
        """
        ...

    def open(self, sha256: str) -> BinaryIO:
        """Open a blob for reading; raise NotFound when it is missing."""
        ...

    def path(self, sha256: str) -> Path:
        """Return a local file with the bytes, for children; raise NotFound when it is missing."""
        ...

    def exists(self, sha256: str) -> bool:
        """Tell whether the blob is there."""
        ...

    def size(self, sha256: str) -> int:
        """Return the size in bytes; raise NotFound when it is missing."""
        ...

    def touch(self, sha256: str) -> None:
        """Let a blob count as just put, because something names it anew; raise NotFound when it is missing."""
        ...

    def remove(self, sha256: str) -> None:
        """Forget a blob; a missing one is no error."""
        ...

    def remove_older(self, sha256: str, moment: datetime) -> bool:
        """Forget a blob that was neither put nor touched since a moment; tell whether it went.

        A put or touch of the same blob at the same time, by whatever process, either comes first and keeps it, or finds it
        gone: a put then stores it again, a touch raises NotFound.
        """
        ...

    def remove_broken(self, moment: datetime) -> int:
        """Remove what puts left that broke off before a moment; return the bytes."""
        ...

    def verify(self, sha256: str) -> bool:
        """Tell whether the bytes still have their hash."""
        ...

    def list(self) -> Iterator[Blob]:
        """Yield every blob."""
        ...
