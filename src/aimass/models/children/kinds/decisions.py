"""An action that is drawn, with the chance of each and what each would bring."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from aimass.models.children.kinds.port import TOLERANCE, Kind, Parity, beside, margin
from aimass.models.package import Signature, is_of_policy

_BESIDE = ("probabilities", "rewards")


class Decisions(Kind):
    """The chances of all actions, and beside them what each would bring."""

    name = "decisions"

    def fits(self, signature: Signature) -> bool:
        """Tell whether it is a policy."""
        return is_of_policy(signature)

    def said(self, signature: Signature, answers: Mapping[str, Any]) -> Any:
        """Return chances and expected rewards."""
        return beside(answers, *_BESIDE)

    def outputs(self, signature: Signature, expected: Any) -> dict[str, Any]:
        """Return chances and expected rewards; what is drawn differs from call to call."""
        chances, rewards = np.split(expected, 2, axis=1)
        return dict(zip(_BESIDE, (chances.tolist(), rewards.tolist()), strict=True))

    def compare(self, signature: Signature, expected: Any, answers: Mapping[str, Any], thresholds: Any) -> Parity:
        """Compare chances and expected rewards; where two actions are worth the same, either may be the better one.

        What was drawn differs from call to call, but has to be an action, and to come with the chance that it had.
        """
        wanted = np.asarray(expected, dtype=float)
        chances, rewards = np.split(wanted, 2, axis=1)
        said, worth = np.split(self.said(signature, answers).reshape(wanted.shape), 2, axis=1)
        size = float(rewards.std()) or 1.0
        is_clear = margin(rewards) > TOLERANCE * size
        places = {name: place for place, name in enumerate(signature.classes)}
        drawn = np.array([places.get(name, -1) for name in answers["action"]])
        chance = said[np.arange(len(said)), drawn]
        off = [
            np.abs(said - chances)[is_clear].ravel(),
            np.abs(worth - rewards).ravel() / np.maximum(np.abs(rewards).ravel(), size),
            np.abs(np.asarray(answers["propensity"], dtype=float) - chance),
            np.where((drawn >= 0) & (chance > 0), 0.0, 1.0),
        ]
        differ = is_clear & (worth.argmax(axis=1) != rewards.argmax(axis=1))
        return self.parity(len(wanted), np.concatenate(off), int(differ.sum()))
