"""What a net keeps of the pieces it has read: the same chances, texts and bits as by reading all again, within bounds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from aimass.models import Column, Net, Package, Pieces, Signature, language_outputs, write_package
from aimass.models.errors import BrokenPackage
from aimass.models.package import Environment, Manifest
from aimass.models.runtimes import check_file
from aimass.models.runtimes.language import brains
from aimass.models.runtimes.language.brains import followers, net_of
from aimass.models.runtimes.language.going_on import Wish, go_on
from aimass.models.runtimes.language.run import LanguageModel
from aimass.training.recipes.languages.bytepairs import END
from aimass.training.recipes.torch_language.net import Shape, graph_of

SHAPE = Shape(pieces=300, context=12, layers=2, width=16, heads=4)
PIECES = Pieces([(65 + n % 20, 66 + n % 19) for n in range(43)])


def weights_of(shape: Shape, seed: int = 0) -> dict[str, Any]:
    """Return weights that are strong enough that what was said long ago matters."""
    rng, width = np.random.default_rng(seed), shape.width
    sizes: dict[str, tuple[int, ...]] = {"pieces": (shape.pieces, width), "places": (shape.context, width)}
    for layer in range(shape.layers):
        sizes |= {f"{layer}_three": (3 * width, width), f"{layer}_out": (width, width)}
        sizes |= {f"{layer}_wide": (4 * width, width), f"{layer}_back": (width, 4 * width)}
    norms = ["end", *(f"{layer}_{name}" for layer in range(shape.layers) for name in ("before", "between"))]
    found = {f"{name}.weight": rng.normal(0, 0.4, size) for name, size in sizes.items()}
    found |= {f"{name}.weight": rng.normal(1, 0.2, width) for name in norms}
    return found | {f"{name}.bias": rng.normal(0, 0.2, sizes.get(name, (width,))[0]) for name in [*sizes, *norms]}


def forgetful(graph: bytes) -> bytes:
    """Return the graph as packages from before had it: it takes pieces alone."""
    model = onnx.load_from_string(graph)
    past = next(one for one in model.graph.input if one.name == "past")
    none = np.zeros((0, past.type.tensor_type.shape.dim[1].dim_value, 1, SHAPE.width), dtype=np.float32)
    model.graph.input.remove(past)
    model.graph.output.remove(next(one for one in model.graph.output if one.name == "added"))
    model.graph.initializer.append(numpy_helper.from_array(none, "past"))
    return bytes(model.SerializeToString())


GRAPH = graph_of(weights_of(SHAPE), SHAPE)


def net(file: bytes = GRAPH) -> Net:
    return net_of(file, SHAPE.context, 1)


class Counting:
    """Computes as a session does, and notes how many pieces each step had."""

    def __init__(self, session: Any) -> None:
        self._session, self.steps = session, []

    def run(self, wanted: Sequence[str], given: Any) -> Any:
        self.steps.append(given["pieces"].shape[1])
        return self._session.run(wanted, given)


def said(brain: Any, texts: list[str], wish: Wish) -> list[str]:
    return ["".join(row) for row in zip(*go_on(PIECES, brain, texts, wish), strict=True)]


def test_chances_are_those_of_reading_all_again_and_their_bits_those_of_the_text() -> None:
    brain, old = net(), net(forgetful(GRAPH))
    row = np.random.default_rng(1).choice([n for n in range(SHAPE.pieces) if n != END], 40).tolist()
    (remembering,) = followers(brain, [row[:5]], len(row))
    bits = 0.0
    for length in range(5, len(row) + 1):
        found = remembering.following(row[:length])
        assert found == pytest.approx(brain.following(row[:length]), abs=1e-6)
        if length < SHAPE.context:  # one window holds it, so old and new read the same
            assert found == pytest.approx(old.following(row[:length]), abs=1e-6)
    for length in range(len(row) + 1):
        bits -= np.log2(brain.following(row[:length])[[*row, END][length]])
    assert bits == pytest.approx(brain.read(row)[0], rel=1e-6)
    assert old.read(row)[0] == pytest.approx(brain.read(row)[0], rel=1e-6)
    assert old.read(row)[1] == pytest.approx(brain.read(row)[1], abs=1e-6)


def test_texts_are_the_same_with_and_without_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    texts, wish = ["so it was", "", "北京 and more than one window of pieces"], Wish(max_tokens=50, temperature=0.0)
    fast = said(net(), texts, wish)
    drawn = said(net(), texts, Wish(max_tokens=50, seed=3))
    assert len(set(fast)) == len(texts), "what was said before matters"
    row = 4 * 16 * 4 * SHAPE.context  # keys and values of two layers, 16 numbers of four bytes each
    for room in (0, row, 2 * row - 1):
        monkeypatch.setattr(brains, "MOST_HELD", room)
        kept = [one for one in followers(net(), [[1] * 20] * 3, 50) if not isinstance(one, Net)]
        assert len(kept) == room // row, "a call keeps no more than it may"
        assert said(net(), texts, wish) == fast
        assert said(net(), texts, Wish(max_tokens=50, seed=3)) == drawn


def test_a_further_piece_is_one_step_of_one_piece() -> None:
    brain = net()
    brain._session = counting = Counting(brain._session)
    text = "abcde"
    (remembering,) = followers(brain, [PIECES.cut(text)], 100)
    row = PIECES.cut(text)
    for _ in range(100):
        remembering.following(row)
        row.append(97)
    full, step = SHAPE.context, SHAPE.context // 2
    assert counting.steps[: full - len(PIECES.cut(text))] == [
        len(PIECES.cut(text)) + 1,
        *[1] * (full - len(PIECES.cut(text)) - 1),
    ]
    assert sum(counting.steps) <= 2.3 * len(row), "half a window is read again for half a window of pieces"
    assert max(counting.steps[1:]) == step + 1


def test_packages_from_before_go_on_as_they_did() -> None:
    old, row = net(forgetful(GRAPH)), list(range(40))
    assert [old] == followers(old, [row], 9)
    (logits,) = old._session.run(["logits"], {"pieces": [row[-SHAPE.context :]]})
    assert old.following(row) == pytest.approx(brains._softmax(logits[0, -1].astype(float)), abs=1e-6)
    assert len(said(old, ["so it was"], Wish(max_tokens=30, temperature=0.0))[0]) > SHAPE.context


def packed(folder: Path, graph: bytes, context: int = SHAPE.context) -> Package:
    signature = Signature(
        inputs=(Column(name="text", type="string", nullable=True),), outputs=language_outputs(SHAPE.width), streams=True
    )
    about = json.dumps({"merges": PIECES.merges, "context": context}).encode()
    manifest = Manifest(signature=signature, runtime="language", files={}, environment=Environment(python="3.11"))
    return write_package(folder, manifest, {"language.json": about, "language.onnx": graph})


def odd(**sizes: Any) -> bytes:
    """Return the graph with another past: of other sizes, or another name."""
    model = onnx.load_from_string(GRAPH)
    past = model.graph.input[1]
    past.name = sizes.pop("name", "past")
    for at, size in sizes.items():
        dim = past.type.tensor_type.shape.dim[int(at[1:])]
        dim.ClearField("dim_value") if size is None else setattr(dim, "dim_value", size)
    return bytes(model.SerializeToString())


def test_graphs_of_strangers_keep_no_more_than_a_call_may(tmp_path: Path) -> None:
    package = packed(tmp_path / "good", GRAPH)
    assert "looks back 12 pieces" in check_file(package, "language.onnx")
    model = LanguageModel(package)
    streamed = list(model.predict_stream({"text": ["so it was"]}, {"max_tokens": 30, "temperature": 0}))
    assert (
        "".join(one["text_output"][0] for one in streamed)
        == said(net(), ["so it was"], Wish(max_tokens=30, temperature=0.0))[0]
    )
    for number, (why, graph) in enumerate(
        (
            ("something else", odd(name="secret")),
            ("something else", forgetful(GRAPH).replace(b"pieces", b"peaces")),
            ("not told", odd(_1=None)),
            ("not told", odd(_3=0)),
            ("more than", odd(_1=2**20)),
        )
    ):
        with pytest.raises(BrokenPackage, match=why):
            check_file(packed(tmp_path / str(number), graph), "language.onnx")
