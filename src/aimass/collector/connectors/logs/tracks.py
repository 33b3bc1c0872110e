"""Which log was read how far: by what stands in it, for names and inodes change when logs are rotated."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Any, Protocol

_ROTATED = re.compile(r"([.-]\d[\d.T_-]*)?(\.(gz|zst|bz2|xz))?$")
HEAD = 1024
TAIL = 256
MOST = 120


class Content(Protocol):
    """What a track is compared with: a log, unpacked."""

    path: str
    inode: int
    changed: float

    def span(self, start: int, stop: int) -> bytes:
        """Return bytes of it; fewer where it ends."""
        ...


@dataclass(slots=True, kw_only=True)
class Track:
    """How far one log was read.

    Attributes
    ----------
    path, inode
        Where it was seen last.
    at, lines
        Bytes and lines of it that were read.
    head, tail
        Digests of its first ``head_bytes`` and of the ``tail_bytes`` before ``at``.
    packed
        The packed log, as it was when it had been read to its end.
    """

    path: str
    inode: int
    at: int = 0
    lines: int = 0
    head_bytes: int = 0
    head: str = ""
    tail_bytes: int = 0
    tail: str = ""
    packed: str = ""

    def fits(self, content: Content) -> bool:
        """Tell whether this is the same log, under whatever name: it begins the same, and what was read stands there."""
        if not self.at:
            return content.inode == self.inode
        tail = content.span(self.at - self.tail_bytes, self.at)
        return len(tail) == self.tail_bytes and digest(tail) == self.tail and self.begins_like(content)

    def begins_like(self, content: Content) -> bool:
        """Tell whether a log begins as this one does."""
        return self.begins_with(content.span(0, self.head_bytes))

    def begins_with(self, head: bytes) -> bool:
        """Tell whether a log with this beginning begins as this one does."""
        head = head[: self.head_bytes]
        return bool(self.head_bytes) and len(head) == self.head_bytes and digest(head) == self.head

    def move(self, content: Content, at: int, lines: int) -> None:
        """Note how far it was read."""
        self.at = at
        self.lines += lines
        self.seen(content)
        if self.head_bytes < min(HEAD, at):
            head = content.span(0, min(HEAD, at))
            self.head_bytes, self.head = len(head), digest(head)
        tail = content.span(max(0, at - TAIL), at)
        self.tail_bytes, self.tail = len(tail), digest(tail)

    def seen(self, content: Content) -> None:
        """Note where it is now."""
        self.path, self.inode = content.path, content.inode


def digest(data: bytes) -> str:
    """Return a short digest."""
    return blake2b(data, digest_size=8).hexdigest()


def tracks_of(state: Mapping[str, Any]) -> list[Track]:
    """Read the tracks of a state."""
    return [Track(**told) for told in state.get("tracks") or []]


def told(tracks: Iterable[Track]) -> list[dict[str, Any]]:
    """Write tracks as JSON."""
    return [asdict(track) for track in tracks]


def is_rotated(name: str, names: Iterable[str]) -> bool:
    """Tell whether a name is that of another log with something behind it.

    Examples
    --------
    >>> is_rotated("a.log.1", ["a.log"]), is_rotated("a.log-20260501.gz", ["a.log"]), is_rotated("a.logs", ["a.log"])
    (True, True, False)
    """
    return any(len(name) > len(other) and name.startswith(other) and name[len(other)] in ".-" for other in names)


def stem(name: str) -> str:
    """Return the name that a log had before it was rotated.

    Examples
    --------
    >>> stem("a.log.12.gz"), stem("a.log-20260501"), stem("a.log")
    ('a.log', 'a.log', 'a.log')
    """
    return _ROTATED.sub("", name) or name


def matched(tracks: list[Track], contents: list[Content]) -> dict[str, Track]:
    """Give each log its track, by path of the log: the one with the same inode if it fits, else any that fits."""
    owned: dict[str, Track] = {}
    for track in tracks:
        order = sorted(contents, key=lambda one: (one.inode != track.inode, one.path != track.path, -one.changed))
        found = next((one for one in order if one.path not in owned and track.fits(one)), None)
        if found is not None:
            owned[found.path] = track
    return owned
