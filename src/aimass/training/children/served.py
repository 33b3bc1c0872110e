"""How a model that learned row by row answers. This file goes into the package as it is, so it imports nothing of ours."""

from __future__ import annotations

import io
import json
import math
import pickle
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

LARGEST = 1e12
_MODULES = ("river.", "numpy.", "sklearn.", "scipy.", "narwhals.")
_NAMES = {
    ("builtins", name)
    for name in ("set", "frozenset", "dict", "list", "tuple", "int", "float", "bool", "str", "complex")
} | {
    ("builtins", "object"),
    ("builtins", "bytearray"),
    ("builtins", "slice"),
    ("builtins", "range"),
    ("collections", "Counter"),
    ("collections", "OrderedDict"),
    ("collections", "defaultdict"),
    ("collections", "deque"),
    ("copyreg", "_reconstructor"),
    ("copyreg", "__newobj__"),
    ("functools", "partial"),
    ("random", "Random"),
    ("datetime", "datetime"),
    ("statistics", "NormalDist"),
    ("_codecs", "encode"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
}


class _Known(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _NAMES or module.startswith(_MODULES):
            return super().find_class(module, name)
        if (module, name) == ("builtins", "getattr"):
            return _method
        raise pickle.UnpicklingError(f"{module}.{name} is no part of a model")


def _method(owner: Any, name: str) -> Any:
    """Return a method of a part of a model: some keep one of their own."""
    if not type(owner).__module__.startswith(_MODULES):
        raise pickle.UnpicklingError(f"{type(owner).__name__}.{name} is no part of a model")
    return getattr(owner, name)


def unpickled(data: bytes, digest: str) -> Any:
    """Return what was written, if its hash is the one that was noted; other types than those of models are refused."""
    if sha256(data).hexdigest() != digest:
        raise pickle.UnpicklingError("what was kept has changed since it was written")
    return _Known(io.BytesIO(data)).load()


class Encoder:
    """Turn a row into the features of a model.

    Numbers that are missing are left out. Text becomes one number per known category, or stays text for trees; text that
    was not known at the start, and columns with too many values, are left out.

    Parameters
    ----------
    columns
        ``name``, ``type`` and ``categories`` of each input.
    one_hot
        Whether text becomes numbers.
    is_joined
        Whether a number of a category is named by one text: there are models that sort their names.
    """

    def __init__(self, columns: list[dict[str, Any]], *, one_hot: bool, is_joined: bool = False) -> None:
        self._is_joined = is_joined
        self._columns = [(c["name"], c["type"], c["categories"]) for c in columns]
        self._one_hot = one_hot

    def encode(self, row: Mapping[str, Any], faults: list[str] | None = None) -> dict[Any, Any]:
        """Return the features of a row; what is odd about it is told in ``faults``."""
        said: list[str] = [] if faults is None else faults
        features: dict[Any, Any] = {}
        for name, kind, categories in self._columns:
            value = row.get(name)
            if kind == "string":
                self._text(features, name, value, categories, said)
            elif value is None:
                said.append("missing")
            else:
                number = _number(value, said)
                if number is not None:
                    features[name] = number
        return features

    def _text(self, features: dict[Any, Any], name: str, value: Any, categories: Any, said: list[str]) -> None:
        if categories is None:
            return
        text = "" if value is None else str(value)
        if value is None:
            said.append("missing")
        elif text not in categories:
            said.append("unseen_category")
        if self._one_hot:
            for category in categories:
                key = f"{name}={category}" if self._is_joined else (name, category)
                features[key] = 1.0 if category == text else 0.0
        elif text in categories:
            features[name] = text


def _number(value: Any, said: list[str]) -> float | None:
    if isinstance(value, str):
        value = {"true": 1.0, "false": 0.0}.get(value.lower(), value)
    try:
        number = float(value)
    except (TypeError, ValueError):
        said.append("mistyped")
        return None
    if math.isnan(number):
        said.append("missing")
        return None
    if abs(number) > LARGEST:
        said.append("extreme")
        return None
    return number


def answers(model: Any, features: dict[Any, Any], classes: list[str]) -> list[float]:
    """Return the probability of each class; equal ones where the model says nothing."""
    said = model.predict_proba_one(features)
    given = [max(0.0, float(said.get(name, 0.0))) for name in classes]
    total = sum(given)
    if not total > 0 or math.isinf(total):
        return [1.0 / len(classes)] * len(classes)
    return [one / total for one in given]


def number(model: Any, features: dict[Any, Any]) -> float:
    """Return the number that a model says."""
    return float(model.predict_one(features) or 0.0)


class Model:
    """A model that learned row by row, as a package holds it; one without classes answers numbers."""

    def __init__(self, folder: Path) -> None:
        told = json.loads((Path(folder) / "learned.json").read_bytes())
        self._classes: list[str] = told["classes"]
        self._encoder = Encoder(told["columns"], one_hot=told["one_hot"], is_joined=told["is_joined"])
        self._model = unpickled((Path(folder) / "learned.bin").read_bytes(), told["sha256"])

    def predict(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        """Answer rows with the label and the probability of each class, or with a number."""
        names, height = list(columns), len(next(iter(columns.values())))
        rows = [{name: _plain(columns[name][place]) for name in names} for place in range(height)]
        features = [self._encoder.encode(row) for row in rows]
        if not self._classes:
            return {"value": [number(self._model, one) for one in features]}
        said = [answers(self._model, one, self._classes) for one in features]
        return {"label": [self._classes[one.index(max(one))] for one in said], "probabilities": said}


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
