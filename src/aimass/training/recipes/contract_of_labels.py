# ruff: noqa: D102 the names of the tests are sentences
"""The conformance suite of recipes that tell several labels of a row."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from aimass.models import LABELS, Output, Parity, Rows, Signature, build_package, load_model
from aimass.training.measures.labels import beside
from aimass.training.recipes import load_recipe
from aimass.training.recipes.contract import Bench, TaskContract, rows, signature
from aimass.training.recipes.labels import choosing
from aimass.training.recipes.protocol import Table

NAMES = ("dear", "new (新)", "paperless")
THRESHOLDS = (0.5, 0.3, 0.6)


class LabelContract(TaskContract):
    """What a recipe for several labels keeps; it answers the probability of each, and the platform chooses."""

    task: ClassVar[str] = "multilabel"
    classes: ClassVar[int] = 3
    least_auc: ClassVar[float] = 0.75

    def rows(self, count: int, classes: int, seed: int) -> Table:
        """Make rows of which each has none, one or several labels, which its columns tell but for some noise."""
        del classes
        found, rng = rows(count, 0, seed), np.random.default_rng(seed + 400)
        charge = found.features["monthly charge (€)"].fill_null(0.0).to_numpy()
        wanted = [charge > 70, found.features["months"].to_numpy() < 20, found.features["paperless"].to_numpy()]  # noqa: PLR2004 limits
        noise = rng.random((count, len(wanted))) < 0.1  # noqa: PLR2004 some
        return Table(features=found.features, truth=np.stack(wanted, axis=1) ^ noise)

    def signature(self, classes: int) -> Signature:
        """Describe the rows."""
        names = NAMES[:classes]
        outputs = (
            Output(name="probabilities", type="float", shape=(-1, len(names)), classes=names),
            Output(name=LABELS, type="string", shape=(-1, len(names))),
        )
        return replace(signature(0), outputs=outputs)

    def packaged(self, bench: Bench, folder: Path) -> tuple[Any, Parity]:
        """Fit, and package with thresholds."""
        recipe = load_recipe(self.recipe)
        model, features = recipe.fit(bench), bench.data("validation").features
        limits = np.array(THRESHOLDS[: len(bench.signature.classes)], dtype=np.float32)
        columns = {name: features[name].to_list() for name in features.columns}
        said = beside(recipe.predict(bench, model, features), limits)
        candidate = choosing(recipe.package(bench, model), limits)
        return build_package(folder, candidate, Rows(columns=columns, expected=said, thresholds=limits))

    def test_it_learns_each_label(self) -> None:
        bench, recipe = self.bench(), load_recipe(self.recipe)
        table, model = bench.data("validation"), recipe.fit(bench)
        given = recipe.predict(bench, model, table.features)
        assert given.shape == (300, 3)
        assert given.min() >= 0
        assert given.max() <= 1
        scores = recipe.evaluate(bench, model, table)
        assert scores["roc_auc"] > self.least_auc
        assert scores["macro_ap"] > table.truth.mean(axis=0).mean() + 0.1

    def test_its_package_chooses_labels_by_its_thresholds(self, tmp_path: Path) -> None:
        bench = self.bench()
        package, _ = self.packaged(bench, tmp_path / "package")
        features = bench.data("validation").features[:20]
        answers = load_model(package).predict({name: features[name].to_list() for name in features.columns})
        wanted = np.where(answers["probabilities"] >= np.array(THRESHOLDS, dtype=np.float32), np.array(NAMES), "")
        assert (answers[LABELS] == wanted).all()
        assert {len(set(row) - {""}) for row in answers[LABELS].tolist()} > {1}

    def test_one_label_alone_is_told_too(self, tmp_path: Path) -> None:
        bench = self.bench()
        bench.signature = self.signature(1)
        bench.tables = {
            part: Table(features=table.features, truth=table.truth[:, :1]) for part, table in bench.tables.items()
        }
        self.check_package(bench, tmp_path / "package")
