"""How an automatic training goes on: a step that may be repeated at any time, whoever was killed when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from aimass.infra.database import Change
from aimass.kernel.errors import AimassError, Conflict, Invalid, TooMany, Unavailable
from aimass.kernel.principal import SYSTEM
from aimass.training.autostore import find_auto, open_autos, put_auto
from aimass.training.domain.autos import MAX_BLENDED, MIN_BLENDED, AutoRun, BlendRuns, Recommendation
from aimass.training.domain.runs import Run, StartRun
from aimass.training.domain.splits import Split
from aimass.training.domain.words import ENDED
from aimass.training.events import AUTO_FAILED, AUTO_FINISHED, tell_auto
from aimass.training.service.autos import Autos
from aimass.training.service.ground import author_of, need_split
from aimass.training.tasks import TASKS

TAG = "auto"


class Advancing(Autos):
    """Split, recommend, train, stop in time, blend, decide."""

    def step_autos(self) -> None:
        """Do what can be done now for each that has not ended; its fault ends it and no other."""
        with self._database.read() as conn:
            found = open_autos(conn)
        for auto in found:
            try:
                self._step(auto)
            except (TooMany, Unavailable):
                continue  # there is no room now: the next step asks again
            except AimassError as reason:
                self._fail(auto, reason.problem())

    def _step(self, auto: AutoRun) -> None:
        if not auto.runs:
            self._begin_auto(auto)
            return
        known = self.runs_of(auto)
        if any(run.state not in ENDED for run in known):
            self._watch_time(auto, known)
            return
        done = [run for run in known if run.state == "FINISHED"]
        if not done:
            self._fail(auto, _first_error(known))
        elif self._wants_blend(auto) and len(_blendable(done)) >= MIN_BLENDED:
            self._blend(auto, known, done)
        else:
            self._decide(auto, known, done)

    def _begin_auto(self, auto: AutoRun) -> None:
        """Ask the selector once the split is ready, and start the runs; each under a key of its own."""
        with self._database.read() as conn:
            split = need_split(conn, auto.workspace, auto.split)
        if split.state == "FAILED":
            self._fail(auto, dict(split.error or {}))
        if split.state != "READY":
            return
        recommended = self.recommended(SYSTEM, split, auto.constraints, auto.folds)
        chosen = [one for one in recommended if one.left_out is None][: auto.most]
        if not chosen:
            why = (
                "; ".join(f"{one.recipe} {one.variant}".strip() + f": {one.left_out}" for one in recommended)
                or "no recipe serves this task"
            )
            self._fail(auto, {"code": "no_recipe", "detail": f"no recipe keeps the limits: {why}"})
            return
        started = [self.start_run(author_of(auto), self._order(auto, split, one)) for one in chosen]
        with self._database.change(SYSTEM, auto.workspace) as change:
            task = TASKS[split.task or ""]
            values: dict[str, Any] = {"task": task.name, "objective": task.objective}
            values |= {"runs": [run.id for run in started], "recommended": [asdict(one) for one in recommended]}
            put_auto(change, auto.id, **values)
            for run in started:
                change.edge(src=("auto", auto.id), dst=("run", run.id), via="training.auto")
            is_wanted = _is_running(change, auto)
        if not is_wanted:  # somebody cancelled it while they were started
            self.stop_runs(started)
        self._tell(auto)

    def _order(self, auto: AutoRun, split: Split, one: Recommendation) -> StartRun:
        return StartRun(
            workspace=auto.workspace,
            recipe=one.recipe,
            params=one.params,
            name=f"{one.recipe} {one.variant}".strip(),
            split=split.id,
            experiment=auto.experiment,
            seed=auto.seed,
            folds=auto.folds,
            tags={TAG: auto.id},
            key=f"auto:{auto.id}:{one.recipe}:{one.variant}",
        )

    def _watch_time(self, auto: AutoRun, known: Sequence[Run]) -> None:
        """Stop what is still at work after the deadline, as soon as there is one that finished."""
        late = self._database.clock.now() >= auto.deadline
        still = [run for run in known if run.state not in ENDED and run.id != auto.blend]
        if late and still and any(run.state == "FINISHED" for run in known):
            self.stop_runs(still)

    def _wants_blend(self, auto: AutoRun) -> bool:
        is_wanted = auto.is_blended and TASKS[auto.task or ""].is_blendable
        return is_wanted and auto.blend is None and not auto.constraints.explainable

    def _blend(self, auto: AutoRun, known: Sequence[Run], done: Sequence[Run]) -> None:
        """Blend what finished; where that cannot be, the best of them is the answer."""
        wish = BlendRuns(
            workspace=auto.workspace,
            runs=[run.id for run in _blendable(done)[:MAX_BLENDED]],
            experiment=auto.experiment,
            tags={TAG: auto.id},
            key=f"auto:{auto.id}:blend",
        )
        try:
            blend = self.blend_runs(author_of(auto), wish)
        except (Conflict, Invalid) as reason:
            self._decide(auto, known, done, (f"not blended: {reason.message}",))
            return
        with self._database.change(SYSTEM, auto.workspace) as change:
            put_auto(change, auto.id, blend=blend.id)
            change.edge(src=("auto", auto.id), dst=("run", blend.id), via="training.auto")
            is_wanted = _is_running(change, auto)
        if not is_wanted:
            self.stop_runs([blend])
        self._tell(auto)

    def _decide(self, auto: AutoRun, known: Sequence[Run], done: Sequence[Run], notes: Sequence[str] = ()) -> None:
        task = TASKS[auto.task or ""]
        scored = [run for run in done if task.objective in run.metrics and _keeps(run, auto)]
        if not scored:
            self._fail(auto, {"code": "no_recipe", "detail": "no model that was trained keeps the limits"})
            return
        sign = 1 if task.is_lower_better else -1
        best = min(scored, key=lambda run: (sign * run.metrics[task.objective], run.metrics.get("row_us", 0.0)))
        with self._database.change(SYSTEM, auto.workspace) as change:
            if not _is_running(change, auto):
                return
            values: dict[str, Any] = {"state": "FINISHED", "best": best.id, "ended_at": change.now}
            put_auto(change, auto.id, notes=[*_notes(known), *notes], **values)
            data = {"run": best.id, "recipe": best.recipe, task.objective: best.metrics[task.objective]}
            change.event(AUTO_FINISHED, subject=f"auto:{auto.id}", data=data)
        self._tell(auto)

    def _fail(self, auto: AutoRun, error: dict[str, Any]) -> None:
        with self._database.change(SYSTEM, auto.workspace) as change:
            if not _is_running(change, auto):
                return
            put_auto(change, auto.id, state="FAILED", error=error, ended_at=change.now)
            change.event(AUTO_FAILED, subject=f"auto:{auto.id}", data={"code": error.get("code")})
        self._tell(auto)

    def _tell(self, auto: AutoRun) -> None:
        with self._database.read() as conn:
            found = find_auto(conn, auto.workspace, auto.id)
        if found is not None:
            tell_auto(self._ground.live, found)


def _is_running(change: Change, auto: AutoRun) -> bool:
    """Tell whether nobody has cancelled or deleted it meanwhile."""
    found = find_auto(change.conn, auto.workspace, auto.id)
    return found is not None and found.state == "RUNNING"


def _blendable(done: Sequence[Run]) -> list[Run]:
    return [run for run in done if run.package is not None and run.package.runtime == "onnx"]


def _keeps(run: Run, auto: AutoRun) -> bool:
    """Tell whether a trained model keeps the limits, as it was measured."""
    limits = auto.constraints
    slow = limits.row_us is not None and run.metrics.get("row_us", 0.0) > limits.row_us
    large = limits.size is not None and run.package is not None and run.package.size > limits.size
    return not slow and not large


def _first_error(known: Sequence[Run]) -> dict[str, Any]:
    failed = next((run for run in known if run.error), None)
    return dict(failed.error or {}) if failed else {"code": "killed", "detail": "its runs were cancelled or deleted"}


def _notes(known: Sequence[Run]) -> list[str]:
    """Return what did not come to an end, in words."""
    killed = [run.name for run in known if run.state == "KILLED"]
    failed = [run.name for run in known if run.state == "FAILED"]
    notes = [f"stopped when the time was over: {', '.join(killed)}"] if killed else []
    return notes + ([f"failed: {', '.join(failed)}"] if failed else [])
