"""Which files were read: a state that stays small however many there are."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

MOST = 4_000
_MARK, _TAG = 8, 4  # letters


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Entry:
    """A file as a listing shows it; ``moment`` is when it came there, ``tag`` changes with what is in it."""

    moment: int
    path: str
    size: int = field(compare=False)
    tag: str = field(compare=False)

    @property
    def key(self) -> tuple[int, str]:
        """Return its place in the order of reading."""
        return self.moment, self.path

    @property
    def mark(self) -> str:
        """Return a short name of the path."""
        return short(self.path, _MARK)


def short(text: str, letters: int) -> str:
    """Return a digest of so many letters, six bits each.

    Examples
    --------
    >>> len(short("a.csv", 8)), short("a.csv", 8) == short("b.csv", 8)
    (8, False)
    """
    digest = blake2b(text.encode(), digest_size=letters * 3 // 4).digest()
    return urlsafe_b64encode(digest).decode()


class Progress:
    """What was read already.

    The newest files are known by name, with the tag that they had; of older ones only the place in the order is kept
    (``floor``): whatever stands at or below it, and is not known by name, was read. A file that comes late, or at the same
    moment as another, is therefore not missed as long as fewer than some thousands came after it.
    """

    def __init__(self, state: Mapping[str, Any]) -> None:
        floor = state.get("floor") or [-1, ""]
        self._floor: tuple[int, str] = (int(floor[0]), str(floor[1]))
        self._known = _read(str(state.get("known") or ""))
        self.plan: dict[str, Any] = dict(state.get("plan") or {})
        self.at: dict[str, Any] = dict(state.get("at") or {})

    def state(self) -> dict[str, Any]:
        """Write it as JSON."""
        told = {
            "floor": list(self._floor),
            "known": "".join(mark + tag for mark, tag in self._known.items()),
            "plan": self.plan,
        }
        return told | ({"at": dict(self.at)} if self.at else {})

    def waiting(self, listed: Iterable[Entry], *, again: bool) -> list[Entry]:
        """Return what is to be read, in order; one that was begun comes first."""
        here = sorted(listed)
        self._forget_gone(here)
        due = [entry for entry in here if self._is_due(entry, again=again)]
        begun = [entry for entry in due if entry.path == self.at.get("path")]
        if self.at and not begun:
            self.at = {}
        return begun + [entry for entry in due if entry.path != self.at.get("path")]

    def _is_due(self, entry: Entry, *, again: bool) -> bool:
        if entry.path == self.at.get("path"):
            return True
        tag = self._known.get(entry.mark)
        if tag is None:
            return entry.key > self._floor
        return again and tag != short(entry.tag, _TAG)

    def _forget_gone(self, here: list[Entry]) -> None:
        if len(self._known) > MOST // 2:
            marks = {entry.mark for entry in here}
            self._known = {mark: tag for mark, tag in self._known.items() if mark in marks}

    def done(self, entry: Entry, listed: Mapping[str, tuple[int, str]]) -> None:
        """Note that a file was read; ``listed`` gives the place of each file that is there by its mark."""
        self._known.pop(entry.mark, None)
        self._known[entry.mark] = short(entry.tag, _TAG)
        self.at = {}
        if len(self._known) <= MOST:
            return
        for mark in sorted(self._known, key=lambda mark: listed.get(mark, (-1, "")))[: MOST // 3]:
            del self._known[mark]
            self._floor = max(self._floor, listed.get(mark, (-1, "")))


def _read(text: str) -> dict[str, str]:
    size = _MARK + _TAG
    told = (text[at : at + size] for at in range(0, len(text), size))
    return {one[:_MARK]: one[_MARK:] for one in told}
