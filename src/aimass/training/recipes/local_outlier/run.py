"""The local outlier factor by scikit-learn.

References
----------
Breunig, Kriegel, Ng & Sander, "LOF: identifying density-based local outliers", SIGMOD 2000, 93-104.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import helper
from sklearn.neighbors import LocalOutlierFactor

from aimass.training.recipes.detecting import AnomalyRecipe, Graph, tensor
from aimass.training.recipes.protocol import RecipeContext

_LEAST = 1e-6


def _detector(ctx: RecipeContext) -> LocalOutlierFactor:
    rows = min(ctx.params.rows, ctx.data("train").features.height)
    return LocalOutlierFactor(n_neighbors=min(ctx.params.neighbours, rows - 1), novelty=True, n_jobs=ctx.threads)


def _strangeness(detector: Any, inputs: Any) -> Any:
    """Return the logarithm of the factor: it is 0 beside neighbours of the same kind, and has no upper end."""
    return np.log(np.maximum(-detector.score_samples(inputs), _LEAST))


def _tail(detector: Any, scores: str, strangeness: str) -> Graph:
    nodes = [
        helper.make_node("Add", [scores, "factor/offset"], ["factor/negative"]),
        helper.make_node("Neg", ["factor/negative"], ["factor/whole"]),
        helper.make_node("Max", ["factor/whole", "factor/least"], ["factor/some"]),
        helper.make_node("Log", ["factor/some"], [strangeness]),
    ]
    return nodes, [tensor("factor/offset", detector.offset_), tensor("factor/least", _LEAST)]


RUN = AnomalyRecipe(detector=_detector, strangeness=_strangeness, tail=_tail, converts=True, scales=True)
