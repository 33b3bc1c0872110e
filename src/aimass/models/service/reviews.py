"""Reviews: checks of all rooms as jobs, then a decision by the policy or by a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from aimass.cluster import SubmitJob
from aimass.infra.database import Change
from aimass.kernel.errors import Conflict, NotFound
from aimass.kernel.ids import new_id
from aimass.kernel.pages import Page, page_of
from aimass.kernel.principal import Principal, policy
from aimass.kernel.usecase import use_case
from aimass.models.domain import (
    OPEN,
    REVIEW,
    Check,
    Decide,
    ListReviews,
    ModelVersion,
    OneVersion,
    Review,
    ReviewState,
)
from aimass.models.errors import OwnVersion
from aimass.models.events import APPROVED, QUARANTINED, REJECTED, SUBMITTED
from aimass.models.runtimes import find_runtime
from aimass.models.service.graphs import STEPS, obstacles, quarantine_graphs, steps_check
from aimass.models.service.ground import Part, need_version, one
from aimass.models.store import (
    add_review,
    find_review,
    newest_review,
    put_review,
    put_version,
    reviews_page,
    reviews_waiting,
)

AUTO = policy("auto")
_OWN = ("manifest", "format", "smoke", "parity")


class Reviews(Part):
    """Nobody uses a version before it is approved."""

    @use_case(
        "POST /workspaces/{workspace}/models/{model}/versions/{number}/review",
        permission="models.edit",
        cli="models review",
        on="model",
        status=202,
        progress="models.get_review",
    )
    def submit_review(self, who: Principal, command: OneVersion) -> Review:
        """Let a version be reviewed; while a review is open, that one is returned."""
        version = self._version(command)
        where = {"package": str(self._packages.folder(version.digest)), "environments": str(self._ground.environments)}
        payloads: dict[str, Mapping[str, Any]] = {
            REVIEW: {**where, "origin": version.origin},
            **self._ground.payloads(version),
        }
        with self._database.change(who, command.workspace) as change:
            known = newest_review(change.conn, command)
            if known is not None and (known.state in OPEN or known.state == "APPROVED"):
                return known
            review = new_id()
            add_review(change, _row(change, review, version))
            checks = [self._enqueue(change, review, version, kind, payload) for kind, payload in payloads.items()]
            own = [Check(name=name, passed=None, evidence="", job=checks[0].job) for name in _OWN]
            steps = steps_check(change.conn, version)
            put_review(change, review, state="SCANNING", checks=(*own, *steps, *checks[1:]))
            put_version(change, command, review="SCANNING")
            change.audit("models.version.submit", object_=version.subject, detail={"review": review})
            change.event(SUBMITTED, subject=version.subject, data={"review": review})
            return need_review(change.conn, command.workspace, review)

    def _enqueue(
        self, change: Change, review: str, version: ModelVersion, kind: str, payload: Mapping[str, Any]
    ) -> Check:
        job = self._ground.jobs.enqueue(
            change,
            SubmitJob(
                workspace=version.workspace,
                kind=kind,
                title=f"Check {kind} of {version.model} version {version.number}",
                payload=payload,
                key=f"{review}:{kind}",
                subject=f"review:{review}",
                priority=10,
            ),
        )
        return Check(name=kind, passed=None, evidence="", job=job.id)

    def _version(self, command: OneVersion) -> ModelVersion:
        with self._database.read() as conn:
            return need_version(conn, command.workspace, command.model, command.number)

    @use_case(
        "GET /workspaces/{workspace}/models/{model}/versions/{number}/review",
        permission="models.read",
        cli="models show-review",
        on="model",
    )
    def get_review(self, who: Principal, command: OneVersion) -> Review:
        """Show the newest review of a version with the evidence of each check."""
        del who
        with self._database.read() as conn:
            need_version(conn, command.workspace, command.model, command.number)
            return _need(newest_review(conn, command), command)

    @use_case("GET /workspaces/{workspace}/reviews", permission="models.read", cli="models reviews")
    def list_reviews(self, who: Principal, command: ListReviews) -> Page[Review]:
        """List reviews, newest first."""
        del who
        with self._database.read() as conn:
            return page_of(reviews_page(conn, command), command.limit, lambda review: review.id)

    @use_case(
        "POST /workspaces/{workspace}/models/{model}/versions/{number}/approve",
        permission="models.approve",
        cli="models approve",
        on="model",
    )
    def approve(self, who: Principal, command: Decide) -> Review:
        """Approve a version whose checks have all passed; its author may not."""
        return self._decide(who, command, "APPROVED")

    @use_case(
        "POST /workspaces/{workspace}/models/{model}/versions/{number}/reject",
        permission="models.approve",
        cli="models reject",
        on="model",
    )
    def reject(self, who: Principal, command: Decide) -> Review:
        """Reject a version."""
        return self._decide(who, command, "REJECTED")

    def _decide(self, who: Principal, command: Decide, state: ReviewState) -> Review:
        with self._database.change(who, command.workspace) as change:
            return _decided(change, command, state)

    def note_checks(self, who: Principal, workspace: str, review: str, found: Sequence[Check]) -> Review:
        """Take over what checks found; when the last one has ended, the policy of the workspace decides with it.

        A stranger's package that runs code waits for a person in any case. Repeating it changes nothing.
        """
        is_automatic = self._ground.policy(workspace) == "auto"
        with self._database.change(AUTO if is_automatic else who, workspace) as change:
            known = need_review(change.conn, workspace, review)
            if known.state in OPEN:
                known = self._merge(change, known, found)
            passed = known.state == "QUARANTINED" and known.has_passed
            if not passed or not is_automatic or _runs_code_of_strangers(change.conn, known):
                return known
            wish = Decide(workspace=workspace, model=known.model, number=known.number, comment="every check has passed")
            return _decided(change, wish, "APPROVED")

    def _merge(self, change: Change, review: Review, found: Sequence[Check]) -> Review:
        by_name = {check.name: check for check in found}
        checks = [_joined(check, by_name.pop(check.name, None)) for check in review.checks]
        merged = replace(review, checks=(*checks, *by_name.values()))
        if not merged.is_checked:
            put_review(change, review.id, checks=merged.checks)
            return need_review(change.conn, review.workspace, review.id)
        name = OneVersion(workspace=review.workspace, model=review.model, number=review.number)
        now = steps_check(change.conn, need_version(change.conn, review.workspace, review.model, review.number))
        others = [check for check in merged.checks if check.name != STEPS] if now else merged.checks
        merged = replace(merged, checks=(*others, *now))  # a step may have been rejected while the checks ran
        put_review(change, review.id, checks=merged.checks, state="QUARANTINED", checked_at=change.now)
        put_version(change, name, review="QUARANTINED")
        failed = [check.name for check in merged.checks if not check.passed]
        subject = f"model_version:{review.model}/{review.number}"
        change.event(QUARANTINED, subject=subject, data={"review": review.id, "failed": failed})
        return need_review(change.conn, review.workspace, review.id)

    def supersede(self, who: Principal, command: Decide) -> bool:
        """Reject a version that still waits for a person, because a newer one takes its place; tell whether it did wait.

        What a person has decided meanwhile stands.
        """
        with self._database.change(who, command.workspace) as change:
            known = newest_review(change.conn, command)
            if known is None or known.state != "QUARANTINED":
                return False
            _decided(change, command, "REJECTED")
            return True

    def waiting_reviews(self, workspace: str | None = None) -> list[Review]:
        """Return the reviews that wait for a person; of every workspace when none is named."""
        with self._database.read() as conn:
            return reviews_waiting(conn, workspace)


def _decided(change: Change, command: Decide, state: ReviewState) -> Review:
    """Write a decision, by the one on whose behalf the change runs."""
    version = need_version(change.conn, command.workspace, command.model, command.number)
    review = _need(newest_review(change.conn, command), command)
    if review.state == state:
        return review
    _check_decision(change.who, review, state)
    if state == "APPROVED":
        _check_steps(obstacles(change.conn, version))
    decision = {"decided_by": change.who.name, "decided_at": change.now, "comment": command.comment}
    put_review(change, review.id, state=state, **decision)
    put_version(change, one(version), review=state)
    if state == "REJECTED":
        quarantine_graphs(change, version)
    verb = "approve" if state == "APPROVED" else "reject"
    detail = {"review": review.id, "comment": command.comment, "digest": version.digest}
    change.audit(f"models.version.{verb}", object_=version.subject, detail=detail)
    data = {"model": version.model, "number": version.number, "digest": version.digest, "review": review.id}
    change.event(APPROVED if state == "APPROVED" else REJECTED, subject=version.subject, data=data)
    return need_review(change.conn, command.workspace, review.id)


def _runs_code_of_strangers(conn: Connection, review: Review) -> bool:
    version = need_version(conn, review.workspace, review.model, review.number)
    return version.origin == "upload" and not find_runtime(version.runtime).is_inline


def need_review(conn: Any, workspace: str, review: str) -> Review:
    """Return a review, or say that there is none."""
    found = find_review(conn, workspace, review)
    if found is None:
        raise NotFound(f"there is no review {review!r}", field="review", value=review)
    return found


def _need(review: Review | None, command: OneVersion | Decide) -> Review:
    if review is None:
        raise NotFound(
            f"version {command.number} of model {command.model!r} was never reviewed",
            field="number",
            value=command.number,
            hint=f"aimass models review {command.number} --model {command.model}",
        )
    return review


def _check_decision(who: Principal, review: Review, state: ReviewState) -> None:
    if review.state in OPEN:
        raise Conflict("the checks of the review have not ended", value=review.state, hint="wait for them")
    if review.state == "REJECTED":
        raise Conflict("the version was rejected", value=review.state, hint="submit it for review again")
    if state == "REJECTED":
        return
    if who.kind in ("user", "service") and who.id == review.author:
        raise OwnVersion(f"{who.name!r} made this version", hint="ask somebody else with 'models.approve'")
    failed = [check.name for check in review.checks if not check.passed]
    if failed:
        raise Conflict(
            f"check {failed[0]!r} has not passed", value=failed, hint="repair the model, or reject this version"
        )


def _check_steps(found: Mapping[str, str]) -> None:
    if found:
        step, said = next(iter(found.items()))
        raise Conflict(said, field="steps", value=step, hint="let that version be approved, or compose the graph again")


def _joined(check: Check, found: Check | None) -> Check:
    return check if found is None else replace(found, job=found.job or check.job)


def _row(change: Change, review: str, version: ModelVersion) -> dict[str, Any]:
    return {
        "id": review,
        "workspace": version.workspace,
        "model": version.model,
        "number": version.number,
        "state": "SUBMITTED",
        "checks": [],
        "author": version.author,
        "requested_by": change.who.id,
        "requested_at": change.now,
        "checked_at": None,
        "decided_by": None,
        "decided_at": None,
        "comment": "",
        "version": 1,
    }
