"""To whom the name of a host belongs: the workspace that named it first, and never who would take the platform's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from aimass.access import Access
from aimass.gateway.domain.hosts import meets, own_among, tail_of
from aimass.gateway.settings import GatewaySettings
from aimass.gateway.store import routes_naming
from aimass.infra.database import Change
from aimass.kernel.errors import Conflict, Invalid
from aimass.serving import ServingSettings


def own_hosts(access: Access, settings: GatewaySettings) -> Iterator[str]:
    """Yield the names at which people and programs reach the platform itself."""
    for url in (access.token_issuer, ServingSettings().public_url):
        name = urlsplit(url).hostname
        if name:
            yield name
    yield from settings.names()


def need_allowed(policy: Mapping[str, Any], domains: Sequence[str]) -> None:
    """Refuse hosts that no administrator lets routes have: else whoever edits routes could take a name of the platform.

    Raises
    ------
    Invalid
        A host lies in no domain that is listed.
    """
    for host in policy.get("hosts") or []:
        name = host.removeprefix("*.")
        if not any(name == domain or name.endswith(f".{domain}") for domain in domains):
            raise Invalid(
                f"routes may not answer at {host!r}", field="hosts", value=host,
                allowed=", ".join(domains) or "no hosts at all",
                hint="let an administrator list its domain in AIMASS_GATEWAY_ROUTE_HOSTS",
            )  # fmt: skip


def need_hosts(change: Change, workspace: str, route: str, policy: Mapping[str, Any], own: Iterator[str]) -> None:
    """Refuse a host of another workspace or of the platform, and a place at a host that another route has.

    Raises
    ------
    Conflict
        Somebody else answers there.
    """
    hosts, path = policy.get("hosts") or [], policy.get("host_path") or ""
    if not hosts:
        return
    taken = own_among(hosts, own)
    if taken is not None:
        raise Conflict(
            f"the platform itself is reached at {taken!r}", field="hosts", value=taken,
            hint="name other hosts, and each by itself where a star would take this one",
        )  # fmt: skip
    for row in routes_naming(change.conn, {tail_of(host) for host in hosts}):
        theirs = row.policy.get("hosts") or []
        if row.workspace != workspace:
            met = next((host for host in hosts if any(meets(host, one) for one in theirs)), None)
            if met is not None:
                raise Conflict(
                    f"host {met!r} belongs to another workspace", field="hosts", value=met,
                    hint="name another host, or ask an administrator who has it",
                )  # fmt: skip
        elif row.route != route and (row.policy.get("host_path") or "") == path:
            met = next((host for host in hosts if host in theirs), None)
            if met is not None:
                raise Conflict(
                    f"route {row.route!r} answers at {met}/{path}", field="hosts", value=met,
                    hint="name another host, or another path at it (host_path)",
                )  # fmt: skip
