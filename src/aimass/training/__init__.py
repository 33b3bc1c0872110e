"""Training: recipes, splits, experiments and runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimass.kernel.doors import door

if TYPE_CHECKING:
    from aimass.training.capability import CAPABILITY
    from aimass.training.domain import (
        CompareRuns,
        CreateExperiment,
        CreateSplit,
        EvaluateRun,
        Evaluation,
        Experiment,
        ListExperiments,
        ListRuns,
        ListSplitRows,
        ListSplits,
        OneExperiment,
        OneMetric,
        OneRecipe,
        OneRun,
        OneSplit,
        RegisterRun,
        Run,
        Split,
        StartRun,
        TagRun,
    )
    from aimass.training.service.splits import Judges, Returned
    from aimass.training.service.training import Training

_DOMAIN = "aimass.training.domain"
__getattr__, __dir__ = door(
    __name__,
    {
        "CAPABILITY": "aimass.training.capability",
        "CompareRuns": _DOMAIN,
        "CreateExperiment": _DOMAIN,
        "CreateSplit": _DOMAIN,
        "EvaluateRun": _DOMAIN,
        "Evaluation": _DOMAIN,
        "Experiment": _DOMAIN,
        "Judges": "aimass.training.service.splits",
        "ListExperiments": _DOMAIN,
        "ListRuns": _DOMAIN,
        "ListSplitRows": _DOMAIN,
        "ListSplits": _DOMAIN,
        "OneExperiment": _DOMAIN,
        "OneMetric": _DOMAIN,
        "OneRecipe": _DOMAIN,
        "OneRun": _DOMAIN,
        "OneSplit": _DOMAIN,
        "RegisterRun": _DOMAIN,
        "Returned": "aimass.training.service.splits",
        "Run": _DOMAIN,
        "Split": _DOMAIN,
        "StartRun": _DOMAIN,
        "TagRun": _DOMAIN,
        "Training": "aimass.training.service.training",
    },
)
__all__ = [
    "CAPABILITY",
    "CompareRuns",
    "CreateExperiment",
    "CreateSplit",
    "EvaluateRun",
    "Evaluation",
    "Experiment",
    "Judges",
    "ListExperiments",
    "ListRuns",
    "ListSplitRows",
    "ListSplits",
    "OneExperiment",
    "OneMetric",
    "OneRecipe",
    "OneRun",
    "OneSplit",
    "RegisterRun",
    "Returned",
    "Run",
    "Split",
    "StartRun",
    "TagRun",
    "Training",
]
