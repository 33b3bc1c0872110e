"""Objects of gateway. Written by tools/generate.py from the use cases; do not edit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """An address of the gateway, the service behind it, and the policies on it."""

    id: str
    workspace: str
    route: str
    title: str
    upstream: str
    path: str
    prefix: str
    hosts: list[str]
    host_path: str
    access: Literal["key", "public"]
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
    limit_by: Literal["consumer", "key", "address"]
    caller_rate_per_s: float
    caller_burst: int
    daily_quota: int
    shape_wait_s: float
    shape_queue: int
    created_by: str
    created_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """A service that stands behind the gateway."""

    id: str
    workspace: str
    upstream: str
    title: str
    balance: Literal["round_robin", "weighted", "least_in_flight", "power_of_two", "consistent_hash"]
    hash_by: str
    connect_timeout_s: float
    failures: int
    open_s: float
    health_path: str
    health_interval_s: float
    instances: int
    created_by: str
    created_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayState:
    """What is published, and how far the gateway workers are with it."""

    snapshot: int
    published_at: datetime | None
    endpoints: int
    keys: int
    workers: list[GatewayWorker]
    certificate: Certificate | None
    troubles: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayWorker:
    """One gateway process."""

    worker: str
    pid: int
    port: int
    snapshot: int
    is_current: bool
    loaded: int
    in_memory: int
    model_bytes: int
    max_model_bytes: int | None
    errors: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What the public port and gRPC present to their clients."""

    subject: str
    issuer: str
    names: list[str]
    fingerprint: str
    valid_from: datetime
    expires_at: datetime
    days_left: int
    clients: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteTraffic:
    """What the gateway has seen of a route since its workers started."""

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
class InstanceTraffic:
    """What the gateway sees of an instance."""

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
    """What the gateway has seen of one who calls a route."""

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
class Lease:
    """Until when an instance stays without another heartbeat."""

    instance: str
    lease_s: float
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    """Somebody who calls endpoints with API keys, and the rate each of these keys may have."""

    workspace: str
    name: str
    keys: list[ConsumerKey]
    rate_per_s: float | None
    changed_by: str | None
    changed_at: datetime | None
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerKey:
    """An API key as the data plane knows it."""

    id: str
    use: list[str]
    expires_at: float | None
    daily_quota: int
    used_today: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One server of a service."""

    id: str
    workspace: str
    upstream: str
    url: str
    address: str
    weight: int
    lease_s: float | None
    expires_at: datetime | None
    registered_by: str
    registered_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """One thing that can be called."""

    kind: Literal["model", "service"]
    name: str
    path: str
    about: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRoute:
    """An address that answers inference, and the policies on it."""

    workspace: str
    endpoint: str
    path: str
    timeout_s: float
    max_body_bytes: int
    record_sample: float
    record_payload: bool
    targets: list[RouteTarget]
    shadow: str | None
    fallback: str | None
    split: str
    has_static: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteTarget:
    """A deployment behind a route with its share of the traffic."""

    deployment: str
    model: str
    version: int
    weight: int
    runtime: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteCaller:
    """What a caller of a route has used of the day (UTC)."""

    by: Literal["consumer", "key", "address"]
    caller: str
    used_today: int
    remaining: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowRequest:
    """A request through the gateway that took longer than the threshold, or failed with 500 or more."""

    id: str
    workspace: str
    at: datetime
    seconds: float
    kind: str
    name: str
    service: str
    target: str
    version: str
    consumer: str
    method: str
    path: str
    status: int
    error: str
    first_byte_s: float | None
    queue_s: float | None
    compute_s: float | None
    bytes_in: int | None
    bytes_out: int | None
    retries: int
    breaker: str
    trace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: str
    is_cut: bool
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A configuration, and what has to be said to the platform for it."""

    edge: Literal["nginx", "caddy", "traefik"]
    files: list[EdgeFile]
    setting: str
    check: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeFile:
    """A file of a configuration, under the name that it has by custom."""

    name: str
    text: str
