"""The graph of a text model: one input for each column, row by row through the texts, so that memory stays that of one row.

Standard operators, and one that ONNX Runtime brings: ``Tokenizer``, which cuts a text by a pattern. A row's words go
through a table of written forms to numbers, are counted by ``TfIdfVectorizer``, and are weighed at once: only the scores
of a row leave the loop, never its twenty thousand features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import TensorProto, checker, helper
from skl2onnx import convert_sklearn
from sklearn.compose import ColumnTransformer

from aimass.models import PROBABILITIES, Column, Signature
from aimass.training.recipes.graphparts import Parts
from aimass.training.recipes.tabular import MULTILABEL, OPSET, by_place, graph_inputs, name_at, renamed
from aimass.training.recipes.text_linear.reading import Reader

CUTTING = "com.microsoft"
_LEARNING = "ai.onnx.ml"
_IR = 10
_LEAST = np.float32(1e-12)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextGraph:
    """What a graph is made of; ``weights`` has a row for each class or label, or one for two classes and for a number."""

    signature: Signature
    task: str
    readers: Sequence[tuple[int, Reader]]
    columns: ColumnTransformer | None
    others: Sequence[tuple[int, Column]]
    weights: Any
    offsets: Any


def graph_of(model: TextGraph) -> bytes:
    """Return the graph, whose inputs and outputs have the names of the signature."""
    parts, scores, start = Parts(), [], 0
    for number, (place, reader) in enumerate(model.readers):
        weights = model.weights[:, start : start + len(reader.grams)]
        scores.append(_scores(parts, f"text{number}", name_at(place), reader, weights))
        start += len(reader.grams)
    if model.columns is not None:
        _tabular(parts, model, model.columns)
        matrix = parts.tensor("tabular/weights", model.weights[:, start:].T.astype(np.float32))
        scores.append(parts.node("MatMul", ["tabular/numbers", matrix], "tabular/scores"))
    offsets = parts.tensor("offsets", model.offsets.astype(np.float32))
    parts.node("Sum", [*scores, offsets], "scores")
    outputs = ANSWERS.get(model.task, _classes)(parts, model.signature.classes)
    graph = helper.make_graph(parts.nodes, "aimass", _inputs(model.signature), outputs, initializer=parts.tensors)
    opsets = [helper.make_opsetid(domain, version) for domain, version in {**OPSET, CUTTING: 1}.items()]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=_IR)
    checker.check_model(made)
    return renamed(made, model.signature, (PROBABILITIES,) if model.task == MULTILABEL else None)


def _inputs(signature: Signature) -> list[Any]:
    kinds = {"string": TensorProto.STRING}
    return [
        helper.make_tensor_value_info(name, kinds.get(column.type, TensorProto.FLOAT), [None, given.shape[1]])
        for (name, given), column in zip(graph_inputs(signature), signature.inputs, strict=True)
    ]


def _scores(parts: Parts, mark: str, text: str, reader: Reader, weights: Any) -> str:
    """Add the loop over the rows of one text column; what leaves it are scores, a row for each row."""
    flat = parts.node("Reshape", [text, parts.tensor(f"{mark}/all", np.array([-1]))], f"{mark}/texts")
    size = parts.node("Shape", [flat], f"{mark}/shape")
    count = parts.node("Squeeze", [size], f"{mark}/rows")
    rows, body = f"{mark}/scores", Parts()
    row = body.node("Gather", [flat, f"{mark}/at"], f"{mark}/text")
    one = body.node("Reshape", [row, body.tensor(f"{mark}/one", np.array([1]))], f"{mark}/row")
    cut = {"mark": 0, "pad_value": "", "mincharnum": 1, "tokenexp": reader.pattern, "domain": CUTTING}
    words = body.node("Tokenizer", [one], f"{mark}/words", **cut)
    order, numbers = _numbered(reader)
    known = {"keys_strings": list(reader.forms), "values_int64s": [numbers[w] for w in reader.forms.values()]}
    codes = body.node("LabelEncoder", [words], f"{mark}/codes", **known, default_int64=-1, domain=_LEARNING)
    found = body.node("TfIdfVectorizer", [codes], f"{mark}/found", **_counted(reader, order, numbers))
    matrix = body.tensor(f"{mark}/weights", weights[:, order].T.astype(np.float32))
    product = body.node("MatMul", [found, matrix], f"{mark}/product")
    size = body.node("ReduceL2", [found], f"{mark}/length", keepdims=0)
    length = body.node("Max", [size, body.tensor(f"{mark}/least", _LEAST)], f"{mark}/divisor")
    scaled = body.node("Div", [product, length], f"{mark}/scaled")
    shape = body.tensor(f"{mark}/width", np.array([len(weights)]))
    score = body.node("Reshape", [scaled, shape], f"{mark}/score")
    on = body.node("Identity", [f"{mark}/on"], f"{mark}/go")
    graph = helper.make_graph(
        body.nodes,
        mark,
        [
            helper.make_tensor_value_info(f"{mark}/at", TensorProto.INT64, []),
            helper.make_tensor_value_info(f"{mark}/on", TensorProto.BOOL, []),
        ],
        [
            helper.make_tensor_value_info(on, TensorProto.BOOL, []),
            helper.make_tensor_value_info(score, TensorProto.FLOAT, [len(weights)]),
        ],
        initializer=body.tensors,
    )
    return parts.node("Loop", [count, ""], rows, body=graph)


def _numbered(reader: Reader) -> tuple[list[int], dict[str, int]]:
    """Return the columns in the order in which the graph counts them, shorter grams first; and a number for each part."""
    order = sorted(range(len(reader.grams)), key=lambda at: (len(reader.grams[at]), at))
    known = sorted({part for gram in reader.grams for part in gram})
    return order, {part: number for number, part in enumerate(known)}


def _counted(reader: Reader, order: Sequence[int], numbers: dict[str, int]) -> dict[str, Any]:
    """Return what is counted, as the operator wants it: all grams in a row, and where those of each length begin."""
    grams = [reader.grams[at] for at in order]
    starts = [sum(len(gram) for gram in grams if len(gram) < length) for length in range(1, reader.high + 1)]
    return {
        "mode": "TFIDF",
        "min_gram_length": reader.low,
        "max_gram_length": reader.high,
        "max_skip_count": 0,
        "ngram_counts": starts,
        "ngram_indexes": list(range(len(grams))),
        "pool_int64s": [numbers[part] for gram in grams for part in gram],
        "weights": [float(reader.rarity[at]) for at in order],
    }


def _tabular(parts: Parts, model: TextGraph, columns: ColumnTransformer) -> None:
    """Add what makes numbers of the other columns, as the converter writes it."""
    places = [place for place, _ in model.others]
    inputs = [one for at, one in enumerate(graph_inputs(model.signature)) if at in places]
    with by_place(columns, model.others):
        made: Any = convert_sklearn(columns, name="tabular", initial_types=inputs, target_opset=OPSET)
    names = {value.name for value in made.graph.input}
    answer = made.graph.output[0].name

    def marked(old: str) -> str:
        if old == answer:
            return "tabular/numbers"
        return old if not old or old in names else f"tabular/{old}"

    for node in made.graph.node:
        node.name = f"tabular/{node.name}"
        node.input[:] = [marked(one) for one in node.input]
        node.output[:] = [marked(one) for one in node.output]
    for tensor in made.graph.initializer:
        tensor.name = marked(tensor.name)
    parts.nodes += made.graph.node
    parts.tensors += made.graph.initializer


def _classes(parts: Parts, classes: Sequence[str]) -> list[Any]:
    """Turn scores into probabilities and the name of the most probable class; return the outputs."""
    if len(classes) == 2:  # noqa: PLR2004 one score tells both
        second = parts.node("Sigmoid", ["scores"], "answer/second")
        first = parts.node("Sigmoid", [parts.node("Neg", ["scores"], "answer/against")], "answer/first")
        parts.node("Concat", [first, second], "answer/probabilities", axis=1)
    else:
        parts.node("Softmax", ["scores"], "answer/probabilities", axis=1)
    places = parts.node("ArgMax", ["answer/probabilities"], "answer/place", axis=1, keepdims=0)
    named = {"keys_int64s": list(range(len(classes))), "values_strings": list(classes), "domain": _LEARNING}
    parts.node("LabelEncoder", [places], "answer/label", **named)
    return [
        helper.make_tensor_value_info("answer/label", TensorProto.STRING, [None]),
        helper.make_tensor_value_info("answer/probabilities", TensorProto.FLOAT, [None, len(classes)]),
    ]


def _labels(parts: Parts, classes: Sequence[str]) -> list[Any]:
    """Turn scores into a probability for each label; return the output."""
    parts.node("Sigmoid", ["scores"], "answer/probabilities")
    return [helper.make_tensor_value_info("answer/probabilities", TensorProto.FLOAT, [None, len(classes)])]


def _number(parts: Parts, _: Sequence[str]) -> list[Any]:
    """Take the one score of a row as its number; return the output."""
    parts.node("Reshape", ["scores", parts.tensor("answer/shape", np.array([-1]))], "answer/value")
    return [helper.make_tensor_value_info("answer/value", TensorProto.FLOAT, [None])]


ANSWERS = {MULTILABEL: _labels, "regression": _number}
