"""Consumers, routes and gateway workers, as callers see them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from annotated_types import Ge, Gt, Le, MaxLen, doc

from aimass.gateway.domain.tls import Certificate
from aimass.kernel.pages import MAX_LIMIT

Workspace = Annotated[str, MaxLen(63), doc("slug of the workspace")]
Limit = Annotated[int, Ge(1), Le(MAX_LIMIT), doc("rows wanted")]
Cursor = Annotated[str | None, doc("continues an earlier page")]
MAX_RATE = 1_000_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerKey:
    """An API key as the data plane knows it.

    Attributes
    ----------
    use
        Endpoints that it may call; ``*`` for every one of its workspace.
    daily_quota, used_today
        Requests that it may send in a day of UTC, 0 for no limit, and how many of them it has sent.
    """

    id: str
    use: list[str]
    expires_at: float | None
    daily_quota: int
    used_today: int


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
class ListConsumers:
    """Which consumers are wanted, by name."""

    workspace: Workspace
    limit: Limit = 50
    cursor: Cursor = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetRateLimit:
    """Limit how many requests a second each key of a consumer may send; no rate takes the limit away."""

    workspace: Workspace
    consumer: Annotated[str, MaxLen(255), doc("name of the consumer")]
    rate_per_s: Annotated[float | None, Gt(0), Le(MAX_RATE), doc("requests a second; no limit when absent")] = None
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteTarget:
    """A deployment behind a route with its share of the traffic."""

    deployment: str
    model: str
    version: int
    weight: int
    runtime: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRoute:
    """An address that answers inference, and the policies on it.

    Attributes
    ----------
    split
        By what requests are assigned to targets: ``random``, ``consumer``, ``header <name>`` or ``parameter <name>``.
    has_static
        Whether a static answer stands in when nobody else can answer.
    """

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
class ListModelRoutes:
    """Which routes are wanted, by endpoint."""

    workspace: Workspace
    limit: Limit = 50
    cursor: Cursor = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayWorker:
    """One gateway process.

    Attributes
    ----------
    snapshot
        The version of the published snapshot by which it serves.
    is_current
        Whether that is the newest.
    in_memory, model_bytes, max_model_bytes
        How many models are in its memory now, how many bytes they take, and how many they may take.
    """

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
class GatewayState:
    """What is published, and how far the gateway workers are with it.

    Attributes
    ----------
    certificate
        What the public port and gRPC present; none where they do not speak TLS.
    troubles
        What is wrong with the files of TLS, or soon will be.
    """

    snapshot: int
    published_at: datetime | None
    endpoints: int
    keys: int
    workers: list[GatewayWorker]
    certificate: Certificate | None
    troubles: list[str]
