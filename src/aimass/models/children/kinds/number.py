"""One number a row; or one list of them, where a model answers nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from aimass.models.children.kinds.port import Kind, Parity
from aimass.models.package import Signature

VALUE = "value"


class Number(Kind):
    """Numbers, compared by their size, or by the spread of all: what is near 0 is a sum of large parts that cancel."""

    name = "number"
    words = (
        "{rows} rows replayed: largest difference of a value {max_difference:.2g} of its size or of "
        "the spread (allowed {tolerance:g})"
    )

    def fits(self, signature: Signature) -> bool:
        """Tell whether there are no classes."""
        return not signature.classes

    def said(self, signature: Signature, answers: Mapping[str, Any]) -> Any:
        """Return the first output."""
        return np.asarray(answers[signature.outputs[0].name], dtype=float)

    def expected(self, signature: Signature, outputs: Mapping[str, Any]) -> Any:
        """Return the numbers of a model that answers one for each row, and nothing else."""
        is_one = [(one.name, one.type, one.shape) for one in signature.outputs] == [(VALUE, "float", (-1,))]
        return outputs.get(VALUE) if is_one else None

    def outputs(self, signature: Signature, expected: Any) -> dict[str, Any]:
        """Return the numbers under the name of the output."""
        return {signature.outputs[0].name: expected.tolist()}

    def compare(self, signature: Signature, expected: Any, answers: Mapping[str, Any], thresholds: Any) -> Parity:
        """Compare numbers by their size."""
        wanted = np.asarray(expected, dtype=float)
        size = np.maximum(np.abs(wanted), wanted.std() if len(wanted) else 0.0)
        found = self.said(signature, answers).reshape(wanted.shape)
        return self.parity(len(wanted), np.abs(found - wanted) / np.where(size > 0, size, 1.0))
