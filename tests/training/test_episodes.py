"""Policies of several steps: values against a small world that is solved exactly, the jobs, refusals."""

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
from aimass.training.children.split import split
from aimass.training.errors import Unlearnable
from aimass.training.measures.episodes import (
    Steps,
    compare_episodes,
    episode_doubt,
    episode_interval,
    episode_scores,
    episode_value,
    fitted_values,
)

Make = Callable[..., Any]
FRACTIONS = {"train": 0.5, "validation": 0.2, "test": 0.3}
STATES, DISCOUNT, ENDS = 5, 0.9, 0.1
"""Five stairs. ``climb`` costs 0.2 and mostly brings one stair higher; ``rest`` brings 0.1. Whoever climbs from the last one gets 4 and
begins anew below. After every step it is over with a chance of one in ten."""


def moves() -> tuple[Any, Any]:
    """Return where each action leads with which chance, shape (2, states, states), and what it brings, shape (2, states)."""
    leads = np.stack([np.zeros((STATES, STATES)), np.eye(STATES)])
    for stair in range(STATES):
        leads[0, stair, (stair + 1) % STATES] = 0.8
        leads[0, stair, stair] += 0.2
    brings = np.stack([np.full(STATES, -0.2), np.full(STATES, 0.1)])
    brings[0, STATES - 1] = 4.0
    return leads, brings


def solved() -> Any:
    """Return what each action is worth under the best policy by value iteration, shape (states, 2)."""
    (leads, brings), worth = moves(), np.zeros(STATES)
    for _ in range(2000):
        values = brings + DISCOUNT * (1 - ENDS) * leads @ worth
        worth = values.max(axis=0)
    return values.T


def value_of(chances: Any) -> Any:
    """Return what a policy is worth in each state, by the linear equations that it solves."""
    leads, brings = moves()
    across = np.einsum("sa,ast->st", chances, leads)
    return np.linalg.solve(np.eye(STATES) - DISCOUNT * (1 - ENDS) * across, (chances * brings.T).sum(axis=1))


def walked(episodes: int, seed: int, climbs: float = 0.5) -> pl.DataFrame:
    """Draw episodes of somebody who climbs with a chance, from the lowest stair on."""
    (leads, brings), rng = moves(), np.random.default_rng(seed)
    rows: list[tuple[str, int, int, str, float, float]] = []
    for episode in range(episodes):
        stair, step, goes_on = 0, 0, True
        while goes_on:
            action = int(rng.random() >= climbs)
            reward = float(brings[action, stair] + rng.normal(0, 0.1))
            chance = climbs if action == 0 else 1 - climbs
            rows.append((f"e{episode}", step, stair, ("climb", "rest")[action], reward, chance))
            stair, step = int(rng.choice(STATES, p=leads[action, stair])), step + 1
            goes_on = bool(rng.random() >= ENDS)
    names = ["walk", "step", "stair", "done", "won", "chance"]
    return pl.DataFrame(rows, schema=names, orient="row").sample(fraction=1, shuffle=True, seed=seed)


def steps_of(frame: pl.DataFrame) -> Steps:
    return Steps(
        actions=(frame["done"] == "rest").cast(pl.Int64).to_numpy(),
        rewards=frame["won"].to_numpy(),
        chances=frame["chance"].to_numpy(),
        expected=np.zeros((frame.height, 2)),
        episodes=frame["walk"].rank("dense").to_numpy(),
        order=frame["step"].to_numpy(),
        discount=DISCOUNT,
        space=frame.select(pl.col("stair").cast(pl.Float64)).to_numpy(),
    )


def greedy(epsilon: float = 0.1) -> Any:
    """Return the chances of the best policy in each state, with tries."""
    return (solved().argmax(axis=1)[:, None] == np.arange(2)) * (1 - epsilon) + epsilon / 2


def said_of(frame: pl.DataFrame, chances: Any) -> Any:
    here = chances[frame["stair"].to_numpy()]
    return np.concatenate([here, np.zeros_like(here)], axis=1)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("lake") / "walks"
    walked(400, 1).write_delta(str(path))
    return {"path": str(path), "version": 0}


def ready(make_job: Make, data: dict[str, Any], **more: Any) -> dict[str, Any]:
    named = {"target": "won", "task": "policy", "key": None, "action": "done", "propensity": "chance"}
    named |= {"episode": "walk", "group": "walk", "step": "step", "discount": DISCOUNT}
    wish = {"dataset": data, **named, "fractions": FRACTIONS, "seed": 1, **more}
    job = make_job(wish)
    found = split(job)
    parts = {"file": str(job.out / found["file"]), "sha256": found["sha256"]}
    return {**wish, "split": parts, "recipe": "fitted_q", "folds": 2, "notes": found["notes"]}


def test_fitted_evaluation_finds_the_values_that_the_equations_have() -> None:
    frame = walked(1500, 3)
    truth, chances = steps_of(frame), greedy()
    said = said_of(frame, chances)
    found = fitted_values(truth, said[:, :2])
    worth = (found * said[:, :2]).sum(axis=1)
    by_stair = [worth[truth.space[:, 0] == stair].mean() for stair in range(STATES)]
    assert by_stair == pytest.approx(value_of(chances), rel=0.1)


def test_estimates_of_episodes_are_those_of_formulas_written_step_by_step() -> None:
    frame = walked(40, 5)
    truth, said = steps_of(frame), said_of(frame, greedy(0.3))
    values = fitted_values(truth, said[:, :2])
    rows = [truth.grid[e][truth.grid[e] >= 0] for e in range(40)]
    longest = max(map(len, rows))
    weights, top = np.ones((40, longest + 1)), max(10.0, 40**0.5)
    for e, mine in enumerate(rows):
        for t in range(longest):
            ratio = said[mine[t], truth.actions[mine[t]]] / truth.chances[mine[t]] if t < len(mine) else 1.0
            weights[e, t + 1] = weights[e, t] * ratio
    weights = np.minimum(weights, top)
    ips = snips = dr = 0.0
    for t in range(longest):
        alive = [e for e in range(40) if t < len(rows[e])]
        here = {e: rows[e][t] for e in alive}
        gained = sum(weights[e, t + 1] * truth.rewards[here[e]] for e in alive)
        off = sum(weights[e, t + 1] * (truth.rewards[r] - values[r, truth.actions[r]]) for e, r in here.items())
        hoped = sum(weights[e, t] * (said[r, :2] * values[r]).sum() for e, r in here.items())
        share = DISCOUNT**t
        ips += share * gained / 40
        snips += share * gained / weights[:, t + 1].sum()
        dr += share * (off / weights[:, t + 1].sum() + hoped / weights[:, t].sum())
    found = episode_scores(truth, said)
    assert [found[name] for name in ("ips", "snips", "dr")] == pytest.approx([ips, snips, dr])
    came = [sum(DISCOUNT**t * truth.rewards[r] for t, r in enumerate(mine)) for mine in rows]
    assert found["logged"] == pytest.approx(np.mean(came))
    own = episode_scores(truth, np.concatenate([np.full((len(frame), 2), 0.5)] * 2, axis=1))
    assert (own["ips"], own["snips"]) == pytest.approx((found["logged"], found["logged"]))  # the logger's own chances
    assert own["ess"] == pytest.approx(40)


def test_intervals_hold_the_truth_and_two_policies_are_told_apart() -> None:
    true, held = value_of(greedy())[0], 0
    for seed in range(12):
        frame = walked(120, 100 + seed)
        found = episode_interval(steps_of(frame), said_of(frame, greedy()))
        held += found.low <= true <= found.high
    assert held >= 9  # 95 % are promised; 8 of 12 or fewer then have a chance of two in ten thousand
    frame = walked(300, 9)
    truth = steps_of(frame)
    best, lazy = said_of(frame, greedy()), said_of(frame, np.tile([0.05, 0.95], (STATES, 1)))
    apart = compare_episodes(truth, best, lazy)
    assert apart.low > 0
    assert apart.difference == pytest.approx(episode_value(truth, best) - episode_value(truth, lazy))
    assert episode_doubt(truth, best) == ""
    rows = truth.grid[:20]
    few = np.sort(rows[rows >= 0])
    assert "episodes of its own would: its value is a guess" in episode_doubt(truth[few], best[few])


def test_it_climbs_where_the_next_reward_says_rest_and_is_packaged_and_judged(
    data: dict[str, Any], make_job: Make
) -> None:
    wish = {**ready(make_job, data), "params": {"trees": 20, "min_rows_per_leaf": 5}}
    job = make_job(wish)
    told = fit(job)
    assert told["package"]["runtime"] == "onnx", told["package"]["why_python"]
    package = verify_package(job.out / "package")
    assert replay_samples(package, load_model(package))["passed"]
    answer = load_model(package).predict({"stair": list(range(STATES))})
    assert np.array(answer["rewards"]) == pytest.approx(solved(), rel=0.15)  # values of an iteration over exact chances
    assert np.array(answer["probabilities"]) == pytest.approx(greedy(), abs=1e-6)
    judged = make_job({**wish, "package": str(job.out / "package"), "part": "test"})
    found, report = evaluate(judged), json.loads((judged.out / "evaluation.json").read_text())
    assert found["interval"]["low"] < value_of(greedy())[0] < found["interval"]["high"]
    rows = pl.read_delta(data["path"])
    parts = pl.read_parquet(wish["split"]["file"])["part"]
    assert report["curves"]["episodes"] == rows.sort(rows.columns).filter(parts == "test")["walk"].n_unique()
    assert report["importance"][0]["column"] == "stair"
    short = make_job({**wish, "recipe": "linear_policy", "params": {}})
    fit(short)
    first = metric_gate(make_job({**wish, "package": str(job.out / "package")}))
    assert first["passed"], first["evidence"]
    beside = {**wish, "package": str(job.out / "package"), "champion": str(short.out / "package")}
    second = metric_gate(make_job(beside))
    assert second["detail"]["difference"] > 0
    assert second["passed"] == (second["detail"]["low"] > 0), second["evidence"]
    assert "paired bootstrap of episodes" in second["evidence"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (pl.lit(1).alias("step"), "share their episode and their place"),
        ((pl.int_range(pl.len()) // 1500).cast(pl.String).alias("walk"), "an episode has 1500 steps"),
    ],
)
def test_rows_that_are_no_episodes_are_refused(
    data: dict[str, Any], tmp_path: Path, make_job: Make, change: Any, words: str
) -> None:
    frame = pl.read_delta(data["path"])
    frame = pl.concat([frame] * 2).with_columns(step=pl.int_range(pl.len())).with_columns(change)
    frame.write_delta(str(tmp_path / "d"))
    with pytest.raises(Unlearnable, match=words):
        ready(make_job, {"path": str(tmp_path / "d"), "version": 0})


def test_an_episode_with_a_gap_is_left_out_whole_and_parts_hold_whole_ones(
    data: dict[str, Any], tmp_path: Path, make_job: Make
) -> None:
    frame = pl.read_delta(data["path"]).sort("walk", "step")
    gaps = frame.with_columns(won=pl.when((pl.col("walk") == "e7") & (pl.col("step") == 0)).then(None).otherwise("won"))
    gaps.with_columns(day=pl.col("walk").str.slice(1).cast(pl.Int64) + pl.col("step") / 50).write_delta(
        str(tmp_path / "d")
    )
    where = {"path": str(tmp_path / "d"), "version": 0}
    wish = ready(make_job, where, time="day")
    assert "1 episodes left out: a row of theirs has no action, chance, reward or place" in wish["notes"]
    parts = pl.read_parquet(wish["split"]["file"])["part"]
    rows = pl.read_delta(where["path"])
    table = rows.sort(rows.columns).with_columns(parts)
    assert table.group_by("walk").agg(pl.col("part").n_unique())["part"].max() == 1
    assert set(table.filter(walk="e7")["part"]) == {"none"}
    last = table.filter(part="train").group_by("walk").agg(pl.col("day").max())["day"].max()
    assert last < table.filter(part="test").group_by("walk").agg(pl.col("day").max())["day"].min()
