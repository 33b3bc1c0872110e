"""Nets that are made smaller and learn again: as a job, killed and cancelled, and what is left out, against plain loops."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import polars as pl
import pytest
from onnx import helper, numpy_helper

from aimass.infra.compute import Cancelled
from aimass.infra.compute.directory import JobDirectory
from aimass.kernel.errors import Failed, Invalid
from aimass.models import verify_package
from aimass.training import BlendRuns, CompressRun, OneRun, StartRun, Training
from aimass.training.children.compress import compress
from aimass.training.children.fit import fit
from aimass.training.children.shrinking.layers import layers_of, read_graph
from aimass.training.recipes import load_recipe
from aimass.training.recipes.contract import Bench, ImageContract, NumberContract
from aimass.training.recipes.deep import loop
from aimass.training.recipes.deep.again import put_books
from aimass.training.recipes.deep.engine import torch
from aimass.training.recipes.deep.reading import WrittenNet, feeds_of
from aimass.training.recipes.deep.thinning import channels_of, cut_channels, mask_weights, shares
from aimass.training.recipes.protocol import Shrinking
from tests.fixtures.deep import needs_torch
from tests.fixtures.digits import digits
from tests.fixtures.rooms import Rooms
from tests.training.place import ANN, WISH, Lakeside, ended, split_made
from tests.training.test_tensors import Make, job_of
from tests.training.test_torch_runs import Stopped, Stopping

pytestmark = [needs_torch]
POLICY = {"metric": "accuracy", "max_drop": 0.05, "min_speedup": 0.1}
THIN, CODED = "prune_tuned:epochs=30", "prune_tuned:sparsity=0.8,entries=16,epochs=4"
TECHNIQUES = [THIN, CODED, "channels:epochs=20", "channels:int8=static,epochs=20", "prune:sparsity=0.9"]


class Killed(BaseException):
    """The end of an attempt in the middle of an epoch."""


class Ending(Stopping):
    """Ends in a way that is no result of a technique."""

    def report(self, fraction: float | None = None, stage: str = "", **metrics: float) -> None:
        try:
            super().report(fraction, stage, **metrics)
        except Stopped as reason:
            raise Killed from reason


@pytest.fixture
def payload(make_job: Make, tmp_path: Path) -> dict[str, Any]:
    """What a compression of a net that reads digits is told."""
    params = {"epochs": 4, "filters": 8, "units": 32, "learning_rate": 0.01}
    job = job_of(make_job, tmp_path / "lake", digits(500, 5), recipe="torch_cnn", params=params)
    made = fit(job)
    base = {"run": "base", "recipe": "torch_cnn", "params": made["params"], "package": str(job.out / "package")}
    return {**job.params, "base": {**base, "report": str(job.out / "report.json")}, "policy": POLICY}


def loaded(folder: Path) -> dict[str, Any]:
    """Return the weights of a package by layer, as ONNX Runtime has them after loading."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(folder / "loaded.onnx")
    onnxruntime.InferenceSession(str(folder / "package" / "model.onnx"), options, providers=["CPUExecutionProvider"])
    return {layer.name: layer.weights for layer in layers_of(read_graph(folder / "loaded.onnx"))}


def test_what_is_left_out_is_learned_again_and_every_file_is_judged(payload: dict[str, Any], make_job: Make) -> None:
    job = make_job({**payload, "techniques": TECHNIQUES})
    told = compress(job)
    found = {one["technique"]: one for one in json.loads((job.out / "compression.json").read_bytes())["candidates"]}
    assert list(found) == TECHNIQUES
    assert all(found[name]["accepted"] for name in (THIN, CODED)), found
    assert found["prune:sparsity=0.9"]["drop"] > found[THIN]["drop"] + 0.1  # the same without learning again
    thin, coded, narrow = (loaded(job.work / f"candidate-0{place}") for place in range(3))
    whole = sum(weights.size for weights in thin.values())
    assert sum(np.count_nonzero(weights) for weights in thin.values()) == pytest.approx(whole * 0.1, abs=1)
    assert all(len(np.unique(weights)) <= 16 for weights in coded.values())
    assert [weights.shape[0] for weights in narrow.values()] == [8, 16, 5]  # 8 and 16 filters and 32 units were halved
    kinds = {node.op_type for node in onnx.load(str(job.work / "candidate-03" / "package" / "model.onnx")).graph.node}
    assert "QuantizeLinear" in kinds
    assert found["channels:epochs=20"]["ratio"] > 2
    assert told["params"]["technique"] == next(name for name in found if found[name]["chosen"])


@pytest.mark.parametrize("stage", [2, 5])
def test_an_attempt_that_ended_goes_on_and_makes_the_same_file(
    payload: dict[str, Any], make_job: Make, monkeypatch: pytest.MonkeyPatch, stage: int
) -> None:
    """It ends while weights are left out, or while the codebook learns."""
    monkeypatch.setattr(loop, "SAVED_EVERY_S", 0.0)
    payload |= {"techniques": [CODED], "policy": {**POLICY, "max_drop": 0.9}}
    job = make_job(payload)
    directory = JobDirectory(job.out.parent)
    first = Ending(directory, job.attempt)
    first.at = (f"try {CODED}", stage)
    with pytest.raises(Killed):
        compress(first)
    learned: list[int] = []
    whole = loop._Learning._epoch
    monkeypatch.setattr(
        loop._Learning, "_epoch", lambda learning: (learned.append(learning.progress.epoch), whole(learning))
    )
    again = Stopping(directory, directory.take())
    compress(again)
    assert learned == ([1, 2, 3, 0, 1] if stage == 2 else [0, 1])
    undisturbed = make_job(payload)
    compress(undisturbed)
    assert verify_package(again.out / "package").digest == verify_package(undisturbed.out / "package").digest


def test_it_is_cancelled_between_two_epochs(payload: dict[str, Any], make_job: Make) -> None:
    class Cancelling(Stopping):
        def report(self, fraction: float | None = None, stage: str = "", **metrics: float) -> None:
            if "train_loss" in metrics:
                (self.out.parent / "cancel").touch()
            super().report(fraction, stage, **metrics)

    job = make_job({**payload, "techniques": ["channels:epochs=1000"]})
    with pytest.raises(Cancelled):
        compress(Cancelling(JobDirectory(job.out.parent), job.attempt))
    assert not (job.out / "compression.json").exists()


def test_a_model_of_another_recipe_does_not_learn_again_and_says_so(payload: dict[str, Any], make_job: Make) -> None:
    job = make_job({**payload, "base": {**payload["base"], "recipe": "lightgbm"}, "techniques": ["channels"]})
    assert compress(job)["package"] is None
    (one,) = json.loads((job.out / "compression.json").read_bytes())["candidates"]
    assert one["reasons"] == ["models of recipe 'lightgbm' do not learn again"]


def test_a_net_may_be_a_student_and_each_of_its_two_lessons_has_its_own_checkpoint(
    payload: dict[str, Any], make_job: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "SAVED_EVERY_S", 0.0)
    job = make_job({**payload, "techniques": ["distill:recipe=torch_cnn,epochs=3,filters=4,units=8"]})
    compress(job)
    (one,) = json.loads((job.out / "compression.json").read_bytes())["candidates"]
    assert one["figures"] is not None, one["reasons"]
    assert one["figures"]["score"] != one["alone"]
    kept = {name.name.split(".")[0] for name in JobDirectory(job.out.parent).checkpoints.iterdir()}
    assert len(kept) == 2


@pytest.mark.long
def test_a_run_that_learned_again_is_a_run_like_any_other(rooms: Rooms, training: Training, lakeside: Lakeside) -> None:
    loops = pl.col("digit").is_in(["digit 0"]).alias("loop")
    lakeside.write("digits", digits(400).with_columns(loops))
    split = split_made(rooms, replace(WISH, dataset="digits", target="digit", key_column="id"))
    start = StartRun(
        workspace="demo", recipe="torch_mlp", split=split.id, params={"epochs": 10, "beside": ["loop"]}, folds=2
    )
    base = ended(rooms, training.start_run(ANN, start))
    assert base.metrics["beside.loop.accuracy"] > 0.9
    two = replace(start, params={"epochs": 9, "beside": ["loop"]})
    other = ended(rooms, training.start_run(ANN, two))
    blended = ended(rooms, training.blend_runs(ANN, BlendRuns(workspace="demo", runs=[base.id, other.id])))
    assert blended.state == "FINISHED", blended.error
    alone = ended(rooms, training.start_run(ANN, replace(start, params={"epochs": 1})))
    with pytest.raises(Invalid, match="differ in the targets beside the main one") as odd:
        training.blend_runs(ANN, BlendRuns(workspace="demo", runs=[base.id, alone.id]))
    assert (odd.value.value, odd.value.allowed) == ([], ["loop"])
    wish = CompressRun(workspace="demo", run=base.id, techniques=["prune_tuned:sparsity=0.6,epochs=8"], max_drop=0.1)
    run = ended(rooms, training.compress_run(ANN, wish))
    assert run.state == "FINISHED", run.error
    (one,) = training.get_compression(ANN, OneRun(workspace="demo", run=run.id)).candidates
    assert one.chosen
    assert (one.ratio or 0) > 1.2
    with pytest.raises(Invalid, match="models of recipe 'compress' do not learn again") as refused:
        training.compress_run(ANN, replace(wish, run=run.id))
    assert refused.value.allowed == ["torch_cnn", "torch_mlp", "torch_resnet"]


class Images(ImageContract):
    recipe = "torch_cnn"
    side = 16
    quick = {"epochs": 1, "filters": 4, "units": 0, "residual": True, "batch_norm": False}  # noqa: RUF012


class Numbers(NumberContract):
    recipe = "torch_mlp"
    quick = {"epochs": 12, "units": 24, "learning_rate": 0.02}  # noqa: RUF012


def written(suite: Any, **params: Any) -> tuple[Bench, bytes]:
    """Return a context, and the graph of a net that was learned in it."""
    bench, recipe = suite().bench(**params), load_recipe(suite.recipe)
    return bench, recipe.package(bench, recipe.fit(bench)).to_onnx()


def said(file: bytes, bench: Bench) -> Any:
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    return session.run(
        [session.get_outputs()[-1].name], feeds_of(bench.tables["validation"].features, bench.signature)
    )[0]


def test_a_net_for_numbers_learns_again_in_the_unit_of_its_target() -> None:
    bench, file = written(Numbers)
    truth = bench.tables["validation"].truth
    error = np.abs(said(file, bench) - truth).mean()
    for technique, params in (("channels", {"share": 0.5}), ("prune_tuned", {"sparsity": 0.7, "entries": 8})):
        bench.saved.clear()
        wish = Shrinking(technique=technique, params={"epochs": 6, **params})
        made = load_recipe("torch_mlp").compress(bench, file, wish)
        assert np.abs(said(made, bench) - truth).mean() < error * 1.1
        assert len(made) < len(file) or technique == "prune_tuned"
    with pytest.raises(Invalid, match="two entries at least"):
        load_recipe("torch_mlp").compress(bench, file, Shrinking(technique="x", params={"epochs": 1, "entries": 1}))


def test_a_graph_that_is_read_and_written_unchanged_answers_the_same_and_one_read_wrongly_is_refused() -> None:
    bench, file = written(Images)
    net = WrittenNet(file)
    net.inputs(bench.tables["train"].features, bench.signature)
    assert np.allclose(said(net.written(), bench), said(file, bench), atol=1e-6)
    odd = onnx.load_from_string(file)
    conv = next(node for node in odd.graph.node if node.op_type == "Conv")
    for one in conv.attribute:
        if one.name == "pads":
            one.CopyFrom(helper.make_attribute("pads", [2, 2, 2, 2]))
    conv.attribute.append(helper.make_attribute("dilations", [2, 2]))
    with pytest.raises(Failed, match="is not read as it was written"):
        WrittenNet(odd.SerializeToString()).inputs(bench.tables["train"].features, bench.signature)
    del odd.graph.node[:]
    with pytest.raises(Failed, match="no layer that can learn on"):
        WrittenNet(odd.SerializeToString())


def test_channels_around_which_a_way_goes_are_left_out_together() -> None:
    bench, file = written(Images)
    net = WrittenNet(file)
    groups = channels_of(net)
    assert sorted(len(one.writers) for one in groups) == [1, 1, 2, 2]  # first and third of a block are summed
    constants = {one.name: numpy_helper.to_array(one) for one in net.model.graph.initializer}
    (last,) = [one for one in groups if any(kind == "Gemm" for _, kind in one.readers)]
    size = sum(((net.net[part]["weight"] ** 2).sum((1, 2, 3)) / (net.net[part]["weight"] ** 2).sum((1, 2, 3)).mean())
               for part, _ in last.writers)  # fmt: skip
    gemm = net.net[last.readers[0][0]]["weight"].reshape(2, 8, -1)
    size = size + (gemm**2).sum((0, 2)) / (gemm**2).sum((0, 2)).mean()
    kept = sorted(torch.topk(size, 4).indices.tolist())
    before = {part: net.net[part]["weight"].detach().clone() for part, _ in last.writers}
    cut_channels(net, 0.5)
    for part, _ in last.writers:
        assert net.net[part]["weight"].shape[0] == 4
        inside = net.net[part]["weight"].shape[1]
        if inside == before[part].shape[1]:
            assert torch.equal(net.net[part]["weight"], before[part][kept])
    assert np.isfinite(said(net.written(), bench)).all()
    assert sum(one.size for one in constants.values()) > 3 * sum(
        numpy_helper.to_array(one).size for one in net.model.graph.initializer
    )


def test_weights_count_by_their_share_of_their_layer_and_what_is_left_out_stays_so() -> None:
    weights = torch.tensor([[3.0, -1.0], [0.5, -2.0]])
    flat = np.sort(weights.numpy().ravel() ** 2)
    plain = {value: value / flat[flat >= value].sum() for value in flat}
    assert np.allclose(shares(weights).numpy(), [[plain[9.0], plain[1.0]], [plain[0.25], plain[4.0]]])
    _, file = written(Images)
    net = WrittenNet(file)
    mask_weights(net, 0.5)
    half = [part["mask"].clone() for part in net.layers()]
    mask_weights(net, 0.9)
    for part, mask in zip(net.layers(), half, strict=True):
        assert torch.equal(part["mask"] * mask, part["mask"])
        assert part["mask"].sum() >= 1
    kept, total = (sum(int(count) for count in counts) for counts in zip(*((p["mask"].sum(), p["mask"].numel()) for p in net.layers()), strict=True))  # fmt: skip
    assert kept == total - round(0.9 * total)
    mask_weights(net, 0.9999)  # fewer than there are layers would stay
    assert [int(part["mask"].sum()) for part in net.layers()] == [1] * len(net.layers())
    put_books(net, 16)
    for part in net.layers():
        assert len(part["book"]) <= 15
        assert "weight" not in part
