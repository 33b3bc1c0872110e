"""Varied copies of texts: words that are left out, neighbours that change places, letters that are mistyped.

A text is cut as it is read: what stands between spaces, and each sign of scripts that put none. So a Chinese text varies by its
signs as an English one by its words. Wei & Zou, "EDA", 2019, without its synonyms: those want a book of a language.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from aimass.training.cutting import words_pattern

_LEAST = 2


def varied(texts: Sequence[str], rng: Any, *, dropped: float, swapped: float, mistyped: float) -> list[str]:
    """Return a copy of each text that says nearly the same.

    Parameters
    ----------
    texts
        The texts of the training rows.
    rng
        The chance.
    dropped, swapped, mistyped
        The share of the parts that are left out, that change places with the next one, and that get a wrong letter.

    Examples
    --------
    >>> import numpy as np
    >>> varied(["the parcel came late", "手机很好"], np.random.default_rng(5), dropped=0.3, swapped=0.3, mistyped=0.0)
    ['the came late parcel', '手机好']
    """
    cut = re.compile(words_pattern())
    return [_one(text, cut, rng, dropped, swapped, mistyped) for text in texts]


def _one(text: str, cut: re.Pattern[str], rng: Any, dropped: float, swapped: float, mistyped: float) -> str:
    found = list(cut.finditer(text))
    if len(found) < _LEAST:
        return text
    parts = [one.group() for one in found]
    chances = rng.random((len(parts), 3))
    parts = [_mistyped(part, rng) if chances[at, 2] < mistyped else part for at, part in enumerate(parts)]
    for at in range(len(parts) - 1):
        if chances[at, 1] < swapped:
            parts[at], parts[at + 1] = parts[at + 1], parts[at]
    kept = chances[:, 0] >= dropped
    kept[int(rng.integers(len(parts)))] = True  # something is left to read
    said, end = "", 0
    for place, part, is_kept in zip(found, parts, kept, strict=True):
        between = text[end : place.start()]
        said += (between if said or not between.isspace() else "") + part if is_kept else ""
        end = place.end()
    return said + text[end:]


def _mistyped(part: str, rng: Any) -> str:
    """Return a word with one letter left out, doubled, or in the place of the next one."""
    if len(part) < _LEAST:
        return part
    at, how = int(rng.integers(len(part) - 1)), int(rng.integers(3))
    if how == 0:
        return part[:at] + part[at + 1 :]
    if how == 1:
        return part[:at] + part[at] + part[at:]
    return part[:at] + part[at + 1] + part[at] + part[at + 2 :]
