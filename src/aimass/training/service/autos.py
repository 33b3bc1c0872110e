"""Automatic training: the selector's best few recipes within a time, a blend of them, and the best of all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import structlog

from aimass.cluster import CancelJob
from aimass.infra.database import Change
from aimass.kernel.errors import Conflict, Invalid, NotFound
from aimass.kernel.ids import new_id
from aimass.kernel.names import check_slug, clean_name, slug_of
from aimass.kernel.pages import Page, page_of
from aimass.kernel.principal import SYSTEM, Principal
from aimass.kernel.usecase import use_case
from aimass.training.autostore import add_auto, auto_by_key, autos_page, find_auto, past_runs, put_auto
from aimass.training.domain.autos import (
    AutoRun,
    Constraints,
    ListAutos,
    OneAuto,
    Recommendation,
    RecommendRecipes,
    StartAuto,
    limits_of,
)
from aimass.training.domain.runs import Run
from aimass.training.domain.splits import CreateSplit, Split
from aimass.training.domain.words import ENDED
from aimass.training.events import AUTO_DELETED, AUTO_KILLED, AUTO_STARTED
from aimass.training.recipes import recipes
from aimass.training.selecting import Facts, recommend
from aimass.training.service.blending import Blending
from aimass.training.service.ground import need_run, need_split
from aimass.training.service.splits import Splits
from aimass.training.tasks import TASKS

_log = structlog.get_logger("aimass.training")


class Autos(Splits, Blending):
    """What is asked for; :mod:`aimass.training.service.advancing` carries it out."""

    @use_case(
        "GET /workspaces/{workspace}/splits/{split}/recommendations",
        permission="training.read",
        cli="recipes recommend",
    )
    def recommend_recipes(self, who: Principal, command: RecommendRecipes) -> list[Recommendation]:
        """Recommend recipes for a split, the best first, and say why; what the limits leave out comes last."""
        with self._database.read() as conn:
            split = need_split(conn, command.workspace, command.split)
        return self.recommended(who, split, limits_of(command), command.folds)

    def recommended(self, who: Principal, split: Split, limits: Constraints, folds: int) -> list[Recommendation]:
        """Return what the selector says of every recipe for a split that is ready."""
        if split.state != "READY":
            raise Conflict(f"split {split.id!r} is {split.state}", field="split", value=split.state, allowed="READY")
        task = TASKS[split.task or ""]
        columns = self._ground.columns(who, split.workspace, split.dataset, split.dataset_version)
        aside = {split.target, split.key_column, split.group_column, split.time_column}
        aside |= {split.action_column, split.propensity_column, split.episode_column, split.step_column}
        width = sum(1 for name in columns if name not in aside and not name.startswith("_"))
        facts = Facts(
            rows=split.counts.get("train", 0),
            columns=width,
            folds=folds,
            texts=split.texts,
            lists=split.lists,
            has_episodes=split.episode_column is not None,
        )
        if task.is_windowed:  # a series is learned from itself, and from what the split names beside it
            beside = len(split.known_ahead) + len(split.past)
            facts = Facts(rows=facts.rows, columns=1 + beside, folds=folds)
        with self._database.read() as conn:
            past = past_runs(conn, split.workspace, task)
        return recommend(recipes().values(), task, facts, limits, past)

    @use_case(
        "POST /workspaces/{workspace}/autos",
        permission="training.edit",
        cli="train auto",
        status=202,
        progress="training.get_auto",
    )
    def start_auto(self, who: Principal, command: StartAuto) -> AutoRun:
        """Train the best few recipes within a time, blend what they learned, and find the best."""
        with self._database.read() as conn:
            known = auto_by_key(conn, command.workspace, command.key) if command.key else None
        if known is not None:
            return known
        id_ = new_id()
        split = self._split_for(who, command, id_)
        name = clean_name(command.name) if command.name else f"{split.target or split.task} of {split.dataset}"
        experiment = check_slug(command.experiment or slug_of(f"auto {split.dataset}"), field="experiment")
        with self._database.change(who, command.workspace) as change:
            known = auto_by_key(change.conn, command.workspace, command.key) if command.key else None
            if known is not None:  # two asked at once
                return known
            add_auto(change, id_, command, split, name=name, experiment=experiment)
            detail = {"dataset": split.dataset, "split": split.id, "budget_s": command.budget_s}
            change.audit("training.auto.start", object_=f"auto:{id_}", detail=detail)
            change.event(AUTO_STARTED, subject=f"auto:{id_}", data=detail)
            return self._need_auto(change, command.workspace, id_)

    def _split_for(self, who: Principal, command: StartAuto, id_: str) -> Split:
        """Return the split that was named, or make one of the dataset that was named."""
        if command.split is not None:
            if command.dataset or command.target:
                raise Invalid("name a split, or dataset and target", field="split", value=command.split)
            with self._database.read() as conn:
                split = need_split(conn, command.workspace, command.split)
            self._ground.locate(who, command.workspace, split.dataset, split.dataset_version)
            return split
        if not command.dataset or not command.target:
            missing = "target" if command.dataset else "split"
            raise Invalid(
                "name a split, or dataset and target", field=missing, allowed="a split, or dataset and target"
            )
        wish = CreateSplit(
            workspace=command.workspace,
            dataset=command.dataset,
            target=command.target,
            key_column=command.key_column,
            seed=command.seed,
            key=f"auto:{id_}",
        )
        return self.create_split(who, wish)

    @use_case("GET /workspaces/{workspace}/autos", permission="training.read", cli="train autos")
    def list_autos(self, who: Principal, command: ListAutos) -> Page[AutoRun]:
        """List automatic trainings, newest first."""
        del who
        with self._database.read() as conn:
            return page_of(autos_page(conn, command), command.limit, lambda one: one.id)

    @use_case("GET /workspaces/{workspace}/autos/{auto}", permission="training.read", cli="train show-auto")
    def get_auto(self, who: Principal, command: OneAuto) -> AutoRun:
        """Show an automatic training: what was recommended and why, its runs, and the best."""
        del who
        with self._database.read() as conn:
            found = find_auto(conn, command.workspace, command.auto)
        if found is None:
            raise NotFound(f"there is no automatic training {command.auto!r}", field="auto", value=command.auto)
        return replace(found, progress=self._progress(found)) if found.state == "RUNNING" else found

    def runs_of(self, auto: AutoRun) -> list[Run]:
        """Return the runs of an automatic training, its blend last; deleted ones are gone."""
        found: list[Run] = []
        with self._database.read() as conn:
            for id_ in (*auto.runs, *([auto.blend] if auto.blend else [])):
                try:
                    found.append(need_run(conn, auto.workspace, id_))
                except NotFound:
                    continue
        return found

    def _progress(self, auto: AutoRun) -> float:
        known = self.runs_of(auto)
        wanted = max(len(auto.runs), 1) + auto.is_blended
        return round(sum(1 for run in known if run.state in ENDED) / wanted, 3)

    @use_case("POST /workspaces/{workspace}/autos/{auto}/cancel", permission="training.edit", cli="train cancel-auto")
    def cancel_auto(self, who: Principal, command: OneAuto) -> AutoRun:
        """Cancel an automatic training and its runs that have not ended; those that have stay."""
        found = self.get_auto(who, command)
        if found.state != "RUNNING":
            return found
        self.stop_runs(
            self.runs_of(found)
        )  # first: after a kill in between, it ends by itself, and no run is left at work
        with self._database.change(who, command.workspace) as change:
            if self._need_auto(change, command.workspace, found.id).state == "RUNNING":
                put_auto(change, found.id, state="KILLED", ended_at=change.now)
                change.audit("training.auto.cancel", object_=f"auto:{found.id}")
                change.event(AUTO_KILLED, subject=f"auto:{found.id}")
        ended = self.get_auto(who, command)
        self.stop_runs(self.runs_of(ended))  # and those that were begun meanwhile
        return ended

    def stop_runs(self, started: Sequence[Run]) -> None:
        """Cancel the runs among those that have not ended."""
        for run in started:
            if run.state not in ENDED and run.job is not None:
                try:
                    self._ground.jobs.cancel_job(SYSTEM, CancelJob(workspace=run.workspace, job=run.job))
                except Conflict:
                    _log.info("a run ended before it could be stopped", run=run.id)

    @use_case(
        "DELETE /workspaces/{workspace}/autos/{auto}", permission="training.manage", cli="train delete-auto", status=204
    )
    def delete_auto(self, who: Principal, command: OneAuto) -> None:
        """Forget an automatic training that has ended; its runs stay."""
        found = self.get_auto(who, command)
        if found.state == "RUNNING":
            raise Conflict("the automatic training still runs", value=found.state, hint="cancel it first")
        with self._database.change(who, command.workspace) as change:
            put_auto(change, found.id, deleted_at=change.now, key=f"~{found.id}")
            change.audit("training.auto.delete", object_=f"auto:{found.id}")
            change.event(AUTO_DELETED, subject=f"auto:{found.id}")

    def _need_auto(self, change: Change, workspace: str, id_: str) -> AutoRun:
        found = find_auto(change.conn, workspace, id_)
        if found is None:
            raise NotFound(f"there is no automatic training {id_!r}", field="auto", value=id_)
        return found
