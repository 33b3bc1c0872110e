"""Learners that decide: against formulas of their own, as files, in a world that turns, and at the light gate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aimass.kernel.errors import Invalid
from aimass.models import Rows, load_model
from aimass.training.children.exported import packaged
from aimass.training.children.learn import _columns, _signature, _write_window
from aimass.training.children.learnerfiles import begun, unpack
from aimass.training.children.metric_gate import metric_gate
from aimass.training.online import check_model, model_for

COLUMNS = [
    {"name": "kind", "type": "string", "categories": ["a", "b"]},
    {"name": "free", "type": "string", "categories": None},
    {"name": "size", "type": "float", "categories": None, "middle": 5.0, "spread": 2.0},
]
ACTIONS = ("call", "mail", "none")
MODELS = ["lin_ucb", "lin_thompson", "lin_epsilon"]


def learner(model: str, actions: Any = ACTIONS, **more: Any) -> Any:
    params = check_model(model, more.pop("params", {}))
    spec = {"model": model, "params": params, "detector": "adwin", "replay": 0, "window": 200, "seed": 7}
    return begun({**spec, "memory_mb": 8, **more}, COLUMNS, actions)


def row_of(rng: Any) -> dict[str, Any]:
    return {"kind": str(rng.choice(["a", "b"])), "free": "x", "size": float(rng.normal(5, 2))}


def means_of(row: dict[str, Any], *, turned: bool = False) -> Any:
    size = (row["size"] - 5) / 2 * (-1 if turned else 1)
    return np.array([size, 0.8 * (row["kind"] == "a"), 0.1])


def drawn(found: Any, count: int, *, turned: bool = False, seed: int = 0) -> Any:
    """Let a learner learn rows in which every action was as likely."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        row, place = row_of(rng), int(rng.integers(3))
        reward = float(means_of(row, turned=turned)[place] + rng.normal(0, 0.3))
        found.take(row, (reward, ACTIONS[place], 1 / 3))
    return found


def written(found: Any, folder: Path, names: list[str] | None = None) -> Any:
    names, window = names or sorted(found.classes), found.window()
    columns = _columns(found, window)
    given = [found.answer({n: v[i] for n, v in columns.items()}, names) for i in range(len(window))]
    rows = Rows(columns=columns, expected=np.array(given))
    return packaged(folder, found, _signature(found, names), rows)


def test_it_expects_what_a_ridge_regression_of_the_rows_of_an_action_does() -> None:
    found, rng, seen = learner("lin_ucb", params={"penalty": 2.0, "width": 0.7}), np.random.default_rng(1), []
    for _ in range(60):
        row, place = row_of(rng), int(rng.integers(3))
        reward = float(means_of(row)[place] + rng.normal(0, 0.3))
        found.take(row, (reward, ACTIONS[place], 1 / 3))
        numbers = [row["kind"] == "a", row["kind"] == "b", 0.0, (float(np.float32(row["size"])) - 5) / 2, 1.0]
        seen.append((np.array(numbers, dtype=float), place, reward))
    row = row_of(rng)
    asked = np.array(
        [row["kind"] == "a", row["kind"] == "b", 0, (float(np.float32(row["size"])) - 5) / 2, 1], dtype=float
    )
    hoped, bounds = [], []
    for action in range(3):
        inputs = np.array([x for x, place, _ in seen if place == action])
        rewards = np.array([r for _, place, r in seen if place == action])
        precision = inputs.T @ inputs + 2.0 * np.eye(5)
        hoped.append(float(asked @ np.linalg.solve(precision, inputs.T @ rewards)))
        unsure = float(np.sqrt(asked @ np.linalg.solve(precision, asked)))
        bounds.append(hoped[-1] + 0.7 * float(np.std([r for *_, r in seen])) * unsure)
    said = found.answer(row, list(ACTIONS))
    assert said[3:] == pytest.approx(hoped)
    best = int(np.argmax(bounds))
    assert said[:3].tolist() == pytest.approx([0.95 + 0.05 / 3 if place == best else 0.05 / 3 for place in range(3)])


@pytest.mark.parametrize("model", MODELS)
def test_its_file_decides_as_it_does_and_what_was_kept_goes_on(model: str, tmp_path: Path) -> None:
    found = drawn(learner(model), 400)
    package, parity = written(found, tmp_path / "package")
    assert parity.passed, parity.sentence()
    assert package.manifest.runtime == "onnx"
    asked = {"kind": ["a", None, "c"], "free": ["x", None, ""], "size": [7.0, None, 1e6]}
    answer = load_model(package).predict(asked)
    given = [found.answer({n: v[at] for n, v in asked.items()}, sorted(found.classes)) for at in range(3)]
    assert np.asarray(answer["probabilities"]) == pytest.approx(np.array([one[:3] for one in given]), abs=1e-5)
    assert np.asarray(answer["rewards"]) == pytest.approx(np.array([one[3:] for one in given]), rel=1e-4)
    again, _ = unpack(found.pack({"seq": 1}), found.spec)
    assert drawn(again, 50, seed=9).answer(row_of(np.random.default_rng(2)), list(ACTIONS)).tolist() == (
        drawn(found, 50, seed=9).answer(row_of(np.random.default_rng(2)), list(ACTIONS)).tolist()
    )


def test_each_decision_is_learned_once_and_odd_ones_are_counted_apart() -> None:
    found = learner("lin_ucb", ("call", "mail"))
    row = {"kind": "a", "free": "x", "size": 5.0}
    assert found.take(row, (1.0, "call", 0.5), "q1#0")
    assert not found.take(row, (1.0, "call", 0.5), "q1#0")
    assert not found.take(row, None, "q2#0")
    assert not found.take(row, (1.0, "call", 0.0), "q3#0")
    assert not found.take(row, (float("inf"), "call", 0.5), "q4#0")
    assert found.take(row, (2.0, "visit", 0.1), "q5#0")
    assert dict(found.counted) == {"duplicate": 1, "unlabelled": 1, "no_chance": 1, "extreme": 1}
    assert found.classes == ["call", "mail", "visit"]
    assert "action 'visit' is new" in found.notes[-1]
    assert found.forget(frozenset(["q5#0"])) == 2, "its window, and the mark that it was met"


@pytest.mark.parametrize("model", MODELS)
def test_in_a_world_that_turns_regret_falls_below_that_of_a_draw_and_falls_again(model: str, tmp_path: Path) -> None:
    """Decisions are those of the newest file; rewards come a hundred rows late, as feedback does."""
    found = learner(model, params={"half_life": 150})
    rng, served, late, regret = np.random.default_rng(4), None, [], []
    for number in range(2400):
        turned, row = number >= 1200, row_of(rng)
        means = means_of(row, turned=turned)
        if number % 200 == 0 and number:
            served = load_model(written(found, tmp_path / str(number))[0])
        if served is None:
            action, chance = ACTIONS[int(rng.integers(3))], 1 / 3
        else:
            said = served.predict({name: [value] for name, value in row.items()})
            chances = np.asarray(said["probabilities"][0], dtype=float)  # the graph draws by them too, each time anew
            action = str(rng.choice(ACTIONS, p=chances / chances.sum()))
            chance = float(chances[ACTIONS.index(action)])
        place = ACTIONS.index(action)
        regret.append([means.max() - means[place], means.max() - means.mean()])
        late.append((row, (float(means[place] + rng.normal(0, 0.3)), action, chance), f"q{number}"))
        if len(late) > 100:
            found.take(*late.pop(0))
    own, uniform = np.array(regret).T
    assert own[200:1200].mean() < 0.35 * uniform[200:1200].mean()
    assert own[1200:1300].mean() > own[1000:1200].mean(), "the world has turned"
    assert own[2000:].mean() < 0.45 * uniform[2000:].mean(), "it has adapted"
    assert found.drifts
    assert found.metrics()["ess"] > 50


def test_what_it_would_have_earned_is_what_its_decisions_earn_then() -> None:
    """The prequential value of the newest rows, against the mean of the world under the same chances."""
    found = drawn(learner("lin_epsilon", window=2000), 2000)
    worth = [
        float(
            np.array([one[1][name] for name in ACTIONS])
            @ means_of(dict(zip(["kind", "free", "size"], one[5], strict=True)))
        )
        for one in found.window()
    ]
    told = found.metrics()
    assert told["dr"] == pytest.approx(np.mean(worth), abs=0.05)
    assert told["lift"] > 0.3


def judged(make_job: Any, folder: Path, new: Any, champion: Any) -> Any:
    from aimass.training.children.decisionlearner import logged_window

    names = sorted(new.classes)
    paths = {
        "package": str(written(new, folder / "new")[0].folder),
        "champion": champion and str(written(champion, folder / "old")[0].folder),
    }
    truth, said = logged_window(new.window(), names)
    rows = {"columns": _columns(new, new.window()), "keys": [one[6] for one in new.window()]}
    _write_window(folder / "window.parquet", rows, names, truth, said)
    return metric_gate(make_job({"window": str(folder / "window.parquet"), "task": "policy", "seed": 0, **paths}))


def test_a_snapshot_takes_over_unless_it_is_surely_worse(make_job: Any, tmp_path: Path) -> None:
    new, old = drawn(learner("lin_ucb"), 600, turned=True), drawn(learner("lin_ucb"), 600)
    for name, pair, passed in (("a", (new, old), True), ("b", (new, new), True), ("c", (new, None), True)):
        folder = tmp_path / name
        folder.mkdir()
        found = judged(make_job, folder, *pair)
        assert found["passed"] is passed, found["evidence"]
        assert found["evidence"].startswith("newest rows, DR value")
    lost = drawn(drawn(learner("lin_ucb"), 600, turned=True), 200, seed=5)  # it knows the world that is gone
    right = drawn(learner("lin_ucb"), 600, seed=6)
    (tmp_path / "d").mkdir()
    found = judged(make_job, tmp_path / "d", lost, right)
    assert not found["passed"]
    assert "must not lie below 0" in found["evidence"]


def test_models_of_policies_are_for_policies() -> None:
    assert model_for("policy", None) == "lin_ucb"
    with pytest.raises(Invalid, match="does not do classification"):
        model_for("classification", "lin_thompson")
