"""A bandit as a graph: it scales in 64 bits as the learner does, so that both find the same action the best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import convert_sklearn

from aimass.models import Signature
from aimass.training.children.bandits import DRAWS, Bandit
from aimass.training.recipes.policies import answering
from aimass.training.recipes.tabular import OPSET, by_place, graph_inputs, renamed


def bandit_graph(bandit: Bandit, columns: Any, signature: Signature) -> bytes:
    """Return the graph of a bandit; ``columns`` is the fitted step that makes numbers of the inputs."""
    with by_place(columns, list(enumerate(signature.inputs))):
        model: Any = convert_sklearn(columns, name="aimass", initial_types=graph_inputs(signature), target_opset=OPSET)
    graph, node = model.graph, helper.make_node
    graph.node.extend(
        [
            node("Cast", [graph.output[0].name], ["bandit/raw"], to=TensorProto.DOUBLE),
            node("Sub", ["bandit/raw", "bandit/middle"], ["bandit/off"]),
            node("Div", ["bandit/off", "bandit/spread"], ["bandit/scaled"]),
            node("Mul", ["bandit/scaled", "bandit/seen"], ["bandit/inputs"]),
            node("Pad", ["bandit/inputs", "bandit/pads", "bandit/one"], ["bandit/row"]),
            node("MatMul", ["bandit/row", "bandit/weights"], ["bandit/expected"]),
            node("Cast", ["bandit/expected"], ["bandit/rewards"], to=TensorProto.FLOAT),
        ]
    )
    weights = np.stack([bandit.solved(action)[0] for action in signature.classes], axis=1)
    _hold(graph, middle=bandit.middle, spread=bandit.spread, seen=bandit.seen, one=np.array(1.0), weights=weights)
    graph.initializer.append(helper.make_tensor("bandit/pads", TensorProto.INT64, [4], [0, 0, 0, 1]))
    (_sampled if bandit.model == "lin_thompson" else _greedy)(graph, bandit, signature.classes)
    answering(model, ("bandit/rewards", "bandit/wanted"), signature.classes, bandit.params["epsilon"])
    return renamed(model, signature)


def _hold(graph: Any, **values: Any) -> None:
    for name, value in values.items():
        graph.initializer.append(numpy_helper.from_array(np.asarray(value, dtype=np.float64), f"bandit/{name}"))


def _greedy(graph: Any, bandit: Bandit, actions: Sequence[str]) -> None:
    """Let the best action have all chances: the one that is expected to bring most, or that may bring most."""
    node, scores, count = helper.make_node, "bandit/expected", len(actions)
    if bandit.model == "lin_ucb":
        scores = "bandit/scores"
        graph.node.extend(
            [
                node("MatMul", ["bandit/row", "bandit/roots"], ["bandit/flat"]),
                node("Reshape", ["bandit/flat", "bandit/shape"], ["bandit/each"]),
                node("Mul", ["bandit/each", "bandit/each"], ["bandit/squares"]),
                node("ReduceSum", ["bandit/squares", "bandit/last"], ["bandit/variance"], keepdims=0),
                node("Sqrt", ["bandit/variance"], ["bandit/unsure"]),
                node("Mul", ["bandit/unsure", "bandit/width"], ["bandit/hope"]),
                node("Add", ["bandit/expected", "bandit/hope"], [scores]),
            ]
        )
        roots = np.concatenate([bandit.solved(action)[1] for action in actions], axis=1)
        _hold(graph, roots=roots, width=bandit.params["width"] * bandit.unit)
        graph.initializer.append(helper.make_tensor("bandit/shape", TensorProto.INT64, [3], [-1, count, bandit.width]))
        graph.initializer.append(helper.make_tensor("bandit/last", TensorProto.INT64, [1], [2]))
    graph.node.extend(
        [
            node("ArgMax", [scores], ["bandit/best"], axis=1, keepdims=1),
            node("Equal", ["bandit/best", "policy/places"], ["bandit/is_best"]),
            node("Cast", ["bandit/is_best"], ["bandit/wanted"], to=TensorProto.FLOAT),
        ]
    )


def _sampled(graph: Any, bandit: Bandit, actions: Sequence[str]) -> None:
    """Let each action have the share of the draws in which it is the best."""
    node, count = helper.make_node, len(actions)
    graph.node.extend(
        [
            node("MatMul", ["bandit/row", "bandit/drawn"], ["bandit/flat"]),
            node("Reshape", ["bandit/flat", "bandit/shape"], ["bandit/each"]),
            node("ArgMax", ["bandit/each"], ["bandit/best"], axis=2, keepdims=1),
            node("Equal", ["bandit/best", "policy/places"], ["bandit/is_best"]),
            node("Cast", ["bandit/is_best"], ["bandit/votes"], to=TensorProto.FLOAT),
            node("ReduceMean", ["bandit/votes", "bandit/middle_axis"], ["bandit/wanted"], keepdims=0),
        ]
    )
    drawn = np.stack([bandit.drawn(action) for action in actions], axis=2)  # width, draws, actions
    _hold(graph, drawn=drawn.reshape(bandit.width, -1))
    graph.initializer.append(helper.make_tensor("bandit/shape", TensorProto.INT64, [3], [-1, DRAWS, count]))
    graph.initializer.append(helper.make_tensor("bandit/middle_axis", TensorProto.INT64, [1], [1]))
