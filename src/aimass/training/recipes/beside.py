"""What is true of rows beside their main target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """One further target of some rows.

    Attributes
    ----------
    truth
        Per row the number, or the place of the class, ``float64``; NaN where nobody knows.
    classes
        The names of its classes; empty for numbers.

    Examples
    --------
    >>> found = Beside(truth=np.array([1.0, np.nan, 0.0]), classes=("no", "yes"))
    >>> found.known.tolist(), found.task, found.rows([0]).truth.tolist()
    ([True, False, True], 'classification', [1.0])
    """

    truth: Any
    classes: tuple[str, ...] = ()

    @property
    def known(self) -> Any:
        """Return where the truth is known."""
        return ~np.isnan(self.truth)

    @property
    def task(self) -> str:
        """Return what it is predicted as."""
        return "classification" if self.classes else "regression"

    def rows(self, where: Any) -> Beside:
        """Return it for chosen rows."""
        return Beside(truth=self.truth[where], classes=self.classes)


@runtime_checkable
class LearnsBeside(Protocol):
    """What a recipe does beside the rest when its parameter ``beside`` names further targets."""

    def answers_beside(self, ctx: Any, model: Any, features: Any) -> Mapping[str, Any]:
        """Return, by column, what the model says of each further target, as ``predict`` does of the main one."""
        ...
