"""Learners that begin with what another one knows, and the ratio of densities by which its rows are weighted."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.optimize import minimize
from scipy.stats import norm

from aimass.kernel.errors import Invalid
from aimass.training.children.domains import SHARE, _sums, solved, weights_of
from aimass.training.children.learnerfiles import begun
from aimass.training.children.online import Online
from aimass.training.children.starting import started
from aimass.training.online import check_model

COLUMNS = [
    {"name": "size", "type": "float", "categories": None},
    {"name": "kind", "type": "string", "categories": ["a", "b"]},
]


def learner(model: str = "linear_regression", columns: list[dict[str, Any]] = COLUMNS, **more: Any) -> Online:
    spec = {"model": model, "params": check_model(model, {"learning_rate": 0.02}), "detector": "none", "replay": 0}
    spec |= {"replay_times": 1, "window": 1000, "seed": 0, "memory_mb": 8}
    return begun({**spec, **more}, columns)


def rows_of(count: int, seed: int, kinds: str) -> list[dict[str, Any]]:
    """Make rows whose number rises with the size for one kind, and falls for the other: no line fits both."""
    rng = np.random.default_rng(seed)
    return [{"size": float(rng.normal()), "kind": str(rng.choice(list(kinds)))} for _ in range(count)]


def truth(row: dict[str, Any]) -> float:
    return 3 * row["size"] * (1 if row["kind"] == "a" else -1)


def taught(rows: list[dict[str, Any]], **more: Any) -> Online:
    found = learner(**more)
    for row in rows:
        found.take(row, truth(row))
    return found


def off(found: Online, rows: list[dict[str, Any]]) -> float:
    return float(np.sqrt(np.mean([(found.answer(row, []) - truth(row)) ** 2 for row in rows])))


def test_the_weights_are_the_ratio_of_two_known_densities() -> None:
    rng = np.random.default_rng(1)
    source, target = rng.normal(0, 1, (800, 1)), rng.normal(0.8, 0.6, (400, 1))
    found = weights_of(source, target, 0)
    old, new = norm.pdf(source[:, 0]), norm.pdf(source[:, 0], 0.8, 0.6)
    known = new / (SHARE * new + (1 - SHARE) * old)
    assert np.corrcoef(found, known)[0, 1] > 0.97
    assert np.mean(np.abs(found - known)) < 0.15
    same = weights_of(source, rng.normal(0, 1, (400, 1)), 0)
    assert np.mean(np.abs(same - 1)) < 0.15


def test_the_counts_of_the_kernels_are_those_that_an_optimiser_finds() -> None:
    rng = np.random.default_rng(2)
    source, target = rng.uniform(0, 1, (50, 4)), rng.uniform(0.3, 1, (30, 4))

    def lost(counts: Any) -> float:
        square = SHARE * np.mean((target @ counts) ** 2) + (1 - SHARE) * np.mean((source @ counts) ** 2)
        return float(square / 2 - np.mean(target @ counts) + 0.1 / 2 * counts @ counts)

    best = minimize(lost, np.zeros(4), tol=1e-12).x
    assert solved(*_sums(source, target), 0.1) == pytest.approx(np.maximum(best, 0), abs=1e-4)


def test_rows_that_are_likely_here_bring_a_line_closer_to_a_part_of_what_the_other_one_knows() -> None:
    other = taught(rows_of(1500, 1, "ab"))
    frame = pl.DataFrame(rows_of(30, 2, "b"))
    asked = rows_of(200, 3, "b")
    plain = started(learner(), other, {"from": "all", "transfer": "plain"}, frame)
    assert off(plain, asked) == pytest.approx(off(other, asked))
    other = taught(rows_of(1500, 1, "ab"))
    weighted = started(learner(), other, {"from": "all", "transfer": "weighted"}, frame)
    assert off(weighted, asked) < 0.6 * off(plain, asked)
    assert (weighted.rows, weighted.metrics()) == (0, {})
    few = started(learner(), other, {"from": "all", "transfer": "weighted"}, frame.head(3))
    assert any("were not weighted: there are 1000 of them, and 3 here" in note for note in few.notes)


def test_rows_that_the_other_one_learns_again_stay_a_fair_share_of_those_that_the_new_one_keeps() -> None:
    other = taught(rows_of(900, 1, "a"), replay=90)
    found = started(learner(replay=90), other, {"from": "all", "transfer": "plain"}, pl.DataFrame())
    for row in rows_of(100, 2, "b"):
        found.take(row, truth(row))
    kept = [features["kind", "a"] for features, _ in found.kept_rows()]
    assert len(kept) == 90
    assert 0.7 < np.mean(kept) < 1


def test_other_columns_are_refused_by_name() -> None:
    more = [*COLUMNS, {"name": "age", "type": "float", "categories": None}]
    other = taught(rows_of(50, 1, "ab"))
    with pytest.raises(Invalid, match="column 'age' is unknown to learner 'all', and float here"):
        started(learner(columns=more), other, {"from": "all", "transfer": "plain"}, pl.DataFrame())
    whole = [{**COLUMNS[0], "type": "integer"}, COLUMNS[1]]
    assert (
        started(learner(columns=whole), other, {"from": "all", "transfer": "plain"}, pl.DataFrame()).columns == COLUMNS
    )
    turned = [{**COLUMNS[0], "type": "string", "categories": ["x"]}, COLUMNS[1]]
    with pytest.raises(Invalid, match="column 'size' is float to learner 'all', and string here"):
        started(learner(columns=turned), other, {"from": "all", "transfer": "plain"}, pl.DataFrame())
