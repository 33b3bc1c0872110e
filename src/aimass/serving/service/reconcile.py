"""The reconcile loop: brings what runs to what is wanted, and says how far it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Row

from aimass.kernel.errors import AimassError
from aimass.kernel.principal import SYSTEM
from aimass.serving.domain.placing import options_of
from aimass.serving.domain.things import State
from aimass.serving.events import DEPLOYMENT_FAILED, DEPLOYMENT_READY, subject_of, tell
from aimass.serving.reports import Seen
from aimass.serving.service.ground import Ground, target_of
from aimass.serving.service.placer import OWN, Placer
from aimass.serving.service.scaler import Scaler
from aimass.serving.service.shown import endpoint_of
from aimass.serving.store import queries
from aimass.serving.workers.wishes import MEASURES, Wish, WorkerFacts

_log = structlog.get_logger("aimass.serving")


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is looked at in one round."""

    endpoints: Mapping[str, Row[Any]]
    seen: Seen
    workers: Mapping[str, WorkerFacts]

    def worker(self, revision: str, replica: int = 0) -> WorkerFacts | None:
        """Return how a worker of a revision does."""
        return self.workers.get(f"{revision}-{replica}")

    def serving(self, revision: str) -> list[WorkerFacts]:
        """Return how all workers of a revision do that answer requests, or shall."""
        return [one for one in self.workers.values() if one.revision == revision and one.replica != MEASURES]


@dataclass(frozen=True, slots=True)
class _Step:
    """What a round found for one deployment; None where nothing changes."""

    state: State
    reason: str = ""
    is_ready: bool = False
    error: str | None = None


class Reconciler:
    """Moves deployments one step each round; a round in which nothing can have changed costs nothing."""

    def __init__(self, ground: Ground, scaler: Scaler) -> None:
        self._ground = ground
        self._database = ground.database
        self._settings = ground.settings
        self._mark: tuple[int, ...] | None = None
        self._looked = 0.0
        self._placer = Placer(ground)
        self._scaler = scaler

    def run_once(self, closed: Callable[[], Collection[str]] = tuple) -> int:
        """Look at every deployment, unless nothing can have changed; return how many changed.

        Deployments of the workspaces that are ``closed`` have no workers, and stay as they are.
        """
        ground = self._ground
        ground.workers.tick()
        self._scaler.look()
        mark = (self._database.commits, ground.reports.changes, ground.workers.changes, self._scaler.changes)
        now = time.monotonic()
        if mark == self._mark and now - self._looked < self._settings.look_s:
            return 0
        self._mark, self._looked = mark, now
        return self._round(closed())

    def _round(self, closed: Collection[str]) -> int:
        with self._database.read() as conn:
            endpoints = {row.id: row for row in queries.all_endpoints(conn)}
            rows = [row for row in queries.live_deployments(conn) if row.workspace not in closed]
            revisions = queries.revisions_by_id(conn, [i for row in rows for i in (row.target, row.serving)])
        own = [row for row in rows if row.is_wanted and row.serving in revisions]
        self._scaler.follow(
            [(row, revisions[row.serving]) for row in own if self._is_own(revisions[row.serving])], endpoints
        )
        self._keep_workers(rows, revisions, endpoints)
        facts = _Facts(endpoints, self._ground.reports.seen(), self._ground.workers.facts())
        return sum(self._move(row, revisions, facts) for row in rows if row.is_wanted)

    def _is_own(self, revision: Row[Any]) -> bool:
        return self._placer.place_of(revision) == OWN

    def _keep_workers(
        self, rows: Sequence[Row[Any]], revisions: Mapping[str, Row[Any]], endpoints: Mapping[str, Row[Any]]
    ) -> None:
        """Wish for the workers of all revisions that answer or start, and let the others go."""
        wishes: dict[str, Wish] = {}
        for row in rows:
            for id_ in {row.serving, row.target} if row.is_wanted else ():
                revision = revisions.get(id_)
                if revision is not None and revision.package and revision.state != "FAILED":
                    workers = self._scaler.workers(row, revision)
                    found = self._placer.wishes(revision, endpoints[row.endpoint].timeout_s, workers)
                    wishes |= {wish.key: wish for wish in found}
        self._ground.workers.want(list(wishes.values()))

    def _move(self, row: Row[Any], revisions: Mapping[str, Row[Any]], facts: _Facts) -> bool:
        target = revisions[row.target]
        if target.state == "PENDING":
            return self._begin(row, target, facts)
        judge = self._starting if target.state == "STARTING" else self._running
        step = judge(row, target, facts)
        if step is None or (
            step.state == row.state and step.reason == row.reason and not step.is_ready and not step.error
        ):
            return False
        self._note(row, target, step, facts)
        return True

    def _begin(self, row: Row[Any], target: Row[Any], facts: _Facts) -> bool:
        """Lay the package out; what comes next is the gateway's, or a worker's."""
        try:
            folder = self._ground.library.lay_out(target_of(target))
        except (AimassError, OSError) as reason:
            message = reason.message if isinstance(reason, AimassError) else f"{type(reason).__name__}: {reason}"
            _log.warning("package cannot be laid out", revision=target.id, error=message)
            self._note(row, target, _Step(_bad(row), error=f"its package cannot be used: {message}"), facts)
            return True
        with self._database.change(SYSTEM, row.workspace) as change:
            if queries.put_state(change, row.id, target.id, state="STARTING", reason=""):
                now = change.now
                queries.put_revision(change, target.id, state="STARTING", package=str(folder), started_at=now)
        self._tell(row, facts)
        return True

    def _starting(self, row: Row[Any], target: Row[Any], facts: _Facts) -> _Step | None:
        worker = facts.worker(target.id)
        if target.running is None and self._placer.settle(target, worker or facts.worker(target.id, MEASURES)):
            return None
        if worker is not None and worker.stage:
            return _Step("STARTING", f"its environment is made: {worker.stage}")
        if worker is not None and not worker.is_up:
            if worker.is_hopeless or worker.crashes >= self._settings.start_crashes:
                return _Step(_bad(row), error=f"its worker does not start: {worker.reason}")
        elif facts.seen.is_loaded(row.id, target.id):
            error = facts.seen.error_of(target.id)
            if error is None:
                return _Step("READY", is_ready=True)
        elif worker is None and (error := facts.seen.error_of(target.id)) is not None:
            return _Step(_bad(row), error=f"the gateway cannot load it: {error}")
        return self._late(row, target, worker, facts)

    def _late(self, row: Row[Any], target: Row[Any], worker: WorkerFacts | None, facts: _Facts) -> _Step | None:
        """Give up a revision that takes too long."""
        began = worker.began_at if worker is not None and worker.began_at is not None else 0.0
        waited = self._database.clock.now().timestamp() - max(target.started_at.timestamp(), began)
        if waited <= self._settings.start_timeout_s:
            return None
        why = facts.seen.error_of(target.id) or (worker.reason if worker else "") or self._silence(facts.seen)
        return _Step(_bad(row), error=f"it was not loaded within {self._settings.start_timeout_s:g} s: {why}")

    def _silence(self, seen: Seen) -> str:
        return "no gateway worker is running" if not seen.reports else "the gateway did not say why"

    def _running(self, row: Row[Any], target: Row[Any], facts: _Facts) -> _Step:
        """Judge what answers now."""
        if row.serving is None:
            return _Step("FAILED", _failed(target, target.error))
        complaint = facts.seen.error_of(row.serving)
        workers = facts.serving(row.serving)
        down = next((one for one in workers if not one.is_up and one.crashes), None)
        if workers and not any(one.is_up for one in workers) and not self._is_waking(row):
            complaint = f"its worker is down: {workers[0].reason or 'it starts'}"
        elif down is not None:
            complaint = f"worker {down.replica} of {len(workers)} is down: {down.reason}"
        elif facts.seen.silent_s > self._settings.quiet_s:
            complaint = "no gateway worker is running"
        if complaint is not None:
            return _Step("DEGRADED", complaint)
        if row.serving != row.target:
            return _Step("DEGRADED", _failed(target, target.error))
        return _Step("READY")

    def _is_waking(self, row: Row[Any]) -> bool:
        """Tell whether the first worker starts because somebody asks, as it should where nothing runs otherwise."""
        workers = self._ground.workers.facts().get(f"{row.serving}-0")
        return options_of(row.options).replicas.min == 0 and workers is not None and not workers.crashes

    def _note(self, row: Row[Any], target: Row[Any], step: _Step, facts: _Facts) -> None:
        """Write a step; nothing is written when the target has changed meanwhile."""
        endpoint = facts.endpoints[row.endpoint]
        with self._database.change(SYSTEM, row.workspace) as change:
            reason = step.reason if step.error is None else _failed(target, step.error)
            values: dict[str, Any] = {"state": step.state, "reason": reason}
            if step.is_ready:
                values["serving"] = target.id
            if not queries.put_state(change, row.id, target.id, **values):
                return
            if step.error is not None:
                queries.put_revision(change, target.id, state="FAILED", error=step.error)
            if step.is_ready:
                queries.put_revision(change, target.id, state="READY", ready_at=change.now)
                if row.serving is not None and row.serving != target.id:
                    queries.put_revision(change, row.serving, state="RETIRED", retired_at=change.now)
            if step.is_ready or step.error is not None:
                kind = DEPLOYMENT_READY if step.is_ready else DEPLOYMENT_FAILED
                change.event(kind, subject=subject_of(endpoint.slug), data=_fact(endpoint, row, target, step))
        self._tell(row, facts)

    def _tell(self, row: Row[Any], facts: _Facts) -> None:
        with self._database.read() as conn:
            endpoint = queries.find_endpoint(conn, row.workspace, facts.endpoints[row.endpoint].slug)
            shown = endpoint_of(conn, endpoint) if endpoint is not None else None
        if shown is not None:
            tell(self._ground.live, shown)


def _bad(row: Row[Any]) -> State:
    """Return the state of a deployment whose newest revision failed: it may still answer with the one before."""
    return "FAILED" if row.serving is None else "DEGRADED"


def _failed(target: Row[Any], error: str) -> str:
    return f"revision {target.number} failed: {error}"


def _fact(endpoint: Row[Any], row: Row[Any], target: Row[Any], step: _Step) -> dict[str, Any]:
    fact = {
        "endpoint": endpoint.slug,
        "deployment": row.name,
        "revision": target.id,
        "number": target.number,
        "model": target.model,
        "version": target.model_version,
    }
    return fact if step.error is None else {**fact, "error": step.error[:500]}
