"""Which measures belong to which task: a further task is one more entry here and in :mod:`aimass.training.tasks`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aimass.training.measures.anomalies import anomaly_scores
from aimass.training.measures.boxes import ap, ap_interval, box_curves, box_scores, compare_ap
from aimass.training.measures.clusters import (
    cluster_curves,
    cluster_scores,
    compare_silhouette,
    silhouette,
    silhouette_interval,
)
from aimass.training.measures.curves import curves
from aimass.training.measures.episodes import (
    compare_episodes,
    either,
    episode_curves,
    episode_doubt,
    episode_interval,
    episode_scores,
    episode_value,
)
from aimass.training.measures.forecasts import compare_mase, forecast_curves, forecast_scores, mase, mase_interval
from aimass.training.measures.intervals import Comparison, Interval, auc_interval, compare_auc
from aimass.training.measures.labels import compare_macro_ap, label_curves, label_scores, macro_ap, macro_ap_interval
from aimass.training.measures.language import (
    bits_per_byte,
    compare_language,
    language_curves,
    language_interval,
    language_scores,
)
from aimass.training.measures.numbers import compare_rmse, number_curves, number_scores, rmse, rmse_interval
from aimass.training.measures.policies import (
    compare_policies,
    doubt_of,
    policy_curves,
    policy_interval,
    policy_scores,
    value_of,
)
from aimass.training.measures.relevance import (
    compare_ndcg,
    ndcg,
    ndcg_interval,
    relevance_curves,
    relevance_scores,
)
from aimass.training.measures.scores import macro_auc, scores
from aimass.training.measures.spans import compare_f1, f1, f1_interval, span_curves, span_scores
from aimass.training.measures.summaries import (
    compare_summaries,
    rouge_of,
    summary_curves,
    summary_interval,
    summary_scores,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """The measures of a task, each of the truth and of what a model says.

    Attributes
    ----------
    scores
        Every number by which runs are compared.
    score
        The metric of the task alone.
    interval
        That metric with its interval.
    compare
        That metric of two models on the same rows: candidate, champion.
    curves
        What a page shows; takes the classes too, none for numbers.
    doubt
        Why the rows tell too little of a model; empty where they tell enough.
    """

    scores: Callable[[Any, Any], dict[str, float]]
    score: Callable[[Any, Any], float]
    interval: Callable[..., Interval]
    compare: Callable[..., Comparison]
    curves: Callable[[Any, Any, Sequence[str]], dict[str, Any]]
    doubt: Callable[[Any, Any], str] = lambda _truth, _said: ""


MEASURES: Mapping[str, Measures] = {
    "classification": Measures(
        scores=scores, score=macro_auc, interval=auc_interval, compare=compare_auc, curves=curves
    ),
    "anomaly": Measures(
        scores=anomaly_scores, score=macro_auc, interval=auc_interval, compare=compare_auc, curves=curves
    ),
    "clustering": Measures(
        scores=cluster_scores,
        score=silhouette,
        interval=silhouette_interval,
        compare=compare_silhouette,
        curves=cluster_curves,
    ),
    "forecasting": Measures(
        scores=forecast_scores,
        score=mase,
        interval=mase_interval,
        compare=compare_mase,
        curves=lambda truth, said, _classes: forecast_curves(truth, said),
    ),
    "policy": Measures(
        scores=either(policy_scores, episode_scores),
        score=either(value_of, episode_value),
        interval=either(policy_interval, episode_interval),
        compare=either(compare_policies, compare_episodes),
        curves=either(policy_curves, episode_curves),
        doubt=either(doubt_of, episode_doubt),
    ),
    "regression": Measures(
        scores=number_scores,
        score=rmse,
        interval=rmse_interval,
        compare=compare_rmse,
        curves=lambda truth, predicted, _classes: number_curves(truth, predicted),
    ),
    "tagging": Measures(
        scores=span_scores,
        score=f1,
        interval=f1_interval,
        compare=compare_f1,
        curves=lambda truth, said, _classes: span_curves(truth, said),
    ),
    "language": Measures(
        scores=language_scores,
        score=bits_per_byte,
        interval=language_interval,
        compare=compare_language,
        curves=lambda truth, said, _classes: language_curves(truth, said),
    ),
    "summary": Measures(
        scores=summary_scores,
        score=rouge_of,
        interval=summary_interval,
        compare=compare_summaries,
        curves=lambda truth, said, _classes: summary_curves(truth, said),
    ),
    "detection": Measures(
        scores=box_scores,
        score=ap,
        interval=ap_interval,
        compare=compare_ap,
        curves=lambda truth, said, _classes: box_curves(truth, said),
    ),
    "ranking": Measures(
        scores=relevance_scores, score=ndcg, interval=ndcg_interval, compare=compare_ndcg, curves=relevance_curves
    ),
    "multilabel": Measures(
        scores=label_scores,
        score=macro_ap,
        interval=macro_ap_interval,
        compare=compare_macro_ap,
        curves=label_curves,
    ),
}


def measures_of(task: str) -> Measures:
    """Return the measures of a task."""
    return MEASURES[task]
