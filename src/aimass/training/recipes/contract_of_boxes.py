# ruff: noqa: D102 the names of the tests are sentences
"""The conformance suite of recipes that find objects in pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl

from aimass.models import Column, Output, Signature, load_model
from aimass.training.measures.objects import OBJECTS, Scenes, things_of
from aimass.training.recipes import load_recipe
from aimass.training.recipes.contract import TaskContract
from aimass.training.recipes.protocol import Table

PICTURE = "picture (图)"
DARK, BAR = 'dark "block"', "横条"


def drawn(count: int, seed: int, *, height: int = 24, width: int = 32, points: bool = False) -> tuple[Any, list[str]]:
    """Draw bright and dark blocks on grey noise, up to three in a picture and none in some; return pictures and what is in them."""
    rng = np.random.default_rng(seed)
    pictures = rng.normal(0.5, 0.05, (count, height, width)).astype(np.float32)
    marks: list[str] = []
    for picture in pictures:
        taken, found = np.zeros((height, width), dtype=bool), []
        for _ in range(int(rng.integers(0, 4))):
            is_bar = bool(rng.random() < 0.5)  # noqa: PLR2004 half of them
            tall, wide = (int(rng.integers(4, 6)), int(rng.integers(10, 15))) if is_bar else (8, 8)
            y, x = int(rng.integers(0, height - tall + 1)), int(rng.integers(0, width - wide + 1))
            if taken[max(y - 2, 0) : y + tall + 2, max(x - 2, 0) : x + wide + 2].any():
                continue
            taken[y : y + tall, x : x + wide] = True
            picture[y : y + tall, x : x + wide] += 0.4 if is_bar else -0.4
            one = {"label": BAR if is_bar else DARK, "x": x, "y": y, "width": wide, "height": tall}
            found.append(one | ({"keypoints": [[x, y], [x + wide, y + tall]]} if points else {}))
        marks.append(json.dumps(found))
    return pictures.reshape(count, -1), marks


class DetectionContract(TaskContract):
    """What a recipe that finds objects keeps."""

    task: ClassVar[str] = "detection"
    classes: ClassVar[int] = 0
    least_ap: ClassVar[float] = 0.5
    points: ClassVar[bool] = False

    def rows(self, count: int, classes: int, seed: int) -> Table:
        """Draw pictures with their objects."""
        del classes
        pictures, marks = drawn(count // 5, seed, points=self.points)
        frame = pl.DataFrame({PICTURE: pl.Series(pictures, dtype=pl.Array(pl.Float32, pictures.shape[1]))})
        return Table(features=frame, truth=Scenes.of(marks))

    def signature(self, classes: int) -> Signature:
        """Describe them."""
        del classes
        column = Column(name=PICTURE, type="float", shape=(-1, 24 * 32))
        return Signature(inputs=(column,), outputs=(Output(name=OBJECTS, type="string", shape=(-1,)),))

    def test_nulls_and_categories_never_seen_are_answered_alike(self, tmp_path: Path) -> None:
        """Pictures have no nulls; those of one colour and of large numbers are the odd ones: what is told of them lies inside."""
        bench = self.bench()
        odd = np.stack([np.zeros(768), np.full(768, 255.0), np.linspace(-9, 9, 768), np.full(768, -1e6)])
        frame = pl.DataFrame({PICTURE: pl.Series(odd.astype(np.float32), dtype=pl.Array(pl.Float32, 768))})
        bench.tables = {**bench.tables, "validation": Table(features=frame, truth=Scenes.of(["[]"] * 4))}
        package, parity = self.packaged(bench, tmp_path / "package")
        assert parity.passed, parity.sentence()
        for answer in load_model(package).predict({PICTURE: odd.tolist()})[OBJECTS]:
            _checked(answer)

    def test_its_package_of_numbers_alone_answers_like_the_model(self, tmp_path: Path) -> None:
        """What it answers is read as JSON: objects inside their pictures, the surest first; a batch is answered like its pictures."""
        bench = self.bench()
        package, parity = self.packaged(bench, tmp_path / "package")
        assert parity.passed, parity.sentence()
        model, pictures = load_model(package), bench.data("validation").features[PICTURE].to_list()[:12]
        together = list(model.predict({PICTURE: pictures})[OBJECTS])
        assert together == [model.predict({PICTURE: [one]})[OBJECTS][0] for one in pictures]
        found = [one for answer in together for one in _checked(answer)]
        assert {one["label"] for one in found} == {DARK, BAR}
        assert all(("keypoints" in one) == self.points for one in found)

    def test_it_finds_objects(self) -> None:
        bench, recipe = self.bench(), load_recipe(self.recipe)
        scores = recipe.evaluate(bench, recipe.fit(bench), bench.data("validation"))
        assert scores["ap"] >= self.least_ap
        assert scores["f1"] > 0.8  # noqa: PLR2004 most of them
        assert ("pck" in scores) == self.points
        assert scores.get("pck", 1.0) > 0.8  # noqa: PLR2004 most of them


def _checked(answer: str) -> list[dict[str, Any]]:
    """Return the objects of an answer, all inside a picture of 32 x 24, the surest first."""
    found: list[dict[str, Any]] = json.loads(answer)
    for one in found:
        assert 0 <= one["x"] < one["x"] + one["width"] <= 32.01  # noqa: PLR2004 the edge, and rounding
        assert 0 <= one["y"] < one["y"] + one["height"] <= 24.01  # noqa: PLR2004 the edge, and rounding
        assert all(0 <= x <= 32 and 0 <= y <= 24 for x, y in one.get("keypoints", []))  # noqa: PLR2004 the edges
    assert [one.score for one in things_of(answer)] == [one["score"] for one in found]
    return found
