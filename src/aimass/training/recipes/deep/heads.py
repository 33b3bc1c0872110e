"""Heads of further targets: a net with one trunk learns several things, and the main one is what it answers.

Caruana, "Multitask learning", Machine Learning 28 (1997): what is learned beside the target shapes the layers that both share.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from aimass.training.recipes.beside import Beside
from aimass.training.recipes.deep.engine import torch


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """One further target: where its outputs begin in the last layer, which column of the truth it has, and its unit."""

    name: str
    first: int
    column: int
    classes: int
    mean: float
    spread: float

    @property
    def outputs(self) -> slice:
        """Return its outputs in the last layer."""
        return slice(self.first, self.first + max(self.classes, 1))

    def loss(self, said: Any, truth: Any) -> Any:
        """Return the mean loss over the rows of a batch of which the truth is known; 0 where it is known of none."""
        wanted = truth[:, self.column]
        known = ~torch.isnan(wanted)
        given, wanted = said[known, self.outputs], wanted[known]
        if not len(wanted):
            return given.sum()
        if self.classes:
            return torch.nn.functional.cross_entropy(given, wanted.long())
        return torch.nn.functional.mse_loss(given[:, 0], wanted)

    def answers(self, said: Any) -> Any:
        """Return shares of classes, or numbers in the unit of the target."""
        given = said[:, self.outputs].astype(np.float64)
        if not self.classes:
            return given[:, 0] * self.spread + self.mean
        shares = np.exp(given - given.max(axis=1, keepdims=True))
        return shares / shares.sum(axis=1, keepdims=True)


class Heads:
    """The further targets of one fit, behind the ``main`` outputs of the last layer."""

    def __init__(self, beside: Mapping[str, Beside], main: int) -> None:
        self.main = main
        self.heads: list[Head] = []
        self._truths = list(beside.values())
        self.width = main
        for column, (name, one) in enumerate(beside.items(), start=1):
            mean, spread = (0.0, 1.0) if one.classes else _unit(one.truth)
            head = Head(name=name, first=self.width, column=column, classes=len(one.classes), mean=mean, spread=spread)
            self.heads.append(head)
            self.width = head.outputs.stop

    def truth(self, main: Any) -> Any:
        """Return the truth of all targets: one column for each, the main one first, NaN where it is not known."""
        if not self.heads:
            return main
        columns = [main.reshape(-1, 1).float()]
        for head, one in zip(self.heads, self._truths, strict=True):
            scaled = (one.truth - head.mean) / head.spread
            columns.append(torch.as_tensor(scaled.astype(np.float32))[:, None])
        return torch.cat(columns, dim=1)

    def losses(
        self, loss: Callable[[Any, Any], Any], weight: float, *, of_classes: bool
    ) -> tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]:
        """Return what is learned, the main loss and the mean of the others by their weight; and the main one, which judges."""
        if not self.heads:
            return loss, loss

        def judge(said: Any, truth: Any) -> Any:
            return loss(said[:, : self.main], truth[:, 0].long() if of_classes else truth[:, :1])

        def learned(said: Any, truth: Any) -> Any:
            others = sum(head.loss(said, truth) for head in self.heads)
            return judge(said, truth) + weight * others / len(self.heads)

        return learned, judge

    def answers(self, said: Any) -> dict[str, Any]:
        """Return what each head says."""
        return {head.name: head.answers(said) for head in self.heads}


def _unit(truth: Any) -> tuple[float, float]:
    """Return mean and deviation of what is known; of nothing 0 and 1."""
    known = truth[~np.isnan(truth)]
    return (float(known.mean()), float(known.std()) or 1.0) if len(known) else (0.0, 1.0)
