"""A learner of decisions: measured by what it would have earned on rows whose reward it did not know yet."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from aimass.training.children.bandits import Bandit
from aimass.training.children.decisions import MOST_ACTIONS
from aimass.training.children.online import Online
from aimass.training.children.partial import Moments
from aimass.training.children.served import LARGEST
from aimass.training.measures.policies import Logged, cut_at, policy_scores

Label = tuple[float, str, float]


class OnlineDecisions(Online):
    """A learner whose labels are rewards, each with the action that was taken and the chance that it had.

    A row of its window is: reward, chances by action, action, its chance, expected rewards by action, values, and key.
    """

    def __init__(self, spec: Mapping[str, Any], columns: list[dict[str, Any]], classes: Sequence[str] = ()) -> None:
        super().__init__(spec, columns, classes)
        self._spread = Moments(1).kept()  # of every reward that was learned
        self._sums: dict[str, float] = {"rows": 0.0, "reward": 0.0, "dr": 0.0}

    def _restored(self, kept: dict[str, Any]) -> Bandit:
        return Bandit(self.spec, self.columns, kept=kept)

    def _meet(self, label: Label) -> None:
        if label[1] not in self.classes:
            self.classes.append(label[1])
            self.model.meet(label[1])
            self.note(f"action {label[1]!r} is new after {self.rows} rows")

    def _count(self, label: Label) -> None:
        Moments(1, self._spread).see(np.array([label[0]]))

    def _refused(self, label: Label) -> str:
        reward, action, chance = label
        if not math.isfinite(reward) or abs(reward) > LARGEST:
            return "extreme"
        if not 0 < chance <= 1:
            return "no_chance"
        return "action_too_many" if action not in self.classes and len(self.classes) >= MOST_ACTIONS else ""

    def _measure(self, row: Mapping[str, Any], features: dict[Any, Any], label: Label, whose: str | None) -> None:
        """Keep what it would have done and what it expected; a learner that knows no row yet says nothing."""
        if not self.rows:
            return
        reward, action, chance = label
        chances, expected = self.model.answer(features, self.classes)
        if not np.isfinite(expected).all():
            raise self._lost()
        place = self.classes.index(action)
        weight = min(float(chances[place]) / chance, cut_at(self.spec["window"]))
        off = reward - float(expected[place])
        worth = float((chances * expected).sum()) + weight * off
        said, hoped = (dict(zip(self.classes, one.tolist(), strict=True)) for one in (chances, expected))
        self._window.append([reward, said, action, chance, hoped, [row.get(name) for name in self._names], whose])
        for name, value in (("rows", 1.0), ("reward", reward), ("dr", worth)):
            self._sums[name] += value
        spread = float(Moments(1, self._spread).scale[0])
        self._watch(abs(off) / (abs(off) + spread))

    def metrics(self) -> dict[str, float]:
        """Return what it would have earned on the newest rows, and in total, beside what was earned."""
        if not self._window:
            return {}
        truth, said = logged_window(self.window(), sorted(self.classes))
        found = policy_scores(truth, said)
        total = self._sums["rows"]
        return {name: found[name] for name in ("dr", "snips", "logged", "lift", "ess")} | {
            "dr_total": self._sums["dr"] / total,
            "logged_total": self._sums["reward"] / total,
        }

    def answer(self, row: Mapping[str, Any], classes: list[str]) -> Any:
        """Return chances and expected rewards of the actions beside each other."""
        return np.concatenate(self.model.answer(self._encoder.encode(row), classes))


def labels_of(rows: pl.DataFrame, names: tuple[str, str, str], read: Any) -> list[Label | None]:
    """Return reward, action and chance of each row, None where one of them is not known.

    Parameters
    ----------
    names
        The columns of reward, action and chance.
    read
        How actions and numbers are read: two functions of a column.
    """
    texts, numbers = read
    columns = (numbers(rows[names[0]]), texts(rows[names[1]]), numbers(rows[names[2]]))
    return [None if None in told else told for told in zip(*columns, strict=True)]


def logged_window(window: Sequence[Sequence[Any]], actions: Sequence[str]) -> tuple[Logged, Any]:
    """Return the newest rows as decisions with what was expected of them, and what the learner said before it learned them.

    An action that was not known then had no chance, and nothing was expected of it.
    """
    chances = np.array([[one[1].get(name, 0.0) for name in actions] for one in window])
    expected = np.array([[one[4].get(name, 0.0) for name in actions] for one in window])
    truth = Logged(
        actions=np.array([actions.index(one[2]) for one in window], dtype=np.int64),
        rewards=np.array([float(one[0]) for one in window]),
        chances=np.array([float(one[3]) for one in window]),
        expected=expected,
    )
    return truth, np.concatenate([chances, expected], axis=1)
