"""Numbers in texts that anybody may send."""

from __future__ import annotations

_DIGITS = 18  # every one of them fits 64 bits


def whole(text: str) -> int | None:
    r"""Return the whole number that a text is: decimal digits alone, and not too many; None for anything else.

    Examples
    --------
    >>> whole("17"), whole("\u00b2"), whole("-1"), whole("9" * 19)
    (17, None, None, None)
    """
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else None
