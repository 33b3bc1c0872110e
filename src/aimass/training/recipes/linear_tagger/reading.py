"""What a tagger sees of each word: itself, its case, beginning and end, and the same of its neighbours.

Each kind of look gives a word one number: its place in a table, or 0 for what the table does not know. The exported graph looks
at words with the same tables. Every text ends with a word of its own, ``END``, so that no text is empty and its end is seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy import sparse

from aimass.training.cutting import Word, placed

END = "\n"  # white space is no word of a text
SHAPES = 32
UPPER, LOWER, DIGIT = 1, 2, 3


def class_of(sign: str) -> int:
    """Return what a character is: 1 a capital, 2 a small letter, 3 a digit, 0 anything else."""
    return UPPER if sign.isupper() else LOWER if sign.islower() else DIGIT if sign.isdigit() else 0


@cache
def shape_of(form: str) -> int:
    """Return the shape of a word as one number below 32: the class of its first character, and which occur behind it.

    Examples
    --------
    >>> [shape_of(form) for form in ("Oslo", "OSLO", "oslo", "7", "!")]
    [10, 12, 18, 24, 0]
    """
    first, rest = class_of(form[0]), {class_of(sign) for sign in form[1:]}
    return 8 * first + 4 * (UPPER in rest) + 2 * (LOWER in rest) + (DIGIT in rest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One way to look at a word.

    Attributes
    ----------
    take
        ``word``, ``case`` (the word in small letters), ``shape``, ``begin`` or ``end``.
    letters
        Of a beginning or an end.
    table
        The place of each text that is known, from 1; empty for shapes.
    """

    take: str
    letters: int
    table: dict[str, int]

    @property
    def size(self) -> int:
        """Return how many numbers there are."""
        return SHAPES if self.take == "shape" else len(self.table) + 1

    @property
    def is_near(self) -> bool:
        """Tell whether neighbours are looked at in this way too."""
        return self.take in ("case", "shape")

    def number(self, form: str) -> int:
        """Return the number of a word."""
        if self.take == "shape":
            return 0 if form == END else shape_of(form)
        return self.table.get(seen(self.take, self.letters, form), 0)


def seen(take: str, letters: int, form: str) -> str:
    """Return what is looked up of a word.

    Examples
    --------
    >>> seen("begin", 2, "Oslo"), seen("end", 3, "Oslo"), seen("word", 0, "Oslo")
    ('Os', 'slo', 'Oslo')
    """
    if take == "begin":
        return form[:letters]
    return form[-letters:] if take == "end" else form


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """Texts as words, one after the other.

    Attributes
    ----------
    words
        Of each text, without its end.
    starts
        Where each text begins among all words, ends counted.
    """

    words: list[list[Word]]
    starts: Any

    @classmethod
    def of(cls, texts: Iterable[str | None]) -> Texts:
        """Cut texts into words."""
        words = [placed(text or "") for text in texts]
        return cls(words=words, starts=np.concatenate([[0], np.cumsum([len(some) + 1 for some in words])]).astype(int))

    def forms(self) -> list[str]:
        """Return all words, with the end of each text."""
        return [form for some in self.words for form in (*(word.form for word in some), END)]

    @property
    def lengths(self) -> Any:
        """Return how many words each text has, with its end."""
        return np.diff(self.starts)


class Eye:
    """All ways to look, learned from texts.

    Attributes
    ----------
    looks
        The ways.
    offsets
        Which words are looked at: 0 the word itself, -1 the one before it.
    """

    def __init__(self, *, window: int, letters: int, min_words: int, max_features: int) -> None:
        self.offsets = range(-window, window + 1)
        self.looks: list[Look] = []
        self._letters, self._least, self._most = letters, min_words, max_features

    def learn(self, forms: Sequence[str]) -> None:
        """Find what is known of words, beginnings and ends."""
        counts = Counter(forms)
        self.looks = [
            Look(take="word", letters=0, table=self._known(counts, lambda form: form)),
            Look(take="case", letters=0, table=self._cases(counts)),
            Look(take="shape", letters=0, table={}),
        ]
        for take in ("begin", "end"):
            for length in range(1, self._letters + 1):
                table = self._known(counts, lambda form, take=take, length=length: seen(take, length, form))
                self.looks.append(Look(take=take, letters=length, table=table))

    def _known(self, counts: Counter[str], take: Callable[[str], str]) -> dict[str, int]:
        found: Counter[str] = Counter()
        for form, count in counts.items():
            found[take(form)] += count
        often = sorted((form for form in found if found[form] >= self._least), key=lambda form: (-found[form], form))
        return {form: number for number, form in enumerate(often[: self._most], start=1)}

    def _cases(self, counts: Counter[str]) -> dict[str, int]:
        """Return the number of each written form: that of its small letters, also for forms that are only usual."""
        small = self._known(counts, str.lower)
        usual = {form: number for text, number in small.items() for form in (text, text.upper(), text.capitalize())}
        met = {form: small[form.lower()] for form in counts if form.lower() in small}
        return {form: number for form, number in (usual | met).items() if form.lower() in small}

    def blocks(self) -> Iterator[tuple[int, Look]]:
        """Yield the blocks of columns, each of one look at one word: its offset and the look."""
        for offset in self.offsets:
            yield from ((offset, look) for look in self.looks if offset == 0 or look.is_near)

    @property
    def width(self) -> int:
        """Return how many columns there are: those of all looks, and one for each place outside a text."""
        return sum(self.size_of(look) for _, look in self.blocks()) + len(self.offsets)

    def size_of(self, look: Look) -> int:
        """Return how many columns a look takes."""
        return look.size if look.take != "case" else max(look.table.values(), default=0) + 1

    def read(self, texts: Texts) -> Any:
        """Return a row of ones and zeros for each word, sparse."""
        forms, rows = texts.forms(), int(texts.starts[-1])
        owner = np.repeat(np.arange(len(texts.words)), texts.lengths)
        first, last = texts.starts[owner], texts.starts[owner + 1] - 1
        numbers = {id(look): np.array([look.number(form) for form in forms]) for look in self.looks}
        places = {offset: np.arange(rows) + offset for offset in self.offsets}
        inside = {offset: (place >= first) & (place <= last) for offset, place in places.items()}
        columns, lines, begin = [], [], 0
        for offset, look in self.blocks():
            mine = np.flatnonzero(inside[offset])
            columns.append(begin + numbers[id(look)][places[offset][mine]])
            lines.append(mine)
            begin += self.size_of(look)
        for number, offset in enumerate(self.offsets):
            outside = np.flatnonzero(~inside[offset])
            columns.append(np.full(len(outside), begin + number))
            lines.append(outside)
        at = (np.concatenate(lines), np.concatenate(columns))
        return sparse.csr_matrix((np.ones(len(at[0])), at), shape=(rows, self.width))
