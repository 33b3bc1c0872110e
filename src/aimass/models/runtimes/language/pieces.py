"""How texts become pieces: bytes, and pairs of pieces that were often seen beside each other.

References
----------
Sennrich, Haddow & Birch, "Neural machine translation of rare words with subword units", ACL 2016.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from aimass.models.errors import BrokenPackage

END = BYTES = 256
LONGEST_PIECE, MOST_PIECES = 256, 65_536
_CHUNKS = re.compile(r" ?[^\W\d_]{1,16}| ?\d{1,3}| ?[^\w\s]{1,8}|\s{1,8}|_|.", re.DOTALL)
_KNOWN_CHUNKS = 50_000


class Pieces:
    """Cuts texts into pieces: bytes, and pairs of pieces that were often seen beside each other. Nothing is unknown to it.

    Examples
    --------
    >>> pieces = Pieces([(104, 105)])
    >>> pieces.cut("hi, ho"), pieces.size
    ([257, 44, 32, 104, 111], 258)
    """

    def __init__(self, merges: Sequence[Sequence[int]]) -> None:
        self.merges = [(int(one), int(other)) for one, other in merges]
        self._ranks = {pair: number for number, pair in enumerate(self.merges)}
        self.bytes = [bytes([number]) for number in range(BYTES)] + [b""]
        for number, pair in enumerate(self.merges, start=END + 1):
            if number >= MOST_PIECES or END in pair or not 0 <= min(pair) <= max(pair) < number:
                raise BrokenPackage(f"pair {list(pair)} is none of pieces before it", field="merges", value=list(pair))
            self.bytes.append(self.bytes[pair[0]] + self.bytes[pair[1]])
            if len(self.bytes[-1]) > LONGEST_PIECE:
                raise BrokenPackage(f"piece {number} is too long", field="merges", allowed=f"{LONGEST_PIECE} bytes")
        self._known: dict[str, list[int]] = {}

    @property
    def size(self) -> int:
        """Return how many pieces there are, the end of a text among them."""
        return len(self.bytes)

    def cut(self, text: str) -> list[int]:
        """Return the numbers of the pieces of a text."""
        found: list[int] = []
        for chunk in chunks_of(text):
            numbers = self._known.get(chunk)
            if numbers is None:
                if len(self._known) >= _KNOWN_CHUNKS:
                    self._known.clear()
                numbers = self._known[chunk] = self._merged(list(chunk.encode("utf-8", "replace")))
            found += numbers
        return found

    def _merged(self, numbers: list[int]) -> list[int]:
        """Put pairs together, those first that were learned first."""
        none = len(self._ranks)
        while len(numbers) > 1:
            ranks = [self._ranks.get((one, other), none) for one, other in pairwise(numbers)]
            best = min(ranks)
            if best == none:
                break
            at = ranks.index(best)
            numbers[at : at + 2] = [END + 1 + best]
        return numbers


def chunks_of(text: str) -> list[str]:
    """Return what pieces never reach beyond: a word with the space before it, digits, signs, white space; put together the text.

    Examples
    --------
    >>> chunks_of("so it is, 2026")
    ['so', ' it', ' is', ',', ' 202', '6']
    """
    return _CHUNKS.findall(text)
