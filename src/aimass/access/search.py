"""How people, service accounts and workspaces are found."""

from __future__ import annotations

from aimass.access.domain.keys import ListServices
from aimass.access.domain.members import OneWorkspace
from aimass.access.domain.people import OneUser
from aimass.access.service.access import Access
from aimass.infra.search import Document
from aimass.kernel.errors import NotFound
from aimass.kernel.principal import ANYWHERE, SYSTEM
from aimass.kernel.registry import Registry

_MOST = 500


def document(registry: Registry, workspace: str, subject: str) -> Document | None:
    """Return how a person, a service account or a workspace is found, or None when it is gone."""
    kind, _, name = subject.partition(":")
    access = registry.get(Access)
    try:
        if kind == "user" and workspace == ANYWHERE:
            return _person(access, name)
        if kind == "workspace" and name == workspace:
            found = access.get_workspace(SYSTEM, OneWorkspace(workspace=name))
            return _document(workspace, subject, found.name, (found.slug, f"/{name}"))
        if kind == "service" and workspace != ANYWHERE:
            return _service(access, workspace, name)
    except NotFound:
        return None
    return None


def _person(access: Access, name: str) -> Document | None:
    found = access.get_user(SYSTEM, OneUser(user=name))
    if found.name.startswith("erased-"):
        return None
    return _document(ANYWHERE, f"user:{name}", found.name, (found.email or "", f"/settings/users/{found.id}"))


def _service(access: Access, workspace: str, name: str) -> Document | None:
    page = access.list_services(SYSTEM, ListServices(workspace=workspace, limit=_MOST))
    found = next((one for one in page.items if name in (one.id, one.slug)), None)
    if found is None:
        return None
    key = f"service:{found.slug}"
    return _document(workspace, key, found.name, (found.slug, f"/{workspace}/settings/services"))


def _document(workspace: str, key: str, title: str, rest: tuple[str, str]) -> Document:
    kind, (text, href) = key.partition(":")[0], rest
    return Document(
        workspace=workspace, key=key, kind=kind, title=title, text=text, href=href, permission="access.read"
    )
