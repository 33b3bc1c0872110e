"""Revisions, history, status and snippets: how an endpoint does, and what it did."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Row

from aimass.kernel.pages import Page, page_of
from aimass.kernel.principal import Principal
from aimass.kernel.usecase import use_case
from aimass.models import read_package
from aimass.serving.domain.commands import ListHistory, ListRevisions, ListScalings, OneEndpoint
from aimass.serving.domain.scaling import Scaling
from aimass.serving.domain.snippets import Example, snippet_of
from aimass.serving.domain.things import (
    Deployment,
    EndpointStatus,
    GatewayReport,
    HistoryEntry,
    InMemory,
    ReplicaStatus,
    Revision,
    ScaleStatus,
    Snippet,
)
from aimass.serving.errors import NotServing
from aimass.serving.events import DEPLOYMENT_SCALED, subject_of
from aimass.serving.library import example_of
from aimass.serving.service.ground import Ground, need_endpoint
from aimass.serving.service.scaler import Scaler
from aimass.serving.service.shown import endpoint_of, revision_entry, revision_of, traffic_entry
from aimass.serving.service.traffic import Traffic
from aimass.serving.settings import platform_rpc, platform_url
from aimass.serving.store import queries
from aimass.serving.workers.pool import socket_of
from aimass.serving.workers.wishes import WorkerFacts

_MOST = 10_000


class Views(Traffic):
    """Use cases that only read."""

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        self.scaler = Scaler(ground)

    @use_case(
        "GET /workspaces/{workspace}/endpoints/{endpoint}/revisions",
        permission="serving.read",
        on="endpoint",
        cli="services revisions",
    )
    def list_revisions(self, who: Principal, command: ListRevisions) -> Page[Revision]:
        """List what was deployed on an endpoint: which version, by whom, when and why; the newest first."""
        del who
        with self._database.read() as conn:
            row = need_endpoint(conn, command.workspace, command.endpoint)
            rows = queries.list_revisions(
                conn, row.id, name=command.deployment, after=command.cursor, limit=command.limit
            )
        page = page_of(rows, command.limit, lambda one: one.id)
        return Page(items=[revision_of(one, row.slug) for one in page.items], next=page.next)

    def place_of_revision(self, workspace: str, revision: str) -> tuple[str, int] | None:
        """Return endpoint and number of a revision; lineage knows revisions by id alone."""
        with self._database.read() as conn:
            row = queries.revisions_by_id(conn, [revision]).get(revision)
            live = {one.id: one.slug for one in queries.matching(conn, workspace, None, None, _MOST)} if row else {}
        return (live[row.endpoint], row.number) if row is not None and row.endpoint in live else None

    @use_case(
        "GET /workspaces/{workspace}/endpoints/{endpoint}/history",
        permission="serving.read",
        on="endpoint",
        cli="services history",
    )
    def list_history(self, who: Principal, command: ListHistory) -> Page[HistoryEntry]:
        """List who ran what in production when: revisions and changes of traffic, the newest first."""
        del who
        with self._database.read() as conn:
            row = need_endpoint(conn, command.workspace, command.endpoint)
            made = queries.list_revisions(conn, row.id, name=None, after=command.cursor, limit=command.limit)
            shared = queries.list_traffic(conn, row.id, after=command.cursor, limit=command.limit)
        entries = [*map(revision_entry, made), *map(traffic_entry, shared)]
        entries.sort(key=lambda entry: entry.id, reverse=True)
        return page_of(entries, command.limit, lambda entry: entry.id)

    @use_case(
        "GET /workspaces/{workspace}/endpoints/{endpoint}/status",
        permission="serving.read",
        on="endpoint",
        cli="services status",
    )
    def get_status(self, who: Principal, command: OneEndpoint) -> EndpointStatus:
        """Show how an endpoint does right now: its deployments, their workers and the gateways."""
        del who
        endpoint = self._shown(command.workspace, command.endpoint)
        with self._database.read() as conn:
            rows = queries.live_deployments(conn, [endpoint.id])
            revisions = queries.revisions_by_id(conn, [i for row in rows for i in (row.target, row.serving)])
        workers = self._ground.workers.facts().values()
        replicas = [
            self._replica(revisions[one.revision], one)
            for one in workers
            if one.revision in revisions and one.replica >= 0
        ]
        reports = self._ground.reports.seen().reports
        bad = next((one for one in endpoint.deployments if one.state == endpoint.state and one.reason), None)
        return EndpointStatus(
            endpoint=endpoint.slug,
            state=endpoint.state,
            reason=f"{bad.name}: {bad.reason}" if bad is not None else "",
            deployments=endpoint.deployments,
            replicas=replicas,
            memory=[_memory(one, reports) for one in endpoint.deployments if any(one.id in r.memory for r in reports)],
            scale=[scale for one in endpoint.deployments if (scale := self._scale(one, replicas)) is not None],
            gateways=len(reports),
        )

    def _scale(self, one: Deployment, replicas: Sequence[ReplicaStatus]) -> ScaleStatus | None:
        wish, wanted = one.options.replicas, self.scaler.wanted(one.id)
        if wanted is None:
            return None
        up = sum(r.is_up and r.deployment == one.name and r.revision == one.revision for r in replicas)
        waiting = sum(load.waiting for load in self.scaler.load(one.id))
        return ScaleStatus(deployment=one.name, min=wish.min, max=wish.max, wanted=wanted, up=up, waiting=waiting)

    def _replica(self, revision: Row[Any], worker: WorkerFacts) -> ReplicaStatus:
        address = str(socket_of(self._ground.layout, worker.revision, worker.replica))
        in_flight = sum(load.workers.get(address, 0) for load in self.scaler.load(revision.deployment))
        return replica_of(revision, worker, in_flight)

    @use_case(
        "GET /workspaces/{workspace}/endpoints/{endpoint}/scalings",
        permission="serving.read",
        on="endpoint",
        cli="services scalings",
    )
    def list_scalings(self, who: Principal, command: ListScalings) -> Page[Scaling]:
        """List when the number of workers of a deployment changed, and why, the newest first."""
        del who
        with self._database.read() as conn:
            row = need_endpoint(conn, command.workspace, command.endpoint)
            rows = queries.list_events(
                conn, row.workspace, subject_of(row.slug), DEPLOYMENT_SCALED, command.cursor, command.limit
            )
        page = page_of(rows, command.limit, lambda row: f"{row.seq:020}")
        return Page(items=[_scaling(row) for row in page.items], next=page.next)

    @use_case(
        "GET /workspaces/{workspace}/endpoints/{endpoint}/snippet",
        permission="serving.read",
        on="endpoint",
        cli="services snippet",
    )
    def get_snippet(self, who: Principal, command: OneEndpoint) -> Snippet:
        """Show programs that call an endpoint with a sample of its model: curl, Python, tritonclient, gRPC and MLflow.

        Raises
        ------
        NotServing
            Nothing answers there yet.
        """
        del who
        revision = self._main(command.workspace, command.endpoint)
        columns = example_of(Path(revision.package))
        url = self._ground.settings.public_url or platform_url()
        example = Example(
            url=url,
            workspace=command.workspace,
            endpoint=command.endpoint,
            columns=columns,
            rpc=platform_rpc(),
            streams=read_package(Path(revision.package)).manifest.signature.streams,
        )
        return snippet_of(example)

    def _main(self, workspace: str, slug: str) -> Row[Any]:
        """Return the revision that answers on the main deployment."""
        with self._database.read() as conn:
            row = need_endpoint(conn, workspace, slug)
            main = next((one for one in queries.live_deployments(conn, [row.id]) if one.name == row.main), None)
            serving = queries.revisions_by_id(conn, [main.serving if main else None])
        if main is None or main.serving not in serving:
            raise NotServing(f"nothing answers at {row.slug!r} yet", value=row.slug, hint="deploy a model there first")
        return serving[main.serving]

    def troubled(self, who: Principal) -> list[tuple[str, Deployment]]:
        """Return the deployments that failed or do badly, with their workspace, as far as the principal may see them."""
        with self._database.read() as conn:
            rows = queries.troubled(conn)
            seen = {(row.workspace, row.slug) for row in rows if who.allows("serving.read", row.workspace)}
            found = [endpoint_of(conn, need_endpoint(conn, *place)) for place in sorted(seen)]
        bad = ("FAILED", "DEGRADED")
        return [(one.workspace, d) for one in found for d in one.deployments if d.state in bad]


def _memory(one: Deployment, reports: Sequence[GatewayReport]) -> InMemory:
    sizes = [report.memory.get(one.id, 0) for report in reports]
    placed = next((report.devices[one.id] for report in reports if one.id in report.devices), None)
    return InMemory(
        deployment=one.name,
        pinned=one.options.pinned,
        loaded=sum(size > 0 for size in sizes),
        gateways=len(sizes),
        memory_bytes=max(sizes, default=0),
        device="" if placed is None else placed.device,
        device_reason="" if placed is None else placed.reason,
    )


def _scaling(row: Row[Any]) -> Scaling:
    told = row.data
    return Scaling(
        deployment=told["deployment"],
        time=row.time,
        before=told["before"],
        after=told["after"],
        reason=told["reason"],
    )


def replica_of(revision: Row[Any], worker: WorkerFacts, in_flight: int) -> ReplicaStatus:
    """Return how a worker does."""
    return ReplicaStatus(
        deployment=revision.name,
        revision=revision.number,
        pid=worker.pid,
        is_up=worker.is_up,
        restarts=worker.restarts,
        memory_bytes=worker.memory_bytes,
        reason=worker.reason,
        isolation=worker.isolation,
        isolation_reason=worker.isolation_reason,
        limits=worker.limits,
        limits_reason=worker.limits_reason,
        device=worker.device,
        device_reason=worker.device_reason,
        replica=worker.replica,
        in_flight=in_flight,
        since=None if worker.up_since is None else datetime.fromtimestamp(worker.up_since, UTC),
    )
