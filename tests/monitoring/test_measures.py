from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from scipy import stats
from sklearn import metrics

from aimass.monitoring.children.drift import MISSING, OTHER, UNSEEN, compare
from aimass.monitoring.children.measures import chi_square_test, edges_of, histogram, ks_test, stability_index
from aimass.monitoring.children.numbers import measure_numbers
from aimass.monitoring.children.quality import auc, brier, classes_of, f1, macro_f1, measure, share

rng = np.random.default_rng(7)


def test_the_stability_index_is_the_closed_form() -> None:
    expected, actual = np.array([30.0, 50.0, 20.0]), np.array([20.0, 40.0, 40.0])
    closed = sum((q - p) * math.log(q / p) for p, q in zip([0.3, 0.5, 0.2], [0.2, 0.4, 0.4], strict=True))
    assert stability_index(expected, actual) == pytest.approx(closed)
    assert stability_index(expected, expected * 7) == 0


def test_the_stability_index_is_the_sum_of_both_divergences() -> None:
    p, q = rng.dirichlet(np.ones(8)), rng.dirichlet(np.ones(8))
    assert stability_index(p, q, floor=1e-12) == pytest.approx(stats.entropy(p, q) + stats.entropy(q, p))


def test_an_empty_bin_stays_finite_and_empty_histograms_are_refused() -> None:
    assert stability_index(np.array([100, 0]), np.array([0, 100])) == pytest.approx(2 * (1 - 1e-4) * math.log(1e4))
    with pytest.raises(ValueError, match="without observations"):
        stability_index(np.array([0, 0]), np.array([1, 1]))
    with pytest.raises(ValueError, match="share their bins"):
        stability_index(np.array([1]), np.array([1, 1]))


def test_bins_hold_equal_shares_of_the_reference() -> None:
    values = rng.normal(size=10_000)
    assert histogram(values, edges_of(values)).tolist() == [1000] * 10


def test_every_value_falls_into_one_bin_as_numpy_counts_them() -> None:
    values, edges = rng.normal(size=500), np.array([-1.0, 0.25, 2.0])
    reference, _ = np.histogram(-values, bins=[-np.inf, *(-edges[::-1]), np.inf])
    assert histogram(values, edges).tolist() == reference[::-1].tolist()


@pytest.mark.parametrize("sizes", [(40, 60), (500, 500), (3000, 200)])
@pytest.mark.parametrize("shift", [0.0, 0.2, 1.0])
def test_kolmogorov_smirnov_agrees_with_scipy(sizes: tuple[int, int], shift: float) -> None:
    first, second = rng.normal(size=sizes[0]).round(1), rng.normal(loc=shift, size=sizes[1]).round(1)
    found, wanted = ks_test(first, second), stats.ks_2samp(first, second, method="asymp")
    assert found.statistic == pytest.approx(wanted.statistic)
    assert found.p_value == pytest.approx(wanted.pvalue, abs=0.02)


def test_kolmogorov_smirnov_of_the_same_sample_is_zero() -> None:
    same = np.arange(50.0)
    assert (ks_test(same, same).statistic, ks_test(same, same).p_value) == (0.0, 1.0)


def test_chi_square_agrees_with_scipy() -> None:
    first, second = np.array([90, 60, 50, 30]), np.array([40, 70, 30, 35])
    wanted = stats.chi2_contingency(np.array([first, second]), correction=False)
    found = chi_square_test(first, second)
    assert found is not None
    assert (found.statistic, found.p_value) == (pytest.approx(wanted.statistic), pytest.approx(wanted.pvalue))


def test_rare_categories_are_put_together_before_the_test() -> None:
    found = chi_square_test(np.array([500, 480, 2, 1]), np.array([500, 490, 1, 2]))
    wanted = stats.chi2_contingency(np.array([[500, 480, 3], [500, 490, 3]]), correction=False)
    assert found is not None
    assert found.statistic == pytest.approx(wanted.statistic)
    assert chi_square_test(np.array([10]), np.array([20])) is None


def test_a_numeric_feature_that_moved_shows_it_and_one_that_did_not_does_not() -> None:
    reference = pl.Series(rng.normal(size=5000))
    same, moved = (
        compare("x", reference, pl.Series(rng.normal(size=500))),
        compare("x", reference, pl.Series(rng.normal(loc=0.8, size=500))),
    )
    assert same["psi"] < 0.1
    assert moved["psi"] > 0.2
    assert moved["p_value"] < 1e-6 < same["p_value"]
    assert sum(moved["histogram"]["live"]) == pytest.approx(1)
    assert len(moved["histogram"]["labels"]) == len(moved["histogram"]["reference"])


def test_a_category_that_training_never_saw_has_a_bin_of_its_own() -> None:
    found = compare("c", pl.Series(["a"] * 80 + ["b"] * 20), pl.Series(["a"] * 60 + ["z"] * 30 + [""] * 10))
    assert found["histogram"]["labels"] == ["a", "b", UNSEEN, MISSING]
    assert found["histogram"]["live"] == [0.6, 0.0, 0.3, 0.1]
    assert (found["unseen"], found["missing"]) == (0.3, {"reference": 0.0, "live": 0.1})


def test_rare_categories_share_a_bin_so_that_many_of_them_do_not_look_like_drift() -> None:
    names = [f"c{n}" for n in range(60)]
    reference, live = pl.Series(rng.choice(names, 6000)), pl.Series(rng.choice(names, 600))
    found = compare("c", reference, live)
    assert OTHER in found["histogram"]["labels"]
    assert found["psi"] < 0.2


def test_nulls_in_a_numeric_feature_count_as_drift() -> None:
    found = compare("x", pl.Series([1.0, 2.0, 3.0] * 50), pl.Series([1.0, 2.0, None] * 50))
    assert found["missing"]["live"] == pytest.approx(1 / 3)
    assert found["psi"] > 0.2


def test_a_column_without_any_value_is_compared_without_a_test() -> None:
    found = compare("x", pl.Series([1.0, 2.0]), pl.Series([None, None], dtype=pl.Float64))
    assert found["test"] is None
    assert found["psi"] > 1


def sample(size: int = 400) -> tuple[np.ndarray, np.ndarray]:
    truth = rng.random(size) < 0.3
    return truth, np.clip(truth * 0.25 + rng.random(size) * 0.7, 0, 1).round(2)


def test_the_area_agrees_with_scikit_learn() -> None:
    truth, scores = sample()
    found = auc(truth, scores)
    assert found is not None
    assert found["value"] == pytest.approx(metrics.roc_auc_score(truth, scores))
    assert auc(np.array([True, True]), np.array([0.1, 0.2])) is None


def test_the_interval_of_the_area_covers_what_a_bootstrap_finds() -> None:
    truth, scores = sample(600)
    draws = []
    for _ in range(400):
        rows = rng.integers(0, 600, 600)
        draws.append(metrics.roc_auc_score(truth[rows], scores[rows]))
    found = auc(truth, scores)
    assert found is not None
    assert [found["low"], found["high"]] == pytest.approx(np.quantile(draws, [0.025, 0.975]), abs=0.015)


def test_shares_have_the_interval_of_wilson() -> None:
    wanted = stats.binomtest(37, 50).proportion_ci(method="wilson")
    found = share(37, 50)
    assert (found["low"], found["high"]) == (pytest.approx(wanted.low), pytest.approx(wanted.high))


def test_f1_and_brier_agree_with_scikit_learn() -> None:
    truth, scores = sample()
    both = np.column_stack([1 - scores, scores])
    assert f1(truth, scores > 0.5)["value"] == pytest.approx(metrics.f1_score(truth, scores > 0.5))
    assert brier(np.column_stack([~truth, truth]), both)["value"] == pytest.approx(
        metrics.brier_score_loss(truth, scores)
    )


def test_many_classes_are_measured_one_against_the_rest() -> None:
    classes = ["a", "b", "c"]
    truth = rng.choice(classes, 300)
    scores = rng.dirichlet(np.ones(3), 300) + 0.4 * (np.array(classes)[None, :] == truth[:, None])
    scores /= scores.sum(axis=1, keepdims=True)
    label = np.array(classes)[scores.argmax(axis=1)]
    rows = pl.DataFrame({"truth": truth, "label": label, "probabilities": scores.tolist()})
    found = measure(rows, classes, "c")
    assert found["auc"]["value"] == pytest.approx(metrics.roc_auc_score(truth, scores, multi_class="ovr"))
    assert found["f1"]["value"] == pytest.approx(metrics.f1_score(truth, label, average="macro"))
    assert macro_f1(truth, label, classes)["low"] < found["f1"]["value"]
    assert classes_of(rows) == classes


def test_texts_that_hardly_come_back_are_compared_by_length_and_by_strange_words() -> None:
    reference = pl.Series([f"parcel {n} is {'very ' * (n % 5)}late" for n in range(100, 300)])
    same = compare("t", reference, pl.Series([f"parcel {n} is {'very ' * (n % 5)}late" for n in range(500, 600)]))
    assert (same["kind"], same["unseen"]) == ("text", 0.0)
    assert same["psi"] == pytest.approx(0, abs=1e-6)
    live = pl.Series(
        [
            "包裹今天又没有到",
            "zzz",
            None,
            "",
            *[f"parcel {n} is very very very very very late again" for n in range(96)],
        ]
    )
    found = compare("t", reference, live)
    assert found["psi"] > 0.2  # all longer than any before
    assert found["missing"] == {"reference": 0.0, "live": 0.02}
    assert found["unseen"] == 0.02  # the first two hold no word of the reference
    assert found["test"] == "ks"


def test_errors_of_numbers_are_those_of_scikit_learn_and_absent_where_they_say_nothing() -> None:
    drawn = np.random.default_rng(5)
    became = drawn.normal(50, 10, 400)
    said = became + drawn.normal(1, 4, 400)
    found = measure_numbers(pl.DataFrame({"said": said, "became": became}))
    wanted = {
        "rmse": metrics.root_mean_squared_error(became, said),
        "mae": metrics.mean_absolute_error(became, said),
        "median_ae": metrics.median_absolute_error(became, said),
        "r2": metrics.r2_score(became, said),
        "mape": metrics.mean_absolute_percentage_error(became, said),
    }
    assert {name: one["value"] for name, one in found.items()} == pytest.approx(wanted)
    assert all(one["low"] < one["value"] < one["high"] for one in found.values())
    same = measure_numbers(pl.DataFrame({"said": [1.0, 2.0], "became": [0.0, 0.0]}))
    assert set(same) == {"rmse", "mae", "median_ae"}


def test_the_interval_of_r2_and_of_the_median_holds_the_truth_as_often_as_it_says() -> None:
    drawn, held = np.random.default_rng(6), {"r2": 0, "median_ae": 0}
    truth = {"r2": 1 - 4 / 9, "median_ae": 2 * stats.norm.ppf(0.75)}
    for _ in range(60):
        became = drawn.normal(0, 3, 150)
        found = measure_numbers(pl.DataFrame({"said": became + drawn.normal(0, 2, 150), "became": became}))
        for name, value in truth.items():
            held[name] += found[name]["low"] <= value <= found[name]["high"]
    assert min(held.values()) >= 51  # 57 are promised; 50 or fewer then have a chance of seven in ten thousand
