"""How a text goes on, and how likely it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from aimass.models.children.kinds.port import Kind, Parity
from aimass.models.package import Signature, is_of_language

_NUMBERS = ("bits", "tokens", "embedding")


class Language(Kind):
    """Bits, pieces and vector of each text beside each other; what goes on with it is drawn, and compared with nothing."""

    name = "language"
    words = (
        "{rows} texts replayed: {labels_differ} have another number of pieces, largest difference of bits, as a share of them, "
        "or of a vector {max_difference:.2g} (allowed {tolerance:g})"
    )

    def fits(self, signature: Signature) -> bool:
        """Tell whether it is a language model."""
        return is_of_language(signature)

    def said(self, signature: Signature, answers: Mapping[str, Any]) -> Any:
        """Return bits, pieces and vector."""
        return np.column_stack([np.asarray(answers[name], dtype=float) for name in _NUMBERS])

    def outputs(self, signature: Signature, expected: Any) -> dict[str, Any]:
        """Return them under their names."""
        bits, tokens, vectors = np.split(expected, [1, 2], axis=1)
        return {
            "bits": bits[:, 0].tolist(),
            "tokens": tokens[:, 0].astype(int).tolist(),
            "embedding": vectors.tolist(),
        }

    def compare(self, signature: Signature, expected: Any, answers: Mapping[str, Any], thresholds: Any) -> Parity:
        """Compare pieces exactly, bits by their size, and vectors, whose length is 1, as they are."""
        wanted = np.asarray(expected, dtype=float)
        found = self.said(signature, answers).reshape(wanted.shape)
        off = np.abs(found - wanted) / np.concatenate(
            [np.maximum(wanted[:, :1], 1.0), np.ones_like(wanted[:, 1:])], axis=1
        )
        return self.parity(len(wanted), off, int((found[:, 1] != wanted[:, 1]).sum()))
