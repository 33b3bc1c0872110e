"""Policies through the jobs: values against a world whose truth is known and against formulas of their own, the file, the gate, refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from aimass.models import load_model, verify_package
from aimass.models.children.package import replay_samples
from aimass.training.children.evaluate import evaluate
from aimass.training.children.fit import fit
from aimass.training.children.metric_gate import metric_gate
from aimass.training.children.sources import Source
from aimass.training.children.split import split
from aimass.training.children.table import prepare
from aimass.training.errors import Unlearnable
from aimass.training.measures.policies import (
    Logged,
    compare_policies,
    doubt_of,
    policy_curves,
    policy_interval,
    policy_scores,
)
from aimass.training.recipes import load_recipe

Make = Callable[..., Any]
FRACTIONS = {"train": 0.5, "validation": 0.2, "test": 0.3}
ACTIONS = ("call", "mail", "none")


def means_of(size: Any, warm: Any) -> Any:
    """Return what each action brings on average: a call to large ones, a mail to warm ones."""
    return np.column_stack([2.0 * size, 1.5 * warm, np.full(len(size), 0.2)])


def world(rows: int, seed: int) -> tuple[pl.DataFrame, Any]:
    """Draw decisions of a logger that knows half of it, with their chances; return what each action would have brought too."""
    rng = np.random.default_rng(seed)
    size, warm = rng.normal(0, 1, rows), rng.integers(0, 2, rows)
    means = means_of(size, warm)
    powers = np.exp(0.5 * means + np.array([0.0, 0.4, 0.0]))
    chances = powers / powers.sum(axis=1, keepdims=True)
    taken = (rng.random(rows)[:, None] > chances.cumsum(axis=1)).sum(axis=1).clip(0, 2)
    reward = means[np.arange(rows), taken] + rng.normal(0, 0.5, rows)
    frame = pl.DataFrame(
        {
            "size": size,
            "kind": np.where(warm, "warm", "cold"),
            "done": [ACTIONS[place] for place in taken],
            "won": reward,
            "chance": chances[np.arange(rows), taken],
        }
    )
    return frame, means


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("lake") / "offers"
    world(3000, 1)[0].write_delta(str(path))
    return {"path": str(path), "version": 0}


def wish_for(data: dict[str, Any], **more: Any) -> dict[str, Any]:
    named = {"target": "won", "task": "policy", "key": None, "action": "done", "propensity": "chance"}
    return {"dataset": data, **named, "fractions": FRACTIONS, "seed": 1, **more}


def ready(make_job: Make, data: dict[str, Any], **more: Any) -> dict[str, Any]:
    wish = wish_for(data, **more)
    job = make_job(wish)
    found = split(job)
    parts = {"file": str(job.out / found["file"]), "sha256": found["sha256"]}
    return {**wish, "split": parts, "recipe": "linear_policy", "folds": 3, "notes": found["notes"]}


def truth_in(rows: int, seed: int, told: Any = None) -> tuple[Logged, Any]:
    """Return decisions of the world, with rewards expected as the world makes them unless others are told."""
    frame, means = world(rows, seed)
    places = np.array([ACTIONS.index(name) for name in frame["done"]])
    expected = means if told is None else np.full_like(means, told)
    found = Logged(
        actions=places, rewards=frame["won"].to_numpy(), chances=frame["chance"].to_numpy(), expected=expected
    )
    return found, means


def best_of(means: Any, epsilon: float = 0.0) -> Any:
    chances = (means.argmax(axis=1)[:, None] == np.arange(3)) * (1 - epsilon) + epsilon / 3
    return np.concatenate([chances, means], axis=1)


def test_the_estimates_are_those_of_formulas_written_row_by_row() -> None:
    truth, means = truth_in(400, 3, told=0.3)
    said = best_of(means, 0.2)
    found, cut = policy_scores(truth, said), 400**0.5
    ips = dr = weights = squares = dm = 0.0
    for row in range(400):
        action, chance = int(truth.actions[row]), float(truth.chances[row])
        weight = min(float(said[row, action]) / chance, cut)
        expected = sum(float(said[row, one]) * 0.3 for one in range(3))
        ips += weight * float(truth.rewards[row])
        dr += expected + weight * (float(truth.rewards[row]) - 0.3)
        dm += expected
        weights, squares = weights + weight, squares + weight**2
    assert found["ips"] == pytest.approx(ips / 400)
    assert found["snips"] == pytest.approx(ips / weights)
    assert found["dr"] == pytest.approx(dr / 400)
    assert found["dm"] == pytest.approx(dm / 400)
    assert found["ess"] == pytest.approx(weights**2 / squares)
    assert found["lift"] == pytest.approx(dr / 400 - float(truth.rewards.mean()))


def test_estimates_are_right_on_average_and_doubly_robust_ones_even_with_wrong_expectations() -> None:
    """The value of the best policy is known: that of a hundred thousand rows of the same world."""
    _, means = truth_in(100_000, 9)
    value = float(means.max(axis=1).mean())
    told = {"right": [], "wrong": []}
    for seed in range(40):
        for name, expected in (("right", None), ("wrong", 5.0)):
            truth, means = truth_in(1000, 100 + seed, told=expected)
            told[name].append(policy_scores(truth, best_of(means)))
    for name in ("ips", "snips", "dr"):
        assert np.mean([one[name] for one in told["right"]]) == pytest.approx(value, abs=0.05), name
    assert np.mean([one["dr"] for one in told["wrong"]]) == pytest.approx(value, abs=0.1)
    assert np.mean([one["dm"] for one in told["wrong"]]) == pytest.approx(5.0)
    assert np.std([one["dr"] for one in told["right"]]) < 0.8 * np.std([one["ips"] for one in told["right"]])


def test_an_interval_holds_the_truth_as_often_as_it_says() -> None:
    _, means = truth_in(100_000, 9)
    value, held = float(means.max(axis=1).mean()), 0
    for seed in range(60):
        truth, means = truth_in(500, 300 + seed)
        found = policy_interval(truth, best_of(means))
        held += found.low <= value <= found.high
    assert held >= 52  # 57 are expected of 60; fewer than 52 would come once in a hundred times


def test_two_policies_are_compared_row_by_row_and_few_rows_are_doubted() -> None:
    truth, means = truth_in(1000, 4)
    best, drawn = best_of(means), best_of(means, 1.0)
    found = compare_policies(truth, best, drawn)
    assert found.low > 0
    assert found.difference == pytest.approx(policy_scores(truth, best)["dr"] - policy_scores(truth, drawn)["dr"])
    nothing = compare_policies(truth, best, best)
    assert (nothing.difference, nothing.low, nothing.high) == (0.0, 0.0, 0.0)
    assert doubt_of(truth, best) == ""
    assert "is a guess" in doubt_of(truth[np.arange(30)], best[:30])
    shown = policy_curves(truth, best, ACTIONS)
    assert sum(one["chosen"] for one in shown["actions"]) == pytest.approx(1)
    assert all(one["low"] <= one["value"] <= one["high"] for one in shown["estimates"])


@pytest.mark.parametrize("recipe", ["linear_policy", "lightgbm_policy"])
def test_a_policy_is_learned_packaged_and_judged(data: dict[str, Any], make_job: Make, recipe: str) -> None:
    wish = {**ready(make_job, data), "recipe": recipe}
    job = make_job(wish)
    told = fit(job)
    assert told["package"]["runtime"] == "onnx", told["package"]["why_python"]
    assert told["metrics"]["cv_lift"] > 0.3
    package = verify_package(job.out / "package")
    assert replay_samples(package, load_model(package))["passed"]
    asked = {"size": [2.0] * 4000, "kind": ["cold"] * 4000}
    answer = load_model(package).predict(asked)
    drawn, said = np.array(answer["action"]), np.array(answer["probabilities"])
    assert said[0].argmax() == 0  # a call, to a large one
    assert said[0].tolist() == pytest.approx([0.1 / 3 + 0.9, 0.1 / 3, 0.1 / 3], abs=1e-6)
    assert np.mean(drawn == "call") == pytest.approx(said[0, 0], abs=0.02)
    assert np.array(answer["propensity"])[drawn == "mail"] == pytest.approx(0.1 / 3)
    assert np.array(answer["rewards"])[0].tolist() == pytest.approx([4.0, 0.0, 0.2], abs=0.9)
    judged = make_job({**wish, "package": str(job.out / "package"), "part": "test"})
    found, report = evaluate(judged), json.loads((judged.out / "evaluation.json").read_text())
    rows = prepare(Source.of(wish), wish["split"])
    features = rows.table("test").features
    means = means_of(features["size"].to_numpy(), (features["kind"] == "warm").to_numpy())
    chances = np.array(
        load_model(package).predict({n: features[n].to_list() for n in ("size", "kind")})["probabilities"]
    )
    value = float((chances * means).sum(axis=1).mean())
    assert found["interval"]["low"] < value < found["interval"]["high"]
    assert [one["name"] for one in report["curves"]["actions"]] == list(ACTIONS)
    assert report["importance"][0]["column"] == "size"


def test_three_ways_to_learn_and_a_softer_choice(data: dict[str, Any], make_job: Make) -> None:
    wish = ready(make_job, data)
    for learned in ("direct", "weighted"):
        job = make_job({**wish, "params": {"learned": learned, "exploration": "softmax", "epsilon": 0.0}})
        told = fit(job)
        assert told["package"]["runtime"] == "onnx"
        assert told["metrics"]["cv_lift"] > 0.2
        answer = load_model(verify_package(job.out / "package")).predict({"size": [0.1], "kind": ["cold"]})
        assert 0 < np.min(answer["probabilities"]) < np.max(answer["probabilities"]) < 1


def test_the_gate_wants_a_policy_that_is_surely_better(data: dict[str, Any], make_job: Make) -> None:
    wish = ready(make_job, data)
    good, drawn = (make_job({**wish, "params": params}) for params in ({}, {"epsilon": 1.0}))
    for job in (good, drawn):
        fit(job)
    first, second = (str(job.out / "package") for job in (good, drawn))
    better = metric_gate(make_job({**wish, "package": first, "champion": second}))
    same = metric_gate(make_job({**wish, "package": first, "champion": first}))
    worse = metric_gate(make_job({**wish, "package": second}))
    assert better["passed"]
    assert better["detail"]["low"] > 0
    assert not same["passed"]
    assert "has to lie above 0" in same["evidence"]
    assert not worse["passed"]
    assert "gain over the decisions that were logged" in worse["evidence"]


def test_chances_that_nobody_told_are_estimated_and_that_is_said(
    data: dict[str, Any], tmp_path: Path, make_job: Make
) -> None:
    frame = world(3000, 1)[0]
    frame.drop("chance").write_delta(str(tmp_path / "d"))
    told, guessed = ready(make_job, data), ready(make_job, {"path": str(tmp_path / "d"), "version": 0}, propensity=None)
    assert any("it is estimated" in note for note in guessed["notes"])
    assert told["notes"] == []
    known, found = (prepare(Source.of(wish), wish["split"]) for wish in (told, guessed))
    true = frame.sort(frame.drop("chance").columns)["chance"].to_numpy()[found.places_of("test")]
    assert np.abs(found.table("test").truth.chances - true).mean() < 0.05
    assert [one.name for one in known.signature.inputs] == ["size", "kind"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"chance": pl.lit(0.0)}, "chances in 'chance' are none"),
        ({"chance": pl.lit(1.5)}, "chances in 'chance' are none"),
        ({"done": pl.lit("call")}, "holds 1 different actions"),
        (
            {"done": pl.when(pl.int_range(pl.len()) < 5).then(pl.lit("visit")).otherwise("done")},
            "action 'visit' was taken",
        ),
        ({"won": pl.lit("much")}, "holds text"),
    ],
)
def test_decisions_that_tell_nothing_are_refused(
    tmp_path: Path, make_job: Make, change: dict[str, Any], said: str
) -> None:
    world(600, 5)[0].with_columns(**change).write_delta(str(tmp_path / "d"))
    with pytest.raises(Unlearnable, match=said):
        split(make_job(wish_for({"path": str(tmp_path / "d"), "version": 0})))


def test_actions_without_a_chance_are_told(tmp_path: Path, make_job: Make) -> None:
    """Half of the rows never could get a call: the mean of 1 / chance counts the actions that were possible."""
    frame, _ = world(2000, 6)
    frame = frame.with_columns(
        chance=pl.lit(0.7), done=pl.when(pl.col("done") == "none").then(pl.lit("mail")).otherwise("done")
    )
    frame.write_delta(str(tmp_path / "d"))
    notes = ready(make_job, {"path": str(tmp_path / "d"), "version": 0})["notes"]
    assert any("of 2 actions only 1.4 had a chance in a row" in note for note in notes)


def test_digits_as_decisions_come_near_the_classifier_that_knows_the_truth() -> None:
    """Supervised rows become decisions, as in Dudík, Langford & Li: of ten actions one is right, and one in four is tried well."""
    from sklearn.datasets import load_digits

    images, digits = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    chances = np.full((len(digits), 10), 0.75 / 10)
    chances[np.arange(len(digits)), digits] += 0.25
    taken = (rng.random(len(digits))[:, None] > chances.cumsum(axis=1)).sum(axis=1).clip(0, 9)
    truth = Logged(
        actions=taken,
        rewards=(taken == digits).astype(float),
        chances=chances[np.arange(len(digits)), taken],
        expected=np.full((len(digits), 10), 0.1),
    )
    half = len(digits) // 2
    from aimass.models import Column, Signature, policy_outputs
    from aimass.training.recipes.contract import Bench
    from aimass.training.recipes.linear_policy.manifest import Parameters
    from aimass.training.recipes.protocol import Table

    frame = pl.DataFrame({f"p{place}": images[:, place] for place in range(64)})
    signature = Signature(
        inputs=tuple(Column(name=name, type="float") for name in frame.columns),
        outputs=policy_outputs([str(digit) for digit in range(10)]),
    )
    table = Table(features=frame[:half], truth=truth[np.arange(half)])
    bench = Bench(task="policy", params=Parameters(epsilon=0.0), signature=signature, tables={"train": table})
    recipe = load_recipe("linear_policy")
    said = recipe.predict(bench, recipe.fit(bench), frame[half:])
    right = float((said[:, :10].argmax(axis=1) == digits[half:]).mean())
    found = policy_interval(truth[np.arange(half, len(digits))], said)
    assert right > 0.7
    assert found.low < right < found.high
