"""Who calls: keys and tokens of programs, session cookies of browsers; and what the console shell shows of a person."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from fastapi import Request
from starlette.requests import HTTPConnection

from aimass.access import Access, ListWorkspaces
from aimass.cluster import Jobs, ListJobs
from aimass.kernel.capability import Capability, load
from aimass.kernel.errors import Unauthenticated
from aimass.kernel.layout import DataDir
from aimass.kernel.principal import ANONYMOUS, ANYWHERE, Principal
from aimass.kernel.registry import Registry
from aimass.web.console import Badge, Workspace
from aimass.web.session import SESSION_COOKIE, Signer, require_csrf

_MOST = 200


class Identity:
    """Answers who sends a request.

    Parameters
    ----------
    registry
        Holds the service of access.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._access = registry.get(Access)
        self.secret = console_secret(registry.get(DataDir).keys)
        self._signer = Signer(secret=self.secret)

    def authenticate(self, connection: HTTPConnection) -> Principal:
        """Return the principal; the anonymous one for a request without credentials.

        Raises
        ------
        Unauthenticated
            The key or token is unknown, revoked or expired.
        Forbidden
            A browser's request to the REST API lacks the token against forgery.
        """
        credential = _credential(connection)
        if credential:
            return self._access.authenticate(credential)
        session = self._signer.read("session", connection.cookies.get(SESSION_COOKIE))
        if session is None:
            return ANONYMOUS
        try:
            who = self._access.authenticate(session)
        except Unauthenticated:
            return ANONYMOUS
        if connection.scope["type"] == "http" and connection.url.path.startswith("/api/"):
            require_csrf(Request(connection.scope), self._signer)
        return who

    def workspaces(self, who: Principal) -> Sequence[Workspace]:
        """Return the workspaces that a person may enter."""
        if who.kind == "anonymous":
            return ()
        page = self._access.list_workspaces(who, ListWorkspaces(limit=_MOST))
        return [Workspace(slug=w.slug, name=w.name) for w in page.items]

    def badges(self, capabilities: Sequence[Capability], who: Principal, workspace: str) -> Sequence[Badge]:
        """Return the counters of the top bar: jobs that run, and what needs somebody."""
        badges = []
        if who.allows("cluster.read", workspace):
            wanted = ListJobs(workspace=workspace, state="RUNNING", limit=_MOST)
            count = len(self._registry.get(Jobs).list_jobs(who, wanted).items)
            badges.append(
                Badge(
                    icon="loader",
                    label="Running jobs",
                    count=count,
                    href=f"/{workspace}/work/jobs",
                    topic=f"{workspace}/jobs",
                )
            )
        found = [
            need for c in capabilities if c.attention for need in load(c.attention)(self._registry, who, workspace)
        ]
        needs = sum(need["workspace"] in (workspace, ANYWHERE) for need in found)
        badges.append(Badge(icon="bell", label="Needs you", count=needs, href="/", tone="warn" if needs else "mute"))
        return badges


def _credential(connection: HTTPConnection) -> str:
    scheme, _, credential = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and credential:
        return credential.strip()
    return connection.headers.get("x-api-key", "")


def console_secret(folder: Path) -> bytes:
    """Return the secret that signs the console's cookies; made at the first start, readable by the owner alone."""
    path = folder / "console.key"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes()
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(32))
    return path.read_bytes()
