"""Runs side by side."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Response

from aimass.training.console.charts.best import best_of
from aimass.training.console.charts.numbers import deciles_of
from aimass.training.console.charts.parts import pairs
from aimass.training.console.run import report_of
from aimass.training.domain.runs import CompareRuns, Run
from aimass.training.service.training import Training
from aimass.web import PageVisit, Visit, page_router

router = page_router()
LEAST, MOST = 2, 5
_CLASSES = ("cv_roc_auc", "cv_roc_auc_sd", "roc_auc", "pr_auc", "log_loss", "brier", "f1", "accuracy")
_LABELS = (
    "cv_macro_ap",
    "cv_macro_ap_sd",
    "macro_ap",
    "micro_ap",
    "macro_f1",
    "micro_f1",
    "hamming_loss",
    "subset_accuracy",
)
FIRST = (*_LABELS, *_CLASSES, "cv_rmse", "cv_rmse_sd", "cv_r2", "cv_r2_sd", "rmse", "mae", "median_ae", "r2", "mape")


@router.get("/{workspace}/work/training/compare")
def compare(visit: Visit, run: Annotated[list[str], Query()] = [], all: bool = False) -> Response:  # noqa: A002, B006 names and defaults of the address
    """Show runs side by side.

    The question: which run is best, and what did it do differently?
    """
    if not LEAST <= len(run) <= MOST:
        return visit.render("training/compare.html", compared=None, least=LEAST, most=MOST, count=len(run))
    compared = visit.get(Training).compare_runs(visit.who, CompareRuns(workspace=visit.workspace, runs=run))
    metrics = [(name, values, best_of(name, values)) for name, values in _ordered(compared.metrics)]
    settings = [row for row in _settings(compared.runs) if all or len({str(value) for value in row[1]}) > 1]
    roc = [curve for one in compared.runs for curve in _roc(visit, one)]
    numbers = [curve for one in compared.runs for curve in _deciles(visit, one)]
    labels = [curve for one in compared.runs for curve in _labels(visit, one)]
    charts = {
        "roc": {"curves": roc},
        "deciles": {"lines": True, "curves": numbers} if numbers else None,
        "labels": {"curves": labels} if labels else None,
    }
    return visit.render(
        "training/compare.html", compared=compared, metrics=metrics, settings=settings, charts=charts, all=all
    )


def _ordered(metrics: Any) -> list[tuple[str, Any]]:
    first = [(name, metrics[name]) for name in FIRST if name in metrics]
    return first + [(name, values) for name, values in metrics.items() if name not in FIRST]


def _settings(runs: tuple[Run, ...]) -> list[tuple[str, list[Any]]]:
    """Return data, recipe and parameters as rows; a parameter that a recipe does not know is None."""
    fixed = ("recipe", "recipe_version", "dataset", "dataset_version", "target", "task", "split", "seed", "folds")
    rows = [(name, [getattr(run, name) for run in runs]) for name in fixed]
    names = sorted({name for run in runs for name in run.params})
    return rows + [(name, [run.params.get(name) for run in runs]) for name in names]


def _deciles(visit: PageVisit, run: Run) -> list[dict[str, Any]]:
    """Return mean truth and prediction per tenth of the validation rows of a run that predicts numbers."""
    report = report_of(visit, run)
    return [{"name": run.name, "points": deciles_of(report)}] if report and "deciles" in report["curves"] else []


def _labels(visit: PageVisit, run: Run) -> list[dict[str, Any]]:
    """Return precision and recall over all labels on the validation rows of a run that tells several."""
    report = report_of(visit, run)
    if not report or "labels" not in report["curves"]:
        return []
    curve = report["curves"]["pr"]
    return [{"name": run.name, "points": pairs(curve["recall"], curve["precision"])}]


def _roc(visit: PageVisit, run: Run) -> list[dict[str, Any]]:
    report = report_of(visit, run)
    curves = report["curves"].get("roc", {}) if report else {}
    if len(curves) != 1:
        return []
    curve = next(iter(curves.values()))
    points = pairs(curve["false_positive_rate"], curve["true_positive_rate"])
    return [{"name": run.name, "points": points}]
