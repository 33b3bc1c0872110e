"""Objects of gateway. Written by tools/generate.py from the use cases; do not edit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayState:
    """What is published, and how far the gateway workers are with it."""

    snapshot: int
    published_at: datetime | None
    endpoints: int
    keys: int
    workers: list[GatewayWorker]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
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
