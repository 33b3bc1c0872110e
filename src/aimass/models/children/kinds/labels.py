"""Several labels at once, each chosen from a probability of its own on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from aimass.models.children.kinds.port import TOLERANCE, Kind, Parity
from aimass.models.package import LABELS, PROBABILITIES, Signature, is_of_sets


class Labels(Kind):
    """The probabilities of all labels, and beside them 1 for each label that is chosen."""

    name = "labels"

    def fits(self, signature: Signature) -> bool:
        """Tell whether labels are chosen."""
        return is_of_sets(signature)

    def said(self, signature: Signature, answers: Mapping[str, Any]) -> Any:
        """Return the probabilities, and what is chosen."""
        chosen = np.asarray(answers[LABELS], dtype=object) != ""
        return np.hstack([np.asarray(answers[PROBABILITIES], dtype=float), chosen.astype(float)])

    def outputs(self, signature: Signature, expected: Any) -> dict[str, Any]:
        """Return the name of each label that is chosen, and an empty text in the place of every other."""
        probabilities, chosen = np.split(expected, 2, axis=1)
        names = np.where(chosen > 0, np.array(signature.classes, dtype=object), "")
        return {PROBABILITIES: probabilities.tolist(), LABELS: names.tolist()}

    def margins(self, expected: Any, thresholds: Any) -> Any:
        """Return how far the label of each row that is nearest to its threshold is from it."""
        return None if thresholds is None else np.abs(expected[:, : len(thresholds)] - thresholds).min(axis=1)

    def compare(self, signature: Signature, expected: Any, answers: Mapping[str, Any], thresholds: Any) -> Parity:
        """Compare probabilities, and the labels that are chosen: those too near to their threshold may fall either way."""
        wanted = np.asarray(expected, dtype=float)
        given, chosen = np.split(wanted, 2, axis=1)
        said, taken = np.split(self.said(signature, answers).reshape(wanted.shape), 2, axis=1)
        clear = np.ones(given.shape, dtype=bool) if thresholds is None else np.abs(given - thresholds) > TOLERANCE
        return self.parity(len(wanted), np.abs(said - given), int(((chosen != taken) & clear).sum()))
