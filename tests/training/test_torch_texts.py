"""The transformer of texts keeps what every recipe keeps; and its graph cuts texts as the libraries of others do."""

from __future__ import annotations

import random
import unicodedata
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from aimass.training.recipes.deep.piecegraph import add_pieces
from aimass.training.recipes.deep.pieces import SPECIAL, Pieces, Rules, found_in
from aimass.training.recipes.graphparts import Parts
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


@pytest.mark.skipif(
    find_spec("tokenizers") is None, reason="TOKENIZERS IS NOT INSTALLED, SO NOTHING WAS COMPARED WITH IT"
)
@pytest.mark.parametrize("folds", [True, False])
def test_texts_are_cut_as_by_the_library_of_hugging_face(*, folds: bool) -> None:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    pieces = found_in(TEXTS * 2, Rules(folds=folds, strips=folds), 300)
    numbers = {name: number for number, name in enumerate(pieces.names)}
    theirs = Tokenizer(models.WordPiece(numbers, unk_token="[UNK]", max_input_chars_per_word=100))
    theirs.normalizer = normalizers.BertNormalizer(lowercase=folds, strip_accents=folds)
    theirs.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    theirs.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    texts = strings(1000)
    differ = [text for text in texts if theirs.encode(text).ids != pieces.encode(text, 10_000)]
    assert len(differ) < 30, differ[:3]  # the two know different versions of Unicode: punctuation of rare scripts
    assert not set(differ) & set(TEXTS)
