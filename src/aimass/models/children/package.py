"""Build packages: ONNX when the exported file answers like the trained model, else Python with the reason."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from aimass.kernel.errors import Failed, Invalid
from aimass.models.package import (
    LABELS,
    PROBABILITIES,
    SAMPLES,
    Environment,
    Manifest,
    Package,
    Signature,
    is_of_policy,
    is_of_sets,
    write_package,
)
from aimass.models.runtimes import LoadedModel, load_model

TOLERANCE = 1e-4
SAMPLE_ROWS = 20
VALUE = "value"
FORECAST, LIST = ("forecast", "low", "high"), 2
ENTITIES, SCORE_STEP = "entities", 0.001
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
    """Rows to replay, and what the trained model itself said of them: probabilities by class, a number, lists or a text each.

    A column is a list; of a tensor it may be an array.

    Attributes
    ----------
    is_of_lists
        Whether a model says lists of numbers, those of all outputs beside each other: forecasts, or the chances of actions and
        what they bring.
    thresholds
        Of a model that chooses several labels: from which probability each is chosen. What it says are the probabilities, and
        beside them 1 for each label that is chosen.
    """

    columns: Mapping[str, Any]
    expected: Any
    is_of_lists: bool = False
    thresholds: Any = None

    def margins(self) -> Any:
        """Return how far each row is from another label, None where a row has none."""
        if isinstance(next(iter(self.expected), None), str):
            return None
        expected = np.asarray(self.expected, dtype=float)
        if self.thresholds is not None:
            return np.abs(expected[:, : len(self.thresholds)] - self.thresholds).min(axis=1)
        return _margin(expected) if expected.ndim > 1 and not self.is_of_lists else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """How a packaged model compares with the answers expected of it.

    Attributes
    ----------
    max_difference
        Of a probability; or of a number, as a share of it or of the spread of all, whichever is larger.
    is_of_numbers
        Whether the model answers a number and no label.
    is_of_entities
        Whether it answers with entities; rows whose entities are others count as labels that differ.
    """

    rows: int
    labels_differ: int
    max_difference: float
    tolerance: float = TOLERANCE
    is_of_numbers: bool = False
    is_of_entities: bool = False

    @property
    def passed(self) -> bool:
        """Tell whether labels agree and probabilities or numbers are within the tolerance."""
        return self.labels_differ == 0 and self.max_difference <= self.tolerance

    def sentence(self) -> str:
        """Say it in one sentence."""
        if self.is_of_numbers:
            return (
                f"{self.rows} rows replayed: largest difference of a value {self.max_difference:.2g} of its size or of "
                f"the spread (allowed {self.tolerance:g})"
            )
        if self.is_of_entities:
            return (
                f"{self.rows} texts replayed: {self.labels_differ} have other entities, "
                f"largest difference of a score {self.max_difference:.2g} (allowed {self.tolerance:g})"
            )
        return (
            f"{self.rows} rows replayed: {self.labels_differ} labels differ, "
            f"largest difference of a probability {self.max_difference:.2g} (allowed {self.tolerance:g})"
        )


def build_package(folder: Path, candidate: Candidate, rows: Rows) -> tuple[Package, Parity]:
    """Write the package of a trained model; every row is replayed through the exported file first."""
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


def sampled(rows: Rows) -> list[int]:
    """Return the places of the rows that a package carries as its samples, in their order."""
    if not len(rows.expected):
        raise Invalid("a package needs sample rows", field="samples", hint="the validation part of the split is empty")
    margins = rows.margins()
    clear = () if margins is None else np.flatnonzero(margins > TOLERANCE)
    pool = clear if len(clear) else np.arange(len(rows.expected))
    return pool[np.unique(np.linspace(0, len(pool) - 1, SAMPLE_ROWS).round().astype(int))].tolist()


def _samples(rows: Rows, signature: Signature) -> bytes:
    chosen = sampled(rows)
    expected = np.asarray(rows.expected, dtype=object if is_of_entities(signature) else float)
    body = {
        "inputs": {c.name: [_plain(rows.columns[c.name][i]) for i in chosen] for c in signature.inputs},
        "outputs": _said(signature, expected[chosen]),
    }
    return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()


def _said(signature: Signature, expected: Any) -> dict[str, Any]:
    if is_of_lists(signature):
        ends = np.cumsum([output.shape[1] for output in signature.outputs if output.shape is not None])
        lists = np.split(expected, ends[:-1], axis=1)
        return {output.name: one.tolist() for output, one in zip(signature.outputs, lists, strict=True)}
    if is_of_policy(signature):
        chances, rewards = np.split(expected, 2, axis=1)
        return {"probabilities": chances.tolist(), "rewards": rewards.tolist()}
    if not signature.classes:
        return {signature.outputs[0].name: expected.tolist()}  # numbers, or entities as they are written
    if is_of_sets(signature):
        probabilities, chosen = np.split(expected, 2, axis=1)
        return {PROBABILITIES: probabilities.tolist(), LABELS: _names(signature, chosen > 0).tolist()}
    labels = np.array(signature.classes, dtype=object)[expected.argmax(axis=1)]
    return {"label": labels.tolist(), "probabilities": expected.tolist()}


def _names(signature: Signature, chosen: Any) -> Any:
    """Return the name of each label that is chosen, and an empty text in the place of every other."""
    return np.where(chosen, np.array(signature.classes, dtype=object), "")


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):  # one row of a tensor
        return value.tolist()
    return None if isinstance(value, float) and np.isnan(value) else value


def _margin(probabilities: Any) -> Any:
    top = np.sort(probabilities, axis=1)
    return top[:, -1] - top[:, -2]


def replay(package: Package, rows: Rows, model: LoadedModel | None = None) -> Parity:
    """Load the package as serving does, unless it is loaded already, answer the rows, and compare."""
    answers = (model or load_model(package)).predict(rows.columns)
    return compare(package.manifest.signature, rows.expected, answers, rows.thresholds)


def compare(signature: Signature, expected: Any, answers: Mapping[str, Any], thresholds: Any = None) -> Parity:
    """Compare answers with expected probabilities, where a tie within the tolerance may fall either way, or numbers."""
    if is_of_entities(signature):
        return _compare_entities(expected, answers[ENTITIES])
    wanted = np.asarray(expected, dtype=float)
    if is_of_sets(signature):
        return _compare_sets(wanted, said_of(signature, answers), thresholds)
    if not signature.classes:
        return _compare_numbers(wanted, said_of(signature, answers))
    if is_of_policy(signature):
        return _compare_decisions(signature, wanted, answers)
    found = np.asarray(answers["probabilities"], dtype=float).reshape(wanted.shape)
    classes = np.array(signature.classes, dtype=object)
    differ = classes[wanted.argmax(axis=1)] != np.array(answers["label"], dtype=object)
    return Parity(
        rows=len(wanted),
        labels_differ=int((differ & (_margin(wanted) > TOLERANCE)).sum()),
        max_difference=float(np.nan_to_num(np.abs(found - wanted), nan=1.0).max(initial=0.0)),
    )


def _compare_sets(wanted: Any, found: Any, thresholds: Any) -> Parity:
    """Compare probabilities, and the labels that are chosen: those too near to their threshold may fall either way."""
    (given, chosen), (said, taken) = np.split(wanted, 2, axis=1), np.split(found.reshape(wanted.shape), 2, axis=1)
    clear = np.ones(given.shape, dtype=bool) if thresholds is None else np.abs(given - thresholds) > TOLERANCE
    return Parity(
        rows=len(wanted),
        labels_differ=int(((chosen != taken) & clear).sum()),
        max_difference=float(np.nan_to_num(np.abs(said - given), nan=1.0).max(initial=0.0)),
    )


def _compare_numbers(wanted: Any, found: Any) -> Parity:
    """Compare numbers by their size, or by the spread of all: what is near 0 is a sum of large parts that cancel."""
    size = np.maximum(np.abs(wanted), wanted.std() if len(wanted) else 0.0)
    off = np.abs(found.reshape(wanted.shape) - wanted) / np.where(size > 0, size, 1.0)
    largest = float(np.nan_to_num(off, nan=1.0).max(initial=0.0))
    return Parity(rows=len(wanted), labels_differ=0, max_difference=largest, is_of_numbers=True)


def _compare_decisions(signature: Signature, wanted: Any, answers: Mapping[str, Any]) -> Parity:
    """Compare chances and expected rewards; where two actions are worth the same, either may be the better one.

    What was drawn differs from call to call, but has to be an action, and to come with the chance that it had.
    """
    chances, rewards = np.split(wanted, 2, axis=1)
    said, worth = np.split(said_of(signature, answers).reshape(wanted.shape), 2, axis=1)
    size = float(rewards.std()) or 1.0
    is_clear = _margin(rewards) > TOLERANCE * size
    places = {name: place for place, name in enumerate(signature.classes)}
    drawn = np.array([places.get(name, -1) for name in answers["action"]])
    chance = said[np.arange(len(said)), drawn]
    off = np.concatenate(
        [
            np.abs(said - chances)[is_clear].ravel(),
            np.abs(worth - rewards).ravel() / np.maximum(np.abs(rewards).ravel(), size),
            np.abs(np.asarray(answers["propensity"], dtype=float) - chance),
            np.where((drawn >= 0) & (chance > 0), 0.0, 1.0),
        ]
    )
    differ = is_clear & (worth.argmax(axis=1) != rewards.argmax(axis=1))
    return Parity(
        rows=len(wanted),
        labels_differ=int(differ.sum()),
        max_difference=float(np.nan_to_num(off, nan=1.0).max(initial=0.0)),
    )


def _compare_entities(wanted: Sequence[str], found: Sequence[str]) -> Parity:
    """Compare entities by everything but their scores, whose last place may be rounded either way."""
    off, differ = 0.0, 0
    for one, other in zip(wanted, found, strict=True):
        own, own_scores = _without_scores(one)
        its, its_scores = _without_scores(other)
        differ += own != its
        if own == its:
            off = max([off, *(abs(a - b) - SCORE_STEP for a, b in zip(own_scores, its_scores, strict=True))])
    return Parity(rows=len(wanted), labels_differ=differ, max_difference=off, is_of_entities=True)


def _without_scores(written: str) -> tuple[list[dict[str, Any]], list[float]]:
    entities: list[dict[str, Any]] = json.loads(written)
    return entities, [float(one.pop("score", 0.0)) for one in entities]


def said_of(signature: Signature, answers: Mapping[str, Any]) -> Any:
    """Return what a model answers as one array: probabilities, a number or a text a row, or the lists of all outputs side by side.

    Of several labels these are the probabilities, and beside them 1 for each label that is chosen.
    """
    if is_of_entities(signature):
        return np.asarray(answers[ENTITIES], dtype=object)
    if is_of_sets(signature):
        chosen = np.asarray(answers[LABELS], dtype=object) != ""
        return np.hstack([np.asarray(answers[PROBABILITIES], dtype=float), chosen.astype(float)])
    if is_of_policy(signature):
        return np.concatenate([np.asarray(answers[name], dtype=float) for name in ("probabilities", "rewards")], axis=1)
    if is_of_lists(signature):
        return np.concatenate([np.asarray(answers[one.name], dtype=float) for one in signature.outputs], axis=1)
    return np.asarray(answers["probabilities" if signature.classes else signature.outputs[0].name], dtype=float)


def is_of_lists(signature: Signature) -> bool:
    """Tell whether a model answers a forecast: lists of equally many numbers each, and no classes."""
    shapes = {one.shape for one in signature.outputs}
    is_forecast = [one.name for one in signature.outputs] == list(FORECAST)
    return is_forecast and len(shapes) == 1 and all(shape and len(shape) == LIST and shape[1] > 0 for shape in shapes)


def is_of_entities(signature: Signature) -> bool:
    """Tell whether a model answers what it finds in a text, as a JSON list of type, text, start, end and score."""
    return [(one.name, one.type, one.shape) for one in signature.outputs] == [(ENTITIES, "string", (-1,))]


def is_of_number(signature: Signature) -> bool:
    """Tell whether a model answers one number per row, and nothing else."""
    outputs = signature.outputs
    return [(one.name, one.type, one.shape) for one in outputs] == [(VALUE, "float", (-1,))]


def replay_samples(package: Package, model: LoadedModel) -> dict[str, Any]:
    """Replay the samples that the package carries through its model; the job's answer as plain JSON."""
    samples = package.samples()
    said = _expected(package.manifest.signature, samples["outputs"])
    if said is not None:
        rows = Rows(columns=samples["inputs"], expected=said)
        parity = replay(package, rows, model)
        return {**asdict(parity), "passed": parity.passed, "evidence": parity.sentence()}
    return compare_outputs(samples["outputs"], model.predict(samples["inputs"]))


def _expected(signature: Signature, outputs: Mapping[str, Any]) -> Any:
    """Return the probabilities or the numbers that the samples expect; None for a model of another kind."""
    if is_of_policy(signature):
        return np.concatenate([np.asarray(outputs[name], dtype=float) for name in ("probabilities", "rewards")], axis=1)
    if signature.classes and {"label", "probabilities"} <= set(outputs):
        return outputs["probabilities"]
    if is_of_sets(signature):
        return said_of(signature, outputs)
    if is_of_entities(signature):
        return outputs.get(ENTITIES)
    if is_of_lists(signature):
        return np.concatenate([np.asarray(outputs[name], dtype=float) for name in FORECAST], axis=1)
    return outputs.get(VALUE) if is_of_number(signature) else None


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
