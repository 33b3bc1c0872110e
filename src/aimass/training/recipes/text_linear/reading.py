"""Read texts: cut them, count what stands together, and weigh it by how rare it is.

A text is cut by one pattern that Python and the exported graph understand alike: runs of letters, marks and digits, and each
sign of scripts that put no space between words. Neighbours are read together, so a pair of Chinese signs is what a pair
of English words is. Case is folded by a table of the forms that a model knows, because graphs have no rule for that which
holds on every machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

Gram = tuple[str, ...]
LETTER = r"(?s)."


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
    >>> from aimass.training.cutting import words_pattern
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
