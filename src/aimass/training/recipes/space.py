"""Rows as points, where no column tells what is true: the space in which clusters are judged, the same for every recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from aimass.training.measures.clusters import Points

MOST_VALUES = 30
REACH = 10.0
_DIFFERENT = 2**-0.5  # two rows that differ in a text alone are 1 apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """How rows become points.

    Attributes
    ----------
    numbers
        Mean and deviation of each column of numbers or truth values.
    tensors
        Mean and deviation of all numbers of each column of lists.
    texts
        The most frequent values of each column of texts; all others are alike.
    """

    numbers: dict[str, tuple[float, float]]
    tensors: dict[str, tuple[float, float]]
    texts: dict[str, list[str]]

    @classmethod
    def of(cls, features: pl.DataFrame) -> Space:
        """Learn the space from the training rows."""
        numbers: dict[str, tuple[float, float]] = {}
        tensors: dict[str, tuple[float, float]] = {}
        texts: dict[str, list[str]] = {}
        for column in features:
            if column.dtype == pl.String:
                counts = column.drop_nulls().value_counts().sort(["count", column.name], descending=[True, False])
                texts[column.name] = counts[column.name].head(MOST_VALUES).to_list()
            elif column.dtype.is_nested():
                known = _unfolded(column)
                tensors[column.name] = (float(known.mean()), (float(known.std()) or 1.0) * known.shape[1] ** 0.5)
            else:
                known = column.cast(pl.Float64).drop_nulls().to_numpy()
                spread = float(known.std()) if len(known) else 0.0
                numbers[column.name] = (float(known.mean()) if len(known) else 0.0, spread or 1.0)
        return cls(numbers=numbers, tensors=tensors, texts=texts)

    def points(self, features: pl.DataFrame, names: Any = None) -> Points:
        """Return rows as points.

        Parameters
        ----------
        features
            The rows; a null lies in the middle of its column.
        names
            What is known of the rows, where a column tells it.

        Examples
        --------
        >>> frame = pl.DataFrame({"size": [1.0, 3.0, None], "kind": ["a", "b", "a"]})
        >>> Space.of(frame).points(frame).space.round(2).tolist()
        [[-1.0, 0.71, 0.0], [1.0, 0.0, 0.71], [0.0, 0.71, 0.0]]
        """
        parts = [
            np.clip(np.nan_to_num((features[name].cast(pl.Float64).to_numpy() - mean) / spread), -REACH, REACH)[:, None]
            for name, (mean, spread) in self.numbers.items()
        ]
        parts += [
            np.clip((_unfolded(features[name]) - mean) / spread, -REACH, REACH)
            for name, (mean, spread) in self.tensors.items()
        ]
        parts += [
            np.column_stack([(features[name] == value).fill_null(value=False).to_numpy() for value in known])
            * _DIFFERENT
            for name, known in self.texts.items()
            if known
        ]
        space = np.concatenate(parts, axis=1) if parts else np.zeros((features.height, 1))
        return Points(space=space, features=features, names=names)


def _unfolded(column: pl.Series) -> Any:
    """Return the lists of a column as the rows of a matrix."""
    return np.array(column.to_list(), dtype=float).reshape(len(column), -1)
