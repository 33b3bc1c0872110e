"""Estimators of scikit-learn that learn with ``partial_fit``, behind the two verbs that models of River have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn import config_context
from sklearn.linear_model import SGDClassifier, SGDRegressor
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier, MLPRegressor

from aimass.training.errors import NotFinite

LEAST_VARIANCE = 1e-12


def estimator_of(name: str, params: Mapping[str, Any], seed: int) -> Any:
    """Return an estimator that knows nothing yet."""
    if name == "sklearn_naive_bayes":
        return GaussianNB(var_smoothing=params["var_smoothing"])
    if name in ("sklearn_mlp", "sklearn_mlp_regressor"):
        net = MLPClassifier if name == "sklearn_mlp" else MLPRegressor
        step = {"learning_rate_init": params["learning_rate"], "alpha": params["alpha"]}
        return net(hidden_layer_sizes=tuple(params["units"]), **step, shuffle=False, random_state=seed)
    step = {"learning_rate": params["schedule"], "eta0": params["learning_rate"]}
    step |= {"penalty": params["penalty"], "alpha": params["alpha"], "random_state": seed}
    return SGDClassifier(loss="log_loss", **step) if name == "sklearn_sgd" else SGDRegressor(**step)


def places_of(columns: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Return what stands at each place of a row of numbers: each category of the texts, then the numbers.

    A text without known categories keeps one place, which nothing is learned of.

    Examples
    --------
    >>> places_of([{"name": "n", "type": "float", "categories": None}, {"name": "t", "type": "string", "categories": ["a"]}])
    [('t', 'a'), 'n']
    """
    texts = [(c["name"], one) for c in columns if c["type"] == "string" for one in c["categories"] or [""]]
    return [*texts, *(c["name"] for c in columns if c["type"] != "string")]


class Moments:
    """Mean and variance of each place of the rows that were seen, without what is missing.

    The scaler of scikit-learn knows no variance any more after a single row in which a value is missing.

    Examples
    --------
    >>> found = Moments(2)
    >>> for row in ([1.0, 5.0], [3.0, float("nan")]):
    ...     found.see(np.array(row))
    >>> found.mean.tolist(), found.variance.tolist(), found.scale.tolist()
    ([2.0, 5.0], [1.0, 0.0], [1.0, 1.0])
    """

    def __init__(self, width: int, kept: Sequence[Any] | None = None) -> None:
        self.count, self.mean, self._sum = kept or (np.zeros(width), np.zeros(width), np.zeros(width))

    def see(self, row: Any) -> None:
        """Take one more row into account."""
        known = ~np.isnan(row)
        self.count[known] += 1
        off = row[known] - self.mean[known]
        self.mean[known] += off / self.count[known]
        self._sum[known] += off * (row[known] - self.mean[known])

    @property
    def variance(self) -> Any:
        """Return the variance of each place."""
        return self._sum / np.maximum(self.count, 1)

    @property
    def scale(self) -> Any:
        """Return the spread of each place, 1 where there is none."""
        spread = np.sqrt(self.variance)
        return np.where(spread > 0, spread, 1.0)

    def kept(self) -> list[Any]:
        """Return what it is as arrays."""
        return [self.count, self.mean, self._sum]


class Partial:
    """An estimator, the scaling before it, and the classes that it tells apart, sorted.

    Rows are learned one by one, so nothing of them is kept. What is missing counts as the mean of its column. Numbers are
    learned as they lie in the spread of those before.

    Parameters
    ----------
    spec
        ``model``, ``params`` and ``seed`` of a learner.
    columns
        ``name``, ``type`` and ``categories`` of each input.
    classes
        Those that are known before the first row.
    kept
        What :meth:`kept` returned; None for one that knows nothing.
    """

    def __init__(
        self,
        spec: Mapping[str, Any],
        columns: Sequence[Mapping[str, Any]],
        classes: Sequence[str] = (),
        kept: Mapping[str, Any] | None = None,
    ) -> None:
        self.places = places_of(columns)
        self._missing = [0.0 if isinstance(place, tuple) else float("nan") for place in self.places]
        self.is_scaled = spec["model"] != "sklearn_naive_bayes"
        self.estimator: Any = estimator_of(spec["model"], spec["params"], spec["seed"])
        self.classes = sorted(classes)
        self.rows = 0
        moments = None
        if kept is not None:
            self.estimator, self.classes, self.rows, moments = (
                kept["estimator"],
                kept["classes"],
                kept["rows"],
                kept["moments"],
            )
        self.moments = Moments(len(self.places), moments)
        self.target = Moments(1, None if kept is None else kept.get("target"))

    def kept(self) -> dict[str, Any]:
        """Return what it is, in types of the library alone."""
        kept: dict[str, Any] = {"estimator": self.estimator, "classes": self.classes, "rows": self.rows}
        return {**kept, "moments": self.moments.kept(), "target": self.target.kept()}

    def learn_one(self, features: Mapping[Any, Any], truth: Any) -> None:
        """Learn one row: its class, or its number."""
        is_number = not isinstance(truth, str)
        if not is_number and truth not in self.classes:
            self._grow(truth)
        with config_context(assume_finite=True, skip_parameter_validation=True):
            row = self._numbers(features)
            self.moments.see(row)
            if is_number:
                self.target.see(np.array([float(truth)]))
                told = (float(truth) - self.target.mean) / self.target.scale
                self._step(self._scaled(row), told, {})
                return
            fresh: dict[str, Any] = {} if self.rows else {"classes": np.arange(len(self.classes))}
            self._step(self._scaled(row), [self.classes.index(truth)], fresh)

    def predict_one(self, features: Mapping[Any, Any]) -> float:
        """Return the number of a row; the mean, 0, before the first row."""
        if not self.rows:
            return 0.0
        with config_context(assume_finite=True, skip_parameter_validation=True), np.errstate(all="ignore"):
            said = float(self.estimator.predict(self._scaled(self._numbers(features)))[0])
        return said * float(self.target.scale[0]) + float(self.target.mean[0])

    def predict_proba_one(self, features: Mapping[Any, Any]) -> dict[str, float]:
        """Return the probability of each class; nothing before the first row."""
        if not self.rows:
            return {}
        with config_context(assume_finite=True, skip_parameter_validation=True), np.errstate(all="ignore"):
            said = self.answering().predict_proba(self._scaled(self._numbers(features)))[0]
        return dict(zip(self.classes, map(float, said), strict=True))

    def answering(self) -> Any:
        """Return the estimator as it answers: naive Bayes with a share of the largest variance added to each."""
        if self.is_scaled:
            return self.estimator
        found = GaussianNB(**self.estimator.get_params())
        vars(found).update(vars(self.estimator))
        added = self.estimator.var_smoothing * float(np.max(self.moments.variance))
        found.var_ = self.estimator.var_ + max(added, LEAST_VARIANCE)
        return found

    def _numbers(self, features: Mapping[Any, Any]) -> Any:
        pairs = zip(self.places, self._missing, strict=True)
        return np.array([features.get(place, missing) for place, missing in pairs], dtype=np.float64)

    def _scaled(self, row: Any) -> Any:
        """Return a row as the estimator sees it: what is missing is the mean."""
        whole = np.where(np.isnan(row), self.moments.mean, row)
        return ((whole - self.moments.mean) / self.moments.scale if self.is_scaled else whole)[np.newaxis]

    def _step(self, row: Any, truth: Any, fresh: dict[str, Any]) -> None:
        try:
            with np.errstate(all="ignore"):
                self.estimator.partial_fit(row, truth, **fresh)
        except ValueError as reason:  # weights that are no numbers any more
            raise NotFinite(
                f"the model learned no numbers after {self.rows} rows",
                field="model",
                value=type(self.estimator).__name__,
                hint="lower the learning rate, or roll the learner back to a snapshot",
            ) from reason
        self.rows += 1
        if hasattr(self.estimator, "loss_curve_"):
            del self.estimator.loss_curve_[:-1]  # one more with every row, for ever

    def _grow(self, label: str) -> None:
        """Make place for a class that was not known; answers among the others stay in the same proportion."""
        before, self.classes = self.classes, sorted([*self.classes, label])
        if not self.rows:
            return
        old, width = self.estimator, len(self.places)
        new = type(old)(**old.get_params())
        new.partial_fit(np.zeros((1, width)), [0], classes=np.arange(len(self.classes)))
        known, rare = [self.classes.index(name) for name in before], -np.log(self.rows + 1.0)
        if isinstance(old, GaussianNB):
            for name in ("theta_", "var_", "class_count_", "class_prior_"):
                _filled(vars(new)[name], known, vars(old)[name], 0.0)
        elif isinstance(old, MLPClassifier):
            for mine, its in zip(
                new.coefs_[:-1] + new.intercepts_[:-1], old.coefs_[:-1] + old.intercepts_[:-1], strict=True
            ):
                mine[:] = its
            _filled(new.coefs_[-1].T, known, _each(old.coefs_[-1].T / 2, old.coefs_[-1].T), 0.0)
            _filled(new.intercepts_[-1], known, _each(old.intercepts_[-1] / 2, old.intercepts_[-1]), rare)
            del new._optimizer  # noqa: SLF001 it begins anew: its means are of another shape
            new.t_ = old.t_
        else:
            _filled(new.coef_, known, _each(old.coef_, old.coef_), 0.0)
            _filled(new.intercept_, known, _each(old.intercept_, old.intercept_), rare)
            new.t_ = old.t_
        self.estimator = new


def _each(one: Any, many: Any) -> Any:
    """Return the weights of every class: for two of them there is one row, of the second against the first."""
    return np.concatenate([-one, one]) if len(many) == 1 else many


def _filled(target: Any, places: Sequence[int], known: Any, other: float) -> None:
    target[:] = other
    target[places] = known
