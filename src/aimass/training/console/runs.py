"""The list of training runs, and the forms that split and train."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from fastapi import Form, Query, Response
from pydantic import BaseModel

from aimass.kernel.errors import Invalid
from aimass.kernel.pages import Page
from aimass.training.domain.experiments import ListExperiments
from aimass.training.domain.runs import ListRuns, Run, StartRun
from aimass.training.domain.splits import CreateSplit, ListSplits
from aimass.training.domain.words import RunState
from aimass.training.service.training import Training
from aimass.training.tasks import TASKS, TaskName
from aimass.web import PageVisit, Visit, page_router

router = page_router()
PATH = "/{workspace}/work/training"
LIST = {"runs": "training/_runs.html"}
MOST = 200
COLUMNS: dict[str, tuple[tuple[str, str, bool], ...]] = {
    "classification": (("roc_auc", "ROC AUC", False), ("pr_auc", "PR AUC", False), ("log_loss", "Log loss", True)),
    "anomaly": (("roc_auc", "ROC AUC", False), ("pr_auc", "PR AUC", False), ("f1", "F1", False)),
    "clustering": (
        ("silhouette", "Silhouette", False),
        ("davies_bouldin", "Davies-Bouldin", True),
        ("adjusted_rand", "Adjusted Rand", False),
    ),
    "ranking": (("ndcg_10", "NDCG@10", False), ("map", "MAP", False), ("mrr", "MRR", False)),
    "forecasting": (("mase", "MASE", True), ("skill", "Skill", False), ("smape", "sMAPE", True)),
    "multilabel": (
        ("macro_ap", "Macro AP", False),
        ("micro_f1", "Micro F1", False),
        ("hamming_loss", "Hamming loss", True),
    ),
    "policy": (("dr", "DR value", False), ("lift", "Lift", False), ("ess", "ESS", False)),
    "tagging": (("f1", "F1", False), ("precision", "Precision", False), ("recall", "Recall", False)),
    "language": (
        ("bits_per_byte", "Bits per byte", True),
        ("perplexity", "Perplexity", True),
        ("gain", "Gain", False),
    ),
    "summary": (("rouge_l", "ROUGE-L", False), ("rouge_1", "ROUGE-1", False), ("rouge_2", "ROUGE-2", False)),
    "detection": (("ap", "mAP", False), ("ap_50", "mAP@50", False), ("recall", "Recall", False)),
    "regression": (("rmse", "RMSE", True), ("mae", "MAE", True), ("r2", "R²", False)),
}


class Wanted(BaseModel):
    """What the address of a list of runs asks for."""

    experiment: str = ""
    recipe: str = ""
    task: TaskName | Literal[""] = ""
    state: RunState | Literal[""] = ""
    dataset: str = ""
    where: str = ""
    sort: str = ""
    cursor: str | None = None

    @property
    def is_filtered(self) -> bool:
        """Tell whether anything but the order is wished."""
        return bool(self.recipe or self.task or self.state or self.dataset or self.experiment or self.where)


class Start(BaseModel):
    """The form for a new run."""

    recipe: str
    split: str = ""
    experiment: str = "default"
    name: str = ""
    params: str = ""
    seed: int = 0


class Splitting(BaseModel):
    """The form for a new split."""

    dataset: str
    target: str = ""
    task: TaskName | Literal[""] = ""
    key_column: str = ""
    group_column: str = ""
    time_column: str = ""
    horizon: int | Literal[""] = ""
    label_separator: str = ""
    action_column: str = ""
    propensity_column: str = ""
    episode_column: str = ""
    step_column: str = ""
    discount: float | Literal[""] = ""
    known_ahead: str = ""
    past: str = ""
    seed: int = 0


@router.get(PATH)
def runs(visit: Visit, wanted: Annotated[Wanted, Query()]) -> Response:
    """List the training runs.

    The question: which runs are best, which are still at work, which failed?
    """
    return visit.render("training/runs.html", parts=LIST, **shown_runs(visit, wanted))


@router.post(PATH)
def start(visit: Visit, wish: Annotated[Start, Form()]) -> Response:
    """Train a recipe, then open the run."""
    command = StartRun(
        workspace=visit.workspace,
        recipe=wish.recipe,
        split=wish.split,
        experiment=wish.experiment or "default",
        name=wish.name or None,
        params=object_of(visit, wish.params),
        seed=wish.seed,
    )
    made = visit.get(Training).start_run(visit.who, command)
    return visit.go(
        f"/{visit.workspace}/work/training/{made.id}", toast=visit.say("%(name)s is training", name=made.name)
    )


@router.post("/{workspace}/work/splits")
def split(visit: Visit, wish: Annotated[Splitting, Form()]) -> Response:
    """Split a dataset."""
    command = CreateSplit(
        workspace=visit.workspace,
        dataset=wish.dataset,
        target=wish.target,
        task=wish.task or None,
        key_column=wish.key_column or None,
        group_column=wish.group_column or None,
        time_column=wish.time_column or None,
        horizon=wish.horizon or None,
        label_separator=wish.label_separator or None,
        action_column=wish.action_column or None,
        propensity_column=wish.propensity_column or None,
        episode_column=wish.episode_column or None,
        step_column=wish.step_column or None,
        discount=wish.discount or None,
        known_ahead=_named(wish.known_ahead),
        past=_named(wish.past),
        seed=wish.seed,
    )
    visit.get(Training).create_split(visit.who, command)
    address = f"/{visit.workspace}/work/training"
    return visit.go(address, toast=visit.say("%(name)s is being split; then you can train on it", name=wish.dataset))


def _named(said: str) -> list[str] | None:
    """Return the columns of a field in which commas stand between them."""
    return [name.strip() for name in said.split(",") if name.strip()] or None


def shown_runs(visit: PageVisit, wanted: Wanted) -> dict[str, Any]:
    """Return what the list of runs shows."""
    training = visit.get(Training)
    wish = ListRuns(
        workspace=visit.workspace,
        experiment=wanted.experiment or None,
        recipe=wanted.recipe or None,
        task=wanted.task or None,
        state=wanted.state or None,
        dataset=wanted.dataset or None,
        where=wanted.where or None,
        sort=wanted.sort.removeprefix("-") or None,
        ascending=not wanted.sort.startswith("-"),
        cursor=wanted.cursor,
    )
    experiments = training.list_experiments(visit.who, ListExperiments(workspace=visit.workspace, limit=MOST))
    splits = training.list_splits(visit.who, ListSplits(workspace=visit.workspace, limit=MOST))
    found, fault = _listed(training, visit, wish)
    return {
        "found": found,
        "fault": fault,
        "tasks": TASKS,
        "task": TASKS[wanted.task or _common([run.task for run in found.items])],
        "columns": COLUMNS[wanted.task or _common([run.task for run in found.items])],
        "wanted": wanted,
        "best": "",
        "experiments": [(one.slug, one.name) for one in experiments.items],
        "recipes": training.list_recipes(visit.who),
        "splits": [one for one in splits.items if one.state == "READY"],
    }


def _listed(training: Training, visit: PageVisit, wish: ListRuns) -> tuple[Page[Run], dict[str, Any] | None]:
    """Return the runs; or none, and what is wrong with the conditions that somebody types."""
    try:
        return training.list_runs(visit.who, wish), None
    except Invalid as error:
        if error.field != "where":
            raise
        return Page(items=[], next=None), error.problem()


def _common(tasks: list[TaskName]) -> TaskName:
    """Return the task whose figures the list shows: that of all its runs, else classification."""
    return tasks[0] if len(set(tasks)) == 1 else "classification"


def object_of(visit: PageVisit, text: str, field: str = "params") -> dict[str, Any]:
    """Read a JSON object that a person wrote; empty is an empty one."""
    try:
        value = json.loads(text or "{}")
    except ValueError as reason:
        raise Invalid(visit.say("This is no JSON: %(reason)s", reason=reason), field=field) from reason
    if not isinstance(value, dict):
        raise Invalid(visit.say('Write an object, for example {"seed": 7}'), field=field)
    return value
