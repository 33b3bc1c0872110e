"""Several labels a row: an estimator for each, written down as one graph that also chooses.

Every label is a question of its own, asked of the same columns (one against the rest). The graph holds the preprocessing once, an
estimator for each label behind it, and at the end from which probability each label is chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import polars as pl
from onnx import TensorProto, helper, numpy_helper

from aimass.models import LABELS, PROBABILITIES, Candidate, Output, Signature
from aimass.training.recipes.protocol import RecipeContext, Table

if TYPE_CHECKING:
    from sklearn.compose import ColumnTransformer  # not loaded for a name: every run comes by here

_HAS = ("no", "yes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """What was learned: the columns that all labels share, and an estimator for each label."""

    columns: ColumnTransformer
    estimators: tuple[Any, ...]


class OneLabel:
    """The context of one label among several: a classifier of two classes, and its part of the progress.

    Parameters
    ----------
    whole
        The context of all labels.
    number, count
        Which label it is, from 0, and how many there are.
    """

    def __init__(self, whole: RecipeContext, number: int, count: int) -> None:
        self._whole, self._number, self._count = whole, number, count
        self.task = "classification"
        self.base = whole.base
        self.params, self.seed, self.threads = whole.params, whole.seed, whole.threads
        outputs = (Output(name="label", type="string"), Output(name=PROBABILITIES, type="float", classes=_HAS))
        self.signature = Signature(inputs=whole.signature.inputs, outputs=outputs)

    def data(self, part: str) -> Table:
        """Return rows and whether each has the label."""
        table = self._whole.data(part)
        return Table(features=table.features, truth=table.truth[:, self._number].astype(np.int64))

    def report(self, step: int, total: int, **metrics: float) -> None:
        """Tell the progress; curves of many labels one behind the other would say nothing, so none are told."""
        del metrics
        self._whole.report(self._number * total + step, self._count * total)

    def look(self, step: int, total: int, answer: Callable[[pl.DataFrame], Any]) -> None:
        """Show nothing: one label says little of what all of them will be."""

    def save(self, state: bytes, name: str = "recipe") -> None:
        """Commit a checkpoint of this label."""
        self._whole.save(state, f"{name}-{self._number}")

    def restore(self, name: str = "recipe") -> bytes | None:
        """Return the checkpoint of this label, or None."""
        return self._whole.restore(f"{name}-{self._number}")


def answers_of_labels(model: Labelled, inputs: Any) -> Any:
    """Return the probability of each label, shape ``(rows, labels)``."""
    return np.stack([one.predict_proba(inputs)[:, 1] for one in model.estimators], axis=1)


def graph_of_labels(columns: Any, parts: Sequence[Any]) -> Any:
    """Return one graph: the preprocessing, then what answers for each label; its output is a column for each of them."""
    nodes, tensors = list(columns.graph.node), list(columns.graph.initializer)
    numbers, known = columns.graph.output[0].name, {value.name for value in columns.graph.input}
    found: list[str] = []
    versions = {one.domain: one.version for one in columns.opset_import}
    for number, part in enumerate(parts):
        mark, inside = f"label{number}/", part.graph.input[0].name
        names = {inside: numbers, "": ""}
        for node in _needed(part.graph):
            node.name = mark + node.name
            node.input[:] = [names.get(one, mark + one) for one in node.input]
            node.output[:] = [mark + one if one else "" for one in node.output]
            nodes.append(node)
        for tensor in part.graph.initializer:
            tensor.name = mark + tensor.name
            tensors.append(tensor)
        versions |= {one.domain: max(one.version, versions.get(one.domain, 1)) for one in part.opset_import}
        nodes.append(
            helper.make_node("Gather", [mark + part.graph.output[1].name, "labels/second"], [mark + "has"], axis=1)
        )
        found.append(mark + "has")
    tensors.append(numpy_helper.from_array(np.array([1], dtype=np.int64), "labels/second"))
    nodes.append(helper.make_node("Concat", found, ["labels/probabilities"], axis=1, name="labels"))
    output = helper.make_tensor_value_info("labels/probabilities", TensorProto.FLOAT, [None, len(parts)])
    inputs = [value for value in columns.graph.input if value.name in known]
    graph = helper.make_graph(nodes, "aimass", inputs, [output], initializer=tensors)
    opsets = [helper.make_opsetid(domain, version) for domain, version in versions.items()]
    return helper.make_model(graph, opset_imports=opsets, ir_version=columns.ir_version)


def _needed(graph: Any) -> list[Any]:
    """Return the nodes that the probabilities of an estimator come from, in their order; those that name a class are left out."""
    wanted, kept = {graph.output[1].name}, []
    for node in reversed(graph.node):
        if wanted & set(node.output):
            wanted |= set(node.input)
            kept.append(node)
    return kept[::-1]


def choosing(candidate: Candidate, thresholds: Any) -> Candidate:
    """Return the way to write down a model of several labels that also chooses them.

    Parameters
    ----------
    candidate
        As the recipe packages it: its graph answers the probability of each label.
    thresholds
        From which probability each label is chosen.
    """
    to_onnx = candidate.to_onnx
    if to_onnx is None:
        return candidate
    return replace(candidate, to_onnx=lambda: _choosing(to_onnx(), candidate.signature, thresholds))


def _choosing(file: bytes, signature: Signature, thresholds: Any) -> bytes:
    """Add to a graph of probabilities which labels are chosen: the name of each, or an empty text in its place."""
    model = onnx.load_model_from_string(file)
    names = np.array(signature.classes, dtype=object)[None, :]
    model.graph.initializer.extend(
        [
            numpy_helper.from_array(np.asarray(thresholds, dtype=np.float32)[None, :], "chosen/from"),
            numpy_helper.from_array(names, "chosen/names"),
            numpy_helper.from_array(np.array([[""]], dtype=object), "chosen/none"),
        ]
    )
    model.graph.node.extend(
        [
            helper.make_node("GreaterOrEqual", [PROBABILITIES, "chosen/from"], ["chosen/are"], name="chosen/are"),
            helper.make_node("Where", ["chosen/are", "chosen/names", "chosen/none"], [LABELS], name="chosen"),
        ]
    )
    model.graph.output.append(helper.make_tensor_value_info(LABELS, TensorProto.STRING, [None, names.shape[1]]))
    for one in model.opset_import:
        if one.domain == "":
            one.version = max(one.version, 16)  # comparing and choosing are older than that
    return model.SerializeToString()
