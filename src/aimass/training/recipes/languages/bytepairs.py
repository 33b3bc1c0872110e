"""Pairs of pieces that are worth a piece of their own, learned from the texts of a training part alone."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

from aimass.models import chunks_of

END = 256  # behind the bytes
MOST_CHUNKS = 50_000
Pair = tuple[int, int]


def learn_pairs(texts: Iterable[str], size: int) -> list[Pair]:
    """Return the pairs that are put together, the most frequent first, until there are ``size`` pieces.

    Of the chunks that texts consist of, the 50,000 most frequent are looked at. A pair that occurs once is none.

    Examples
    --------
    >>> learn_pairs(["low low lower", "slow"], 260)
    [(108, 111), (257, 119), (32, 258)]
    """
    counted = Counter(chunk for text in texts for chunk in chunks_of(text))
    common = sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:MOST_CHUNKS]
    words = [list(chunk.encode("utf-8", "replace")) for chunk, _ in common]
    times = [count for _, count in common]
    pairs: Counter[Pair] = Counter()
    places: defaultdict[Pair, set[int]] = defaultdict(set)
    for number, word in enumerate(words):
        for pair in pairwise(word):
            pairs[pair] += times[number]
            places[pair].add(number)
    found: list[Pair] = []
    while len(found) < size - END - 1 and pairs:
        best = max(pairs, key=lambda pair: (pairs[pair], (-pair[0], -pair[1])))
        if pairs[best] < 2:  # noqa: PLR2004 seen again
            break
        found.append(best)
        for number in sorted(places.pop(best)):
            _replace(words, number, (best, END + len(found)), times[number], (pairs, places))
        pairs.pop(best, None)
    return found


def _replace(
    words: list[list[int]],
    number: int,
    made: tuple[Pair, int],
    times: int,
    known: tuple[Counter[Pair], defaultdict[Pair, set[int]]],
) -> None:
    """Put a pair together wherever it stands in a word, and count the pairs of the word anew."""
    (pairs, places), (best, piece) = known, made
    for pair in pairwise(words[number]):
        pairs[pair] -= times
        if pairs[pair] <= 0:
            del pairs[pair]
    words[number] = _merged(words[number], best, piece)
    for pair in pairwise(words[number]):
        pairs[pair] += times
        places[pair].add(number)


def _merged(word: Sequence[int], pair: Pair, piece: int) -> list[int]:
    found: list[int] = []
    for number in word:
        if found and (found[-1], number) == pair:
            found[-1] = piece
        else:
            found.append(number)
    return found
