"""What a study asks of Optuna: the next configurations, which trials fall behind, and what each parameter explains.

Nothing is kept here. Every call is told the trials as the platform's database has them, builds a study of them in memory,
and answers; so it does not matter which process answers, or whether it was killed in between.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from aimass.kernel.errors import MissingExtra
from aimass.training.domain.space import Dimension, Space, seed_of, space_of

try:
    import optuna
    from optuna.distributions import (
        BaseDistribution,
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )
    from optuna.trial import TrialState
except ModuleNotFoundError as reason:
    raise MissingExtra("tune") from reason

REDUCTION = 3
_STATES = {
    "WAITING": TrialState.RUNNING,  # a configuration that was given out, whether its run has begun or not
    "RUNNING": TrialState.RUNNING,
    "COMPLETE": TrialState.COMPLETE,
    "PRUNED": TrialState.PRUNED,
    "FAIL": TrialState.FAIL,
}
optuna.logging.set_verbosity(optuna.logging.ERROR)


def suggest(args: Mapping[str, Any]) -> dict[str, Any]:
    """Return the next configurations; the same for the same seed and the same trials.

    Parameters
    ----------
    args
        ``space``, ``sampler``, ``directions``, ``seed``, ``trials`` (number, params, state, values, steps, attrs) and
        ``count``: how many are wanted.

    Returns
    -------
    dict
        ``trials``, each with ``params`` and ``attrs``: what the sampler wants to be told again.
    """
    space, told = space_of(args["space"]), args["trials"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = _study(space, args["directions"], told, optuna.samplers.RandomSampler(seed=0))
        found = [_asked(study, space, args, len(told) + place) for place in range(int(args["count"]))]
    return {"trials": found}


def _asked(study: optuna.Study, space: Space, args: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Ask for one more; its sampler begins anew, as in a call that is told all before it, so both answer the same."""
    study.sampler = sampler_of(args["sampler"], seed_of(args["seed"], number))
    trial = study.ask()
    params: dict[str, Any] = {}
    for name, dimension in space.items():
        if dimension.is_active(params):
            params[name] = _suggested(trial, name, dimension)
    return {"params": params, "attrs": dict(study.get_trials(deepcopy=False)[-1].system_attrs)}


def _suggested(trial: Any, name: str, dimension: Dimension) -> Any:
    if dimension.type == "categorical":
        return trial.suggest_categorical(name, list(dimension.choices))
    if dimension.type == "int":
        low, high, step = int(dimension.low), int(dimension.high), int(dimension.step or 1)
        return trial.suggest_int(name, low, high, step=step, log=dimension.log)
    return trial.suggest_float(name, dimension.low, dimension.high, step=dimension.step, log=dimension.log)


def sampler_of(name: str, seed: int) -> optuna.samplers.BaseSampler:
    """Return a sampler by its name."""
    samplers = optuna.samplers
    if name == "cmaes":
        return samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)
    if name == "nsga2":
        return samplers.NSGAIISampler(seed=seed)
    return samplers.TPESampler(seed=seed, constant_liar=True) if name == "tpe" else samplers.RandomSampler(seed=seed)


def _study(
    space: Space, directions: Sequence[Any], told: Sequence[Mapping[str, Any]], sampler: optuna.samplers.BaseSampler
) -> optuna.Study:
    study = optuna.create_study(study_name="study", directions=list(directions), sampler=sampler)
    distributions = {name: distribution_of(dimension) for name, dimension in space.items()}
    study.add_trials([_trial(one, distributions) for one in told])
    return study


def distribution_of(dimension: Dimension) -> BaseDistribution:
    """Return a dimension in Optuna's words."""
    if dimension.type == "categorical":
        return CategoricalDistribution(list(dimension.choices))
    if dimension.type == "int":
        low, high, step = int(dimension.low), int(dimension.high), int(dimension.step or 1)
        return IntDistribution(low, high, log=dimension.log, step=step)
    return FloatDistribution(dimension.low, dimension.high, log=dimension.log, step=dimension.step)


def _trial(told: Mapping[str, Any], distributions: Mapping[str, BaseDistribution]) -> optuna.trial.FrozenTrial:
    state = _STATES[told["state"]]
    return optuna.trial.create_trial(
        state=state,
        params=dict(told["params"]),
        distributions={name: distributions[name] for name in told["params"]},
        values=told["values"] if state == TrialState.COMPLETE else None,
        intermediate_values={int(step): float(value) for step, value in told["steps"]},
        system_attrs=dict(told["attrs"]),
    )


def pruner_of(name: str, steps: int) -> optuna.pruners.BasePruner:
    """Return a pruner by its name, for trials of so many steps."""
    pruners = optuna.pruners
    if name == "hyperband":
        return pruners.HyperbandPruner(min_resource=1, max_resource=steps, reduction_factor=REDUCTION)
    if name == "halving":
        return pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=REDUCTION)
    return pruners.MedianPruner()


def judge(args: Mapping[str, Any]) -> dict[str, Any]:
    """Tell which running trials have fallen behind, by the steps that were not judged yet.

    Parameters
    ----------
    args
        ``space``, ``directions``, ``pruner``, ``steps``: the number of them that a trial has, and ``trials``, each also with
        ``judged``: its last step that was judged.

    Returns
    -------
    dict
        ``trials``: for each running one with new steps its ``number``, ``judged``, ``attrs`` and ``pruned_at`` (or None).
    """
    space, told = space_of(args["space"]), args["trials"]
    known = [
        {**one, "steps": [pair for pair in one["steps"] if pair[0] <= one["judged"]]}
        if one["state"] == "RUNNING"
        else one
        for one in told
    ]
    study = _study(space, args["directions"], known, optuna.samplers.RandomSampler(seed=0))
    study.pruner = pruner_of(args["pruner"], int(args["steps"]))
    answers: list[dict[str, Any]] = []
    for place, one in enumerate(told):
        fresh = [(int(step), float(value)) for step, value in one["steps"] if step > one["judged"]]
        if one["state"] == "RUNNING" and fresh:
            answers.append({"number": one["number"], **_judged(study, place, fresh)})
    return {"trials": answers}


def _judged(study: optuna.Study, place: int, fresh: Sequence[tuple[int, float]]) -> dict[str, Any]:
    trial = optuna.trial.Trial(study, study.get_trials(deepcopy=False)[place]._trial_id)  # noqa: SLF001 how a worker takes one up
    pruned_at, last = None, 0
    for step, value in fresh:
        trial.report(value, step)
        last = step
        if trial.should_prune():
            pruned_at = step
            break
    attrs = dict(study.get_trials(deepcopy=False)[place].system_attrs)
    return {"judged": last, "pruned_at": pruned_at, "attrs": attrs}


def importance(args: Mapping[str, Any]) -> dict[str, Any]:
    """Return how much of the spread of an objective each parameter explains.

    Parameters
    ----------
    args
        ``space``, ``directions``, ``seed``, ``objective`` (its place) and ``trials``.

    Returns
    -------
    dict
        ``shares`` by parameter, the largest first, ``trials`` that they rest on, and ``method``.
    """
    space, place = space_of(args["space"]), int(args["objective"])
    done = [one for one in args["trials"] if one["state"] == "COMPLETE"]
    study = _study(space, args["directions"], done, optuna.samplers.RandomSampler(seed=0))
    shares = optuna.importance.get_param_importances(
        study,
        evaluator=optuna.importance.FanovaImportanceEvaluator(seed=int(args["seed"])),
        target=lambda trial: trial.values[place],
    )
    return {"shares": {name: float(value) for name, value in shares.items()}, "trials": len(done), "method": "fANOVA"}
