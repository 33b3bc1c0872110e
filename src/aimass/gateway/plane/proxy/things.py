"""What control publishes about services: instances, upstreams and routes, with what a worker knows of them."""

from __future__ import annotations

import math
from collections import deque
from ipaddress import ip_address, ip_network
from random import randrange
from typing import Any

from aimass.gateway.plane.http import reply
from aimass.gateway.plane.metrics import FEW_BOUNDS, Counter, Histogram
from aimass.gateway.plane.proxy.balance import BALANCES
from aimass.gateway.plane.proxy.callers import Callers
from aimass.gateway.plane.proxy.keeping import keeping_of
from aimass.gateway.plane.proxy.limits import CallerLimits
from aimass.gateway.plane.rates import SharedBucket
from aimass.gateway.plane.tls import shown_pair
from aimass.gateway.plane.upstream import Link

STATES = ("closed", "open", "half-open", "ill")
_EWMA = 0.2
_BUDGET_SHARE, _BUDGET_MOST = 0.2, 20.0


class Instance:
    """One server of a service, as one gateway worker sees it.

    Attributes
    ----------
    failures
        How often it failed in a row; at the limit of its upstream nobody is sent to it until ``open_until``, and then
        one request as a trial.
    ewma
        Seconds to the head of an answer, the newest ones weighing most.
    """

    __slots__ = (
        "address", "current", "errors", "ewma", "failures", "host", "id", "idle", "in_flight", "is_gone", "is_ill",
        "is_on_trial", "is_tls", "latency", "misses", "open_until", "port", "requests", "weight",
    )  # fmt: skip

    def __init__(self, spec: dict[str, Any]) -> None:
        self.id: str = spec["id"]
        self.address: str = spec["address"]
        self.port: int = spec["port"]
        self.host: str = spec["host"]
        self.is_tls: bool = spec["tls"]
        self.weight: int = spec["weight"]
        self.idle: list[Link] = []
        self.latency = Histogram(FEW_BOUNDS)
        self.in_flight = self.failures = self.requests = self.errors = self.current = self.misses = 0
        self.ewma = self.open_until = 0.0
        self.is_on_trial = self.is_ill = self.is_gone = False

    def waiting(self) -> Link | None:
        """Return a connection that waits, or None."""
        while self.idle:
            link = self.idle.pop()
            if not link.is_lost and not link.transport.is_closing():
                return link
        return None

    def leave(self) -> None:
        """Be no instance any more: what is under way is finished, and no connection waits after it."""
        self.is_gone = True
        self.close()

    def close(self) -> None:
        """Close the connections that wait."""
        idle, self.idle = self.idle, []
        for link in idle:
            link.transport.close()


class Upstream:
    """A service: its instances, and how requests are spread over them.

    Attributes
    ----------
    troubled
        How many instances are not simply well; while there is none every one of them is asked in turn.
    """

    __slots__ = (
        "balance", "budget", "connect_s", "failures", "hash_by", "health_path", "health_s", "instances", "name",
        "next_check", "open_s", "ring", "troubled", "turn", "workspace",
    )  # fmt: skip

    def __init__(self, spec: dict[str, Any]) -> None:
        self.turn = randrange(1 << 16)  # noqa: S311 workers begin at different places
        self.budget = _BUDGET_MOST
        self.instances: list[Instance] = []
        self.use(spec)

    def use(self, spec: dict[str, Any]) -> None:
        """Follow a change; instances that stay keep their connections and what is known of them."""
        self.workspace: str = spec["workspace"]
        self.name: str = spec["name"]
        self.balance = BALANCES[spec["balance"]]
        self.hash_by: bytes = spec["hash_by"].lower().encode()
        self.connect_s: float = spec["connect_timeout_s"]
        self.failures: int = spec["failures"]
        self.open_s: float = spec["open_s"]
        self.health_path: bytes = spec.get("health_path", "").encode()
        self.health_s: float = spec.get("health_interval_s", 10.0)
        self.next_check = 0.0
        if not self.health_path:
            for one in self.instances:
                one.is_ill = False
        before = {(one.id, one.address, one.port): one for one in self.instances}
        self.instances = [_instance(one, before) for one in spec["instances"]]
        for gone in before.values():
            gone.leave()
        self.ring: list[tuple[int, Instance]] = []
        self._count()

    def _count(self) -> None:
        self.troubled = sum(1 for one in self.instances if one.failures >= self.failures or one.is_ill)

    def choose(self, now: float, tried: list[Instance], key: bytes) -> Instance | None:
        """Return who is to be asked next, None when there is nobody."""
        found = self.instances
        if tried or self.troubled:
            found = [one for one in found if one not in tried and self.is_open_for(one, now)]
        if not found:
            return None
        chosen: Instance = found[0] if len(found) == 1 else self.balance(self, found, key)
        if chosen.failures >= self.failures:
            chosen.is_on_trial = True
        return chosen

    def is_open_for(self, one: Instance, now: float) -> bool:
        """Tell whether an instance may be asked."""
        if one.is_ill:
            return False
        return one.failures < self.failures or (now >= one.open_until and not one.is_on_trial)

    def succeeded(self, one: Instance, seconds: float) -> None:
        """Note an answer."""
        one.latency.observe(seconds)
        one.ewma = seconds if one.ewma == 0.0 else one.ewma + _EWMA * (seconds - one.ewma)
        self.budget = min(_BUDGET_MOST, self.budget + _BUDGET_SHARE)
        if one.failures:
            one.failures, one.is_on_trial = 0, False
            self._count()

    def failed(self, one: Instance, now: float) -> None:
        """Note a failure; after too many in a row the instance has a rest."""
        one.errors += 1
        one.failures += 1
        one.is_on_trial = False
        if one.failures >= self.failures:
            one.open_until = now + self.open_s
            one.close()
            self._count()

    def judge(self, one: Instance, *, is_ill: bool) -> None:
        """Hear from a health check how an instance is; who is well again is trusted at once."""
        one.is_ill = is_ill
        if not is_ill:
            one.failures, one.is_on_trial = 0, False
        self._count()

    def may_repeat(self, now: float, tried: list[Instance]) -> bool:
        """Take from the budget of repeats, where somebody else can be asked.

        Answers fill it, each by a fifth: repeats must not multiply an outage.
        """
        if self.budget < 1.0 or not any(one not in tried and self.is_open_for(one, now) for one in self.instances):
            return False
        self.budget -= 1.0
        return True

    def state_of(self, one: Instance, now: float) -> str:
        """Say how an instance is: ``ill`` by its health check, or the state of its breaker."""
        if one.is_ill:
            return "ill"
        if one.failures < self.failures:
            return "closed"
        return "open" if now < one.open_until else "half-open"


def _instance(spec: dict[str, Any], before: dict[tuple[str, str, int], Instance]) -> Instance:
    """Return the instance of a description, the same as before where it is the same server."""
    one = before.pop((spec["id"], spec["address"], spec["port"]), None) or Instance(spec)
    one.weight = spec["weight"]
    return one


class RouteStats:
    """What a worker counts of a route, whatever its policies become, and the requests that wait: it is paused, or they are over a rate.

    Attributes
    ----------
    counters
        What the cache had to do with requests, by the word for it.
    """

    __slots__ = (
        "callers",
        "counters",
        "errors",
        "fallbacks",
        "hits",
        "in_flight",
        "latency",
        "misses",
        "parked",
        "refused",
        "requests",
        "shaped",
    )

    def __init__(self, latency: Histogram, callers: Callers) -> None:
        self.latency, self.callers = latency, callers
        self.requests = self.errors = self.refused = self.in_flight = self.fallbacks = self.hits = self.misses = 0
        self.parked: deque[Any] = deque()
        self.counters: dict[bytes, Counter] = {}
        self.shaped: set[Any] = set()


class Route:
    """An address and the service behind it, with its policies.

    Attributes
    ----------
    slow_s
        From how many seconds on a request is slow.
    """

    __slots__ = (
        "allow_from", "cache", "certificates", "cors", "fallback", "fallback_answer", "is_key_needed", "is_paused", "limits", "max_parked", "max_parked_s",
        "max_reply_bytes", "max_request_bytes", "max_shaped", "max_shaped_s", "name", "prefix", "rate", "remove_reply", "remove_request", "repeats", "repeats_unsafe", "retry_after_s", "set_reply",
        "set_request", "slow_s", "stats", "strip", "timeout_s", "upstream", "workspace",
    )  # fmt: skip

    def __init__(
        self, spec: dict[str, Any], stats: RouteStats, rate: SharedBucket | None, limits: CallerLimits | None = None
    ) -> None:
        self.workspace: str = spec["workspace"]
        self.name: str = spec["name"]
        self.prefix: bytes = f"/s/{self.workspace}/{spec['prefix']}".encode()
        self.upstream: bytes = f"{self.workspace}/{spec['upstream']}".encode()
        self.is_key_needed = spec["access"] != "public"
        self.strip: bool = spec["strip_prefix"]
        self.timeout_s: float = spec["timeout_s"]
        self.max_request_bytes: int = spec["max_request_bytes"]
        self.max_reply_bytes: float = spec["max_reply_bytes"] or math.inf
        self.repeats: int = spec["retries"]
        self.repeats_unsafe: bool = spec["retry_unsafe"]
        self.is_paused: bool = spec["paused"]
        self.retry_after_s: int = spec["retry_after_s"]
        self.max_parked: int = spec.get("queue", 0)
        self.max_parked_s: float = spec.get("queue_wait_s", 30.0)
        self.max_shaped: int = spec.get("shape_queue", 0)
        self.max_shaped_s: float = spec.get("shape_wait_s", 0.0)
        fallback = spec.get("fallback_upstream")
        self.fallback: bytes = f"{self.workspace}/{fallback}".encode() if fallback else b""
        self.fallback_answer = _answer(spec) if spec.get("fallback_status") else None
        self.cache = keeping_of(spec)
        self.allow_from = [ip_network(text) for text in spec["allow_from"]]
        self.certificates = frozenset(_certificate(text) for text in spec.get("certificates", ()))
        self.cors = frozenset(text.encode() for text in spec["cors_origins"])
        self.set_request, self.remove_request = _rules(spec["request_headers"])
        self.set_reply, self.remove_reply = _rules(spec["reply_headers"])
        self.stats = stats
        self.rate = rate
        self.slow_s = math.inf
        self.limits = limits

    def admits(self, peer: str) -> bool:
        """Tell whether a client may come from this address.

        A peer without one, as on a socket of this machine, is nobody's address.
        """
        if not self.allow_from:
            return True
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None) or address
        return any(mapped in network for network in self.allow_from)

    def trusts(self, shown: bytes) -> bool:
        """Tell whether a client may call that showed this certificate, in the words in which services hear of it."""
        print_, _, subject = shown.partition(b";")
        return bool(shown) and not self.certificates.isdisjoint((b"*", print_, subject))


def _certificate(text: str) -> bytes:
    """Return a certificate in the words of the gateway.

    Examples
    --------
    >>> _certificate("*"), _certificate("CN=shop 1; north"), _certificate("A" * 64)[:9]
    (b'*', b'Subject="CN=shop 1%3B north"', b'Hash=aaaa')
    """
    if text == "*":
        return b"*"
    if "=" not in text:
        return f"Hash={text.lower()}".encode()
    return f'Subject="{",".join(shown_pair(pair, "%") for pair in text.split(","))}"'.encode()


def _answer(spec: dict[str, Any]) -> bytes:
    """Return the whole static answer of a route."""
    kind, body = spec["fallback_type"].encode(), spec["fallback_body"].encode()
    return reply(spec["fallback_status"], body, kind=kind, extra=b"X-AIMass-Fallback: static\r\n")


def _rules(rules: dict[str, str]) -> tuple[list[tuple[bytes, bytes]], frozenset[bytes]]:
    """Return headers to set, and names to take away; a name with an empty value is taken away.

    Examples
    --------
    >>> setting, taking = _rules({"X-Team": "geo", "Server": ""})
    >>> setting, sorted(taking)
    ([(b'x-team', b'geo')], [b'server', b'x-team'])
    """
    named = [(name.lower().encode(), value.encode()) for name, value in rules.items()]
    return [(name, value) for name, value in named if value], frozenset(name for name, _ in named)
