"""How jobs are found."""

from __future__ import annotations

from aimass.cluster.service import Jobs
from aimass.infra.search import Document
from aimass.kernel.errors import NotFound
from aimass.kernel.registry import Registry


def document(registry: Registry, workspace: str, subject: str) -> Document | None:
    """Return how a job is found, or None when it is gone."""
    kind, _, id_ = subject.partition(":")
    if kind != "job":
        return None
    try:
        found = registry.get(Jobs).job(workspace, id_)
    except NotFound:
        return None
    return Document(
        workspace=workspace,
        key=subject,
        kind="job",
        title=found.title,
        text=f"{found.kind} {found.id}",
        href=f"/{workspace}/work/jobs/{found.id}",
        permission="cluster.read",
    )
