"""What a route says about keeping answers, and which of them count no more."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import orjson


class Keeping:
    """The part of a route's policies that the response cache goes by.

    Attributes
    ----------
    default_s
        How long an answer is kept whose service names no age.
    stale_s
        How long an answer stands in after its time, whose service says nothing of that.
    takes_post
        Whether answers to POST are kept too, by what was sent.
    vary
        Headers of requests that tell answers apart, besides those that the service names.
    is_shared
        Whether callers get each other's answers.
    most_bytes
        Answers with a longer body are not kept.
    heeds_reload
        Whether callers may ask past the cache.
    """

    __slots__ = (
        "_cleared",
        "_seed",
        "default_s",
        "heeds_reload",
        "is_shared",
        "most_bytes",
        "stale_s",
        "takes_post",
        "vary",
    )

    def __init__(self, spec: dict[str, Any]) -> None:
        self.default_s: float = spec["cache_s"]
        self.stale_s: float = spec["cache_stale_s"]
        self.takes_post: bool = spec["cache_post"]
        self.vary = tuple(sorted(name.lower().encode() for name in spec["cache_vary"]))
        self.is_shared: bool = spec["cache_shared"]
        self.most_bytes: int = spec["cache_bytes"]
        self.heeds_reload: bool = spec["cache_reload"]
        self._cleared = [(n, prefix.encode()) for n, prefix in spec.get("cleared", ())]
        rest = {name: value for name, value in spec.items() if name != "cleared"}
        self._seed = sha256(orjson.dumps(rest, option=orjson.OPT_SORT_KEYS)).digest()

    def generation(self, below: bytes) -> bytes:
        """Return what every key of a path below the route begins with.

        It changes with the policies, with the service, and with each clearing that covers the path; what was kept before
        is then found no more, and what is under way at that moment is kept where nobody looks.
        """
        newest = max((n for n, prefix in self._cleared if below.startswith(prefix)), default=0)
        return self._seed + newest.to_bytes(8, "big")


def keeping_of(spec: dict[str, Any]) -> Keeping | None:
    """Return what a route says about keeping answers; None when it keeps none."""
    return Keeping(spec) if spec.get("cache") else None
