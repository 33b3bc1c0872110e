"""The recipes of torch keep what every recipe keeps; and what is their own."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pytest

from aimass.kernel.errors import Invalid, MissingExtra
from aimass.models import Column
from aimass.training import CreateStudy, StartRun, Training
from aimass.training import recipes as recipes_module
from aimass.training.domain.autos import Constraints
from aimass.training.recipes import find_recipe, load_recipe
from aimass.training.recipes.contract import Bench, ImageContract, NumberContract, RecipeContract
from aimass.training.recipes.deep.engine import torch
from aimass.training.recipes.deep.images import augment_of, shape_of
from aimass.training.recipes.protocol import Table
from aimass.training.selecting import Facts, recommend
from aimass.training.tasks import TASKS
from tests.fixtures.deep import needs_torch
from tests.training.place import ANN

FEW: dict[str, Any] = {"epochs": 12, "units": 16, "batch_rows": 32, "learning_rate": 0.02}


@needs_torch
class TestTorchMlp(RecipeContract):
    __test__ = True
    recipe = "torch_mlp"
    quick: ClassVar = FEW


@needs_torch
class TestTorchMlpOfNumbers(NumberContract):
    __test__ = True
    recipe = "torch_mlp"
    quick: ClassVar = {**FEW, "batch_norm": False, "layers": 1, "class_weight": "balanced"}


@needs_torch
class TestTorchCnn(ImageContract):
    __test__ = True
    recipe = "torch_cnn"
    quick: ClassVar = {"epochs": 4, "filters": 4, "units": 16}


@needs_torch
class TestTorchCnnWithResidualBlocks(ImageContract):
    __test__ = True
    recipe = "torch_cnn"
    side = 16
    quick: ClassVar = {
        "epochs": 3, "filters": 4, "units": 0, "residual": True, "shift": 1, "noise": 0.1, "patience": 0,
        "label_smoothing": 0.1, "class_weight": "balanced", "batch_norm": False,
    }  # fmt: skip
    least_auc = 0.7


@needs_torch
def test_many_positions_are_averaged_and_planes_are_read_as_planes(tmp_path: Path) -> None:
    suite = TestTorchCnn()
    suite.side = 18  # 9 x 9 positions lie behind one block  # pyright: ignore[reportAttributeAccessIssue]
    bench = suite.bench(blocks=1, flip=True, residual=True, order="planes", epochs=1)
    suite.check_package(bench, tmp_path / "package")


def named(**given: Any) -> Any:
    return SimpleNamespace(**{"height": None, "width": None, "channels": None, "order": "pixels", **given})


@pytest.mark.parametrize(
    ("length", "given", "found"),
    [
        (784, {}, (28, 28, 1)),
        (3072, {}, (32, 32, 3)),
        (1024, {"channels": 4}, (16, 16, 4)),
        (600, {"height": 20}, (20, 30, 1)),
        (600, {"width": 20, "channels": 3}, (10, 20, 3)),
        (600, {"height": 10, "width": 12}, (10, 12, 5)),
    ],
)
def test_the_shape_of_images_follows_from_their_numbers(length: int, given: Any, found: Any) -> None:
    shape = shape_of(length, named(**given))
    assert (shape.height, shape.width, shape.channels) == found


@pytest.mark.parametrize(("length", "given"), [(60, {}), (784, {"height": 10}), (784, {"channels": 3})])
def test_numbers_that_are_no_image_are_refused_with_what_to_name(length: int, given: Any) -> None:
    with pytest.raises(Invalid, match=f"{length} numbers are no image") as refused:
        shape_of(length, named(**given))
    assert "name height, width and channels" in refused.value.hint


def test_numbers_of_a_pixel_or_whole_planes_become_the_same_image() -> None:
    planes = np.arange(12.0).reshape(1, 3, 2, 2)
    by_pixel = planes.transpose(0, 2, 3, 1).reshape(1, -1)
    assert np.array_equal(shape_of(12, named()).planes(by_pixel), planes)
    assert np.array_equal(shape_of(12, named(order="planes")).planes(planes.reshape(1, -1)), planes)


def test_without_torch_a_recipe_of_it_is_refused_with_the_command_and_read_all_the_same() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from aimass.training.recipes import find_recipe, load_recipe\n"
        "from aimass.kernel.errors import MissingExtra\n"
        "print(find_recipe('torch_cnn').schema()['title'])\n"
        "for ask in (lambda: load_recipe('torch_mlp'), lambda: __import__('aimass.training.recipes.deep.engine', fromlist='x').torch.nn):\n"
        "    try: ask()\n"
        "    except MissingExtra as reason: print(reason.hint)\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.splitlines() == ["Parameters", "pip install 'aimass[deep]'", "pip install 'aimass[deep]'"]


def test_a_run_a_study_and_the_selector_refuse_a_recipe_whose_library_is_missing(
    training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipes_module, "is_installed", lambda library: library != "torch")
    for ask in (
        lambda: training.start_run(ANN, StartRun(workspace="demo", recipe="torch_mlp", split="any")),
        lambda: training.create_study(ANN, CreateStudy(workspace="demo", name="s", recipe="torch_cnn", split="any")),
    ):
        with pytest.raises(MissingExtra) as refused:
            ask()
        assert (refused.value.status, refused.value.hint) == (501, "pip install 'aimass[deep]'")
    assert _left_out("torch_mlp") == "its library is not installed: pip install 'aimass[deep]'"


def test_the_selector_leaves_a_recipe_of_images_to_whoever_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipes_module, "is_installed", lambda _: True)
    assert _left_out("torch_cnn") == "it learns from one column of lists, such as images"
    assert _left_out("torch_mlp") is None


def test_the_selector_puts_a_recipe_of_images_first_where_the_one_column_looks_like_images(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recipes_module, "is_installed", lambda _: True)
    manifests = [find_recipe(name) for name in ("torch_cnn", "lightgbm", "logistic_regression")]
    facts = Facts(rows=8000, columns=1, lists={"pixels": 3072})
    first, *others = recommend(manifests, TASKS["classification"], facts, Constraints(), [])
    assert (first.recipe, first.left_out) == ("torch_cnn", None)
    assert "the lists in 'pixels' are as long as images of 32 x 32" in first.reasons
    assert all(any("one by one" in reason for reason in one.reasons) for one in others)
    for lists, columns in (({"pixels": 784}, 2), ({"e": 301}, 1), ({"a": 784, "b": 784}, 2), ({"tiny": 16}, 1)):
        assert Facts(rows=8000, columns=columns, lists=lists).image is None


def _left_out(name: str) -> str | None:
    facts = Facts(rows=20_000, columns=20)
    (found,) = recommend([find_recipe(name)], TASKS["classification"], facts, Constraints(), [])
    return found.left_out


@needs_torch
def test_images_beside_other_columns_and_more_blocks_than_fit_are_refused() -> None:
    recipe = load_recipe("torch_cnn")
    bench = TestTorchCnn().bench(blocks=4)
    with pytest.raises(Invalid, match="8 x 8 can be halved 3 times") as refused:
        recipe.fit(bench)
    assert refused.value.allowed == "1 to 3"
    beside = TestTorchCnn().bench()
    more = (*beside.signature.inputs, Column(name="age", type="float"))
    beside.signature = type(beside.signature)(inputs=more, outputs=beside.signature.outputs)
    with pytest.raises(Invalid, match="1 columns of lists and 1 others"):
        recipe.fit(beside)


@needs_torch
def test_what_is_done_to_images_while_learning_moves_and_mirrors_them() -> None:
    image = torch.arange(16.0).reshape(1, 1, 4, 4).repeat(64, 1, 1, 1)
    torch.manual_seed(0)
    wishes: tuple[dict[str, Any], ...] = ({"shift": 1}, {"flip": True}, {"noise": 0.5})
    made: list[Any] = [
        augment_of(SimpleNamespace(**{"shift": 0, "flip": False, "noise": 0.0, **one})) for one in wishes
    ]
    move, mirror, blur = made
    moved, mirrored, blurred = move(image), mirror(image), blur(image)
    assert {tuple(one.flatten().tolist()) for one in mirrored} == {
        tuple(image[0].flatten().tolist()),
        tuple(image[0].flip(2).flatten().tolist()),
    }
    kinds = {tuple(one.flatten().tolist()) for one in moved}
    assert len(kinds) == 9
    assert tuple(image[0].flatten().tolist()) in kinds
    assert 0.3 < float((blurred - image).std()) < 0.7
    assert augment_of(SimpleNamespace(shift=0, flip=False, noise=0.0)) is None


@needs_torch
def test_rare_classes_weigh_more_where_it_is_wished_for() -> None:
    chance = np.random.default_rng(0)
    truth = (chance.random(600) < 0.08).astype(np.int64)
    frame = pl.DataFrame({"x": chance.normal(size=600) + truth, "y": chance.normal(size=600)})
    recipe, shares = load_recipe("torch_mlp"), []
    for wish in ("none", "balanced"):
        bench = TestTorchMlp().bench(class_weight=wish)
        inputs = (Column(name="x", type="float"), Column(name="y", type="float"))
        bench.signature = type(bench.signature)(inputs=inputs, outputs=bench.signature.outputs)
        bench.tables = {"train": Table(features=frame, truth=truth)}
        shares.append(recipe.predict(bench, recipe.fit(bench), frame)[:, 1].mean())
    assert shares[1] > 2 * shares[0]


@needs_torch
def test_it_stops_where_held_out_rows_stop_to_improve_and_answers_with_the_best_weights() -> None:
    bench: Bench = TestTorchMlp().bench(epochs=400, patience=3, learning_rate=0.05)
    load_recipe("torch_mlp").fit(bench)
    assert 4 <= len(bench.reports) < 400


def test_torch_is_an_extra_that_no_lock_installs() -> None:
    root = Path(__file__).parents[2]
    extras = tomllib.loads((root / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    locked = re.search(r"^EXTRAS := ([a-z0-9 ]+?) *#", (root / "Makefile").read_text(), re.MULTILINE)
    assert locked is not None
    assert set(locked[1].split()) == set(extras) - {"deep"}
    assert not re.search(r"^torch==", (root / "requirements.lock").read_text(), re.MULTILINE)
