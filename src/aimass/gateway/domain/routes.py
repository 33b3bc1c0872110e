"""Routes to services that are no models: addresses of the gateway with their policies, and what is seen of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_network
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, MaxLen, doc

from aimass.gateway.domain.caching import (
    Cache,
    CacheBytes,
    CacheFor,
    CachePost,
    CacheReload,
    CacheShared,
    CacheStale,
    CacheVary,
    check_cache,
)
from aimass.gateway.domain.hosts import HostPath, Hosts
from aimass.gateway.domain.inference import Cursor, Limit, Workspace
from aimass.gateway.domain.services import PATH, TOKEN, Title, UpstreamName
from aimass.kernel.errors import Invalid
from aimass.kernel.names import check_slug

Access = Literal["key", "public"]
Limited = Literal["consumer", "key", "address"]
MOST_PARTS = 4
MOST_RULES = 50
OPENAPI_PATH, JSON_TYPE = "/openapi.json", "application/json"
_LEAST_STATUS = 200
_MIB = 1024 * 1024
_GIB = 1024 * _MIB
_VALUE = re.compile(r"[\x20-\x7e]{0,1000}")
_ORIGIN = re.compile(r"\*|https?://[A-Za-z0-9.\-\[\]:]{1,253}")
_CERTIFICATE = re.compile(r"\*|[0-9a-fA-F]{64}|[A-Za-z0-9.]+=[^\x00-\x1f]{1,400}")
_KIND = re.compile(r"[\w.+-]{1,50}/[\w.+-]{1,50}(?: *; *[\w-]+=[\w.-]+)*", re.ASCII)
_BODILESS = frozenset({204, 304})
_FIXED = frozenset(
    {"connection", "content-length", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)
_NOT_OF_REPLIES = frozenset({"clear-site-data", "service-worker-allowed", "set-cookie", "strict-transport-security"})
"""What holds for the whole origin, the console with it, can be taken from an answer, but not set."""

RouteName = Annotated[str, MaxLen(63), doc("name of the route: small letters, digits and dashes")]
Timeout = Annotated[float, Gt(0), Le(3600), doc("longest wait for the service: to its first byte, and between two")]
RequestBytes = Annotated[int, Ge(0), Le(100 * _GIB), doc("largest request body")]
ReplyBytes = Annotated[int, Ge(0), Le(100 * _GIB), doc("largest answer; 0 for no limit")]
Retries = Annotated[int, Ge(0), Le(10), doc("how often a request that failed is sent to another instance")]
RetryAfter = Annotated[int, Ge(1), Le(86400), doc("seconds that a paused route tells its callers to wait")]
Rate = Annotated[float, Ge(0), Le(1_000_000), doc("requests a second over all callers; 0 for no limit")]
Prefix = Annotated[str, MaxLen(255), doc("path below /s/<workspace>/; the name of the route when empty")]
Networks = Annotated[list[str], MaxLen(MOST_RULES), doc("addresses and networks that may call; everybody when empty")]
Certificates = Annotated[
    list[str],
    MaxLen(MOST_RULES),
    doc(
        "certificates that callers show, by subject (O=Example,CN=shop) or SHA-256; * for any that is trusted; none when empty"
    ),
]
Origins = Annotated[list[str], MaxLen(MOST_RULES), doc("origins whose pages may call (CORS), * for all")]
Headers = Annotated[dict[str, str], doc("headers to set; an empty value takes one away")]
OpenapiPath = Annotated[
    str, MaxLen(255), doc("path at which the service describes itself (OpenAPI 3, JSON); empty for none")
]
Queue = Annotated[
    int,
    Ge(0),
    Le(10_000),
    doc("how many requests wait at each worker while the route is paused; 0 tells all to come again"),
]
QueueWait = Annotated[float, Gt(0), Le(600), doc("longest wait of such a request, in seconds")]
StandIn = Annotated[str, MaxLen(63), doc("service that is asked when the one of the route fails; none when empty")]
FallbackStatus = Annotated[int, Ge(0), Le(599), doc("status of a static answer when nobody can answer; 0 for none")]
FallbackType = Annotated[str, MaxLen(100), doc("media type of that answer")]
FallbackBody = Annotated[str, MaxLen(65_536), doc("body of that answer")]
SlowAfter = Annotated[
    float, Ge(0), Le(86_400), doc("seconds from which a request is kept as slow; 0 for those of the gateway's setting")
]
LimitBy = Annotated[
    Limited,
    doc("whose requests are counted together: a consumer's, a key's or an address's; without a key the address's"),
]
CallerRate = Annotated[float, Ge(0), Le(1_000_000), doc("requests a second of each caller; 0 for no limit")]
CallerBurst = Annotated[
    int, Ge(0), Le(1_000_000), doc("requests that a caller may send at once; 0 for those of a second")
]
DailyQuota = Annotated[int, Ge(0), Le(1_000_000_000), doc("requests of each caller in a day (UTC); 0 for no limit")]
ShapeWait = Annotated[float, Ge(0), Le(60), doc("longest wait of a request over a rate, in seconds; 0 refuses it")]
ShapeQueue = Annotated[int, Ge(1), Le(10_000), doc("how many such requests wait at each worker")]
RequestUnsafe = Annotated[bool, doc("also repeat POST and PATCH, which may then be carried out twice")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """An address of the gateway, the service behind it, and the policies on it.

    Attributes
    ----------
    path
        Where callers reach it.
    hosts, host_path
        Names of hosts at which it answers too, and the path there below which it does; empty for the whole host.
    access
        ``key``: an API key with ``gateway.use`` on it; ``public``: everybody.
    retries, retry_unsafe
        How often a request that an instance failed is sent to another one, and whether also one that may have been
        carried out already.
    """

    id: str
    workspace: str
    route: str
    title: str
    upstream: str
    path: str
    prefix: str
    hosts: list[str]
    host_path: str
    access: Access
    strip_prefix: bool
    timeout_s: float
    max_request_bytes: int
    max_reply_bytes: int
    retries: int
    retry_unsafe: bool
    paused: bool
    retry_after_s: int
    rate_per_s: float
    allow_from: list[str]
    certificates: list[str]
    cors_origins: list[str]
    request_headers: dict[str, str]
    reply_headers: dict[str, str]
    openapi_path: str
    queue: int
    queue_wait_s: float
    fallback_upstream: str
    fallback_status: int
    fallback_type: str
    fallback_body: str
    cache: bool
    cache_s: float
    cache_stale_s: float
    cache_post: bool
    cache_vary: list[str]
    cache_shared: bool
    cache_reload: bool
    cache_bytes: int
    slow_s: float
    limit_by: Limited
    caller_rate_per_s: float
    caller_burst: int
    daily_quota: int
    shape_wait_s: float
    shape_queue: int
    created_by: str
    created_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateRoute:
    """A new route to a service."""

    workspace: Workspace
    route: RouteName
    upstream: UpstreamName
    title: Title = ""
    prefix: Prefix = ""
    hosts: Hosts = field(default_factory=list[str])
    host_path: HostPath = ""
    access: Annotated[Access, doc("who may call: key or public")] = "key"
    strip_prefix: Annotated[bool, doc("the service sees the path without the prefix")] = True
    timeout_s: Timeout = 60.0
    max_request_bytes: RequestBytes = 100 * _MIB
    max_reply_bytes: ReplyBytes = 0
    retries: Retries = 2
    retry_unsafe: RequestUnsafe = False
    retry_after_s: RetryAfter = 30
    rate_per_s: Rate = 0.0
    allow_from: Networks = field(default_factory=list[str])
    certificates: Certificates = field(default_factory=list[str])
    cors_origins: Origins = field(default_factory=list[str])
    request_headers: Headers = field(default_factory=dict[str, str])
    reply_headers: Headers = field(default_factory=dict[str, str])
    openapi_path: OpenapiPath = OPENAPI_PATH
    queue: Queue = 0
    queue_wait_s: QueueWait = 30.0
    fallback_upstream: StandIn = ""
    fallback_status: FallbackStatus = 0
    fallback_type: FallbackType = JSON_TYPE
    fallback_body: FallbackBody = ""
    cache: Cache = False
    cache_s: CacheFor = 0.0
    cache_stale_s: CacheStale = 0.0
    cache_post: CachePost = False
    cache_vary: CacheVary = field(default_factory=list[str])
    cache_shared: CacheShared = False
    cache_reload: CacheReload = True
    cache_bytes: CacheBytes = _MIB
    slow_s: SlowAfter = 0.0
    limit_by: LimitBy = "consumer"
    caller_rate_per_s: CallerRate = 0.0
    caller_burst: CallerBurst = 0
    daily_quota: DailyQuota = 0
    shape_wait_s: ShapeWait = 0.0
    shape_queue: ShapeQueue = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRoute:
    """What is to change of a route; what is absent stays."""

    workspace: Workspace
    route: RouteName
    upstream: UpstreamName | None = None
    title: Title | None = None
    prefix: Prefix | None = None
    hosts: Hosts | None = None
    host_path: HostPath | None = None
    access: Annotated[Access | None, doc("who may call: key or public")] = None
    strip_prefix: Annotated[bool | None, doc("the service sees the path without the prefix")] = None
    timeout_s: Timeout | None = None
    max_request_bytes: RequestBytes | None = None
    max_reply_bytes: ReplyBytes | None = None
    retries: Retries | None = None
    retry_unsafe: RequestUnsafe | None = None
    retry_after_s: RetryAfter | None = None
    rate_per_s: Rate | None = None
    allow_from: Networks | None = None
    certificates: Certificates | None = None
    cors_origins: Origins | None = None
    request_headers: Headers | None = None
    reply_headers: Headers | None = None
    openapi_path: OpenapiPath | None = None
    queue: Queue | None = None
    queue_wait_s: QueueWait | None = None
    fallback_upstream: StandIn | None = None
    fallback_status: FallbackStatus | None = None
    fallback_type: FallbackType | None = None
    fallback_body: FallbackBody | None = None
    cache: Cache | None = None
    cache_s: CacheFor | None = None
    cache_stale_s: CacheStale | None = None
    cache_post: CachePost | None = None
    cache_vary: CacheVary | None = None
    cache_shared: CacheShared | None = None
    cache_reload: CacheReload | None = None
    cache_bytes: CacheBytes | None = None
    slow_s: SlowAfter | None = None
    limit_by: LimitBy | None = None
    caller_rate_per_s: CallerRate | None = None
    caller_burst: CallerBurst | None = None
    daily_quota: DailyQuota | None = None
    shape_wait_s: ShapeWait | None = None
    shape_queue: ShapeQueue | None = None
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneRoute:
    """One route, by name."""

    workspace: Workspace
    route: RouteName


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRoutes:
    """Which routes to services are wanted, by name."""

    workspace: Workspace
    limit: Limit = 50
    cursor: Cursor = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceTraffic:
    """What the gateway sees of an instance.

    Attributes
    ----------
    states
        How many workers see it as ``closed`` (well), ``open`` (at rest after failures), ``half-open`` or ``ill``.
    answer_s
        Seconds to the head of an answer, the newest ones weighing most.
    p50_s, p95_s, p99_s
        Upper bounds of that time; None while nothing was answered.
    """

    instance: str
    url: str
    requests: int
    errors: int
    in_flight: int
    answer_s: float
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    states: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerTraffic:
    """What the gateway has seen of one who calls a route.

    Attributes
    ----------
    consumer
        Whose key it was; empty without one, and ``(others)`` for all beyond the first twenty of a worker.
    last_seen
        When his last request was answered; None while none was.
    """

    consumer: str
    requests: int
    errors: int
    in_flight: int
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    cache_hits: int
    last_seen: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteTraffic:
    """What the gateway has seen of a route since its workers started.

    Attributes
    ----------
    errors
        Answers of the service with 500 or more, or none at all.
    refused
        Requests that the route's policies turned away.
    waiting
        Requests that wait because the route is paused, or because they are over its rate.
    fallbacks
        Answers that the stand-in, or the static answer, gave in place of the service.
    cache_hits, cache_misses
        Requests that an answer was kept for, and those that had to ask the service although its answer may be kept.
    p50_s, p95_s, p99_s
        Upper bounds of the time to the head of an answer; None while nothing was answered.
    """

    route: str
    requests: int
    errors: int
    refused: int
    in_flight: int
    waiting: int
    fallbacks: int
    cache_hits: int
    cache_misses: int
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    instances: list[InstanceTraffic]
    consumers: list[ConsumerTraffic]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRouteCallers:
    """Whose use of a route is wanted, the most first."""

    workspace: Workspace
    route: RouteName
    limit: Limit = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteCaller:
    """What a caller of a route has used of the day (UTC).

    Attributes
    ----------
    by
        Whether this is a ``consumer``, a ``key`` (by its id) or an ``address``.
    remaining
        What is left of the quota; None where the route has none.
    """

    by: Limited
    caller: str
    used_today: int
    remaining: int | None


def clean_prefix(prefix: str, route: str) -> str:
    """Return the path of a route below its workspace.

    Examples
    --------
    >>> clean_prefix("/geo/tiles/", "geo"), clean_prefix("", "geo")
    ('geo/tiles', 'geo')
    """
    parts = prefix.strip("/").split("/") if prefix.strip("/") else [route]
    if len(parts) > MOST_PARTS:
        raise Invalid(
            f"{prefix!r} has {len(parts)} parts", field="prefix", value=prefix, allowed=f"at most {MOST_PARTS}"
        )
    return "/".join(check_slug(part, field="prefix") for part in parts)


def check_policy(policy: Mapping[str, Any]) -> None:
    """Refuse addresses, origins and headers that cannot be meant."""
    _check_callers(policy)
    for text in policy.get("cors_origins") or ():
        if not _ORIGIN.fullmatch(text):
            raise Invalid(f"{text!r} is no origin", field="cors_origins", value=text, allowed="https://host or *")
    status = policy.get("fallback_status")
    if status and (status < _LEAST_STATUS or status in _BODILESS):
        raise Invalid(f"{status} has no body", field="fallback_status", value=status, allowed="0, or 200 to 599")
    kind = policy.get("fallback_type")
    if kind is not None and not _KIND.fullmatch(kind):
        raise Invalid(f"{kind!r} is no media type", field="fallback_type", value=kind, allowed=JSON_TYPE)
    path = policy.get("openapi_path")
    if path and not PATH.fullmatch(path):
        raise Invalid(f"{path!r} is no path", field="openapi_path", value=path, allowed=OPENAPI_PATH)
    for name in ("request_headers", "reply_headers"):
        _check_headers(name, policy.get(name) or {})
    check_cache(policy)


def _check_callers(policy: Mapping[str, Any]) -> None:
    for text in policy.get("allow_from") or ():
        try:
            ip_network(text)
        except ValueError as reason:
            raise Invalid(
                f"{text!r} is no address or network", field="allow_from", value=text, allowed="10.1.0.0/16"
            ) from reason
    for text in policy.get("certificates") or ():
        if not _CERTIFICATE.fullmatch(text):
            raise Invalid(
                f"{text!r} is neither a subject nor a SHA-256",
                field="certificates",
                value=text,
                allowed="*, O=Example,CN=shop, or 64 hexadecimal digits",
            )


def _check_headers(field_: str, rules: Mapping[str, str]) -> None:
    if len(rules) > MOST_RULES:
        raise Invalid(
            f"{len(rules)} headers are too many", field=field_, value=len(rules), allowed=f"at most {MOST_RULES}"
        )
    for name, value in rules.items():
        if (
            not TOKEN.fullmatch(name)
            or name.lower() in _FIXED
            or name.lower().startswith(("x-forwarded-", "x-aimass-"))
        ):
            raise Invalid(f"header {name[:100]!r} cannot be set here", field=field_, value=name[:100])
        if value and field_ == "reply_headers" and name.lower() in _NOT_OF_REPLIES:
            raise Invalid(
                f"header {name!r} holds for the console too, and can only be taken away", field=field_, value=name
            )
        if not _VALUE.fullmatch(value):
            raise Invalid(f"the value of {name!r} cannot stand in a header", field=field_, value=value[:100])


def percentile(bounds: Iterable[float], counts: Iterable[int], share: float) -> float | None:
    """Return the upper bound of the bucket in which a share of observations ends; None without any.

    Examples
    --------
    >>> percentile([0.1, 1.0], [9, 1, 0], 0.5), percentile([0.1, 1.0], [0, 0, 0], 0.5)
    (0.1, None)
    """
    found = list(counts)
    left, limits = share * sum(found), list(bounds)
    for limit, count in zip([*limits, limits[-1]], found, strict=True):
        left -= count
        if count and left <= 0:
            return limit
    return None
