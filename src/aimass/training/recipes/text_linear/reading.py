"""Read texts: cut them, count what stands together, and weigh it by how rare it is.

A text is cut by one pattern that Python and the exported graph understand alike: runs of letters, marks and digits, and each
sign of scripts that put no space between words. Neighbours are read together, so a pair of Chinese signs is what a pair
of English words is. Case is folded by a table of the forms that a model knows, because graphs have no rule for that which
holds on every machine.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

Gram = tuple[str, ...]
LETTER = r"(?s)."
_SIGNS = (  # scripts without spaces between words, and pictures
    (0x0E00, 0x0E7F), (0x0E80, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x2600, 0x27BF), (0x3040, 0x30FF),
    (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xAC00, 0xD7AF), (0xF900, 0xFAFF), (0x1F300, 0x1FAFF), (0x20000, 0x3FFFF),
)  # fmt: skip


@cache
def words_pattern() -> str:
    """Return the pattern of one word or sign; spelled out, because engines differ in what they call a letter.

    Examples
    --------
    >>> re.findall(words_pattern(), "Don't: v2 很好!")
    ['Don', 't', 'v2', '很', '好']
    """
    signs = "".join(f"{chr(first)}-{chr(last)}" for first, last in _SIGNS)
    inside = {code for first, last in _SIGNS for code in range(first, last + 1)}
    letters = [
        code for code in range(sys.maxunicode + 1) if code not in inside and unicodedata.category(chr(code))[0] in "LMN"
    ]
    return f"[{signs}]|[{''.join(_ranges(letters))}]+"


def is_sign(part: str) -> bool:
    """Tell whether a part is a sign that stands without spaces.

    Examples
    --------
    >>> is_sign("很"), is_sign("good")
    (True, False)
    """
    return any(first <= ord(part[0]) <= last for first, last in _SIGNS)


def _ranges(codes: Sequence[int]) -> Iterator[str]:
    """Return the parts of a class of characters."""
    cuts = [0, *(i for i in range(1, len(codes)) if codes[i] != codes[i - 1] + 1), len(codes)]
    for start, end in pairwise(cuts):
        first, last = codes[start], codes[end - 1]
        yield chr(first) if first == last else f"{chr(first)}-{chr(last)}"


class Reader:
    """One way to read one text column.

    Parameters
    ----------
    pattern
        Cuts a text into parts.
    low, high
        How many parts are read together, from and to.
    min_rows, max_features
        Which grams are kept: those in as many rows at least, and the most frequent of them.

    Attributes
    ----------
    forms
        The parts that are known as they may be written, each with the part that it counts as.
    grams
        What is counted, in the order of the columns.
    rarity
        The weight of each gram: the logarithm of how few rows have it, plus 1.

    Examples
    --------
    >>> reader = Reader(words_pattern(), 1, 2, min_rows=1, max_features=100)
    >>> reader.learn(["Good phone", "good battery", "坏手机"]).shape
    (3, 10)
    >>> reader.grams[:4]
    [('battery',), ('good',), ('good', 'battery'), ('good', 'phone')]
    >>> reader.read(["GOOD"]).nnz, reader.read(["unheard"]).nnz
    (1, 0)
    """

    def __init__(self, pattern: str, low: int, high: int, *, min_rows: int, max_features: int) -> None:
        self.pattern, self.low, self.high = pattern, low, high
        self.forms: dict[str, str] = {}
        self.grams: list[Gram] = []
        self._parts = re.compile(pattern)
        self._is_known = False
        options: dict[str, Any] = {"analyzer": self._cut, "dtype": np.float32}
        self._vectorizer = TfidfVectorizer(min_df=min_rows, max_features=max_features, **options)

    @property
    def rarity(self) -> Any:
        """Return the weight of each gram."""
        return self._vectorizer.idf_

    def learn(self, texts: Iterable[str]) -> Any:
        """Find what is counted, and return the rows, each of length 1, sparse; no column where nothing is frequent enough."""
        try:
            self._vectorizer.fit(texts)
        except ValueError:  # no gram is in enough rows
            return None
        vocabulary: dict[Gram, int] = self._vectorizer.vocabulary_
        self.grams = sorted(vocabulary, key=vocabulary.__getitem__)
        known = {part for gram in self.grams for part in gram}
        written = {form: part for form, part in self.forms.items() if part in known}
        usual = {form: part for part in known for form in (part, part.upper(), part.capitalize())}
        self.forms = {**{form: part for form, part in usual.items() if _folded(form) == part}, **written}
        self._is_known = True
        return self.read(texts)

    def read(self, texts: Iterable[str]) -> Any:
        """Return texts as rows of length 1, or 0 where nothing in them is known."""
        return self._vectorizer.transform(texts)

    def _cut(self, text: str) -> Iterator[Gram]:
        parts = self._known(text) if self._is_known else self._met(text)
        for count in range(self.low, self.high + 1):
            for start in range(len(parts) - count + 1):
                gram = parts[start : start + count]
                if None not in gram:
                    yield tuple(gram)

    def _met(self, text: str) -> list[Any]:
        found = self._parts.findall(text)
        for form in found:
            if form not in self.forms:
                self.forms[form] = _folded(form)
        return [self.forms[form] for form in found]

    def _known(self, text: str) -> list[Any]:
        return [self.forms.get(form) for form in self._parts.findall(text)]


def _folded(form: str) -> str:
    return form.lower()
