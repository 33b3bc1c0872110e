"""How a workspace does right now, put together from what the rooms below tell."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import TypeVar

from aimass.apps.overview.domain import (
    DriftNow,
    FirstStep,
    InWorkspace,
    JobsNow,
    Minute,
    ServiceNow,
    ServicesNow,
    Situation,
    TrafficNow,
    Work,
)
from aimass.cluster import Job, Jobs, ListJobs
from aimass.infra.database import Database
from aimass.kernel.errors import NotFound
from aimass.kernel.principal import Principal
from aimass.kernel.registry import Registry
from aimass.kernel.usecase import use_case
from aimass.lake import Lake, ListDatasets
from aimass.lifecycle import Lifecycle, ListRuns, PipelineRun
from aimass.models import ListModels, Models
from aimass.monitoring import Drift, EndpointMetrics, GetDrift, ListMetrics, ListMonitors, Monitoring, QuerySeries
from aimass.serving import Endpoint, ListEndpoints, Serving
from aimass.training import ListRuns as ListTrainingRuns
from aimass.training import Training

T = TypeVar("T")
WINDOW_S, HOUR_S = 300, 3600
DAY = timedelta(days=1)
MOST, SHOWN = 500, 12
MOVED = 0.2
GROUPS = {"READY": "healthy", "DEGRADED": "degraded", "FAILED": "down", "STARTING": "starting"}


class Situations:
    """The use case behind the start page.

    Parameters
    ----------
    registry
        Holds the rooms below; one that is not there leaves its part of the answer empty.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._clock = registry.get(Database).clock

    @use_case("GET /workspaces/{workspace}/overview", permission="access.read", cli="overview")
    def show_overview(self, who: Principal, command: InWorkspace) -> Situation:
        """Show how the workspace does: services, traffic, jobs, drift, what runs, and the steps of the first day."""
        place = command.workspace
        endpoints = self._endpoints(who, place)
        metrics, drifts = self._metrics(who, place), self._drifts(who, place)
        return Situation(
            workspace=place,
            services=None if endpoints is None else services_now(endpoints),
            endpoints=[service_now(one, metrics or [], drifts or []) for one in endpoints or []],
            traffic=None if metrics is None else self._traffic(who, place, metrics),
            jobs=self._jobs(who, place),
            drift=None if drifts is None else drift_now(drifts),
            running=self._running(who, place),
            first_day=self._first_day(who, place, endpoints or [], drifts or []),
        )

    def _room(self, who: Principal, place: str, kind: type[T], permission: str) -> T | None:
        """Return the service of a room, where it is installed and the caller may read it."""
        if not self._registry.has(kind) or not who.allows(permission, place):
            return None
        return self._registry.get(kind)

    def _endpoints(self, who: Principal, place: str) -> list[Endpoint] | None:
        serving = self._room(who, place, Serving, "serving.read")
        return serving.list_endpoints(who, ListEndpoints(workspace=place, limit=MOST)).items if serving else None

    def _metrics(self, who: Principal, place: str) -> list[EndpointMetrics] | None:
        monitoring = self._room(who, place, Monitoring, "monitoring.read")
        return monitoring.list_metrics(who, ListMetrics(workspace=place, window_s=WINDOW_S)) if monitoring else None

    def _traffic(self, who: Principal, place: str, metrics: list[EndpointMetrics]) -> TrafficNow:
        requests = sum(one.total.requests for one in metrics)
        slowest = max(metrics, key=lambda one: one.total.p95_ms or 0, default=None)
        return TrafficNow(
            per_minute=requests * 60 / WINDOW_S,
            p95_ms=slowest.total.p95_ms if slowest else None,
            slowest=slowest.endpoint if slowest and slowest.total.p95_ms else "",
            error_rate=sum(one.total.errors for one in metrics) / requests if requests else None,
            minutes=self._minutes(who, place),
        )

    def _minutes(self, who: Principal, place: str) -> list[Minute]:
        """Return the last hour minute by minute; one without requests counts as zero."""
        monitoring = self._registry.get(Monitoring)
        counted = QuerySeries(workspace=place, name="gateway_requests", by=[], step_s=60)
        timed = QuerySeries(workspace=place, name="gateway_latency_seconds", by=["shadow"], step_s=60)
        requests = {p.t: p.count for line in monitoring.query_series(who, counted).lines for p in line.points}
        lines = monitoring.query_series(who, timed).lines
        latencies = {p.t: p.p95 for line in lines if not line.labels.get("shadow") for p in line.points}
        if not requests:
            return []
        first = min(requests)
        count = int((self._clock.now() - first).total_seconds() // 60) + 1
        times = [first + timedelta(minutes=n) for n in range(count)]
        return [Minute(t=t, requests=requests.get(t, 0.0), p95_ms=in_ms(latencies.get(t))) for t in times]

    def _jobs(self, who: Principal, place: str) -> JobsNow | None:
        jobs = self._room(who, place, Jobs, "cluster.read")
        if jobs is None:
            return None
        since = self._clock.now() - DAY
        found = {
            state: jobs.list_jobs(who, ListJobs(workspace=place, state=state, limit=MOST)).items
            for state in ("RUNNING", "QUEUED", "FAILED")
        }
        failed = [job for job in found["FAILED"] if job.ended_at is not None and job.ended_at > since]
        return JobsNow(running=len(found["RUNNING"]), queued=len(found["QUEUED"]), failed=len(failed))

    def _drifts(self, who: Principal, place: str) -> list[Drift] | None:
        monitoring = self._room(who, place, Monitoring, "monitoring.read")
        if monitoring is None:
            return None
        found: list[Drift] = []
        for one in monitoring.list_monitors(who, ListMonitors(workspace=place, limit=MOST)).items:
            wish = GetDrift(workspace=place, endpoint=one.endpoint, deployment=one.deployment, limit=0)
            try:
                found += [monitoring.get_drift(who, wish)] if one.computed_at is not None else []
            except NotFound:  # only its quality was computed so far
                continue
        return found

    def _running(self, who: Principal, place: str) -> list[Work]:
        jobs = self._room(who, place, Jobs, "cluster.read")
        lifecycle = self._room(who, place, Lifecycle, "lifecycle.read")
        runs = (
            lifecycle.list_runs(who, ListRuns(workspace=place, state="RUNNING", limit=SHOWN)).items if lifecycle else []
        )
        wish = ListJobs(workspace=place, state="RUNNING", limit=SHOWN)
        found = jobs.list_jobs(who, wish).items if jobs else []
        return [*map(work_of_run, runs), *map(work_of_job, found)]

    def _first_day(self, who: Principal, place: str, endpoints: list[Endpoint], drifts: list[Drift]) -> list[FirstStep]:
        lake, training = self._room(who, place, Lake, "lake.read"), self._room(who, place, Training, "training.read")
        models = self._room(who, place, Models, "models.read")
        datasets = lake.list_datasets(who, ListDatasets(workspace=place, limit=SHOWN)).items if lake else []
        filled = [one for one in datasets if one.latest is not None]
        wish = ListTrainingRuns(workspace=place, state="FINISHED", limit=SHOWN)
        runs = training.list_runs(who, wish).items if training else []
        made = models.list_models(who, ListModels(workspace=place, limit=SHOWN)).items if models else []
        served = [one for one in endpoints if one.deployments]
        return [
            first_step("data", [f"dataset:{one.slug}" for one in filled]),
            first_step("train", [f"model:{one.slug}" for one in made] or [f"run:{one.id}" for one in runs]),
            first_step("deploy", [f"endpoint:{one.slug}" for one in served]),
            first_step("watch", [f"endpoint:{one.endpoint}" for one in drifts]),
        ]


def first_step(name: str, subjects: list[str]) -> FirstStep:
    """Return a step that is done when there is any object to show for it."""
    subject = subjects[-1] if subjects else ""
    return FirstStep(name=name, is_done=bool(subjects), subject=subject, count=len(subjects))  # pyright: ignore[reportArgumentType]


def services_now(endpoints: list[Endpoint]) -> ServicesNow:
    """Count endpoints by what their callers feel."""
    counts: Counter[str] = Counter(GROUPS.get(one.state, "empty") for one in endpoints)
    return ServicesNow(**{name: counts[name] for name in ("healthy", "degraded", "down", "starting", "empty")})


def service_now(endpoint: Endpoint, metrics: list[EndpointMetrics], drifts: list[Drift]) -> ServiceNow:
    """Put together what is known of one endpoint."""
    total = next((one.total for one in metrics if one.endpoint == endpoint.slug), None)
    main = next((one for one in endpoint.deployments if one.is_main), None)
    moved = [one.max_psi for one in drifts if one.endpoint == endpoint.slug]
    return ServiceNow(
        endpoint=endpoint.slug,
        state=endpoint.state,
        model=main.model if main else "",
        version=main.served_version if main else None,
        weights={one.name: one.weight for one in endpoint.deployments if one.weight},
        per_minute=total.rps * 60 if total else 0.0,
        p95_ms=total.p95_ms if total else None,
        error_rate=total.error_rate if total else None,
        max_psi=max(moved, default=None),
    )


def drift_now(drifts: list[Drift]) -> DriftNow:
    """Count the inputs that moved, and name the one that moved most."""
    every = [(one.psi, one.name, found.endpoint) for found in drifts for one in found.features]
    worst, feature, endpoint = max(every, default=(None, "", ""))
    moved = {(endpoint, name) for psi, name, endpoint in every if psi > MOVED}
    return DriftNow(watched=len(drifts), features=len(moved), worst=worst, feature=feature, endpoint=endpoint)


def work_of_job(job: Job) -> Work:
    """Show a job as work."""
    since: datetime = job.started_at or job.queued_at
    return Work(
        kind="job",
        id=job.id,
        title=job.title,
        stage=job.progress.stage,
        fraction=job.progress.fraction,
        since=since,
        by=job.created_by,
    )


def work_of_run(run: PipelineRun) -> Work:
    """Show a run of a pipeline as work: its share is that of its steps."""
    parts = [1.0 if step.state in ("SUCCEEDED", "SKIPPED") else step.fraction for step in run.steps]
    stage = next((step.title for step in run.steps if step.state == "RUNNING"), "")
    return Work(
        kind="pipeline",
        id=run.id,
        title=f"{run.pipeline} #{run.number}",
        stage=stage,
        fraction=sum(parts) / len(parts) if parts else None,
        since=run.started_at,
        by=run.started_by,
    )


def in_ms(seconds: float | None) -> float | None:
    """Return seconds as milliseconds.

    Examples
    --------
    >>> in_ms(0.031), in_ms(None)
    (31.0, None)
    """
    return None if seconds is None else seconds * 1000
