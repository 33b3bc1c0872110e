"""Load a model of summaries: it chooses sentences of a text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from aimass.models.package import Package
from aimass.models.runtimes.sentences.looks import Taste
from aimass.models.runtimes.sentences.manifest import FILE


class SummaryModel:
    """A model of summaries in memory."""

    def __init__(self, package: Package) -> None:
        told = json.loads((package.folder / FILE).read_text("utf-8"))
        self._column = package.manifest.signature.inputs[0].name
        self._output = package.manifest.signature.outputs[0].name
        self._idf = np.asarray(told.pop("idf"), dtype=float)
        self._taste = Taste(**{**told, "weights": np.asarray(told["weights"], dtype=float)})

    def predict(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        """Sum up each text."""
        found = np.empty(len(columns[self._column]), dtype=object)
        found[:] = [self._taste.sum_up("" if text is None else str(text), self._idf) for text in columns[self._column]]
        return {self._output: found}


def load(package: Package, *, threads: int = 1) -> SummaryModel:  # noqa: ARG001 the shape of every runtime
    """Load a package."""
    return SummaryModel(package)
