"""Techniques that change a graph, against numpy."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from aimass.kernel.errors import Invalid
from aimass.training.children.shrinking.integers import static
from aimass.training.children.shrinking.layers import OPERATORS, layers_of, read_graph
from aimass.training.children.shrinking.storing import clustered, codebook, eight_bits, half, nearest, sparse
from aimass.training.children.shrinking.students import transfer_set
from aimass.training.children.shrinking.techniques import TECHNIQUES, factors, pruned
from aimass.training.children.shrinking.timing import fastest_of, timed
from aimass.training.domain.compression import (
    AUTO,
    Figures,
    Policy,
    best_of,
    drop_of,
    judged,
    step_of,
    steps_of,
)
from aimass.training.errors import Uncompressible
from aimass.training.recipes.protocol import Table

WIDE, MIDDLE, OUT = 64, 96, 20
RNG = np.random.default_rng(3)
FIRST = RNG.normal(0, 0.3, (WIDE, MIDDLE)).astype(np.float32)
SECOND = RNG.normal(0, 0.3, (OUT, MIDDLE)).astype(np.float32)
BIAS = RNG.normal(size=OUT).astype(np.float32)
ROWS = RNG.normal(size=(300, WIDE)).astype(np.float32)


def truth(first: Any = FIRST, second: Any = SECOND, rows: Any = ROWS) -> Any:
    return 0.5 * np.maximum(rows @ first, 0) @ second.T + 2 * BIAS


def network(folder: Path, *, opset: int = 18, constants: Mapping[str, Any] | None = None) -> Path:
    """Write a network of two layers, the second a Gemm with everything that it knows."""
    nodes = [
        helper.make_node("MatMul", ["x", "first"], ["h"]),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("Gemm", ["r", "second", "bias"], ["y"], transB=1, alpha=0.5, beta=2.0),
    ]
    weights = {"first": FIRST, "second": SECOND, "bias": BIAS, **(constants or {})}
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [None, WIDE])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [None, OUT])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    onnx.save(model, str(folder / "model.onnx"))
    return folder / "model.onnx"


def session(model: onnx.ModelProto, optimised: Path | None = None) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    if optimised is not None:
        options.optimized_model_filepath = str(optimised)
    return ort.InferenceSession(model.SerializeToString(), options)


def answers(model: onnx.ModelProto | ort.InferenceSession, rows: Any) -> Any:
    asked = model if isinstance(model, ort.InferenceSession) else session(model)
    return np.asarray(asked.run(None, {"x": rows})[0])


def shrunk(file: Path, technique: str, **params: Any) -> onnx.ModelProto:
    step = step_of(technique)
    made = TECHNIQUES[step.technique](read_graph(file), {**step.params, **params}, {"x": ROWS})
    onnx.checker.check_model(made)
    assert {node.domain for node in made.graph.node} <= OPERATORS
    return made


def error_of(model: onnx.ModelProto, expected: Any) -> float:
    """Return the largest error as a share of the spread of the answers."""
    said = answers(model, ROWS)
    return float(np.abs(said - expected).max() / expected.std())


@pytest.mark.parametrize(
    ("technique", "largest", "smaller"),
    [
        ("int8_dynamic", 0.08, 2.5),
        ("int8_static", 0.12, 2.3),
        ("int8_static:ranges=percentile", 0.12, 2.3),
        ("int8_weights", 0.04, 3.0),
        ("int8_weights:unpack=run", 0.04, 3.0),
        ("float16_weights", 0.002, 1.8),
        ("cluster:entries=256", 0.06, 2.5),
    ],
)
def test_what_keeps_every_weight_answers_nearly_alike_in_fewer_bytes(
    tmp_path: Path, technique: str, largest: float, smaller: float
) -> None:
    file = network(tmp_path)
    made = shrunk(file, technique)
    assert error_of(made, truth()) < largest
    assert file.stat().st_size > smaller * made.ByteSize()


def test_stored_weights_are_unpacked_once_when_the_file_is_loaded(tmp_path: Path) -> None:
    for technique in ("int8_weights", "float16_weights", "cluster", "prune", "cluster:sparsity=0.8"):
        made = shrunk(network(tmp_path), technique)
        session(made, tmp_path / "optimised.onnx")
        left = [node.op_type for node in onnx.load(str(tmp_path / "optimised.onnx")).graph.node]
        assert left == ["MatMul", "Relu", "Gemm"], technique


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 40), st.sampled_from([0.0, 0.3, 0.9, 0.99]))
@settings(max_examples=25, deadline=None)
def test_every_way_of_storing_gives_back_the_weights_that_it_stands_for(
    tmp_path_factory: pytest.TempPathFactory, seed: int, high: int, wide: int, sparsity: float
) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(high, wide)).astype(np.float32)
    first = np.vstack([weights, np.zeros((max(0, 64 // wide + 1), wide), np.float32)])  # a layer worth a change
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "one",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [None, len(first)])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [None, wide])],
        [numpy_helper.from_array(first, "w")],
    )
    file = tmp_path_factory.mktemp("one") / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), str(file))
    (layer,) = layers_of(read_graph(file))
    left = pruned(layer, sparsity)
    coded, dense = codebook(left.weights[left.weights != 0], 15), codebook(first, 16)
    book = np.unique(np.append(coded, np.float32(0)))
    expected = {
        "sparse": (sparse(left), left.weights),
        "coded": (sparse(left, 16), np.where(left.weights != 0, book[nearest(left.weights, book)], 0)),
        "clustered": (clustered(layer, 16), dense[nearest(first, dense)]),
        "half": (half(layer), first.astype(np.float16).astype(np.float32)),
    }
    for name, (store, wanted) in expected.items():
        model = read_graph(file)
        store.into(model)
        said = answers(model, np.eye(len(first), dtype=np.float32))
        assert np.allclose(said, wanted, atol=1e-6), name
    steps = read_graph(file)
    eight_bits(layer).into(steps)
    said = answers(steps, np.eye(len(first), dtype=np.float32))
    assert (np.abs(said - first) <= np.abs(first).max(axis=0) / 254 + 1e-7).all()


def test_a_row_is_answered_alike_alone_and_among_others(tmp_path: Path) -> None:
    asked = session(shrunk(network(tmp_path), "int8_dynamic"))
    together = answers(asked, np.vstack([ROWS[:20], 1000 * ROWS[20:40]]))
    alone = np.vstack([answers(asked, ROWS[[at]]) for at in range(20)])
    assert np.array_equal(alone, together[:20])


def test_pruning_leaves_out_the_smallest_weights_and_one_stays(tmp_path: Path) -> None:
    layers = {layer.name: layer for layer in layers_of(read_graph(network(tmp_path)))}
    half_gone = pruned(layers["first"], 0.5).weights
    limit = np.median(np.abs(FIRST))
    assert ((half_gone == 0) == (np.abs(FIRST) < limit)).all()
    assert np.count_nonzero(pruned(layers["second"], 0.9999).weights) == 1
    made = shrunk(network(tmp_path), "prune:sparsity=0.8")
    expected = truth(pruned(layers["first"], 0.8).weights, pruned(layers["second"], 0.8).weights)
    assert error_of(made, expected) < 1e-5
    assert made.ByteSize() < network(tmp_path).stat().st_size / 1.8


def test_low_rank_is_the_nearest_product_of_two_thin_matrices(tmp_path: Path) -> None:
    pair = factors(FIRST, 0.25)
    assert pair is not None
    left, sizes, right = np.linalg.svd(FIRST.astype(float))
    rank = round(0.25 * WIDE)
    assert np.allclose(pair[0] @ pair[1], (left[:, :rank] * sizes[:rank]) @ right[:rank], atol=1e-5)
    assert factors(FIRST, 0.9) is None  # more numbers than before
    thin = RNG.normal(size=(WIDE, 2)).astype(np.float32) @ RNG.normal(size=(2, MIDDLE)).astype(np.float32)
    flat = RNG.normal(size=(OUT, 1)).astype(np.float32) @ RNG.normal(size=(1, MIDDLE)).astype(np.float32)
    file = network(tmp_path, constants={"first": thin, "second": flat})
    made = shrunk(file, "low_rank:rank=0.2")
    assert error_of(made, truth(thin, flat)) < 1e-4
    assert made.ByteSize() < file.stat().st_size
    with pytest.raises(Uncompressible, match="fewer weights"):
        shrunk(network(tmp_path), "low_rank:rank=0.95")


def test_convolutions_are_quantised_with_calibrated_ranges(tmp_path: Path) -> None:
    kernel = RNG.normal(0, 0.4, (8, 1, 3, 3)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "kernel"], ["y"], pads=[1, 1, 1, 1])],
        "conv",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [None, 1, 8, 8])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [None, 8, 8, 8])],
        [numpy_helper.from_array(kernel, "kernel")],
    )
    file = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), str(file))
    images = RNG.random((60, 1, 8, 8)).astype(np.float32)
    wanted = answers(onnx.load(str(file)), images)
    made = TECHNIQUES["int8_static"](read_graph(file), step_of("int8_static").params, {"x": images})
    said = answers(made, images)
    assert np.abs(said - wanted).max() < 0.1 * wanted.std()
    with pytest.raises(Uncompressible, match="no MatMul or Gemm"):
        TECHNIQUES["int8_dynamic"](read_graph(file), {}, {})


def test_bytes_stay_bytes_through_what_lies_between_two_layers(tmp_path: Path) -> None:
    """A rectifier before the layers does not: nothing has become bytes there."""
    nodes = [
        helper.make_node("Relu", ["x"], ["floats"]),
        helper.make_node("Conv", ["floats", "first"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("MaxPool", ["b"], ["c"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["c", "second"], ["y"], pads=[1, 1, 1, 1]),
    ]
    shapes = {"first": (8, 4, 3, 3), "second": (8, 8, 3, 3)}
    graph = helper.make_graph(
        nodes,
        "convs",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [None, 4, 8, 8])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [None, 8, 4, 4])],
        [numpy_helper.from_array(RNG.normal(0, 0.3, s).astype(np.float32), name) for name, s in shapes.items()],
    )
    file = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), str(file))
    images = RNG.normal(size=(60, 4, 8, 8)).astype(np.float32)
    wanted = answers(onnx.load(str(file)), images)
    made = TECHNIQUES["int8_static"](read_graph(file), step_of("int8_static").params, {"x": images})
    assert np.abs(answers(made, images) - wanted).max() < 0.15 * wanted.std()
    session(made, tmp_path / "loaded.onnx")
    kinds = [node.op_type for node in onnx.load(str(tmp_path / "loaded.onnx")).graph.node]
    assert (kinds.count("QuantizeLinear"), kinds.count("DequantizeLinear")) == (1, 1)
    assert any(node.op_type == "Relu" and node.input[0] == "x" for node in made.graph.node)


def test_the_first_layers_go_on_with_floats_and_the_others_multiply_bytes(tmp_path: Path) -> None:
    wanted = answers(onnx.load(str(network(tmp_path))), ROWS)
    errors: list[float] = []
    for floats in (0, 1):
        made = static(read_graph(network(tmp_path)), {"x": ROWS}, ranges="minmax", floats=floats)
        weights = {one.name: one.data_type for one in made.graph.initializer if len(one.dims) > 1}
        assert list(weights.values()).count(onnx.TensorProto.FLOAT) == floats
        errors.append(error_of(made, wanted))
    assert errors[1] < errors[0]


def test_bytes_are_multiplied_where_that_makes_a_batch_the_fastest(tmp_path: Path) -> None:
    """Which of the files that is, the machine decides; one layer at least multiplies bytes."""
    assert fastest_of([lambda _: time.sleep(0.002), lambda _: None], {}) == 1
    made = answers(shrunk(network(tmp_path), "int8_static:layers=fastest"), ROWS)
    files = [static(read_graph(network(tmp_path)), {"x": ROWS}, ranges="minmax", floats=floats) for floats in (0, 1)]
    assert any((made == answers(one, ROWS)).all() for one in files)


def test_graphs_that_no_technique_knows_are_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(Uncompressible, match="operator set 11"):
        read_graph(network(tmp_path, opset=11))
    large = FIRST.copy()
    large[0, 0] = 1e6
    with pytest.raises(Uncompressible, match="larger than 65504"):
        shrunk(network(tmp_path, constants={"first": large}), "float16_weights")
    tiny = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "tiny",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [None])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [None])],
    )
    onnx.save(helper.make_model(tiny, opset_imports=[helper.make_opsetid("", 18)]), str(tmp_path / "tiny.onnx"))
    with pytest.raises(Uncompressible, match=r"no MatMul, Gemm or Conv .* made of Relu"):
        layers_of(read_graph(tmp_path / "tiny.onnx"))


def test_layers_that_share_weights_stay_in_step_and_constants_may_be_nodes(tmp_path: Path) -> None:
    square = RNG.normal(0, 0.2, (WIDE, WIDE)).astype(np.float32)
    nodes = [
        helper.make_node("Constant", [], ["w"], value=numpy_helper.from_array(square, "value")),
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        helper.make_node("MatMul", ["h", "w"], ["y"]),
    ]
    ports = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None, WIDE]) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "shared", ports[:1], ports[1:])
    file = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), str(file))
    expected = ROWS @ square @ square
    for technique in ("int8_weights", "float16_weights", "cluster:entries=256", "int8_dynamic", "int8_static"):
        assert error_of(shrunk(file, technique), expected) < 0.2, technique
    with pytest.raises(Uncompressible, match="fewer weights"):
        shrunk(file, "low_rank")


@given(st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=200), st.integers(2, 20))
@settings(max_examples=50, deadline=None)
def test_a_codebook_is_no_worse_than_even_steps(values: list[float], entries: int) -> None:
    known = np.array(values, np.float32)
    centres = codebook(known, entries)
    assert len(centres) <= entries
    even = np.linspace(known.min(), known.max(), entries)
    off = np.abs(known - centres[nearest(known, centres)])
    plain = np.abs(known - even[nearest(known, even)])
    assert float((off**2).sum()) <= float((plain**2).sum()) * (1 + 1e-5) + 1e-5


def test_a_student_sees_the_rows_and_made_ones_with_the_teachers_answers() -> None:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"a": rng.normal(size=200), "b": rng.choice(["x", "y"], 200).tolist()})
    train = Table(features=frame, truth=(frame["a"].to_numpy() > 0.5).astype(np.int64))

    def teacher(features: pl.DataFrame) -> Any:
        positive = (features["a"].to_numpy() > 0).astype(float)
        return np.stack([1 - positive, positive], axis=1)

    taught = transfer_set(train, teacher, copies=3, seed=1)
    assert taught.features.height == 800
    assert taught.features[:200].equals(frame)
    assert (taught.truth[:200] == train.truth).all()
    assert (taught.truth[200:] == (taught.features["a"].to_numpy()[200:] > 0)).all()
    assert set(taught.features["a"]) == set(frame["a"])  # values are taken over, none are made up
    again = transfer_set(train, teacher, copies=3, seed=1)
    assert again.features.equals(taught.features)
    plain = transfer_set(train, teacher, copies=0, seed=1)
    assert (plain.truth == (frame["a"].to_numpy() > 0)).all()


def test_a_student_of_numbers_learns_the_numbers_of_its_teacher() -> None:
    frame = pl.DataFrame({"a": np.linspace(0, 1, 50)})
    train = Table(features=frame, truth=np.zeros(50))
    taught = transfer_set(train, lambda features: 3 * features["a"].to_numpy(), copies=1, seed=0)
    assert np.allclose(taught.truth[50:], 3 * taught.features["a"].to_numpy()[50:])


def test_files_are_timed_in_turns() -> None:
    calls: list[str] = []
    models = [lambda _, name=name: calls.append(name) for name in "abc"]
    times = timed(models, {"rows": 1}, {"rows": 256})
    assert len(times) == 3
    assert all(0 < one.row_us <= one.row_median_us for one in times)
    middle = calls[9 : 9 + 30]
    assert middle == ["a"] * 5 + ["b"] * 5 + ["c"] * 5 + ["b"] * 5 + ["c"] * 5 + ["a"] * 5


BASE = Figures(
    score=0.9, row_us=100, batch_us=1000, row_median_us=110, batch_median_us=1100, size=10_000, encoded=9_000
)


def figures(**changes: Any) -> Figures:
    return Figures(**{name: getattr(BASE, name) for name in Figures.__slots__} | {"size": 4_000} | changes)


@pytest.mark.parametrize(
    ("found", "policy", "reason"),
    [
        (figures(), Policy(metric="accuracy"), None),
        (figures(score=0.88), Policy(metric="accuracy"), "accuracy drops by 0.02; the policy allows 0.005"),
        (figures(score=float("nan")), Policy(metric="accuracy"), "accuracy drops by nan; the policy allows 0.005"),
        (figures(score=0.95), Policy(metric="log_loss"), "log_loss drops by 0.05; the policy allows 0.005"),
        (figures(score=0.91), Policy(metric="rmse", max_drop=0.02), None),
        (
            figures(row_us=667),
            Policy(metric="accuracy"),
            "int8_dynamic is 0.15x as fast as its base for a row; the policy wants 0.9x",
        ),
        (figures(row_us=667), Policy(metric="accuracy", timed="batch"), None),
        (figures(), Policy(metric="accuracy", min_ratio=3), "its file is 2.50x smaller; the policy wants 3x"),
        (
            figures(),
            Policy(metric="accuracy", max_bytes=3_000),
            "its file has 4000 bytes; the policy allows 3000",
        ),
        (
            figures(size=10_000),
            Policy(metric="accuracy"),
            "it is neither smaller nor faster than its base by 5%",
        ),
    ],
)
def test_a_candidate_is_held_to_the_policy_and_told_why(found: Figures, policy: Policy, reason: str | None) -> None:
    told = judged(policy, BASE, found, "int8_dynamic")
    assert told.accepted == (reason is None)
    assert told.reasons == (() if reason is None else (reason,))


def test_a_student_has_to_be_better_than_alone() -> None:
    policy = Policy(metric="accuracy")
    assert judged(policy, BASE, figures(score=0.9), "distill", alone=0.89).accepted
    told = judged(policy, BASE, figures(score=0.9), "distill", alone=0.9)
    assert told.reasons == ("the student learns no less without its teacher: accuracy 0.9 alone",)


def test_the_smallest_or_the_fastest_wins() -> None:
    policy = Policy(metric="accuracy")
    found = [
        judged(policy, BASE, one, "t")
        for one in (figures(), figures(size=3_000), figures(row_us=50), figures(size=10, score=0.1))
    ]
    assert best_of(policy, found) == 1
    assert best_of(Policy(metric="accuracy", prefer="speed"), found) == 2
    assert best_of(policy, found[-1:]) is None


def test_techniques_are_read_as_they_are_asked_for() -> None:
    assert [step.name for step in steps_of(None)] == list(AUTO)
    assert step_of("cluster:sparsity=0.8,entries=16").name == "cluster:sparsity=0.8"
    student = step_of("distill:recipe=scikit_learn,estimator=MLP,copies=0")
    assert (student.student, student.recipe_params, student.params) == (
        "scikit_learn",
        {"estimator": "MLP"},
        {"copies": 0},
    )
    assert step_of(student.name) == student
    deep = step_of('distill:recipe=scikit_learn,settings={"hidden_layer_sizes": [8, 4], "max_iter": 9}')
    assert deep.recipe_params == {"settings": {"hidden_layer_sizes": [8, 4], "max_iter": 9}}
    assert step_of(deep.name) == deep
    assert [step.name for step in steps_of(["prune", "prune:sparsity=0.5"])] == ["prune"]
    assert drop_of("rmse", 0.0, 0.0) == 0


@pytest.mark.parametrize(
    ("wish", "match"),
    [
        (["magic"], "no technique 'magic'"),
        (["cluster:entries=1"], "'entries' of technique 'cluster' cannot be 1"),
        (["cluster:entries=2.5"], "cannot be 2.5"),
        (["int8_static:ranges=guess"], "cannot be 'guess'"),
        (["prune:sparsity=true"], "cannot be True"),
        (["prune:share=0.5"], "has no 'share'"),
        (["prune:sparsity"], "no name=value"),
        (["distill"], "needs the recipe of its student"),
        ([f"prune:sparsity=0.{n}" for n in range(10, 40)], "30 techniques are too many"),
    ],
)
def test_techniques_that_make_no_sense_are_refused(wish: list[str], match: str) -> None:
    with pytest.raises(Invalid, match=match) as refused:
        steps_of(wish)
    assert refused.value.field == "techniques"
