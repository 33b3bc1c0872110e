"""Under which names a request may find its route: the host that it asks for, and the star that stands for it."""

from __future__ import annotations

from functools import lru_cache

from aimass.gateway.plane.http import RequestHead

MOST_PARTS = 4
_REMEMBERED = 256


def keys_of(head: RequestHead) -> list[bytes]:
    """Return the keys under which a route by host may stand: the exact name first, and of each the longest path."""
    path, host = head.path, head.get(b"host")
    if not host or not path.startswith(b"/"):
        return []
    parts = path[1:].split(b"/", MOST_PARTS)[:MOST_PARTS]
    paths = [b"/".join(parts[:count]) for count in range(len(parts), -1, -1)]
    return [b"%b/%b" % (name, below) for name in _names_of(host) for below in paths]


@lru_cache(_REMEMBERED)
def _names_of(host: bytes) -> tuple[bytes, ...]:
    """Return a host without its port, in small letters, and the star that stands for it.

    Examples
    --------
    >>> _names_of(b"API.example.org:8800"), _names_of(b"[::1]:8800"), _names_of(b"localhost")
    ((b'api.example.org', b'*.example.org'), (), (b'localhost',))
    """
    if host.startswith(b"["):
        return ()
    name = host.partition(b":")[0].removesuffix(b".").lower()
    first, dot, rest = name.partition(b".")
    return (name, b"*." + rest) if first and dot and rest else (name,)
