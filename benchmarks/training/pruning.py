"""What pruners save: forty small networks learn digits, and each pruner sees the same forty."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from aimass.training.children.search import judge
from aimass.training.domain.space import chance, drawn, seed_of, space_of

TRIALS, EPOCHS = 40, 20
PRUNERS = ("none", "median", "hyperband", "halving")
SPACE = {
    "rate": {"type": "float", "low": 1e-4, "high": 0.3, "log": True},
    "width": {"type": "int", "low": 4, "high": 64, "log": True},
    "penalty": {"type": "float", "low": 1e-6, "high": 1.0, "log": True},
}


def run() -> dict[str, Any]:
    """Return epochs and best accuracy for each pruner."""
    space = space_of(SPACE)
    found = [drawn(space, chance(seed_of(1, number))) for number in range(TRIALS)]
    with threadpool_limits(1):  # so small a network only waits for its threads
        curves = [_learned(params) for params in found]
    return {name: _pruned(name, found, curves) for name in PRUNERS} | {"trials": TRIALS, "epochs": EPOCHS}


def _learned(params: dict[str, Any]) -> list[float]:
    digits: Any = load_digits()
    split = train_test_split(digits.data / 16, digits.target, test_size=0.3, random_state=0, stratify=digits.target)
    inside, outside, truth, expected = split
    network = MLPClassifier(
        (params["width"],), learning_rate_init=params["rate"], alpha=params["penalty"], random_state=0
    )
    curve: list[float] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for _ in range(EPOCHS):
            network.partial_fit(inside, truth, classes=np.arange(10))
            curve.append(float(network.score(outside, expected)))
    return curve


def _pruned(pruner: str, found: list[dict[str, Any]], curves: list[list[float]]) -> dict[str, float]:
    told: list[dict[str, Any]] = []
    for number, (params, curve) in enumerate(zip(found, curves, strict=True), start=1):
        steps = [[step, value] for step, value in enumerate(curve, start=1)]
        fresh: dict[str, Any] = {
            "number": number,
            "params": params,
            "attrs": {},
            "judged": 0,
            "values": None,
            "steps": steps,
        }
        told.append({**fresh, "state": "RUNNING"})
        answer: dict[str, Any] = {"pruned_at": None, "attrs": {}}
        if pruner != "none":
            args = {"space": SPACE, "directions": ["maximize"], "pruner": pruner, "folds": EPOCHS, "trials": told}
            answer = judge(args)["trials"][0]
        last = answer["pruned_at"] or EPOCHS
        end: dict[str, Any] = (
            {"state": "PRUNED"} if answer["pruned_at"] else {"state": "COMPLETE", "values": [max(curve)]}
        )
        told[-1] |= {"judged": EPOCHS, "attrs": answer["attrs"], "steps": steps[:last], **end}
    epochs = sum(len(one["steps"]) for one in told)
    best = max(one["values"][0] for one in told if one["state"] == "COMPLETE")
    return {"epochs": epochs, "best": best}
