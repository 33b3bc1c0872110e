"""An adapter from regressors to a recipe that says which action to take.

What each action would bring is learned for itself, in one of three ways: from the rows in which it was taken (``direct``), from
these by how seldom such a row was logged (``weighted``), or from all rows, each of which tells what a first model expects, put right
by what came of the action that was taken (``doubly_robust``; Dudík, Langford & Li, ICML 2011). The chances of the actions, and the
draw by them, are part of the graph: whoever asks gets an action together with the chance that it had, which is what a later
policy is judged by.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from onnx import TensorProto, helper
from skl2onnx import convert_sklearn
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline

from aimass.kernel.errors import Failed
from aimass.models import Candidate, Signature
from aimass.training.measures.bytask import measures_of
from aimass.training.measures.policies import Logged, cut_at
from aimass.training.recipes.detecting import tensor
from aimass.training.recipes.protocol import RecipeContext, Table
from aimass.training.recipes.tabular import (
    OPSET,
    STEP,
    TabularRecipe,
    by_place,
    graph_inputs,
    need_operators,
    owners_of,
    prepared,
    renamed,
)

_HALVES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Exploration:
    """How chances are made of what actions would bring.

    Attributes
    ----------
    epsilon
        The share of decisions that are drawn from all actions alike.
    temperature
        In the unit of the reward: actions that are so much apart differ by a factor of 2.7 in chance. None: the best one has all that
        is left.
    """

    epsilon: float
    temperature: float | None

    def chances(self, rewards: Any) -> Any:
        """Return the chance of each action.

        Examples
        --------
        >>> Exploration(epsilon=0.1, temperature=None).chances(np.array([[1.0, 3.0]])).tolist()
        [[0.05, 0.9500000000000001]]
        >>> Exploration(epsilon=0.0, temperature=1.0).chances(np.array([[1.0, 1.0]])).tolist()
        [[0.5, 0.5]]
        """
        count = rewards.shape[1]
        if self.temperature is None:
            wanted = (rewards.argmax(axis=1)[:, None] == np.arange(count)).astype(float)
        else:
            powers = np.exp((rewards - rewards.max(axis=1, keepdims=True)) / self.temperature)
            wanted = powers / powers.sum(axis=1, keepdims=True)
        return (1 - self.epsilon) * wanted + self.epsilon / count


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What was learned: a pipeline that says what each action would bring, and how that becomes chances."""

    pipeline: Pipeline
    exploration: Exploration


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRecipe:
    """A recipe made of a regressor for each action.

    Attributes
    ----------
    regress
        Fits one from context, inputs, numbers and weights of the rows.
    joined
        Makes one estimator, which says a number for each action, of those of all actions.
    columns
        How inputs become numbers.
    before_export
        Called with the estimator once before it is written down.
    """

    regress: Callable[[RecipeContext, Any, Any, Any], Any]
    joined: Callable[[Sequence[Any]], Any]
    columns: TabularRecipe
    before_export: Callable[[Any], None] | None = None

    def fit(self, ctx: RecipeContext) -> Policy:
        """Learn what each action would bring."""
        table = ctx.data("train")
        frame = prepared(table.features, ctx.signature)
        columns, truth = self.columns.columns(frame, ctx), table.truth
        inputs = np.asarray(columns.fit_transform(frame))
        count = len(ctx.signature.classes)
        if ctx.params.learned == "doubly_robust":
            models = self._robust(ctx, inputs, truth, count)
        else:
            models = self._direct(ctx, inputs, truth, count)
        warm = ctx.params.exploration == "softmax"
        spread = float(truth.rewards.std()) or 1.0
        return Policy(
            pipeline=Pipeline([("columns", columns), (STEP, self.joined(models))]),
            exploration=Exploration(
                epsilon=ctx.params.epsilon, temperature=ctx.params.temperature * spread if warm else None
            ),
        )

    def _direct(self, ctx: RecipeContext, inputs: Any, truth: Logged, count: int) -> list[Any]:
        """Learn each action from the rows in which it was taken."""
        weights = np.minimum(1 / truth.chances, cut_at(len(truth))) if ctx.params.learned == "weighted" else None
        models: list[Any] = []
        for action in range(count):
            rows = truth.actions == action
            models.append(
                self.regress(ctx, inputs[rows], truth.rewards[rows], None if weights is None else weights[rows])
            )
            ctx.report(action + 1, count)
        return models

    def _robust(self, ctx: RecipeContext, inputs: Any, truth: Logged, count: int) -> list[Any]:
        """Learn each action from all rows: what a model of the other half expects, put right by what came of what was done."""
        told = np.empty((len(truth), count))
        halves = KFold(_HALVES, shuffle=True, random_state=ctx.seed).split(inputs)
        for inside, outside in halves:
            for action in range(count):
                rows = inside[truth.actions[inside] == action]
                rows = rows if len(rows) else inside
                told[outside, action] = self.regress(ctx, inputs[rows], truth.rewards[rows], None).predict(
                    inputs[outside]
                )
        weights = np.minimum(1 / truth.chances, cut_at(len(truth)))
        told[truth.taken] += weights * (truth.rewards - told[truth.taken])
        models: list[Any] = []
        for action in range(count):
            models.append(self.regress(ctx, inputs, told[:, action], None))
            ctx.report(action + 1, count)
        return models

    def predict(self, ctx: RecipeContext, model: Policy, features: pl.DataFrame) -> Any:
        """Return chances and expected rewards of the actions beside each other, shape ``(rows, 2 * actions)``."""
        rewards = np.asarray(model.pipeline.predict(prepared(features, ctx.signature)), dtype=float)
        return np.concatenate([model.exploration.chances(rewards), rewards], axis=1)

    def evaluate(self, ctx: RecipeContext, model: Policy, table: Table) -> Mapping[str, float]:
        """Return the numbers by which runs are compared."""
        return measures_of(ctx.task).scores(table.truth, self.predict(ctx, model, table.features))

    def importance(self, ctx: RecipeContext, model: Policy) -> Mapping[str, float] | None:
        """Return the weight of each input, over all actions."""
        estimator: Any = model.pipeline.named_steps[STEP]
        if hasattr(estimator, "coef_"):
            weights = np.abs(np.atleast_2d(estimator.coef_)).mean(axis=0)
        else:
            weights = np.sum([one.feature_importances_ for one in estimator.estimators_], axis=0).astype(float)
        owners = np.array(owners_of(model.pipeline.named_steps["columns"], ctx.signature))
        total = float(weights.sum()) or 1.0
        return {one.name: float(weights[owners == one.name].sum()) / total for one in ctx.signature.inputs}

    def package(self, ctx: RecipeContext, model: Policy) -> Candidate:
        """Return the way to write the policy down."""
        if self.before_export is not None:
            self.before_export(model.pipeline.named_steps[STEP])
        return Candidate(signature=ctx.signature, to_onnx=lambda: _graph(model, ctx.signature), to_python=_no_python)


def _graph(model: Policy, signature: Signature) -> bytes:
    inputs = graph_inputs(signature)
    with by_place(model.pipeline.named_steps["columns"], list(enumerate(signature.inputs))):
        graph: Any = convert_sklearn(model.pipeline, name="aimass", initial_types=inputs, target_opset=OPSET)
    deciding(graph, graph.graph.output[0].name, signature.classes, model.exploration)
    return renamed(graph, signature)


def deciding(model: Any, rewards: str, actions: Sequence[str], exploration: Exploration) -> None:
    """Let a graph that says what actions would bring answer chances, and an action that is drawn by them.

    Parameters
    ----------
    rewards
        The name of what the actions would bring, shape ``(n, actions)``.
    actions
        Their names.
    """
    node = helper.make_node
    if exploration.temperature is None:
        nodes = [
            node("ArgMax", [rewards], ["policy/best"], axis=1, keepdims=1),
            node("Equal", ["policy/best", "policy/places"], ["policy/is_best"]),
            node("Cast", ["policy/is_best"], ["policy/wanted"], to=TensorProto.FLOAT),
        ]
    else:
        nodes = [
            node("Mul", [rewards, "policy/colder"], ["policy/scaled"]),
            node("Softmax", ["policy/scaled"], ["policy/wanted"], axis=1),
        ]
        model.graph.initializer.append(tensor("policy/colder", 1 / exploration.temperature))
    model.graph.node.extend(nodes)
    answering(model, (rewards, "policy/wanted"), actions, exploration.epsilon)


def answering(model: Any, told: tuple[str, str], actions: Sequence[str], epsilon: float) -> None:
    """Let a graph answer as a policy; ``told`` are the names of the expected rewards, and of the chances without the tries."""
    graph, count, (rewards, wanted) = model.graph, len(actions), told
    names = {"keys_int64s": list(range(count)), "values_strings": list(actions), "domain": "ai.onnx.ml"}
    graph.node.extend(
        [
            helper.make_node("Mul", [wanted, "policy/kept"], ["policy/share"]),
            helper.make_node("Add", ["policy/share", "policy/each"], ["policy/chances"]),
            helper.make_node("Identity", [rewards], ["policy/rewards"]),
            *drawing("policy/chances"),
            helper.make_node("LabelEncoder", ["policy/drawn"], ["policy/action"], **names),
        ]
    )
    whole = {"places": ([1, count], list(range(count))), "last": ([1], [count - 1])}
    whole |= {"across": ([1], [1]), "axis": ([], [1]), "first": ([1], [0])}
    graph.initializer.extend([tensor("policy/kept", 1 - epsilon), tensor("policy/each", epsilon / count)])
    graph.initializer.extend(
        helper.make_tensor(f"policy/{name}", TensorProto.INT64, shape, values)
        for name, (shape, values) in whole.items()
    )
    del graph.output[:]
    said = (("action", TensorProto.STRING, [None]), ("propensity", TensorProto.FLOAT, [None]))
    wide = (("chances", TensorProto.FLOAT, [None, count]), ("rewards", TensorProto.FLOAT, [None, count]))
    graph.output.extend(
        helper.make_tensor_value_info(f"policy/{name}", kind, shape) for name, kind, shape in (*said, *wide)
    )
    need_operators(model)
    plain = next((one for one in model.opset_import if not one.domain), None)
    if plain is None:
        model.opset_import.append(helper.make_opsetid("", OPSET[""]))
    else:
        plain.version = max(
            plain.version, OPSET[""]
        )  # the converter wrote its nodes for it, and names only what those need


def drawing(chances: str) -> list[Any]:
    """Return the nodes that draw a place by its chance, and tell the chance that it had.

    A number between 0 and 1 falls behind as many places as the sums of the chances leave below it.
    """
    node = helper.make_node
    return [
        node("Slice", [chances, "policy/first", "policy/across", "policy/across"], ["policy/column"]),
        node("RandomUniformLike", ["policy/column"], ["policy/random"]),
        node("CumSum", [chances, "policy/axis"], ["policy/sums"]),
        node("GreaterOrEqual", ["policy/random", "policy/sums"], ["policy/is_behind"]),
        node("Cast", ["policy/is_behind"], ["policy/behind"], to=TensorProto.INT64),
        node("ReduceSum", ["policy/behind", "policy/across"], ["policy/count"], keepdims=1),
        node("Min", ["policy/count", "policy/last"], ["policy/place"]),
        node("Equal", ["policy/place", "policy/places"], ["policy/is_drawn"]),
        node("Cast", ["policy/is_drawn"], ["policy/one"], to=TensorProto.FLOAT),
        node("Mul", ["policy/one", chances], ["policy/chance"]),
        node("ReduceSum", ["policy/chance", "policy/across"], ["policy/propensity"], keepdims=0),
        node("Squeeze", ["policy/place", "policy/across"], ["policy/drawn"]),
    ]


def _no_python() -> bytes:
    raise Failed("a policy is written as ONNX alone")
