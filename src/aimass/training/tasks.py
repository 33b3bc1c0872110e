"""Tasks: what is predicted, and by which number runs are compared unless somebody names another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from aimass.kernel.errors import Invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A kind of question that models answer.

    Attributes
    ----------
    metric
        The score that runs are compared by; its mean over the folds is ``cv_<metric>``.
    metric_title
        How people write it.
    is_lower_better
        Whether less of it is better.
    guess, guessed
        A score that tells whether a model is better than a guess, and what a guess reaches.
    recipes
        What is trained when nobody names recipes; slow ones first, so that no slot idles.
    reading
        What is trained beside them where there is free text.
    hearing
        What is trained instead of them where nothing but clips of sound is to be learned from.
    following
        What is trained beside them where rows follow each other in episodes.
    needs_target
        Whether a column tells what is true; else one may be named, to measure by alone.
    needs_group
        Whether a column tells which rows stand beside each other.
    is_blendable
        Whether answers of several models make a better one.
    is_windowed
        Whether what is asked is cut out of series of a dataset, instead of being one of its rows.
    is_of_sets
        Whether the truth of a row is a set of labels, instead of one value.
    needs_action
        Whether a column tells which action was taken, and what is predicted is what came of it.
    is_surely
        Whether a candidate has to be better than the champion beyond chance, instead of losing little.
    is_written
        Whether a model reads one text, or sees one picture, and answers with a text: a list of what it found.
    """

    name: str
    title: str
    metric: str
    metric_title: str
    is_lower_better: bool = False
    guess: str
    guessed: float
    recipes: tuple[str, ...]
    reading: tuple[str, ...] = ()
    hearing: tuple[str, ...] = ()
    following: tuple[str, ...] = ()
    needs_target: bool = True
    needs_group: bool = False
    is_blendable: bool = True
    is_windowed: bool = False
    is_of_sets: bool = False
    needs_action: bool = False
    is_surely: bool = False
    is_written: bool = False

    @property
    def grows_by_rows(self) -> bool:
        """Tell whether more is learned from newer rows of the dataset alone, because single answers with their truth are no such rows.

        A forecast is asked with many rows and answers many moments. Of a policy's decisions a row tells the action and its chance
        beside what came of it; a learner makes such rows of feedback.

        Examples
        --------
        >>> [name for name, task in TASKS.items() if task.grows_by_rows]
        ['forecasting', 'policy']
        """
        return self.is_windowed or self.needs_action

    @property
    def objective(self) -> str:
        """Return the metric that a search looks at: the mean over the folds.

        Examples
        --------
        >>> TASKS["classification"].objective
        'cv_roc_auc'
        """
        return f"cv_{self.metric}"

    def usual(self, texts: Sequence[str] = (), *, has_episodes: bool = False) -> tuple[str, ...]:
        """Return what is trained when nobody names recipes, for a split with these columns of free text, and with episodes.

        Examples
        --------
        >>> TASKS["classification"].usual(["review"])[0], TASKS["ranking"].usual(["review"])[0]
        ('text_linear', 'random_forest')
        """
        more = (*(self.reading if texts else ()), *(self.following if has_episodes else ()))
        return (*more, *self.recipes)


TASKS: Mapping[str, Task] = {
    task.name: task
    for task in (
        Task(
            name="classification",
            title="Classification",
            metric="roc_auc",
            metric_title="ROC AUC",
            guess="roc_auc",
            guessed=0.5,
            recipes=("gradient_boosting", "random_forest", "lightgbm", "logistic_regression"),
            reading=("text_linear",),
            hearing=("sound_kernels",),
        ),
        Task(
            name="regression",
            title="Regression",
            metric="rmse",
            metric_title="RMSE",
            is_lower_better=True,
            guess="r2",
            guessed=0.0,
            recipes=("gradient_boosting", "random_forest", "lightgbm", "linear_regression"),
            reading=("text_linear",),
        ),
        Task(
            name="anomaly",
            title="Anomaly detection",
            metric="roc_auc",
            metric_title="ROC AUC",
            guess="roc_auc",
            guessed=0.5,
            recipes=("local_outlier", "isolation_forest"),
            needs_target=False,
            is_blendable=False,
        ),
        Task(
            name="clustering",
            title="Clustering",
            metric="silhouette",
            metric_title="Silhouette",
            guess="silhouette",
            guessed=0.0,
            recipes=("kmeans",),
            needs_target=False,
            is_blendable=False,
        ),
        Task(
            name="ranking",
            title="Ranking",
            metric="ndcg_10",
            metric_title="NDCG@10",
            guess="over_chance",
            guessed=0.0,
            recipes=("random_forest", "lightgbm", "linear_regression"),
            needs_group=True,
            is_blendable=False,
        ),
        Task(
            name="forecasting",
            title="Forecasting",
            metric="mase",
            metric_title="MASE",
            is_lower_better=True,
            guess="skill",
            guessed=0.0,
            recipes=("lag_boosting", "lag_regression", "seasonal_naive"),
            is_blendable=False,
            is_windowed=True,
        ),
        Task(
            name="multilabel",
            title="Multi-label classification",
            metric="macro_ap",
            metric_title="Macro AP",
            guess="roc_auc",
            guessed=0.5,
            recipes=("random_forest", "lightgbm", "logistic_regression"),
            reading=("text_linear",),
            is_blendable=False,
            is_of_sets=True,
        ),
        Task(
            name="policy",
            title="Policy",
            metric="dr",
            metric_title="DR value",
            guess="lift",
            guessed=0.0,
            recipes=("lightgbm_policy", "linear_policy"),
            following=("fitted_q",),
            is_blendable=False,
            needs_action=True,
            is_surely=True,
        ),
        Task(
            name="tagging",
            title="Named entities",
            metric="f1",
            metric_title="F1",
            guess="f1",
            guessed=0.01,
            recipes=("linear_tagger",),
            is_blendable=False,
            is_written=True,
        ),
        Task(
            name="language",
            title="Language model",
            metric="bits_per_byte",
            metric_title="Bits per byte",
            is_lower_better=True,
            guess="gain",
            guessed=0.0,
            recipes=("ngram_language",),
            needs_target=False,
            is_blendable=False,
            is_written=True,
        ),
        Task(
            name="summary",
            title="Summaries",
            metric="rouge_l",
            metric_title="ROUGE-L",
            guess="over_draw",
            guessed=0.0,
            recipes=("sentence_summary",),
            is_blendable=False,
            is_written=True,
        ),
        Task(
            name="detection",
            title="Object detection",
            metric="ap",
            metric_title="mAP",
            guess="ap_50",
            guessed=0.01,
            recipes=("torch_detector",),
            is_blendable=False,
            is_written=True,
        ),
    )
}
TaskName = Literal[
    "classification",
    "regression",
    "anomaly",
    "clustering",
    "ranking",
    "forecasting",
    "multilabel",
    "policy",
    "tagging",
    "language",
    "summary",
    "detection",
]


def find_task(name: str) -> Task:
    """Return a task by name, or say which there are."""
    if name not in TASKS:
        raise Invalid(f"there is no task {name!r}", field="task", value=name, allowed=sorted(TASKS))
    return TASKS[name]
