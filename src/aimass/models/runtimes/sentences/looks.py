"""What is seen of a sentence in its text: where it stands, how long it is, and how much it is like the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from zlib import crc32

import numpy as np

from aimass.models.overlap import words_of
from aimass.models.runtimes.sentences.cutting import put_together, sentences_of

BUCKETS = 4096
MOST_SENTENCES = 1000
SHORT = 5
LOOKS = (
    "first", "early", "place", "length", "short", "central", "close", "like_first", "rare", "figures", "names", "asks", "quotes",
)  # fmt: skip


def buckets_of(words: Sequence[str]) -> Any:
    """Return the number of each word, and of each pair of signs that stand beside each other without a space.

    Examples
    --------
    >>> buckets_of(["rain"]).shape, buckets_of(["下", "雨"]).shape
    ((1,), (3,))
    """
    pairs = [
        one + other for one, other in pairwise(words) if len(one) == len(other) == 1 and min(one, other) > "\u2e80"
    ]
    return np.array([crc32(word.encode()) % BUCKETS for word in (*words, *pairs)], dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The sentences of a text, what is seen of each (shape ``(n, looks)``), and how much they are like each other."""

    sentences: list[str]
    looks: Any
    alike: Any


def see(text: str, idf: Any) -> Seen:
    """Look at a text; of one with more than 1,000 sentences at the first of them.

    Parameters
    ----------
    idf
        The weight of each bucket of words: those that are seldom weigh more.
    """
    sentences = sentences_of(text)[:MOST_SENTENCES]
    if not sentences:
        return Seen(sentences=[], looks=np.zeros((0, len(LOOKS))), alike=np.zeros((0, 0)))
    words = [words_of(one) for one in sentences]
    vectors = _vectors(words, idf)
    alike = vectors @ vectors.T
    count = len(sentences)
    places = np.arange(count)
    middle = vectors.sum(axis=0)
    length = np.array([len(one) for one in words], dtype=float)
    looks = [
        places == 0,
        1 / (1 + places),
        places / max(1, count - 1),
        np.log1p(length),
        length < SHORT,
        vectors @ middle / (float(np.linalg.norm(middle)) or 1.0),
        (alike.sum(axis=1) - 1) / max(1, count - 1),
        alike[:, 0],
        [float(idf[buckets_of(one)].mean()) for one in words],
        [_share(one, str.isdigit) for one in sentences],
        [_names(one) for one in sentences],
        [one.endswith(("?", "？")) for one in sentences],
        [any(sign in one for sign in '"“”「『') for one in sentences],
    ]
    return Seen(
        sentences=sentences, looks=np.column_stack([np.asarray(one, dtype=float) for one in looks]), alike=alike
    )


def _vectors(words: Sequence[Sequence[str]], idf: Any) -> Any:
    """Return the words of each sentence as a row of length 1; columns are the buckets that occur."""
    buckets = [buckets_of(one) for one in words]
    rows = np.repeat(np.arange(len(words)), [len(one) for one in buckets])
    known, columns = np.unique(np.concatenate(buckets), return_inverse=True)
    found = np.zeros((len(words), len(known)))
    np.add.at(found, (rows, columns), 1.0)
    found = np.log1p(found) * idf[known]
    return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)


def _share(text: str, is_one: Any) -> float:
    return sum(map(is_one, text)) / len(text)


def _names(text: str) -> float:
    """Return the share of words behind the first that begin large."""
    words = text.split()[1:]
    return sum(word[:1].isupper() for word in words) / max(1, len(words))


@dataclass(frozen=True, slots=True, kw_only=True)
class Taste:
    """What makes a sentence worth telling, and how long a summary may be.

    Attributes
    ----------
    weights, bias
        Of the looks as they are: what they add to the log of the odds.
    sentences, characters
        Most of either; 0 characters is no limit.
    diversity
        How much a sentence loses that says what another one says already.
    """

    weights: Any
    bias: float
    sentences: int
    characters: int
    diversity: float

    def chosen(self, seen: Seen) -> list[int]:
        """Return the places of the sentences of the summary, in their order; at least one where there is any."""
        worth = 1 / (1 + np.exp(-np.clip(seen.looks @ self.weights + self.bias, -50, 50)))
        left, taken = list(range(len(seen.sentences))), list[int]()
        room = self.characters or float("inf")
        while left and len(taken) < self.sentences:
            said = seen.alike[:, taken].max(axis=1) if taken else np.zeros(len(seen.sentences))
            best = max(left, key=lambda at: (worth[at] - self.diversity * said[at], -at))
            left.remove(best)
            if not taken or len(seen.sentences[best]) <= room:
                taken.append(best)
                room -= len(seen.sentences[best]) + 1
        return sorted(taken)

    def sum_up(self, text: str, idf: Any) -> str:
        """Return the summary of a text; empty for one without words."""
        seen = see(text, idf)
        return put_together([seen.sentences[at] for at in self.chosen(seen)])


def idf_of(texts: Sequence[str]) -> Any:
    """Return the weight of each bucket of words, by the share of texts that it occurs in.

    Examples
    --------
    >>> idf = idf_of(["rain and rain", "rain or sun"])
    >>> bool(idf[buckets_of(["rain"])[0]] < idf[buckets_of(["sun"])[0]])
    True
    """
    counts = np.zeros(BUCKETS)
    for text in texts:
        counts[np.unique(buckets_of(words_of(text)))] += 1
    return np.round(np.log((1 + len(texts)) / (1 + counts)) + 1, 4)
