"""How models are found."""

from __future__ import annotations

from aimass.infra.search import Document
from aimass.kernel.errors import NotFound
from aimass.kernel.principal import SYSTEM
from aimass.kernel.registry import Registry
from aimass.models.domain import OneModel
from aimass.models.service.models import Models


def document(registry: Registry, workspace: str, subject: str) -> Document | None:
    """Return how a model or one of its versions is found, or None when it is gone."""
    kind, _, name = subject.partition(":")
    if kind not in ("model", "model_version"):
        return None
    slug, _, number = name.partition("/")
    models = registry.get(Models)
    try:
        model = models.get_model(SYSTEM, OneModel(workspace=workspace, model=slug))
        version = models.version(workspace, slug, int(number)) if number else None
    except NotFound:
        return None
    facts = (
        "" if version is None else f"{version.facts.recipe or ''} {version.facts.dataset or ''} {version.description}"
    )
    return Document(
        workspace=workspace,
        key=subject,
        kind=kind,
        title=model.name if version is None else f"{model.name} version {version.number}",
        text=f"{slug} {model.description} {facts}".strip(),
        href=f"/{workspace}/models/{slug}" + ("" if version is None else f"/versions/{version.number}"),
        permission="models.read",
    )
