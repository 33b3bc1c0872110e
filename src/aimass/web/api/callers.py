"""Who calls, and where the services are: what hand-written routes need."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import HTTPConnection

from aimass.kernel.errors import NotFound
from aimass.kernel.principal import ANYWHERE, Principal
from aimass.kernel.registry import Registry

Authenticate = Callable[[HTTPConnection], Principal]
HasWorkspace = Callable[[str], bool]


def caller(connection: HTTPConnection, *, everywhere: bool = False) -> Principal:
    """Return the principal of a request, found once per request; ``everywhere`` where ``*`` may stand for the workspace."""
    known = getattr(connection.state, "principal", None)
    if known is None:
        known = connection.app.state.authenticate(connection)
        connection.state.principal = known
        if not (everywhere and connection.path_params.get("workspace") == ANYWHERE):
            require_workspace(connection, known)
    return known


def require_workspace(connection: HTTPConnection, who: Principal) -> None:
    """Refuse an address in a workspace that does not exist, with the words that a stranger to it hears.

    Raises
    ------
    NotFound
        Nobody made the workspace, or it was deleted.
    """
    slug = connection.path_params.get("workspace")
    exists: HasWorkspace | None = getattr(connection.app.state, "has_workspace", None)
    if slug and exists is not None and who.knows(slug) and not exists(slug):
        raise NotFound(f"there is no workspace {slug!r}", field="workspace", value=slug)


def registry_of(connection: HTTPConnection) -> Registry:
    """Return the registry with every port and service."""
    return connection.app.state.registry
