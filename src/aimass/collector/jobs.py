"""What the platform calls: the ends of jobs, what needs somebody, erasing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from aimass.access import closed_workspaces
from aimass.cluster import Job
from aimass.collector.domain import Collection, ListCollections, OneSource, StartCollection
from aimass.collector.service.collector import Collector
from aimass.kernel.erasing import Erased, Person
from aimass.kernel.errors import Invalid
from aimass.kernel.events import Event
from aimass.kernel.principal import ANYWHERE, Principal
from aimass.kernel.registry import Registry


def collected(registry: Registry, job: Job) -> None:
    """Take over what a collection committed."""
    registry.get(Collector).collected(job.workspace, _collection(job), dict(job.result or {}))


def not_collected(registry: Registry, job: Job) -> None:
    """Note that a collection stored nothing."""
    error = dict(job.error) if job.error else None
    registry.get(Collector).not_collected(job.workspace, _collection(job), error, is_cancelled=job.state == "CANCELLED")


def confide(registry: Registry, job: Job) -> dict[str, Any]:
    """Return the secrets of the connection that a collection is about to open."""
    return registry.get(Collector).secrets_for(job.workspace, str(job.payload["connection"]))


def follow(registry: Registry) -> int:
    """Begin the collections of sources that collect by themselves."""
    return registry.get(Collector).follow(partial(closed_workspaces, registry))


def order_load(registry: Registry, who: Principal, workspace: str, payload: dict[str, Any], key: str) -> None:
    """Begin the collection that a schedule names; a time at which the source still collects is passed over."""
    wish, collector = replace(_start_of(workspace, payload), key=key), registry.get(Collector)
    running = ListCollections(workspace=workspace, source=wish.source, state="RUNNING", limit=1)
    if not collector.list_collections(who, running).items:
        collector.start_collection(who, wish)


def check_load(registry: Registry, who: Principal, workspace: str, payload: Mapping[str, Any]) -> None:
    """Refuse to schedule a collection of a source that is not there, or that this principal could not begin himself."""
    wish = _start_of(workspace, payload)
    who.need("collector.use", workspace, f"source:{wish.source}")
    source = registry.get(Collector).get_source(who, OneSource(workspace=workspace, source=wish.source))
    if not source.connection:
        raise Invalid(f"source {source.slug!r} takes uploads", field="source", value=source.slug)


def _start_of(workspace: str, payload: Mapping[str, Any]) -> StartCollection:
    allowed = ("source", "reading")
    unknown = sorted(set(payload) - set(allowed))
    if unknown:
        raise Invalid(f"a collection by schedule has no {unknown[0]!r}", field=unknown[0], allowed=list(allowed))
    if not isinstance(payload.get("source"), str):
        raise Invalid("a collection names its source", field="source", value=payload.get("source"))
    if payload.get("reading") not in (None, "full"):
        raise Invalid(
            "a schedule may ask for no other reading", field="reading", value=payload["reading"], allowed="full"
        )
    return StartCollection(workspace=workspace, **payload)


def replayed(registry: Registry, job: Job) -> None:
    """Take over the rows that came out of quarantine."""
    registry.get(Collector).replayed(job)


def attention(registry: Registry, who: Principal, workspace: str = ANYWHERE) -> list[dict[str, Any]]:
    """Return the sources whose last collection failed, put more rows aside than it should, or met what waits for a word."""
    collector = registry.get(Collector)
    needs = [*map(_failed, collector.failing()), *map(_aside, collector.putting_aside())]
    needs += map(_proposed, collector.proposed())
    return [
        need
        for need in needs
        if workspace in (ANYWHERE, need["workspace"]) and who.allows("collector.read", need["workspace"])
    ]


def _failed(found: Collection) -> dict[str, Any]:
    return {
        "kind": "collection",
        "title": f"collecting {found.filename or found.source} failed",
        "subject": f"collection:{found.id}",
        "workspace": found.workspace,
        "since": found.ended_at,
        "path": f"/{found.workspace}/collections/{found.id}",
    }


def _aside(found: Collection) -> dict[str, Any]:
    return {
        "kind": "quarantine",
        "title": f"{found.quarantined} of {found.rows + found.quarantined} rows for {found.dataset} are in quarantine",
        "subject": f"collection:{found.id}",
        "workspace": found.workspace,
        "since": found.ended_at,
        "path": f"/{found.workspace}/data/{found.dataset}/quarantine",
    }


def _proposed(found: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": "drift",
        "title": f"{found['count']} new columns or types of {found['source']} wait for an approval",
        "subject": f"source:{found['source']}",
        "workspace": found["workspace"],
        "since": found["since"],
        "path": f"/{found['workspace']}/sources/{found['source']}",
    }


def erase(registry: Registry, person: Person) -> list[Erased]:
    """Erase a person from uploads, collections, and what was pushed and waits."""
    collector = registry.get(Collector)
    return [*collector.erase_person(person), *collector.erase_pushed(person)]


def on_workspace_purged(registry: Registry, event: Event) -> None:
    """Remove what was pushed to a workspace that is gone."""
    registry.get(Collector).leave(event.workspace)


def _collection(job: Job) -> str:
    return job.subject.partition(":")[2]
