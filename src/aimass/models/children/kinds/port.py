"""What a kind of answer has to say of itself, and how answers are compared."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from aimass.models.package import Signature

TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """How a packaged model compares with the answers expected of it.

    Attributes
    ----------
    labels_differ
        Rows whose label, entities or action is another one.
    max_difference
        Of a probability or a score; or of a number, as a share of it or of the spread of all, whichever is larger.
    words
        The sentence that tells it, with the names of the other attributes in braces.
    """

    rows: int
    labels_differ: int
    max_difference: float
    words: str
    tolerance: float = TOLERANCE

    @property
    def passed(self) -> bool:
        """Tell whether labels agree and probabilities or numbers are within the tolerance."""
        return self.labels_differ == 0 and self.max_difference <= self.tolerance

    def sentence(self) -> str:
        """Say it in one sentence."""
        return self.words.format(
            rows=self.rows,
            labels_differ=self.labels_differ,
            max_difference=self.max_difference,
            tolerance=self.tolerance,
        )

    def told(self) -> dict[str, Any]:
        """Return it as plain JSON, with the sentence as its evidence."""
        return {
            "rows": self.rows,
            "labels_differ": self.labels_differ,
            "max_difference": self.max_difference,
            "tolerance": self.tolerance,
            "passed": self.passed,
            "evidence": self.sentence(),
        }


class Kind(ABC):
    """One kind of answer: how it becomes one array, how it is written into samples, and how two of it are compared.

    Attributes
    ----------
    dtype
        Of the array.
    words
        The sentence that tells a comparison; see :class:`Parity`.
    """

    name: ClassVar[str]
    dtype: ClassVar[type] = float
    words: ClassVar[str] = (
        "{rows} rows replayed: {labels_differ} labels differ, "
        "largest difference of a probability {max_difference:.2g} (allowed {tolerance:g})"
    )

    @abstractmethod
    def fits(self, signature: Signature) -> bool:
        """Tell whether a model of this signature answers so."""

    @abstractmethod
    def said(self, signature: Signature, answers: Mapping[str, Any]) -> Any:
        """Return what a model answers as one array, with a row for each row asked."""

    @abstractmethod
    def outputs(self, signature: Signature, expected: Any) -> dict[str, Any]:
        """Return such an array as the outputs of the model, to be written."""

    @abstractmethod
    def compare(self, signature: Signature, expected: Any, answers: Mapping[str, Any], thresholds: Any) -> Parity:
        """Compare what a model answers with what was expected of it."""

    def expected(self, signature: Signature, outputs: Mapping[str, Any]) -> Any:
        """Return the array that written samples expect; None where they are none of this kind."""
        return self.said(signature, outputs)

    def margins(self, expected: Any, thresholds: Any) -> Any:
        """Return how far each row is from another answer; None where an answer has no such thing."""
        return None

    def parity(self, rows: int, off: Any, differ: int = 0) -> Parity:
        """Return how a comparison went, by the differences of all numbers; one that is no number is as far off as can be."""
        largest = float(np.nan_to_num(np.asarray(off, dtype=float), nan=1.0).max(initial=0.0))
        return Parity(rows=rows, labels_differ=differ, max_difference=largest, words=self.words)


def margin(probabilities: Any) -> Any:
    """Return how far the most probable of each row is ahead of the next."""
    top = np.sort(probabilities, axis=1)
    return top[:, -1] - top[:, -2]


def beside(outputs: Mapping[str, Any], *names: str) -> Any:
    """Return outputs of lists of numbers beside each other, as one array."""
    return np.concatenate([np.asarray(outputs[name], dtype=float) for name in names], axis=1)
