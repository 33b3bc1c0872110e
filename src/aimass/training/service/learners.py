"""Learners: create, list, show, change, pause, snapshot, roll back, delete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aimass.infra.database import Change
from aimass.kernel.errors import Conflict, Invalid
from aimass.kernel.ids import new_id
from aimass.kernel.names import check_slug, clean_name, slug_of
from aimass.kernel.pages import Page, page_of
from aimass.kernel.principal import Principal
from aimass.kernel.usecase import use_case
from aimass.training.domain.learners import (
    LEARNER,
    CreateLearner,
    Learner,
    LearnerPoint,
    ListLearners,
    OneLearner,
    RollBackLearner,
    Snapshot,
    UpdateLearner,
)
from aimass.training.domain.splits import Split
from aimass.training.events import (
    LEARNER_CREATED,
    LEARNER_DELETED,
    LEARNER_PAUSED,
    LEARNER_RESUMED,
    LEARNER_ROLLED_BACK,
    LEARNER_UPDATED,
    tell_learner,
)
from aimass.training.learnstore import (
    drop_points,
    is_slug_taken,
    learner_of,
    learner_row,
    learners_page,
    points_of_learner,
    put_learner,
    snapshot_of,
    snapshot_rows,
)
from aimass.training.online import check_model, model_for
from aimass.training.service.experiments import new_experiment
from aimass.training.service.ground import Part, need_fresh, need_split
from aimass.training.service.starting import Start, check_alone, check_start, same_params, start_of
from aimass.training.store import add, find_experiment
from aimass.training.tables import learners

_WHAT = "a model that learns from every row"
_WATCHED = ("time_column", "detector", "replay", "replay_times", "window", "snapshot_every", "snapshot_on_drift")
_FIELDS = (*_WATCHED, "memory_mb", "seed", "start_from", "start_snapshot", "transfer")


class Learners(Part):
    """What is asked for; :mod:`aimass.training.service.learning` carries it out."""

    @use_case("POST /workspaces/{workspace}/learners", permission="training.edit", cli="learners create", status=201)
    def create_learner(self, who: Principal, command: CreateLearner) -> Learner:
        """Let a model learn from a dataset row by row, beginning with the training part of a split."""
        name = clean_name(command.name)
        slug = check_slug(command.slug or slug_of(name))
        experiment = check_slug(command.experiment or slug, field="experiment")
        with self._database.read() as conn:
            split = need_split(conn, command.workspace, command.split)
        start = self._start_of(who, command, split)
        model = _model_of(command, split, start)
        params = check_model(model, command.params or {})
        params = params if start is None else same_params(command, params, start)
        self._check_stream(who, command, split)
        with self._database.change(who, command.workspace) as change:
            if is_slug_taken(change.conn, command.workspace, slug):
                raise Conflict(f"the slug {slug!r} is taken", field="slug", value=slug, hint="choose another slug")
            if find_experiment(change.conn, command.workspace, experiment) is None:
                new_experiment(change, experiment, name)
            values = _new_row(change, command, split)
            values |= {"slug": slug, "name": name, "experiment": experiment, "model": model, "params": params}
            add(change, learners, values | ({} if start is None else {"sha256": _held(change, command)}))
            subject = f"{LEARNER}:{slug}"
            detail = {"model": model, "dataset": split.dataset, "split": split.id}
            detail |= {} if start is None else {"start_from": start.slug, "start_snapshot": command.start_snapshot}
            change.audit("training.learner.create", object_=subject, detail=detail)
            change.event(LEARNER_CREATED, subject=subject, data=detail)
            change.edge(src=("split", split.id), dst=(LEARNER, slug), via="training.learn")
            if start is not None:
                change.edge(src=(LEARNER, start.slug), dst=(LEARNER, slug), via="training.start")
            return learner_of(learner_row(change.conn, command.workspace, slug))

    def _start_of(self, who: Principal, command: CreateLearner, split: Split) -> Start | None:
        """Return what another learner knows, for one that begins with it; its rows have to be open to whoever wants that."""
        if command.start_from is None:
            check_alone(command)
            return None
        with self._database.read() as conn:
            row = learner_row(conn, command.workspace, command.start_from, field="start_from")
            start = start_of(row, snapshot_rows(conn, row.id), command)
        self._ground.need_whole(who, command.workspace, row.dataset, _WHAT)
        check_start(start, command, split)
        return start

    def _check_stream(self, who: Principal, command: CreateLearner, split: Split) -> None:
        """Refuse data that somebody sees a part of only, and a column for the time that is not there."""
        location = self._ground.locate(who, split.workspace, split.dataset, split.dataset_version)
        self._ground.need_whole(who, split.workspace, split.dataset, _WHAT)
        if command.time_column is None:
            return
        known = self._ground.columns(who, split.workspace, split.dataset, location.number)
        if command.time_column not in known:
            raise Invalid(
                f"there is no column {command.time_column!r}",
                field="time_column",
                value=command.time_column,
                allowed=list(known)[:50],
            )

    @use_case("GET /workspaces/{workspace}/learners", permission="training.read", cli="learners list")
    def list_learners(self, who: Principal, command: ListLearners) -> Page[Learner]:
        """List learners, newest first."""
        del who
        with self._database.read() as conn:
            return page_of(learners_page(conn, command), command.limit, lambda one: one.id)

    @use_case("GET /workspaces/{workspace}/learners/{learner}", permission="training.read", cli="learners show")
    def get_learner(self, who: Principal, command: OneLearner) -> Learner:
        """Show a learner: how far it is, how well it answers rows before it learns them, and what was odd about them."""
        del who
        with self._database.read() as conn:
            return learner_of(learner_row(conn, command.workspace, command.learner))

    @use_case(
        "GET /workspaces/{workspace}/learners/{learner}/series", permission="training.read", cli="learners series"
    )
    def get_learner_series(self, who: Principal, command: OneLearner) -> list[LearnerPoint]:
        """Show how well a learner answered rows before it learned them, over time."""
        del who
        with self._database.read() as conn:
            return points_of_learner(conn, learner_row(conn, command.workspace, command.learner).id)

    @use_case(
        "GET /workspaces/{workspace}/learners/{learner}/snapshots", permission="training.read", cli="learners snapshots"
    )
    def list_snapshots(self, who: Principal, command: OneLearner) -> list[Snapshot]:
        """List the snapshots of a learner, newest first; each is a run with a package."""
        del who
        with self._database.read() as conn:
            row = learner_row(conn, command.workspace, command.learner)
            return [snapshot_of(one) for one in snapshot_rows(conn, row.id)]

    @use_case("PATCH /workspaces/{workspace}/learners/{learner}", permission="training.edit", cli="learners update")
    def update_learner(self, who: Principal, command: UpdateLearner) -> Learner:
        """Change the name of a learner, when it makes snapshots, or how much memory it may take."""
        wanted = {
            "name": None if command.name is None else clean_name(command.name),
            "snapshot_every": command.snapshot_every,
            "snapshot_on_drift": command.snapshot_on_drift,
            "memory_mb": command.memory_mb,
        }
        given = {name: value for name, value in wanted.items() if value is not None}
        with self._database.change(who, command.workspace) as change:
            row = learner_row(change.conn, command.workspace, command.learner)
            need_fresh(row.version, command.expected_version)
            put_learner(change, row.id, **given)
            self._note_learner(change, row.slug, "update", LEARNER_UPDATED, {"changed": sorted(given)})
            return self._learner_told(change, row.slug)

    @use_case("POST /workspaces/{workspace}/learners/{learner}/pause", permission="training.edit", cli="learners pause")
    def pause_learner(self, who: Principal, command: OneLearner) -> Learner:
        """Learn nothing more until it is resumed; rows that arrive meanwhile wait. A job at work goes on to its end."""
        with self._database.change(who, command.workspace) as change:
            row = learner_row(change.conn, command.workspace, command.learner)
            _need_state(row, "ACTIVE")
            put_learner(change, row.id, state="PAUSED", wanted=None)
            self._note_learner(change, row.slug, "pause", LEARNER_PAUSED)
            return self._learner_told(change, row.slug)

    @use_case(
        "POST /workspaces/{workspace}/learners/{learner}/resume", permission="training.edit", cli="learners resume"
    )
    def resume_learner(self, who: Principal, command: OneLearner) -> Learner:
        """Go on with a learner that was paused, or that failed; it learns what waited, each row once."""
        with self._database.change(who, command.workspace) as change:
            row = learner_row(change.conn, command.workspace, command.learner)
            _need_state(row, "PAUSED", "FAILED")
            put_learner(change, row.id, state="ACTIVE", error=None)
            self._note_learner(change, row.slug, "resume", LEARNER_RESUMED)
            return self._learner_told(change, row.slug)

    @use_case(
        "POST /workspaces/{workspace}/learners/{learner}/learn",
        permission="training.edit",
        cli="learners learn",
        status=202,
        progress="training.get_learner",
    )
    def learn_now(self, who: Principal, command: OneLearner) -> Learner:
        """Learn what has arrived by now, once, while the learner is paused."""
        return self._want_of_learner(who, command, "learn")

    @use_case(
        "POST /workspaces/{workspace}/learners/{learner}/snapshots",
        permission="training.edit",
        cli="learners snapshot",
        status=202,
        progress="training.get_learner",
    )
    def make_snapshot(self, who: Principal, command: OneLearner) -> Learner:
        """Package what the learner knows now as a run, which can be evaluated, registered and served like any other."""
        return self._want_of_learner(who, command, "snapshot")

    def _want_of_learner(self, who: Principal, command: OneLearner, what: str) -> Learner:
        with self._database.change(who, command.workspace) as change:
            row = learner_row(change.conn, command.workspace, command.learner)
            _need_state(row, "ACTIVE", "PAUSED")
            put_learner(change, row.id, wanted=what)
            change.audit(f"training.learner.{what}", object_=f"{LEARNER}:{row.slug}")
            return self._learner_told(change, row.slug)

    @use_case(
        "POST /workspaces/{workspace}/learners/{learner}/rollback",
        permission="training.edit",
        cli="learners rollback",
    )
    def roll_back_learner(self, who: Principal, command: RollBackLearner) -> Learner:
        """Let a paused learner know again what it knew at a snapshot; rows that it took since then are not learned again."""
        with self._database.change(who, command.workspace) as change:
            row = learner_row(change.conn, command.workspace, command.learner)
            _need_state(row, "PAUSED", "FAILED")
            if row.job is not None:
                raise Conflict("a job of it is at work", value=row.job, hint="wait until it has ended")
            found = {one.number: one for one in snapshot_rows(change.conn, row.id)}
            kept = sorted(number for number, one in found.items() if one.sha256 is not None)
            if command.snapshot not in kept:
                raise Invalid(
                    f"the learner cannot go back to snapshot {command.snapshot}",
                    field="snapshot",
                    value=command.snapshot,
                    allowed=kept,
                )
            one = found[command.snapshot]
            drop_points(change, row.id, after=one.rows)
            fresh = {"sha256": one.sha256, "rows": one.rows, "seq": row.seq + 1, "state": "PAUSED", "error": None}
            fresh |= {"snapshot_rows": one.rows, "drifts": [at for at in row.drifts if at <= one.rows]}
            fresh |= {"metrics": one.metrics, "snapshot_drift": min(row.snapshot_drift, one.rows)}
            put_learner(change, row.id, **fresh)
            self._note_learner(
                change, row.slug, "rollback", LEARNER_ROLLED_BACK, {"snapshot": one.number, "rows": one.rows}
            )
            return self._learner_told(change, row.slug)

    @use_case(
        "DELETE /workspaces/{workspace}/learners/{learner}",
        permission="training.manage",
        cli="learners delete",
        status=204,
    )
    def delete_learner(self, who: Principal, command: OneLearner) -> None:
        """Delete a learner that does not learn; the runs of its snapshots stay."""
        with self._database.change(who, command.workspace) as change:
            row = learner_row(change.conn, command.workspace, command.learner)
            if row.state == "ACTIVE" or row.job is not None:
                raise Conflict(f"learner {row.slug!r} is {row.state}", value=row.state, hint="pause it first")
            put_learner(change, row.id, deleted_at=change.now, slug=f"~{row.id}", wanted=None)
            self._note_learner(change, row.slug, "delete", LEARNER_DELETED)

    def _note_learner(
        self, change: Change, slug: str, verb: str, fact: str, detail: Mapping[str, Any] | None = None
    ) -> None:
        change.audit(f"training.learner.{verb}", object_=f"{LEARNER}:{slug}", detail=dict(detail or {}))
        change.event(fact, subject=f"{LEARNER}:{slug}", data=dict(detail or {}))

    def _learner_told(self, change: Change, slug: str) -> Learner:
        found = learner_of(learner_row(change.conn, change.workspace, slug))
        tell_learner(self._ground.live, found)
        return found


def _held(change: Change, command: CreateLearner) -> str:
    """Return the hash of what the other learner knows in this moment: the new one holds it until it has read it."""
    row = learner_row(change.conn, command.workspace, command.start_from or "", field="start_from")
    return start_of(row, snapshot_rows(change.conn, row.id), command).sha256


def _model_of(command: CreateLearner, split: Split, start: Start | None) -> str:
    if split.state != "READY":
        raise Conflict(f"split {split.id!r} is {split.state}", field="split", value=split.state, allowed="READY")
    if split.action_column and not split.propensity_column:
        raise Invalid(
            "a learner of a policy needs the chance that each action had",
            field="split",
            value=split.id,
            hint="split with propensity_column; the answers of an endpoint with a policy carry it",
        )
    if split.episode_column:
        raise Invalid(
            "a learner decides in one step, and this split has episodes",
            field="split",
            value=split.id,
            hint="train fitted_q on it, or split without episode_column",
        )
    return model_for(split.task or "classification", command.model if start is None else start.model)


def _need_state(row: Any, *allowed: str) -> None:
    if row.state not in allowed:
        hint = (
            "resume it" if row.state == "PAUSED" else "pause it first" if row.state == "ACTIVE" else "resume it first"
        )
        raise Conflict(f"learner {row.slug!r} is {row.state}", value=row.state, allowed=list(allowed), hint=hint)


def _new_row(change: Change, command: CreateLearner, split: Split) -> dict[str, Any]:
    return {
        **{name: getattr(command, name) for name in _FIELDS},
        "time_column": command.time_column or split.time_column,
        "id": new_id(),
        "workspace": command.workspace,
        "dataset": split.dataset,
        "target": split.target,
        "split": split.id,
        "state": "ACTIVE",
        "job": None,
        "cursor": {"number": None, "delta": None, "position": 0, "to": None, "to_delta": None},
        "seq": 0,
        "rows": 0,
        "sha256": None,
        "size": 0,
        "classes": [],
        "counted": {},
        "metrics": {},
        "drifts": [],
        "notes": [],
        "snapshots": 0,
        "snapshot_rows": 0,
        "snapshot_drift": 0,
        "wanted": None,
        "error": None,
        "created_by": change.who.id,
        "created_by_name": change.who.name,
        "created_at": change.now,
        "learned_at": None,
        "deleted_at": None,
        "version": 1,
    }
