"""What every blob store does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, runtime_checkable


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """Some bytes: their SHA-256 (64 hex letters) and their size in bytes."""

    sha256: str
    size: int


@runtime_checkable
class Blobs(Protocol):
    """Keeps bytes by their SHA-256; the same bytes twice are one blob; a blob never changes."""

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

    def remove(self, sha256: str) -> None:
        """Forget a blob; a missing one is no error."""
        ...

    def verify(self, sha256: str) -> bool:
        """Tell whether the bytes still have their hash."""
        ...

    def list(self) -> Iterator[Blob]:
        """Yield every blob."""
        ...
