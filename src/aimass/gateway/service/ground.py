"""What the parts of the service share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Table

from aimass.access import Access
from aimass.gateway.leases import Leases
from aimass.gateway.plane.quotas import QUOTAS, used_of
from aimass.gateway.publish import Publisher
from aimass.gateway.publish_services import ServicePublisher
from aimass.gateway.settings import GatewaySettings
from aimass.gateway.store import find_row, routes, upstreams
from aimass.infra.database import Database
from aimass.infra.notify import AddressGuard
from aimass.kernel.errors import NotFound, Stale
from aimass.kernel.layout import DataDir
from aimass.serving import Serving, Tryouts


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The ports that the room stands on, and what it keeps in memory."""

    database: Database
    access: Access
    serving: Serving
    publisher: Publisher
    services: ServicePublisher
    leases: Leases
    guard: AddressGuard
    tryouts: Tryouts
    settings: GatewaySettings
    layout: DataDir


class Part:
    """One part of the service."""

    def __init__(self, ground: Ground) -> None:
        self._database = ground.database
        self._access = ground.access
        self._serving = ground.serving
        self._leases = ground.leases
        self._guard = ground.guard
        self._tryouts = ground.tryouts
        self._settings = ground.settings
        self._layout = ground.layout
        self.publisher = ground.publisher
        self.services = ground.services

    def used_today(self, marks: Sequence[int]) -> list[int]:
        """Return how many requests of the day (UTC) the gateway has counted for each of these."""
        now = self._database.clock.now().timestamp()
        return used_of(self.publisher.layout.gateway / QUOTAS, marks, now)


def upstream_row(conn: Connection, workspace: str, name: str) -> Row[Any]:
    """Return the row of a service, or raise NotFound."""
    return _row(conn, upstreams, "upstream", workspace, name)


def route_row(conn: Connection, workspace: str, name: str) -> Row[Any]:
    """Return the row of a route, or raise NotFound."""
    return _row(conn, routes, "route", workspace, name)


def _row(conn: Connection, table: Table, kind: str, workspace: str, name: str) -> Row[Any]:
    row = find_row(conn, table, workspace=workspace, **{kind: name})
    if row is None:
        raise NotFound(f"there is no {kind} {name!r}", field=kind, value=name)
    return row


def fresh(version: int, expected: int | None) -> None:
    """Refuse a change of something that was changed since it was read."""
    if expected is not None and expected != version:
        raise Stale(f"version {expected} was changed to {version} meanwhile", value=expected, hint="read it again")
