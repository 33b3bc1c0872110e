"""How datasets, views and feature views are found."""

from __future__ import annotations

from aimass.infra.search import Document
from aimass.kernel.errors import NotFound
from aimass.kernel.principal import SYSTEM
from aimass.kernel.registry import Registry
from aimass.lake.commands import OneDataset
from aimass.lake.feature_commands import OneFeatureView
from aimass.lake.service.lake import Lake
from aimass.lake.views import OneView


def document(registry: Registry, workspace: str, subject: str) -> Document | None:
    """Return how a dataset, a view or a feature view is found, or None when it is gone."""
    kind, _, slug = subject.partition(":")
    if kind == "feature_view":
        return _feature_view(registry, workspace, slug)
    if kind == "view":
        return _view(registry, workspace, slug)
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


def _view(registry: Registry, workspace: str, slug: str) -> Document | None:
    try:
        found = registry.get(Lake).get_view(SYSTEM, OneView(workspace=workspace, view=slug))
    except NotFound:
        return None
    return Document(
        workspace=workspace,
        key=f"view:{slug}",
        kind="view",
        title=found.name,
        text=f"{found.slug} {found.description} {' '.join(found.reads)}",
        href=f"/{workspace}/views/{slug}",
        permission="lake.read",
    )


def _feature_view(registry: Registry, workspace: str, slug: str) -> Document | None:
    try:
        found = registry.get(Lake).get_feature_view(SYSTEM, OneFeatureView(workspace=workspace, feature_view=slug))
    except NotFound:
        return None
    words = " ".join([found.slug, found.description, *found.tags, *(feature.name for feature in found.features)])
    return Document(
        workspace=workspace,
        key=f"feature_view:{slug}",
        kind="feature_view",
        title=found.name,
        text=words,
        href=f"/{workspace}/features/{slug}",
        permission="lake.read",
    )
