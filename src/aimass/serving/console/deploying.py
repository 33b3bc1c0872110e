"""What can be deployed: models and their versions, as choices of a form."""

from __future__ import annotations

from typing import Any

from aimass.models import ListModels, ListVersions, Model, Models, OneModel
from aimass.web import PageVisit

MOST = 200


def models_of(visit: PageVisit) -> list[tuple[str, str]]:
    """Return the models that the visitor could deploy."""
    if not (visit.allows("serving.edit") and visit.allows("models.read")):
        return []
    page = visit.get(Models).list_models(visit.who, ListModels(workspace=visit.workspace, limit=MOST))
    return [(model.slug, model.name) for model in page.items if model.latest]


def deploy_choices(visit: PageVisit, model: str = "") -> dict[str, Any]:
    """Return the models, the chosen one and what of it can be deployed."""
    models = models_of(visit)
    chosen = model if model in dict(models) else models[0][0] if models else ""
    return {"models": models, "model": chosen, "versions": versions_of(visit, chosen) if chosen else []}


def versions_of(visit: PageVisit, model: str) -> list[tuple[str, str]]:
    """Return the aliases of a model and its approved versions; a value is ``alias:<name>`` or a number."""
    library = visit.get(Models)
    one = library.get_model(visit.who, OneModel(workspace=visit.workspace, model=model))
    wish = ListVersions(workspace=visit.workspace, model=model, review="APPROVED", limit=MOST)
    versions = library.list_versions(visit.who, wish).items
    ready = {version.number for version in versions}
    return [*_aliases(visit, one, ready), *((str(v.number), visit.say("version %(n)d", n=v.number)) for v in versions)]


def _aliases(visit: PageVisit, model: Model, ready: set[int]) -> list[tuple[str, str]]:
    return [
        (f"alias:{alias}", visit.say("%(alias)s, followed (now version %(n)d)", alias=alias, n=number))
        for alias, number in sorted(model.aliases.items(), key=lambda pair: (pair[0] != "champion", pair[0]))
        if number in ready
    ]
