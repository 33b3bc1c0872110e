from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as reference

from aimass.training.measures.curves import curves
from aimass.training.measures.intervals import auc_interval, compare_auc, delong
from aimass.training.measures.ranking import average_precision, roc_auc
from aimass.training.measures.scores import calibration, macro_auc, scores


def two_classes(seed: int, rows: int = 400, pull: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = (rng.random(rows) < 0.3).astype(np.int64)
    score = np.round(1 / (1 + np.exp(-(pull * truth + rng.normal(size=rows)))), 2)
    return truth, np.column_stack([1 - score, score])


def four_classes(seed: int, rows: int = 400) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 4, rows)
    raw = np.exp(rng.normal(size=(rows, 4)) + 1.5 * np.eye(4)[truth])
    return truth, raw / raw.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("seed", range(5))
def test_two_classes_agree_with_scikit_learn_ties_included(seed: int) -> None:
    truth, given = two_classes(seed)
    found = scores(truth, given)
    assert found["roc_auc"] == pytest.approx(reference.roc_auc_score(truth, given[:, 1]))
    assert found["pr_auc"] == pytest.approx(reference.average_precision_score(truth, given[:, 1]))
    assert found["log_loss"] == pytest.approx(reference.log_loss(truth, np.clip(given, 1e-15, 1)))
    assert found["accuracy"] == pytest.approx(reference.accuracy_score(truth, given.argmax(axis=1)))
    assert found["f1"] == pytest.approx(reference.f1_score(truth, given.argmax(axis=1)))
    assert found["brier"] == pytest.approx(reference.brier_score_loss(truth, given[:, 1]))


def test_four_classes_agree_with_scikit_learn() -> None:
    truth, given = four_classes(1)
    found = scores(truth, given)
    assert found["roc_auc"] == pytest.approx(reference.roc_auc_score(truth, given, multi_class="ovr"))
    assert found["pr_auc"] == pytest.approx(reference.average_precision_score(np.eye(4)[truth], given))
    assert found["f1"] == pytest.approx(reference.f1_score(truth, given.argmax(axis=1), average="macro"))
    assert found["log_loss"] == pytest.approx(reference.log_loss(truth, given))


def test_one_class_alone_has_no_auc() -> None:
    assert np.isnan(roc_auc(np.array([True, True]), np.array([0.1, 0.2])))
    assert np.isnan(average_precision(np.array([False, False]), np.array([0.1, 0.2])))
    assert np.isnan(macro_auc(np.array([0, 0]), np.array([[0.5, 0.5], [0.4, 0.6]])))


def test_delong_gives_the_variance_of_its_definition() -> None:
    truth, given = two_classes(3, rows=60)
    x, y = given[truth == 1, 1], given[truth == 0, 1]
    wins = (x[:, None] > y[None, :]) + 0.5 * (x[:, None] == y[None, :])
    expected = wins.mean(axis=1).var(ddof=1) / len(x) + wins.mean(axis=0).var(ddof=1) / len(y)
    areas, covariance = delong(truth == 1, given[:, 1][None, :])
    assert areas[0] == pytest.approx(wins.mean())
    assert covariance[0, 0] == pytest.approx(expected)


def test_the_interval_agrees_with_a_bootstrap() -> None:
    truth, given = two_classes(4, rows=800)
    found = auc_interval(truth, given)
    rng = np.random.default_rng(0)
    draws = []
    for _ in range(800):
        rows = rng.integers(0, len(truth), len(truth))
        draws.append(roc_auc(truth[rows] == 1, given[rows, 1]))
    assert found.low == pytest.approx(np.quantile(draws, 0.025), abs=0.008)
    assert found.high == pytest.approx(np.quantile(draws, 0.975), abs=0.008)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    # AUC of two normal distributions one standard deviation apart: Phi(1 / sqrt(2)).
    true, covered = 0.7602499389, 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        truth = np.repeat([0, 1], [120, 80])
        score = truth + rng.normal(size=200)
        found = auc_interval(truth, np.column_stack([-score, score]))
        covered += found.low <= true <= found.high
    assert 0.91 <= covered / 300 <= 0.98


def test_a_model_compared_with_itself_does_not_differ() -> None:
    truth, given = two_classes(5)
    found = compare_auc(truth, given, given)
    assert (found.difference, found.p_value) == (0.0, 1.0)


def test_the_paired_test_agrees_with_a_paired_bootstrap() -> None:
    truth, first = two_classes(6, rows=600)
    second = np.clip(first + np.random.default_rng(1).normal(0, 0.1, first.shape), 0, 1)
    found = compare_auc(truth, first, second)
    rng = np.random.default_rng(2)
    draws = []
    for _ in range(600):
        rows = rng.integers(0, len(truth), len(truth))
        draws.append(roc_auc(truth[rows] == 1, first[rows, 1]) - roc_auc(truth[rows] == 1, second[rows, 1]))
    assert found.high - found.low == pytest.approx(4 * np.std(draws) * 0.98, rel=0.15)


def test_the_paired_test_rejects_a_true_null_as_often_as_it_says() -> None:
    rejected = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        truth = np.repeat([0, 1], [100, 100])
        shared = truth + rng.normal(size=200)
        first, second = (shared + rng.normal(0, 0.5, 200) for _ in range(2))
        pair = [np.column_stack([-score, score]) for score in (first, second)]
        rejected += compare_auc(truth, *pair).p_value < 0.05
    assert 0.02 <= rejected / 300 <= 0.09


def test_more_classes_get_their_interval_by_bootstrap() -> None:
    truth, given = four_classes(2)
    found = auc_interval(truth, given)
    assert found.method == "bootstrap"
    assert found.low < found.value < found.high
    assert compare_auc(truth, given, given).difference == 0


def test_curves_are_thin_and_end_in_the_corners() -> None:
    truth, given = two_classes(7, rows=5000)
    found = curves(truth, given, ["No", "Yes"])
    roc = found["roc"]["Yes"]
    assert len(roc["threshold"]) <= 201
    assert (roc["false_positive_rate"][-1], roc["true_positive_rate"][-1]) == (1.0, 1.0)
    assert sum(map(sum, found["confusion"])) == 5000


def test_calibration_bins_hold_all_rows() -> None:
    truth, given = two_classes(8)
    found = calibration(truth == 1, given[:, 1])
    assert sum(found["rows"]) == len(truth)
    assert len(found["predicted"]) == 10


def test_a_class_without_rows_gets_no_curve() -> None:
    truth, given = four_classes(3)
    rows = truth != 2
    assert set(curves(truth[rows], given[rows], ["a", "b", "c", "d"])["roc"]) == {"a", "b", "d"}
