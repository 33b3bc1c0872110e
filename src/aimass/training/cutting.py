"""Where a text is cut: runs of letters, marks and digits, and each sign of scripts that put no space between words.

Spelled out character by character, because engines differ in what they call a letter: Python and an exported graph cut alike.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

_SIGNS = (  # scripts without spaces between words, and pictures
    (0x0E00, 0x0E7F), (0x0E80, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x2600, 0x27BF), (0x3040, 0x30FF),
    (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xAC00, 0xD7AF), (0xF900, 0xFAFF), (0x1F300, 0x1FAFF), (0x20000, 0x3FFFF),
)  # fmt: skip


@cache
def words_pattern() -> str:
    """Return the pattern of one word or sign.

    Examples
    --------
    >>> re.findall(words_pattern(), "Don't: v2 很好!")
    ['Don', 't', 'v2', '很', '好']
    """
    signs = "".join(f"{chr(first)}-{chr(last)}" for first, last in _SIGNS)
    return f"[{signs}]|{run_pattern()}+"


@cache
def run_pattern() -> str:
    """Return the pattern of one character that makes a word together with those beside it."""
    inside = {code for first, last in _SIGNS for code in range(first, last + 1)}
    letters = [
        code for code in range(sys.maxunicode + 1) if code not in inside and unicodedata.category(chr(code))[0] in "LMN"
    ]
    return f"[{''.join(_ranges(letters))}]"


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


@cache
def pieces_pattern() -> str:
    """Return the pattern that cuts a text with nothing left over: words, signs, and every other character by itself."""
    return f"{words_pattern()}|(?s:.)"


@cache
def _pieces() -> re.Pattern[str]:
    return re.compile(pieces_pattern())


def pieces_of(text: str) -> list[str]:
    """Return the pieces of a text, white space too; put together again they are the text.

    Examples
    --------
    >>> pieces_of("Zoé, 很好!")
    ['Zoé', ',', ' ', '很', '好', '!']
    """
    return _pieces().findall(text)


@dataclass(frozen=True, slots=True)
class Word:
    """A word or sign of a text, and where it stands; no white space."""

    form: str
    start: int
    end: int


def placed(text: str) -> list[Word]:
    """Return the words and signs of a text with their places, counted in characters.

    Examples
    --------
    >>> [(word.form, word.start, word.end) for word in placed("to Zoé!")]
    [('to', 0, 2), ('Zoé', 3, 6), ('!', 6, 7)]
    """
    found: list[Word] = []
    end = 0
    for piece in pieces_of(text):
        start, end = end, end + len(piece)
        if not piece.isspace():
            found.append(Word(piece, start, end))
    return found
