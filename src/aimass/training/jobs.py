"""What control does with the ends of jobs, on time, and for the review of models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aimass.cluster import Job, Jobs
from aimass.kernel.registry import Registry
from aimass.lake import Lake
from aimass.models import ModelVersion
from aimass.training.service.training import Training


def with_copies(registry: Registry, job: Job) -> None:
    """Bring the tables that a job reads: it runs recipes, and no key of a store is handed to it."""
    if registry.has(Lake):  # without one the tables are files of this machine
        registry.get(Lake).bring(job.payload)


def split_done(registry: Registry, job: Job) -> None:
    """Keep a split."""
    registry.get(Training).split_done(job.workspace, _id(job), job.result or {}, _outputs(registry, job))


def split_failed(registry: Registry, job: Job) -> None:
    """Note that a split could not be made."""
    registry.get(Training).split_failed(job.workspace, _id(job), job.error)


def fit_done(registry: Registry, job: Job) -> None:
    """Keep what a run left."""
    registry.get(Training).run_done(job.workspace, _id(job), job.result or {}, _outputs(registry, job))


def weights_imported(registry: Registry, job: Job) -> None:
    """Register the model that was made of imported weights, and let it be reviewed."""
    registry.get(Training).weights_imported(job, _outputs(registry, job) / "package")


def fit_failed(registry: Registry, job: Job) -> None:
    """Note that a run failed or was cancelled."""
    is_cancelled = job.state == "CANCELLED"
    registry.get(Training).run_failed(job.workspace, _id(job), job.error, is_cancelled=is_cancelled)


def compress_done(registry: Registry, job: Job) -> None:
    """Keep what a compression found, and the model that it chose."""
    registry.get(Training).compression_done(job.workspace, _id(job), job.result or {}, _outputs(registry, job))


def evaluate_done(registry: Registry, job: Job) -> None:
    """Keep what an evaluation found."""
    registry.get(Training).evaluation_done(job.workspace, _id(job), job.result or {}, _outputs(registry, job))


def evaluate_failed(registry: Registry, job: Job) -> None:
    """Note that an evaluation failed."""
    registry.get(Training).evaluation_failed(job.workspace, _id(job), job.error)


def follow(registry: Registry) -> None:
    """Note which scheduled runs have begun."""
    registry.get(Training).follow_runs()


def follow_autos(registry: Registry) -> None:
    """Let automatic trainings go on."""
    registry.get(Training).step_autos()


def learn_done(registry: Registry, job: Job) -> None:
    """Commit what a learner learned."""
    registry.get(Training).learn_done(job.workspace, _id(job), job.result or {}, _outputs(registry, job))


def learn_failed(registry: Registry, job: Job) -> None:
    """Note that a learner cannot go on."""
    is_cancelled = job.state == "CANCELLED"
    registry.get(Training).learn_failed(job.workspace, _id(job), job.error, is_cancelled=is_cancelled)


def follow_learners(registry: Registry) -> None:
    """Let learners go on where rows have arrived."""
    registry.get(Training).follow_learners()


def search(registry: Registry) -> None:
    """Move the studies on."""
    registry.get(Training).follow_studies()


def gate_payload(registry: Registry, version: ModelVersion) -> dict[str, Any] | None:
    """Return what the metric gate needs to judge a version."""
    return registry.get(Training).gate_payload(version)


def _id(job: Job) -> str:
    return job.subject.partition(":")[2]


def _outputs(registry: Registry, job: Job) -> Path:
    return registry.get(Jobs).outputs(job)
