"""Load a pipeline from a skops file; only known types are ever built, never a pickle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
import skops.io

from aimass.models.package import Column, Package
from aimass.models.runtimes.python.known import KNOWN, check_types

FILE = "model.skops"
_DTYPES = {"string": pl.String, "float": pl.Float32, "integer": pl.Float32, "boolean": pl.Float32}


class PythonModel:
    """A fitted pipeline in memory."""

    def __init__(self, package: Package) -> None:
        file = package.folder / FILE
        check_types(file)
        self._pipeline = skops.io.load(file, trusted=sorted(KNOWN))
        self._columns = package.manifest.signature.inputs
        self._classes = np.array(package.manifest.signature.classes, dtype=object)
        self._output = package.manifest.signature.outputs[0].name

    def predict(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        """Answer columns of inputs with columns of outputs, row by row."""
        frame = pl.DataFrame([one for i, c in enumerate(self._columns) for one in _inner(i, c, columns[c.name])])
        if not len(self._classes):
            return {self._output: np.asarray(self._pipeline.predict(frame), dtype=float).reshape(-1)}
        probabilities = self._pipeline.predict_proba(frame)
        labels = self._classes[probabilities.argmax(axis=1)]
        return {"label": labels, "probabilities": np.asarray(probabilities)}


def _inner(position: int, column: Column, values: Any) -> list[pl.Series]:
    """Return what an input is inside the pipeline: one column, or one for each number of a tensor."""
    if column.shape is None:
        return [_series(position, column, values)]
    numbers = np.asarray(values, dtype=np.float32).reshape(len(values), -1)
    return [pl.Series(f"c{position}_{place}", part) for place, part in enumerate(numbers.T)]


def _series(position: int, column: Column, values: Any) -> pl.Series:
    series = pl.Series(f"c{position}", values, dtype=None if len(values) else pl.Null, strict=False)
    series = series.cast(_DTYPES[column.type], strict=True)
    return series.fill_null("" if column.type == "string" else float("nan"))


def load(package: Package, *, threads: int = 1) -> PythonModel:  # noqa: ARG001 the shape of every runtime
    """Load a package."""
    return PythonModel(package)
