"""What a record keeps of inputs and outputs: columns as they are, tensors as one text for each row."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import orjson

from aimass.gateway.plane.encode import NAMES
from aimass.gateway.plane.package import Package
from aimass.gateway.plane.tensors import Tensor

_SMALL = 256


def kept_inputs(package: Package, values: dict[str, Any]) -> dict[str, Any]:
    """Return the inputs of a request as its record keeps them."""
    if len(package.table) == len(package.columns):
        return values
    columns = package.columns
    return {
        name: _texts(value, is_whole=_is_whole(columns[name])) if isinstance(columns[name], Tensor) else value
        for name, value in values.items()
    }


def kept_outputs(package: Package, outputs: dict[str, Any]) -> dict[str, Any]:
    """Return the outputs of a request as its record keeps them."""
    classes = {spec["name"] for spec in package.signature["outputs"] if spec.get("classes")}
    return {
        name: _chosen(array) if is_labels(name, array, classes) else _kept(array, is_wide=name not in classes)
        for name, array in outputs.items()
    }


def is_labels(name: str, array: Any, classes: Collection[str]) -> bool:
    """Tell whether an output holds the labels that a model of several chooses: a text in the place of each."""
    return name == "labels" and bool(classes) and array.dtype == object and array.ndim == 2  # noqa: PLR2004 rows and labels


def _chosen(array: Any) -> list[str]:
    """Write the labels of each row as one text.

    Examples
    --------
    >>> _chosen(np.array([["love", ""], ["", ""]], dtype=object))
    ['["love"]', '[]']
    """
    return [orjson.dumps([name for name in row if name]).decode() for row in array.tolist()]


def _kept(array: Any, *, is_wide: bool) -> Any:
    if array.ndim != 1 and (is_wide or array.ndim == 0):
        return _texts(array, is_whole=array.ndim == 0)
    return array.tolist() if array.dtype == object else array


def _is_whole(tensor: Any) -> bool:
    return tensor.shape[:1] != (-1,)


def _texts(array: Any, *, is_whole: bool) -> list[str]:
    """Write each row of a tensor: its values when they are few, else its type and shape.

    Examples
    --------
    >>> _texts(np.array([[1, 2], [3, 4]], dtype=np.int64), is_whole=False)
    ['[1,2]', '[3,4]']
    >>> _texts(np.zeros((1, 32, 32), dtype=np.float32), is_whole=False)
    ['FP32[32,32]']
    """
    rows = array[None] if is_whole else array
    shape = rows.shape[1:]
    if int(np.prod(shape)) > _SMALL:
        return [f"{NAMES[array.dtype]}{str(list(shape)).replace(' ', '')}"] * len(rows)
    return [orjson.dumps(row.tolist()).decode() for row in rows]
