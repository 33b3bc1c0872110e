"""Register, review and approve."""

from __future__ import annotations

from typing import Any

from aimass.kernel.errors import NotFound
from aimass.lifecycle.errors import GateClosed
from aimass.lifecycle.flow import StepContext
from aimass.models import Models, OneVersion, Review
from aimass.training import RegisterRun, Training

_REVIEW_TIMEOUT_S = 3600.0
_APPROVAL_TIMEOUT_S = 30 * 24 * 3600.0


def register(ctx: StepContext) -> dict[str, Any]:
    """Register the package of the chosen run as the next version of the model, with a card filled from facts."""
    command = RegisterRun(
        workspace=ctx.workspace,
        run=ctx.found("chosen"),
        model=ctx.parameter("model"),
        description=f"{ctx.run.cause}; pipeline {ctx.run.pipeline} #{ctx.run.number}",
    )
    version = ctx.registry.get(Training).register_run(ctx.who, command)
    return {
        "model": version.model,
        "model_version": version.number,
        "note": f"{version.model} version {version.number}",
    }


def review(ctx: StepContext) -> dict[str, Any]:
    """Run the checks of the review and wait for them; a check that fails closes the gate."""
    models, version = ctx.registry.get(Models), _version(ctx)
    models.submit_review(ctx.who, version)

    def checked() -> Review | None:
        found = _review(ctx)
        if found is None:
            return None
        done = sum(c.passed is not None for c in found.checks)
        ctx.tell(done / max(len(found.checks), 1), f"{done} of {len(found.checks)} checks")
        return found if found.checks and found.is_checked else None

    found = ctx.wait(checked, timeout_s=_REVIEW_TIMEOUT_S)
    failed = [c for c in found.checks if not c.passed]
    if failed and found.state != "APPROVED":
        raise GateClosed(
            f"the review of {version.model} {version.number} found: {failed[0].name}: {failed[0].evidence}",
            value=[c.name for c in failed],
            hint="the version stays in quarantine; a reviewer may still decide",
        )
    return {"checks": {c.name: bool(c.passed) for c in found.checks}, "note": f"{len(found.checks)} checks passed"}


def approve(ctx: StepContext) -> dict[str, Any]:
    """Wait for the decision: of the policy where the workspace has one, else of a person who is not the author."""

    def decided() -> Review | None:
        found = _review(ctx)
        if found is None or found.state not in ("APPROVED", "REJECTED"):
            ctx.tell(0.0, "waits for a reviewer")
            return None
        return found

    found = ctx.wait(decided, timeout_s=_APPROVAL_TIMEOUT_S)
    if found.state == "REJECTED":
        raise GateClosed(f"the version was rejected: {found.comment or 'no comment'}", hint="train another one")
    return {"approved_by": found.decided_by, "note": f"approved by {found.decided_by}"}


def _version(ctx: StepContext) -> OneVersion:
    return OneVersion(workspace=ctx.workspace, model=ctx.found("model"), number=ctx.found("model_version"))


def _review(ctx: StepContext) -> Review | None:
    try:
        return ctx.registry.get(Models).get_review(ctx.who, _version(ctx))
    except NotFound:
        return None
