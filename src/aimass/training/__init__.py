"""Training: recipes, splits, experiments and runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimass.kernel.doors import door

if TYPE_CHECKING:
    from aimass.training.capability import CAPABILITY
    from aimass.training.domain.autos import (
        AutoRun,
        BlendRuns,
        ListAutos,
        OneAuto,
        Recommendation,
        RecommendRecipes,
        StartAuto,
    )
    from aimass.training.domain.compression import Compression, CompressionCandidate, CompressRun
    from aimass.training.domain.evaluations import EvaluateRun, Evaluation
    from aimass.training.domain.experiments import CreateExperiment, Experiment, ListExperiments, OneExperiment
    from aimass.training.domain.recipes import OneRecipe
    from aimass.training.domain.runs import (
        CompareRuns,
        ListRuns,
        OneMetric,
        OneRun,
        RegisterRun,
        Run,
        StartOwnRun,
        StartRun,
        TagRun,
    )
    from aimass.training.domain.splits import CreateSplit, ListSplitRows, ListSplits, OneSplit, Split
    from aimass.training.domain.studies import (
        AskImportance,
        CreateStudy,
        ExtendStudy,
        Importance,
        ListStudies,
        ListTrials,
        Objective,
        OneStudy,
        Study,
        Trial,
    )
    from aimass.training.service.splits import Judges, Returned
    from aimass.training.service.training import Training
    from aimass.training.tasks import Task, find_task

__getattr__, __dir__ = door(
    __name__,
    {
        "AskImportance": "aimass.training.domain.studies",
        "CAPABILITY": "aimass.training.capability",
        "StartAuto": "aimass.training.domain.autos",
        "Recommendation": "aimass.training.domain.autos",
        "RecommendRecipes": "aimass.training.domain.autos",
        "OneAuto": "aimass.training.domain.autos",
        "ListAutos": "aimass.training.domain.autos",
        "BlendRuns": "aimass.training.domain.autos",
        "AutoRun": "aimass.training.domain.autos",
        "CompareRuns": "aimass.training.domain.runs",
        "CompressRun": "aimass.training.domain.compression",
        "Compression": "aimass.training.domain.compression",
        "CompressionCandidate": "aimass.training.domain.compression",
        "CreateExperiment": "aimass.training.domain.experiments",
        "CreateSplit": "aimass.training.domain.splits",
        "CreateStudy": "aimass.training.domain.studies",
        "EvaluateRun": "aimass.training.domain.evaluations",
        "Evaluation": "aimass.training.domain.evaluations",
        "Experiment": "aimass.training.domain.experiments",
        "ExtendStudy": "aimass.training.domain.studies",
        "Importance": "aimass.training.domain.studies",
        "Judges": "aimass.training.service.splits",
        "ListExperiments": "aimass.training.domain.experiments",
        "ListRuns": "aimass.training.domain.runs",
        "ListSplitRows": "aimass.training.domain.splits",
        "ListSplits": "aimass.training.domain.splits",
        "ListStudies": "aimass.training.domain.studies",
        "ListTrials": "aimass.training.domain.studies",
        "Objective": "aimass.training.domain.studies",
        "OneExperiment": "aimass.training.domain.experiments",
        "OneMetric": "aimass.training.domain.runs",
        "OneRecipe": "aimass.training.domain.recipes",
        "OneRun": "aimass.training.domain.runs",
        "OneSplit": "aimass.training.domain.splits",
        "OneStudy": "aimass.training.domain.studies",
        "RegisterRun": "aimass.training.domain.runs",
        "Returned": "aimass.training.service.splits",
        "Run": "aimass.training.domain.runs",
        "Split": "aimass.training.domain.splits",
        "StartOwnRun": "aimass.training.domain.runs",
        "StartRun": "aimass.training.domain.runs",
        "Study": "aimass.training.domain.studies",
        "TagRun": "aimass.training.domain.runs",
        "Task": "aimass.training.tasks",
        "Training": "aimass.training.service.training",
        "Trial": "aimass.training.domain.studies",
        "find_task": "aimass.training.tasks",
    },
)
__all__ = [
    "CAPABILITY",
    "AskImportance",
    "AutoRun",
    "BlendRuns",
    "CompareRuns",
    "CompressRun",
    "Compression",
    "CompressionCandidate",
    "CreateExperiment",
    "CreateSplit",
    "CreateStudy",
    "EvaluateRun",
    "Evaluation",
    "Experiment",
    "ExtendStudy",
    "Importance",
    "Judges",
    "ListAutos",
    "ListExperiments",
    "ListRuns",
    "ListSplitRows",
    "ListSplits",
    "ListStudies",
    "ListTrials",
    "Objective",
    "OneAuto",
    "OneExperiment",
    "OneMetric",
    "OneRecipe",
    "OneRun",
    "OneSplit",
    "OneStudy",
    "RecommendRecipes",
    "Recommendation",
    "RegisterRun",
    "Returned",
    "Run",
    "Split",
    "StartAuto",
    "StartOwnRun",
    "StartRun",
    "Study",
    "TagRun",
    "Task",
    "Training",
    "Trial",
    "find_task",
]
