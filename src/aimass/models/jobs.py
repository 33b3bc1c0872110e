"""What control does with the ends of jobs and with events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aimass.cluster import Job, Jobs
from aimass.kernel.findings import Finding, finding_of
from aimass.kernel.principal import ANYWHERE, SYSTEM, Principal
from aimass.kernel.registry import Registry
from aimass.models.domain import REVIEW, Check, OneVersion
from aimass.models.service.models import Models

_OWN = ("manifest", "format", "smoke", "parity")


def compose_done(registry: Registry, job: Job) -> None:
    """Register the graph that was composed, and let it be reviewed."""
    models = registry.get(Models)
    made = models.composed(job, registry.get(Jobs).outputs(job) / "package")
    models.submit_review(SYSTEM, OneVersion(workspace=made.workspace, model=made.model, number=made.number))


def review_done(registry: Registry, job: Job) -> None:
    """Take over the checks of the room itself; one that was not reached counts as failed."""
    found = {item["name"]: _check(item["name"], item, job) for item in (job.result or {}).get("checks", [])}
    skipped = {"passed": False, "evidence": "not run: an earlier check failed"}
    _note(registry, job, [found.get(name) or _check(name, skipped, job) for name in _OWN])


def check_done(registry: Registry, job: Job) -> None:
    """Take over the check of another room; its job returns ``passed``, ``evidence`` and ``detail``."""
    _note(registry, job, [_check(job.kind, job.result or {}, job)])


def check_failed(registry: Registry, job: Job) -> None:
    """Count a check whose job failed or was cancelled as not passed."""
    evidence = str((job.error or {}).get("detail") or "the check was cancelled")
    names = _OWN if job.kind == REVIEW else (job.kind,)
    _note(registry, job, [_check(name, {"passed": False, "evidence": evidence}, job) for name in names])


def _check(name: str, found: Mapping[str, Any], job: Job) -> Check:
    return Check(
        name=name,
        passed=bool(found.get("passed")),
        evidence=str(found.get("evidence", "")),
        job=job.id,
        detail=found.get("detail") or found.get("problem") or {},
    )


def _note(registry: Registry, job: Job, checks: list[Check]) -> None:
    registry.get(Models).note_checks(SYSTEM, job.workspace, job.subject.removeprefix("review:"), checks)


def doctor(registry: Registry) -> list[Finding]:
    """Look whether the files of every package are there."""
    looked, lost = registry.get(Models).lost_packages()
    faults = [f"{name} of package {digest[:12]} is missing" for digest, name in lost]
    return [finding_of("models", f"{looked} packages are whole", faults, "restore the last backup")]


def attention(registry: Registry, who: Principal, workspace: str = ANYWHERE) -> list[dict[str, Any]]:
    """Return the versions that wait for a decision this principal may take."""
    waiting = registry.get(Models).waiting_reviews(None if workspace == ANYWHERE else workspace)
    return [
        {
            "kind": "review",
            "title": f"{review.model} version {review.number} waits for approval"
            if review.has_passed
            else f"{review.model} version {review.number} did not pass its review",
            "subject": f"model_version:{review.model}/{review.number}",
            "workspace": review.workspace,
            "since": review.checked_at,
            "path": f"/{review.workspace}/models/{review.model}/versions/{review.number}?tab=reviews",
        }
        for review in waiting
        if who.allows("models.approve", review.workspace, f"model:{review.model}")
        and not (review.has_passed and who.id == review.author)
    ]
