"""Isolation forest by scikit-learn; its graph is one ensemble of trees.

References
----------
Liu, Ting & Zhou, "Isolation forest", ICDM 2008, 413-422.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import helper
from sklearn.ensemble import IsolationForest

from aimass.training.recipes.detecting import AnomalyRecipe, Graph, tensor
from aimass.training.recipes.protocol import RecipeContext

_LEAF = -1
_TWO = 2


def _detector(ctx: RecipeContext) -> IsolationForest:
    return IsolationForest(
        n_estimators=ctx.params.trees,
        max_samples=min(ctx.params.rows_per_tree, ctx.data("train").features.height),
        n_jobs=ctx.threads,
        random_state=ctx.seed,
    )


def path_length(rows: Any) -> Any:
    """Return the mean number of cuts that set one of so many rows apart.

    Examples
    --------
    >>> [round(float(length), 3) for length in path_length(np.array([1, 2, 256]))]
    [0.0, 1.0, 10.245]
    """
    rows = np.asarray(rows, dtype=float)
    harmonic = np.log(np.maximum(rows - 1, 1)) + np.euler_gamma
    lengths = 2 * harmonic - 2 * (rows - 1) / np.maximum(rows, 1)
    return np.where(rows <= 1, 0.0, np.where(rows == _TWO, 1.0, lengths))


def _strangeness(forest: Any, inputs: Any) -> Any:
    return -forest.score_samples(inputs)


def _tail(forest: Any, inputs: str, strangeness: str) -> Graph:
    """Return one node with all trees, whose leaves answer how deep they lie, and what makes a score of their sum."""
    trees = [_tree(number, estimator.tree_) for number, estimator in enumerate(forest.estimators_)]
    told: Any = {name: [value for tree in trees for value in tree[name]] for name in trees[0]}
    nodes = [
        helper.make_node(
            "TreeEnsembleRegressor",
            [inputs],
            ["forest/depths"],
            domain="ai.onnx.ml",
            n_targets=1,
            aggregate_function="SUM",
            **told,
        ),
        helper.make_node("Mul", ["forest/depths", "forest/share"], ["forest/power"]),
        helper.make_node("Pow", ["forest/two", "forest/power"], [strangeness]),
    ]
    whole = len(forest.estimators_) * float(path_length(np.array(forest._max_samples)))  # noqa: SLF001 no public name
    return nodes, [tensor("forest/share", -1 / whole), tensor("forest/two", 2.0)]


def _tree(number: int, tree: Any) -> dict[str, list[Any]]:
    """Return the nodes of a tree; a threshold is the largest ``float32`` not above it, since rows are ``float32``."""
    is_leaf = tree.children_left == _LEAF
    near = tree.threshold.astype(np.float32)
    down = np.where(near > tree.threshold, np.nextafter(near, np.float32(-np.inf)), near)
    leaves = np.flatnonzero(is_leaf)
    depths = _depths(tree)[leaves] + path_length(tree.n_node_samples[leaves])
    count = len(is_leaf)
    return {
        "nodes_treeids": [number] * count,
        "nodes_nodeids": list(range(count)),
        "nodes_featureids": np.where(is_leaf, 0, tree.feature).tolist(),
        "nodes_values": np.where(is_leaf, 0, down).astype(float).tolist(),
        "nodes_modes": ["LEAF" if one else "BRANCH_LEQ" for one in is_leaf],
        "nodes_truenodeids": np.where(is_leaf, 0, tree.children_left).tolist(),
        "nodes_falsenodeids": np.where(is_leaf, 0, tree.children_right).tolist(),
        "target_treeids": [number] * len(leaves),
        "target_nodeids": leaves.tolist(),
        "target_ids": [0] * len(leaves),
        "target_weights": depths.astype(float).tolist(),
    }


def _depths(tree: Any) -> Any:
    """Return how many cuts lie above each node; a parent stands before its children."""
    depths = np.zeros(tree.node_count)
    for node in np.flatnonzero(tree.children_left != _LEAF):
        depths[[tree.children_left[node], tree.children_right[node]]] = depths[node] + 1
    return depths


RUN = AnomalyRecipe(detector=_detector, strangeness=_strangeness, tail=_tail)
