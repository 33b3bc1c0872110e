"""One class of several, with the probability of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from aimass.models.children.kinds.port import TOLERANCE, Kind, Parity, margin
from aimass.models.package import PROBABILITIES, Signature

LABEL = "label"


class Classes(Kind):
    """The probability of each class, and the class of the largest; a tie within the tolerance may fall either way."""

    name = "classes"

    def fits(self, signature: Signature) -> bool:
        """Tell whether there are classes."""
        return bool(signature.classes)

    def said(self, signature: Signature, answers: Mapping[str, Any]) -> Any:
        """Return the probabilities."""
        return np.asarray(answers[PROBABILITIES], dtype=float)

    def expected(self, signature: Signature, outputs: Mapping[str, Any]) -> Any:
        """Return the probabilities where samples have both outputs."""
        return outputs[PROBABILITIES] if {LABEL, PROBABILITIES} <= set(outputs) else None

    def outputs(self, signature: Signature, expected: Any) -> dict[str, Any]:
        """Return the label and the probabilities of each row."""
        labels = np.array(signature.classes, dtype=object)[expected.argmax(axis=1)]
        return {LABEL: labels.tolist(), PROBABILITIES: expected.tolist()}

    def margins(self, expected: Any, thresholds: Any) -> Any:
        """Return how far the class of each row is ahead."""
        return margin(expected)

    def compare(self, signature: Signature, expected: Any, answers: Mapping[str, Any], thresholds: Any) -> Parity:
        """Compare probabilities, and the labels of rows without a tie."""
        wanted = np.asarray(expected, dtype=float)
        found = self.said(signature, answers).reshape(wanted.shape)
        classes = np.array(signature.classes, dtype=object)
        differ = classes[wanted.argmax(axis=1)] != np.array(answers[LABEL], dtype=object)
        return self.parity(len(wanted), np.abs(found - wanted), int((differ & (margin(wanted) > TOLERANCE)).sum()))
