"""Feature views: the list, one view with its freshness and skew, and the training sets that were built by views."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Form, Response
from pydantic import BaseModel, Field

from aimass.kernel.clock import parse_instant
from aimass.lake.commands import ListDatasets
from aimass.lake.feature_commands import (
    ChangeFeatureView,
    CreateFeatureView,
    DeleteFeatureView,
    JoinFeatures,
    ListFeatureViews,
    ListTrainingSets,
    OneFeatureView,
    OneTrainingSet,
)
from aimass.lake.online import FindFeatures, ListMaterialisations, MaterialiseFeatures
from aimass.lake.service.lake import Lake
from aimass.web import PageVisit, Panel, Visit, page_router

router = page_router()
PATH = "/{workspace}/features"
VIEW = f"{PATH}/{{feature_view}}"
SET = f"{PATH}/-/training-sets/{{training_set}}"
MOST, RECENT = 200, 10


@router.get(PATH)
def features(visit: Visit, q: str = "", cursor: str | None = None) -> Response:
    """Which features can models learn from, and can they be looked up fresh?"""
    lake = visit.get(Lake)
    wish = ListFeatureViews(workspace=visit.workspace, text=q or None, cursor=cursor)
    found = lake.list_feature_views(visit.who, wish)
    recent = lake.list_training_sets(visit.who, ListTrainingSets(workspace=visit.workspace, limit=RECENT)).items
    parts = {"features": "lake/_features.html"}
    return visit.render("lake/features.html", parts=parts, found=found, recent=recent, q=q, datasets=_datasets(visit))


class NewView(BaseModel):
    """A feature view as the form declares it."""

    name: str
    dataset: str
    entity: str
    event_time: str
    created_time: str = ""
    ttl_hours: float = Field(default=0, ge=0)

    def parts(self) -> dict[str, Any]:
        """Return what decides its values."""
        return {"entity": _listed(self.entity), "event_time": self.event_time, "ttl_s": round(self.ttl_hours * 3600)}


@router.post(PATH)
def create(visit: Visit, wanted: Annotated[NewView, Form()]) -> Response:
    """Declare a feature view, then open it."""
    more = {"dataset": wanted.dataset, "created_time": wanted.created_time or None, **wanted.parts()}
    made = visit.get(Lake).create_feature_view(
        visit.who, CreateFeatureView(workspace=visit.workspace, name=wanted.name, **more)
    )
    return visit.go(f"/{visit.workspace}/features/{made.slug}", toast=visit.say("%(name)s was created", name=made.name))


@router.get(VIEW)
def feature_view(visit: Visit, feature_view: str) -> Response:
    """Where do these features come from, are the online ones fresh, and do they agree with the lake?"""
    lake, one = visit.get(Lake), OneFeatureView(workspace=visit.workspace, feature_view=feature_view)
    found = lake.get_feature_view(visit.who, one)
    past = lake.list_materialisations(
        visit.who, ListMaterialisations(workspace=visit.workspace, feature_view=feature_view, limit=RECENT)
    ).items
    wish = ListTrainingSets(workspace=visit.workspace, feature_view=feature_view, limit=RECENT)
    sets = lake.list_training_sets(visit.who, wish).items
    parts = {"view": "lake/_feature_view.html"}
    return visit.render(
        "lake/feature_view.html",
        parts=parts,
        found=found,
        compared_at=parse_instant(found.skew["at"]) if found.skew else None,
        past=past,
        recent=sets,
        datasets=_datasets(visit),
    )


class Settings(BaseModel):
    """What the form changes of a view."""

    name: str
    description: str = ""
    ttl_hours: float = Field(default=0, ge=0)
    tags: str = ""
    owner: str = ""
    follows: bool = False
    skew_percent: float = Field(default=1, ge=0, le=100)
    expected_version: int


@router.post(f"{VIEW}/settings")
def change(visit: Visit, feature_view: str, wanted: Annotated[Settings, Form()]) -> Response:
    """Change name, description, age limit, tags, owner, and whether online values follow the source."""
    wish = ChangeFeatureView(
        workspace=visit.workspace,
        feature_view=feature_view,
        name=wanted.name,
        description=wanted.description,
        ttl_s=round(wanted.ttl_hours * 3600),
        tags=_listed(wanted.tags),
        owner=wanted.owner,
        follows=wanted.follows,
        skew_limit=wanted.skew_percent / 100,
        expected_version=wanted.expected_version,
    )
    visit.get(Lake).change_feature_view(visit.who, wish)
    return visit.go(f"/{visit.workspace}/features/{feature_view}", toast=visit.say("Saved"))


@router.delete(VIEW)
def delete(visit: Visit, feature_view: str) -> Response:
    """Delete a feature view; training sets that were built by it stay."""
    visit.get(Lake).delete_feature_view(
        visit.who, DeleteFeatureView(workspace=visit.workspace, feature_view=feature_view)
    )
    return visit.go(f"/{visit.workspace}/features", toast=visit.say("%(name)s was deleted", name=feature_view))


@router.post(f"{VIEW}/materialisations")
def materialise(visit: Visit, feature_view: str, full: Annotated[bool, Form()] = False) -> Response:
    """Renew the online values."""
    wish = MaterialiseFeatures(workspace=visit.workspace, feature_view=feature_view, full=full)
    visit.get(Lake).materialise_features(visit.who, wish)
    return visit.done(visit.say("The online values are being renewed"))


@router.post(f"{VIEW}/skew")
def compare(visit: Visit, feature_view: str) -> Response:
    """Compare online values with the lake."""
    one = OneFeatureView(workspace=visit.workspace, feature_view=feature_view)
    found = visit.get(Lake).check_skew(visit.who, one)
    share = (found.skew or {}).get("share", 0.0)
    return visit.done(visit.say("%(share)s of the entities differ", share=f"{share:.2%}"))


@router.post(f"{VIEW}/find")
def find(visit: Visit, feature_view: str, entity: Annotated[str, Form()]) -> Response:
    """Look up one entity, and show what is known of it."""
    wish = FindFeatures(workspace=visit.workspace, feature_view=feature_view, entity=entity)
    found = visit.get(Lake).find_features(visit.who, wish)
    return visit.render("lake/_found_features.html", found=found)


class NewSet(BaseModel):
    """A training set as the form orders it."""

    spine: str
    into: str
    event_time: str
    label: str = ""
    views: str = ""


@router.post(f"{VIEW}/training-sets")
def join(visit: Visit, feature_view: str, order: Annotated[NewSet, Form()]) -> Response:
    """Build a training set by this view and others."""
    wanted = [feature_view, *(slug for slug in _listed(order.views) if slug != feature_view)]
    names: dict[str, Any] = order.model_dump(include={"spine", "into", "event_time"}) | {"label": order.label or None}
    made = visit.get(Lake).join_features(visit.who, JoinFeatures(workspace=visit.workspace, views=wanted, **names))
    toast = visit.say("%(title)s has started", title=made.title)
    return visit.go(f"/{visit.workspace}/features/-/training-sets/{made.id}", toast=toast)


@router.get(SET)
def training_set(visit: Visit, training_set: str) -> Response:
    """What is in this training set, is anything of the future in it, and can it be built again?"""
    one = OneTrainingSet(workspace=visit.workspace, training_set=training_set)
    found = visit.get(Lake).get_training_set(visit.who, one)
    return visit.render("lake/training_set.html", parts={"set": "lake/_training_set.html"}, found=found)


@router.post(f"{SET}/rebuild")
def rebuild(visit: Visit, training_set: str) -> Response:
    """Build it again from the same versions."""
    one = OneTrainingSet(workspace=visit.workspace, training_set=training_set)
    made = visit.get(Lake).rebuild_training_set(visit.who, one)
    toast = visit.say("%(title)s has started", title=made.title)
    return visit.go(f"/{visit.workspace}/features/-/training-sets/{made.id}", toast=toast)


def views_panel(visit: PageVisit, dataset: str, number: int) -> Panel | None:
    """Return the feature views that made the data of a model, or nothing when none did or the visitor may not see them."""
    if not visit.allows("lake.read", f"dataset:{dataset}"):
        return None
    found = visit.get(Lake).training_set_of(visit.workspace, dataset, number)
    return None if found is None else Panel(template="lake/_used_views.html", context={"found": found})


def _datasets(visit: PageVisit) -> list[str]:
    found = visit.get(Lake).list_datasets(visit.who, ListDatasets(workspace=visit.workspace, limit=MOST)).items
    return [one.slug for one in found if one.latest is not None]


def _listed(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]
