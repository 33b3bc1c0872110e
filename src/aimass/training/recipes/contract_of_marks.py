# ruff: noqa: D102 the names of the tests are sentences
"""The conformance suite of recipes that find entities in texts."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl

from aimass.models import Column, Output, Signature, load_model
from aimass.training.measures.spans import ENTITIES, Sentences, entities_of
from aimass.training.recipes import load_recipe
from aimass.training.recipes.contract import TaskContract
from aimass.training.recipes.protocol import Table

TEXT = "message (信)"
_PLACES = ("Oslo", "New Haven", "São Tomé", "北京", "Kiel Nord", "Graz", "Rome", "Turin")
_THINGS = ("red lamp", "desk", "X200 drill", "blue chair", "saw", '5" pipe')
_FORMS = (
    "Please send one {thing} to {place}!",
    'From {place} we hear: "no {thing} in {place}".',
    "Nothing came at all.",
    "We sold {thing}, {thing}\nand a {thing} in {place}, as ever.",
    "在{place}卖了{thing}。",
    "The {thing} of May is late, 3 days.",
)


def marked(count: int, seed: int) -> tuple[list[str], list[str]]:
    """Make texts in two scripts, and what stands where in them."""
    rng = np.random.default_rng(seed)
    texts: list[str] = []
    marks: list[str] = []
    for _ in range(count):
        text, found = "", []
        for part in str(rng.choice(_FORMS)).split("{"):
            name, closed, rest = part.partition("}")
            if closed:
                said = str(rng.choice(_PLACES if name == "place" else _THINGS))
                found.append({"type": name, "start": len(text), "end": len(text) + len(said)})
                text += said + rest
            else:
                text += part
        texts.append(text)
        marks.append(json.dumps(found))
    return texts, marks


class TaggingContract(TaskContract):
    """What a recipe that finds entities keeps."""

    task: ClassVar[str] = "tagging"
    classes: ClassVar[int] = 0
    least_f1: ClassVar[float] = 0.95

    def rows(self, count: int, classes: int, seed: int) -> Table:
        """Make texts with their entities."""
        del classes
        texts, marks = marked(count // 2, seed)
        return Table(features=pl.DataFrame({TEXT: texts}), truth=Sentences.of(texts, marks))

    def signature(self, classes: int) -> Signature:
        """Describe them."""
        del classes
        column = Column(name=TEXT, type="string", nullable=True)
        return Signature(inputs=(column,), outputs=(Output(name=ENTITIES, type="string", shape=(-1,)),))

    def test_its_package_of_numbers_alone_answers_like_the_model(self, tmp_path: Path) -> None:
        """There are no numbers: what it answers is read as JSON, and says what stands where it says."""
        bench = self.bench()
        package, _ = self.packaged(bench, tmp_path / "package")
        texts = bench.data("validation").features[TEXT].to_list()
        answers = load_model(package).predict({TEXT: texts})[ENTITIES]
        found = [one for text, answer in zip(texts, answers, strict=True) for one in _checked(text, answer)]
        assert {one["type"] for one in found} == {"place", "thing"}
        assert all(0 < one["score"] <= 1 for one in found)

    def test_nulls_and_categories_never_seen_are_answered_alike(self, tmp_path: Path) -> None:
        """Texts that nobody wrote in training: none, white space, signs that JSON escapes, other scripts, long ones."""
        bench = self.bench()
        odd = [
            None, "", " \n\t", "!!!", "Rome", 'to "Rome\\" \t Rome\n', "北京北京 Größe ΣΙΓΜΑ ǅ ²³ Ⅷ", "\x00 Rome\x01\x1f to \x7f\u2028 Oslo",
            "x" * 3000, "Oslo " * 400, "😀 to 👩\u200d🔧 Rome", "e\u0301lan in Sa\u0303o Tome\u0301",
        ]  # fmt: skip
        truth = Sentences.of(odd, ["[]"] * len(odd))
        bench.tables = {**bench.tables, "validation": Table(features=pl.DataFrame({TEXT: odd}), truth=truth)}
        package, parity = self.packaged(bench, tmp_path / "package")
        assert parity.passed, parity.sentence()
        for text, answer in zip(odd, load_model(package).predict({TEXT: odd})[ENTITIES], strict=True):
            _checked(text or "", answer)

    def test_it_finds_entities(self) -> None:
        bench, recipe = self.bench(), load_recipe(self.recipe)
        scores = recipe.evaluate(bench, recipe.fit(bench), bench.data("validation"))
        assert scores["f1"] >= self.least_f1
        assert scores["token_accuracy"] >= self.least_f1

    def test_a_batch_is_answered_like_its_texts_one_by_one(self, tmp_path: Path) -> None:
        bench = self.bench()
        package, _ = self.packaged(bench, tmp_path / "package")
        model, texts = load_model(package), bench.data("validation").features[TEXT].to_list()[:20]
        alone = [model.predict({TEXT: [text]})[ENTITIES][0] for text in texts]
        assert model.predict({TEXT: texts})[ENTITIES].tolist() == alone


def _checked(text: str, answer: str) -> list[dict[str, Any]]:
    """Return the entities of an answer, which follow each other and say what stands there."""
    found = json.loads(answer)
    places = entities_of(answer)
    assert all(one.end <= other.start for one, other in pairwise(places))
    assert all(one["text"] == text[one["start"] : one["end"]] for one in found)
    return found
