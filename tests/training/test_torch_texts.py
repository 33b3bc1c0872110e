"""The transformer of texts keeps what every recipe keeps; and its graph cuts texts as the libraries of others do."""

from __future__ import annotations

import io
import random
import unicodedata
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from aimass.kernel.errors import Invalid
from aimass.training.recipes import find_recipe, load_recipe
from aimass.training.recipes.deep import loop
from aimass.training.recipes.deep.encodergraph import net_of
from aimass.training.recipes.deep.engine import torch
from aimass.training.recipes.deep.piecegraph import add_pieces
from aimass.training.recipes.deep.pieces import SPECIAL, Pieces, Rules, found_in
from aimass.training.recipes.graphparts import Parts
from aimass.training.recipes.protocol import Table
from aimass.training.recipes.text_linear.contract import OneTextContract
from tests.fixtures.deep import needs_torch

FEW: dict[str, Any] = {"epochs": 5, "width": 16, "layers": 1, "vocabulary": 200, "length": 32, "learning_rate": 0.01}
TEXTS = (
    "The café's naïve résumé costs 12.50€!", "北京 and 東京 are cities…", "ΣΊΣΥΦΟΣ große Straße", "한국어 텍스트",
    "ß İstanbul \x00 \u200b x\u00a0y\tz", "a" * 100 + " " + "a" * 101 + " b", "", "unbelievable unknowns",
)  # fmt: skip


@needs_torch
class TestTorchTransformer(OneTextContract):
    __test__ = True
    recipe = "torch_transformer"
    quick: ClassVar = FEW


@needs_torch
class TestTorchTransformerOfCasesAndBeginnings(OneTextContract):
    __test__ = True
    recipe = "torch_transformer"
    quick: ClassVar = {
        **FEW, "folds_case": False, "pooling": "first", "masking": 0.1, "class_weight": "balanced", "clip": 0.0,
        "label_smoothing": 0.1, "warm_up": 0.0, "patience": 0,
    }  # fmt: skip
    least_auc = 0.8


def strings(count: int) -> list[str]:
    """Return texts of all sorts of characters."""
    chance = random.Random(3)
    known = [chr(code) for code in range(0x20000) if unicodedata.category(chr(code)) not in ("Cn", "Cs")]
    pools = (known, "abc lowé 한. ", *TEXTS[:-2])
    return [*TEXTS, *("".join(chance.choice(chance.choice(pools)) for _ in range(40)) for _ in range(count))]


def session_of(pieces: Pieces, most: int) -> onnxruntime.InferenceSession:
    parts = Parts("text/")
    numbers = add_pieces(parts, "given", pieces, most)
    given = helper.make_tensor_value_info("given", TensorProto.STRING, [1])
    told = helper.make_tensor_value_info(numbers, TensorProto.INT64, [None])
    graph = helper.make_graph(parts.nodes, "pieces", [given], [told], parts.tensors)
    opsets = [helper.make_opsetid(name, of) for name, of in {"": 20, "ai.onnx.ml": 3, "com.microsoft": 1}.items()]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    return onnxruntime.InferenceSession(made.SerializeToString())


@pytest.mark.parametrize(
    "rules", [Rules(), Rules(folds=False, strips=False, signs=False)], ids=["folded", "as written"]
)
def test_a_graph_cuts_every_text_as_python_does(rules: Rules) -> None:
    pieces = found_in(TEXTS * 2, rules, 300)
    session = session_of(pieces, 32)
    for text in strings(400):
        found = session.run(None, {"given": np.array([text], dtype=object)})[0]
        assert np.asarray(found).tolist() == pieces.encode(text, 32), text


def test_pieces_are_found_again_in_the_same_texts_and_rare_words_are_spelled() -> None:
    texts = ["low lower lowest", "new newer newest"] * 3
    pieces = found_in(texts, Rules(), 40)
    assert pieces.names == found_in(texts, Rules(), 40).names
    assert pieces.names[: len(SPECIAL)] == SPECIAL
    spelled = [pieces.names[code] for code in pieces.encode("nowest", 10)]
    assert "".join(spelled[1:-1]).replace("##", "") == "nowest"
    assert pieces.encode("low xylophone", 10)[1:-1] == [pieces.number("low"), pieces.number("[UNK]")]


@pytest.mark.skipif(  # nothing of AI Mass needs it: it is a reference alone
    find_spec("tokenizers") is None, reason="TOKENIZERS IS NOT INSTALLED, SO NOTHING WAS COMPARED WITH IT"
)
@pytest.mark.parametrize("folds", [True, False])
def test_texts_are_cut_as_by_the_library_of_hugging_face(*, folds: bool) -> None:
    library: Any = import_module("tokenizers")  # absent as a rule
    pieces = found_in(TEXTS * 2, Rules(folds=folds, strips=folds), 300)
    numbers = {name: number for number, name in enumerate(pieces.names)}
    theirs = library.Tokenizer(library.models.WordPiece(numbers, unk_token="[UNK]", max_input_chars_per_word=100))
    theirs.normalizer = library.normalizers.BertNormalizer(lowercase=folds, strip_accents=folds)
    theirs.pre_tokenizer = library.pre_tokenizers.BertPreTokenizer()
    theirs.post_processor = library.processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    texts = strings(1000)
    differ = [text for text in texts if theirs.encode(text).ids != pieces.encode(text, 10_000)]
    assert len(differ) < 30, differ[:3]  # the two know different versions of Unicode: punctuation of rare scripts
    assert not set(differ) & set(TEXTS)


def begun(**changes: Any) -> tuple[Any, Any]:
    """Return a bench of a recipe that has learned four classes, and the graph of what it learned."""
    suite = TestTorchTransformer()
    bench, recipe = suite.bench(classes=4), load_recipe("torch_transformer")
    file = recipe.package(bench, recipe.fit(bench)).to_onnx()
    more = suite.bench(base="words@1", **{"learning_rate": None, "epochs": 2, **changes})
    more.base = file
    return more, file


@needs_torch
@pytest.mark.parametrize(
    ("changes", "moves"),
    [
        ({"tuning": "full"}, {"words", "norm", "query", "value", "inner", "last", "head"}),
        ({"tuning": "lora", "rank": 2}, {"query", "value", "head"}),
        ({"tuning": "frozen"}, {"head"}),
        ({"tuning": "frozen", "frozen_layers": 1}, {"head"}),
    ],
    ids=["full", "lora", "all frozen", "the first layer frozen"],
)
def test_what_learns_on_is_what_was_wished_for_and_the_rest_stays_equal_to_the_bit(
    changes: dict[str, Any], moves: set[str], tmp_path: Path
) -> None:
    bench, file = begun(**changes)
    package, parity = TestTorchTransformer().packaged(bench, tmp_path / "package")
    assert parity.passed, parity.sentence()
    before, after = net_of(file), net_of((package.folder / "model.onnx").read_bytes())
    assert (after.pieces, after.shape) == (before.pieces, before.shape)
    moved = {name for name, value in after.weights.items() if not np.array_equal(value, before.weights[name])}
    assert {name.split(".")[-2] for name in moved} >= moves
    if changes["tuning"] == "lora":
        assert {name for name in moved if not name.startswith("head")} == {
            "layers.0.query.weight",
            "layers.0.value.weight",
        }
    elif changes["tuning"] == "frozen":
        assert moved == {"head.weight", "head.bias"}


@needs_torch
def test_what_was_learned_before_helps_where_rows_are_few() -> None:
    bench, _ = begun(tuning="frozen", epochs=8, learning_rate=0.02, patience=0)
    anew = TestTorchTransformer().bench(epochs=8, patience=0)
    recipe, scores = load_recipe("torch_transformer"), []
    for one in (bench, anew):
        train = one.data("train")
        few = Table(features=train.features[:60], truth=train.truth[:60])
        one.tables = {**one.tables, "train": few}
        scores.append(recipe.evaluate(one, recipe.fit(one), one.data("validation"))["roc_auc"])
    assert scores[0] > scores[1] + 0.05


@needs_torch
def test_a_graph_without_a_transformer_is_no_base_and_frozen_weights_want_one() -> None:
    bench, _ = begun()
    recipe = load_recipe("torch_transformer")
    parts = Parts()
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None])
    parts.node("Relu", ["x"], "y")
    graph = helper.make_graph(
        parts.nodes, "g", [given], [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None])]
    )
    bench.base = helper.make_model(graph).SerializeToString()
    with pytest.raises(Invalid, match="holds no transformer of texts"):
        recipe.fit(bench)
    bench.base = None
    with pytest.raises(Invalid, match="the model to start from is not there"):
        recipe.fit(bench)
    with pytest.raises(Invalid, match="'lora' wants a base"):
        find_recipe("torch_transformer").check({"tuning": "lora"})
    with pytest.raises(Invalid, match="3 heads cannot share a width of 64"):
        find_recipe("torch_transformer").check({"heads": 3})


@needs_torch
@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_a_fit_that_ended_within_an_epoch_goes_on_there_and_ends_with_the_same_weights(
    monkeypatch: pytest.MonkeyPatch, tuning: str
) -> None:
    monkeypatch.setattr(loop, "SAVED_EVERY_S", 0.0)
    bench, _ = begun(tuning=tuning, epochs=3, masking=0.1)
    undisturbed, recipe = begun(tuning=tuning, epochs=3, masking=0.1)[0], load_recipe("torch_transformer")
    keep, kept = bench.save, list[bytes]()

    def save(state: bytes, name: str = "recipe") -> None:
        keep(state, name)
        kept.append(state)
        if len(kept) == 25:  # in the second epoch of seventeen steps
            raise InterruptedError

    monkeypatch.setattr(type(bench), "save", lambda _, state, name="recipe": save(state, name))
    with pytest.raises(InterruptedError):
        recipe.fit(bench)
    state = torch.load(io.BytesIO(kept[-1]), weights_only=True)
    assert (state["epoch"], state["step"] > 0) == (1, True)
    assert ("words.weight" in state["net"]) == (tuning == "full")
    resumed = recipe.predict(bench, recipe.fit(bench), bench.data("validation").features)
    monkeypatch.undo()
    whole = recipe.predict(undisturbed, recipe.fit(undisturbed), undisturbed.data("validation").features)
    assert np.array_equal(resumed, whole)
