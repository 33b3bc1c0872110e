"""What control runs for the room: its loop, and what follows from the news of other rooms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import partial
from typing import Any

from pydantic import TypeAdapter, ValidationError

from aimass.access import closed_workspaces
from aimass.cluster import Job
from aimass.infra.compute import Sandbox, find_sandbox
from aimass.infra.search import Document, Search
from aimass.kernel.errors import Invalid, NotFound
from aimass.kernel.events import Event
from aimass.kernel.findings import Finding, finding_of
from aimass.kernel.principal import ANYWHERE, SYSTEM, Principal
from aimass.kernel.registry import Registry
from aimass.serving.domain.commands import OneEndpoint
from aimass.serving.domain.scoring import StartScoring
from aimass.serving.events import ENDPOINT_DELETED
from aimass.serving.service.serving import Serving
from aimass.serving.trying import Tryouts


def scored(registry: Registry, job: Job) -> None:
    """Note the version that a scoring has made."""
    registry.get(Serving).scoring_done(job)


def not_scored(registry: Registry, job: Job) -> None:
    """Note that a scoring failed or was cancelled."""
    registry.get(Serving).scoring_failed(job)


def order_scoring(registry: Registry, who: Principal, workspace: str, payload: dict[str, Any], key: str) -> None:
    """Start the scoring of a schedule that fired; of datasets and aliases it takes what they are now."""
    registry.get(Serving).start_scoring(who, scoring_of(workspace, {**payload, "key": key}))


def check_scoring(registry: Registry, who: Principal, workspace: str, payload: Mapping[str, Any]) -> None:
    """Refuse to schedule a scoring that could not begin now, or that this principal could not start himself."""
    registry.get(Serving).check_scoring(who, scoring_of(workspace, payload))


def scoring_of(workspace: str, payload: Mapping[str, Any]) -> StartScoring:
    """Read what a person wrote into a schedule."""
    known = {field.name for field in fields(StartScoring)} - {"workspace"}
    unknown = sorted(set(payload) - known)
    if unknown:
        raise Invalid(f"a scoring has no field {unknown[0]!r}", field=unknown[0], allowed=sorted(known - {"key"}))
    try:
        return TypeAdapter(StartScoring).validate_python({**payload, "workspace": workspace})
    except ValidationError as reason:
        first = reason.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise Invalid(f"{field}: {first['msg']}", field=field, value=first.get("input")) from reason


def reconcile(registry: Registry) -> int:
    """Bring what runs to what is wanted."""
    return registry.get(Serving).reconciler.run_once(partial(closed_workspaces, registry))


def tidy(registry: Registry) -> int:
    """Revoke the keys of people who tried an endpoint a while ago."""
    return registry.get(Tryouts).tidy()


def follow_alias(registry: Registry, event: Event) -> None:
    """Deploy the version that an alias means now."""
    who = Principal(id=event.actor, name=event.actor, kind="system")
    model, alias = event.data["model"], event.data["alias"]
    registry.get(Serving).follow_alias(who, event.workspace, model, alias)


def index(registry: Registry, event: Event) -> None:
    """Let the search find an endpoint as it is now."""
    search, slug = registry.get(Search), event.data["endpoint"]
    if event.type == ENDPOINT_DELETED:
        search.remove(event.workspace, event.subject)
        return
    try:
        one = registry.get(Serving).get_endpoint(SYSTEM, OneEndpoint(workspace=event.workspace, endpoint=slug))
    except NotFound:
        return
    search.put(
        [
            Document(
                kind="endpoint",
                key=event.subject,
                workspace=event.workspace,
                title=slug,
                text=one.description,
                href=f"/{event.workspace}/services/{slug}",
                permission="serving.read",
            )
        ]
    )


def doctor(registry: Registry) -> list[Finding]:
    """Look for deployments that cannot start, and say how models that run code are kept."""
    troubled = registry.get(Serving).troubled(SYSTEM)
    faults = [f"{place}/{one.endpoint} {one.name}: {one.reason}" for place, one in troubled if one.state == "FAILED"]
    hint = "look at its page, or roll back: aimass services rollback"
    return [
        finding_of("services", "every deployment runs or is stopped", faults, hint),
        isolation(find_sandbox(), is_required=registry.get(Serving).needs_sandbox),
    ]


def isolation(found: Sandbox, *, is_required: bool) -> Finding:
    """Say how models that run code are kept on this machine.

    Examples
    --------
    >>> isolation(Sandbox(is_there=False, reason="bubblewrap is not installed"), is_required=False).detail
    'process only, because bubblewrap is not installed: models that run code can read what the platform can read'
    """
    detail = "models that run code are kept in a sandbox (bubblewrap)"
    if not found.is_there:
        detail = f"process only, because {found.reason}: models that run code can read what the platform can read"
    hint = "install bubblewrap (apt-get install bubblewrap) and allow user namespaces"
    return Finding(name="isolation", is_good=found.is_there or not is_required, detail=detail, hint=hint)


def attention(registry: Registry, who: Principal, workspace: str = ANYWHERE) -> list[dict[str, Any]]:
    """Return the deployments that failed or do badly."""
    return [
        {
            "kind": "deployment",
            "title": f"{one.name} on {one.endpoint} failed: {one.reason}"
            if one.state == "FAILED"
            else f"{one.name} on {one.endpoint} does badly: {one.reason}",
            "subject": f"endpoint:{one.endpoint}",
            "workspace": place,
            "since": one.changed_at,
            "path": f"/{place}/services/{one.endpoint}",
        }
        for place, one in registry.get(Serving).troubled(who)
        if workspace in (ANYWHERE, place)
    ]
