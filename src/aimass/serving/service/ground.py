"""What every part of the service stands on, and the steps that several use cases share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row

from aimass.cluster import Jobs
from aimass.infra.database import Change, Database
from aimass.infra.live import LiveHub
from aimass.kernel.errors import NotFound, Stale
from aimass.kernel.ids import new_id
from aimass.kernel.layout import DataDir
from aimass.lake import Lake
from aimass.serving.domain.policy import PLAIN
from aimass.serving.domain.things import Cause, TrafficCause
from aimass.serving.events import REVISION_CREATED, TRAFFIC_CHANGED, subject_of
from aimass.serving.library import Library, Target
from aimass.serving.reports import Reports
from aimass.serving.settings import ServingSettings
from aimass.serving.store import queries, tables
from aimass.serving.trying import Tryouts
from aimass.serving.workers.wishes import Workers


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The tools of the room; ``layout`` says where sockets, logs and records lie."""

    database: Database
    library: Library
    workers: Workers
    layout: DataDir
    tryouts: Tryouts
    lake: Lake
    jobs: Jobs
    live: LiveHub = field(default_factory=LiveHub)
    reports: Reports = field(default_factory=Reports)
    settings: ServingSettings = field(default_factory=ServingSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """Why a revision is made."""

    cause: Cause
    reason: str = ""
    alias: str | None = None
    restores: int | None = None


class Part:
    """A part of the service; :class:`~aimass.serving.service.serving.Serving` is made of all of them."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._database = ground.database
        self._library = ground.library

    def _revise(self, change: Change, endpoint: Row[Any], deployment: tuple[str, str], target: Target, why: Why) -> str:
        """Write a new revision of a deployment ``(id, name)``; its row must point to it before the change ends."""
        rows = queries.live_deployments(change.conn, [endpoint.id])
        row = next(row for row in rows if row.id == deployment[0])
        queries.retire_unready(change, deployment[0])
        revision = new_id()
        number = queries.next_number(change, endpoint.id)
        values = {
            "id": revision,
            "workspace": endpoint.workspace,
            "endpoint": endpoint.id,
            "deployment": deployment[0],
            "name": deployment[1],
            "number": number,
            "model": target.model,
            "model_version": target.number,
            "version_id": target.id,
            "digest": target.digest,
            "runtime": target.runtime,
            "package": "",
            "alias": why.alias,
            "cause": why.cause,
            "restores": why.restores,
            "weights": {one.name: one.weight for one in rows},
            "state": "PENDING",
            "error": "",
            "actor": change.who.name,
            "reason": why.reason,
            "created_at": change.now,
            "placement": row.placement,
            "resources": row.resources,
            "options": row.options,
            **dict.fromkeys(("started_at", "ready_at", "retired_at", "calibration", "running")),
        }
        queries.add(change, tables.revisions, values)
        facts = {
            "endpoint": endpoint.slug,
            "deployment": deployment[1],
            "revision": revision,
            "number": number,
            "model": target.model,
            "version": target.number,
            "digest": target.digest,
            "cause": why.cause,
        }
        change.event(REVISION_CREATED, subject=subject_of(endpoint.slug), data=facts)
        change.edge(
            src=("model_version", f"{target.model}/{target.number}"),
            dst=("revision", revision),
            via=f"serving.{why.cause}",
        )
        return revision

    def _share(
        self, change: Change, endpoint: Row[Any], weights: Mapping[str, int], cause: TrafficCause, reason: str
    ) -> None:
        """Write weights, and keep the change in the history."""
        queries.put_weights(change, endpoint.id, weights)
        row = queries.find_endpoint(change.conn, endpoint.workspace, endpoint.slug) or endpoint
        values = {
            "id": new_id(),
            "workspace": endpoint.workspace,
            "endpoint": endpoint.id,
            "weights": dict(weights),
            "shadow": row.shadow,
            "fallback": row.fallback,
            "policy": row.policy,
            "cause": cause,
            "actor": change.who.name,
            "reason": reason,
            "created_at": change.now,
        }
        queries.add(change, tables.traffic, values)
        facts = {"endpoint": endpoint.slug, "weights": dict(weights), "shadow": row.shadow, "cause": cause}
        facts |= {name: row.policy[name] for name in ("split", "split_by") if row.policy[name] != PLAIN[name]}
        change.event(TRAFFIC_CHANGED, subject=subject_of(endpoint.slug), data=facts)


def need_endpoint(conn: Connection, workspace: str, slug: str, expected_version: int | None = None) -> Row[Any]:
    """Return a live endpoint, or say that there is none."""
    row = queries.find_endpoint(conn, workspace, slug)
    if row is None:
        raise NotFound(
            f"there is no endpoint {slug!r} in workspace {workspace!r}",
            field="endpoint",
            value=slug,
            hint="list them with 'aimass services list'",
        )
    if expected_version is not None and expected_version != row.version:
        raise Stale(f"version {expected_version} was read, but now it is {row.version}", value=expected_version)
    return row


def need_deployment(rows: Sequence[Row[Any]], endpoint: Row[Any], name: str) -> Row[Any]:
    """Return a deployment of an endpoint by name, or say which there are."""
    row = next((row for row in rows if row.name == name), None)
    if row is None:
        raise NotFound(
            f"endpoint {endpoint.slug!r} has no deployment {name!r}",
            field="deployment",
            value=name,
            allowed=[row.name for row in rows],
        )
    return row


def target_of(revision: Row[Any]) -> Target:
    """Return what a revision runs."""
    return Target(
        id=revision.version_id,
        model=revision.model,
        number=revision.model_version,
        digest=revision.digest,
        runtime=revision.runtime,
    )
