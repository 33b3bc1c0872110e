"""How datasets are found."""

from __future__ import annotations

from aimass.infra.search import Document
from aimass.kernel.errors import NotFound
from aimass.kernel.principal import SYSTEM
from aimass.kernel.registry import Registry
from aimass.lake.commands import OneDataset
from aimass.lake.service.lake import Lake


def document(registry: Registry, workspace: str, subject: str) -> Document | None:
    """Return how a dataset is found, or None when it is gone."""
    kind, _, slug = subject.partition(":")
    if kind != "dataset":
        return None
    try:
        found = registry.get(Lake).get_dataset(SYSTEM, OneDataset(workspace=workspace, dataset=slug))
    except NotFound:
        return None
    return Document(
        workspace=workspace,
        key=subject,
        kind="dataset",
        title=found.name,
        text=f"{found.slug} {found.description}",
        href=f"/{workspace}/data/{slug}",
        permission="lake.read",
    )
