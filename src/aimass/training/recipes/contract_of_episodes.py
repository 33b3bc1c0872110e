# ruff: noqa: D102 the names of the tests are sentences
"""The conformance suite of recipes that decide in several steps."""

from __future__ import annotations

import numpy as np

from aimass.training.measures.episodes import Steps
from aimass.training.measures.policies import chances_of
from aimass.training.recipes import load_recipe
from aimass.training.recipes.contract import TaskContract
from aimass.training.recipes.contract_of_policies import PolicyContract
from aimass.training.recipes.protocol import Table

_LENGTH = 3


class EpisodeContract(TaskContract):
    """What a recipe keeps that looks at what an action leads to."""

    task = "policy"
    classes = 2
    signature = PolicyContract.signature

    def rows(self, count: int, classes: int, seed: int) -> Table:
        """Make episodes of three rows, whose rewards are those of a policy of one step; what comes next is drawn anew."""
        found = PolicyContract().rows(count, classes, seed)
        truth = Steps(
            actions=found.truth.actions,
            rewards=found.truth.rewards,
            chances=found.truth.chances,
            expected=found.truth.expected,
            episodes=np.arange(count) // _LENGTH,
            order=np.arange(count),
            discount=0.5,
            space=found.truth.expected[:, :1],
        )
        return Table(features=found.features, truth=truth)

    def test_it_earns_more_than_the_episodes_that_it_learned_from(self) -> None:
        bench, recipe = self.bench(), load_recipe(self.recipe)
        table, model = bench.data("validation"), recipe.fit(bench)
        said = recipe.predict(bench, model, table.features)
        assert said.shape == (300, 4)
        assert recipe.evaluate(bench, model, table)["lift"] > 0
        chosen = (chances_of(table.truth, said) * table.truth.expected).sum(axis=1).mean()
        assert chosen > 0.6 * table.truth.expected.max(axis=1).mean()  # what is expected here is what is true

    def test_every_action_keeps_the_chance_that_was_asked_for(self) -> None:
        bench, recipe = self.bench(epsilon=0.2), load_recipe(self.recipe)
        table = bench.data("validation")
        said = chances_of(table.truth, recipe.predict(bench, recipe.fit(bench), table.features))
        assert np.allclose(said.sum(axis=1), 1)
        assert set(np.unique(said.round(9))) == {0.1, 0.9}

    def test_rows_without_episodes_are_decisions_of_one_step(self) -> None:
        bench, recipe = self.bench(), load_recipe(self.recipe)
        bench.tables = {part: PolicyContract().rows(600, 2, seed) for seed, part in enumerate(("train", "validation"))}
        scores = recipe.evaluate(bench, recipe.fit(bench), bench.data("validation"))
        assert scores["lift"] > 0
