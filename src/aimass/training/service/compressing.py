"""Compression: the model of a finished run becomes a smaller or faster one, in a run of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from aimass.cluster import SubmitJob
from aimass.infra.database import Change
from aimass.kernel.errors import Conflict, Invalid, NotFound
from aimass.kernel.names import check_slug
from aimass.kernel.principal import SYSTEM, Principal
from aimass.kernel.usecase import use_case
from aimass.training.domain.beside import BESIDE
from aimass.training.domain.compression import (
    DISTILL,
    LEARN_AGAIN,
    RECIPE,
    UNCOMPRESSED,
    VERSION,
    Compression,
    CompressionCandidate,
    CompressRun,
    Figures,
    Policy,
    Step,
    steps_of,
)
from aimass.training.domain.runs import OneRun, Run, StartRun
from aimass.training.domain.splits import Split
from aimass.training.domain.words import COMPRESS, ENDED
from aimass.training.errors import NothingMet
from aimass.training.events import RUN_CREATED, RUN_FAILED, tell
from aimass.training.recipes import beside_of, check_task, find_recipe, recipes
from aimass.training.service.experiments import new_experiment
from aimass.training.service.ground import need_run, need_split
from aimass.training.service.results import REPORT, Results
from aimass.training.service.runs import row_of
from aimass.training.store import add_run, artifacts_of, find_experiment, put, put_artifacts, run_by_key
from aimass.training.tables import runs
from aimass.training.tasks import find_task

RESULT = "compression.json"
_SUFFIX = " compressed"
_LONGEST = 255
_TIMES = ("_s", "_us")


class Compressing(Results):
    """Smaller and faster models out of those that are there."""

    @use_case(
        "POST /workspaces/{workspace}/runs/{run}/compress",
        permission="training.edit",
        cli="train compress",
        status=202,
        progress="training.get_run",
    )
    def compress_run(self, who: Principal, command: CompressRun) -> Run:
        """Compress the model of a finished run with several techniques; the best that meets a policy is a run of its own."""
        with self._database.read() as conn:
            known = run_by_key(conn, command.workspace, command.key) if command.key else None
            if known is not None:
                return known
            base = need_run(conn, command.workspace, command.run)
            split = need_split(conn, command.workspace, base.split)
        steps, policy = _steps(base, command), _policy(base, command)
        location = self._ground.locate(who, command.workspace, split.dataset, split.dataset_version)
        payload = {**self.data_of(split, location), **self._about(base, steps, policy)}
        with self._database.change(who, command.workspace) as change:
            known = run_by_key(change.conn, command.workspace, command.key) if command.key else None
            if known is not None:  # two asked at once
                return known
            run = self._begin_compression(change, command, base, split, payload)
            for kind, id_ in (("run", base.id), ("split", split.id), ("dataset_version", location.version_id)):
                change.edge(src=(kind, id_), dst=("run", run.id), via=COMPRESS)
        tell(self._ground.live, run)
        return run

    def _begin_compression(
        self, change: Change, command: CompressRun, base: Run, split: Split, payload: Mapping[str, Any]
    ) -> Run:
        wish = _like(command, base)
        check_slug(wish.experiment, field="experiment")
        if find_experiment(change.conn, command.workspace, wish.experiment) is None:
            new_experiment(change, wish.experiment, wish.experiment)
        params = {"base": base.id, "techniques": list(payload["techniques"]), **payload["policy"]}
        values = {**row_of(change, wish, split), "recipe_version": VERSION, "params": params}
        add_run(change, values)
        subject = f"run:{values['id']}"
        order = SubmitJob(
            workspace=command.workspace,
            kind=COMPRESS,
            title=f"Compress {base.name}",
            payload=dict(payload),
            subject=subject,
        )
        job = self._ground.jobs.enqueue(change, replace(order, key=values["id"]))
        put(change, runs, values["id"], job=job.id)
        detail = {"recipe": RECIPE, "base": base.id, "split": split.id, "dataset": split.dataset}
        change.audit("training.run.compress", object_=subject, detail=detail)
        change.event(RUN_CREATED, subject=subject, data=detail)
        return need_run(change.conn, command.workspace, values["id"])

    def _about(self, base: Run, steps: tuple[Step, ...], policy: Policy) -> dict[str, Any]:
        """Return what the job is told of the model, and what names the columns that it reads."""
        if base.package is None:
            raise Conflict(f"run {base.id!r} is {base.state}", field="run", value=base.state, allowed="FINISHED")
        with self._database.read() as conn:
            report = [one for one in artifacts_of(conn, base.id) if one.name == REPORT]
        told = {
            "run": base.id,
            "recipe": base.recipe,
            "params": dict(base.params),
            "package": str(self._ground.models.package_folder(base.package.digest)),
            "report": str(self._ground.blobs.path(report[0].sha256)) if report else None,
        }
        return {
            "base": told,
            "features": None if base.features is None else list(base.features),
            BESIDE: beside_of(base.recipe, base.params),
            "unseen": dict(base.unseen),
            "seed": base.seed,
            "techniques": [step.name for step in steps],
            "policy": asdict(policy),
        }

    @use_case("GET /workspaces/{workspace}/runs/{run}/compression", permission="training.read", cli="train compression")
    def get_compression(self, who: Principal, command: OneRun) -> Compression:
        """Show what came of a compression: every technique with its figures, and why it was taken or not."""
        del who
        run = self.run(command.workspace, command.run)
        if run.recipe != RECIPE:
            raise NotFound(f"run {run.id!r} is no compression", field="run", value=run.recipe, allowed=RECIPE)
        found = self._document(run.id, RESULT, f"the compression is {run.state} and has no figures yet")
        return _read(run.id, found)

    def compression_done(self, workspace: str, run: str, result: Mapping[str, Any], outputs: Path) -> None:
        """Keep what a compression found; without a model that meets its policy the run has failed."""
        if result["package"] is not None:
            self.run_done(workspace, run, result, outputs, also=RESULT)
            return
        found = self.kept_file(outputs, RESULT)
        reason = NothingMet(
            "none of the techniques meets the policy",
            field="techniques",
            hint="look at the figures of each, then allow more or try others",
        )
        with self._database.change(SYSTEM, workspace) as change:
            if need_run(change.conn, workspace, run).state in ENDED:
                return
            put_artifacts(change, run, found)
            put(change, runs, run, state="FAILED", ended_at=change.now, error=reason.problem())
            change.event(RUN_FAILED, subject=f"run:{run}", data={"code": reason.code})
            ended = need_run(change.conn, workspace, run)
        tell(self._ground.live, ended)


def _steps(base: Run, command: CompressRun) -> tuple[Step, ...]:
    """Return the techniques to try, or refuse those that no model of this kind can go through."""
    if base.task in UNCOMPRESSED:
        raise Invalid(
            f"models of {base.task} are not compressed", field="run", value=base.id, hint=UNCOMPRESSED[base.task]
        )
    steps = steps_of(command.techniques)
    for step in steps:
        if step.technique == DISTILL:
            recipe = find_recipe(step.student)
            recipe.check(step.recipe_params)
            check_task(recipe, base.task)
        if step.technique in LEARN_AGAIN:
            _check_learning(base, step)
    graphs = [step.name for step in steps if step.technique != DISTILL]
    if base.package is not None and base.package.runtime != "onnx" and len(graphs) == len(steps):
        raise Invalid(
            f"run {base.id!r} runs as {base.package.runtime}: these techniques change an ONNX file",
            field="techniques",
            value=graphs,
            allowed=[f"{DISTILL}:recipe=..."],
            hint="distil it into a recipe that is written as ONNX",
        )
    return steps


def _check_learning(base: Run, step: Step) -> None:
    """Refuse to let a model learn again that cannot, or not here."""
    recipe = recipes().get(base.recipe)
    if recipe is None or not recipe.learns_again:
        able = [one.name for one in recipes().values() if one.learns_again]
        raise Invalid(
            f"models of recipe {base.recipe!r} do not learn again, as {step.technique!r} wants",
            field="techniques",
            value=step.name,
            allowed=able,
            hint=f"compress a run of {' or '.join(able)}, or take prune and cluster, which need no training",
        )
    recipe.need_installed()


def _policy(base: Run, command: CompressRun) -> Policy:
    """Return the policy as it was asked for; the score is one that the base was measured by."""
    metric = command.metric or find_task(base.task).metric
    scores = sorted(name for name in base.metrics if not name.startswith("cv_") and not name.endswith(_TIMES))
    if base.package is not None and metric not in scores:
        raise Invalid(f"the run has no score {metric!r}", field="metric", value=metric, allowed=scores)
    return Policy(
        metric=metric,
        max_drop=command.max_drop,
        min_speedup=command.min_speedup,
        timed=command.timed,
        min_ratio=command.min_ratio,
        max_bytes=command.max_bytes,
        prefer=command.prefer,
    )


def _like(command: CompressRun, base: Run) -> StartRun:
    """Return the order of a run that reads what its base reads."""
    return StartRun(
        workspace=command.workspace,
        recipe=RECIPE,
        split=base.split,
        experiment=command.experiment or base.experiment,
        name=command.name or base.name[: _LONGEST - len(_SUFFIX)] + _SUFFIX,
        features=None if base.features is None else list(base.features),
        unseen={name: "refuse" if value == "refuse" else "serve" for name, value in base.unseen.items()},
        seed=base.seed,
        folds=base.folds,
        tags=command.tags,
        key=command.key,
    )


def _read(run: str, found: Mapping[str, Any]) -> Compression:
    return Compression(
        run=run,
        base=found["base"],
        policy=Policy(**found["policy"]),
        rows=found["rows"],
        batch=found["batch"],
        baseline=Figures(**found["baseline"]),
        candidates=tuple(_candidate(one) for one in found["candidates"]),
    )


def _candidate(found: Mapping[str, Any]) -> CompressionCandidate:
    figures = found["figures"]
    known = {**found, "figures": None if figures is None else Figures(**figures), "reasons": tuple(found["reasons"])}
    return CompressionCandidate(**known)
