"""The owner of every study: one step settles trials that have ended, gives up those that fall behind, and begins new ones.

A step does only what the database says is missing, and runs are started under keys of their trials. So a platform that is
killed anywhere goes on where it was: no trial is stuck, and none is begun twice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from aimass.cluster import CancelJob, Job
from aimass.infra.database import Change
from aimass.kernel.errors import AimassError, Conflict, NotFound, TooMany, Unavailable
from aimass.kernel.principal import SYSTEM, Principal
from aimass.training.domain.looks import LOOKS, look_name
from aimass.training.domain.runs import Run, StartRun
from aimass.training.domain.space import chance, drawn, grid_of, seed_of, space_of
from aimass.training.domain.studies import MAX_FAILURES, OPEN, Study, StudyState, Trial, best_of
from aimass.training.domain.words import ENDED
from aimass.training.events import STUDY_FAILED, STUDY_FINISHED, TRIAL_ENDED, tell_study
from aimass.training.recipes import RecipeManifest, find_recipe
from aimass.training.service.filed import RecipeFile
from aimass.training.service.ground import Ground, author_of
from aimass.training.service.rhythms import looks_at, rhythm_in, watched
from aimass.training.service.studies import Studies, need_study, question, turn
from aimass.training.store import (
    add,
    ends_of,
    find_run,
    fresh_from,
    put,
    put_results,
    put_trial,
    studies_at_work,
    told_trials,
    trials_of,
)
from aimass.training.tables import runs, studies, trials

_SUGGEST = {"gp": "aimass.training.children.gaussian:suggest"}
_BY_OPTUNA = "aimass.training.children.search:suggest"
_JUDGE = "aimass.training.children.search:judge"
_ASK_S = 300.0
_log = structlog.get_logger("aimass.training")


class Searching(Studies):
    """What moves studies on."""

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        self._heard: dict[str, int] = {}  # by job, how far its reports were read: a short cut, no truth

    def follow_studies(self) -> None:
        """Move every study on that is at work; the trouble of one holds no other up."""
        with self._database.read() as conn:
            found = studies_at_work(conn, self._database.clock.now())
        for study in found:
            try:
                self._follow(study)
            except (Unavailable, TooMany) as reason:
                self._say(study, reason.message)
            except AimassError as reason:
                _log.warning("a study cannot go on", study=study.id, exc_info=reason)
                self._end(study, "FAILED", reason.message)

    def _follow(self, study: Study) -> None:
        with self._database.read() as conn:
            known = trials_of(conn, study.id, OPEN)
        self._settle(study, known)
        if study.state in ("RUNNING", "PAUSED"):
            self._listen(study, [trial for trial in known if trial.state == "RUNNING"])
        else:
            self._close(study)
        if study.state == "RUNNING" and not self._is_over(study):
            self._ask(study)
            self._start_waiting(study)

    # What has ended

    def _settle(self, study: Study, known: Sequence[Trial]) -> None:
        """Give each trial the end of its run, or of the trial that it repeats."""
        firsts = {trial.same_as for trial in known if trial.same_as is not None}
        with self._database.read() as conn:
            by_number = {one.number: one for one in trials_of(conn, study.id, numbers=firsts)} if firsts else {}
        ends: dict[int, dict[str, Any]] = {}
        for trial in known:
            end = self._end_of(study, trial, by_number)
            if end is not None:
                ends[trial.number] = end
        if ends:
            self._note_ends(study, ends)

    def _end_of(self, study: Study, trial: Trial, by_number: Mapping[int, Trial]) -> dict[str, Any] | None:
        if trial.same_as is not None:
            first = by_number[trial.same_as]
            if first.state in OPEN:
                return None
            if first.state == "FAIL":  # it may have been an accident: this one tries for itself
                return {"same_as": None}
            names = ("state", "values", "steps", "pruned_at", "run")
            return {name: getattr(first, name) for name in names}
        if trial.run is None:
            return None
        with self._database.read() as conn:
            run = find_run(conn, study.workspace, trial.run)
        if run is not None and run.state not in ENDED:
            return None
        return outcome(study, trial, run)

    def _note_ends(self, study: Study, ends: Mapping[int, Mapping[str, Any]]) -> None:
        with self._database.change(SYSTEM, study.workspace) as change:
            for number, end in ends.items():
                is_over = "state" in end
                put_trial(change, study.id, number, **end, **({"ended_at": change.now} if is_over else {}))
                if end.get("state") == "PRUNED":
                    _keep_curve(change, study, number, end["run"])
                if is_over:
                    data = {"trial": number, "state": end["state"], "values": end.get("values"), "run": end.get("run")}
                    change.event(TRIAL_ENDED, subject=f"study:{study.slug}", data=data)
            if any(end.get("state") == "COMPLETE" for end in ends.values()):
                rivals = {*need_study(change, study.workspace, study.slug).best, *ends}  # who lost before, loses still
                best = best_of(trials_of(change.conn, study.id, numbers=rivals), study.objectives)
                put(change, studies, study.id, best=[trial.number for trial in best])
            told = need_study(change, study.workspace, study.slug)
        tell_study(self._ground.live, told)

    def _close(self, study: Study) -> None:
        """Stop what still runs for a study that was cancelled, or has failed."""
        with self._database.read() as conn:
            left = trials_of(conn, study.id, OPEN)
        for trial in left:
            if trial.run is not None:
                self._stop(study, trial.run)
        waiting = [trial for trial in left if trial.run is None]
        if waiting:
            error = {"code": "study_ended", "detail": f"the study was {study.state} before the trial began"}
            self._note_ends(study, {trial.number: {"state": "FAIL", "error": error} for trial in waiting})

    def _stop(self, study: Study, run: str) -> None:
        job = self._job_of(study, run)
        if job is None or job.has_ended or job.cancel_requested:
            return
        try:
            self._ground.jobs.cancel_job(SYSTEM, CancelJob(workspace=study.workspace, job=job.id))
        except Conflict:
            _log.info("a run ended before it could be stopped", run=run)

    def _job_of(self, study: Study, run: str) -> Job | None:
        with self._database.read() as conn:
            found = find_run(conn, study.workspace, run)
        if found is None or found.job is None:
            return None
        try:
            return self._ground.jobs.job(study.workspace, found.job)
        except NotFound:
            return None

    def _is_over(self, study: Study) -> bool:
        """End a study that has tried everything, has no time left, or fails again and again."""
        with self._database.read() as conn:
            known, first = ends_of(conn, study.id), fresh_from(conn, study.id)
        ended = sorted((one for one in known if one.ended_at), key=lambda one: (one.ended_at, one.number))
        last = [one for one in ended if one.number >= first][-MAX_FAILURES:]
        if len(last) == MAX_FAILURES and all(one.state == "FAIL" for one in last):
            why = (last[-1].error or {}).get("detail", "no cause is known")
            return self._end(study, "FAILED", f"{MAX_FAILURES} trials in a row failed, the last one: {why}")
        no_time = study.budget_s is not None and study.spent_s >= study.budget_s
        if len(ended) < len(known) or (len(known) < study.trials and not no_time):
            return no_time and not any(one.state == "WAITING" for one in known)
        if ended and all(one.state == "FAIL" for one in ended):
            why = (ended[-1].error or {}).get("detail", "no cause is known")
            return self._end(study, "FAILED", f"every trial failed, the last one: {why}")
        reason = "the time budget is used up" if no_time and len(known) < study.trials else ""
        if not any(one.state == "COMPLETE" for one in known):
            reason = "no trial came to its end, so there is no best one" + (f"; {reason}" if reason else "")
        return self._end(study, "FINISHED", reason)

    def _end(self, study: Study, state: StudyState, reason: str) -> bool:
        with self._database.change(SYSTEM, study.workspace) as change:
            now = need_study(change, study.workspace, study.slug)
            if now.state == "RUNNING":
                turn(change, now, state, reason)
                fact = STUDY_FINISHED if state == "FINISHED" else STUDY_FAILED
                change.event(fact, subject=f"study:{now.slug}", data={"reason": reason, "best": list(now.best)})
            told = need_study(change, study.workspace, study.slug)
        tell_study(self._ground.live, told)
        return True

    def _say(self, study: Study, reason: str) -> None:
        if study.reason != reason:
            with self._database.change(SYSTEM, study.workspace) as change:
                put(change, studies, study.id, reason=reason)

    # What runs

    def _listen(self, study: Study, running: Sequence[Trial]) -> None:
        """Take over what running trials reported, and give up those that the pruner names."""
        news: dict[int, list[list[float]]] = {}
        for trial in running:
            job = self._job_of(study, trial.run) if trial.run else None
            if job is None:
                continue
            if trial.pruned_at is not None:
                self._stop(study, str(trial.run))
                continue
            fresh = self._steps_of(study, job)
            steps = {**dict(trial.steps), **fresh}
            if steps != dict(trial.steps):
                news[trial.number] = [[step, value] for step, value in sorted(steps.items())]
        if not news:
            return
        with self._database.change(SYSTEM, study.workspace) as change:
            for number, steps in news.items():
                put_trial(change, study.id, number, steps=steps)
            told = need_study(change, study.workspace, study.slug)
        tell_study(self._ground.live, told)
        if study.pruner != "none":
            self._judge(study)

    def _steps_of(self, study: Study, job: Job) -> dict[int, float]:
        """Return the new steps of a job: the running mean of the first objective after each fold, and at each look between."""
        metric, rhythm = watched(study), rhythm_in(study)
        names = {"folds": f"cv_{metric}", LOOKS: look_name(metric)}
        events, self._heard[job.id] = self._ground.jobs.reports(job, self._heard.get(job.id, 0))
        found: dict[int, float] = {}
        for event in events:
            for kind, name in names.items():
                at, value = event.metrics.get(kind), event.metrics.get(name)
                if at is not None and value is not None:
                    found[rhythm.step_of(int(at)) if kind == "folds" else int(at)] = float(value)
        return found

    def _judge(self, study: Study) -> None:
        with self._database.read() as conn:
            told = told_trials(conn, study.id)
        answer = self._ground.warm.call(_JUDGE, {**question(study), "trials": told}, timeout_s=_ASK_S)
        by_number = {one["number"]: one for one in told}
        with self._database.change(SYSTEM, study.workspace) as change:
            known = {trial.number: trial for trial in trials_of(change.conn, study.id, ["RUNNING"])}
            for one in answer["trials"]:
                attrs = {**by_number[one["number"]]["attrs"], **one["attrs"]}
                values = {"judged": one["judged"], "attrs": attrs, "pruned_at": one["pruned_at"]}
                put_trial(change, study.id, one["number"], **values)
                trial = known.get(one["number"])
                if trial is not None and trial.run is not None and one["pruned_at"] is not None:
                    _mark_pruned(change, study, trial.run, one["pruned_at"])
        for one in answer["trials"]:
            trial = known.get(one["number"])
            if one["pruned_at"] is not None and trial is not None and trial.run is not None:
                self._stop(study, trial.run)

    # What begins

    def _ask(self, study: Study) -> None:
        """Choose the configurations that are missing, and write them down."""
        with self._database.read() as conn:
            told = told_trials(conn, study.id)
            held = sum(trial.same_as is None for trial in trials_of(conn, study.id, OPEN))
        count = min(study.parallel - held, study.trials - len(told))
        if count <= 0:
            return
        fresh = self._chosen(study, told, count)
        recipe = None if study.source else find_recipe(study.recipe)
        seen = {_whole(recipe, study, one["params"]): one["number"] for one in reversed(told) if one["state"] != "FAIL"}
        with self._database.change(SYSTEM, study.workspace) as change:
            for number, one in enumerate(fresh, start=len(told) + 1):
                whole = _whole(recipe, study, one["params"])
                add(change, trials, _row(change, study, number, one, seen.get(whole)))
                seen.setdefault(whole, number)

    def _chosen(self, study: Study, told: Sequence[Mapping[str, Any]], count: int) -> list[dict[str, Any]]:
        space, first = space_of(study.space), len(told)
        if study.sampler == "grid":
            return [{"params": params, "attrs": {}} for params in grid_of(space, study.seed)[first : first + count]]
        if study.sampler == "random":
            draws = (chance(seed_of(study.seed, number)) for number in range(first, first + count))
            return [{"params": drawn(space, draw), "attrs": {}} for draw in draws]
        args = {**question(study), "trials": told, "count": count}
        return self._ground.warm.call(_SUGGEST.get(study.sampler, _BY_OPTUNA), args, timeout_s=_ASK_S)["trials"]

    def _start_waiting(self, study: Study) -> None:
        """Start the run of each trial that has none; asking again under the same key starts nothing twice."""
        with self._database.read() as conn:
            waiting = [trial for trial in trials_of(conn, study.id, ["WAITING"]) if trial.same_as is None]
        author = author_of(study)
        started: dict[int, str] = {}
        try:
            for trial in waiting:
                try:
                    started[trial.number] = self._start(author, study, trial).id
                except (TooMany, Unavailable):
                    raise
                except AimassError as reason:
                    self._note_ends(study, {trial.number: {"state": "FAIL", "error": reason.problem()}})
        finally:
            if started:
                with self._database.change(SYSTEM, study.workspace) as change:
                    for number, run in started.items():
                        put_trial(change, study.id, number, run=run, state="RUNNING")
        if waiting:
            self._say(study, "")
            tell_study(self._ground.live, self.study(study.workspace, study.slug))

    def _start(self, author: Principal, study: Study, trial: Trial) -> Run:
        wish = _wish(study, trial)
        if study.source is None:
            return self.begin_run(author, wish, looks_at(study))
        size = self._ground.blobs.size(study.source)
        return self.start_filed(author, wish, RecipeFile(name=study.recipe, sha256=study.source, size=size))


def outcome(study: Study, trial: Trial, run: Run | None) -> dict[str, Any]:
    """Return how a trial ended, from the end of its run."""
    if run is None:
        return {"state": "FAIL", "error": {"code": "run_gone", "detail": "its run was deleted"}}
    if run.state == "KILLED":
        if trial.pruned_at is not None:
            return {"state": "PRUNED", "run": run.id}
        return {"state": "FAIL", "run": run.id, "error": {"code": "run_killed", "detail": "its run was cancelled"}}
    if run.state == "FAILED":
        return {"state": "FAIL", "run": run.id, "error": dict(run.error or {})}
    values = [run.metrics.get(objective.metric) for objective in study.objectives]
    for value, objective in zip(values, study.objectives, strict=True):
        if value is None:
            detail = f"the run has no metric {objective.metric!r}"
            error = {"code": "metric_missing", "detail": detail, "field": "objectives", "value": objective.metric}
            return {"state": "FAIL", "run": run.id, "error": error | {"allowed": sorted(run.metrics)}}
    return {"state": "COMPLETE", "run": run.id, "values": values, "pruned_at": None}


def _mark_pruned(change: Change, study: Study, run: str, step: int) -> None:
    found = find_run(change.conn, study.workspace, run)
    if found is not None:
        tags = {**found.tags, "pruned": f"step {step}"}
        note = f"pruned at step {step} of study {study.slug!r}: it fell behind the other trials"
        put(change, runs, run, tags=tags, notes=[*found.notes, note])


def _keep_curve(change: Change, study: Study, number: int, run: str) -> None:
    """Keep what was seen of a trial that was given up as the history of its run, which left nothing else."""
    (trial,) = trials_of(change.conn, study.id, numbers=[number])
    name = f"cv_{watched(study)}"
    put_results(change, run, {}, [(name, step, value) for step, value in trial.steps])


def _whole(recipe: RecipeManifest | None, study: Study, params: Mapping[str, Any]) -> str:
    """Return a whole configuration as text, defaults included where they are known: equal texts are equal runs."""
    given = {**study.params, **params}
    return json.dumps(given if recipe is None else recipe.check(given), sort_keys=True)


def _row(change: Change, study: Study, number: int, one: Mapping[str, Any], same_as: int | None) -> dict[str, Any]:
    return {
        "study": study.id,
        "number": number,
        "params": one["params"],
        "state": "WAITING",
        "values": None,
        "steps": [],
        "judged": 0,
        "pruned_at": None,
        "same_as": same_as,
        "attrs": one["attrs"],
        "run": None,
        "error": None,
        "created_at": change.now,
        "ended_at": None,
    }


def _wish(study: Study, trial: Trial) -> StartRun:
    return StartRun(
        workspace=study.workspace,
        recipe=study.recipe,
        split=study.split,
        experiment=study.experiment,
        name=f"{study.name[:240]} #{trial.number}",
        params={**study.params, **trial.params},
        features=None if study.features is None else list(study.features),
        seed=study.seed,
        folds=study.folds,
        tags={"study": study.slug, "trial": str(trial.number)},
        key=f"study:{study.id}:{trial.number}",
    )
