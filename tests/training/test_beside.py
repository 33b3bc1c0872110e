"""Further targets beside the main one: what is refused, what is left out of the inputs, and what a net makes of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from aimass.kernel.errors import Invalid
from aimass.models import load_model, verify_package
from aimass.training.children.fit import fit
from aimass.training.children.sources import Source
from aimass.training.children.table import prepare
from aimass.training.errors import Unlearnable
from aimass.training.recipes import find_recipe, load_recipe
from aimass.training.recipes.beside import Beside
from aimass.training.recipes.contract import Bench
from aimass.training.recipes.deep import loop
from aimass.training.recipes.deep.engine import torch
from aimass.training.recipes.deep.heads import Heads
from aimass.training.recipes.protocol import Table, parameters_of
from tests.fixtures.deep import needs_torch
from tests.training.test_tensors import Make, job_of

ROWS = 300
QUICK = {"epochs": 12, "units": 16, "layers": 1, "learning_rate": 0.02, "beside": ["kind", "size", "count"]}


def rows() -> pl.DataFrame:
    """Return rows whose target, and what stands beside it, follow from two numbers; a third of the further truths is not known."""
    chance = np.random.default_rng(4)
    x, y = chance.normal(size=(2, ROWS))
    hidden = [None if number % 3 == 0 else value for number, value in enumerate(np.where(x > 0, "up", "down").tolist())]
    return pl.DataFrame(
        {
            "id": [f"row-{number:03d}" for number in range(ROWS)],
            "x": x,
            "y": y,
            "digit": np.where(x + y > 0, "high", "low"),
            "kind": hidden,
            "size": pl.Series([None if number % 3 == 1 else float(value) for number, value in enumerate(x - y)]),
            "count": pl.Series([float("nan") if number % 3 == 2 else float(value > 0) for number, value in enumerate(y)]),
            "nothing": pl.Series([None] * ROWS, dtype=pl.Float64),
            "same": ["one"] * ROWS,
            "ends": [float("inf"), *[0.5] * (ROWS - 1)],
        }
    )  # fmt: skip


@pytest.fixture
def job(make_job: Make, tmp_path: Path) -> Any:
    frame = rows().drop("nothing", "same", "ends")
    return job_of(make_job, tmp_path / "lake", frame, recipe="torch_mlp", params=QUICK, beside=QUICK["beside"])


def bench_of(job: Any, kind: type[Bench] = Bench) -> Bench:
    data, manifest = read(job), find_recipe("torch_mlp")
    params = parameters_of(manifest.check(QUICK), manifest.parameters)
    tables = {part: data.table(part) for part in ("train", "validation")}
    return kind(task="classification", params=params, signature=data.signature, tables=tables)


def read(job: Any, **changes: Any) -> Any:
    payload = {**job.params, **changes}
    return prepare(Source.of(payload), payload["split"])


def test_what_is_learned_beside_is_no_input_and_its_gaps_stay_gaps(job: Any) -> None:
    found = read(job)
    assert [column.name for column in found.signature.inputs] == ["x", "y"]
    assert [column.name for column in read(job, beside=[]).signature.inputs] == ["x", "y", "kind", "size", "count"]
    train = found.table("train")
    assert {name: one.classes for name, one in train.beside.items()} == {
        "kind": ("down", "up"),
        "size": (),
        "count": ("0", "1"),
    }
    plain = rows()[found.places_of("train").tolist()]
    assert train.beside["size"].known.tolist() == plain["size"].is_not_null().to_list()
    assert train.beside["kind"].truth[train.beside["kind"].known].tolist() == [
        float(value == "up") for value in plain["kind"].drop_nulls()
    ]
    assert train.rows([4, 2]).beside["count"].known.tolist() == train.beside["count"].known[[4, 2]].tolist()
    assert sum("beside the target" in note for note in found.notes) == 3


@pytest.mark.parametrize(
    ("names", "features", "told"),
    [
        (["digit"], None, "is the target of the split"),
        (["id"], None, "is the key of the split"),
        (["kind", "kind"], None, "is named twice"),
        (["size"], ["x", "size"], "is an input of the run"),
        (["nowhere"], None, "there is no column 'nowhere'"),
    ],
)
def test_columns_that_are_something_else_are_refused_by_name(
    job: Any, names: list[str], features: list[str] | None, told: str
) -> None:
    with pytest.raises(Invalid, match=told) as refused:
        read(job, beside=names, features=features)
    assert (refused.value.field, refused.value.value) == ("params.beside", names[-1])
    assert refused.value.allowed


@pytest.mark.parametrize(
    ("name", "told"),
    [("nothing", "has 0 classes"), ("same", "has 1 classes"), ("ends", "infinite values"), ("pixels", "holds lists")],
)
def test_columns_that_teach_nothing_are_refused(make_job: Make, tmp_path: Path, name: str, told: str) -> None:
    frame = rows().select("id", "x", "digit", name) if name != "pixels" else rows().select("id", "x", "digit")
    frame = frame.with_columns(pixels=pl.Series([[0.5, 1.0]] * ROWS))
    with pytest.raises(Unlearnable, match=told) as refused:
        read(job_of(make_job, tmp_path / "lake", frame), beside=[name])
    assert (refused.value.field, bool(refused.value.allowed)) == ("params.beside", True)


def test_a_recipe_that_learns_one_target_knows_no_others() -> None:
    assert find_recipe("torch_mlp").beside({"beside": ["kind"]}) == ["kind"]
    assert find_recipe("lightgbm").beside({"beside": ["kind"]}) == []
    with pytest.raises(Invalid, match="beside") as refused:
        find_recipe("lightgbm").check({"beside": ["kind"]})
    assert refused.value.field == "params.beside"
    for odd in ("kind", ["a"] * 21):
        with pytest.raises(Invalid):
            find_recipe("torch_mlp").check({"beside": odd})


@needs_torch
def test_heads_learn_beside_the_target_and_the_graph_answers_the_target_alone(job: Any, make_job: Make) -> None:
    found = fit(job)
    assert found["package"]["runtime"] == "onnx", found["package"]["why_python"]
    metrics = found["metrics"]
    assert metrics["accuracy"] > 0.85
    assert metrics["beside.kind.accuracy"] > 0.85
    assert metrics["beside.count.roc_auc"] > 0.85
    assert metrics["beside.size.r2"] > 0.6
    package = verify_package(job.out / "package")
    assert [column.name for column in package.manifest.signature.inputs] == ["x", "y"]
    said = load_model(package).predict({"x": [1.0, -2.0], "y": [1.0, 0.5]})
    assert np.shape(said["probabilities"]) == (2, 2)
    again = make_job(job.params)
    assert fit(again)["package"]["digest"] == found["package"]["digest"]
    assert "beside.size.r2" in json.loads((job.out / "report.json").read_text())["metrics"]


@needs_torch
def test_a_fit_that_was_stopped_goes_on_to_the_same_answers(job: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "SAVED_EVERY_S", 0.0)
    recipe, whole = load_recipe("torch_mlp"), bench_of(job)
    undisturbed = recipe.fit(whole)
    stopped = bench_of(job, Ending)
    with pytest.raises(InterruptedError):
        recipe.fit(stopped)
    resumed = bench_of(job)
    resumed.saved = stopped.saved
    again = recipe.fit(resumed)
    rows_asked = whole.tables["train"].features
    assert np.array_equal(recipe.predict(whole, undisturbed, rows_asked), recipe.predict(resumed, again, rows_asked))
    for name, said in recipe.answers_beside(whole, undisturbed, rows_asked).items():
        assert np.array_equal(said, recipe.answers_beside(resumed, again, rows_asked)[name])


class Ending(Bench):
    """Ends behind its fifth epoch."""

    def look(self, step: int, total: int, answer: Any) -> None:
        """End, as a process does that is killed."""
        del total, answer
        if step == 5:
            raise InterruptedError


@needs_torch
def test_rows_without_a_further_truth_move_nothing_by_it() -> None:
    truth = np.array([1.0, np.nan, 3.0])
    heads = Heads({"size": Beside(truth=truth), "kind": Beside(truth=truth * np.nan, classes=("a", "b"))}, 1)
    learned, judge = heads.losses(torch.nn.MSELoss(), 2.0, of_classes=False)
    said = torch.tensor([[0.0, 0.0, 1.0, 2.0], [5.0, 7.0, 1.0, 2.0], [0.0, 2.0, 1.0, 2.0]], requires_grad=True)
    wanted = heads.truth(torch.zeros(3, 1))
    assert float(judge(said, wanted).detach()) == pytest.approx(25 / 3)
    assert float(learned(said, wanted).detach()) == pytest.approx(25 / 3 + 2.0 * ((0 + 1) ** 2 + (2 - 1) ** 2) / 2 / 2)
    learned(said, wanted).backward()
    assert said.grad is not None
    assert said.grad[1, 1] == 0
    assert not said.grad[:, 2:].any()


@needs_torch
def test_a_student_does_not_know_what_its_teacher_learned_beside(job: Any) -> None:
    bench = bench_of(job)
    bench.tables = {part: Table(features=one.features, truth=one.truth) for part, one in bench.tables.items()}
    with pytest.raises(Invalid, match="do not tell 'kind'"):
        load_recipe("torch_mlp").fit(bench)
