"""How close a search comes to the best value of a known function, beside chance."""

from __future__ import annotations

import statistics
import time
from typing import Any

import numpy as np

from aimass.training.children.search import suggest
from aimass.training.domain.space import chance, drawn, seed_of, space_of

TRIALS, BEST = 80, -3.32237
SPACE = {f"x{place}": {"type": "float", "low": 0.0, "high": 1.0} for place in range(6)}
_ALPHA = np.array([1.0, 1.2, 3.0, 3.2])
_A = np.array(
    [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
)
_P = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)


def hartmann(params: dict[str, float]) -> float:
    """Return Hartmann's function of six numbers."""
    point = np.array([params[name] for name in SPACE])
    return -float(_ALPHA @ np.exp(-(_A * (point - _P) ** 2).sum(axis=1)))


def run(seeds: int) -> dict[str, Any]:
    """Return the regret after so many trials, by seed, and what a suggestion costs."""
    began = time.process_time()
    by_tpe = [_searched(seed) for seed in range(seeds)]
    cpu_s = (time.process_time() - began) / (seeds * TRIALS)
    by_chance = [_drawn(seed) for seed in range(seeds)]
    return {
        "trials": TRIALS,
        "seeds": seeds,
        "tpe": statistics.median(by_tpe),
        "random": statistics.median(by_chance),
        "suggestion_cpu_s": cpu_s,
    }


def _searched(seed: int) -> float:
    told: list[dict[str, Any]] = []
    for number in range(1, TRIALS + 1):
        args = {"space": SPACE, "sampler": "tpe", "directions": ["minimize"], "seed": seed, "trials": told, "count": 1}
        fresh = suggest(args)["trials"][0]
        end = {"number": number, "state": "COMPLETE", "values": [hartmann(fresh["params"])], "steps": []}
        told.append({**fresh, **end})
    return min(one["values"][0] for one in told) - BEST


def _drawn(seed: int) -> float:
    space = space_of(SPACE)
    return min(hartmann(drawn(space, chance(seed_of(seed, number)))) for number in range(TRIALS)) - BEST
