"""JSON of strangers: whatever is wrong with it is a ValueError, and what is read can be written again.

A text that only some readers take would otherwise be read, fail where it is written, and stand in the way of all that follow.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from operator import methodcaller
from typing import Any

import orjson

DEEPEST = 200  # levels of objects and lists; what writes JSON for others gives up soon after


def read_row(payload: bytes | str, *, exact: bool = False) -> Any:
    r"""Read a value that becomes a row.

    Parameters
    ----------
    exact
        Keep the text of numbers with a fraction, which costs more.

    Examples
    --------
    >>> read_row(b'{"a": 1.10}', exact=True)
    {'a': '1.10'}
    >>> for text in ('{"a": NaN}', "[" * 300 + "]" * 300, '"\\ud800"'):
    ...     try:
    ...         read_row(text, exact=True)
    ...     except ValueError as reason:
    ...         print(reason)
    NaN is no JSON number
    it is nested deeper than 200 levels
    a text holds half a character
    """
    value = read_page(payload, exact=exact)
    if may_be_deep(payload) and depth(value) > DEEPEST:
        raise ValueError(too_deep())
    return value


def read_page(payload: bytes | str, *, exact: bool = False) -> Any:
    """Read a value that holds rows; how deep each lies is for the caller to say."""
    if not exact:
        return orjson.loads(payload)
    text = payload if isinstance(payload, str) else payload.decode()
    try:
        value = json.loads(text, parse_float=str, parse_constant=_refuse)
    except RecursionError:
        raise ValueError(too_deep()) from None
    if problem := half_character(text, value):
        raise ValueError(problem)
    return value


def half_character(text: str, value: Any) -> str:
    """Say that a value that was read from a text holds half of a character, which no file can; nothing where it does not."""
    if "\\ud" not in text and "\\uD" not in text:
        return ""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return "a text holds half a character"
    except RecursionError:
        return too_deep()
    return ""


def may_be_deep(payload: bytes | str) -> bool:
    """Tell cheaply whether a text might be nested too deep."""
    if len(payload) <= 2 * DEEPEST:
        return False
    if isinstance(payload, str):
        return payload.count("[") + payload.count("{") > DEEPEST
    return payload.count(b"[") + payload.count(b"{") > DEEPEST


def any_may_be_deep(payloads: Sequence[bytes]) -> bool:
    """Tell the same of many texts, cheaply for all of them at once."""
    if max(map(len, payloads), default=0) <= 2 * DEEPEST:
        return False
    return any(max(map(methodcaller("count", mark), payloads)) > DEEPEST // 2 for mark in (b"[", b"{"))


def depth(value: Any) -> int:
    """Return how deep objects and lists lie in each other; level by level, whatever the depth.

    Examples
    --------
    >>> depth({"a": [1, {"b": 2}]}), depth(1)
    (3, 0)
    """
    level, found = [value], 0
    while level := [one for one in level if isinstance(one, dict | list)]:
        found += 1
        level = [inner for one in level for inner in (one.values() if isinstance(one, dict) else one)]
    return found


def too_deep() -> str:
    """Say what is wrong with a row that is nested too deep."""
    return f"it is nested deeper than {DEEPEST} levels"


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")
