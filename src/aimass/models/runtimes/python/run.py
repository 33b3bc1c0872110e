"""Load a skops package and answer columns with columns; only known types are ever built, never a pickle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import skops.io

from aimass.models.errors import BrokenPackage
from aimass.models.package import Column, Package

FILE = "model.skops"
# Types beyond the defaults of skops that fitted pipelines of our recipes hold; data only, no code.
KNOWN = frozenset(
    {
        "collections.OrderedDict",
        "lightgbm.basic.Booster",
        "lightgbm.sklearn.LGBMClassifier",
        "numpy.dtype",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.tree._tree.Tree",
    }
)
_DTYPES = {"string": pl.String, "float": pl.Float32, "integer": pl.Float32, "boolean": pl.Float32}


def unknown_types(file: Path) -> list[str]:
    """Return the types in a skops file that the runtime refuses to build."""
    return sorted(set(skops.io.get_untrusted_types(file=file)) - KNOWN)


class PythonModel:
    """A fitted pipeline in memory."""

    def __init__(self, package: Package) -> None:
        file = package.folder / FILE
        unknown = unknown_types(file)
        if unknown:
            raise BrokenPackage(
                f"{FILE} holds the type {unknown[0]!r}", field="files", value=unknown[0], allowed=sorted(KNOWN)
            )
        self._pipeline = skops.io.load(file, trusted=sorted(KNOWN))
        self._columns = package.manifest.signature.inputs
        self._classes = np.array(package.manifest.signature.classes, dtype=object)

    def predict(self, columns: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
        """Answer columns of inputs with columns of outputs, row by row."""
        frame = pl.DataFrame([_series(i, c, columns[c.name]) for i, c in enumerate(self._columns)])
        probabilities = self._pipeline.predict_proba(frame)
        labels = self._classes[probabilities.argmax(axis=1)]
        return {"label": labels.tolist(), "probabilities": probabilities.tolist()}


def _series(position: int, column: Column, values: list[Any]) -> pl.Series:
    series = pl.Series(f"c{position}", values, dtype=None if values else pl.Null, strict=False)
    series = series.cast(_DTYPES[column.type], strict=True)
    return series.fill_null("" if column.type == "string" else float("nan"))


def load(package: Package, *, threads: int = 1) -> PythonModel:  # noqa: ARG001 the shape of every runtime
    """Load a package."""
    return PythonModel(package)
