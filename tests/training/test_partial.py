"""Estimators of scikit-learn that learn row by row, against scikit-learn run directly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from aimass.models import Rows
from aimass.training.children.exported import packaged
from aimass.training.children.learn import _columns, _signature
from aimass.training.children.learnerfiles import unpack
from aimass.training.children.online import Online
from aimass.training.online import check_model

COLUMNS = [
    {"name": "kind", "type": "string", "categories": ["a", "b"]},
    {"name": "free", "type": "string", "categories": None},
    {"name": "size", "type": "float", "categories": None},
    {"name": "weight", "type": "float", "categories": None},
]
SEED = 7
DIRECT = {
    "sklearn_sgd": lambda: SGDClassifier(
        loss="log_loss", learning_rate="constant", eta0=0.01, alpha=0.0001, random_state=SEED
    ),
    "sklearn_mlp": lambda: MLPClassifier((32,), alpha=0.0001, shuffle=False, random_state=SEED),
    "sklearn_naive_bayes": GaussianNB,
}


def learner(model: str, classes: tuple[str, ...] = ("no", "yes"), **more: Any) -> Online:
    params = check_model(model, more.pop("params", {}))
    spec = {"model": model, "params": params, "detector": "adwin", "replay": 0, "window": 100, "seed": SEED}
    return Online({**spec, "memory_mb": 8, **more}, COLUMNS, classes)


def rows_of(count: int, *, third: bool = False) -> list[tuple[dict[str, Any], str]]:
    rng = np.random.default_rng(3)
    found = []
    for _ in range(count):
        size, kind = float(rng.normal(5, 2)), str(rng.choice(["a", "b"]))
        label = "yes" if size + 2 * (kind == "a") + rng.normal(0, 0.5) > 6 else "no"
        weight = None if rng.random() < 0.1 else float(rng.normal(100, 30))
        if third and weight is not None and weight > 120:
            label = "maybe"
        found.append(({"kind": kind, "free": "x", "size": size, "weight": weight}, label))
    return found


def numbers(row: dict[str, Any]) -> list[float]:
    return [float(row["kind"] == "a"), float(row["kind"] == "b"), 0.0, row["size"], row["weight"]]


def taught(model: str, count: int = 400, **more: Any) -> Online:
    found = learner(model, **more)
    for row, label in rows_of(count):
        found.take(row, label)
    return found


@pytest.mark.parametrize("model", ["sklearn_sgd", "sklearn_mlp"])
def test_it_answers_every_row_as_the_library_does_that_is_run_directly(model: str) -> None:
    scaler, direct = StandardScaler(), DIRECT[model]()
    rows = [(row, label) for row, label in rows_of(250) if row["weight"] is not None]
    found, hits = learner(model), []
    for place, (row, label) in enumerate(rows):
        values = np.array([numbers(row)])
        if place:
            said = direct.predict_proba(scaler.transform(values))[0]
            assert found.answer(row, ["no", "yes"]) == pytest.approx(said, abs=1e-9)
            hits.append(["no", "yes"][said.argmax()] == label)
        found.take(row, label)
        scaler.partial_fit(values)
        direct.partial_fit(scaler.transform(values), [label], classes=["no", "yes"])
    assert found.metrics()["accuracy_total"] == pytest.approx(np.mean(hits))
    assert found.metrics()["accuracy"] > found.metrics()["majority"] + 0.15


def test_naive_bayes_knows_the_same_as_after_a_fit_on_all_rows() -> None:
    rows = [(row, label) for row, label in rows_of(300) if row["weight"] is not None]
    found, values = learner("sklearn_naive_bayes"), np.array([numbers(row) for row, _ in rows])
    for row, label in rows:
        found.take(row, label)
    direct = GaussianNB().fit(values, [label for _, label in rows])
    said = [found.answer(row, ["no", "yes"]) for row, _ in rows]
    assert np.allclose(said, direct.predict_proba(values), atol=1e-6)


@pytest.mark.parametrize("model", DIRECT)
def test_a_snapshot_is_onnx_and_answers_like_the_learner(model: str, tmp_path: Path) -> None:
    found = taught(model)
    columns = _columns(found, found.window())
    columns["free"][0] = columns["kind"][1] = None
    given = [found.answer({n: v[i] for n, v in columns.items()}, ["no", "yes"]) for i in range(100)]
    rows = Rows(columns=columns, expected=np.array(given))
    package, parity = packaged(tmp_path / "package", found, _signature(found, ["no", "yes"]), rows)
    assert parity.passed
    assert package.manifest.runtime == "onnx"


@pytest.mark.parametrize("model", DIRECT)
def test_a_new_class_is_learned_and_the_snapshot_has_it(model: str, tmp_path: Path) -> None:
    found = taught(model)
    asked = rows_of(50)
    before = np.array([found.answer(row, ["no", "yes"]) for row, _ in asked])
    found.model._grow("maybe")
    after = np.array([found.answer(row, ["no", "yes"]) for row, _ in asked])
    assert np.allclose(before, after, atol=0.02), "the classes that were known are told apart as before"
    for row, label in rows_of(900, third=True):
        found.take(row, label)
    classes = ["maybe", "no", "yes"]
    said = np.array([found.answer(row, classes) for row, _ in rows_of(300, third=True)])
    hits = [classes[one.argmax()] == label for one, (_, label) in zip(said, rows_of(300, third=True), strict=True)]
    assert np.mean(hits) > 0.65
    columns = _columns(found, found.window())
    given = [found.answer({n: v[i] for n, v in columns.items()}, classes) for i in range(100)]
    rows = Rows(columns=columns, expected=np.array(given))
    package, parity = packaged(tmp_path / "package", found, _signature(found, classes), rows)
    assert parity.passed
    assert package.manifest.signature.classes == tuple(classes)


@pytest.mark.parametrize("model", DIRECT)
def test_it_goes_on_from_what_was_written_and_takes_no_more_memory_with_more_rows(model: str) -> None:
    rows = rows_of(700)
    whole, first = learner(model, replay=20), learner(model, replay=20)
    for row, label in rows[:300]:
        whole.take(row, label)
        first.take(row, label)
    second, _ = unpack(first.pack({}), first.spec)
    size = len(first.pack({}))
    for row, label in rows[300:]:
        whole.take(row, label)
        second.take(row, label)
    assert second.metrics() == whole.metrics()
    assert [second.answer(row, ["no", "yes"]) for row, _ in rows[:5]] == [
        whole.answer(row, ["no", "yes"]) for row, _ in rows[:5]
    ]
    second.points = first.points
    assert len(second.pack({})) < size * 1.05
