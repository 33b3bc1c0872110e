"""A forecast: equally many numbers for what is expected, and between which bounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from aimass.models.children.kinds.number import Number
from aimass.models.children.kinds.port import beside
from aimass.models.package import Signature

FORECAST, LIST = ("forecast", "low", "high"), 2


class Forecasts(Number):
    """Lists of numbers beside each other, compared as numbers are."""

    name = "forecasts"

    def fits(self, signature: Signature) -> bool:
        """Tell whether the outputs are the lists of a forecast, all of one length."""
        shapes = {one.shape for one in signature.outputs}
        is_forecast = [one.name for one in signature.outputs] == list(FORECAST)
        are_lists = all(shape and len(shape) == LIST and shape[1] > 0 for shape in shapes)
        return is_forecast and len(shapes) == 1 and are_lists and not signature.classes

    def said(self, signature: Signature, answers: Mapping[str, Any]) -> Any:
        """Return the lists beside each other."""
        return beside(answers, *FORECAST)

    def expected(self, signature: Signature, outputs: Mapping[str, Any]) -> Any:
        """Return the lists beside each other."""
        return self.said(signature, outputs)

    def outputs(self, signature: Signature, expected: Any) -> dict[str, Any]:
        """Return each list under its name."""
        lists = np.split(expected, len(FORECAST), axis=1)
        return {name: one.tolist() for name, one in zip(FORECAST, lists, strict=True)}
