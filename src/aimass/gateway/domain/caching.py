"""What a route says about keeping the answers of its service, and clearing what is kept."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from annotated_types import Ge, Le, MaxLen, doc

from aimass.gateway.domain.inference import Workspace
from aimass.kernel.errors import Invalid

_MIB = 1024 * 1024
_MOST_S = 366 * 24 * 3600
MOST_CLEARED = 20
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_BELOW = re.compile(r"(?:/[\x21-\x7e]{0,254})?")

Cache = Annotated[bool, doc("keep answers of the service and give them again")]
CacheFor = Annotated[
    float,
    Ge(0),
    Le(_MOST_S),
    doc("seconds to keep an answer whose service names no age; 0 keeps only those that name one"),
]
CacheStale = Annotated[
    float,
    Ge(0),
    Le(_MOST_S),
    doc("seconds after its time for which an answer stands in while the service fails, or is being asked"),
]
CachePost = Annotated[bool, doc("also keep answers to POST, by what was sent: for services that only compute")]
CacheVary = Annotated[list[str], MaxLen(20), doc("request headers that tell answers apart, besides those in Vary")]
CacheShared = Annotated[bool, doc("callers get each other's answers; each has his own otherwise")]
CacheReload = Annotated[bool, doc("callers may ask past what is kept (Cache-Control: no-cache, no-store, max-age)")]
CacheBytes = Annotated[int, Ge(1), Le(64 * _MIB), doc("answers with a longer body are not kept")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearCache:
    """Which kept answers of a route count no more."""

    workspace: Workspace
    route: Annotated[str, MaxLen(63), doc("name of the route")]
    prefix: Annotated[str, MaxLen(255), doc("how paths below the route begin; everything when empty")] = ""


def check_cache(policy: Mapping[str, Any]) -> None:
    """Refuse names of headers that are none, and the one that answers can never be told apart by.

    Examples
    --------
    >>> check_cache({"cache_vary": ["Accept-Language"]})
    >>> check_cache({"cache_vary": ["a b"]})
    Traceback (most recent call last):
    ...
    aimass.kernel.errors.Invalid: 'a b' is no name of a header
    """
    for name in policy.get("cache_vary") or ():
        if not _NAME.fullmatch(name):
            raise Invalid(
                f"{name[:100]!r} is no name of a header",
                field="cache_vary",
                value=name[:100],
                allowed="Accept-Language",
            )


def check_prefix(prefix: str) -> None:
    """Refuse what no path below a route begins with.

    Examples
    --------
    >>> check_prefix(""), check_prefix("/tiles/7")
    (None, None)
    """
    if not _BELOW.fullmatch(prefix):
        raise Invalid(f"{prefix!r} is no beginning of a path", field="prefix", value=prefix, allowed="/tiles/7")


def cleared(before: Sequence[Sequence[Any]], number: int, prefix: str) -> list[list[Any]]:
    """Return the clearings of a route with one more; when there are too many, the older ones become one of everything.

    Examples
    --------
    >>> cleared([[2, "/a"], [3, "/b"]], 4, "/a")
    [[3, '/b'], [4, '/a']]
    >>> cleared([[2, "/a"], [3, "/b"]], 5, "")
    [[5, '']]
    >>> len(cleared([[n, f"/{n}"] for n in range(20)], 20, "/x")), cleared([[n, f"/{n}"] for n in range(20)], 20, "/x")[0]
    (20, [1, ''])
    """
    kept = [[n, old] for n, old in before if not old.startswith(prefix)] + [[number, prefix]]
    spare = len(kept) - MOST_CLEARED
    return kept if spare <= 0 else [[kept[spare][0], ""], *kept[spare + 1 :]]
