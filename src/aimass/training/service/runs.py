"""Runs: start, list, show, compare, tag, cancel, delete."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from aimass.cluster import CancelJob, SubmitJob
from aimass.infra.database import Change
from aimass.kernel.errors import Conflict, Invalid, NotFound
from aimass.kernel.ids import new_id
from aimass.kernel.names import check_slug, clean_name
from aimass.kernel.pages import Page, page_of
from aimass.kernel.principal import SYSTEM, Principal
from aimass.kernel.usecase import use_case
from aimass.training.domain.beside import BESIDE, check_beside
from aimass.training.domain.looks import LOOKS
from aimass.training.domain.runs import (
    CompareRuns,
    ListRuns,
    OneRun,
    Run,
    RunComparison,
    RunProgress,
    StartRun,
    TagRun,
)
from aimass.training.domain.splits import Split
from aimass.training.domain.words import ENDED, FIT
from aimass.training.events import RUN_CREATED, RUN_DELETED, RUN_STARTED, RUN_TAGGED, tell
from aimass.training.recipes import check_task, find_recipe
from aimass.training.service.bases import BASE, base_of
from aimass.training.service.experiments import new_experiment
from aimass.training.service.filed import RecipeFile, check_own_task, file_named, need_a_sandbox, own_order
from aimass.training.service.ground import Located, Part, need_fresh, need_run, need_split
from aimass.training.service.orders import Order
from aimass.training.service.together import episodes_of
from aimass.training.store import (
    add_run,
    find_experiment,
    put,
    put_artifacts,
    put_facts,
    run_by_key,
    runs_in_state,
    runs_page,
)
from aimass.training.tables import runs

MIN_COMPARED, MAX_COMPARED = 2, 20
MAX_TAGS = 100


class Runs(Part):
    """One training of one recipe on one split."""

    @use_case(
        "POST /workspaces/{workspace}/runs",
        permission="training.edit",
        cli="train start",
        status=202,
        progress="training.get_run",
    )
    def start_run(self, who: Principal, command: StartRun) -> Run:
        """Train a recipe on a split, as a job in a process of its own."""
        file = file_named(self._ground, command.workspace, command.recipe)
        if file is not None:
            return self.start_filed(who, command, file)
        return self.begin_run(who, command)

    def begin_run(self, who: Principal, command: StartRun, looks: Mapping[str, Any] | None = None) -> Run:
        """Begin a run for somebody whose right was checked; ``looks`` say what a study wants to see of it while it learns."""
        recipe = find_recipe(command.recipe)
        recipe.need_installed()
        params = recipe.check(command.params)
        order = Order(kind=FIT, version=recipe.version, params=params, slots=recipe.needs.slots)
        further = recipe.beside(params)
        order = replace(order, payload={BESIDE: further}) if further else order
        base = base_of(self._ground, who, command.workspace, recipe, params)
        if base is not None:
            file = {"file": str(self._ground.blobs.path(base.sha256)), "sha256": base.sha256}
            params = {**params, BASE: base.reference}
            order = replace(
                order,
                params=params,
                payload={**order.payload, BASE: file},
                sources=(base.source,),
                detail={BASE: base.reference},
            )
        if looks is not None:
            order = replace(order, payload={**order.payload, LOOKS: dict(looks)})
        return self._begun(who, command, order, lambda task: check_task(recipe, task))

    def start_filed(self, who: Principal, command: StartRun, file: RecipeFile, slots: int = 1) -> Run:
        """Train a recipe from a file that is kept; the caller has checked the right."""
        need_a_sandbox()
        order = own_order(self._ground, file, command.params, slots)
        return self._begun(who, replace(command, recipe=file.name), order, check_own_task)

    def _begun(self, who: Principal, command: StartRun, order: Order, check: Callable[[str], None]) -> Run:
        """Write a run down together with its job; ``check`` refuses the task of its split."""
        check_slug(command.experiment, field="experiment")
        with self._database.read() as conn:
            split = need_split(conn, command.workspace, command.split)
        location = self._ground.locate(who, command.workspace, split.dataset, split.dataset_version)
        data = self.data_of(split, location)
        check(data["task"])
        payload = {**data, **_fit(command, order.params), **order.payload}
        check_beside(payload)
        with self._database.change(who, command.workspace) as change:
            known = run_by_key(change.conn, command.workspace, command.key) if command.key else None
            if known is not None:
                return known
            if find_experiment(change.conn, command.workspace, command.experiment) is None:
                new_experiment(change, command.experiment, command.experiment)
            values = {**row_of(change, command, split), "recipe_version": order.version, "params": order.params}
            add_run(change, values)
            put_artifacts(change, values["id"], order.files)
            subject = f"run:{values['id']}"
            title = f"Train {command.recipe} on {split.dataset} version {split.dataset_version}"
            wish = SubmitJob(workspace=command.workspace, kind=order.kind, title=title, payload=payload)
            job = self._ground.jobs.enqueue(change, replace(wish, subject=subject, key=values["id"], slots=order.slots))
            put(change, runs, values["id"], job=job.id)
            detail = {"recipe": command.recipe, "split": split.id, "dataset": split.dataset}
            change.audit("training.run.start", object_=subject, detail={**detail, **order.detail})
            change.event(RUN_CREATED, subject=subject, data=detail)
            change.edge(src=("split", split.id), dst=("run", values["id"]), via=FIT)
            for source in (("dataset_version", location.version_id), *order.sources):
                change.edge(src=source, dst=("run", values["id"]), via=FIT)
            run = need_run(change.conn, command.workspace, values["id"])
        tell(self._ground.live, run)
        return run

    def data_of(self, split: Split, location: Located) -> dict[str, Any]:
        """Return the part of a job's payload that names the data of a split."""
        if split.sha256 is None:
            raise Conflict(
                f"split {split.id!r} is {split.state}",
                field="split",
                value=split.state,
                allowed="READY",
                hint="wait for it",
            )
        return {
            "dataset": {"path": location.path, "version": location.delta_version},
            "split": {"file": str(self._ground.blobs.path(split.sha256)), "sha256": split.sha256},
            "target": split.target,
            "task": split.task or "classification",
            "key": split.key_column,
            "group": split.group_column or split.episode_column,
            "time": split.time_column,
            "horizon": split.horizon,
            "separator": split.label_separator,
            "action": split.action_column,
            "propensity": split.propensity_column,
            **episodes_of(split),
            "known_ahead": list(split.known_ahead),
            "past": list(split.past),
        }

    @use_case("GET /workspaces/{workspace}/runs", permission="training.read", cli="train runs")
    def list_runs(self, who: Principal, command: ListRuns) -> Page[Run]:
        """List runs, newest first, or by a metric."""
        del who
        with self._database.read() as conn:
            page = page_of(runs_page(conn, command), command.limit, lambda pair: pair[1])
        return Page(items=[run for run, _ in page.items], next=page.next)

    @use_case("GET /workspaces/{workspace}/runs/{run}", permission="training.read", cli="train show")
    def get_run(self, who: Principal, command: OneRun) -> Run:
        """Show a run with its metrics, and its progress while it runs."""
        del who
        with self._database.read() as conn:
            run = need_run(conn, command.workspace, command.run)
        if run.state in ENDED or run.job is None:
            return run
        progress = self._ground.jobs.job(run.workspace, run.job).progress
        seen = RunProgress(fraction=progress.fraction, stage=progress.stage, metrics=progress.metrics)
        return replace(run, progress=seen)

    @use_case("POST /workspaces/{workspace}/runs/compare", permission="training.read", cli="train compare")
    def compare_runs(self, who: Principal, command: CompareRuns) -> RunComparison:
        """Compare runs: metrics side by side, and the data and parameters in which they differ."""
        del who
        if not MIN_COMPARED <= len(command.runs) <= MAX_COMPARED:
            raise Invalid(
                f"{len(command.runs)} runs cannot be compared",
                field="runs",
                value=len(command.runs),
                allowed=f"{MIN_COMPARED} to {MAX_COMPARED}",
            )
        with self._database.read() as conn:
            found = tuple(need_run(conn, command.workspace, run) for run in command.runs)
        names = sorted({name for run in found for name in run.metrics})
        return RunComparison(
            runs=found,
            metrics={name: tuple(run.metrics.get(name) for run in found) for name in names},
            differences=_differences(found),
        )

    @use_case("POST /workspaces/{workspace}/runs/{run}/cancel", permission="training.edit", cli="train cancel")
    def cancel_run(self, who: Principal, command: OneRun) -> Run:
        """Cancel a run; what it did so far is kept as its job's log."""
        with self._database.change(who, command.workspace) as change:
            run = need_run(change.conn, command.workspace, command.run)
            if run.state in ENDED or run.job is None:
                raise Conflict(
                    f"run {run.id!r} is {run.state} already", value=run.state, allowed=["SCHEDULED", "RUNNING"]
                )
            change.audit("training.run.cancel", object_=f"run:{run.id}")
        self._ground.jobs.cancel_job(SYSTEM, CancelJob(workspace=run.workspace, job=run.job))
        return run

    @use_case("PATCH /workspaces/{workspace}/runs/{run}/tags", permission="training.edit", cli="train tag")
    def tag_run(self, who: Principal, command: TagRun) -> Run:
        """Set tags of a run; an empty value takes a tag away."""
        with self._database.change(who, command.workspace) as change:
            run = need_run(change.conn, command.workspace, command.run)
            need_fresh(run.version, command.expected_version)
            tags = {name: value for name, value in {**run.tags, **command.tags}.items() if value}
            check_tags(tags)
            put(change, runs, run.id, tags=tags)
            put_facts(change, run.id, run.params, tags)
            change.audit("training.run.tag", object_=f"run:{run.id}", detail={"tags": sorted(command.tags)})
            change.event(RUN_TAGGED, subject=f"run:{run.id}")
            return need_run(change.conn, command.workspace, command.run)

    @use_case("DELETE /workspaces/{workspace}/runs/{run}", permission="training.manage", cli="train delete", status=204)
    def delete_run(self, who: Principal, command: OneRun) -> None:
        """Delete a run that has ended; model versions made of it stay."""
        with self._database.change(who, command.workspace) as change:
            run = need_run(change.conn, command.workspace, command.run)
            if run.state not in ENDED:
                raise Conflict(f"run {run.id!r} is {run.state}", value=run.state, hint="cancel it first")
            put(change, runs, run.id, deleted_at=change.now, key=f"~{run.id}")
            change.audit("training.run.delete", object_=f"run:{run.id}")
            change.event(RUN_DELETED, subject=f"run:{run.id}")

    def follow_runs(self) -> None:
        """Note which scheduled runs have begun."""
        with self._database.read() as conn:
            waiting = runs_in_state(conn, "SCHEDULED")
        for run in waiting:
            if run.job is not None and self._is_running(run):
                self._begin(run)

    def _is_running(self, run: Run) -> bool:
        try:
            return self._ground.jobs.job(run.workspace, str(run.job)).state == "RUNNING"
        except NotFound:
            return False

    def _begin(self, run: Run) -> None:
        with self._database.change(SYSTEM, run.workspace) as change:
            if need_run(change.conn, run.workspace, run.id).state != "SCHEDULED":
                return
            put(change, runs, run.id, state="RUNNING", started_at=change.now)
            change.event(RUN_STARTED, subject=f"run:{run.id}", data={"recipe": run.recipe})
        tell(self._ground.live, replace(run, state="RUNNING"))

    def run(self, workspace: str, run: str) -> Run:
        """Return a run, for rooms that checked the right themselves."""
        with self._database.read() as conn:
            return need_run(conn, workspace, run)


def check_tags(tags: Mapping[str, str]) -> None:
    """Refuse tags that no page could show."""
    if len(tags) > MAX_TAGS:
        raise Invalid(f"a run has {len(tags)} tags", field="tags", value=len(tags), allowed=MAX_TAGS)
    for name in tags:
        clean_name(name, field="tags")


def _fit(command: StartRun, params: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "recipe": command.recipe,
        "params": dict(params),
        "features": command.features,
        "unseen": dict(command.unseen),
        "seed": command.seed,
        "folds": command.folds,
    }


def row_of(change: Change, command: StartRun, split: Split) -> dict[str, Any]:
    """Return the row of a new run, without what its recipe says."""
    check_tags(command.tags)
    id_ = new_id()
    return {
        "id": id_,
        "workspace": command.workspace,
        "key": command.key or id_,
        "experiment": command.experiment,
        "name": clean_name(command.name) if command.name else command.recipe,
        "recipe": command.recipe,
        "dataset": split.dataset,
        "dataset_version": split.dataset_version,
        "split": split.id,
        "target": split.target,
        "task": split.task or "classification",
        "features": command.features,
        "unseen": dict(command.unseen),
        "seed": command.seed,
        "folds": command.folds,
        "state": "SCHEDULED",
        "job": None,
        "metrics": {},
        "tags": dict(command.tags),
        "package": None,
        "sampled": None,
        "notes": [],
        "error": None,
        "created_by": change.who.id,
        "created_by_name": change.who.name,
        "created_at": change.now,
        "started_at": None,
        "ended_at": None,
        "deleted_at": None,
        "version": 1,
    }


def _differences(found: tuple[Run, ...]) -> dict[str, tuple[Any, ...]]:
    columns: dict[str, tuple[Any, ...]] = {
        name: tuple(getattr(run, name) for run in found)
        for name in (
            "recipe",
            "recipe_version",
            "dataset",
            "dataset_version",
            "split",
            "target",
            "task",
            "seed",
            "folds",
        )
    }
    for name in sorted({name for run in found for name in run.params}):
        columns[f"params.{name}"] = tuple(run.params.get(name) for run in found)
    return {name: values for name, values in columns.items() if any(value != values[0] for value in values)}
