"""Free text: what it is told by, and which columns of a table hold it."""

from __future__ import annotations

import polars as pl

LOOKED_AT = 5000
MIN_VALUES = 50
MIN_WORDS = 4.0
_WORDS = r"\S*\p{L}{2}\S*"
_SIGNS = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"


def is_text(column: pl.Series) -> bool:
    """Tell whether a column holds free text: sentences or descriptions, and no categories or keys.

    It has more than 50 different values, and on average four words or more; of scripts that put no space between words, two
    signs count as one. The first 5,000 values are looked at.

    Examples
    --------
    >>> is_text(pl.Series([f"the parcel number {n} came late again" for n in range(80)]))
    True
    >>> is_text(pl.Series([f"快递{n}号又迟到了一天真的很不满意" for n in range(80)]))
    True
    >>> is_text(pl.Series([f"2026-01-01 08:00:{n:02d}" for n in range(60)]))
    False
    >>> is_text(pl.Series(["a word about how it went", "and another one of those"] * 40))
    False
    """
    if column.dtype != pl.String:
        return False
    seen = column.drop_nulls().head(LOOKED_AT)
    if seen.n_unique() <= MIN_VALUES:
        return False
    words = seen.str.count_matches(_WORDS) + seen.str.count_matches(_SIGNS) / 2
    return float(words.mean()) >= MIN_WORDS  # pyright: ignore[reportArgumentType] numbers have one


def texts_of(frame: pl.DataFrame) -> list[str]:
    """Return the columns of free text, in their order."""
    return [column.name for column in frame.iter_columns() if is_text(column)]
