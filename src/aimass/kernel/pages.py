"""Pages of a list, by cursor: stable while rows are added."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from aimass.kernel.errors import Invalid
from aimass.kernel.numbers import whole

T = TypeVar("T")
MAX_LIMIT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """Some items of a list, and the cursor that continues it (None at the end)."""

    items: list[T] = field(default_factory=list[T])
    next: str | None = None


def encode_cursor(key: str) -> str:
    """Hide a sort key in an opaque cursor."""
    return urlsafe_b64encode(key.encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> str:
    """Read a cursor back.

    Examples
    --------
    >>> decode_cursor(encode_cursor("01ABC"))
    '01ABC'
    >>> decode_cursor("d4\u00f3")
    Traceback (most recent call last):
    ...
    aimass.kernel.errors.Invalid: the cursor is damaged
    """
    try:
        return urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except ValueError as reason:  # no base64, no UTF-8, or letters beyond ASCII
        raise Invalid("the cursor is damaged", field="cursor", value=cursor, hint="start again without it") from reason


def decode_number(cursor: str) -> int:
    """Read a cursor back whose sort key is a number.

    Examples
    --------
    >>> decode_number(encode_cursor("17"))
    17
    """
    number = whole(decode_cursor(cursor))
    if number is None:
        raise Invalid("the cursor is damaged", field="cursor", value=cursor, hint="start again without it")
    return number


def page_of(rows: Sequence[T], limit: int, key: Callable[[T], str]) -> Page[T]:
    """Cut a page out of ``limit + 1`` fetched rows.

    Parameters
    ----------
    rows
        At most ``limit + 1`` rows in list order; the extra one only tells that more follow.
    limit
        Rows wanted.
    key
        Gives the sort key of a row, which becomes the cursor.

    Examples
    --------
    >>> page_of(["a", "b", "c"], 2, str).items
    ['a', 'b']
    """
    items = list(rows[:limit])
    more = len(rows) > limit
    return Page(items=items, next=encode_cursor(key(items[-1])) if more and items else None)


def every(ask: Callable[[str | None], Page[T]]) -> list[T]:
    """Return the items of all pages of a list.

    Parameters
    ----------
    ask
        Returns the page that a cursor continues; None is the first.

    Examples
    --------
    >>> pages = {None: Page(items=[1, 2], next="b"), "b": Page(items=[3])}
    >>> every(pages.__getitem__)
    [1, 2, 3]
    """
    page = ask(None)
    found = list(page.items)
    while page.next is not None:
        page = ask(page.next)
        found += page.items
    return found
