"""What is found in a text, as a JSON list of type, text, start, end and score."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from aimass.models.children.kinds.port import Kind, Parity
from aimass.models.package import Signature

ENTITIES, SCORE_STEP = "entities", 0.001


class Entities(Kind):
    """Entities of texts, compared by everything but their scores, whose last place may be rounded either way."""

    name = "entities"
    dtype = object
    words = (
        "{rows} texts replayed: {labels_differ} have other entities, "
        "largest difference of a score {max_difference:.2g} (allowed {tolerance:g})"
    )

    def fits(self, signature: Signature) -> bool:
        """Tell whether the only output is a text of entities."""
        return [(one.name, one.type, one.shape) for one in signature.outputs] == [(ENTITIES, "string", (-1,))]

    def said(self, signature: Signature, answers: Mapping[str, Any]) -> Any:
        """Return them as they are written."""
        return np.asarray(answers[ENTITIES], dtype=object)

    def expected(self, signature: Signature, outputs: Mapping[str, Any]) -> Any:
        """Return them as they are written."""
        return outputs.get(ENTITIES)

    def outputs(self, signature: Signature, expected: Any) -> dict[str, Any]:
        """Return them as they are written."""
        return {ENTITIES: expected.tolist()}

    def compare(self, signature: Signature, expected: Any, answers: Mapping[str, Any], thresholds: Any) -> Parity:
        """Compare them text by text."""
        off, differ = [0.0], 0
        for one, other in zip(expected, answers[ENTITIES], strict=True):
            own, own_scores = _without_scores(one)
            its, its_scores = _without_scores(other)
            differ += own != its
            if own == its:
                off += [abs(a - b) - SCORE_STEP for a, b in zip(own_scores, its_scores, strict=True)]
        return self.parity(len(expected), off, differ)


def _without_scores(written: str) -> tuple[list[dict[str, Any]], list[float]]:
    entities: list[dict[str, Any]] = json.loads(written)
    return entities, [float(one.pop("score", 0.0)) for one in entities]
