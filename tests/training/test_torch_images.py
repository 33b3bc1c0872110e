"""Nets for images: residual ones, numbers from images, and what begins from another net."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import onnx
import onnxruntime
import polars as pl
import pytest
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits

from aimass.kernel.errors import Invalid
from aimass.training.recipes import find_recipe, load_recipe
from aimass.training.recipes.contract import Bench, ImageContract, ImageNumberContract
from aimass.training.recipes.deep import loop
from aimass.training.recipes.protocol import Shrinking, Table
from tests.fixtures.deep import needs_torch

NAME = "image (像素)"
DIGITS: Any = load_digits()
NUMBERS: dict[str, Any] = {"epochs": 5, "filters": 8, "learning_rate": 0.02, "batch_rows": 32, "dropout": 0.0}
THIN = Shrinking(technique="channels", params={"share": 0.5, "epochs": 1})


@needs_torch
class TestTorchResNet(ImageContract):
    __test__ = True
    recipe = "torch_resnet"
    quick: ClassVar = {"epochs": 4, "filters": 8, "stages": 2, "learning_rate": 0.02, "batch_rows": 32}


@needs_torch
class TestTorchResNetOfNumbers(ImageNumberContract):
    __test__ = True
    recipe = "torch_resnet"
    quick: ClassVar = {**NUMBERS, "stages": 2}

    def test_its_channels_are_left_out_and_the_file_answers_in_the_same_unit(self, tmp_path: Path) -> None:
        bench, recipe = self.bench(), load_recipe(self.recipe)
        package, _ = self.packaged(bench, tmp_path / "package")
        smaller = recipe.compress(bench, (package.folder / "model.onnx").read_bytes(), THIN)
        session = onnxruntime.InferenceSession(smaller, providers=["CPUExecutionProvider"])
        table = bench.data("validation")
        said = session.run(None, {NAME: table.features[NAME].to_numpy()})[0]
        assert len(smaller) < package.size
        assert np.abs(said - table.truth).mean() < 50


@needs_torch
class TestTorchCnnOfNumbers(ImageNumberContract):
    __test__ = True
    recipe = "torch_cnn"
    quick: ClassVar = {**NUMBERS, "units": 16}


def pixels(images: np.ndarray) -> pl.DataFrame:
    flat = images.astype(np.float32)
    return pl.DataFrame({NAME: pl.Series(flat, dtype=pl.Array(pl.Float32, flat.shape[1]))})


def of_digits(truth: Any, rows: slice, **changes: Any) -> Bench:
    """Return a bench that learns something of the digits of scikit-learn from some of them, and is judged on the last 500."""
    images = DIGITS.data
    bench = TestTorchResNet().bench(classes=len(np.unique(truth)), **{"shift": 1, "patience": 0, **changes})
    tables = {
        name: Table(features=pixels(images[part]), truth=truth[part].astype(np.int64))
        for name, part in (("train", rows), ("validation", slice(-500, None)))
    }
    bench.tables = {**bench.tables, **tables}
    return bench


@pytest.fixture(scope="module")
def base() -> bytes:
    """Return the graph of a net that tells ten digits apart."""
    recipe, bench = load_recipe("torch_resnet"), of_digits(DIGITS.target, slice(1000), epochs=12)
    return recipe.package(bench, recipe.fit(bench)).to_onnx()


def started(file: bytes, **changes: Any) -> Bench:
    """Return a bench whose few rows say whether a digit has a loop."""
    bench = of_digits(np.isin(DIGITS.target, (0, 6, 8, 9)), slice(1000, 1030), base="digits@1", **changes)
    bench.base = file
    return bench


def convolutions(file: bytes) -> list[bytes]:
    graph = onnx.load_from_string(file).graph
    known = {one.name: one for one in graph.initializer}
    return [b"".join(known[name].raw_data for name in node.input[1:]) for node in graph.node if node.op_type == "Conv"]


@needs_torch
@pytest.mark.parametrize(
    ("changes", "same"),
    [({}, 0), ({"tuning": "frozen"}, 6), ({"tuning": "frozen", "frozen_blocks": 1}, 3)],
    ids=["full", "all frozen", "the first block frozen"],
)
def test_what_is_frozen_stays_equal_to_the_bit_and_the_rest_learns_on(
    base: bytes, changes: dict[str, Any], same: int, tmp_path: Path
) -> None:
    package, parity = TestTorchResNet().packaged(started(base, epochs=2, **changes), tmp_path / "package")
    assert parity.passed, parity.sentence()
    pairs = list(zip(convolutions(base), convolutions((package.folder / "model.onnx").read_bytes()), strict=True))
    assert [before == after for before, after in pairs] == [True] * same + [False] * (6 - same)


@needs_torch
def test_what_was_learned_before_helps_where_images_are_few(base: bytes) -> None:
    recipe, scores = load_recipe("torch_resnet"), dict[str, float]()
    for name, file in (("begun", None), ("started", base)):
        bench = started(base, epochs=12, batch_rows=10)
        if file is None:
            bench.base, bench.params = None, bench.params.model_copy(update={"base": None})
        scores[name] = recipe.evaluate(bench, recipe.fit(bench), bench.data("validation"))["roc_auc"]
    assert scores["started"] > scores["begun"] + 0.05, scores


@needs_torch
def test_a_net_of_another_recipe_is_a_base_too_and_a_run_that_was_killed_goes_on_from_it(
    base: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "SAVED_EVERY_S", 0.0)
    recipe = load_recipe("torch_cnn")
    params = {"base": "digits@1", "epochs": 3, "tuning": "frozen", "frozen_blocks": 1, "shift": 1}
    whole, killed = started(base), started(base)
    kept, keep = list[bytes](), Bench.save

    def save(self: Bench, state: bytes, name: str = "recipe") -> None:
        keep(self, state, name)
        kept.append(state)

    monkeypatch.setattr(Bench, "save", save)
    for bench in (whole, killed):
        bench.params = find_recipe("torch_cnn").parameters(**params)
    said = recipe.predict(whole, recipe.fit(whole), whole.data("validation").features)
    killed.saved[next(iter(whole.saved))] = kept[len(kept) // 2]
    again = recipe.predict(killed, recipe.fit(killed), killed.data("validation").features)
    assert np.array_equal(said, again)


@needs_torch
def test_other_sizes_channels_and_models_are_no_base(base: bytes) -> None:
    recipe = load_recipe("torch_resnet")
    with pytest.raises(Invalid, match="reads images of 8 x 8 with 1 channels") as refused:
        recipe.fit(started(base, channels=4))
    assert (refused.value.field, refused.value.allowed) == ("params.channels", 1)
    with pytest.raises(Invalid, match="has 2 blocks"):
        recipe.fit(started(base, tuning="frozen", frozen_blocks=3))
    larger = TestTorchResNet()
    larger.side = 16  # pyright: ignore[reportAttributeAccessIssue]
    bench = larger.bench(base="digits@1")
    bench.base = base
    with pytest.raises(Invalid, match="the lists hold 256 numbers"):
        recipe.fit(bench)
    bench.base = None
    with pytest.raises(Invalid, match="the model to start from is not there"):
        recipe.fit(bench)
    with pytest.raises(Invalid, match="'frozen' wants a base"):
        find_recipe("torch_resnet").check({"tuning": "frozen"})
    for nodes in ([("Relu", ["x"], "y")], [("Gemm", ["x", "w"], "y")]):
        made = [helper.make_node(kind, given, [out]) for kind, given, out in nodes]
        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 64]) for name in ("x", "y")]
        weights = [numpy_helper.from_array(np.eye(64, dtype=np.float32), "w")]
        odd = started(base)
        odd.base = helper.make_model(helper.make_graph(made, "g", ends[:1], ends[1:], weights)).SerializeToString()
        with pytest.raises(Invalid, match="is no net for images"):
            recipe.fit(odd)


@needs_torch
def test_a_large_stem_halves_twice_and_too_many_stages_are_refused(tmp_path: Path) -> None:
    suite = TestTorchResNet()
    suite.side = 32  # pyright: ignore[reportAttributeAccessIssue]
    bench = suite.bench(stem="large", stages=4, depth=2, filters=4, epochs=1)
    suite.check_package(bench, tmp_path / "package")
    with pytest.raises(Invalid, match="32 x 32 is too small for 5 stages behind a large stem") as refused:
        load_recipe("torch_resnet").fit(suite.bench(stem="large", stages=5))
    assert refused.value.allowed == "1 to 4"


@needs_torch
def test_channels_of_a_residual_net_are_left_out_and_it_learns_again(base: bytes) -> None:
    bench = of_digits(DIGITS.target, slice(300))
    smaller = load_recipe("torch_resnet").compress(bench, base, THIN)
    assert len(smaller) < 0.5 * len(base)
