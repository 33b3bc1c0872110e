"""Studies: create, show, pause, resume, extend, cancel and delete a search; its trials, its best, and what matters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from importlib.util import find_spec
from typing import Any

from sqlalchemy import Connection

from aimass.infra.database import Change
from aimass.kernel.errors import Conflict, Invalid, MissingExtra, NotFound
from aimass.kernel.ids import new_id
from aimass.kernel.names import check_slug, clean_name, slug_of
from aimass.kernel.pages import Page, page_of
from aimass.kernel.principal import Principal
from aimass.kernel.usecase import use_case
from aimass.training.domain.beside import BESIDE, check_beside
from aimass.training.domain.space import Space, grid_of, is_smooth, space_of
from aimass.training.domain.splits import Split
from aimass.training.domain.studies import (
    OPEN,
    AskImportance,
    CreateStudy,
    ExtendStudy,
    Importance,
    ListStudies,
    ListTrials,
    Objective,
    OneStudy,
    Study,
    StudyState,
    Trial,
    best_of,
    objectives_of,
)
from aimass.training.events import (
    STUDY_CREATED,
    STUDY_DELETED,
    STUDY_EXTENDED,
    STUDY_KILLED,
    STUDY_PAUSED,
    STUDY_RESUMED,
    tell_study,
)
from aimass.training.recipes import check_task, find_recipe
from aimass.training.service.filed import RecipeFile
from aimass.training.service.ground import need_split
from aimass.training.service.results import Results
from aimass.training.service.rhythms import rhythm_in
from aimass.training.service.searched import Searched, file_of, from_file, installed
from aimass.training.store import add, find_study, put, studies_page, told_trials, trials_of, trials_page
from aimass.training.tables import studies
from aimass.training.tasks import find_task

_IMPORTANCE = "aimass.training.children.search:importance"
_IMPORTANCE_S = 120.0
_BY_OPTUNA = {"tpe": ("optuna",), "nsga2": ("optuna",), "cmaes": ("optuna", "cmaes")}
LEAST_FOR_IMPORTANCE = 4


class Studies(Results):
    """Searches for the best parameters, each trial a run."""

    @use_case(
        "POST /workspaces/{workspace}/studies",
        permission="training.edit",
        cli="train tune",
        status=202,
        progress="training.get_study",
    )
    def create_study(self, who: Principal, command: CreateStudy) -> Study:
        """Search for the best parameters of a recipe on a split: every trial is a run of its own.

        The recipe is an installed one, or a file: its text as ``source``, or that which a run kept, as ``my_recipe.py@RUN``.
        """
        file = file_of(self._ground, command)
        known = installed(self._ground, who, command) if file is None else file
        check_slug(command.experiment, field="experiment")
        with self._database.read() as conn:
            split = need_split(conn, command.workspace, command.split)
        data = self.data_of(split, self._ground.locate(who, command.workspace, split.dataset, split.dataset_version))
        if isinstance(known, RecipeFile):
            found = from_file(self._ground, command, known, data["task"])
        else:
            found = known
            recipe = find_recipe(found.name)
            check_task(recipe, data["task"])
            check_beside({**data, "features": command.features, BESIDE: recipe.beside(found.params)})
        command = replace(command, recipe=found.name, params=found.params)
        objectives = objectives_of(command.objectives, find_task(data["task"]))
        _check_way(command, found.space, objectives)
        most = len(grid_of(found.space, command.seed)) if command.sampler == "grid" else command.trials
        with self._database.change(who, command.workspace) as change:
            slug, name = _named(change, command, split)
            values = _row(change, command, found, objectives)
            values |= {"slug": slug, "name": name, "trials": min(command.trials, most)}
            add(change, studies, values)
            detail = {
                "recipe": command.recipe,
                "split": split.id,
                "sampler": command.sampler,
                "trials": values["trials"],
            }
            noted = detail if file is None else {**detail, "source": file.sha256}
            change.audit("training.study.create", object_=f"study:{slug}", detail=noted)
            change.event(STUDY_CREATED, subject=f"study:{slug}", data=detail)
            for source in (("split", split.id), *(() if file is None or file.run is None else (("run", file.run),))):
                change.edge(src=source, dst=("study", values["id"]), via="training.study")
            study = need_study(change, command.workspace, slug)
        tell_study(self._ground.live, study)
        return study

    @use_case("GET /workspaces/{workspace}/studies", permission="training.read", cli="studies list")
    def list_studies(self, who: Principal, command: ListStudies) -> Page[Study]:
        """List studies, newest first."""
        del who
        with self._database.read() as conn:
            found = studies_page(conn, command, self._database.clock.now())
        return page_of(found, command.limit, lambda study: study.id)

    @use_case("GET /workspaces/{workspace}/studies/{study}", permission="training.read", cli="studies show")
    def get_study(self, who: Principal, command: OneStudy) -> Study:
        """Show a study: how far it is, and which trials are best."""
        del who
        return self.study(command.workspace, command.study)

    def study(self, workspace: str, study: str) -> Study:
        """Return a study, for rooms that checked the right themselves."""
        with self._database.read() as conn:
            return _needed(find_study(conn, workspace, study, self._database.clock.now()), study)

    @use_case("GET /workspaces/{workspace}/studies/{study}/trials", permission="training.read", cli="studies trials")
    def list_trials(self, who: Principal, command: ListTrials) -> Page[Trial]:
        """List the trials of a study in their order: parameters, state, values, and the run of each."""
        del who
        study = self.study(command.workspace, command.study)
        with self._database.read() as conn:
            return page_of(trials_page(conn, study.id, command), command.limit, lambda trial: str(trial.number))

    @use_case("GET /workspaces/{workspace}/studies/{study}/best", permission="training.read", cli="studies best")
    def list_best_trials(self, who: Principal, command: OneStudy) -> list[Trial]:
        """List the best trials: one for one objective, else all that no other trial beats in everything."""
        del who
        study = self.study(command.workspace, command.study)
        with self._database.read() as conn:
            return best_of(trials_of(conn, study.id, ["COMPLETE"]), study.objectives)

    @use_case(
        "GET /workspaces/{workspace}/studies/{study}/importance", permission="training.read", cli="studies importance"
    )
    def get_importance(self, who: Principal, command: AskImportance) -> Importance:
        """Tell how much of the spread of an objective each parameter explains (functional ANOVA on a forest)."""
        del who
        study = self.study(command.workspace, command.study)
        metrics = [objective.metric for objective in study.objectives]
        metric = command.objective or metrics[0]
        if metric not in metrics:
            raise Invalid(f"the study does not look at {metric!r}", field="objective", value=metric, allowed=metrics)
        need_extra("optuna")
        with self._database.read() as conn:
            told = told_trials(conn, study.id)
        _need_enough(told, metrics.index(metric))
        args = {**question(study), "trials": told, "objective": metrics.index(metric)}
        found = self._ground.warm.call(_IMPORTANCE, args, timeout_s=_IMPORTANCE_S)
        return Importance(objective=metric, **found)

    @use_case("POST /workspaces/{workspace}/studies/{study}/pause", permission="training.edit", cli="studies pause")
    def pause_study(self, who: Principal, command: OneStudy) -> Study:
        """Begin no new trial; those that run go on to their end."""
        return self._turn(who, command, "PAUSED", ("RUNNING",), STUDY_PAUSED)

    @use_case("POST /workspaces/{workspace}/studies/{study}/resume", permission="training.edit", cli="studies resume")
    def resume_study(self, who: Principal, command: OneStudy) -> Study:
        """Go on with a study that was paused, cancelled, or stopped after failures."""
        return self._turn(who, command, "RUNNING", ("PAUSED", "FAILED", "KILLED"), STUDY_RESUMED)

    @use_case("POST /workspaces/{workspace}/studies/{study}/cancel", permission="training.edit", cli="studies cancel")
    def cancel_study(self, who: Principal, command: OneStudy) -> Study:
        """Stop a study and the trials that run; what was found stays."""
        return self._turn(who, command, "KILLED", ("RUNNING", "PAUSED"), STUDY_KILLED)

    def _turn(
        self, who: Principal, command: OneStudy, state: StudyState, allowed: tuple[StudyState, ...], fact: str
    ) -> Study:
        with self._database.change(who, command.workspace) as change:
            study = need_study(change, command.workspace, command.study)
            if study.state not in allowed:
                hint = "extend it to go on" if study.state == "FINISHED" else ""
                raise Conflict(
                    f"study {study.slug!r} is {study.state}", value=study.state, allowed=list(allowed), hint=hint
                )
            turn(change, study, state)
            change.audit(fact.rpartition(".")[0] + "." + _VERBS[fact], object_=f"study:{study.slug}")
            change.event(fact, subject=f"study:{study.slug}")
            study = need_study(change, command.workspace, command.study)
        tell_study(self._ground.live, study)
        return study

    @use_case("POST /workspaces/{workspace}/studies/{study}/extend", permission="training.edit", cli="studies extend")
    def extend_study(self, who: Principal, command: ExtendStudy) -> Study:
        """Give a study more trials, or more time; one that has finished goes on."""
        with self._database.change(who, command.workspace) as change:
            study = need_study(change, command.workspace, command.study)
            trials = study.trials + command.trials
            if study.sampler == "grid":
                trials = min(trials, len(grid_of(space_of(study.space), study.seed)))
            budget_s = None if study.budget_s is None else study.budget_s + command.budget_s
            if (trials, budget_s) == (study.trials, study.budget_s):
                message = "nothing is added" + (": the grid has no more configurations" if command.trials else "")
                raise Invalid(message, field="trials", value=command.trials, allowed="1 or more")
            put(change, studies, study.id, trials=trials, budget_s=budget_s)
            if study.state == "FINISHED":
                turn(change, study, "RUNNING")
            detail = {"trials": trials, "budget_s": budget_s}
            change.audit("training.study.extend", object_=f"study:{study.slug}", detail=detail)
            change.event(STUDY_EXTENDED, subject=f"study:{study.slug}", data=detail)
            study = need_study(change, command.workspace, command.study)
        tell_study(self._ground.live, study)
        return study

    @use_case(
        "DELETE /workspaces/{workspace}/studies/{study}", permission="training.manage", cli="studies delete", status=204
    )
    def delete_study(self, who: Principal, command: OneStudy) -> None:
        """Delete a study that has ended, with its trials; their runs stay in the experiment."""
        with self._database.change(who, command.workspace) as change:
            study = need_study(change, command.workspace, command.study)
            if study.state in ("RUNNING", "PAUSED") or any(study.counts.get(state) for state in OPEN):
                raise Conflict(f"study {study.slug!r} is {study.state}", value=study.state, hint="cancel it first")
            put(change, studies, study.id, deleted_at=change.now, slug=f"~{study.id}")
            change.audit("training.study.delete", object_=f"study:{study.slug}")
            change.event(STUDY_DELETED, subject=f"study:{study.slug}")


_VERBS = {STUDY_PAUSED: "pause", STUDY_RESUMED: "resume", STUDY_KILLED: "cancel"}


def need_study(change: Change, workspace: str, study: str) -> Study:
    """Return a study inside a change, or say that there is none."""
    return _needed(find_study(change.conn, workspace, study, change.now), study)


def _needed(found: Study | None, study: str) -> Study:
    if found is None:
        raise NotFound(f"there is no study {study!r}", field="study", value=study)
    return found


def turn(change: Change, study: Study, state: StudyState, reason: str = "") -> None:
    """Bring a study into another state, and let its clock run or stand still."""
    is_running = state == "RUNNING"
    values: dict[str, Any] = {"state": state, "reason": reason, "since": change.now if is_running else None}
    values |= {"ended_at": None if state in ("RUNNING", "PAUSED") else change.now, "spent_s": study.spent_s}
    if is_running:
        values["fresh_from"] = sum(study.counts.values()) + 1
    put(change, studies, study.id, **values)


def question(study: Study) -> dict[str, Any]:
    """Return what a child has to know of a study before it is told the trials."""
    return {
        "space": dict(study.space),
        "sampler": study.sampler,
        "pruner": study.pruner,
        "directions": [objective.direction for objective in study.objectives],
        "seed": study.seed,
        "steps": rhythm_in(study).step_of(study.folds),
    }


def _need_enough(told: Sequence[Mapping[str, Any]], place: int) -> None:
    """Refuse to tell what matters from too few trials."""
    values = [one["values"][place] for one in told if one["state"] == "COMPLETE"]
    if len(values) < LEAST_FOR_IMPORTANCE or len(set(values)) == 1:
        raise Conflict(
            f"{len(values)} trials are not enough to tell what matters",
            value=len(values),
            allowed=f"{LEAST_FOR_IMPORTANCE} complete trials or more, not all with the same value",
            hint="wait for more trials",
        )


def need_extra(*modules: str) -> None:
    """Refuse what needs a package that is not installed, with the way to install it."""
    if any(find_spec(module) is None for module in modules):
        raise MissingExtra("tune")


def _check_way(command: CreateStudy, space: Space, objectives: tuple[Objective, ...]) -> None:
    need_extra(*_BY_OPTUNA.get(command.sampler, ()), *(() if command.pruner == "none" else ("optuna",)))
    several = len(objectives) > 1
    if command.sampler == "cmaes" and (several or not is_smooth(space)):
        raise Invalid(
            "CMA-ES searches two numbers or more, without choices or conditions, for one objective",
            field="sampler",
            value="cmaes",
            allowed=["grid", "random", "tpe", "gp", "nsga2"],
        )
    if several and command.pruner != "none":
        message = "trials with several objectives cannot be given up early"
        raise Invalid(message, field="pruner", value=command.pruner, allowed=["none"])


def _named(change: Change, command: CreateStudy, split: Split) -> tuple[str, str]:
    """Return slug and name; one that nobody named gets the next number that is free."""
    if command.name is not None:
        name = clean_name(command.name)
        slug = check_slug(command.slug or slug_of(name))
        if _is_taken(change.conn, command.workspace, slug, change):
            raise Conflict(f"the slug {slug!r} is taken", field="slug", value=slug, hint="choose another slug")
        return slug, name
    base = f"{command.recipe} on {split.dataset}"
    slug, number = check_slug(command.slug or slug_of(base)), 1
    name = base
    while _is_taken(change.conn, command.workspace, slug, change):
        if command.slug:
            raise Conflict(f"the slug {slug!r} is taken", field="slug", value=slug, hint="choose another slug")
        number += 1
        name = f"{base} {number}"
        slug = slug_of(name[-63:])
    return slug, name


def _is_taken(conn: Connection, workspace: str, slug: str, change: Change) -> bool:
    return find_study(conn, workspace, slug, change.now) is not None


def _row(change: Change, command: CreateStudy, found: Searched, objectives: tuple[Objective, ...]) -> dict[str, Any]:
    asked = (
        "workspace",
        "split",
        "experiment",
        "features",
        "sampler",
        "pruner",
        "parallel",
        "budget_s",
        "seed",
        "folds",
    )
    return {
        **{name: getattr(command, name) for name in asked},
        "id": new_id(),
        "recipe": found.name,
        "recipe_version": found.version,
        "source": found.source,
        "params": dict(found.params),
        "space": dict(found.written),
        "objectives": [asdict(objective) for objective in objectives],
        "spent_s": 0.0,
        "since": change.now,
        "state": "RUNNING",
        "reason": "",
        "fresh_from": 1,
        "best": [],
        "created_by": change.who.id,
        "created_by_name": change.who.name,
        "created_at": change.now,
        "ended_at": None,
        "deleted_at": None,
        "version": 1,
    }
