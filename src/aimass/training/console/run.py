"""One training run: what it scored, how it learned, what it left; and its evaluation on a model's page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import Form, Response

from aimass.kernel.errors import NotFound
from aimass.models import SAMPLES, ModelVersion
from aimass.training.console.charts import charts_of
from aimass.training.console.charts.runs import folds_of, history_of, system_of, words_of
from aimass.training.domain.evaluations import EvaluateRun, Evaluation
from aimass.training.domain.runs import OneRun, RegisterRun, Run
from aimass.training.domain.words import Part
from aimass.training.picturing import name_of
from aimass.training.service.training import Training
from aimass.training.tasks import TASKS
from aimass.web import PageVisit, Panel, Picture, Visit, page_router, picture_of

router = page_router()
PATH = "/{workspace}/work/training/{run}"
EXAMPLES, DETECTION = 8, "detection"
Tab = Literal["", "evaluation", "files", "log"]
PARTS = {"run-head": "training/_run_head.html", "run-body": "training/_run_body.html"}


@router.get(PATH)
def run(visit: Visit, run: str, tab: Tab = "", part: Part | Literal[""] = "") -> Response:
    """Show one run.

    The question: how good is it, how sure is that, and what was it trained with?
    """
    training, one = visit.get(Training), OneRun(workspace=visit.workspace, run=run)
    found = training.get_run(visit.who, one)
    evaluations = training.list_evaluations(visit.who, one)
    report = report_of(visit, found)
    more: dict[str, Any] = {"shown": evaluation_shown(visit, found, evaluations, part)} if tab == "evaluation" else {}
    if tab == "evaluation" and TASKS[found.task].is_written:
        is_seen = found.task == DETECTION
        more |= {"pictures": pictures_of(visit, found)} if is_seen else {"examples": examples_of(visit, found)}
    more |= {"artifacts": training.list_artifacts(visit.who, one)} if tab == "files" else {}
    if report and not tab:
        more |= {
            "charts": charts_of(report, visit.say),
            "history": history_of(report),
            "words": words_of(report),
            "alarms": report.get("alarms"),
            "system": system_of(report, visit.say("seconds")),
            "folds": folds_of(report, TASKS[found.task].metric, visit.say("fold")),
        }
    return visit.render(
        "training/run.html",
        parts=PARTS,
        run=found,
        tab=tab,
        evaluations=evaluations,
        test=on_part(evaluations, "test"),
        task=TASKS[found.task],
        **more,
    )


@router.post(f"{PATH}/cancel")
def cancel(visit: Visit, run: str) -> Response:
    """Cancel a run."""
    visit.get(Training).cancel_run(visit.who, OneRun(workspace=visit.workspace, run=run))
    return visit.done(visit.say("The run is asked to stop"))


@router.post(f"{PATH}/evaluations")
def evaluate(visit: Visit, run: str, part: Annotated[Part, Form()] = "test") -> Response:
    """Evaluate the exported file on a part of the data."""
    visit.get(Training).evaluate_run(visit.who, EvaluateRun(workspace=visit.workspace, run=run, part=part))
    return visit.done(visit.say("The evaluation has started"))


@router.post(f"{PATH}/register")
def register(
    visit: Visit, run: str, model: Annotated[str, Form()], description: Annotated[str, Form()] = ""
) -> Response:
    """Register the package as a model version, then open it."""
    wish = RegisterRun(workspace=visit.workspace, run=run, model=model, description=description)
    made = visit.get(Training).register_run(visit.who, wish)
    toast = visit.say("%(name)s version %(n)d is registered", name=made.model, n=made.number)
    return visit.go(f"/{visit.workspace}/models/{made.model}/versions/{made.number}", toast=toast)


@router.delete(PATH)
def delete(visit: Visit, run: str) -> Response:
    """Delete a run that has ended."""
    visit.get(Training).delete_run(visit.who, OneRun(workspace=visit.workspace, run=run))
    return visit.go(f"/{visit.workspace}/work/training", toast=visit.say("The run was deleted"))


def report_of(visit: PageVisit, run: Run) -> dict[str, Any] | None:
    """Return the report of a run, or None before its end."""
    try:
        return visit.get(Training).get_run_report(visit.who, OneRun(workspace=run.workspace, run=run.id))
    except NotFound:
        return None


def examples_of(visit: PageVisit, run: Run) -> list[tuple[str, Any]]:
    """Return texts and what the model says of them: the samples of its package, none before there is one.

    Of a language model it is how many bits it needs for a byte.
    """
    samples = _samples_of(visit, run)
    if samples is None:
        return []
    (texts,), outputs = samples["inputs"].values(), samples["outputs"]
    if "bits" in outputs:
        sizes = [len((text or "").encode("utf-8", "replace")) + 1 for text in texts]
        outputs = {"bits": [bits / size for bits, size in zip(outputs["bits"], sizes, strict=True)]}
    (found,) = outputs.values()
    return [(text or "", written) for text, written in zip(texts, found, strict=True)][:EXAMPLES]


def pictures_of(visit: PageVisit, run: Run) -> list[Picture]:
    """Return pictures with what the model finds in them, and with what is there as far as the report of the run tells it."""
    samples = _samples_of(visit, run)
    if samples is None:
        return []
    true = (report_of(visit, run) or {}).get("true") or {}
    (given,), (found,) = samples["inputs"].values(), samples["outputs"].values()
    pairs = list(zip(given, found, strict=True))[:EXAMPLES]
    drawn = (picture_of(pixels, written, true.get(name_of(pixels)), run.params) for pixels, written in pairs)
    return [picture for picture in drawn if picture is not None]


def _samples_of(visit: PageVisit, run: Run) -> dict[str, Any] | None:
    """Return the samples that the package of a run carries; None before there is one."""
    try:
        _, path = visit.get(Training).artifact(run.workspace, run.id, f"package/{SAMPLES}")
    except NotFound:
        return None
    return json.loads(path.read_text("utf-8"))


def on_part(evaluations: list[Evaluation], part: str) -> Evaluation | None:
    """Return the evaluation on a part."""
    return next((one for one in evaluations if one.part == part), None)


def evaluation_shown(
    visit: PageVisit, run: Run, evaluations: list[Evaluation], part: str = ""
) -> dict[str, Any] | None:
    """Return figures and charts of the evaluation on a part; without a wish the test, else the validation rows."""
    task = TASKS[run.task]
    ready = [one for one in evaluations if one.state == "READY"]
    chosen = on_part(ready, part or "test")
    parts = [*(["validation"] if run.package else []), *(one.part for one in ready if one.part != "validation")]
    if chosen is not None and part != "validation":
        wish = EvaluateRun(workspace=run.workspace, run=run.id, part=chosen.part)
        report: Mapping[str, Any] = visit.get(Training).get_evaluation_report(visit.who, wish)
        if task.is_of_sets:  # what the package chooses by stands with the run
            report = {**report, "thresholds": (report_of(visit, run) or {}).get("thresholds")}
        figures = {"rows": chosen.rows, "interval": chosen.interval, "metrics": chosen.metrics, "notes": chosen.notes}
        return {"part": chosen.part, "parts": parts, "task": task, "charts": charts_of(report, visit.say), **figures}
    found = report_of(visit, run)
    if found is None:
        return None
    rows = (found.get("rows") or {}).get("validation")
    figures = {"rows": rows, "interval": None, "metrics": found["metrics"], "notes": found["notes"]}
    return {"part": "validation", "parts": parts, "task": task, "charts": charts_of(found, visit.say), **figures}


def evaluation_panel(visit: PageVisit, version: ModelVersion) -> Panel | None:
    """Return the evaluation of the run that a model version comes from; for the page of the version."""
    if version.origin != "run" or not visit.allows("training.read"):
        return None
    training, one = visit.get(Training), OneRun(workspace=version.workspace, run=version.source)
    try:
        run = training.get_run(visit.who, one)
    except NotFound:
        return None
    wanted = visit.request.query_params.get("part", "")
    shown = evaluation_shown(visit, run, training.list_evaluations(visit.who, one), wanted)
    return None if shown is None else Panel(template="training/_evaluation.html", context={"shown": shown, "run": run})
