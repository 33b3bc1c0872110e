"""Rows as the things that callers see."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row

from aimass.serving.domain.placing import calibration_of, options_of, running_of
from aimass.serving.domain.policy import policy_of, told_policy
from aimass.serving.domain.rules import worst
from aimass.serving.domain.things import (
    Condition,
    Deployment,
    Endpoint,
    HistoryEntry,
    RecordPolicy,
    Resources,
    Revision,
    TrafficPolicy,
)
from aimass.serving.store import queries


def endpoints_of(conn: Connection, rows: Sequence[Row[Any]]) -> list[Endpoint]:
    """Read endpoints with their deployments."""
    running = queries.live_deployments(conn, [row.id for row in rows])
    revisions = queries.revisions_by_id(conn, [i for row in running for i in (row.target, row.serving)])
    return [_endpoint(row, [d for d in running if d.endpoint == row.id], revisions) for row in rows]


def endpoint_of(conn: Connection, row: Row[Any]) -> Endpoint:
    """Read one endpoint with its deployments."""
    return endpoints_of(conn, [row])[0]


def _endpoint(row: Row[Any], running: Iterable[Row[Any]], revisions: Mapping[str, Row[Any]]) -> Endpoint:
    deployments = [_deployment(row, one, revisions) for one in running]
    weights = {one.name: one.weight for one in deployments}
    return Endpoint(
        id=row.id,
        workspace=row.workspace,
        slug=row.slug,
        description=row.description,
        timeout_s=row.timeout_s,
        max_body_bytes=row.max_body_bytes,
        record=RecordPolicy(**row.record),
        unseen=row.unseen,
        traffic=TrafficPolicy(weights=weights, **policy_of(row.policy, row.shadow, row.fallback)),
        main=row.main,
        state=worst(one.state for one in deployments),
        deployments=deployments,
        created_by=row.created_by,
        created_at=row.created_at,
        version=row.version,
    )


def _deployment(endpoint: Row[Any], row: Row[Any], revisions: Mapping[str, Row[Any]]) -> Deployment:
    target, serving = revisions[row.target], revisions.get(row.serving)
    return Deployment(
        id=row.id,
        workspace=row.workspace,
        endpoint=endpoint.slug,
        name=row.name,
        is_main=row.name == endpoint.main,
        model=row.model,
        alias=row.alias,
        model_version=row.model_version,
        placement=row.placement,
        resources=Resources(**row.resources),
        options=options_of(row.options),
        running=running_of((serving or target).running),
        weight=row.weight,
        state=row.state,
        reason=row.reason,
        conditions=_conditions(row, target, serving),
        revision=serving.number if serving is not None else None,
        served_version=serving.model_version if serving is not None else None,
        target=target.number,
        target_version=target.model_version,
        created_at=row.created_at,
        changed_at=row.changed_at,
        version=row.version,
    )


def _conditions(row: Row[Any], target: Row[Any], serving: Row[Any] | None) -> list[Condition]:
    rolled_out = serving is not None and serving.id == target.id
    found = [
        Condition(type="Serving", status=serving is not None, reason="" if serving is not None else row.reason),
        Condition(type="RolledOut", status=rolled_out, reason="" if rolled_out else target.error or row.reason),
    ]
    if row.alias is not None:
        follows = row.alias_seen == target.model_version
        held = (
            f"held at version {target.model_version}; alias {row.alias!r} is at version {row.alias_seen}, "
            "and is followed again when it moves"
        )
        found.append(Condition(type="FollowsAlias", status=follows, reason="" if follows else held))
    return found


def revision_of(row: Row[Any], slug: str) -> Revision:
    """Read a revision."""
    return Revision(
        id=row.id,
        workspace=row.workspace,
        endpoint=slug,
        deployment=row.name,
        number=row.number,
        model=row.model,
        model_version=row.model_version,
        digest=row.digest,
        runtime=row.runtime,
        alias=row.alias,
        cause=row.cause,
        restores=row.restores,
        weights=row.weights,
        state=row.state,
        error=row.error,
        actor=row.actor,
        reason=row.reason,
        created_at=row.created_at,
        ready_at=row.ready_at,
        retired_at=row.retired_at,
        running=running_of(row.running),
        calibration=None if row.calibration is None else calibration_of(row.calibration),
    )


def revision_entry(row: Row[Any]) -> HistoryEntry:
    """Read a revision as a line of the history."""
    return HistoryEntry(
        id=row.id,
        time=row.created_at,
        kind="revision",
        cause=row.cause,
        actor=row.actor,
        reason=row.reason,
        weights=row.weights,
        deployment=row.name,
        model=row.model,
        model_version=row.model_version,
        revision=row.number,
        state=row.state,
        ready_at=row.ready_at,
        retired_at=row.retired_at,
    )


def traffic_entry(row: Row[Any]) -> HistoryEntry:
    """Read a change of traffic as a line of the history."""
    return HistoryEntry(
        id=row.id,
        time=row.created_at,
        kind="traffic",
        cause=row.cause,
        actor=row.actor,
        reason=row.reason,
        weights=row.weights,
        policy=told_policy(row.policy, row.shadow, row.fallback),
    )
