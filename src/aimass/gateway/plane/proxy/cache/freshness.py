"""Whether an answer may be kept, and for how long (RFC 9111, section 3 and 4.2)."""

from __future__ import annotations

from email.utils import mktime_tz, parsedate_tz
from typing import NamedTuple

from aimass.gateway.plane.http import Headers, ReplyHead

_BY_DEFAULT = frozenset({200, 203, 204, 300, 301, 308, 404, 410})
_WHERE_TOLD = _BY_DEFAULT | {302, 307, 405, 414, 501}
_NEVER = frozenset({b"no-store", b"no-cache"})
_FOR_ALL = frozenset({b"public", b"s-maxage", b"must-revalidate"})
_ALWAYS_FRESH = frozenset({b"must-revalidate", b"proxy-revalidate", b"s-maxage"})
_MOST_S = 366 * 24 * 3600
_DIGITS = 10
Told = dict[bytes, bytes]


class Terms(NamedTuple):
    """How an answer may be kept.

    Attributes
    ----------
    age_s, fresh_s
        How old it is already, and how old it may become.
    error_s, renewal_s
        For how long after that it stands in where fetching it anew fails, and while that is under way.
    is_private
        It is meant for one caller.
    is_for_all
        It may be given to others although somebody showed who he is.
    """

    age_s: float
    fresh_s: float
    error_s: float
    renewal_s: float
    is_private: bool
    is_for_all: bool


def directives(headers: Headers, name: bytes = b"cache-control") -> Told:
    """Return the directives of ``Cache-Control``, each with its value or an empty one.

    Examples
    --------
    >>> directives([(b"cache-control", b'max-age="60", Private')])
    {b'max-age': b'60', b'private': b''}
    """
    parts = (part.partition(b"=") for key, value in headers if key == name for part in value.split(b","))
    return {word.strip().lower(): value.strip().strip(b'"') for word, _, value in parts if word.strip()}


def seconds(told: Told, name: bytes) -> float | None:
    """Return the seconds that a directive names, 0 for what is no number; None without it.

    Examples
    --------
    >>> seconds({b"max-age": b"60"}, b"max-age"), seconds({b"max-age": b"soon"}, b"max-age"), seconds({}, b"max-age")
    (60.0, 0.0, None)
    """
    value = told.get(name)
    if value is None:
        return None
    return float(min(int(value[:_DIGITS]), _MOST_S)) if value.isdigit() else 0.0


def instant(value: bytes) -> float | None:
    """Return the seconds since 1970 of a date in a header; None for what is no date.

    Examples
    --------
    >>> instant(b"Thu, 01 Jan 1970 00:01:00 GMT"), instant(b"0")
    (60.0, None)
    """
    try:
        found = parsedate_tz(value.decode("latin-1"))
        return None if found is None else float(mktime_tz(found))
    except (ValueError, OverflowError):
        return None


def terms(reply: ReplyHead, default_s: float, stale_s: float) -> Terms | None:
    """Return how an answer may be kept, by what its service says and for what it does not say; None when it may not.

    An answer that ends with its connection is never kept: nobody can tell whether it is whole. Neither is one that sets
    a cookie, or an endless one.
    """
    told = directives(reply.headers)
    if reply.status not in _WHERE_TOLD or not _NEVER.isdisjoint(told) or _is_for_one_time(reply):
        return None
    fresh_s = _fresh_s(reply, told)
    if fresh_s is None:
        fresh_s = default_s if reply.status in _BY_DEFAULT else 0.0
    age_s = seconds({b"age": reply.get(b"age")}, b"age") or 0.0
    if fresh_s <= age_s:
        return None
    error_s, renewal_s = _stale_s(told, stale_s)
    return Terms(age_s, fresh_s, error_s, renewal_s, b"private" in told, not _FOR_ALL.isdisjoint(told))


def _stale_s(told: Told, default_s: float) -> tuple[float, float]:
    """Return how long an answer may stand in after its time, for errors and while it is fetched anew (RFC 5861)."""
    if not _ALWAYS_FRESH.isdisjoint(told):
        return 0.0, 0.0
    error_s, renewal_s = seconds(told, b"stale-if-error"), seconds(told, b"stale-while-revalidate")
    return default_s if error_s is None else error_s, default_s if renewal_s is None else renewal_s


def _is_for_one_time(reply: ReplyHead) -> bool:
    if not reply.is_chunked and reply.length is None:
        return True
    return any(
        name == b"set-cookie"
        or (name == b"vary" and b"*" in value)
        or (name == b"content-type" and value.startswith(b"text/event-stream"))
        for name, value in reply.headers
    )


def _fresh_s(reply: ReplyHead, told: Told) -> float | None:
    """Return how old an answer may become, as its service says; None when it says nothing."""
    for name in (b"s-maxage", b"max-age"):
        found = seconds(told, name)
        if found is not None:
            return found
    if not reply.get(b"expires"):
        return None
    until, made = instant(reply.get(b"expires")), instant(reply.get(b"date"))
    return 0.0 if until is None or made is None else max(0.0, min(until - made, _MOST_S))
