"""What is found in a picture, as a JSON list of label, x, y, width, height, score, and key points where there are any."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from aimass.models.children.kinds.port import Kind, Parity
from aimass.models.package import Signature

OBJECTS = "objects"
SCORE_STEP, PIXEL_STEP = 0.001, 0.1
_EDGE = 2 * SCORE_STEP  # from the least sure object that is told: one as sure may be told, or just not
_SIDES = ("x", "y", "width", "height")


class Objects(Kind):
    """Objects in pictures, compared by label and place, whatever their order; the last place of a number may be rounded either way."""

    name = "objects"
    dtype = object
    words = (
        "{rows} pictures replayed: {labels_differ} have other objects, "
        "largest difference of a score {max_difference:.2g} (allowed {tolerance:g})"
    )

    def fits(self, signature: Signature) -> bool:
        """Tell whether the only output is a text of objects."""
        return [(one.name, one.type, one.shape) for one in signature.outputs] == [(OBJECTS, "string", (-1,))]

    def said(self, signature: Signature, answers: Mapping[str, Any]) -> Any:
        """Return them as they are written."""
        return np.asarray(answers[OBJECTS], dtype=object)

    def expected(self, signature: Signature, outputs: Mapping[str, Any]) -> Any:
        """Return them as they are written."""
        return outputs.get(OBJECTS)

    def outputs(self, signature: Signature, expected: Any) -> dict[str, Any]:
        """Return them as they are written."""
        return {OBJECTS: expected.tolist()}

    def compare(self, signature: Signature, expected: Any, answers: Mapping[str, Any], thresholds: Any) -> Parity:
        """Compare them picture by picture."""
        pairs = [(_read(one), _read(other)) for one, other in zip(expected, answers[OBJECTS], strict=True)]
        least = min((float(one["score"]) for pair in pairs for some in pair for one in some or ()), default=0.0)
        off, differ = [0.0], 0
        for own, its in pairs:
            if own is None or its is None:
                differ += 1
                continue
            left, alone = list(its), list[dict[str, Any]]()
            for one in own:
                like = next((other for other in left if _is_like(one, other)), None)
                if like is None:
                    alone.append(one)
                else:
                    left.remove(like)
                    off.append(abs(one["score"] - like["score"]) - SCORE_STEP)
            differ += any(one["score"] > least + _EDGE for one in (*alone, *left))
        return self.parity(len(pairs), off, differ)


def _read(written: Any) -> list[dict[str, Any]] | None:
    """Return the objects of an answer; None for what is no list of them."""
    try:
        found = json.loads(written)
    except (TypeError, ValueError, RecursionError):
        return None
    is_whole = isinstance(found, list) and all(
        isinstance(one, dict) and "label" in one and all(type(one.get(n)) in (int, float) for n in (*_SIDES, "score"))
        for one in found
    )
    return found if is_whole else None


def _is_like(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Tell whether two objects are of one label, at one place, and about as sure."""
    if one["label"] != other["label"] or abs(one["score"] - other["score"]) > _EDGE:
        return False
    own, its = _places(one), _places(other)
    return own.shape == its.shape and bool((np.abs(own - its) < 1.5 * PIXEL_STEP).all())


def _places(one: Mapping[str, Any]) -> Any:
    points = [value for point in one.get("keypoints") or () for value in point]
    return np.array([*(one[name] for name in _SIDES), *points], dtype=float)
