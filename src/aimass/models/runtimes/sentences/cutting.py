"""Where sentences end, in scripts with spaces and without."""

from __future__ import annotations

import re
from collections.abc import Sequence

from aimass.models.overlap import words_of

_END = re.compile(r"[。！？]+[”’」』）\"']*|[.!?…]+[\"'”’)\]]*(?=\s|$)|\n+")
_LAST_WORD = re.compile(r"([^\W\d_]+(?:\.[^\W\d_]+)*)\.$")
_ABBREVIATED = frozenset(
    [
        "mr",
        "mrs",
        "ms",
        "dr",
        "prof",
        "st",
        "vs",
        "e.g",
        "i.e",
        "no",
        "fig",
        "jr",
        "sr",
        "inc",
        "ltd",
        "co",
        "gen",
        "sen",
        "rep",
        "gov",
        "dept",
        "approx",
    ]
)
_UNSPACED = re.compile("[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]")


def sentences_of(text: str) -> list[str]:
    """Cut a text into sentences; parts without a word belong to none.

    Examples
    --------
    >>> sentences_of("Dr. Lee paid 3.5 pounds. Why? Nobody knows!")
    ['Dr. Lee paid 3.5 pounds.', 'Why?', 'Nobody knows!']
    >>> sentences_of("今天下雨。“我们不去！”他说。")
    ['今天下雨。', '“我们不去！”', '他说。']
    """
    found: list[str] = []
    start = 0
    for end in _END.finditer(text):
        if end.group() == "." and _is_inside(text[max(start, end.end() - 40) : end.end()]):
            continue
        found.append(text[start : end.end()].strip())
        start = end.end()
    return [one for one in (*found, text[start:].strip()) if words_of(one)]


def _is_inside(said: str) -> bool:
    """Tell whether a full stop ends an abbreviation or an initial."""
    word = _LAST_WORD.search(said)
    if word is None:
        return False
    one = word.group(1)
    return one.lower() in _ABBREVIATED or (len(one) == 1 and one.isupper() and not _UNSPACED.match(one))


def put_together(sentences: Sequence[str]) -> str:
    """Write sentences behind each other, with a space where their script has spaces.

    Examples
    --------
    >>> put_together(["It rains.", "We stay."]), put_together(["下雨了。", "我们不去。"])
    ('It rains. We stay.', '下雨了。我们不去。')
    """
    text = ""
    for sentence in sentences:
        text += ("" if not text or _UNSPACED.match(text[-1]) else " ") + sentence
    return text
