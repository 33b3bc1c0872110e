"""Samplers and pruners as functions of what they are told: like Optuna itself, and the same every time."""

from __future__ import annotations

import math
import warnings
from typing import Any

import optuna
import pytest

from aimass.training.children import gaussian
from aimass.training.children.search import distribution_of, importance, judge, sampler_of, suggest
from aimass.training.domain.space import chance, drawn, grid_of, seed_of, space_of

SPACE: dict[str, Any] = {
    "kind": {"type": "categorical", "choices": ["tree", "line"]},
    "rate": {"type": "float", "low": 1e-4, "high": 1.0, "log": True},
    "depth": {"type": "int", "low": 1, "high": 9, "step": 2, "when": {"kind": ["tree"]}},
    "share": {"type": "float", "low": 0.0, "high": 1.0},
}
NUMBERS = {name: SPACE[name] for name in ("rate", "share")}
WAYS = {"tpe": suggest, "nsga2": suggest, "gp": gaussian.suggest, "cmaes": suggest}


def score(params: dict[str, Any]) -> float:
    depth = params.get("depth", 4)
    return (math.log10(params["rate"]) + 2) ** 2 + (params["share"] - 0.3) ** 2 + 0.05 * abs(depth - 5)


def asked(sampler: str, told: list[dict[str, Any]], count: int = 1, space: Any = SPACE, seed: int = 5) -> Any:
    args = {
        "space": space,
        "sampler": sampler,
        "directions": ["minimize"],
        "seed": seed,
        "trials": told,
        "count": count,
    }
    return WAYS[sampler](args)["trials"]


def searched(sampler: str, trials: int, space: Any = SPACE, seed: int = 5) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []
    while len(told) < trials:
        one = asked(sampler, told, space=space, seed=seed)[0]
        number = len(told) + 1
        told.append({**one, "number": number, "state": "COMPLETE", "values": [score(one["params"])], "steps": []})
    return told


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "gp", "cmaes"])
def test_the_same_seed_and_history_give_the_same_suggestion(sampler: str) -> None:
    space = NUMBERS if sampler == "cmaes" else SPACE
    told = searched(sampler, 12, space)
    assert asked(sampler, told, 2, space) == asked(sampler, told, 2, space)
    assert asked(sampler, told, 1, space)[0] == asked(sampler, told, 2, space)[0]
    assert asked(sampler, told, 1, space, seed=6) != asked(sampler, told, 1, space)


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "gp", "cmaes"])
def test_several_at_once_are_those_that_come_one_by_one(sampler: str) -> None:
    space = NUMBERS if sampler == "cmaes" else SPACE
    told = searched(sampler, 14, space)
    several = asked(sampler, told, 4, space)
    for place, expected in enumerate(several):
        given = [{**one, "state": "RUNNING", "values": None, "steps": []} for one in several[:place]]
        assert asked(sampler, [*told, *given], 1, space)[0] == expected


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "gp", "cmaes"])
def test_every_suggestion_lies_in_the_space_and_keeps_the_conditions(sampler: str) -> None:
    for one in searched(sampler, 14, NUMBERS if sampler == "cmaes" else SPACE):
        params = one["params"]
        assert 1e-4 <= params["rate"] <= 1
        assert 0 <= params["share"] <= 1
        if sampler != "cmaes":
            assert ("depth" in params) == (params["kind"] == "tree")
            assert params.get("depth", 1) in (1, 3, 5, 7, 9)


def test_trials_that_run_are_kept_away_from() -> None:
    told = searched("tpe", 12)
    assert len({repr(one["params"]) for one in asked("tpe", told, 4)}) == 4


def test_tpe_suggests_what_optuna_itself_suggests() -> None:
    """A study of Optuna that holds the same trials, asked with the same seed."""
    told = searched("tpe", 15)
    space = space_of(SPACE)
    study = optuna.create_study(study_name="other name", sampler=sampler_of("tpe", seed_of(5, 15)))
    for one in told:
        distributions = {name: distribution_of(space[name]) for name in one["params"]}
        trial = optuna.trial.create_trial(params=one["params"], distributions=distributions, values=one["values"])
        study.add_trial(trial)
    trial = study.ask()
    params: dict[str, Any] = {"kind": trial.suggest_categorical("kind", ["tree", "line"])}
    params["rate"] = trial.suggest_float("rate", 1e-4, 1.0, log=True)
    params["share"] = trial.suggest_float("share", 0.0, 1.0)
    if params["kind"] == "tree":
        params["depth"] = trial.suggest_int("depth", 1, 9, step=2)
    assert asked("tpe", told)[0]["params"] == params


@pytest.mark.parametrize("sampler", ["tpe", "gp"])
def test_it_searches_better_than_chance(sampler: str) -> None:
    space = space_of(SPACE)
    by_chance = [min(score(drawn(space, chance(seed_of(seed, n)))) for n in range(30)) for seed in range(3)]
    found = [min(one["values"][0] for one in searched(sampler, 30, seed=seed)) for seed in range(3)]
    assert sorted(found)[1] < sorted(by_chance)[1]


def test_cma_es_goes_on_from_what_it_noted() -> None:
    told = searched("cmaes", 20, NUMBERS)
    generations = [one["attrs"].get("cma:generation", 0) for one in told]
    assert max(generations) >= 2
    assert generations == sorted(generations)


def test_it_warns_about_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for sampler in ("tpe", "gp", "nsga2"):
            searched(sampler, 12)
        searched("cmaes", 12, NUMBERS)


def judged(pruner: str, steps: dict[int, list[float]], running: list[float], judged_: int = 0) -> Any:
    told: list[dict[str, Any]] = [
        {"number": n, "params": {"share": 0.5}, "state": "COMPLETE", "values": [values[-1]], "attrs": {}, "judged": 9}
        | {"steps": [[step, value] for step, value in enumerate(values, start=1)]}
        for n, values in steps.items()
    ]
    fresh = [[step, value] for step, value in enumerate(running, start=1)]
    last = {"number": len(told) + 1, "params": {"share": 0.1}, "state": "RUNNING", "values": None, "attrs": {}}
    args = {"space": {"share": SPACE["share"]}, "directions": ["maximize"], "pruner": pruner, "steps": 5}
    return judge({**args, "trials": [*told, {**last, "steps": fresh, "judged": judged_}]})["trials"]


GOOD = {n: [0.8 + n / 1000] * 5 for n in range(1, 7)}


def test_the_median_gives_up_what_is_worse_than_half_of_the_others() -> None:
    assert [one["pruned_at"] for one in judged("median", GOOD, [0.7])] == [1]
    assert [one["pruned_at"] for one in judged("median", GOOD, [0.7, 0.1])] == [1]
    assert [one["pruned_at"] for one in judged("median", GOOD, [0.9])] == [None]


def test_the_median_waits_until_some_trials_are_complete() -> None:
    few = {n: GOOD[n] for n in (1, 2)}
    assert [one["pruned_at"] for one in judged("median", few, [0.1])] == [None]


def test_steps_that_were_judged_are_not_judged_again() -> None:
    assert judged("median", GOOD, [0.7], judged_=1) == []


@pytest.mark.parametrize("pruner", ["halving", "hyperband"])
def test_halving_gives_up_what_is_not_among_the_best_of_its_rung(pruner: str) -> None:
    told: list[dict[str, Any]] = []
    kept = 0
    for number in range(1, 13):
        value = 0.9 - number / 100
        one = {"number": number, "params": {"share": 0.1}, "state": "RUNNING", "values": None, "attrs": {}, "judged": 0}
        told.append({**one, "steps": [[1, value], [2, value], [3, value]]})
        args = {"space": {"share": SPACE["share"]}, "directions": ["maximize"], "pruner": pruner, "steps": 5}
        answer = judge({**args, "trials": told})["trials"][0]
        end = {"state": "PRUNED"} if answer["pruned_at"] else {"state": "COMPLETE", "values": [value]}
        kept += answer["pruned_at"] is None
        told[-1] |= {"attrs": answer["attrs"], "judged": answer["judged"], **end}
    assert 1 <= kept <= 6


def test_importance_finds_the_parameter_that_decides() -> None:
    told = searched("tpe", 20, NUMBERS)
    found = importance({"space": NUMBERS, "directions": ["minimize"], "seed": 0, "objective": 0, "trials": told})
    assert next(iter(found["shares"])) == "rate"


def test_a_grid_holds_a_condition_only_where_it_counts() -> None:
    space = space_of({name: SPACE[name] for name in ("kind", "depth")})
    found = grid_of(space, 0)
    assert len(found) == 6
    assert {"kind": "line"} in found
    assert grid_of(space, 0) == found
