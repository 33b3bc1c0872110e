"""Residual nets from elsewhere: both layouts say what the definition says, others are refused, and runs start from them."""

from __future__ import annotations

import json
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from aimass.kernel.errors import Invalid
from aimass.models import Column, Signature, load_model, read_package
from aimass.models.children.package import replay_samples
from aimass.training.children.importing import import_weights, read_archive
from aimass.training.recipes.contract import Bench
from aimass.training.recipes.deep.residual import Residual, features_of
from tests.fixtures import residual, weights
from tests.fixtures.deep import needs_torch
from tests.training.conftest import MakeJob

CONFIG, SCALE, TENSORS = "config.json", "preprocessor_config.json", "model.safetensors"
NAMES = ("crane", "tabby cat", "crane (2)")


def read(tmp_path: Path, file: bytes) -> Residual:
    path = tmp_path / "weights.zip"
    path.write_bytes(file)
    found = read_archive(path)
    assert isinstance(found, Residual)
    return found


def made(make_job: MakeJob, tmp_path: Path, file: bytes) -> tuple[dict[str, Any], Any]:
    path = tmp_path / "weights.zip"
    path.write_bytes(file)
    job = make_job({"file": str(path)})
    return import_weights(job), read_package(job.out / "package")


def features(file: bytes, pixels: Any) -> Any:
    """Return what the last layer of a graph reads."""
    graph = onnx.load_from_string(file)
    name = next(one.input[0] for one in graph.graph.node if one.op_type == "Gemm")
    graph.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run([name], {"image": pixels.astype(np.float32)})[0]


@pytest.mark.parametrize("kind", ["basic", "bottleneck"])
@pytest.mark.parametrize("hugging_face", [False, True])
def test_both_layouts_become_a_graph_that_says_what_the_definition_says(
    make_job: MakeJob, tmp_path: Path, kind: str, *, hugging_face: bool
) -> None:
    told, package = made(make_job, tmp_path, residual.archive(kind, hugging_face=hugging_face))
    assert (told["blocks"], told["height"], told["width"], told["classes"]) == (3, residual.SIDE, residual.SIDE, 3)
    names = NAMES if hugging_face else ("0", "1", "2")
    assert package.manifest.signature.classes == names
    pixels = residual.pictures()
    wanted = residual.features_by_definition(kind, pixels)
    assert features((package.folder / "model.onnx").read_bytes(), pixels) == pytest.approx(wanted, abs=1e-5)
    model = load_model(package)
    assert replay_samples(package, model)["passed"]
    last = "classifier.1" if hugging_face else "fc"
    kept = residual.weights_of(kind, hugging_face=hugging_face)
    scores = wanted @ kept[f"{last}.weight"].T + kept[f"{last}.bias"]
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    answers = model.predict({"image": pixels})
    assert np.asarray(answers["probabilities"]) == pytest.approx(shares, abs=1e-5)
    assert list(answers["label"]) == [names[one] for one in shares.argmax(axis=1)]


def test_scales_are_carried_and_where_none_are_told_those_of_torchvision(tmp_path: Path) -> None:
    net = read(tmp_path, residual.archive())
    assert net.mean == pytest.approx(np.array([0.4, 0.5, 0.6]) * 255)
    assert net.spread == pytest.approx(np.array([0.2, 0.25, 0.3]) * 255)
    usual = read(tmp_path, residual.archive(hugging_face=False, changes={SCALE: None}))
    assert (usual.height, usual.width) == (224, 224)
    assert usual.mean == pytest.approx(np.array([0.485, 0.456, 0.406]) * 255)
    cut = {"crop_size": {"height": 40, "width": 48}, "do_center_crop": True, "size": 256, "do_rescale": False}
    wide = read(tmp_path, residual.archive(changes={SCALE: _json({**residual.SCALE, **cut})}))
    assert (wide.height, wide.width, wide.mean[0]) == (40, 48, 0.4)
    early = residual.config("bottleneck", downsample_in_bottleneck=True)
    net = read(tmp_path, residual.archive("bottleneck", changes={CONFIG: _json(early)}))
    assert [one.stride for one in net.blocks[2].path] == [2, 1, 1]
    grey = {name: value[:, :1] if ".embedder.convolution" in name else value for name, value in _kept().items()}
    one = {**residual.SCALE, "image_mean": [0.5], "image_std": [0.5]}
    assert (
        read(tmp_path, residual.archive(changes={TENSORS: weights.tensor_file(grey), SCALE: _json(one)})).channels == 1
    )


def _json(found: Any) -> bytes:
    return json.dumps(found).encode()


def _kept(**changes: Any) -> dict[str, Any]:
    return {**residual.weights_of(hugging_face=True), **changes}


def _tensors(**changes: Any) -> bytes:
    found = {name: value for name, value in _kept(**changes).items() if value is not None}
    return weights.tensor_file(found)


IN, OUT = "resnet.embedder.embedder", "resnet.encoder.stages"
NOT_FINITE = np.full(4, np.nan, dtype=np.float32)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({TENSORS: None}, "no model.safetensors"),
        ({SCALE: None}, "no preprocessor_config.json"),
        ({"own.py": b"import os"}, "'own.py' may not be"),
        ({"vocab.txt": b"x"}, "'vocab.txt' may not be"),
        ({CONFIG: None}, "model_type None"),
        ({CONFIG: _json(residual.config(model_type="vit"))}, "model_type 'vit'"),
        ({CONFIG: _json(weights.config())}, "no tokenizer.json"),
        ({CONFIG: _json(residual.config(hidden_act="gelu"))}, "hidden_act 'gelu'"),
        ({CONFIG: _json(residual.config(auto_map={"x": "y"}))}, "program of their own"),
        ({CONFIG: _json(residual.config(depths=[2, 2]))}, "depths"),
        ({CONFIG: _json(residual.config(layer_type="bottleneck"))}, "layer_type 'bottleneck'"),
        ({CONFIG: _json(residual.config(id2label={"0": "cat"}))}, "other classes"),
        ({CONFIG: _json(residual.config(id2label={"0": "cat", "1": 5, "2": "dog"}))}, "class without a name"),
        ({CONFIG: _json(residual.config(downsample_in_first_stage=True))}, "goes around block 0 of stage 0"),
        ({SCALE: _json({**residual.SCALE, "image_mean": [0.4, 0.5]})}, "image_mean"),
        ({SCALE: _json({**residual.SCALE, "image_std": [0.4, 0.5, 0.0]})}, "image_std"),
        ({SCALE: _json({**residual.SCALE, "image_std": [0.4, 0.5, float("nan")]})}, "image_std"),
        ({SCALE: _json({**residual.SCALE, "rescale_factor": "1"})}, "rescale_factor"),
        ({SCALE: _json({**residual.SCALE, "size": 10**9})}, "size 1000000000"),
        ({SCALE: _json({**residual.SCALE, "size": {"height": 64}})}, "size"),
        ({SCALE: b"[]"}, "is no object"),
        ({TENSORS: _tensors(**{f"{OUT}.1.layers.0.layer.1.normalization.running_var": None})}, "running_var' is missing"),
        ({TENSORS: _tensors(**{f"{IN}.normalization.bias": np.zeros(5, np.float32)})}, r"has the sizes \[5\]"),
        ({TENSORS: _tensors(**{f"{IN}.normalization.bias": NOT_FINITE})}, "not finite"),
        ({TENSORS: _tensors(**{f"{IN}.normalization.running_var": -np.ones(4, np.float32)})}, "negative"),
        ({TENSORS: _tensors(**{"classifier.1.weight": np.zeros((3, 9), np.float32)})}, r"has the sizes \[3, 9\]"),
        ({TENSORS: _tensors(**{"classifier.1.bias": None})}, "'classifier.1.bias' is missing"),
        ({TENSORS: _tensors(**{"attention.weight": NOT_FINITE})}, "'attention.weight' belongs to no part"),
        ({TENSORS: _tensors(**{f"{IN}.convolution.weight": np.zeros((4, 3, 3, 3), np.float32)})}, "has the sizes"),
        ({TENSORS: weights.tensor_file({"features.0.weight": NOT_FINITE})}, "no net that can be read"),
        ({TENSORS: (2**60).to_bytes(8, "little")}, "header is longer"),
    ],
    ids=lambda value: None if isinstance(value, dict) else value,
)  # fmt: skip
def test_what_is_no_residual_net_is_refused_with_the_reason(tmp_path: Path, changes: Any, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        read(tmp_path, residual.archive(changes=changes))


@needs_torch
@pytest.mark.parametrize("tuning", ["full", "frozen"])
def test_a_run_starts_from_an_imported_net(make_job: MakeJob, tmp_path: Path, tuning: str) -> None:
    pl, recipes = import_module("polars"), import_module("aimass.training.recipes")
    protocol = import_module("aimass.training.recipes.protocol")
    _, package = made(make_job, tmp_path, residual.archive("bottleneck"))
    file = (package.folder / "model.onnx").read_bytes()
    pixels = residual.pictures(24)
    truth = np.arange(24) % 2
    pixels[truth == 1] = np.round(pixels[truth == 1] / 3)
    table = protocol.Table(features=pl.DataFrame({"image": pixels}), truth=truth)
    outputs = package.manifest.signature.outputs
    classes = import_module("dataclasses").replace(outputs[1], shape=(-1, 2), classes=("bright", "dark"))
    signature = Signature(
        inputs=(Column(name="image", type="float", shape=(-1, pixels.shape[1])),), outputs=(outputs[0], classes)
    )
    params = recipes.find_recipe("torch_resnet").parameters(
        base="pictures@1", tuning=tuning, epochs=20, batch_rows=8, learning_rate=0.03
    )
    bench = Bench(
        task="classification",
        params=params,
        signature=signature,
        tables={"train": table, "validation": table},
        base=file,
    )
    recipe = recipes.load_recipe("torch_resnet")
    learned = recipe.fit(bench)
    said = recipe.predict(bench, learned, table.features)
    assert (said.argmax(axis=1) == truth).mean() > 0.9
    written = recipe.package(bench, learned).to_onnx()
    same = np.allclose(features(file, pixels), features(written, pixels), atol=1e-5)
    assert same == (tuning == "frozen"), "frozen blocks stay as they are, and others learn on"


@needs_torch
@pytest.mark.skipif(  # nothing of AI Mass needs it: it is a reference alone
    find_spec("transformers") is None, reason="TRANSFORMERS IS NOT INSTALLED, SO NOTHING WAS COMPARED WITH IT"
)
@pytest.mark.parametrize("kind", ["basic", "bottleneck"])
def test_it_sees_what_the_library_of_hugging_face_sees(tmp_path: Path, kind: str) -> None:
    torch, transformers = (import_module(one) for one in ("torch", "transformers"))  # absent as a rule
    told = {name: value for name, value in residual.config(kind).items() if name != "id2label"}
    net: Any = transformers.ResNetForImageClassification(transformers.ResNetConfig(**told, num_labels=3)).eval()
    given = {name: torch.tensor(value) for name, value in residual.weights_of(kind, hugging_face=True).items()}
    missing = net.load_state_dict(given, strict=False)
    assert all(name.endswith("num_batches_tracked") for name in missing.missing_keys)
    assert not missing.unexpected_keys
    pixels = residual.pictures()
    scaled = (pixels.reshape(-1, 32, 32, 3) / 255 - residual.SCALE["image_mean"]) / residual.SCALE["image_std"]
    with torch.no_grad():
        theirs = net.resnet(torch.tensor(scaled.transpose(0, 3, 1, 2), dtype=torch.float32)).pooler_output.flatten(1)
    ours = features_of(read(tmp_path, residual.archive(kind)), pixels)
    assert ours == pytest.approx(theirs.numpy(), abs=1e-5)
