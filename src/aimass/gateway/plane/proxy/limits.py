"""What each caller of a route may send: a rate, as a bucket of tokens, and a number of requests a day."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from aimass.gateway.plane.auth import Key
from aimass.gateway.plane.crowd import network_of
from aimass.gateway.plane.errors import QuotaUsed, RateLimited
from aimass.gateway.plane.quotas import DAY_S, DailyQuota, Quotas, of_caller
from aimass.gateway.plane.rates import Rates, SharedBucket

_REMEMBERED, _SHOWN = 10_000, 50
BY_ADDRESS, BY_CONSUMER, BY_KEY = "address", "consumer", "key"


class Payer:
    """A caller of a route with his bucket and his quota; what they hold is in the files that workers share."""

    __slots__ = ("_limits", "bucket", "mark", "name", "quota")

    def __init__(self, limits: CallerLimits, name: str, mark: int) -> None:
        self._limits = limits
        self.name = name
        self.mark = mark
        self.bucket = limits.bucket(mark)
        self.quota = limits.quota(mark)

    def pay_rate(self, now: float, most_s: float, *, may_wait: bool) -> float:
        """Take a token; return the seconds to wait for it, where the route lets requests wait so long."""
        if self.bucket is None:
            return 0.0
        wait = self.bucket.reserve(now, most_s, may_wait=may_wait)
        if wait < 0:
            raise RateLimited(
                f"{self.name!r} is over the rate of route {self._limits.route!r}",
                retry_after_s=-wait - most_s,
                reason="caller_rate",
                lines=self.lines(now),
                allowed=f"{self.bucket.rate:g} requests a second",
            )
        return wait

    def give_back(self) -> None:
        """Give a token back that was not used."""
        if self.bucket is not None:
            self.bucket.give_back()

    def pay_quota(self, now: float) -> None:
        """Count a request of the day."""
        if self.quota is not None and not self.quota.take(now):
            raise QuotaUsed(
                f"{self.name!r} has used what route {self._limits.route!r} allows a day",
                retry_after_s=self.quota.left(now)[1],
                reason="caller_quota",
                lines=self.lines(now),
                allowed=f"{self.quota.limit} requests a day (UTC)",
            )

    def lines(self, now: float) -> bytes:
        """Return the header lines that tell the caller his limits, and what is left of them."""
        left: list[bytes] = []
        if self.bucket is not None:
            tokens, wait = self.bucket.left(now)
            left.append(b'"rate";r=%d;t=%d' % (tokens, math.ceil(wait)))
        if self.quota is not None:
            left.append(b'"day";r=%d;t=%d' % self.quota.left(now))
        return b"%bRateLimit: %b\r\n" % (self._limits.policy, b", ".join(left))


class CallerLimits:
    """The limits of a route for each of its callers.

    Parameters
    ----------
    spec
        The route as it is published.
    rates, counts
        What the workers share; the counts are made when the first quota is asked for.
    """

    def __init__(self, spec: dict[str, Any], rates: Rates, counts: Callable[[], Quotas]) -> None:
        self.workspace: str = spec["workspace"]
        self.route: str = spec["name"]
        self._by: str = spec.get("limit_by", BY_CONSUMER)
        self._rate: float = spec.get("caller_rate_per_s", 0.0)
        self._burst: int = spec.get("caller_burst", 0)
        self._quota: int = spec.get("daily_quota", 0)
        self._rates, self._counts = rates, counts
        self._known: OrderedDict[tuple[str, str], Payer] = OrderedDict()
        self.policy = _policy(self._rate, max(1.0, self._burst or self._rate), self._quota)

    @classmethod
    def of(cls, spec: dict[str, Any], rates: Rates, counts: Callable[[], Quotas]) -> CallerLimits | None:
        """Return the limits of a route; None where it has none for each caller."""
        if not spec.get("caller_rate_per_s") and not spec.get("daily_quota"):
            return None
        return cls(spec, rates, counts)

    def caller(self, key: Key | None, peer: str) -> Payer:
        """Return who is limited: the owner of a key, the key, or the address; where there is no key the address."""
        if key is None or self._by == BY_ADDRESS:
            name = network_of(peer)
            return self._payer(BY_ADDRESS, name, name)
        if self._by == BY_KEY:
            return self._payer(BY_KEY, key.id, key.consumer)
        return self._payer(BY_CONSUMER, key.consumer, key.consumer)

    def _payer(self, by: str, who: str, name: str) -> Payer:
        known = self._known.get((by, who))
        if known is not None and (known.bucket is None or self._rates.holds(known.bucket, known.mark)):
            self._known.move_to_end((by, who))
            return known
        known = self._known[by, who] = Payer(self, name, of_caller(self.workspace, self.route, by, who))
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return known

    def bucket(self, mark: int) -> SharedBucket | None:
        """Return the bucket of a caller; None where only his day is limited."""
        return self._rates.bucket(mark, self._rate, self._burst) if self._rate else None

    def quota(self, mark: int) -> DailyQuota | None:
        """Return the quota of a caller; None where only his rate is limited."""
        return DailyQuota(self._counts(), mark, self._quota) if self._quota else None

    def seen(self, now: float) -> dict[str, int]:
        """Return what the addresses that asked most have used of the day; whoever has a name is found without."""
        counted = [(who, one.quota) for (by, who), one in self._known.items() if by == BY_ADDRESS and one.quota]
        used = {who: quota.limit - quota.left(now)[0] for who, quota in counted}
        return dict(sorted(used.items(), key=lambda one: (-one[1], one[0]))[:_SHOWN])


def _policy(rate: float, burst: float, quota: int) -> bytes:
    r"""Return the header line of the policies, in the words of draft-ietf-httpapi-ratelimit-headers.

    Examples
    --------
    >>> _policy(2.0, 10.0, 1000)
    b'RateLimit-Policy: "rate";q=10;w=5, "day";q=1000;w=86400\r\n'
    """
    said: list[bytes] = []
    if rate:
        said.append(b'"rate";q=%d;w=%d' % (burst, max(1, math.ceil(burst / rate))))
    if quota:
        said.append(b'"day";q=%d;w=%d' % (quota, DAY_S))
    return b"RateLimit-Policy: %b\r\n" % b", ".join(said)
