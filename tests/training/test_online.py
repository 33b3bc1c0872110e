"""Models that learn row by row, against what River publishes of them; replay, bounded memory, and what is read back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from river import datasets

from aimass.kernel.errors import Conflict, Failed
from aimass.training.children.learnerfiles import unpack
from aimass.training.children.online import Online
from aimass.training.children.onlinemodels import learn_again
from aimass.training.online import check_model

PUBLISHED = {"logistic_regression": 0.8872, "naive_bayes": 0.8847, "hoeffding_adaptive_tree": 0.8743}
NUMBERS = [{"name": name, "type": "float", "categories": None} for name in ("a", "b")]


def learner(model: str, columns: list[dict[str, Any]], **more: Any) -> Online:
    spec = {"model": model, "params": check_model(model, more.pop("params", {})), "detector": "adwin", "replay": 0}
    return Online({**spec, "window": 500, "seed": 42, "memory_mb": 64, **more}, columns, more.pop("classes", ()))


@pytest.mark.parametrize("model", PUBLISHED)
def test_it_is_as_accurate_on_phishing_as_river_publishes(model: str) -> None:
    rows: list[tuple[Any, Any]] = list(datasets.Phishing())
    columns = [{"name": name, "type": "float", "categories": None} for name in rows[0][0]]
    found = learner(model, columns)
    for number, (row, label) in enumerate(rows):
        found.take(row, str(label), number)
    metrics = found.metrics()
    assert metrics["accuracy_total"] == pytest.approx(PUBLISHED[model], abs=0.005)
    assert metrics["accuracy_total"] > max(metrics["majority_total"], metrics["last_class_total"]) + 0.3


def corner(rng: Any, task: int) -> tuple[dict[str, float], str]:
    """Return a row of one of two tasks, in places of their own, whose labels follow other rules."""
    a, b = rng.uniform(-1, 1, 2)
    return {"a": a + 4 * task, "b": b}, "yes" if (a > 0) != bool(task) else "no"


def kept(replay: int) -> tuple[float, float]:
    """Return the accuracy on the first task after it was learned, and after the second one was too."""
    rng = np.random.default_rng(1)
    found = learner("adwin_bagging", NUMBERS, replay=replay, params={"n_models": 3, "grace_period": 50})
    asked = [corner(np.random.default_rng(n), 0) for n in range(300)]

    def right() -> float:
        said = [found.answer(row, found.classes) for row, _ in asked]
        return float(
            np.mean([found.classes[one.index(max(one))] == label for one, (_, label) in zip(said, asked, strict=True)])
        )

    for _ in range(1500):
        found.take(*corner(rng, 0))
    before = right()
    for _ in range(1500):
        found.take(*corner(rng, 1))
    return before, right()


def test_with_replay_what_was_learned_first_is_kept_within_a_point() -> None:
    before, after = kept(500)
    assert before > 0.95
    assert after >= before - 0.01


@pytest.mark.parametrize("model", ["adwin_bagging", "leveraging_bagging", "adaptive_random_forest"])
def test_what_watches_the_members_of_an_ensemble_is_not_told_of_rows_that_are_learned_again(model: str) -> None:
    rng = np.random.default_rng(3)
    found = learner(model, NUMBERS, params={"n_models": 3})
    for _ in range(200):
        found.take(*corner(rng, 0))

    def told() -> list[tuple[float, float]]:
        return [(one.width, one.estimation) for one in found.model._drift_detectors]

    row, label = corner(rng, 0)
    before, sure = told(), found.model.predict_proba_one(row)[label]
    other = "no" if label == "yes" else "yes"
    for _ in range(300):
        learn_again(found.model, row, other)
    assert told() == before
    assert found.model.predict_proba_one(row)[label] < sure
    found.take(row, label)
    assert told() != before


def test_what_is_kept_to_learn_again_is_given_up_before_the_memory_is_full() -> None:
    found = learner("naive_bayes", NUMBERS, replay=20_000, memory_mb=1)
    rng = np.random.default_rng(0)
    for _ in range(6000):
        found.take({"a": float(rng.normal()), "b": float(rng.normal())}, str(rng.choice(["x", "y"])))
    found.spec["memory_mb"] = 0.15
    assert len(found.pack({})) <= 0.15 * 2**20 + 500
    assert found.spec["replay"] < 6000
    assert any("there is no memory for more" in note for note in found.notes)
    found.spec["memory_mb"] = 0.01
    with pytest.raises(Failed, match="what the learner keeps takes"):
        found.pack({})


def test_it_goes_on_from_what_was_written_as_if_it_had_never_stopped() -> None:
    rng = np.random.default_rng(2)
    rows = [corner(rng, number % 2) for number in range(400)]
    whole, first = learner("hoeffding_adaptive_tree", NUMBERS), learner("hoeffding_adaptive_tree", NUMBERS)
    for row in rows[:200]:
        whole.take(*row)
        first.take(*row)
    second, cursor = unpack(first.pack({"position": 200}), first.spec)
    assert cursor == {"position": 200}
    for row in rows[200:]:
        whole.take(*row)
        second.take(*row)
    assert second.metrics() == whole.metrics()
    head, _, body = second.pack({}).partition(b"\n")
    with pytest.raises(Conflict, match="cannot be read"):
        unpack(head + b"\n" + body[:-1] + b"x", first.spec)
