# ruff: noqa: D102 the names of the tests are sentences
"""The conformance suites of recipes that read one text and answer with one: language models and summaries."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl

from aimass.models import Column, Output, Signature, language_outputs, load_model
from aimass.training.measures.language import Passages
from aimass.training.measures.summaries import References
from aimass.training.recipes import load_recipe
from aimass.training.recipes.contract import TaskContract
from aimass.training.recipes.protocol import Table

TEXT = "message (信)"
ODD = [
    None, "", " \n\t", "!!!", "北京。今天下雨！", "\x00 and\x01\x1f \x7f\u2028 so", "x" * 3000, "so it is. " * 300, "😀 to 👩\u200d🔧",
    "e\u0301lan in Sa\u0303o Tome\u0301", "half a sign: \ud800", "Dr. No paid 3.5. Why?",
]  # fmt: skip
_WHO = ("the lamp", "a drill", "the desk", "our saw", "that chair", "the pipe")
_WHERE = ("Oslo", "New Haven", "北京", "Graz", "São Tomé")
_FILL = ("It rained.", "Nobody minded.", "The day went by.", "Somebody sang a song.", "We had tea.", "他们喝了茶。")


def told(count: int, seed: int) -> tuple[list[str], list[str]]:
    """Make texts in two scripts, and a summary of each: the sentences that tell what was sold, which never come first."""
    rng = np.random.default_rng(seed)
    texts: list[str] = []
    summaries: list[str] = []
    for _ in range(count):
        who, where = str(rng.choice(_WHO)), str(rng.choice(_WHERE))
        news = f"In {where} {who} was sold for {rng.integers(2, 90)} pounds."
        rest = [str(one) for one in rng.choice(_FILL, 5)]
        rest.insert(int(rng.integers(2, 6)), news)
        texts.append(" ".join(rest))
        summaries.append(f"{who} was sold in {where}.")
    return texts, summaries


class TextContract(TaskContract, ABC):
    """What recipes of both tasks keep."""

    __test__ = False
    classes: ClassVar[int] = 0
    outputs: ClassVar[tuple[Output, ...]]

    @abstractmethod
    def truth(self, texts: Any, summaries: Any) -> Any:
        """Return what stands where other tasks have the truth."""

    def rows(self, count: int, classes: int, seed: int) -> Table:
        """Make texts."""
        del classes
        texts, summaries = told(count // 3, seed)
        return Table(features=pl.DataFrame({TEXT: texts}), truth=self.truth(texts, summaries))

    def signature(self, classes: int) -> Signature:
        """Describe them."""
        del classes
        return Signature(inputs=(Column(name=TEXT, type="string", nullable=True),), outputs=self.outputs)

    def check_package(self, bench: Any, folder: Path) -> None:
        """Package and compare."""
        package, parity = self.packaged(bench, folder)
        assert parity.passed, parity.sentence()
        assert package.manifest.runtime == self.runtime

    def test_its_package_of_numbers_alone_answers_like_the_model(self, tmp_path: Path) -> None:
        """There are no numbers: a batch is answered like its texts one by one."""
        bench = self.bench()
        package, _ = self.packaged(bench, tmp_path / "package")
        model, texts = load_model(package), bench.data("validation").features[TEXT].to_list()[:12]
        whole = model.predict({TEXT: texts})
        for at, text in enumerate(texts):
            for name, values in model.predict({TEXT: [text]}).items():
                assert np.asarray(values[0] == whole[name][at]).all()

    def test_nulls_and_categories_never_seen_are_answered_alike(self, tmp_path: Path) -> None:
        """Texts that nobody wrote in training: none, white space, signs of other scripts, half a sign, long ones."""
        bench = self.bench()
        table = Table(features=pl.DataFrame({TEXT: ODD[:-2]}), truth=self.truth(ODD[:-2], ["so"] * len(ODD[:-2])))
        bench.tables = {**bench.tables, "validation": table}
        package, parity = self.packaged(bench, tmp_path / "package")
        assert parity.passed, parity.sentence()
        assert len(next(iter(load_model(package).predict({TEXT: ODD}).values()))) == len(ODD)


class LanguageContract(TextContract):
    """What a language model keeps."""

    __test__ = False
    task: ClassVar[str] = "language"
    runtime: ClassVar[str] = "language"
    outputs: ClassVar = language_outputs(1)
    most_bits: ClassVar[float] = 1.5

    def truth(self, texts: Any, summaries: Any) -> Passages:
        """Return the texts."""
        del summaries
        return Passages.of(texts)

    def test_it_knows_texts_like_those_it_learned(self) -> None:
        bench, recipe = self.bench(), load_recipe(self.recipe)
        scores = recipe.evaluate(bench, recipe.fit(bench), bench.data("validation"))
        assert scores["bits_per_byte"] < self.most_bits
        assert scores["gain"] > 0.5  # noqa: PLR2004 half of what the frequencies of bytes need

    def test_its_chunks_go_on_with_each_text_and_a_seed_repeats_them(self, tmp_path: Path) -> None:
        package, _ = self.packaged(self.bench(), tmp_path / "package")
        model: Any = load_model(package)
        said = [list(model.predict_stream({TEXT: ["In ", "北"]}, {"seed": 7, "max_tokens": 12})) for _ in range(2)]
        assert [one["text_output"] for one in said[0]] == [one["text_output"] for one in said[1]]
        assert 1 < len(said[0]) <= 13  # noqa: PLR2004 the first, and a chunk for each piece
        assert said[0][0]["embedding"].shape == (2, said[0][1]["embedding"].shape[1])
        assert len(said[0][1]["bits"]) == 0  # told once
        assert all("".join(chunk["text_output"][row] for chunk in said[0]) for row in range(2))

    def test_vectors_of_texts_alike_are_near(self, tmp_path: Path) -> None:
        package, _ = self.packaged(self.bench(), tmp_path / "package")
        texts = [
            "In Oslo a drill was sold for 9 pounds.",
            "In Oslo the drill was sold for 8 pounds.",
            "他们喝了茶。他们喝了茶。",
            "",
        ]
        vectors = load_model(package).predict({TEXT: texts})["embedding"]
        assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
        assert np.allclose(np.linalg.norm(vectors, axis=1), [1, 1, 1, 0], atol=1e-5)


class SummaryContract(TextContract):
    """What a recipe of summaries keeps."""

    __test__ = False
    task: ClassVar[str] = "summary"
    runtime: ClassVar[str] = "sentences"
    outputs: ClassVar = (Output(name="summary", type="string", shape=(-1,)),)

    def truth(self, texts: Any, summaries: Any) -> References:
        """Return texts with their summaries."""
        return References.of(texts, summaries)

    def test_it_finds_what_is_told_better_than_the_first_sentences(self) -> None:
        bench, recipe = self.bench(sentences=1), load_recipe(self.recipe)
        scores = recipe.evaluate(bench, recipe.fit(bench), bench.data("validation"))
        assert scores["over_lead"] > 0.3  # noqa: PLR2004 what is told never comes first
        assert scores["over_draw"] > 0.2  # noqa: PLR2004 and seldom in a draw
