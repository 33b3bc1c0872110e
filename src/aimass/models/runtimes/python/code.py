"""Run the class that a package brings; only ever inside an isolated worker."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import numpy as np

from aimass.models.errors import BrokenPackage
from aimass.models.package import Package
from aimass.models.runtimes.python.entry import Entry


class CodeModel:
    """An instance of the package's class, with answers brought into arrays."""

    def __init__(self, made: Any, package: Package) -> None:
        self._model = made
        self._outputs = [output.name for output in package.manifest.signature.outputs]

    def predict(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        """Answer columns of inputs with columns of outputs, row by row."""
        return self._told(self._model.predict(dict(columns)), "predict")

    def _told(self, answers: Any, method: str) -> dict[str, Any]:
        if not isinstance(answers, Mapping):
            kind = type(answers).__name__
            raise BrokenPackage(
                f"{method} answered with {kind}, not with a column for each output", allowed=self._outputs
            )
        missing = [name for name in self._outputs if name not in answers]
        if missing:
            raise BrokenPackage(f"{method} gave no {missing[0]!r}", field=missing[0], allowed=self._outputs)
        return {name: _column(answers[name]) for name in self._outputs}


class StreamingModel(CodeModel):
    """An instance of a class that can also answer in chunks."""

    def predict_stream(self, columns: Mapping[str, Any], parameters: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Answer in chunks, each with every output."""
        for chunk in self._model.predict_stream(dict(columns), dict(parameters)):
            yield self._told(chunk, "predict_stream")


def _column(values: Any) -> Any:
    """Return an output as an array; text as objects."""
    array = np.asarray(values)
    return array.astype(object) if array.dtype.kind == "U" else array


def load(package: Package, entry: Entry, threads: int) -> CodeModel:
    """Import the class of a package, and make one; ``threads`` is handed to those who ask for it."""
    if entry.module.partition(".")[0] in {*sys.modules, *sys.stdlib_module_names}:
        raise BrokenPackage(
            f"there is a module {entry.module!r} already", field="entry", value=entry.module, hint="name it otherwise"
        )
    sys.dont_write_bytecode = True  # a package holds what its manifest names, and nothing else
    sys.path.insert(0, str(package.folder))
    made = getattr(import_module(entry.module), entry.name, None)
    if made is None:
        raise BrokenPackage(f"module {entry.module!r} has no {entry.name!r}", field="entry", value=entry.name)
    more = {"threads": threads} if "threads" in inspect.signature(made).parameters else {}
    model = made(package.folder, **more)
    if hasattr(model, "predict_stream"):
        return StreamingModel(model, package)
    return CodeModel(model, package)
