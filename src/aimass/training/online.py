"""The models that learn row by row: their parameters, readable without the library that learns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from aimass.kernel.errors import Invalid
from aimass.training.recipes import RecipeManifest


class _Parameters(BaseModel):
    model_config = ConfigDict(extra="forbid")


class LinearParameters(_Parameters):
    """The parameters of logistic regression."""

    learning_rate: float = Field(default=0.005, gt=0, le=10, description="How far one row moves the weights")
    l2: float = Field(default=0.0, ge=0, le=10, description="Pulls weights back to zero")


class BayesParameters(_Parameters):
    """Naive Bayes has none."""


class TreeParameters(_Parameters):
    """The parameters of a Hoeffding adaptive tree."""

    grace_period: int = Field(
        default=200, ge=10, le=100_000, description="Rows that a leaf sees between attempts to split"
    )
    max_depth: int | None = Field(default=None, ge=1, le=100, description="Deepest level; none: unbounded")


class EnsembleParameters(TreeParameters):
    """The parameters of several trees."""

    n_models: int = Field(default=10, ge=2, le=100, description="How many trees vote")


class ForestParameters(EnsembleParameters):
    """The parameters of an adaptive random forest."""

    grace_period: int = Field(
        default=50, ge=10, le=100_000, description="Rows that a leaf sees between attempts to split"
    )


class StepParameters(_Parameters):
    """The parameters of a linear model of scikit-learn that learns by gradient descent."""

    learning_rate: float = Field(default=0.01, gt=0, le=10, description="How far one row moves the weights")
    schedule: Literal["constant", "invscaling"] = Field(
        default="constant", description="Whether steps stay as long, or become shorter; only the first follows a drift"
    )
    penalty: Literal["l2", "l1", "elasticnet"] = Field(default="l2", description="What pulls weights back to zero")
    alpha: float = Field(default=0.0001, ge=0, le=10, description="How strongly")


class SmoothParameters(_Parameters):
    """The parameters of naive Bayes of scikit-learn."""

    var_smoothing: float = Field(
        default=1e-9, gt=0, le=1, description="Share of the largest variance that is added to every one"
    )


class NetParameters(_Parameters):
    """The parameters of a small net of scikit-learn."""

    units: list[Annotated[int, Field(ge=1, le=512)]] = Field(
        default=[32], min_length=1, max_length=3, description="Units of each hidden layer"
    )
    learning_rate: float = Field(default=0.001, gt=0, le=1, description="Length of a step (Adam)")
    alpha: float = Field(default=0.0001, ge=0, le=10, description="How strongly weights are pulled back to zero")


class BanditParameters(_Parameters):
    """The parameters of a bandit: a weighted sum for each action."""

    epsilon: float = Field(default=0.1, gt=0, le=1, description="Share of decisions drawn from all actions alike")
    penalty: float = Field(default=1.0, gt=0, le=1e6, description="Pulls weights back to zero: rows that it is worth")
    half_life: int | None = Field(
        default=None, ge=10, le=10_000_000, description="Rows of an action after which one counts half; none: all alike"
    )


class DaringParameters(BanditParameters):
    """The parameters of a bandit that tries what it is unsure of."""

    epsilon: float = Field(default=0.05, gt=0, le=1, description="Share of decisions drawn from all actions alike")
    width: float = Field(
        default=0.5, gt=0, le=100, description="How much being unsure counts, in spreads of the reward"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlineManifest:
    """The light side of a model that learns row by row.

    Attributes
    ----------
    one_hot
        Whether text reaches it as one number per known category; trees take it as it is.
    is_partial
        Whether it is an estimator of scikit-learn with ``partial_fit``; else it is one of River.
    task
        What it predicts.
    is_joined
        Whether such a number is named by one text, for models that sort their names.
    """

    title: str
    summary: str
    parameters: type[BaseModel]
    one_hot: bool
    is_partial: bool = False
    task: Literal["classification", "regression", "policy"] = "classification"
    is_joined: bool = False


MODELS: Mapping[str, OnlineManifest] = {
    "logistic_regression": OnlineManifest(
        title="Logistic regression",
        summary="Scaled numbers and one-hot text, one step of gradient descent per row: the fastest; served as ONNX.",
        parameters=LinearParameters,
        one_hot=True,
    ),
    "naive_bayes": OnlineManifest(
        title="Naive Bayes",
        summary="One normal distribution per class and number: learns from few rows.",
        parameters=BayesParameters,
        one_hot=True,
    ),
    "hoeffding_adaptive_tree": OnlineManifest(
        title="Hoeffding adaptive tree",
        summary="A tree that grows with the rows and replaces branches that no longer hold.",
        parameters=TreeParameters,
        one_hot=False,
    ),
    "adwin_bagging": OnlineManifest(
        title="ADWIN bagging",
        summary="Several Hoeffding trees; the worst one begins anew when its errors change.",
        parameters=EnsembleParameters,
        one_hot=False,
    ),
    "leveraging_bagging": OnlineManifest(
        title="Leveraging bagging",
        summary="Bagging that shows each tree more of every row: slower, and better after a drift.",
        parameters=EnsembleParameters,
        one_hot=False,
    ),
    "adaptive_random_forest": OnlineManifest(
        title="Adaptive random forest",
        summary="Trees on random columns, each replaced after a drift of its own: the best on most streams, the slowest.",
        parameters=ForestParameters,
        one_hot=False,
    ),
    "sklearn_sgd": OnlineManifest(
        title="Linear model of scikit-learn",
        summary="SGDClassifier with the log loss, on scaled numbers and one-hot text; served as ONNX.",
        parameters=StepParameters,
        one_hot=True,
        is_partial=True,
    ),
    "sklearn_naive_bayes": OnlineManifest(
        title="Naive Bayes of scikit-learn",
        summary="GaussianNB: what it knows is the same as after a fit on all rows at once; served as ONNX.",
        parameters=SmoothParameters,
        one_hot=True,
        is_partial=True,
    ),
    "sklearn_mlp": OnlineManifest(
        title="Small net of scikit-learn",
        summary="MLPClassifier with Adam, one step per row; forgets without rows that are learned again; served as ONNX.",
        parameters=NetParameters,
        one_hot=True,
        is_partial=True,
    ),
    "linear_regression": OnlineManifest(
        title="Linear regression",
        summary="Scaled numbers and one-hot text, one step of gradient descent per row: the fastest; served as ONNX.",
        parameters=LinearParameters,
        one_hot=True,
        task="regression",
    ),
    "hoeffding_adaptive_tree_regressor": OnlineManifest(
        title="Hoeffding adaptive tree for numbers",
        summary="A tree with a line or a mean in each leaf, which replaces branches that no longer hold.",
        parameters=TreeParameters,
        one_hot=True,
        task="regression",
        is_joined=True,
    ),
    "adaptive_random_forest_regressor": OnlineManifest(
        title="Adaptive random forest for numbers",
        summary="Trees on random columns, each replaced after a drift of its own; the slowest.",
        parameters=ForestParameters,
        one_hot=True,
        task="regression",
        is_joined=True,
    ),
    "sklearn_sgd_regressor": OnlineManifest(
        title="Linear model of scikit-learn for numbers",
        summary="SGDRegressor on scaled numbers, one-hot text and a scaled target; served as ONNX.",
        parameters=StepParameters,
        one_hot=True,
        is_partial=True,
        task="regression",
    ),
    "sklearn_mlp_regressor": OnlineManifest(
        title="Small net of scikit-learn for numbers",
        summary="MLPRegressor with Adam, one step per row, on a scaled target; served as ONNX.",
        parameters=NetParameters,
        one_hot=True,
        is_partial=True,
        task="regression",
    ),
    "lin_ucb": OnlineManifest(
        title="LinUCB",
        summary="A line for each action; takes the one that may bring most, so it tries what it is unsure of; served as ONNX.",
        parameters=DaringParameters,
        one_hot=True,
        task="policy",
    ),
    "lin_thompson": OnlineManifest(
        title="Linear Thompson sampling",
        summary="A line for each action; each has the chance with which it is the best of lines that may be true; served as ONNX.",
        parameters=DaringParameters,
        one_hot=True,
        task="policy",
    ),
    "lin_epsilon": OnlineManifest(
        title="Linear epsilon-greedy",
        summary="A line for each action; the one that brings most, and a share of tries; served as ONNX.",
        parameters=BanditParameters,
        one_hot=True,
        task="policy",
    ),
}
DEFAULTS: Mapping[str, str] = {
    "classification": "logistic_regression",
    "regression": "linear_regression",
    "policy": "lin_ucb",
}


def model_for(task: str, wanted: str | None) -> str:
    """Return the model of a learner: the one that is wanted, if it predicts what the task asks for.

    Examples
    --------
    >>> model_for("regression", None)
    'linear_regression'
    """
    if task not in DEFAULTS:
        raise Invalid(
            f"learners do not do {task}",
            field="split",
            value=task,
            allowed=list(DEFAULTS),
            hint="train a recipe for it instead: aimass train start",
        )
    found = wanted or DEFAULTS[task]
    if MODELS[found].task != task:
        allowed = [name for name, one in MODELS.items() if one.task == task]
        raise Invalid(f"{found!r} does not do {task}", field="model", value=found, allowed=allowed)
    return found


def check_model(model: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return all parameters of a model, defaults filled in, or name the first one that is wrong.

    Examples
    --------
    >>> check_model("logistic_regression", {"l2": 0.1})
    {'learning_rate': 0.005, 'l2': 0.1}
    """
    found = MODELS[model]
    as_recipe = RecipeManifest(
        name=model, version="1", title=found.title, summary=found.summary, parameters=found.parameters
    )
    return as_recipe.check(params)
