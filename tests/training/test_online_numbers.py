"""Learners of numbers, against River and scikit-learn run directly; drift, snapshots, and the light gate for numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from river import datasets, forest, linear_model, optim, preprocessing, tree
from sklearn.linear_model import SGDRegressor
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from sklearn.neural_network import MLPRegressor

from aimass.models import Rows
from aimass.training.children.exported import packaged
from aimass.training.children.learn import _columns, _signature, _write_window
from aimass.training.children.learnerfiles import begun, unpack
from aimass.training.children.metric_gate import metric_gate
from aimass.training.errors import NotFinite
from aimass.training.online import check_model

COLUMNS = [
    {"name": "kind", "type": "string", "categories": ["a", "b"]},
    {"name": "free", "type": "string", "categories": None},
    {"name": "size", "type": "float", "categories": None},
]
SEED = 7
LINE = "linear_regression"
MODELS = ["linear_regression", "hoeffding_adaptive_tree_regressor", "sklearn_sgd_regressor", "sklearn_mlp_regressor"]


def learner(model: str, columns: list[dict[str, Any]] = COLUMNS, **more: Any) -> Any:
    params = check_model(model, more.pop("params", {}))
    spec = {"model": model, "params": params, "detector": "adwin", "replay": 0, "window": 200, "seed": SEED}
    return begun({**spec, "memory_mb": 8, **more}, columns)


def rows_of(count: int, *, turned: bool = False, seed: int = 0) -> list[tuple[dict[str, Any], float]]:
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        size, kind = float(rng.normal(5, 2)), str(rng.choice(["a", "b"]))
        price = 1000 + (-1 if turned else 1) * 200 * size + 300 * (kind == "a") + float(rng.normal(0, 30))
        found.append(({"kind": kind, "free": "x", "size": size}, price))
    return found


def taught(model: str, *worlds: bool, **more: Any) -> Any:
    found = learner(model, **more)
    for number, turned in enumerate(worlds):
        for row, price in rows_of(600, turned=turned, seed=number):
            found.take(row, price)
    return found


def of_river(model: str) -> Any:
    made = {
        "linear_regression": lambda: preprocessing.TargetStandardScaler(
            regressor=linear_model.LinearRegression(optim.SGD(0.005))
        ),
        "hoeffding_adaptive_tree_regressor": lambda: tree.HoeffdingAdaptiveTreeRegressor(seed=SEED),
        "adaptive_random_forest_regressor": lambda: forest.ARFRegressor(seed=SEED),
    }
    return preprocessing.StandardScaler() | made[model]()


@pytest.mark.parametrize("model", [*MODELS[:2], "adaptive_random_forest_regressor"])
def test_it_is_as_far_off_as_river_run_directly_by_the_measures_of_scikit_learn(model: str) -> None:
    rows: list[tuple[Any, Any]] = list(datasets.TrumpApproval())[:500]
    columns = [{"name": name, "type": "float", "categories": None} for name in rows[0][0]]
    found, direct, truth, said = learner(model, columns, window=400), of_river(model), [], []
    for place, (row, approval) in enumerate(rows):
        if place:
            truth.append(approval)
            said.append(direct.predict_one(row))
        found.take(row, approval)
        direct.learn_one(row, approval)
    told = found.metrics()
    for name, measure in (("rmse", root_mean_squared_error), ("mae", mean_absolute_error), ("r2", r2_score)):
        assert told[f"{name}_total"] == pytest.approx(measure(truth, said), rel=1e-6)
        assert told[name] == pytest.approx(measure(truth[-400:], said[-400:]), rel=1e-6)
    assert told["rmse_last_total"] == pytest.approx(root_mean_squared_error(truth, [rows[0][1], *truth[:-1]]))


@pytest.mark.parametrize("model", MODELS[2:])
def test_it_says_the_number_that_scikit_learn_says_that_is_run_directly(model: str) -> None:
    step: Any = {"learning_rate": "constant", "eta0": 0.01, "random_state": SEED}
    direct: Any = (
        SGDRegressor(**step)
        if "sgd" in model
        else MLPRegressor(hidden_layer_sizes=(32,), shuffle=False, random_state=SEED)
    )
    found, values, prices = learner(model), [], []
    for row, price in rows_of(150):
        found.take(row, price)
        values.append([float(row["kind"] == "a"), float(row["kind"] == "b"), 0.0, row["size"]])
        prices.append(price)
        seen, spread = np.array(values), float(np.std(prices)) or 1.0
        scale = np.where(seen.std(axis=0) > 0, seen.std(axis=0), 1.0)
        direct.partial_fit([(seen[-1] - seen.mean(axis=0)) / scale], [(price - np.mean(prices)) / spread])
        said = direct.predict([(seen[-1] - seen.mean(axis=0)) / scale])[0] * spread + np.mean(prices)
        assert found.answer(row, []) == pytest.approx(said, rel=1e-6)


@pytest.mark.parametrize("model", MODELS)
def test_a_snapshot_answers_like_the_learner(model: str, tmp_path: Path) -> None:
    found = taught(model, False)
    columns = _columns(found, found.window())
    columns["free"][0] = columns["kind"][1] = columns["size"][2] = None
    given = [found.answer({n: v[i] for n, v in columns.items()}, []) for i in range(200)]
    rows = Rows(columns=columns, expected=np.array(given))
    package, parity = packaged(tmp_path / "package", found, _signature(found, []), rows)
    assert parity.passed
    assert package.manifest.runtime == ("python" if "tree" in model else "onnx")
    assert [one.name for one in package.manifest.signature.outputs] == ["value"]


def test_a_drift_shows_in_its_errors_and_odd_numbers_are_left_out() -> None:
    found = taught(LINE, False, True)
    assert [at for at in found.drifts if 600 < at < 700]
    assert not [at for at in found.drifts if at <= 600]
    before = found.rows
    row = rows_of(1)[0][0]
    assert not found.take(row, float("inf"))
    assert not found.take(row, None)
    assert (found.rows, found.counted["extreme"], found.counted["unlabelled"]) == (before, 1, 1)


@pytest.mark.parametrize("model", ["adaptive_random_forest_regressor", "sklearn_mlp_regressor"])
def test_it_goes_on_from_what_was_written_as_if_it_had_never_stopped(model: str) -> None:
    rows = rows_of(300)
    whole, first = learner(model, replay=50), learner(model, replay=50)
    for row, price in rows[:150]:
        whole.take(row, price)
        first.take(row, price)
    second, _ = unpack(first.pack({}), first.spec)
    for row, price in rows[150:]:
        whole.take(row, price)
        second.take(row, price)
    assert second.metrics() == whole.metrics()


def test_weights_that_are_no_numbers_any_more_are_refused_with_what_to_do() -> None:
    found = taught("sklearn_sgd_regressor", False)
    found.model.estimator.coef_[:] = np.inf
    with pytest.raises(NotFinite, match="no number") as told:
        found.take(*rows_of(1)[0])
    assert told.value.hint.startswith("lower the learning rate")


def judged(make_job: Any, folder: Path, new: Any, champion: Any) -> Any:
    folders = {}
    window = new.window()
    columns = _columns(new, window)
    for name, one in (("package", new), ("champion", champion)):
        given = [one.answer({n: v[i] for n, v in columns.items()}, []) for i in range(200)]
        rows = Rows(columns=columns, expected=np.array(given))
        folders[name] = str(packaged(folder / name, one, _signature(one, []), rows)[0].folder)
    truth, said = (np.array([one[place] for one in window]) for place in (0, 1))
    _write_window(folder / "window.parquet", {"columns": columns, "keys": [None] * 200}, [], truth, said)
    assert pl.read_parquet(folder / "window.parquet")["truth"].dtype == pl.Float64
    payload = {"window": str(folder / "window.parquet"), "task": "regression", "seed": 0, **folders}
    return metric_gate(make_job(payload))


def test_the_light_gate_lets_pass_who_knows_the_new_world_alone(make_job: Any, tmp_path: Path) -> None:
    quick = {"params": {"learning_rate": 0.05}}
    new, old = taught(LINE, False, True, **quick), taught(LINE, False, **quick)
    found = judged(make_job, tmp_path / "a", new, old)
    assert found["passed"]
    assert found["evidence"].startswith("newest rows, RMSE")
    late = learner(LINE, params={"learning_rate": 0.0005})
    for row, price in [*rows_of(600), *rows_of(200, turned=True, seed=9)]:
        late.take(row, price)
    found = judged(make_job, tmp_path / "b", late, new)
    assert not found["passed"]
    assert "below the minimum 0" in found["evidence"]
