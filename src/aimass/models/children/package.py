"""Build packages: ONNX when the exported file answers like the trained model, else Python with the reason."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from aimass.kernel.errors import Failed, Invalid
from aimass.models.children.kinds import kind_of
from aimass.models.children.kinds.port import TOLERANCE, Parity
from aimass.models.package import SAMPLES, Environment, Manifest, Package, Signature, write_package
from aimass.models.runtimes import LoadedModel, load_model

SAMPLE_ROWS = 20
_RUNTIME_PACKAGES = {
    "onnx": ("onnxruntime", "numpy"),
    "python": ("scikit-learn", "lightgbm", "numpy", "polars", "skops"),
}
_FILES = {"onnx": "model.onnx", "python": "model.skops"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A trained model on its way into a package.

    Attributes
    ----------
    to_onnx
        Returns the bytes of the exported graph, or None for a model that is known not to convert.
    why_not_onnx
        The reason for that.
    to_python
        Returns the bytes of the skops file.
    """

    signature: Signature
    to_python: Callable[[], bytes]
    to_onnx: Callable[[], bytes] | None = None
    why_not_onnx: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows to replay, and what the trained model itself said of them, as its kind of answer is one array.

    A column is a list; of a tensor it may be an array.

    Attributes
    ----------
    thresholds
        Of a model that chooses several labels: from which probability each is chosen.
    """

    columns: Mapping[str, Any]
    expected: Any
    thresholds: Any = None


def build_package(folder: Path, candidate: Candidate | FilesCandidate, rows: Rows) -> tuple[Package, Parity]:
    """Write the package of a trained model; every row is replayed through the exported file first."""
    if isinstance(candidate, FilesCandidate):
        return build_files_package(folder, candidate, rows)
    why = candidate.why_not_onnx
    if candidate.to_onnx is not None:
        try:
            package = _write(folder, "onnx", candidate.signature, candidate.to_onnx(), rows)
            parity = replay(package, rows)
        except Exception as reason:  # noqa: BLE001 converters raise anything; the reason goes into the manifest
            why = f"the conversion to ONNX failed: {type(reason).__name__}: {str(reason)[:300]}"
        else:
            if parity.passed:
                return package, parity
            why = f"the exported ONNX file answers differently: {parity.sentence()}"
    try:
        written = candidate.to_python()
    except Failed as reason:  # what stands for ONNX alone tells why that did not work
        raise Failed(f"{reason.message}; {why}") from reason
    package = _write(folder, "python", candidate.signature, written, rows, why)
    parity = replay(package, rows)
    if not parity.passed:
        raise Failed(f"the packaged model answers differently: {parity.sentence()}")
    return package, parity


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeCandidate:
    """A trained model that brings the code which answers for it.

    Attributes
    ----------
    entry
        The class that answers, as ``module:Class``.
    files
        The module and what it reads, by name.
    libraries
        What has to be installed where it answers.
    why
        Why it is not written as ONNX.
    """

    signature: Signature
    entry: str
    files: Mapping[str, bytes]
    libraries: tuple[str, ...]
    why: str


def build_code_package(folder: Path, candidate: CodeCandidate, rows: Rows) -> tuple[Package, Parity]:
    """Write a package with code of its own; every row is replayed through it first."""
    packages = {name: version(name) for name in candidate.libraries}
    manifest = Manifest(
        runtime="python",
        signature=candidate.signature,
        files={},
        environment=Environment(python=platform.python_version(), packages=packages),
        why_python=candidate.why,
        entry=candidate.entry,
    )
    package = write_package(folder, manifest, {**candidate.files, SAMPLES: _samples(rows, candidate.signature)})
    parity = replay(package, rows)
    if not parity.passed:
        raise Failed(f"the packaged model answers differently: {parity.sentence()}")
    return package, parity


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesCandidate:
    """A trained model as the files that a runtime reads, which are no code.

    Attributes
    ----------
    runtime
        The runtime that answers with them.
    libraries
        What has to be installed where it answers.
    """

    signature: Signature
    runtime: str
    files: Mapping[str, bytes]
    libraries: tuple[str, ...]


def build_files_package(folder: Path, candidate: FilesCandidate, rows: Rows) -> tuple[Package, Parity]:
    """Write a package of files; every row is replayed through it first."""
    manifest = Manifest(
        runtime=candidate.runtime,
        signature=candidate.signature,
        files={},
        environment=Environment(
            python=platform.python_version(), packages={name: version(name) for name in candidate.libraries}
        ),
    )
    package = write_package(folder, manifest, {**candidate.files, SAMPLES: _samples(rows, candidate.signature)})
    parity = replay(package, rows)
    if not parity.passed:
        raise Failed(f"the packaged model answers differently: {parity.sentence()}")
    return package, parity


def _write(
    folder: Path, runtime: str, signature: Signature, model: bytes, rows: Rows, why: str | None = None
) -> Package:
    packages = {name: version(name) for name in _RUNTIME_PACKAGES[runtime]}
    manifest = Manifest(
        runtime=runtime,
        signature=signature,
        files={},
        environment=Environment(python=platform.python_version(), packages=packages),
        why_python=why,
    )
    return write_package(folder, manifest, {_FILES[runtime]: model, SAMPLES: _samples(rows, signature)})


def sampled(rows: Rows, signature: Signature) -> list[int]:
    """Return the places of the rows that a package carries as its samples, in their order."""
    if not len(rows.expected):
        raise Invalid("a package needs sample rows", field="samples", hint="the validation part of the split is empty")
    kind = kind_of(signature)
    margins = kind.margins(np.asarray(rows.expected, dtype=kind.dtype), rows.thresholds)
    clear = () if margins is None else np.flatnonzero(margins > TOLERANCE)
    pool = clear if len(clear) else np.arange(len(rows.expected))
    return pool[np.unique(np.linspace(0, len(pool) - 1, SAMPLE_ROWS).round().astype(int))].tolist()


def _samples(rows: Rows, signature: Signature) -> bytes:
    chosen = sampled(rows, signature)
    kind = kind_of(signature)
    expected = np.asarray(rows.expected, dtype=kind.dtype)[chosen]
    body = {
        "inputs": {c.name: [_plain(rows.columns[c.name][i]) for i in chosen] for c in signature.inputs},
        "outputs": kind.outputs(signature, expected),
    }
    return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):  # one row of a tensor
        return value.tolist()
    return None if isinstance(value, float) and np.isnan(value) else value


def replay(package: Package, rows: Rows, model: LoadedModel | None = None) -> Parity:
    """Load the package as serving does, unless it is loaded already, answer the rows, and compare."""
    answers = (model or load_model(package)).predict(rows.columns)
    return compare(package.manifest.signature, rows.expected, answers, rows.thresholds)


def compare(signature: Signature, expected: Any, answers: Mapping[str, Any], thresholds: Any = None) -> Parity:
    """Compare what a model answers with what was expected of it, as its kind of answer is compared."""
    return kind_of(signature).compare(signature, expected, answers, thresholds)


def said_of(signature: Signature, answers: Mapping[str, Any]) -> Any:
    """Return what a model answers as one array, with a row for each row asked; see the kinds of answers."""
    return kind_of(signature).said(signature, answers)


def replay_samples(package: Package, model: LoadedModel) -> dict[str, Any]:
    """Replay the samples that the package carries through its model; the job's answer as plain JSON."""
    samples, signature = package.samples(), package.manifest.signature
    said = kind_of(signature).expected(signature, samples["outputs"])
    if said is None:
        return compare_outputs(samples["outputs"], model.predict(samples["inputs"]))
    return replay(package, Rows(columns=samples["inputs"], expected=said), model).told()


def compare_outputs(expected: Mapping[str, Any], answers: Mapping[str, Any]) -> dict[str, Any]:
    """Compare the answers of a model that names no classes: numbers within the tolerance, all else exactly."""
    wrong = [name for name, values in expected.items() if name not in answers or not _alike(values, answers[name])]
    said = f"{len(expected)} outputs replayed: " + (f"{', '.join(wrong)} differ" if wrong else "all as expected")
    return {"outputs": len(expected), "differ": wrong, "passed": not wrong, "evidence": said}


def _alike(expected: Any, answer: Any) -> bool:
    wanted, found = np.asarray(expected), np.asarray(answer)
    if wanted.size != found.size:
        return False
    if wanted.dtype.kind in "if" and found.dtype.kind in "fiu":
        return bool(np.allclose(found.ravel(), wanted.ravel(), rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True))
    return bool((wanted.ravel().astype(str) == found.ravel().astype(str)).all())
