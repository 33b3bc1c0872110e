# ruff: noqa: D102 the names of the tests are sentences
"""The conformance suites of recipes, one per task.

A recipe's test inherits :class:`RecipeContract` for classes, :class:`NumberContract` for regression,
:class:`RankingContract` for orders, :class:`AnomalyContract` for strange rows and :class:`ClusterContract` for clusters, as
far as the recipe serves them, and names the recipe; that of series is
:class:`aimass.training.recipes.contract_of_series.ForecastContract`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pytest

from aimass.kernel.errors import Invalid
from aimass.models import Column, Output, Parity, Rows, Signature, build_package
from aimass.training.domain.space import space_of
from aimass.training.measures.relevance import Lists, ndcg
from aimass.training.measures.scores import macro_auc
from aimass.training.recipes import find_recipe, load_recipe
from aimass.training.recipes.protocol import Table, parameters_of
from aimass.training.recipes.space import Space


@dataclass(slots=True, kw_only=True)
class Bench:
    """A recipe context without a job."""

    task: str
    params: Any
    signature: Signature
    tables: Mapping[str, Table]
    seed: int = 0
    threads: int = 1
    base: bytes | None = None
    reports: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    looks: list[tuple[int, Any]] | None = None
    saved: dict[str, bytes] = field(default_factory=dict[str, bytes])

    def data(self, part: str) -> Table:
        """Return the rows of a part."""
        return self.tables[part]

    def report(self, step: int, total: int, **metrics: float) -> None:
        """Keep the report."""
        assert all(np.isfinite(value) for value in metrics.values())
        self.reports.append((step, total))

    def look(self, step: int, total: int, answer: Callable[[pl.DataFrame], Any]) -> None:
        """Keep what would be answered now, where somebody watches."""
        if self.looks is not None:
            assert 1 <= step <= total
            self.looks.append((step, answer(self.tables["validation"].features)))

    def save(self, state: bytes, name: str = "recipe") -> None:
        """Keep the checkpoint."""
        self.saved[name] = state

    def restore(self, name: str = "recipe") -> bytes | None:
        """Return the checkpoint."""
        return self.saved.get(name)


def rows(count: int, classes: int, seed: int) -> Table:
    """Make rows with every type, nulls, and a column name that no identifier may have; without classes a number is the truth."""
    rng = np.random.default_rng(seed)
    plan = rng.choice(["basic", "plus", "高级 😀"], count)
    charge, months = rng.gamma(2.0, 30.0, count), rng.integers(0, 72, count)
    paperless = rng.random(count) < 0.5  # noqa: PLR2004 half
    pull = charge / 40 - months / 24 + (plan == "basic") + rng.normal(0, 0.7, count)
    truth: Any = 1000 + 250 * pull
    if classes:
        truth = np.searchsorted(np.quantile(pull, np.arange(1, classes) / classes), pull).astype(np.int64)
    frame = pl.DataFrame(
        {"plan": plan.tolist(), "monthly charge (€)": charge, "months": months, "paperless": paperless}
    )
    gaps = pl.Series(rng.random(count) < 0.05)  # noqa: PLR2004 some
    hole = pl.when(gaps).then(None)
    frame = frame.with_columns(
        hole.otherwise(pl.col("plan")).alias("plan"),
        hole.otherwise(pl.col("monthly charge (€)")).alias("monthly charge (€)"),
    )
    return Table(features=frame, truth=truth)


def signature(classes: int) -> Signature:
    """Describe :func:`rows`."""
    names = ("No", "Yes") if classes == 2 else tuple(f"class {k}" for k in range(classes))  # noqa: PLR2004 two
    return Signature(
        inputs=(
            Column(name="plan", type="string", nullable=True, categories=("basic", "plus", "高级 😀")),
            Column(name="monthly charge (€)", type="float", nullable=True),
            Column(name="months", type="integer"),
            Column(name="paperless", type="boolean"),
        ),
        outputs=(
            Output(name="label", type="string", shape=(-1,)),
            Output(name="probabilities", type="float", shape=(-1, classes), classes=names),
        )
        if classes
        else (Output(name="value", type="float", shape=(-1,)),),
    )


class TaskContract:
    """What every recipe keeps in every task.

    Attributes
    ----------
    recipe
        Its name, as registered.
    task
        The task that this suite is for.
    runtime
        The runtime of its packages.
    quick
        Parameters that make it fast.
    """

    __test__ = False
    recipe: ClassVar[str]
    task: ClassVar[str]
    classes: ClassVar[int]
    runtime: ClassVar[str] = "onnx"
    quick: ClassVar[Mapping[str, Any]] = {}

    def bench(self, classes: int | None = None, **changes: Any) -> Bench:
        """Make a context for the recipe."""
        classes = self.classes if classes is None else classes
        manifest = find_recipe(self.recipe)
        params = parameters_of(manifest.check({**self.quick, **changes}), manifest.parameters)
        tables = {"train": self.rows(600, classes, 1), "validation": self.rows(300, classes, 2)}
        return Bench(task=self.task, params=params, signature=self.signature(classes), tables=tables)

    def rows(self, count: int, classes: int, seed: int) -> Table:
        """Make rows for the task."""
        return rows(count, classes, seed)

    def signature(self, classes: int) -> Signature:
        """Describe the rows."""
        return signature(classes)

    def packaged(self, bench: Bench, folder: Path) -> tuple[Any, Parity]:
        """Fit and package."""
        recipe = load_recipe(self.recipe)
        model = recipe.fit(bench)
        features = bench.data("validation").features
        columns = {name: features[name].to_list() for name in features.columns}
        said = recipe.predict(bench, model, features)
        return build_package(folder, recipe.package(bench, model), Rows(columns=columns, expected=said))

    def test_its_manifest_tells_name_version_and_help_for_every_parameter(self) -> None:
        manifest = find_recipe(self.recipe)
        assert manifest.name == self.recipe
        assert manifest.version
        assert manifest.summary
        assert self.task in manifest.tasks
        assert all(part.get("description") for part in manifest.schema()["properties"].values())

    def test_its_defaults_are_allowed_values(self) -> None:
        manifest = find_recipe(self.recipe)
        assert manifest.check(manifest.check({})) == manifest.check({})

    def test_the_values_that_a_study_tries_are_allowed(self) -> None:
        manifest = find_recipe(self.recipe)
        assert manifest.space, "a study of it would have to name every range"
        for name, dimension in space_of(manifest.space).items():
            for value in dimension.points():
                assert manifest.check({name: value})[name] == value

    def test_an_unknown_parameter_is_refused_with_its_name(self) -> None:
        with pytest.raises(Invalid, match="no_such_thing"):
            find_recipe(self.recipe).check({"no_such_thing": 1})

    def test_the_same_seed_gives_the_same_answers(self) -> None:
        recipe = load_recipe(self.recipe)
        benches = (self.bench(), self.bench())
        first, second = (recipe.predict(b, recipe.fit(b), b.data("validation").features) for b in benches)
        assert np.array_equal(first, second)

    def test_who_watches_sees_each_step_and_changes_nothing(self) -> None:
        recipe, manifest = load_recipe(self.recipe), find_recipe(self.recipe)
        if manifest.steps is None:
            return
        alone, watched = self.bench(), self.bench()
        watched.looks = []
        features = watched.data("validation").features
        unseen = recipe.predict(alone, recipe.fit(alone), features)
        said = recipe.predict(watched, recipe.fit(watched), features)
        assert np.array_equal(said, unseen)
        steps = [step for step, _ in watched.looks]
        assert steps == list(range(1, len(steps) + 1)) or self.task == "multilabel"
        for _, answers in watched.looks:
            assert np.shape(answers) == np.shape(said)
            assert np.isfinite(answers).all()
        if watched.looks:
            assert not np.array_equal(watched.looks[0][1], watched.looks[-1][1])

    def test_its_package_answers_like_the_model(self, tmp_path: Path) -> None:
        self.check_package(self.bench(), tmp_path / "package")

    def check_package(self, bench: Bench, folder: Path) -> None:
        """Package and compare."""
        package, parity = self.packaged(bench, folder)
        assert parity.passed, parity.sentence()
        assert package.manifest.runtime == self.runtime, package.manifest.why_python
        assert bool(package.manifest.why_python) == (self.runtime == "python")

    def test_its_package_of_numbers_alone_answers_like_the_model(self, tmp_path: Path) -> None:
        bench = self.bench()
        texts = [column.name for column in bench.signature.inputs if column.type == "string"]
        inputs = tuple(column for column in bench.signature.inputs if column.name not in texts)
        bench.signature = replace(bench.signature, inputs=inputs)
        bench.tables = {
            part: Table(features=table.features.drop(texts), truth=table.truth) for part, table in bench.tables.items()
        }
        self.check_package(bench, tmp_path / "package")

    def test_nulls_and_categories_never_seen_are_answered_alike(self, tmp_path: Path) -> None:
        bench = self.bench()
        odd = pl.DataFrame(
            {
                "plan": ["never seen", None, "", "basic"],
                "monthly charge (€)": [None, 1e9, 0.1, None],
                "months": [0, 1, 2**31, -5],
                "paperless": [True, False, None, True],
            }
        )
        bench.tables = {**bench.tables, "validation": Table(features=odd, truth=bench.data("train").truth[:4])}
        _, parity = self.packaged(bench, tmp_path / "package")
        assert parity.passed, parity.sentence()

    def test_importance_is_a_share_per_input(self) -> None:
        bench, recipe = self.bench(), load_recipe(self.recipe)
        found = recipe.importance(bench, recipe.fit(bench))
        if found is not None:
            assert set(found) == {column.name for column in bench.signature.inputs}
            assert sum(found.values()) == pytest.approx(1)

    def test_it_warns_about_nothing(self) -> None:
        bench, recipe = self.bench(), load_recipe(self.recipe)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            recipe.predict(bench, recipe.fit(bench), bench.data("validation").features)


def strange_rows(count: int, seed: int) -> Table:
    """Make rows of which one in twenty lies far out, each elsewhere, and how it is known."""
    found, rng = rows(count, 2, seed), np.random.default_rng(seed + 100)
    is_strange = rng.random(count) < 0.05  # noqa: PLR2004 one in twenty
    far = {"monthly charge (€)": rng.uniform(400, 3000, count), "months": rng.integers(120, 900, count)}
    where = pl.Series(is_strange)
    columns = [pl.when(where).then(pl.Series(far[name])).otherwise(pl.col(name)).alias(name) for name in far]
    return Table(features=found.features.with_columns(columns), truth=is_strange.astype(np.int64))


def grouped_rows(count: int, seed: int) -> Table:
    """Make rows of three kinds, as points, and which kind each is of."""
    found, rng = rows(count, 0, seed), np.random.default_rng(seed + 200)
    kinds = rng.integers(0, 3, count)
    frame = found.features.with_columns(
        pl.Series("monthly charge (€)", np.array([20.0, 70.0, 120.0])[kinds] + rng.normal(0, 4, count)),
        pl.Series("months", (np.array([5, 60, 20])[kinds] + rng.normal(0, 2, count)).astype(int)),
        pl.Series("plan", np.array(["basic", "plus", "高级 😀"])[kinds]),
    )
    return Table(features=frame, truth=Space.of(frame).points(frame, np.array(["a", "b", "c"])[kinds]))


class RecipeContract(TaskContract):
    """What a recipe for classes keeps."""

    task: ClassVar[str] = "classification"
    classes: ClassVar[int] = 2
    least_auc: ClassVar[float] = 0.75

    def test_it_learns_two_classes(self) -> None:
        bench, recipe = self.bench(), load_recipe(self.recipe)
        scores = recipe.evaluate(bench, recipe.fit(bench), bench.data("validation"))
        assert scores["roc_auc"] > self.least_auc
        assert 0 < scores["brier"] < 0.25  # noqa: PLR2004 a coin

    def test_it_learns_four_classes(self) -> None:
        bench, recipe = self.bench(classes=4), load_recipe(self.recipe)
        table = bench.data("validation")
        given = recipe.predict(bench, recipe.fit(bench), table.features)
        assert given.shape == (300, 4)
        assert np.allclose(given.sum(axis=1), 1, atol=1e-5)
        assert macro_auc(table.truth, given) > self.least_auc

    def test_its_package_of_four_classes_answers_like_the_model(self, tmp_path: Path) -> None:
        self.check_package(self.bench(classes=4), tmp_path / "package")


class ImageContract(RecipeContract):
    """What a recipe for classes of images in one column of lists keeps.

    Attributes
    ----------
    side
        Rows and columns of an image of one channel.
    """

    __test__ = False
    side: ClassVar[int] = 8
    least_auc: ClassVar[float] = 0.9

    def rows(self, count: int, classes: int, seed: int) -> Table:
        """Make images with one bright spot; where it lies is the class."""
        rng = np.random.default_rng(seed)
        truth = rng.integers(0, classes, count)
        images = rng.normal(0, 1.0, (count, self.side, self.side)).astype(np.float32)
        height = self.side // 2
        for place, (image, code) in enumerate(zip(images, truth.tolist(), strict=True)):
            down, right = divmod(int(code), 2)
            row, column = (int(one) for one in rng.integers(0, height - 2, 2))
            image[
                down * height + row : down * height + row + 3, right * height + column : right * height + column + 3
            ] += 2
            images[place] = image
        flat = images.reshape(count, -1)
        frame = pl.DataFrame({"image (像素)": pl.Series(flat, dtype=pl.Array(pl.Float32, self.side**2))})
        return Table(features=frame, truth=truth.astype(np.int64))

    def signature(self, classes: int) -> Signature:
        """Describe them."""
        column = Column(name="image (像素)", type="float", shape=(-1, self.side**2))
        return Signature(inputs=(column,), outputs=signature(classes).outputs)

    def test_nulls_and_categories_never_seen_are_answered_alike(self, tmp_path: Path) -> None:
        """Images have no nulls; those of one colour and of large numbers are the odd ones."""
        bench = self.bench()
        odd = np.stack([np.zeros(self.side**2), np.full(self.side**2, 255.0), np.linspace(-9, 9, self.side**2)])
        name = bench.signature.inputs[0].name
        frame = pl.DataFrame({name: pl.Series(odd.astype(np.float32), dtype=pl.Array(pl.Float32, self.side**2))})
        bench.tables = {**bench.tables, "validation": Table(features=frame, truth=bench.data("train").truth[:3])}
        _, parity = self.packaged(bench, tmp_path / "package")
        assert parity.passed, parity.sentence()


class NumberContract(TaskContract):
    """What a recipe for regression keeps."""

    task: ClassVar[str] = "regression"
    classes: ClassVar[int] = 0
    least_r2: ClassVar[float] = 0.4

    def test_it_learns_numbers(self) -> None:
        bench, recipe = self.bench(), load_recipe(self.recipe)
        table, model = bench.data("validation"), recipe.fit(bench)
        given = recipe.predict(bench, model, table.features)
        scores = recipe.evaluate(bench, model, table)
        assert given.shape == (300,)
        assert scores["r2"] > self.least_r2
        assert scores["rmse"] == pytest.approx(float(np.sqrt(np.mean((given - table.truth) ** 2))))


class ImageNumberContract(NumberContract):
    """What a recipe for numbers of images in one column of lists keeps."""

    side: ClassVar[int] = 8
    least_r2: ClassVar[float] = 0.8

    def rows(self, count: int, classes: int, seed: int) -> Table:
        """Make images with a bright line; the row in which it lies is the number."""
        rng = np.random.default_rng(seed)
        images, place = rng.normal(0, 1.0, (count, self.side, self.side)), rng.integers(0, self.side - 2, count)
        for image, row in zip(images, place.tolist(), strict=True):
            image[row : row + 2] += 2
        flat = images.reshape(count, -1).astype(np.float32)
        frame = pl.DataFrame({"image (像素)": pl.Series(flat, dtype=pl.Array(pl.Float32, self.side**2))})
        return Table(features=frame, truth=1000.0 + 50 * place)

    def signature(self, classes: int) -> Signature:
        """Describe them."""
        column = Column(name="image (像素)", type="float", shape=(-1, self.side**2))
        return Signature(inputs=(column,), outputs=signature(0).outputs)

    test_nulls_and_categories_never_seen_are_answered_alike = (
        ImageContract.test_nulls_and_categories_never_seen_are_answered_alike
    )


class RankingContract(TaskContract):
    """What a recipe for an order within lists keeps."""

    task: ClassVar[str] = "ranking"
    classes: ClassVar[int] = 0
    least_over_chance: ClassVar[float] = 0.4

    def rows(self, count: int, classes: int, seed: int) -> Table:
        """Make lists of ten rows; what is wanted stands to the others of its list, not to all rows."""
        found = rows(count, classes, seed)
        lists = np.random.default_rng(seed + 300).permutation(count) // 10
        truth = np.asarray(found.truth)
        places = np.array([(truth[lists == one] < value).sum() for value, one in zip(truth, lists, strict=True)])
        return Table(features=found.features, truth=Lists(relevance=np.maximum(places - 6.0, 0.0), lists=lists))

    def test_it_puts_what_is_wanted_first(self) -> None:
        bench, recipe = self.bench(), load_recipe(self.recipe)
        table, model = bench.data("validation"), recipe.fit(bench)
        given = recipe.predict(bench, model, table.features)
        scores = recipe.evaluate(bench, model, table)
        assert given.shape == (300,)
        assert scores["over_chance"] > self.least_over_chance
        assert scores["ndcg_10"] == pytest.approx(ndcg(table.truth, given))


class AnomalyContract(TaskContract):
    """What a recipe that tells strange rows keeps."""

    task: ClassVar[str] = "anomaly"
    classes: ClassVar[int] = 2
    least_auc: ClassVar[float] = 0.95

    def rows(self, count: int, classes: int, seed: int) -> Table:
        """Make rows for the task."""
        del classes
        return strange_rows(count, seed)

    def signature(self, classes: int) -> Signature:
        """Describe the rows."""
        found = signature(classes)
        named = [replace(one, classes=("normal", "anomaly")) if one.classes else one for one in found.outputs]
        return replace(found, outputs=tuple(named))

    def test_it_puts_strange_rows_first(self) -> None:
        bench, recipe = self.bench(), load_recipe(self.recipe)
        scores = recipe.evaluate(bench, recipe.fit(bench), bench.data("validation"))
        assert scores["roc_auc"] > self.least_auc

    def test_what_is_known_of_the_training_rows_is_not_learned(self) -> None:
        recipe, bench, other = load_recipe(self.recipe), self.bench(), self.bench()
        train = bench.data("train")
        other.tables = {**other.tables, "train": Table(features=train.features, truth=1 - train.truth)}
        features = bench.data("validation").features
        said = [recipe.predict(one, recipe.fit(one), features) for one in (bench, other)]
        assert np.array_equal(*said)

    def test_it_flags_the_share_of_the_training_rows_that_was_named(self) -> None:
        bench, recipe = self.bench(contamination=0.1), load_recipe(self.recipe)
        features = bench.data("train").features
        said = recipe.predict(bench, recipe.fit(bench), features)
        assert np.allclose(said.sum(axis=1), 1)
        assert (said[:, 1] > 0.5).mean() == pytest.approx(0.1, abs=0.02)  # noqa: PLR2004 a half


class ClusterContract(TaskContract):
    """What a recipe that puts rows together keeps."""

    task: ClassVar[str] = "clustering"
    classes: ClassVar[int] = 3

    def rows(self, count: int, classes: int, seed: int) -> Table:
        """Make rows for the task."""
        del classes
        return grouped_rows(count, seed)

    def test_it_finds_the_kinds_that_there_are(self) -> None:
        bench, recipe = self.bench(), load_recipe(self.recipe)
        table, model = bench.data("validation"), recipe.fit(bench)
        scores = recipe.evaluate(bench, model, table)
        assert scores["adjusted_rand"] > 0.95  # noqa: PLR2004 nearly the same
        assert scores["clusters"] == self.classes
        assert np.allclose(recipe.predict(bench, model, table.features).sum(axis=1), 1)
