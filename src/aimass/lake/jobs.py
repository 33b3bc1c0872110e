"""What the platform calls: the end of a job, what needs somebody, erasing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aimass.access import closed_workspaces
from aimass.cluster import Job
from aimass.kernel.erasing import Erased, Person
from aimass.kernel.errors import Invalid
from aimass.kernel.events import Event
from aimass.kernel.findings import Finding, finding_of
from aimass.kernel.principal import ANYWHERE, Principal
from aimass.kernel.registry import Registry
from aimass.lake.commands import NewVersion
from aimass.lake.feature_commands import OneFeatureView
from aimass.lake.online import MaterialiseFeatures
from aimass.lake.service.lake import Lake
from aimass.lake.views import OneView, RefreshView


def made(registry: Registry, job: Job) -> None:
    """Note the version that a job has made."""
    result, order = dict(job.result or {}), job.payload
    new = NewVersion(
        workspace=job.workspace,
        dataset=order["dataset"],
        described=result["version"],
        origin=order["origin"] or f"job:{job.id}",
        sources=tuple((kind, id_) for kind, id_ in order["sources"]),
        created_by=job.created_by,
    )
    registry.get(Lake).add_version(new)


def joined(registry: Registry, job: Job) -> None:
    """Note the training set that a job has built."""
    registry.get(Lake).training_set_built(job)


def not_joined(registry: Registry, job: Job) -> None:
    """Note that a training set was not built."""
    registry.get(Lake).training_set_failed(job)


def values_computed(registry: Registry, job: Job) -> None:
    """Note that the newest values of features are computed; the loop stores them."""
    registry.get(Lake).values_computed(job)


def values_not_computed(registry: Registry, job: Job) -> None:
    """Note that the newest values of features were not computed."""
    registry.get(Lake).values_not_computed(job)


def store_values(registry: Registry) -> int:
    """Store the newest values that are computed, for look-ups."""
    return registry.get(Lake).store_values()


def tend(registry: Registry) -> int:
    """Begin the upkeep of the tables that took many commits."""
    return registry.get(Lake).tend()


def tended(registry: Registry, job: Job) -> None:
    """Note how the rows of a table lie after its upkeep."""
    registry.get(Lake).tended(job)


def compare_values(registry: Registry) -> int:
    """Compare the values that look-ups find with the lake, where they were renewed."""
    return registry.get(Lake).compare_renewed()


def order_materialising(registry: Registry, who: Principal, workspace: str, payload: dict[str, Any], key: str) -> None:
    """Renew the online values that a schedule names."""
    del key  # a renewal that begins twice leaves the same values
    registry.get(Lake).materialise_features(who, _materialising(workspace, payload))


def check_materialising(registry: Registry, who: Principal, workspace: str, payload: Mapping[str, Any]) -> None:
    """Refuse to schedule a renewal of a view that is not there, or that this principal could not renew himself."""
    wish = _materialising(workspace, payload)
    who.need("lake.edit", workspace, f"feature_view:{wish.feature_view}")
    registry.get(Lake).get_feature_view(who, OneFeatureView(workspace=workspace, feature_view=wish.feature_view))


def _materialising(workspace: str, payload: Mapping[str, Any]) -> MaterialiseFeatures:
    unknown = sorted(set(payload) - {"feature_view", "full"})
    if unknown:
        raise Invalid(f"a renewal has no {unknown[0]!r}", field=unknown[0], allowed=["feature_view", "full"])
    if not isinstance(payload.get("feature_view"), str) or not isinstance(payload.get("full", False), bool):
        raise Invalid("a renewal names its feature view", field="feature_view", value=payload.get("feature_view"))
    return MaterialiseFeatures(workspace=workspace, **payload)


def ready_to_make(registry: Registry, job: Job) -> None:
    """Refuse to make a version of rows that its author would not see any more."""
    registry.get(Lake).need_same_policies(job, job.payload["tables"])


def ready_to_join(registry: Registry, job: Job) -> None:
    """Refuse to join features of rows that their author would not see any more."""
    spine = job.payload["spine"]["dataset"]
    registry.get(Lake).need_same_policies(job, {*job.payload["tables"], *([spine] if spine else [])})


def ready_to_refresh(registry: Registry, job: Job) -> None:
    """Refuse a refresh that is not wanted any more, or not in this way."""
    registry.get(Lake).need_wanted(job)


def view_refreshed(registry: Registry, job: Job) -> None:
    """Note the version that a view has made."""
    registry.get(Lake).view_refreshed(job)


def view_not_refreshed(registry: Registry, job: Job) -> None:
    """Note that a view made nothing."""
    registry.get(Lake).view_not_refreshed(job)


def refresh_views(registry: Registry) -> int:
    """Begin the refreshes of views whose sources have moved on."""
    return registry.get(Lake).refresh_due(closed_workspaces(registry))


def order_refresh(registry: Registry, who: Principal, workspace: str, payload: dict[str, Any], key: str) -> None:
    """Refresh the view that a schedule names, unless it is fresh or being refreshed."""
    del key  # a second one finds the view fresh, or joins the first
    registry.get(Lake).refresh(who, _refreshing(workspace, payload), "schedule")


def check_refresh(registry: Registry, who: Principal, workspace: str, payload: Mapping[str, Any]) -> None:
    """Refuse to schedule the refresh of a view that is not there, or that this principal could not refresh himself."""
    wish = _refreshing(workspace, payload)
    who.need("lake.edit", workspace, f"view:{wish.view}")
    registry.get(Lake).get_view(who, OneView(workspace=workspace, view=wish.view))


def _refreshing(workspace: str, payload: Mapping[str, Any]) -> RefreshView:
    unknown = sorted(set(payload) - {"view", "force"})
    if unknown:
        raise Invalid(f"a refresh has no {unknown[0]!r}", field=unknown[0], allowed=["view", "force"])
    if not isinstance(payload.get("view"), str):
        raise Invalid("a refresh names its view", field="view", value=payload.get("view"))
    if not isinstance(payload.get("force", False), bool):
        raise Invalid("'force' is true or false", field="force", value=payload["force"])
    return RefreshView(workspace=workspace, **payload)


def on_version_created(registry: Registry, event: Event) -> None:
    """Renew the online values of the views that follow a dataset."""
    registry.get(Lake).follow_source(event.workspace, event.subject.partition(":")[2])


def on_workspace_purged(registry: Registry, event: Event) -> None:
    """Remove every table of a workspace that is gone, those of other rooms too."""
    registry.get(Lake).leave(event.workspace)


def attention(registry: Registry, who: Principal, workspace: str = ANYWHERE) -> list[dict[str, Any]]:
    """Return the datasets that break a rule, the features whose online values differ, and the views that were not refreshed."""
    return [*_broken(registry, who, workspace), *_skewed(registry, who, workspace), *_stuck(registry, who, workspace)]


def _stuck(registry: Registry, who: Principal, workspace: str) -> list[dict[str, Any]]:
    return [
        {
            "kind": "view",
            "title": f"view {view.name} was not refreshed: {(view.error or {}).get('detail', 'no cause is known')}"[
                :300
            ],
            "subject": f"view:{view.slug}",
            "workspace": view.workspace,
            "since": view.changed_at,
            "path": f"/{view.workspace}/views/{view.slug}",
        }
        for view in registry.get(Lake).failing_views()
        if workspace in (ANYWHERE, view.workspace) and who.allows("lake.read", view.workspace, f"view:{view.slug}")
    ]


def _skewed(registry: Registry, who: Principal, workspace: str) -> list[dict[str, Any]]:
    return [
        {
            "kind": "skew",
            "title": f"the online values of {view.name} differ from the lake for {(view.skew or {})['share']:.1%} of its entities",
            "subject": f"feature_view:{view.slug}",
            "workspace": view.workspace,
            "since": view.changed_at,
            "path": f"/{view.workspace}/features/{view.slug}",
        }
        for view in registry.get(Lake).skewed_views()
        if workspace in (ANYWHERE, view.workspace)
        and who.allows("lake.read", view.workspace, f"feature_view:{view.slug}")
    ]


def _broken(registry: Registry, who: Principal, workspace: str) -> list[dict[str, Any]]:
    return [
        {
            "kind": "quality",
            "title": f"{dataset.name} version {dataset.latest} breaks its rules (score {dataset.score:g})",
            "subject": f"dataset:{dataset.slug}",
            "workspace": dataset.workspace,
            "since": dataset.changed_at,
            "path": f"/{dataset.workspace}/data/{dataset.slug}/quality",
        }
        for dataset in registry.get(Lake).failing()
        if workspace in (ANYWHERE, dataset.workspace)
        and who.allows("lake.read", dataset.workspace, f"dataset:{dataset.slug}")
    ]


def doctor(registry: Registry) -> list[Finding]:
    """Look whether the tables hold the versions that are noted."""
    looked, lost = registry.get(Lake).lost_versions()
    faults = [f"{name} is not on the disk" for name in lost]
    return [finding_of("datasets", f"{looked} tables hold what is noted", faults, "restore the last backup")]


def erase(registry: Registry, person: Person) -> list[Erased]:
    """Erase a person from the datasets, the online values of features, and what was asked by or about him."""
    lake = registry.get(Lake)
    return [
        *lake.erase_person(person),
        *lake.erase_online(person),
        *lake.erase_queries(person),
        *lake.erase_saved_queries(person),
        *lake.erase_views(person),
    ]
