"""Who calls, and where the services are: what hand-written routes need."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import HTTPConnection

from aimass.kernel.principal import Principal
from aimass.kernel.registry import Registry

Authenticate = Callable[[HTTPConnection], Principal]


def caller(connection: HTTPConnection) -> Principal:
    """Return the principal of a request, found once per request."""
    known = getattr(connection.state, "principal", None)
    if known is None:
        known = connection.app.state.authenticate(connection)
        connection.state.principal = known
    return known


def registry_of(connection: HTTPConnection) -> Registry:
    """Return the registry with every port and service."""
    return connection.app.state.registry
