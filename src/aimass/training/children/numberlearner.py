"""A learner of numbers: measured by how far off it is, beside guessing the mean so far, or the last number."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aimass.training.children.online import Online
from aimass.training.children.partial import Moments
from aimass.training.children.served import LARGEST, number

_SIDES = {"rmse": 1, "rmse_mean": 3, "rmse_last": 4}  # where a row of the window has what was said


class OnlineNumbers(Online):
    """A learner whose labels are numbers.

    A row of its window is: truth, what it said, how far off that is, the mean so far, the number before, values, and key.
    """

    def __init__(self, spec: Mapping[str, Any], columns: list[dict[str, Any]], classes: Sequence[str] = ()) -> None:
        super().__init__(spec, columns, classes)
        self._spread = Moments(1).kept()  # of every number that was learned
        self._sums = dict.fromkeys(("rows", "truth", "square", "off", *_SIDES), 0.0)

    def _meet(self, label: Any) -> None:
        """Numbers are never new."""

    def _count(self, label: Any) -> None:
        Moments(1, self._spread).see(np.array([label]))
        self._last = label

    def _refused(self, label: Any) -> str:
        return "" if math.isfinite(label) and abs(label) <= LARGEST else "extreme"

    def _measure(self, row: Mapping[str, Any], features: dict[Any, Any], label: Any, whose: str | None) -> None:
        """Compare what the model and two simple guesses say with the truth, as soon as there is something to guess by."""
        if self._last is None:
            return
        said = number(self.model, features)
        if not math.isfinite(said):
            raise self._lost()
        so_far = Moments(1, self._spread)
        mean, spread, off = float(so_far.mean[0]), float(so_far.scale[0]), abs(said - label)
        last = float(self._last)
        self._window.append([label, said, off, mean, last, [row.get(name) for name in self._names], whose])
        totals = self._sums
        squares = {"rmse": off**2, "rmse_mean": (mean - label) ** 2, "rmse_last": (last - label) ** 2}
        fresh = {"rows": 1.0, "off": off, **squares}
        before = totals["truth"]
        totals["truth"] += (label - before) / (totals["rows"] + 1)
        totals["square"] += (label - before) * (label - totals["truth"])
        for name, value in fresh.items():
            totals[name] += value
        self._watch(off / (off + spread))

    def metrics(self) -> dict[str, float]:
        """Return the prequential measures: of the window, and in total beside what simple guesses reach."""
        if not self._window:
            return {}
        truth = np.array([one[0] for one in self._window])
        found = {
            name: float(np.sqrt(np.mean((truth - [one[place] for one in self._window]) ** 2)))
            for name, place in _SIDES.items()
        }
        found |= {"mae": float(np.mean([one[2] for one in self._window]))}
        found |= {"r2": _r2(found["rmse"] ** 2 * len(truth), float(np.sum((truth - truth.mean()) ** 2)))}
        totals = self._sums
        found |= {f"{name}_total": math.sqrt(totals[name] / totals["rows"]) for name in _SIDES}
        found |= {"mae_total": totals["off"] / totals["rows"]}
        return found | {"r2_total": _r2(totals["rmse"], totals["square"])}

    def answer(self, row: Mapping[str, Any], classes: list[str]) -> Any:
        """Return the number of a row."""
        del classes
        return number(self.model, self._encoder.encode(row))


def _r2(missed: float, spread: float) -> float:
    """Return the share of the spread that is explained; 0 where there is none.

    Examples
    --------
    >>> _r2(1.0, 4.0), _r2(1.0, 0.0)
    (0.75, 0.0)
    """
    return 1 - missed / spread if spread > 0 else 0.0
