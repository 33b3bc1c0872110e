"""What runs leave: metrics with their history, reports, files, evaluations, and model versions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from aimass.cluster import SubmitJob
from aimass.infra.database import Change
from aimass.kernel.errors import Conflict, NotFound
from aimass.kernel.ids import new_id
from aimass.kernel.principal import SYSTEM, Principal
from aimass.kernel.usecase import use_case
from aimass.models import Facts, ModelVersion, Registration
from aimass.training.domain.evaluations import EvaluateRun, Evaluation
from aimass.training.domain.runs import Artifact, OneMetric, OneRun, Point, RegisterRun, Run, RunPackage
from aimass.training.domain.words import ENDED, EVALUATE
from aimass.training.events import (
    EVALUATION_FAILED,
    EVALUATION_READY,
    RUN_FAILED,
    RUN_FINISHED,
    RUN_KILLED,
    tell,
)
from aimass.training.service.ground import need_run, need_split
from aimass.training.service.runs import Runs
from aimass.training.store import (
    add,
    artifacts_of,
    evaluation_by_id,
    evaluations_of,
    find_evaluation,
    metric_names,
    points_of,
    put,
    put_artifacts,
    put_facts,
    put_results,
)
from aimass.training.tables import evaluations, runs

REPORT, FOLDS, ASKED = "report.json", "folds.parquet", "asked.parquet"
EVALUATION = "evaluation.json"


class Results(Runs):
    """What runs leave."""

    @use_case("GET /workspaces/{workspace}/runs/{run}/metrics/{metric}", permission="training.read", cli="train metric")
    def get_metric_history(self, who: Principal, command: OneMetric) -> list[Point]:
        """Show every value of a metric, step by step."""
        del who
        with self._database.read() as conn:
            run = need_run(conn, command.workspace, command.run)
            found = points_of(conn, run.id, command.metric)
            if not found and command.metric not in run.metrics:
                known = sorted({*metric_names(conn, run.id), *run.metrics})
                raise NotFound(
                    f"the run has no metric {command.metric!r}", field="metric", value=command.metric, allowed=known
                )
        return found or [Point(step=0, value=run.metrics[command.metric])]

    @use_case("GET /workspaces/{workspace}/runs/{run}/report", permission="training.read", cli="train report")
    def get_run_report(self, who: Principal, command: OneRun) -> dict[str, Any]:
        """Show the whole report of a run: folds, curves or residuals, confusion matrix, importance, history."""
        del who
        run = self.run(command.workspace, command.run)
        return self._document(run.id, REPORT, f"run {run.id!r} is {run.state} and has no report yet")

    @use_case("GET /workspaces/{workspace}/runs/{run}/artifacts", permission="training.read", cli="train artifacts")
    def list_artifacts(self, who: Principal, command: OneRun) -> list[Artifact]:
        """List the files that a run left."""
        del who
        with self._database.read() as conn:
            return artifacts_of(conn, need_run(conn, command.workspace, command.run).id)

    def artifact(self, workspace: str, run: str, name: str) -> tuple[Artifact, Path]:
        """Return a file of a run, for rooms and routes that checked the right themselves."""
        with self._database.read() as conn:
            known = artifacts_of(conn, need_run(conn, workspace, run).id)
        for artifact in known:
            if artifact.name == name:
                return artifact, self._ground.blobs.path(artifact.sha256)
        raise NotFound(f"the run left no file {name!r}", field="name", value=name, allowed=[a.name for a in known])

    def asked(self, workspace: str, run: str) -> Path | None:
        """Return what the questions of a run of series looked like in training, for rooms that checked the right themselves."""
        with self._database.read() as conn:
            known = artifacts_of(conn, need_run(conn, workspace, run).id)
        found = next((artifact for artifact in known if artifact.name == ASKED), None)
        return None if found is None else self._ground.blobs.path(found.sha256)

    def _document(self, owner: str, name: str, missing: str) -> dict[str, Any]:
        with self._database.read() as conn:
            found = [artifact for artifact in artifacts_of(conn, owner) if artifact.name == name]
        if not found:
            raise NotFound(missing, hint="wait for its end, and look into its job's log")
        with self._ground.blobs.open(found[0].sha256) as file:
            return json.loads(file.read())

    @use_case(
        "POST /workspaces/{workspace}/runs/{run}/evaluations",
        permission="training.edit",
        cli="train evaluate",
        status=202,
        progress="training.get_evaluation",
    )
    def evaluate_run(self, who: Principal, command: EvaluateRun) -> Evaluation:
        """Evaluate the exported file of a run on a part of its split; a part is evaluated once."""
        run = self.run(command.workspace, command.run)
        package = _need_package(run)
        with self._database.read() as conn:
            split = need_split(conn, run.workspace, run.split)
        location = self._ground.locate(who, run.workspace, run.dataset, run.dataset_version)
        folder = self._ground.models.package_folder(package.digest)
        payload = {**self.data_of(split, location), "package": str(folder), "part": command.part, "seed": run.seed}
        with self._database.change(who, command.workspace) as change:
            known = find_evaluation(change.conn, run.id, command.part)
            if known is not None and known.state != "FAILED":
                return known
            id_ = known.id if known is not None else _new_evaluation(change, run, command.part)
            attempt = known.version if known is not None else 1
            title = f"Evaluate {run.name} on {command.part} of {run.dataset}"
            wish = SubmitJob(
                workspace=run.workspace, kind=EVALUATE, title=title, payload=payload, key=f"{id_}:{attempt}"
            )
            job = self._ground.jobs.enqueue(change, replace(wish, subject=f"evaluation:{id_}"))
            put(change, evaluations, id_, job=job.id, state="PENDING", error=None)
            change.audit("training.run.evaluate", object_=f"run:{run.id}", detail={"part": command.part})
            return _need_evaluation(evaluation_by_id(change.conn, id_), command.part)

    @use_case("GET /workspaces/{workspace}/runs/{run}/evaluations", permission="training.read", cli="train evaluations")
    def list_evaluations(self, who: Principal, command: OneRun) -> list[Evaluation]:
        """List the evaluations of a run."""
        del who
        with self._database.read() as conn:
            return evaluations_of(conn, need_run(conn, command.workspace, command.run).id)

    @use_case(
        "GET /workspaces/{workspace}/runs/{run}/evaluations/{part}", permission="training.read", cli="train evaluation"
    )
    def get_evaluation(self, who: Principal, command: EvaluateRun) -> Evaluation:
        """Show what a run scores on a part, with the interval of the metric of its task."""
        del who
        with self._database.read() as conn:
            run = need_run(conn, command.workspace, command.run)
            return _need_evaluation(find_evaluation(conn, run.id, command.part), command.part)

    @use_case("GET /workspaces/{workspace}/runs/{run}/evaluations/{part}/report", permission="training.read")
    def get_evaluation_report(self, who: Principal, command: EvaluateRun) -> dict[str, Any]:
        """Show the curves of a classifier or the residuals of a regression, and permutation importance, on a part."""
        evaluation = self.get_evaluation(who, command)
        return self._document(evaluation.id, EVALUATION, f"the evaluation is {evaluation.state} and has no report yet")

    @use_case(
        "POST /workspaces/{workspace}/runs/{run}/register",
        permission="models.edit",
        cli="train register",
        status=201,
    )
    def register_run(self, who: Principal, command: RegisterRun) -> ModelVersion:
        """Register the package of a run as the next version of a model; the same run is one version."""
        run = self.run(command.workspace, command.run)
        package = _need_package(run)
        with self._database.read() as conn:
            split = need_split(conn, run.workspace, run.split)
            known = find_evaluation(conn, run.id, "test")
        test = known if known is not None and known.state == "READY" else None
        facts = Facts(
            recipe=run.recipe,
            recipe_version=run.recipe_version,
            params=run.params,
            dataset=run.dataset,
            dataset_version=run.dataset_version,
            target=run.target,
            rows=split.counts,
            seed=split.seed,
            task=run.task,
            evaluation={} if test is None else _judged(test),
            notes=(*split.notes, *run.notes),
        )
        scores = {} if test is None else {f"test_{name}": value for name, value in test.metrics.items()}
        wish = Registration(
            workspace=run.workspace,
            model=command.model,
            digest=package.digest,
            origin="run",
            source=run.id,
            key=f"run:{run.id}",
            name=command.name,
            description=command.description,
            facts=facts,
            metrics={**run.metrics, **scores},
        )
        return self._ground.models.register(who, wish)

    def run_done(
        self, workspace: str, run: str, result: Mapping[str, Any], outputs: Path, *, also: str = FOLDS
    ) -> None:
        """Keep what a run left, and the one further file that runs of its kind leave; repeating it changes nothing."""
        report = json.loads((outputs / REPORT).read_bytes())
        kept = self._ground.models.keep_package(outputs / result["package"]["folder"])
        found = [*self.kept_file(outputs, REPORT), *self.kept_file(outputs, also), *files_of(outputs, kept)]
        found += self.kept_file(outputs, ASKED) if (outputs / ASKED).is_file() else []
        described = {name: result["package"][name] for name in ("digest", "runtime", "size", "parity", "why_python")}
        with self._database.change(SYSTEM, workspace) as change:
            known = need_run(change.conn, workspace, run)
            if known.state in ENDED:
                return
            put_results(change, run, result["metrics"], history_of(report))
            put_artifacts(change, run, found)
            put_facts(change, run, result["params"], known.tags)
            values = {
                "metrics": dict(result["metrics"]),
                "notes": list(result["notes"]),
                "params": dict(result["params"]),
            }
            values |= {
                "sampled": _sampled(outputs),
                "package": asdict(RunPackage(**described)),
                "started_at": known.started_at or change.now,
            }
            put(change, runs, run, state="FINISHED", ended_at=change.now, **values)
            data = {"recipe": known.recipe, "digest": kept.digest, "metrics": dict(result["metrics"])}
            change.event(RUN_FINISHED, subject=f"run:{run}", data=data)
            ended = need_run(change.conn, workspace, run)
        tell(self._ground.live, ended)

    def run_failed(self, workspace: str, run: str, error: Mapping[str, Any] | None, *, is_cancelled: bool) -> None:
        """Note that a run failed or was cancelled."""
        with self._database.change(SYSTEM, workspace) as change:
            if need_run(change.conn, workspace, run).state in ENDED:
                return
            state = "KILLED" if is_cancelled else "FAILED"
            put(change, runs, run, state=state, ended_at=change.now, error=dict(error or {}))
            type_ = RUN_KILLED if is_cancelled else RUN_FAILED
            change.event(type_, subject=f"run:{run}", data={"code": (error or {}).get("code")})
            ended = need_run(change.conn, workspace, run)
        tell(self._ground.live, ended)

    def evaluation_done(self, workspace: str, evaluation: str, result: Mapping[str, Any], outputs: Path) -> None:
        """Keep what an evaluation found; repeating it changes nothing."""
        found = self.kept_file(outputs, EVALUATION)
        with self._database.change(SYSTEM, workspace) as change:
            known = _need_evaluation(evaluation_by_id(change.conn, evaluation), "")
            if known.state != "PENDING":
                return
            put_artifacts(change, evaluation, found)
            values = {name: result[name] for name in ("rows", "metrics", "auc", "interval", "notes")}
            put(change, evaluations, evaluation, state="READY", **values)
            metric = result["interval"]["metric"]
            data = {"part": known.part, metric: result["metrics"][metric]}
            change.event(EVALUATION_READY, subject=f"run:{known.run}", data=data)

    def evaluation_failed(self, workspace: str, evaluation: str, error: Mapping[str, Any] | None) -> None:
        """Note that an evaluation failed; asking again tries again."""
        with self._database.change(SYSTEM, workspace) as change:
            known = _need_evaluation(evaluation_by_id(change.conn, evaluation), "")
            if known.state != "PENDING":
                return
            put(change, evaluations, evaluation, state="FAILED", error=dict(error or {}))
            change.event(EVALUATION_FAILED, subject=f"run:{known.run}", data={"part": known.part})

    def kept_file(self, outputs: Path, name: str) -> list[Artifact]:
        """Keep a file that a job left."""
        blob = self._ground.blobs.put((outputs / name).read_bytes())
        return [Artifact(name=name, sha256=blob.sha256, size=blob.size)]


def _judged(test: Evaluation) -> dict[str, Any]:
    return {"part": test.part, "rows": test.rows, "auc": dict(test.auc), "interval": dict(test.interval)}


def _sampled(outputs: Path) -> list[str] | None:
    """Return what names the rows that became samples; None where no key names a row."""
    path = outputs / "sampled.json"
    return json.loads(path.read_bytes()) if path.exists() else None


def files_of(outputs: Path, kept: Any) -> list[Artifact]:
    """Return the files of a package that was kept."""
    files = [
        Artifact(name=f"package/{name}", sha256=file.sha256, size=file.size)
        for name, file in kept.manifest.files.items()
    ]
    size = (outputs / "package" / "manifest.json").stat().st_size
    return [*files, Artifact(name="package/manifest.json", sha256=kept.digest, size=size)]


def history_of(report: Mapping[str, Any]) -> Iterator[tuple[str, int, float]]:
    """Yield name, step and value of what a report has over folds and steps."""
    for number, fold in enumerate(report["folds"], start=1):
        for name, value in fold.items():
            yield f"fold_{name}", number, float(value)
    for name, found in {**report["history"], **report.get("system", {})}.items():
        for step, value in found:
            yield name, int(step), float(value)


def _need_package(run: Run) -> RunPackage:
    if run.package is None:
        raise Conflict(f"run {run.id!r} is {run.state} and has no package", value=run.state, allowed="FINISHED")
    return run.package


def _need_evaluation(found: Evaluation | None, part: str) -> Evaluation:
    if found is None:
        raise NotFound(f"the run was not evaluated on {part!r}", field="part", value=part, hint="evaluate it first")
    return found


def _new_evaluation(change: Change, run: Run, part: str) -> str:
    id_ = new_id()
    values = {
        "id": id_,
        "workspace": run.workspace,
        "run": run.id,
        "part": part,
        "state": "PENDING",
        "rows": None,
        "metrics": {},
        "auc": {},
        "interval": None,
        "notes": [],
        "error": None,
        "job": None,
        "created_by": change.who.id,
        "created_at": change.now,
        "version": 1,
    }
    add(change, evaluations, values)
    return id_
