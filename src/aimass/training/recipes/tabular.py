"""An adapter from any scikit-learn classifier or regressor to a recipe for tables, with the preprocessing inside.

Strings become one column per known category (unseen ones become zeros, a null is a category of its own); numbers get
the median where they are null, and are scaled for linear models only. Everything is ``float32`` before a tree: a graph
computes in ``float32``, and a threshold between two ``float64`` values would send rows the other way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from aimass.kernel.errors import Failed
from aimass.models import PROBABILITIES, Candidate, Column, Signature
from aimass.training.measures.bytask import measures_of
from aimass.training.measures.relevance import Lists
from aimass.training.recipes.enlarging import enlarged, is_enlarging
from aimass.training.recipes.labels import Labelled, OneLabel, answers_of_labels, graph_of_labels
from aimass.training.recipes.protocol import RecipeContext, Table

OPSET = {"": 18, "ai.onnx.ml": 3}
STEP = "estimator"
MULTILABEL = "multilabel"
_LEARNING = "ai.onnx.ml"
_ENCODING: dict[str, Any] = {"handle_unknown": "ignore", "sparse_output": False, "dtype": np.float32}


@dataclass(frozen=True, slots=True, kw_only=True)
class TabularRecipe:
    """A recipe made of an estimator.

    Attributes
    ----------
    estimator
        Makes the unfitted classifier or regressor from the context, by its task.
    options
        Extra arguments of its ``fit``, for example callbacks that report.
    learn
        Fits the estimator itself, from context, estimator, inputs and truth, and what rows weigh where they differ; else its
        ``fit`` does.
    learns_codes
        Whether it learns the places of the classes instead of their names; the graph then names them.
    scales, imputes
        Whether numbers are scaled, and whether nulls get the median (else the estimator takes NaN).
    before_export
        Called with the fitted pipeline once before it is written down.
    why_not_onnx
        Set for an estimator that is known not to convert.
    why_not_python
        Set for an estimator that the Python runtime does not load.
    """

    estimator: Callable[[RecipeContext], Any]
    options: Callable[[RecipeContext], dict[str, Any]] | None = None
    learn: Callable[..., None] | None = None
    learns_codes: bool = False
    scales: bool = False
    imputes: bool = True
    before_export: Callable[[Pipeline], None] | None = None
    why_not_onnx: str | None = None
    why_not_python: str | None = None

    def fit(self, ctx: RecipeContext) -> Any:
        """Learn preprocessing and estimator from the training rows; of several labels an estimator for each."""
        table = ctx.data("train")
        frame = prepared(table.features, ctx.signature)
        if ctx.task == MULTILABEL and not is_enlarging(ctx):
            return self._fit_labels(ctx, frame, table.truth)
        columns = self.columns(frame, ctx)
        inside: Any = Inside(ctx, columns)
        estimator = self.estimator(inside)
        pipeline = Pipeline([("columns", columns), (STEP, estimator)])
        if is_enlarging(ctx):
            return self._fit_enlarged(inside, table, pipeline)
        classes = np.array(ctx.signature.classes, dtype=object)
        truth = classes[table.truth] if len(classes) and not self.learns_codes else table.truth
        if self.learn is not None:
            self.learn(inside, estimator, columns.fit_transform(frame), truth)
            return pipeline
        if isinstance(truth, Lists):  # one row at a time: how much is it wanted
            truth = truth.relevance
        options = {f"{STEP}__{name}": value for name, value in (self.options(ctx) if self.options else {}).items()}
        return pipeline.fit(frame, truth, **options)

    def _fit_enlarged(self, ctx: Any, table: Table, pipeline: Pipeline) -> Pipeline:
        """Learn what columns hold from the rows as they came, and the estimator from them and those that are made of them."""
        columns, estimator = pipeline.named_steps["columns"], pipeline.named_steps[STEP]
        columns.fit(prepared(table.features, ctx.signature))
        rows = enlarged(ctx, table)
        classes = np.array(ctx.signature.classes, dtype=object)
        truth = classes[rows.truth] if len(classes) else rows.truth
        inputs = columns.transform(prepared(rows.features, ctx.signature))
        if self.learn is not None:
            self.learn(ctx, estimator, inputs, truth, rows.weights)
        else:
            estimator.fit(inputs, truth, sample_weight=rows.weights)
        return pipeline

    def _fit_labels(self, ctx: RecipeContext, frame: pl.DataFrame, truth: Any) -> Labelled:
        """Learn an estimator for each label: has a row it, or not? They share the columns that they see."""
        columns, found = self.columns(frame, ctx), []
        inputs = columns.fit_transform(frame)
        for number in range(truth.shape[1]):
            one = OneLabel(ctx, number, truth.shape[1])
            estimator, wanted = self.estimator(one), truth[:, number].astype(np.int64)
            if self.learn is not None:
                self.learn(one, estimator, inputs, wanted)
            else:
                estimator.fit(inputs, wanted, **(self.options(one) if self.options else {}))
            one.report(1, 1)
            found.append(estimator)
        return Labelled(columns=columns, estimators=tuple(found))

    def columns(self, frame: pl.DataFrame, ctx: RecipeContext) -> ColumnTransformer:
        """Return the unfitted preprocessing for the columns of the signature."""
        inputs = list(enumerate(ctx.signature.inputs))
        numbers = steps_of_numbers(scales=self.scales, imputes=self.imputes)
        return preprocessing(frame, inputs, ctx.params.max_categories, numbers)

    def predict(self, ctx: RecipeContext, model: Any, features: pl.DataFrame) -> Any:
        """Return probabilities in the order of the signature's classes, or numbers."""
        if isinstance(model, Labelled):
            return answers_of_labels(model, model.columns.transform(prepared(features, ctx.signature)))
        if not ctx.signature.classes:
            return np.asarray(model.predict(prepared(features, ctx.signature)), dtype=float)
        given = model.predict_proba(prepared(features, ctx.signature))
        if self.learns_codes:
            return given
        return given[:, [list(model.classes_).index(name) for name in ctx.signature.classes]]

    def evaluate(self, ctx: RecipeContext, model: Any, table: Table) -> Mapping[str, float]:
        """Return the numbers by which runs are compared."""
        return measures_of(ctx.task).scores(table.truth, self.predict(ctx, model, table.features))

    def importance(self, ctx: RecipeContext, model: Any) -> Mapping[str, float] | None:
        """Return the weight of each input: the sum over the columns that it became; of several labels their mean."""
        if isinstance(model, Labelled):
            columns, estimators = model.columns, list(model.estimators)
        else:
            columns, estimators = model.named_steps["columns"], [model.named_steps[STEP]]
        found = [_weights(one) for one in estimators]
        if any(one is None for one in found):
            return None
        weights = np.mean([one / (one.sum() or 1.0) for one in found], axis=0) if len(found) > 1 else found[0]
        owners = owners_of(columns, ctx.signature)
        total = float(weights.sum()) or 1.0
        return {
            column.name: float(weights[[owner == column.name for owner in owners]].sum()) / total
            for column in ctx.signature.inputs
        }

    def package(self, ctx: RecipeContext, model: Any) -> Candidate:
        """Return the ways to write the pipeline down."""
        if isinstance(model, Labelled):
            return self._package_labels(ctx, model)
        if self.before_export is not None:
            self.before_export(model)
        return Candidate(
            signature=ctx.signature,
            to_python=lambda: self._python(model),
            to_onnx=None if self.why_not_onnx else lambda: to_onnx(model, ctx.signature),
            why_not_onnx=self.why_not_onnx,
        )

    def _package_labels(self, ctx: RecipeContext, model: Labelled) -> Candidate:
        for estimator in model.estimators:
            if self.before_export is not None:
                self.before_export(Pipeline([(STEP, estimator)]))
        return Candidate(
            signature=ctx.signature, to_onnx=lambda: labels_to_onnx(model, ctx.signature), to_python=_no_python
        )

    def _python(self, model: Pipeline) -> bytes:
        if self.why_not_python is not None:
            raise Failed(self.why_not_python)
        return to_skops(model)


class Inside:
    """The context of an estimator behind the preprocessing: who looks at it is answered from rows as the estimator knows them.

    Parameters
    ----------
    whole
        The context of the recipe.
    columns
        The preprocessing; it is fitted before the estimator is.
    """

    def __init__(self, whole: RecipeContext, columns: ColumnTransformer) -> None:
        self._whole, self._columns = whole, columns
        self._known: tuple[Any, Any] = (None, None)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whole, name)

    def look(self, step: int, total: int, answer: Callable[[Any], Any]) -> None:
        """Offer a look; the rows are mostly the same from step to step, and so are prepared once."""

        def said(features: pl.DataFrame) -> Any:
            if self._known[0] is not features:
                self._known = features, self._columns.transform(prepared(features, self._whole.signature))
            return answer(self._known[1])

        self._whole.look(step, total, said)


def _weights(estimator: Any) -> Any:
    """Return the weight of each column of an estimator; None for one that has no such notion."""
    if hasattr(estimator, "coef_"):
        return np.abs(np.atleast_2d(estimator.coef_)).mean(axis=0)
    found = getattr(estimator, "feature_importances_", None)
    return None if found is None else np.asarray(found, dtype=float)


def _no_python() -> bytes:
    raise Failed("a model of several labels is written as ONNX alone")


def preprocessing(
    frame: pl.DataFrame, inputs: Sequence[tuple[int, Column]], limit: int, numbers: Any
) -> ColumnTransformer:
    """Return what makes numbers of the columns of a frame, unfitted; ``inputs`` are those it has, with their numbers.

    Texts become a column for each of their ``limit`` most frequent values; everything else goes through ``numbers``.
    """
    strings = {name_at(i): column for i, column in inputs if column.type == "string"}
    rest = [name for name in frame.columns if name not in strings]
    parts: list[tuple[str, Any, list[str]]] = []
    if strings:
        known = [categories(frame[name], limit, is_open=column.categories is None) for name, column in strings.items()]
        parts.append(("strings", OneHotEncoder(**{**_ENCODING, "categories": known}), list(strings)))
    if rest:
        parts.append(("numbers", numbers, rest))
    return ColumnTransformer(parts, sparse_threshold=0.0)


def steps_of_numbers(*, scales: bool, imputes: bool) -> Any:
    """Return the steps that numbers go through."""
    steps: list[Any] = [SimpleImputer(strategy="median", keep_empty_features=True)] if imputes else []
    steps += [StandardScaler()] if scales else []
    return make_pipeline(*(steps or [FunctionTransformer()]))


def name_at(position: int) -> str:
    """Return the name of an input inside the pipeline: the converter does not take every name that a column may have."""
    return f"c{position}"


def prepared(frame: pl.DataFrame, signature: Signature) -> pl.DataFrame:
    """Return the columns as a graph sees them: text with "" for null, ``float32`` with NaN for null, tensors unfolded."""
    return frame.select(part for i, column in enumerate(signature.inputs) for part in _inner(column, i))


def _inner(column: Column, position: int) -> list[pl.Expr]:
    """Return what an input becomes inside the pipeline: one column, or one for each number of a tensor."""
    name, cell = name_at(position), pl.col(column.name)
    if column.shape is not None:
        return [cell.arr.get(place).alias(inner) for place, inner in enumerate(_names(column, position))]
    if column.type == "string":
        return [cell.cast(pl.String).fill_null("").alias(name)]
    return [cell.cast(pl.Float32).fill_null(float("nan")).alias(name)]


def _width(column: Column) -> int:
    return 1 if column.shape is None else column.shape[1]


def categories(column: pl.Series, limit: int, *, is_open: bool = False) -> Any:
    """Return the most frequent values of a column, sorted; rarer ones are treated as unseen.

    Of an open column, such as one of free text, a value that occurs once names its row and teaches nothing about another.
    """
    counts = column.value_counts().sort(["count", column.name], descending=[True, False])
    if is_open:
        counts = counts.filter(pl.col("count") > 1)
    return np.array(sorted(counts[column.name].head(limit).to_list()) or [""], dtype=object)


def owners_of(columns: ColumnTransformer, signature: Signature) -> list[str]:
    """Return, per column after preprocessing, the input it comes from."""
    owners: list[str] = []
    if "strings" in columns.named_transformers_:
        strings = [c.name for c in signature.inputs if c.type == "string"]
        for name, known in zip(strings, columns.named_transformers_["strings"].categories_, strict=True):
            owners += [name] * len(known)
    return owners + [c.name for c in signature.inputs if c.type != "string" for _ in range(_width(c))]


def to_skops(pipeline: Pipeline) -> bytes:
    """Write a pipeline down as skops: types and data, no pickle."""
    import skops.io  # most runs never need it, and it takes as long to load as a small model to train

    return skops.io.dumps(pipeline)


def to_onnx(pipeline: Pipeline, signature: Signature) -> bytes:
    """Export a pipeline: one named input per column; label and probabilities, or the value, as outputs."""
    inputs = graph_inputs(signature)
    options = {id(pipeline): {"zipmap": False}} if signature.classes else None
    with by_place(pipeline.named_steps["columns"], list(enumerate(signature.inputs))):
        model: Any = convert_sklearn(pipeline, name="aimass", initial_types=inputs, options=options, target_opset=OPSET)
    if not signature.classes:
        _flatten(model.graph)
    if signature.classes and model.graph.output[0].type.tensor_type.elem_type == TensorProto.INT64:
        _named(model.graph, signature.classes)
        need_operators(model)
    return renamed(model, signature)


def labels_to_onnx(model: Labelled, signature: Signature) -> bytes:
    """Export the estimators of all labels as one graph behind one preprocessing; it answers the probability of each."""
    inputs = list(enumerate(signature.inputs))
    with by_place(model.columns, inputs):
        columns: Any = convert_sklearn(
            model.columns, name="aimass", initial_types=graph_inputs(signature), target_opset=OPSET
        )
    width = len(owners_of(model.columns, signature))
    parts = [
        convert_sklearn(
            one,
            name="label",
            initial_types=[("numbers", FloatTensorType([None, width]))],
            options={id(one): {"zipmap": False}},
            target_opset=OPSET,
        )
        for one in model.estimators
    ]
    return renamed(graph_of_labels(columns, parts), signature, (PROBABILITIES,))


def graph_inputs(signature: Signature) -> list[tuple[str, Any]]:
    """Return the inputs of a graph by the names that they have inside."""
    types = {"string": StringTensorType}
    return [(name_at(i), types.get(c.type, FloatTensorType)([None, _width(c)])) for i, c in enumerate(signature.inputs)]


def renamed(model: Any, signature: Signature, outputs: Sequence[str] | None = None) -> bytes:
    """Return a graph whose inputs and outputs have the names of the signature, or other names of outputs."""
    names = {name_at(i): column.name for i, column in enumerate(signature.inputs)}
    wanted = [one.name for one in signature.outputs] if outputs is None else outputs
    names |= {old.name: new for old, new in zip(model.graph.output, wanted, strict=True)}
    _rename(model.graph, names)
    opsets = sorted(model.opset_import, key=lambda one: one.domain)  # the converter leaves them in the order of a set
    del model.opset_import[:]
    model.opset_import.extend(opsets)
    return model.SerializeToString()


@contextmanager
def by_place(columns: ColumnTransformer, inputs: Sequence[tuple[int, Column]]) -> Iterator[None]:
    """Let the converter find columns by their places while there are tensors: it knows no names within one input.

    ``inputs`` are those that it sees, with their numbers in the signature.
    """
    named = columns.transformers_
    if any(column.shape is not None for _, column in inputs):
        whole = [name for i, column in inputs for name in _names(column, i)]
        places = {name: place for place, name in enumerate(whole)}
        columns.transformers_ = [(kind, step, [places[name] for name in names]) for kind, step, names in named]
    try:
        yield
    finally:
        columns.transformers_ = named


def _names(column: Column, position: int) -> list[str]:
    name = name_at(position)
    return [name] if column.shape is None else [f"{name}_{place}" for place in range(column.shape[1])]


def _flatten(graph: Any) -> None:
    """Let a graph answer one number per row instead of a row of one number."""
    column = graph.output[0].name
    graph.initializer.append(numpy_helper.from_array(np.array([-1], dtype=np.int64), "flat/shape"))
    graph.node.append(helper.make_node("Reshape", [column, "flat/shape"], ["flat/value"], name="flat"))
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("flat/value", TensorProto.FLOAT, [None]))


def need_operators(model: Any) -> None:
    """Let a graph use the operators of machine learning that we add; the converter names only what it used itself."""
    known = next((one for one in model.opset_import if one.domain == _LEARNING), None)
    if known is None:
        model.opset_import.append(helper.make_opsetid(_LEARNING, OPSET[_LEARNING]))
    else:
        known.version = max(known.version, OPSET[_LEARNING])


def _named(graph: Any, classes: Sequence[str]) -> None:
    """Let a graph answer the names of classes instead of their places."""
    places = graph.output[0].name
    encoder = {"keys_int64s": list(range(len(classes))), "values_strings": list(classes), "domain": "ai.onnx.ml"}
    graph.node.append(helper.make_node("LabelEncoder", [places], ["named/label"], name="named", **encoder))
    outputs = [helper.make_tensor_value_info("named/label", TensorProto.STRING, [None]), *graph.output[1:]]
    del graph.output[:]
    graph.output.extend(outputs)


def _rename(graph: Any, names: Mapping[str, str]) -> None:
    """Give inputs and outputs their names; a name inside that would clash gets a mark first."""
    taken = set(names.values()) - set(names)
    for value in (*graph.input, *graph.output):
        value.name = names.get(value.name, value.name)
    for tensor in graph.initializer:
        tensor.name = _name(tensor.name, names, taken)
    for node in graph.node:
        node.output[:] = [_name(name, names, taken) for name in node.output]
        node.input[:] = [_name(name, names, taken) for name in node.input]


def _name(name: str, names: Mapping[str, str], taken: set[str]) -> str:
    return f"inner/{name}" if name in taken else names.get(name, name)
