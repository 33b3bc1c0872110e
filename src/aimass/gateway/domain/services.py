"""Services that are no models: upstreams and their instances."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from annotated_types import Ge, Gt, Le, MaxLen, doc

from aimass.gateway.domain.inference import Cursor, Limit, Workspace
from aimass.kernel.errors import Invalid

Balance = Literal["round_robin", "weighted", "least_in_flight", "power_of_two", "consistent_hash"]
TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
PATH = re.compile(r"/[\x21-\x22\x24-\x7e]{0,254}")
_USUAL = {"http": 80, "https": 443}

UpstreamName = Annotated[str, MaxLen(63), doc("name of the service: small letters, digits and dashes")]
Title = Annotated[str, MaxLen(255), doc("what it is for")]
BalanceWay = Annotated[Balance, doc("how requests are spread over the instances")]
HashBy = Annotated[str, MaxLen(100), doc("header by which consistent_hash assigns requests; who calls when empty")]
ConnectTimeout = Annotated[float, Gt(0), Le(60), doc("seconds for a connection to an instance")]
Failures = Annotated[int, Ge(1), Le(1000), doc("failures in a row after which an instance has a rest")]
OpenFor = Annotated[float, Gt(0), Le(3600), doc("seconds of that rest; then one request tries")]
HealthPath = Annotated[str, MaxLen(255), doc("path that says whether an instance is well; no checks when empty")]
HealthEvery = Annotated[float, Ge(1), Le(3600), doc("seconds between two checks of an instance")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """A service that stands behind the gateway.

    Attributes
    ----------
    instances
        How many are registered now.
    failures, open_s
        After so many failures in a row an instance has a rest of so many seconds.
    """

    id: str
    workspace: str
    upstream: str
    title: str
    balance: Balance
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
class CreateUpstream:
    """A new service."""

    workspace: Workspace
    upstream: UpstreamName
    title: Title = ""
    balance: BalanceWay = "round_robin"
    hash_by: HashBy = ""
    connect_timeout_s: ConnectTimeout = 2.0
    failures: Failures = 5
    open_s: OpenFor = 10.0
    health_path: HealthPath = ""
    health_interval_s: HealthEvery = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeUpstream:
    """What is to change of a service; what is absent stays."""

    workspace: Workspace
    upstream: UpstreamName
    title: Title | None = None
    balance: BalanceWay | None = None
    hash_by: HashBy | None = None
    connect_timeout_s: ConnectTimeout | None = None
    failures: Failures | None = None
    open_s: OpenFor | None = None
    health_path: HealthPath | None = None
    health_interval_s: HealthEvery | None = None
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneUpstream:
    """One service, by name."""

    workspace: Workspace
    upstream: UpstreamName


@dataclass(frozen=True, slots=True, kw_only=True)
class ListUpstreams:
    """Which services are wanted, by name."""

    workspace: Workspace
    limit: Limit = 50
    cursor: Cursor = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One server of a service.

    Attributes
    ----------
    address
        The address to which its name led when it was registered, and to which requests go.
    lease_s, expires_at
        How long it stays without a heartbeat, and until when now; none for one that stays until it is taken away.
    """

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
class RegisterInstance:
    """A server of a service; the same address again renews it."""

    workspace: Workspace
    upstream: UpstreamName
    address: Annotated[str, MaxLen(255), doc("http://host:port or https://host:port")]
    weight: Annotated[int, Ge(1), Le(100), doc("its share, against the others")] = 1
    lease_s: Annotated[float | None, Ge(1), Le(86400), doc("gone after so many seconds without a heartbeat")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneInstance:
    """One server of a service, by id."""

    workspace: Workspace
    upstream: UpstreamName
    instance: Annotated[str, MaxLen(26), doc("id of the instance")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListInstances:
    """Which servers are wanted: those of a service."""

    workspace: Workspace
    upstream: UpstreamName
    limit: Limit = 50
    cursor: Cursor = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Until when an instance stays without another heartbeat."""

    instance: str
    lease_s: float
    expires_at: datetime


def plain_url(address: str) -> str:
    """Return the address of an instance as a registered one is shown.

    Examples
    --------
    >>> plain_url("HTTP://Geo.Example:80/"), plain_url("https://[2001:db8::1]:8443")
    ('http://geo.example', 'https://[2001:db8::1]:8443')
    """
    try:
        parts = urlsplit(address.strip())
        port = parts.port
    except ValueError:
        return address
    host = (parts.hostname or "").rstrip(".")
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + (f":{port}" if port not in (None, _USUAL.get(parts.scheme)) else "")


def check_upstream(policy: Mapping[str, Any]) -> None:
    """Refuse a name of a header, and a path, that are none."""
    name = policy["hash_by"]
    if name and not TOKEN.fullmatch(name):
        raise Invalid(f"{name!r} is no name of a header", field="hash_by", value=name)
    path = policy.get("health_path", "")
    if path and not PATH.fullmatch(path):
        raise Invalid(f"{path!r} is no path", field="health_path", value=path, allowed="/healthz")
