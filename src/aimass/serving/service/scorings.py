"""Batch inference: plan, start, follow and cancel scorings, and keep what their jobs left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row

from aimass.cluster import CancelJob, Job
from aimass.infra.compute import need_sandbox
from aimass.kernel.errors import Conflict, Invalid, NotFound
from aimass.kernel.pages import Page, page_of
from aimass.kernel.principal import SYSTEM, Principal
from aimass.kernel.usecase import use_case
from aimass.lake import NewVersion
from aimass.serving.domain.scoring import ENDED, ListScorings, OneScoring, Scoring, ScoringPlan, StartScoring
from aimass.serving.events import (
    SCORING_CANCELLED,
    SCORING_FAILED,
    SCORING_FINISHED,
    scoring_subject,
    tell_scoring,
)
from aimass.serving.service.scoring_orders import Order, ScoringOrders, wish_of
from aimass.serving.store import scorings as store

_PATH = "/workspaces/{workspace}/scorings"


class Scorings(ScoringOrders):
    """Use cases of batch inference."""

    @use_case(f"POST {_PATH}/plan", permission="serving.use", cli="scorings plan")
    def plan_scoring(self, who: Principal, command: StartScoring) -> ScoringPlan:
        """Show what a scoring would do: which version scores which rows, from which columns, and what is wrong."""
        return self._order(who, command).plan

    @use_case(
        f"POST {_PATH}", permission="serving.use", cli="scorings start", status=202, progress="serving.get_scoring"
    )
    def start_scoring(self, who: Principal, command: StartScoring) -> Scoring:
        """Score a dataset version as a job; the predictions become a version of another dataset.

        The same key again is the same scoring.

        Raises
        ------
        Invalid
            A column of an input is missing, has another type, or holds nulls where the model takes none.
        Conflict
            The key was used for another wish, or a kept column has the name of a prediction.
        """
        known = self._known(command)
        if known is not None:
            return known
        order = self._possible(who, command)
        self._make_target(who, order)
        with self._database.change(who, command.workspace) as change:
            id_ = self._begin_scoring(change, order)
        return self._scoring_told(command.workspace, id_)

    def check_scoring(self, who: Principal, command: StartScoring) -> None:
        """Refuse a scoring that could not begin now, or that this principal could not start."""
        who.need("serving.use", command.workspace)
        self._possible(who, command)

    def _possible(self, who: Principal, command: StartScoring) -> Order:
        """Return what a scoring needs, or refuse what is wrong with it before any job starts."""
        who.need("lake.edit", command.workspace, f"dataset:{command.to}")
        order = self._order(who, command)
        if self._ground.settings.sandbox == "require" and not self._library.is_inline(order.means.target):
            need_sandbox()
        if order.plan.problems:
            bad = next((one for one in order.plan.inputs if one.problem), None)
            raise Invalid(
                "; ".join(order.plan.problems[:5]),
                field="columns",
                value=bad.input if bad else None,
                allowed=[column.name for column in order.version.columns][:100],
                hint="name the column of an input in 'columns', or score a dataset that has it",
            )
        return order

    def _known(self, command: StartScoring) -> Scoring | None:
        if command.key is None:
            return None
        with self._database.read() as conn:
            row = store.by_key(conn, command.workspace, command.key)
        if row is None:
            return None
        if row.wish != wish_of(command):
            raise Conflict(f"key {command.key!r} was used for another scoring", field="key", value=command.key)
        return self._scoring(row)

    @use_case(f"GET {_PATH}", permission="serving.read", cli="scorings list")
    def list_scorings(self, who: Principal, command: ListScorings) -> Page[Scoring]:
        """List scorings, the newest first."""
        del who
        with self._database.read() as conn:
            page = page_of(store.matching(conn, command), command.limit, lambda row: row.id)
        return Page(items=[self._scoring(row) for row in page.items], next=page.next)

    @use_case(f"GET {_PATH}/{{scoring}}", permission="serving.read", cli="scorings show")
    def get_scoring(self, who: Principal, command: OneScoring) -> Scoring:
        """Show a scoring with its progress."""
        del who
        return self._scoring(self._scoring_row(command.workspace, command.scoring))

    @use_case(f"POST {_PATH}/{{scoring}}/cancel", permission="serving.use", cli="scorings cancel")
    def cancel_scoring(self, who: Principal, command: OneScoring) -> Scoring:
        """Stop a scoring; no version is made of what it scored so far."""
        row = self._scoring_row(command.workspace, command.scoring)
        if row.state in ENDED:
            raise Conflict(f"scoring {row.id!r} is {row.state}", value=row.state, allowed=["QUEUED", "RUNNING"])
        with self._database.change(who, command.workspace) as change:
            change.audit("serving.scoring.cancel", object_=scoring_subject(row.id))
        self._ground.jobs.cancel_job(SYSTEM, CancelJob(workspace=row.workspace, job=row.job))
        return self._scoring_told(command.workspace, row.id)

    def scoring_done(self, job: Job) -> None:
        """Note the version that a job has committed; the same job again changes nothing."""
        row = self._scoring_row(job.workspace, job.payload["scoring"])
        told: dict[str, Any] = dict(job.result or {})
        made = self._ground.lake.add_version(
            NewVersion(
                workspace=row.workspace,
                dataset=row.target,
                described=told["version"],
                origin=scoring_subject(row.id),
                sources=(
                    ("dataset_version", row.dataset_version_id),
                    ("model_version", f"{row.model}/{row.model_version}"),
                ),
                created_by=row.created_by,
            )
        )
        facts = {"to": row.target, "to_version": made.number, "rows": told["rows"], "unseen": told["unseen"]}
        values = {"target_version": made.number, "rows": told["rows"], "rows_per_s": told["rows_per_s"]}
        self._end_scoring(row, "SUCCEEDED", SCORING_FINISHED, facts, **values)

    def scoring_failed(self, job: Job) -> None:
        """Note that a job failed or was cancelled."""
        row = self._scoring_row(job.workspace, job.payload["scoring"])
        error = dict(job.error or {})
        is_cancelled = job.state == "CANCELLED"
        kind = SCORING_CANCELLED if is_cancelled else SCORING_FAILED
        facts = {"to": row.target, "error": str(error.get("detail", ""))[:500]}
        self._end_scoring(row, job.state, kind, facts, error=None if is_cancelled else error)

    def _end_scoring(self, row: Row[Any], state: str, kind: str, facts: Mapping[str, Any], **values: Any) -> None:
        with self._database.change(SYSTEM, row.workspace) as change:
            if store.end(change, row.id, state=state, ended_at=change.now, **values):
                data = {"dataset": row.dataset, "model": row.model, "model_version": row.model_version, **facts}
                change.event(kind, subject=scoring_subject(row.id), data=data)
        self._scoring_told(row.workspace, row.id)

    def _scoring_row(self, workspace: str, id_: str) -> Row[Any]:
        with self._database.read() as conn:
            row = store.find(conn, workspace, id_)
        if row is None:
            raise NotFound(
                f"there is no scoring {id_!r} in {workspace!r}",
                field="scoring",
                value=id_,
                hint="list them with 'aimass scorings list'",
            )
        return row

    def _scoring_told(self, workspace: str, id_: str) -> Scoring:
        scoring = self._scoring(self._scoring_row(workspace, id_))
        tell_scoring(self._ground.live, scoring)
        return scoring

    def _scoring(self, row: Row[Any]) -> Scoring:
        """Return a scoring; while it runs, its job knows how far it is."""
        has_ended = row.state in ENDED
        job = None if has_ended else self._ground.jobs.job(row.workspace, row.job)
        metrics = job.progress.metrics if job is not None else {}
        state = row.state if job is None else job.state if not job.has_ended else "RUNNING"
        return Scoring(
            id=row.id,
            workspace=row.workspace,
            title=row.title,
            state=state,
            fraction=float(row.state == "SUCCEEDED") if job is None else job.progress.fraction or 0.0,
            stage=job.progress.stage if job is not None else "",
            rows=row.rows if job is None else int(metrics.get("rows") or 0),
            total=row.total,
            rows_per_s=row.rows_per_s if job is None else metrics.get("rows_per_s"),
            dataset=row.dataset,
            dataset_version=row.dataset_version,
            to=row.target,
            to_version=row.target_version,
            endpoint=row.endpoint,
            deployment=row.deployment,
            revision=row.revision,
            model=row.model,
            model_version=row.model_version,
            columns=row.columns,
            keep=row.keep,
            mode=row.mode,
            job=row.job,
            error=row.error,
            created_by=row.created_by,
            created_at=row.created_at,
            ended_at=row.ended_at,
        )
