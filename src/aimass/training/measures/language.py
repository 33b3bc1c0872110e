"""How well a language model knows texts: the bits that it needs for them.

Perplexity depends on how texts are cut into pieces, so that models of other pieces cannot be compared by it; bits per byte and
bits per character can.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from aimass.training.measures.intervals import LEVEL, REPEATS, Comparison, Interval, paired

BINS, TENTHS = 15, 10  # a chart of bars shows fifteen at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Passages:
    """Texts, which stand where other tasks have the truth.

    Attributes
    ----------
    texts
        Shape ``(n,)``.
    bytes, characters
        How long each is, with the end of it as one more.
    """

    texts: Any
    bytes: Any
    characters: Any

    @classmethod
    def of(cls, texts: Iterable[str | None]) -> Passages:
        """Measure texts.

        Examples
        --------
        >>> Passages.of(["Öl"]).bytes.tolist()
        [4.0]
        """
        known = [text or "" for text in texts]
        found = np.empty(len(known), dtype=object)
        found[:] = known
        return cls(
            texts=found,
            bytes=np.array([len(text.encode("utf-8", "replace")) + 1 for text in known], dtype=float),
            characters=np.array([len(text) + 1 for text in known], dtype=float),
        )

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, rows: Any) -> Passages:
        return Passages(texts=self.texts[rows], bytes=self.bytes[rows], characters=self.characters[rows])


def bits_per_byte(truth: Passages, said: Any) -> float:
    """Return the bits that are needed for a byte, over all texts.

    Parameters
    ----------
    truth
        The texts.
    said
        Shape ``(n, 2)`` or wider: bits and pieces of each text, the end of it among them.

    Examples
    --------
    >>> bits_per_byte(Passages.of(["abc"]), np.array([[10.0, 2.0]]))
    2.5
    """
    return float(np.asarray(said, dtype=float)[:, 0].sum() / truth.bytes.sum())


def language_scores(truth: Passages, said: Any) -> dict[str, float]:
    """Return every number of a language model.

    Returns
    -------
    dict
        ``bits_per_byte``, ``bits_per_char`` and ``perplexity`` (of a piece); ``bytes_per_token``, how long a piece is on average;
        ``gain``, the share of bits that is saved over a model that knows nothing but how often each byte occurs in these very
        texts.
    """
    bits, tokens = np.asarray(said, dtype=float)[:, :2].sum(axis=0)
    per_byte, plain = float(bits / truth.bytes.sum()), _plain(truth)
    return {
        "bits_per_byte": per_byte,
        "bits_per_char": float(bits / truth.characters.sum()),
        "perplexity": float(2 ** min(bits / tokens, 1000.0)),
        "bytes_per_token": float(truth.bytes.sum() / tokens),
        "gain": 1 - per_byte / plain if plain else 0.0,
    }


def _plain(truth: Passages) -> float:
    """Return the bits for a byte by the frequencies of bytes and ends in the texts themselves."""
    counts = np.bincount(
        np.frombuffer("".join(truth.texts).encode("utf-8", "replace"), dtype=np.uint8), minlength=257
    ).astype(float)
    counts[256] = len(truth)
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log2(shares)).sum())


def language_interval(truth: Passages, said: Any, *, seed: int = 0, level: float = LEVEL) -> Interval:
    """Return the bits per byte with their interval: a bootstrap of texts."""
    low, high = np.quantile(_drawn(truth, said, seed), [(1 - level) / 2, (1 + level) / 2])
    value = bits_per_byte(truth, said)
    return Interval(value=value, low=float(low), high=float(high), level=level, method="bootstrap of texts")


def compare_language(
    truth: Passages, candidate: Any, champion: Any, *, seed: int = 0, level: float = LEVEL
) -> Comparison:
    """Compare two models on the same texts by the same draws: candidate minus champion, less is better."""
    draws = _drawn(truth, candidate, seed) - _drawn(truth, champion, seed)
    own, other = bits_per_byte(truth, candidate), bits_per_byte(truth, champion)
    return paired(own, other, draws, level=level, method="paired bootstrap of texts")


def _drawn(truth: Passages, said: Any, seed: int) -> Any:
    """Return the bits per byte of every draw of as many texts."""
    bits = np.asarray(said, dtype=float)[:, 0]
    times = np.random.default_rng(seed).multinomial(len(bits), np.full(len(bits), 1 / len(bits)), size=REPEATS)
    return (times @ bits) / (times @ truth.bytes)


def language_curves(truth: Passages, said: Any) -> dict[str, Any]:
    """Return what a page about a language model shows; no text is kept.

    ``surprise`` has the texts by their bits per byte, and ``lengths`` the bits per byte of ten groups of texts, by length.
    """
    bits = np.asarray(said, dtype=float)[:, 0]
    each = bits / truth.bytes
    counts, edges = np.histogram(each, bins=BINS)
    order = np.array_split(np.argsort(truth.bytes, kind="stable"), TENTHS)
    return {
        "surprise": {"edges": [float(one) for one in edges], "counts": [int(one) for one in counts]},
        "lengths": [
            [float(truth.bytes[some].mean()), float(bits[some].sum() / truth.bytes[some].sum())]
            for some in order
            if len(some)
        ],
    }
