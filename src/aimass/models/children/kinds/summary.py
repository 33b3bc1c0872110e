"""One text out of another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from aimass.models.children.kinds.port import Kind, Parity
from aimass.models.package import Signature

SUMMARY = "summary"


class Summary(Kind):
    """Texts, compared sign by sign."""

    name = "summary"
    dtype = object
    words = "{rows} texts replayed: {labels_differ} are summed up otherwise"

    def fits(self, signature: Signature) -> bool:
        """Tell whether the only output is a summary."""
        return [(one.name, one.type, one.shape) for one in signature.outputs] == [(SUMMARY, "string", (-1,))]

    def said(self, signature: Signature, answers: Mapping[str, Any]) -> Any:
        """Return the texts."""
        return np.asarray(answers[SUMMARY], dtype=object)

    def expected(self, signature: Signature, outputs: Mapping[str, Any]) -> Any:
        """Return the texts."""
        return outputs.get(SUMMARY)

    def outputs(self, signature: Signature, expected: Any) -> dict[str, Any]:
        """Return the texts."""
        return {SUMMARY: expected.tolist()}

    def compare(self, signature: Signature, expected: Any, answers: Mapping[str, Any], thresholds: Any) -> Parity:
        """Compare them text by text."""
        differ = sum(one != other for one, other in zip(expected, answers[SUMMARY], strict=True))
        return self.parity(len(expected), [0.0], differ)
