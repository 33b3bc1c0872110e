"""Models of River, and what watches the errors of a learner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aimass.kernel.errors import MissingExtra
from aimass.training.children.bandits import Bandit
from aimass.training.children.partial import Partial
from aimass.training.online import MODELS

try:
    from river import (
        compose,
        drift,
        ensemble,
        forest,
        linear_model,
        multiclass,
        naive_bayes,
        optim,
        preprocessing,
        tree,
    )
    from river.utils import random
except ImportError as reason:
    raise MissingExtra("online") from reason

_DELTA = 0.002


def new_model(spec: Mapping[str, Any], columns: list[dict[str, Any]], classes: Sequence[str]) -> Any:
    """Return the model of a learner, which knows its classes and nothing else yet."""
    if MODELS[spec["model"]].is_partial:
        return Partial(spec, columns, classes)
    if MODELS[spec["model"]].task == "policy":
        return Bandit(spec, columns, classes)
    made = model_of if MODELS[spec["model"]].task == "classification" else regressor_of
    model = made(spec["model"], spec["params"], spec["seed"], spec["memory_mb"])
    if spec["model"] == "logistic_regression":
        one = model["OneVsRestClassifier"]
        one.classifiers = {name: one.classifier.clone() for name in classes}  # each learns from the first row on
    return model


def regressor_of(name: str, params: Mapping[str, Any], seed: int, memory_mb: float) -> Any:
    """Return a model for numbers that knows nothing yet; a linear one sees the target scaled as well."""
    if name == "linear_regression":
        line = linear_model.LinearRegression(optim.SGD(params["learning_rate"]), l2=params["l2"])
        return preprocessing.StandardScaler() | preprocessing.TargetStandardScaler(regressor=line)
    grown = _grown(params, memory_mb)
    if name == "adaptive_random_forest_regressor":
        trees: Any = forest.ARFRegressor(n_models=params["n_models"], seed=seed, **grown)
    else:
        trees = tree.HoeffdingAdaptiveTreeRegressor(**grown, seed=seed)
    return preprocessing.StandardScaler() | trees


def _grown(params: Mapping[str, Any], memory_mb: float) -> dict[str, Any]:
    size = memory_mb / 2 / params.get("n_models", 1)
    grown = {"grace_period": params["grace_period"], "max_depth": params["max_depth"]}
    return {**grown, "max_size": size, "memory_estimate_period": 10_000}


def model_of(name: str, params: Mapping[str, Any], seed: int, memory_mb: float) -> Any:
    """Return a model that knows nothing yet.

    Trees give up leaves before they take more than their share of the memory.
    """
    if name == "logistic_regression":
        one = linear_model.LogisticRegression(optim.SGD(params["learning_rate"]), l2=params["l2"])
        return preprocessing.StandardScaler() | multiclass.OneVsRestClassifier(one)
    if name == "naive_bayes":
        return naive_bayes.GaussianNB()
    grown = _grown(params, memory_mb)
    if name == "hoeffding_adaptive_tree":
        return tree.HoeffdingAdaptiveTreeClassifier(**grown, seed=seed)
    if name == "adaptive_random_forest":
        return forest.ARFClassifier(n_models=params["n_models"], seed=seed, **grown)
    bagging = {
        "adwin_bagging": ensemble.ADWINBaggingClassifier,
        "leveraging_bagging": ensemble.LeveragingBaggingClassifier,
    }
    return bagging[name](tree.HoeffdingTreeClassifier(**grown), n_models=params["n_models"], seed=seed)


def learn_again(model: Any, features: dict[Any, Any], label: Any) -> None:
    """Let a model learn a row of the past once more.

    What an ensemble watches its members with is not told of it: errors on such rows say nothing about the world of now, and made
    it put new trees in the place of those that still knew the past.
    """
    last: Any = list(model.steps.values())[-1] if isinstance(model, compose.Pipeline) else model
    if isinstance(last, ensemble.BaggingClassifier):
        rate = getattr(last, "w", 1)  # of leveraging bagging
        for member in last.models:
            for _ in range(random.poisson(rate, last._rng)):  # noqa: SLF001 its own draws
                member.learn_one(features, label)
    elif isinstance(last, forest.ARFClassifier | forest.ARFRegressor):
        if model is not last:
            features = _before(model, features)
        for place, member in enumerate(last.models):
            weight = random.poisson(last.lambda_value, last._rng)  # noqa: SLF001 its own draws
            grown = [member, last._background[place]]  # noqa: SLF001 what grows to take its place
            for one in grown if weight else []:
                if one is not None:
                    one.learn_one(x=features, y=label, w=weight)
    else:
        model.learn_one(features, label)


def _before(model: Any, features: dict[Any, Any]) -> dict[Any, Any]:
    """Return what the last step of a pipeline sees of a row; the steps before it do not learn it."""
    for step in list(model.steps.values())[:-1]:
        features = step.transform_one(features)
    return features


def detector_of(name: str) -> Any:
    """Return what watches the errors; None for nothing."""
    if name == "adwin":
        return drift.ADWIN(delta=_DELTA)
    return drift.PageHinkley(mode="up") if name == "page_hinkley" else None
