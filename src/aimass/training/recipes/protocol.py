"""What a recipe's run part does, and what it gets to do it with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import polars as pl
from pydantic import BaseModel

from aimass.models import Candidate, FilesCandidate, Signature
from aimass.training.recipes.beside import Beside


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows to learn from or to answer.

    Attributes
    ----------
    features
        One column per input of the signature: strings, 64-bit numbers, booleans; nulls as they came.
    truth
        Per row (numpy): the index of the true class, ``int64``, in the order of the signature's classes; or the true number,
        ``float64``; for ranking :class:`~aimass.training.measures.relevance.Lists`: how much each row is wanted, and its list.
    beside
        Further targets by column, where the parameters name some.
    """

    features: pl.DataFrame
    truth: Any
    beside: Mapping[str, Beside] = field(default_factory=dict[str, Beside])

    def rows(self, where: Any) -> Table:
        """Return chosen rows."""
        beside = {name: one.rows(where) for name, one in self.beside.items()}
        return Table(features=self.features[where], truth=self.truth[where], beside=beside)


class RecipeContext(Protocol):
    """What a recipe gets; ``task`` is one that its manifest names.

    ``base`` is the graph of the model that the parameter ``base`` names, for a recipe that can start from one.
    """

    task: str
    params: Any
    signature: Signature
    seed: int
    threads: int
    base: bytes | None

    def data(self, part: str) -> Table:
        """Return the rows of ``train`` or ``validation``."""
        ...

    def report(self, step: int, total: int, **metrics: float) -> None:
        """Tell the progress; refuses numbers that are not finite, and raises ``Cancelled``."""
        ...

    def look(self, step: int, total: int, answer: Callable[[pl.DataFrame], Any]) -> None:
        """Offer a look at what is learned so far, after each step that the manifest counts; raises ``Cancelled``.

        Parameters
        ----------
        step, total
            Steps that are done, from 1, and how many there are at most.
        answer
            From rows to what the model would answer now, as ``predict`` does. It is called where a study watches, for some
            of the steps alone, and must not change what is learned.
        """
        ...

    def save(self, state: bytes, name: str = "recipe") -> None:
        """Commit a checkpoint of this fit."""
        ...

    def restore(self, name: str = "recipe") -> bytes | None:
        """Return the checkpoint of an earlier attempt of the same fit, or None."""
        ...


class Recipe(Protocol):
    """An algorithm. The model is whatever the recipe makes of it; only the recipe looks inside."""

    def fit(self, ctx: RecipeContext) -> Any:
        """Learn from ``ctx.data("train")``; deterministic for a seed."""
        ...

    def predict(self, ctx: RecipeContext, model: Any, features: pl.DataFrame) -> Any:
        """Return probabilities, shape ``(rows, classes)``, in the order of the signature's classes; or numbers, shape ``(rows,)``."""
        ...

    def evaluate(self, ctx: RecipeContext, model: Any, table: Table) -> Mapping[str, float]:
        """Return the numbers by which runs are compared."""
        ...

    def importance(self, ctx: RecipeContext, model: Any) -> Mapping[str, float] | None:
        """Return the weight of each input, summing to 1, or None when the model has no such notion."""
        ...

    def package(self, ctx: RecipeContext, model: Any) -> Candidate | FilesCandidate:
        """Return the ways to write the model down."""
        ...


@runtime_checkable
class Reading(Protocol):
    """What a recipe does beside that when it reads texts."""

    def terms(self, ctx: RecipeContext, model: Any) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Return, by class, the words that speak for it, the strongest first: ``column``, ``term`` and ``weight``."""
        ...


@runtime_checkable
class Hearing(Protocol):
    """What a recipe does beside that when it hears clips of sound."""

    def clip_s(self, ctx: RecipeContext, model: Any) -> float:
        """Return the seconds of a clip."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrinking:
    """How a model is to become smaller: a technique of :mod:`aimass.training.domain.compression` with its parameters."""

    technique: str
    params: Mapping[str, Any]


class LearnsAgain(Recipe, Protocol):
    """A recipe whose manifest names the capability ``compressible``: its models can be made smaller and learn again."""

    def compress(self, ctx: RecipeContext, file: bytes, wish: Shrinking) -> bytes:
        """Return the graph of a model with fewer weights, which learned again from ``ctx.data("train")``.

        Parameters
        ----------
        ctx
            With the parameters of the run that made the model; progress, checkpoints and the end of a cancelled job go as in ``fit``.
        file
            The graph, as ``package`` wrote it.
        wish
            What is left out, and how long it learns.

        Returns
        -------
        bytes
            A graph of the same inputs and outputs, with 0 for weights that are left out. It is stored and judged elsewhere.
        """
        ...


def parameters_of(values: Mapping[str, Any], model: type[BaseModel]) -> BaseModel:
    """Return checked parameters as the object that ``ctx.params`` is."""
    return model.model_validate(dict(values))
