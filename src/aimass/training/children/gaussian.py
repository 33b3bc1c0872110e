"""The next configuration by a Gaussian process and expected improvement, with what scikit-learn has."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import norm
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from aimass.training.domain.space import Dimension, Space, chance, drawn, seed_of, space_of

STARTUP = 10
NEWEST = 200
_RANDOM, _NEAR, _NEIGHBOURS = 1500, 5, 100
_UNKNOWN = 0.5
_NO_CHOICE = object()


def suggest(args: Mapping[str, Any]) -> dict[str, Any]:
    """Return the next configurations; takes and returns what the ``suggest`` of the other samplers does.

    The trade-off of several objectives is another weighting for every trial.
    """
    space, directions = space_of(args["space"]), args["directions"]
    told: list[Mapping[str, Any]] = list(args["trials"])
    found: list[dict[str, Any]] = []
    for _ in range(int(args["count"])):
        seed = seed_of(args["seed"], len(told))
        rng = chance(seed)
        weights = [rng.random() for _ in directions]
        complete = [one for one in told if one["state"] == "COMPLETE"]
        costs = [_costs(one["values"], directions) for one in complete]
        running = [one["params"] for one in told if one["state"] in ("WAITING", "RUNNING")]
        params = proposed(space, [one["params"] for one in complete], costs, running, weights, seed)
        found.append({"params": drawn(space, rng) if params is None else params, "attrs": {}})
        told.append({**found[-1], "state": "RUNNING", "values": None, "steps": []})
    return {"trials": found}


def _costs(values: Sequence[float], directions: Sequence[str]) -> list[float]:
    pairs = zip(values, directions, strict=True)
    return [value if direction == "minimize" else -value for value, direction in pairs]


def proposed(
    space: Space,
    done: Sequence[Mapping[str, Any]],
    costs: Sequence[Sequence[float]],
    running: Sequence[Mapping[str, Any]],
    weights: Sequence[float],
    seed: int,
) -> dict[str, Any] | None:
    """Return the configuration with the largest expected improvement; None while too little is known.

    Parameters
    ----------
    done, costs
        Configurations that were tried, and what each costs in every objective: less is better.
    running
        Configurations that are being tried; they are believed to come out as the process expects, so that the next one
        goes elsewhere.
    weights
        How much each objective counts this time.
    """
    if len(done) + len(running) < STARTUP or not done:
        return None
    rng = np.random.default_rng(seed)
    inputs, targets = _encoded(space, done[-NEWEST:]), _scaled(np.asarray(costs[-NEWEST:], dtype=float), weights)
    process = _fitted(inputs, targets, seed)
    if running:
        believed = _encoded(space, running)
        inputs, targets = np.vstack([inputs, believed]), np.concatenate([targets, process.predict(believed)])
        process = _fitted(inputs, targets, seed, kernel=process.kernel_)
    tried = {_key(params) for params in (*done, *running)}
    candidates = _candidates(space, [done[-NEWEST:][at] for at in np.argsort(targets[: len(done)])[:_NEAR]], rng)
    fresh = [params for params in candidates if _key(params) not in tried] or candidates
    mean, deviation = process.predict(_encoded(space, fresh), return_std=True)
    return fresh[int(np.argmax(_improvement(mean, deviation, float(targets.min()))))]


def _key(params: Mapping[str, Any]) -> str:
    return repr(sorted(params.items(), key=lambda pair: pair[0]))


def _scaled(costs: Any, weights: Sequence[float]) -> Any:
    """Return one cost per trial with mean 0 and deviation 1: the weighted Chebyshev distance where there are several."""
    spread = costs.max(axis=0) - costs.min(axis=0)
    shares = (costs - costs.min(axis=0)) / np.where(spread > 0, spread, 1)
    if costs.shape[1] == 1:
        single = shares[:, 0]
    else:
        wanted = np.asarray(weights) / (sum(weights) or 1)
        single = (shares * wanted).max(axis=1) + 0.05 * (shares * wanted).sum(axis=1)
    return (single - single.mean()) / (single.std() or 1.0)


def _fitted(inputs: Any, targets: Any, seed: int, kernel: Any = None) -> GaussianProcessRegressor:
    width = inputs.shape[1]
    options: dict[str, Any] = {"random_state": seed, "optimizer": None}
    if kernel is None:
        lengths: Any = np.full(width, 0.5)
        scales = Matern(length_scale=lengths, length_scale_bounds=(0.03, 10.0), nu=2.5)
        kernel = ConstantKernel(1.0, (0.05, 20.0)) * scales + WhiteKernel(1e-3, (1e-6, 0.3))
        options["optimizer"] = "fmin_l_bfgs_b"
    process = GaussianProcessRegressor(kernel, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a length at its bound says that an input hardly matters
        return process.fit(inputs, targets)


def _improvement(mean: Any, deviation: Any, best: float) -> Any:
    spread = np.maximum(deviation, 1e-9)
    gain = best - mean
    return gain * norm.cdf(gain / spread) + spread * norm.pdf(gain / spread)


def _candidates(space: Space, best: Sequence[Mapping[str, Any]], rng: Any) -> list[dict[str, Any]]:
    """Return configurations all over the space, and around the best ones."""
    found = [_made(space, {name: rng.random() for name in space}) for _ in range(_RANDOM)]
    for params in best:
        centre = {name: _share(space[name], params[name]) if name in params else rng.random() for name in space}
        for place in range(_NEIGHBOURS):
            width = 0.2 * 0.02 ** (place / _NEIGHBOURS)
            moved = {name: _moved(space[name], share, width, rng) for name, share in centre.items()}
            found.append(_made(space, moved))
    return list({_key(params): params for params in found}.values())


def _moved(dimension: Dimension, share: float, width: float, rng: Any) -> float:
    if dimension.type == "categorical":
        return rng.random() if rng.random() < width else share
    return float(np.clip(share + rng.normal(0, width), 0, 1))


def _made(space: Space, shares: Mapping[str, float]) -> dict[str, Any]:
    params: dict[str, Any] = {}
    for name, dimension in space.items():
        if dimension.is_active(params):
            params[name] = dimension.value_at(shares[name])
    return params


def _share(dimension: Dimension, value: Any) -> float:
    """Return where a value lies between the ends of its range."""
    if dimension.type == "categorical":
        return (dimension.choices.index(value) + _UNKNOWN) / len(dimension.choices)
    low, high = float(dimension.low), float(dimension.high)
    if high == low:
        return _UNKNOWN
    if dimension.log:
        return math.log(value / low) / math.log(high / low)
    return (float(value) - low) / (high - low)


def _encoded(space: Space, found: Sequence[Mapping[str, Any]]) -> Any:
    """Return configurations as numbers from 0 to 1: a column per choice, the middle for what does not count."""
    columns: list[list[float]] = []
    for name, dimension in space.items():
        if dimension.type == "categorical":
            columns += [
                [float(params.get(name, _NO_CHOICE) == choice) for params in found] for choice in dimension.choices
            ]
        else:
            columns.append([_share(dimension, params[name]) if name in params else _UNKNOWN for params in found])
    return np.asarray(columns, dtype=float).T
