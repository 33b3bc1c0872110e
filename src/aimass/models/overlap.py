"""How much two texts have in common: ROUGE-N and ROUGE-L, in any script.

References
----------
Lin, "ROUGE: a package for automatic evaluation of summaries", Text Summarization Branches Out (ACL workshop) 2004, sections 2 and
3.1. Words are written small, and are not cut to their stems; each sign of a script without spaces is a word.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Sequence

_SIGNS = "\u2e80-\u2fdf\u3005-\u3007\u3041-\u3096\u30a1-\u30fa\u30fc-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
_WORDS = re.compile(f"[{_SIGNS}]|[^\\W_{_SIGNS}]+")


def words_of(text: str) -> list[str]:
    """Return the words of a text, small.

    Examples
    --------
    >>> words_of("The train, late: 2 h."), words_of("火车晚点 2h")
    (['the', 'train', 'late', '2', 'h'], ['火', '车', '晚', '点', '2h'])
    """
    return _WORDS.findall(text.lower())


def rouge_n(words: Sequence[str], reference: Sequence[str], size: int) -> float:
    """Return the F1 over runs of so many words, each counted as often as it stands in both.

    Examples
    --------
    >>> round(rouge_n("police killed the gunman".split(), "police kill the gunman".split(), 1), 3)
    0.75
    """
    own, other = (Counter(zip(*(one[at:] for at in range(size)), strict=False)) for one in (words, reference))
    return _f1((own & other).total(), own.total(), other.total())


def rouge_l(words: Sequence[str], reference: Sequence[str]) -> float:
    """Return the F1 of the longest run of words that stands in both in the same order, gaps allowed.

    Examples
    --------
    >>> rouge_l("police kill the gunman".split(), "police killed the gunman".split())
    0.75
    """
    return _f1(longest(words, reference), len(words), len(reference))


def longest(one: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    """Return the length of the longest common subsequence, bit by bit.

    References
    ----------
    Hyyrö, "Bit-parallel LCS-length computation revisited", AWOCA 2004.

    Examples
    --------
    >>> longest("abcbdab", "bdcaba")
    4
    """
    places: dict[Hashable, int] = {}
    for at, word in enumerate(one):
        places[word] = places.get(word, 0) | 1 << at
    full = (1 << len(one)) - 1
    row = full
    for word in other:
        common = row & places.get(word, 0)
        row = ((row + common) | (row - common)) & full
    return len(one) - row.bit_count()


def _f1(common: int, own: int, other: int) -> float:
    return 2 * common / (own + other) if common else 0.0
