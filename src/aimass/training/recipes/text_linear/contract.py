# ruff: noqa: D102 the names of the tests are sentences
"""The conformance suite of recipes that read free text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pytest

from aimass.kernel.errors import Invalid
from aimass.models import Column, Signature
from aimass.training.recipes import load_recipe
from aimass.training.recipes.contract import NumberContract, RecipeContract, TaskContract, rows, signature
from aimass.training.recipes.contract_of_labels import LabelContract
from aimass.training.recipes.protocol import Table

TEXT = "review (评)"
ODD = ("", None, "gOOd, unheard-of: 很好…", "ß İstanbul Ünïcode\n" * 50, "!!!", "GRÖSSE Размер 很很好好")
_OWN = (
    ("good", "great", "love", "很好", "喜欢"),
    ("bad", "poor", "hate", "很差", "讨厌"),
    ("slow", "late", "wait", "太慢", "等了"),
    ("élan", "Größe", "размер", "很大", "大小"),
)
_COMMON = ("the", "a", "phone", "of", "battery", "it", "was", "and", "手机", "电池", "我的", "屏幕", "v2", "😀")


def reviews(truth: Any, seed: int) -> list[str]:
    """Make texts whose words tell the class, in several scripts and cases."""
    rng, said = np.random.default_rng(seed + 300), []
    for code in truth.tolist():
        chosen = [str(rng.choice(_OWN[code] if rng.random() < 0.3 else _COMMON)) for _ in range(rng.integers(3, 12))]  # noqa: PLR2004 shares
        cases = [rng.choice([word, word.upper(), word.capitalize()], p=[0.7, 0.1, 0.2]) for word in chosen]
        said.append(", ".join(str(word) for word in cases) + "!")
    return said


def spoken(truth: Any) -> Any:
    """Return what a row's words are to tell: its class, which of two labels it has, or the quarter in which its number lies."""
    if truth.ndim > 1:
        return truth[:, 0] + 2 * truth[:, 1]
    if truth.dtype.kind == "f":
        return np.searchsorted(np.quantile(truth, [0.25, 0.5, 0.75]), truth)
    return truth


class ReadsText(TaskContract):
    """What a recipe for rows with free text keeps, whatever it tells of them."""

    __test__ = False

    def rows(self, count: int, classes: int, seed: int) -> Table:
        """Make rows with a text beside the other columns."""
        found = super().rows(count, classes, seed)
        text = pl.Series(TEXT, reviews(spoken(found.truth), seed))
        return Table(features=found.features.with_columns(text), truth=found.truth)

    def signature(self, classes: int) -> Signature:
        """Describe them."""
        found = super().signature(classes)
        return replace(found, inputs=(*found.inputs, Column(name=TEXT, type="string", nullable=True)))

    def test_nulls_and_categories_never_seen_are_answered_alike(self, tmp_path: Path) -> None:
        bench = self.bench()
        texts = ODD
        odd = pl.DataFrame(
            {
                "plan": ["never seen", None, "", "basic", "plus", None],
                "monthly charge (€)": [None, 1e9, 0.1, None, 1.0, 2.0],
                "months": [0, 1, 2**31, -5, 3, 4],
                "paperless": [True, False, None, True, None, False],
                TEXT: texts,
            }
        )
        bench.tables = {
            **bench.tables,
            "validation": Table(features=odd, truth=bench.data("train").truth[: len(texts)]),
        }
        _, parity = self.packaged(bench, tmp_path / "package")
        assert parity.passed, parity.sentence()


class TextContract(ReadsText, RecipeContract):
    """What a recipe for classes of rows with free text keeps."""

    __test__ = False
    least_auc: ClassVar[float] = 0.9

    def test_the_text_alone_is_enough(self, tmp_path: Path) -> None:
        bench, recipe = self.bench(classes=4), load_recipe(self.recipe)
        bench.signature = replace(bench.signature, inputs=bench.signature.inputs[-1:])
        bench.tables = {
            part: Table(features=table.features.select(TEXT), truth=table.truth) for part, table in bench.tables.items()
        }
        scores = recipe.evaluate(bench, recipe.fit(bench), bench.data("validation"))
        assert scores["roc_auc"] > self.least_auc
        self.check_package(bench, tmp_path / "package")

    def test_it_tells_the_words_that_speak_for_each_class(self) -> None:
        bench, recipe = self.bench(classes=4), load_recipe(self.recipe)
        told = recipe.terms(bench, recipe.fit(bench))
        for code, name in enumerate(bench.signature.classes):
            best = [one["term"] for one in told[name][:10]]
            assert {word.lower() for word in _OWN[code]} & set(best), (name, best)
            weights = [one["weight"] for one in told[name]]
            assert weights == sorted(weights, reverse=True)
            assert min(weights) > 0
            assert {one["column"] for one in told[name]} == {TEXT}


class TextOfNumbersContract(ReadsText, NumberContract):
    """What a recipe for numbers of rows with free text keeps."""

    __test__ = False
    least_r2: ClassVar[float] = 0.6

    def test_it_tells_the_words_that_raise_and_lower_a_number(self) -> None:
        bench, recipe = self.bench(), load_recipe(self.recipe)
        told = recipe.terms(bench, recipe.fit(bench))
        assert set(told) == {"lower", "higher"}
        for name, own in (("lower", _OWN[0]), ("higher", _OWN[-1])):
            assert {word.lower() for word in own} & {one["term"] for one in told[name][:10]}


class TextOfLabelsContract(ReadsText, LabelContract):
    """What a recipe for several labels of rows with free text keeps."""

    __test__ = False

    def test_it_tells_the_words_that_speak_for_each_label(self) -> None:
        bench, recipe = self.bench(), load_recipe(self.recipe)
        told = recipe.terms(bench, recipe.fit(bench))
        assert list(told) == list(bench.signature.classes)
        best = {one["term"] for one in told[bench.signature.classes[0]][:8]}
        assert {word.lower() for word in _OWN[1] + _OWN[3]} & best


class OneTextContract(RecipeContract):
    """What a recipe for classes of texts in one column alone keeps."""

    __test__ = False
    least_auc: ClassVar[float] = 0.9

    def rows(self, count: int, classes: int, seed: int) -> Table:
        """Make rows with a text and nothing else."""
        truth = rows(count, classes, seed).truth
        return Table(features=pl.DataFrame({TEXT: reviews(truth, seed)}), truth=truth)

    def signature(self, classes: int) -> Signature:
        """Describe them."""
        column = Column(name=TEXT, type="string", nullable=True)
        return Signature(inputs=(column,), outputs=signature(classes).outputs)

    def test_its_package_of_numbers_alone_answers_like_the_model(self, tmp_path: Path) -> None:
        """It refuses numbers, and says what it learns from."""
        bench = self.bench()
        bench.signature = signature(2)
        with pytest.raises(Invalid, match="0 columns of free text and 4 others"):
            load_recipe(self.recipe).fit(bench)

    def test_nulls_and_categories_never_seen_are_answered_alike(self, tmp_path: Path) -> None:
        bench = self.bench()
        odd = [*ODD, "word " * 500, "한국어 \x00\u200b 𠀀𠀁", "a" * 101 + " good"]
        table = Table(features=pl.DataFrame({TEXT: odd}), truth=bench.data("train").truth[: len(odd)])
        bench.tables = {**bench.tables, "validation": table}
        _, parity = self.packaged(bench, tmp_path / "package")
        assert parity.passed, parity.sentence()
