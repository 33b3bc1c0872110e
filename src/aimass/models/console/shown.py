"""What the pages of one model share: the version that is shown, its figure, its card, and who may decide."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from aimass.kernel.errors import NotFound
from aimass.kernel.principal import Principal
from aimass.models.cards import METRICS, TITLES
from aimass.models.domain import (
    CHAMPION,
    OPEN,
    Card,
    ListAliases,
    ListVersions,
    Model,
    ModelVersion,
    OneModel,
    OneVersion,
    Review,
)
from aimass.models.service.models import Models
from aimass.models.zoo import ReadyModel
from aimass.web import PageVisit

HEADLINES = ("test_roc_auc", "test_rmse", "cv_roc_auc", "cv_rmse", "roc_auc", "rmse")
MOST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """The one figure by which a version is known, with its interval where there is one."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A model as its pages show it: the version in view, and what may be done with it."""

    model: Model
    version: ModelVersion | None
    versions: list[ModelVersion]
    is_chosen: bool
    tab: str

    @property
    def home(self) -> str:
        """Return the address of the model."""
        return f"/{self.model.workspace}/models/{self.model.slug}"

    @property
    def at(self) -> str:
        """Return the address of the version in view."""
        return f"{self.home}/versions/{self.version.number}" if self.version else self.home

    @property
    def object(self) -> str:
        """Return the name of the model in grants."""
        return f"model:{self.model.slug}"

    @property
    def champion(self) -> int | None:
        """Return the number of the version that production means."""
        return self.model.aliases.get(CHAMPION)

    def href(self, tab: str) -> str:
        """Return the address of a tab; the version stays in view when it was chosen."""
        return (self.at if self.is_chosen else self.home) + (f"?tab={tab}" if tab else "")


def opened(visit: PageVisit, slug: str, number: int | None, tab: str) -> Sheet:
    """Return a model with the wished version, else the champion, else the newest."""
    models, name = visit.get(Models), OneModel(workspace=visit.workspace, model=slug)
    model = models.get_model(visit.who, name)
    page = models.list_versions(visit.who, ListVersions(workspace=visit.workspace, model=slug, limit=MOST))
    wanted = number or model.aliases.get(CHAMPION) or model.latest
    version = None
    if wanted is not None:
        version = models.get_version(visit.who, OneVersion(workspace=visit.workspace, model=slug, number=wanted))
    return Sheet(model=model, version=version, versions=page.items, is_chosen=number is not None, tab=tab)


def headline(known: ModelVersion | ReadyModel) -> Headline | None:
    """Return the figure of a version: on test with its interval, else of the cross-validation, else any."""
    judged = known.evaluation if isinstance(known, ReadyModel) else known.facts.evaluation
    interval = judged.get("interval") or {}
    wanted = (f"test_{interval.get('metric')}", *HEADLINES, *known.metrics)
    name = next((name for name in wanted if name in known.metrics), None)
    if name is None:
        return None
    auc = judged.get("auc") or {}
    if name == "test_roc_auc" and auc:
        return Headline(name="AUC", value=auc["value"], low=auc["low"], high=auc["high"])
    if name == wanted[0]:
        title = METRICS.get(interval["metric"], str(interval["metric"]))
        return Headline(name=title, value=interval["value"], low=interval["low"], high=interval["high"])
    return Headline(name=name, value=known.metrics[name])


def newest_review(visit: PageVisit, version: ModelVersion) -> Review | None:
    """Return the newest review of a version, or None before the first."""
    name = OneVersion(workspace=version.workspace, model=version.model, number=version.number)
    try:
        return visit.get(Models).get_review(visit.who, name)
    except NotFound:
        return None


def completeness(card: Card) -> tuple[int, int, list[tuple[str, str]]]:
    """Return how many of the usual sections are filled, how many there are, and those that nobody has written."""
    filled = {section.name for section in card.sections if section.text.strip()}
    missing = [(name, title) for name, title in TITLES.items() if name not in filled]
    return len(TITLES) - len(missing), len(TITLES), missing


def obstacle(visit: PageVisit, review: Review) -> str:
    """Return why the visitor cannot approve or reject; an empty text when he can do at least one."""
    if review.state in OPEN:
        return visit.say("The checks are still running.")
    if not visit.allows("models.approve", f"model:{review.model}"):
        return visit.say("This needs %(permission)s; an administrator can give it.", permission="models.approve")
    return ""


def approval_obstacle(visit: PageVisit, review: Review) -> str:
    """Return why somebody who may decide cannot approve; rejecting stays possible."""
    failed = [check.name for check in review.checks if not check.passed]
    if failed:
        return visit.say("Check %(name)s has not passed.", name=failed[0])
    if is_author(visit.who, review):
        return visit.say("You made this version, so another person approves it.")
    return ""


def is_author(who: Principal, review: Review) -> bool:
    """Tell whether somebody made the version himself."""
    return who.kind in ("user", "service") and who.id == review.author


def history(visit: PageVisit, sheet: Sheet) -> list[dict[str, Any]]:
    """Return what happened to the versions of a model, newest first, for a timeline."""
    wish = ListAliases(workspace=visit.workspace, model=sheet.model.slug)
    found = [*_registered(visit, sheet.versions), *_decided(visit, sheet.versions)]
    for alias in visit.get(Models).list_aliases(visit.who, wish):
        title = visit.say("%(alias)s is version %(n)d", alias=alias.alias, n=alias.number)
        before = visit.say("before: version %(n)d", n=alias.previous) + ", " if alias.previous else ""
        found.append(
            {
                "tone": "info",
                "icon": "tag",
                "title": title,
                "sub": before + visit.tell(alias.changed_by),
                "when": alias.changed_at,
            }
        )
    return sorted(found, key=lambda item: item["when"], reverse=True)


def _registered(visit: PageVisit, versions: Iterable[ModelVersion]) -> Iterable[dict[str, Any]]:
    for version in versions:
        title = visit.say("version %(n)d was registered", n=version.number)
        yield {
            "tone": "mute",
            "icon": "box",
            "title": title,
            "sub": visit.tell(version.author_name),
            "when": version.created_at,
        }


def _decided(visit: PageVisit, versions: Iterable[ModelVersion]) -> Iterable[dict[str, Any]]:
    words = {"APPROVED": ("ok", "check"), "REJECTED": ("bad", "x")}
    for version in versions:
        review = newest_review(visit, version)
        if review is None or review.state not in words or review.decided_at is None:
            continue
        tone, sign = words[review.state]
        approved = review.state == "APPROVED"
        text = (
            visit.say("version %(n)d was approved", n=version.number)
            if approved
            else visit.say("version %(n)d was rejected", n=version.number)
        )
        decider = visit.tell(review.decided_by or "")
        sub = f"{decider}: {review.comment}" if review.comment else decider
        yield {"tone": tone, "icon": sign, "title": text, "sub": sub, "when": review.decided_at}
