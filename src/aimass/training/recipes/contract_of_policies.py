# ruff: noqa: D102 the names of the tests are sentences
"""The conformance suite of recipes that say which action to take."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from aimass.models import Signature, load_model, policy_outputs
from aimass.training.measures.policies import Logged, chances_of
from aimass.training.recipes import load_recipe
from aimass.training.recipes.contract import TaskContract, rows, signature
from aimass.training.recipes.protocol import Table

ACTIONS = ("call", "mail 😀")


class PolicyContract(TaskContract):
    """What a recipe that says which action to take keeps."""

    task: ClassVar[str] = "policy"
    classes: ClassVar[int] = 2
    least_share: ClassVar[float] = 0.6

    def rows(self, count: int, classes: int, seed: int) -> Table:
        """Make rows in which a call brings much of the one half and little of the other, and one in two got one."""
        found, rng = rows(count, 0, seed), np.random.default_rng(seed + 400)
        pull = (np.asarray(found.truth) - np.median(found.truth)) / np.std(found.truth)
        means = np.column_stack([pull, np.zeros(count)])
        taken = rng.integers(0, classes, count)
        truth = Logged(
            actions=taken,
            rewards=means[np.arange(count), taken] + rng.normal(0, 0.3, count),
            chances=np.full(count, 1 / classes),
            expected=means,
        )
        return Table(features=found.features, truth=truth)

    def signature(self, classes: int) -> Signature:
        """Describe the rows."""
        return replace(signature(classes), outputs=policy_outputs(ACTIONS[:classes]))

    @pytest.mark.parametrize("learned", ["direct", "weighted", "doubly_robust"])
    def test_it_earns_more_than_the_decisions_that_it_learned_from(self, learned: str) -> None:
        bench, recipe = self.bench(learned=learned), load_recipe(self.recipe)
        table, model = bench.data("validation"), recipe.fit(bench)
        said = recipe.predict(bench, model, table.features)
        scores = recipe.evaluate(bench, model, table)
        assert said.shape == (300, 4)
        best = float(table.truth.expected.max(axis=1).mean())
        assert scores["lift"] > 0
        assert scores["dm"] > self.least_share * best  # what is expected here is what is true
        assert scores["dm"] == pytest.approx(float((chances_of(table.truth, said) * table.truth.expected).sum() / 300))

    def test_every_action_keeps_the_chance_that_was_asked_for(self) -> None:
        bench, recipe = self.bench(epsilon=0.2), load_recipe(self.recipe)
        table = bench.data("validation")
        said = chances_of(table.truth, recipe.predict(bench, recipe.fit(bench), table.features))
        assert np.allclose(said.sum(axis=1), 1)
        assert set(np.unique(said.round(9))) == {0.1, 0.9}

    def test_what_is_drawn_comes_as_often_as_its_chance_says(self, tmp_path: Path) -> None:
        bench = self.bench(exploration="softmax", temperature=1.0)
        package, _ = self.packaged(bench, tmp_path / "package")
        row = bench.data("validation").features[:1]
        answer = load_model(package).predict({name: row[name].to_list() * 3000 for name in row.columns})
        share = float(answer["probabilities"][0][0])
        drawn = np.array(answer["action"]) == ACTIONS[0]
        assert float(drawn.mean()) == pytest.approx(share, abs=4 * (share * (1 - share) / 3000) ** 0.5)
        assert np.allclose(np.array(answer["propensity"])[drawn], share)
