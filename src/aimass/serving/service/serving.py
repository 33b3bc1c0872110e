"""The service of the room: all use cases, what the gateway publishes, and what follows from the news of others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Row

from aimass.kernel.errors import AimassError
from aimass.kernel.principal import Principal
from aimass.serving.domain.placing import options_of, running_of
from aimass.serving.domain.things import GatewayReport, Published, PublishedEndpoint
from aimass.serving.events import subject_of
from aimass.serving.service.ground import Ground, Why
from aimass.serving.service.placer import INLINE, OWN, Placer
from aimass.serving.service.reconcile import Reconciler
from aimass.serving.service.scorings import Scorings
from aimass.serving.store import queries
from aimass.serving.workers.pool import socket_of

_log = structlog.get_logger("aimass.serving")


class Serving(Scorings):
    """Endpoints, deployments, revisions and traffic."""

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        self.reconciler = Reconciler(ground, self.scaler)
        self._placer = Placer(ground)

    @property
    def needs_sandbox(self) -> bool:
        """Tell whether workers of this platform never run without a sandbox."""
        return self._ground.settings.sandbox == "require"

    @property
    def changes(self) -> int:
        """Return a number that differs when what is published may differ."""
        return self._database.commits + self._ground.workers.changes + self.scaler.changes

    def report_loaded(self, reports: Iterable[GatewayReport]) -> None:
        """Take what all gateway workers that are alive say of themselves."""
        self._ground.reports.put(reports)

    def published(self) -> list[PublishedEndpoint]:
        """Return every endpoint with the revisions that the gateway shall load."""
        with self._database.read() as conn:
            endpoints = queries.all_endpoints(conn)
            rows = queries.live_deployments(conn)
            revisions = queries.revisions_by_id(conn, [i for row in rows for i in (row.target, row.serving)])
        return [self._published(row, [one for one in rows if one.endpoint == row.id], revisions) for row in endpoints]

    def _published(
        self, endpoint: Row[Any], rows: Iterable[Row[Any]], revisions: Mapping[str, Row[Any]]
    ) -> PublishedEndpoint:
        shown = [self._revision(endpoint, row, revisions) for row in rows if row.is_wanted]
        found = {one.name: one for one in shown if one is not None}
        return PublishedEndpoint(
            id=endpoint.id,
            name=endpoint.slug,
            workspace=endpoint.workspace,
            timeout_s=endpoint.timeout_s,
            max_body_bytes=endpoint.max_body_bytes,
            sample=endpoint.record["sample"],
            payload=endpoint.record["payload"],
            deployments=list(found.values()),
            shadow=found.get(endpoint.shadow),
            fallback=found.get(endpoint.fallback),
            traffic=endpoint.policy,
        )

    def _revision(self, endpoint: Row[Any], row: Row[Any], revisions: Mapping[str, Row[Any]]) -> Published | None:
        """Return the newest revision when it can be loaded, else the one that answers."""
        target = revisions[row.target]
        if target.state == "STARTING" and self._is_loadable(target):
            return self._shown_revision(endpoint, row, target)
        serving = revisions.get(row.serving)
        return None if serving is None else self._shown_revision(endpoint, row, serving)

    def _is_loadable(self, revision: Row[Any]) -> bool:
        if revision.running is None:
            return False
        if self._placer.place_of(revision) == INLINE:
            return True
        worker = self._ground.workers.facts().get(f"{revision.id}-0")
        return worker is not None and worker.is_up

    def _shown_revision(self, endpoint: Row[Any], row: Row[Any], revision: Row[Any]) -> Published:
        is_own = self._placer.place_of(revision) == OWN
        return Published(
            id=row.id,
            name=row.name,
            revision=revision.id,
            weight=row.weight,
            model=revision.model,
            version=revision.model_version,
            runtime=revision.runtime,
            package=revision.package,
            socket=str(socket_of(self._ground.layout, revision.id)) if is_own else None,
            unseen=None if endpoint.unseen == "model" else endpoint.unseen,
            running=running_of(revision.running),
            sockets=self._sockets(row, revision) if is_own else None,
            on_demand=is_own and revision.ready_at is not None and options_of(row.options).replicas.min == 0,
            pinned=options_of(row.options).pinned,
            device=options_of(revision.options).device,
            proven=revision.ready_at is not None,
        )

    def used_environments(self) -> set[Path]:
        """Return the environments in which live deployments run, or are about to."""
        with self._database.read() as conn:
            rows = queries.live_deployments(conn)
            revisions = queries.revisions_by_id(conn, [i for row in rows for i in (row.target, row.serving)])
        return {place for one in revisions.values() if (place := self._placer.environment_of(one)) is not None}

    def _sockets(self, row: Row[Any], revision: Row[Any]) -> list[str]:
        wanted = self.scaler.workers(row, revision)
        return [str(socket_of(self._ground.layout, revision.id, number)) for number in range(wanted)]

    def needed_packages(self) -> dict[str, bool]:
        """Return the packages that live deployments had, and whether one answers with it or is about to."""
        with self._database.read() as conn:
            return queries.digests_of_live(conn)

    def follow_alias(self, who: Principal, workspace: str, model: str, alias: str) -> int:
        """Deploy the version that an alias means now wherever it is followed; return how many deployments changed."""
        with self._database.read() as conn:
            rows = [row for row in queries.following(conn, workspace, model) if row.alias == alias]
        return sum(self._follow(who, row) for row in rows)

    def _follow(self, who: Principal, row: Row[Any]) -> bool:
        try:
            target = self._library.find(row.workspace, row.model, row.alias)
        except AimassError as reason:
            _log.warning("alias cannot be followed", model=row.model, alias=row.alias, error=reason.message)
            return False
        if target.number == row.alias_seen or not row.is_wanted:
            return False
        with self._database.change(who, row.workspace) as change:
            present = queries.revisions_by_id(change.conn, [row.target])[row.target]
            values: dict[str, Any] = {"alias_seen": target.number}
            if present.version_id != target.id:
                endpoint = next(one for one in queries.all_endpoints(change.conn) if one.id == row.endpoint)
                why = Why(cause="alias", reason=f"{row.alias!r} moved to version {target.number}", alias=row.alias)
                values["target"] = self._revise(change, endpoint, (row.id, row.name), target, why)
                values |= {"state": "PENDING", "reason": ""}
                detail = {"deployment": row.name, "alias": row.alias, "version": target.number}
                change.audit("serving.follow", object_=subject_of(endpoint.slug), detail=detail)
            queries.put_deployment(change, row.id, **values)
        return True
