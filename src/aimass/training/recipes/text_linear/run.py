"""Rows with free text: words weighted by their rarity beside the other columns, in a linear model of classes, labels or numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from scipy import sparse
from scipy.special import expit
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression, Ridge

from aimass.kernel.errors import Failed
from aimass.models import Candidate, Column, Signature
from aimass.training.cutting import is_sign, words_pattern
from aimass.training.errors import Unlearnable
from aimass.training.measures.bytask import measures_of
from aimass.training.recipes.protocol import RecipeContext, Table
from aimass.training.recipes.tabular import MULTILABEL, name_at, owners_of, prepared, preprocessing, steps_of_numbers
from aimass.training.recipes.text_linear.graph import TextGraph, graph_of
from aimass.training.recipes.text_linear.reading import LETTER, Reader
from aimass.training.recipes.text_linear.varied import varied

SHOWN = 25
ENDS = ("lower", "higher")
_PAIR = 2
_RIDGE = 10.0  # over the strength: its default gives rows of length 1 the penalty that ridge regression usually has
_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class TextModel:
    """What was learned.

    Attributes
    ----------
    readers
        The ways to read, each with the number of its text column.
    columns
        What makes numbers of the other columns; None where there are none.
    estimator
        The classifier, or what tells numbers; its weights stand in the order of the readers, then of the other columns.
    importance
        How much of the spread of the scores comes from each input.
    """

    readers: tuple[tuple[int, Reader], ...]
    columns: ColumnTransformer | None
    estimator: LogisticRegression | Ridge | OneForEach
    importance: Mapping[str, float]

    @property
    def weights(self) -> Any:
        """Return the weights: a row for each class or label, one for two classes and for a number."""
        return np.atleast_2d(self.estimator.coef_)


class OneForEach:
    """A logistic regression for each of several labels."""

    def __init__(self, ctx: RecipeContext) -> None:
        self._ctx = ctx
        self.coef_: Any = None
        self.intercept_: Any = None

    def fit(self, matrix: Any, truth: Any, sample_weight: Any = None) -> None:
        """Learn for each label, from whether a row has it, the weights."""
        count = truth.shape[1]
        found = [_classifier(self._ctx) for _ in range(count)]
        for number, one in enumerate(found):
            one.fit(matrix, truth[:, number], sample_weight=sample_weight)
            self._ctx.report(count + number + 1, 2 * count)
        self.coef_ = np.concatenate([one.coef_ for one in found])
        self.intercept_ = np.concatenate([one.intercept_ for one in found])

    def predict_proba(self, matrix: Any) -> Any:
        """Return the probability of each label."""
        return expit(matrix @ self.coef_.T + self.intercept_)


class TextLinear:
    """A linear model that reads."""

    def fit(self, ctx: RecipeContext) -> TextModel:
        """Find the words that occur, and learn their weights and those of the other columns."""
        table = ctx.data("train")
        frame = prepared(table.features, ctx.signature)
        readers, blocks = _read(ctx, frame)
        columns, others = None, others_of(ctx.signature)
        if others:
            plain = frame.select(pl.exclude([name_at(place) for place in texts_of(ctx.signature)]))
            numbers = steps_of_numbers(scales=True, imputes=True)
            columns = preprocessing(plain, others, ctx.params.max_categories, numbers)
            blocks.append(sparse.csr_matrix(columns.fit_transform(plain)))
        if not blocks:
            raise Unlearnable(
                "no word is in enough rows, and there is no other column",
                field="params.min_rows",
                value=ctx.params.min_rows,
                hint="lower min_rows, or take a recipe for tables",
            )
        ctx.report(1, 2)
        matrix, estimator = sparse.hstack(blocks, format="csr"), _estimator(ctx)
        rows = _with_copies(ctx, matrix, table.truth, (frame, readers, blocks))
        estimator.fit(rows.matrix, rows.truth, sample_weight=rows.weights)
        ctx.report(2, 2)
        weights = np.atleast_2d(estimator.coef_)
        shares = _shares(ctx.signature, matrix, weights, _owners(ctx.signature, readers, columns))
        return TextModel(readers=readers, columns=columns, estimator=estimator, importance=shares)

    def predict(self, ctx: RecipeContext, model: TextModel, features: pl.DataFrame) -> Any:
        """Return probabilities in the order of the signature's classes, or numbers."""
        frame = prepared(features, ctx.signature)
        blocks = [reader.read(frame[name_at(place)].to_list()) for place, reader in model.readers]
        if model.columns is not None:
            blocks.append(sparse.csr_matrix(model.columns.transform(frame)))
        matrix = sparse.hstack(blocks, format="csr")
        if isinstance(model.estimator, Ridge):
            return model.estimator.predict(matrix)
        return model.estimator.predict_proba(matrix)

    def evaluate(self, ctx: RecipeContext, model: TextModel, table: Table) -> Mapping[str, float]:
        """Return the numbers by which runs are compared."""
        return measures_of(ctx.task).scores(table.truth, self.predict(ctx, model, table.features))

    def importance(self, ctx: RecipeContext, model: TextModel) -> Mapping[str, float]:
        """Return how much of the spread of the scores comes from each input."""
        del ctx
        return model.importance

    def terms(self, ctx: RecipeContext, model: TextModel) -> Mapping[str, list[dict[str, Any]]]:
        """Return, by class or label, the words and neighbours with the largest weights for it; those that raise and lower a number."""
        names, told, columns, start = [column.name for column in ctx.signature.inputs], [], [], 0
        for place, reader in model.readers:
            if reader.pattern != LETTER:  # a few letters say nothing to people
                told += [{"column": names[place], "term": _said(gram)} for gram in reader.grams]
                columns += range(start, start + len(reader.grams))
            start += len(reader.grams)
        weights = model.weights[:, columns]
        if len(weights) == 1 and ctx.task != MULTILABEL:  # one row tells both
            weights = np.vstack([-weights[0], weights[0]])
        found: dict[str, list[dict[str, Any]]] = {}
        for name, row in zip(ctx.signature.classes or ENDS, weights, strict=True):
            best = np.argsort(-row, kind="stable")[:SHOWN]
            found[name] = [{**told[at], "weight": float(row[at])} for at in best if row[at] > 0]
        return found

    def package(self, ctx: RecipeContext, model: TextModel) -> Candidate:
        """Return the one way to write it down: a graph that reads as the model does."""
        graph = TextGraph(
            signature=ctx.signature,
            task=ctx.task,
            readers=model.readers,
            columns=model.columns,
            others=others_of(ctx.signature),
            weights=model.weights,
            offsets=np.atleast_1d(model.estimator.intercept_),
        )
        return Candidate(signature=ctx.signature, to_python=_no_python, to_onnx=lambda: graph_of(graph))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """What is learned from; no weights where all rows count alike."""

    matrix: Any
    truth: Any
    weights: Any = None


def _with_copies(ctx: RecipeContext, matrix: Any, truth: Any, read: tuple[pl.DataFrame, Any, list[Any]]) -> _Rows:
    """Return the training rows with varied copies of them; a row and its copies weigh as much as the row.

    What is counted, and how rare it is, was found in the rows themselves, so a mistyped word becomes no word of its own. The
    classes keep their shares, and so the probabilities their meaning.
    """
    copies, (frame, readers, blocks) = ctx.params.copies, read
    if not copies:
        return _Rows(matrix=matrix, truth=truth)
    rng = np.random.default_rng(ctx.seed)
    shares = {name: getattr(ctx.params, name) for name in ("dropped", "swapped", "mistyped")}
    parts, rest = [matrix], blocks[len(readers) :]
    for _ in range(copies):
        texts = {place: varied(frame[name_at(place)].to_list(), rng, **shares) for place in {at for at, _ in readers}}
        parts.append(sparse.hstack([*(reader.read(texts[at]) for at, reader in readers), *rest], format="csr"))
    count = len(parts)
    return _Rows(
        matrix=sparse.vstack(parts, format="csr"),
        truth=np.concatenate([truth] * count),
        weights=np.full(count * matrix.shape[0], 1 / count),
    )


def _estimator(ctx: RecipeContext) -> LogisticRegression | Ridge | OneForEach:
    if ctx.task == "regression":
        limits = {"tol": _TOLERANCE, "max_iter": ctx.params.max_iterations}
        return Ridge(alpha=_RIDGE / ctx.params.strength, random_state=ctx.seed, **limits)
    return OneForEach(ctx) if ctx.task == MULTILABEL else _classifier(ctx)


def _classifier(ctx: RecipeContext) -> LogisticRegression:
    weight = None if ctx.params.class_weight == "none" else ctx.params.class_weight
    return LogisticRegression(
        C=ctx.params.strength, max_iter=ctx.params.max_iterations, class_weight=weight, random_state=ctx.seed
    )


def _no_python() -> bytes:
    raise Failed("a model of texts is written as ONNX alone")


def texts_of(signature: Signature) -> list[int]:
    """Return the numbers of the inputs that are read: strings of which no list of values is known."""
    return [i for i, c in enumerate(signature.inputs) if c.type == "string" and c.categories is None]


def others_of(signature: Signature) -> list[tuple[int, Column]]:
    """Return the inputs that are not read, with their numbers."""
    read = texts_of(signature)
    return [(i, column) for i, column in enumerate(signature.inputs) if i not in read]


def _read(ctx: RecipeContext, frame: pl.DataFrame) -> tuple[tuple[tuple[int, Reader], ...], list[Any]]:
    """Return the readers that found something, and what each of them made of the rows."""
    limits = {"min_rows": ctx.params.min_rows, "max_features": ctx.params.max_features}
    ways = [(words_pattern(), 1, ctx.params.words_together)]
    if ctx.params.letters:
        ways.append((LETTER, min(_PAIR, ctx.params.letters), ctx.params.letters))
    readers: list[tuple[int, Reader]] = []
    blocks: list[Any] = []
    for place in texts_of(ctx.signature):
        texts = frame[name_at(place)].to_list()
        for way in ways:
            reader = Reader(*way, **limits)
            block = reader.learn(texts)
            if block is not None:
                readers.append((place, reader))
                blocks.append(block)
    return tuple(readers), blocks


def _owners(
    signature: Signature, readers: Sequence[tuple[int, Reader]], columns: ColumnTransformer | None
) -> list[str]:
    """Return, per column of the matrix, the input it comes from."""
    owners = [signature.inputs[place].name for place, reader in readers for _ in reader.grams]
    if columns is None:
        return owners
    rest = replace(signature, inputs=tuple(column for _, column in others_of(signature)))
    return owners + owners_of(columns, rest)


def _shares(signature: Signature, matrix: Any, weights: Any, owners: Sequence[str]) -> dict[str, float]:
    """Return how much of the spread of the scores over the rows comes from each input, in sum 1."""
    names, found = np.array(owners), {}
    for column in signature.inputs:
        mine = np.flatnonzero(names == column.name)
        scores = matrix[:, mine] @ weights[:, mine].T if len(mine) else np.zeros((1, 1))
        found[column.name] = float(np.asarray(scores).std(axis=0).mean())
    total = sum(found.values()) or 1.0
    return {name: spread / total for name, spread in found.items()}


def _said(gram: Sequence[str]) -> str:
    """Return what is read together as people write it: no space between signs that stand without."""
    said = ""
    for part in gram:
        said += part if not said or (is_sign(part) and is_sign(said[-1])) else f" {part}"
    return said


RUN = TextLinear()
