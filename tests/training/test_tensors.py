"""Datasets with a column of lists, such as images: from the split to the package."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from aimass.kernel.errors import Invalid
from aimass.models import Column, Output, Rows, Signature, build_package, load_model, verify_package
from aimass.training.children.columns import columns_of
from aimass.training.children.evaluate import evaluate
from aimass.training.children.fit import fit
from aimass.training.children.split import split
from aimass.training.children.tensors import tensor_of
from aimass.training.errors import Unlearnable
from aimass.training.recipes import find_recipe, load_recipe
from aimass.training.recipes.contract import Bench
from aimass.training.recipes.protocol import Table, parameters_of
from tests.fixtures.digits import digits

FRACTIONS = {"train": 0.6, "validation": 0.2, "test": 0.2}
Make = Callable[..., Any]


def job_of(make_job: Make, path: Path, frame: pl.DataFrame, **changes: Any) -> Any:
    frame.write_delta(str(path))
    key = "id" if "id" in frame.columns else None
    data = {"dataset": {"path": str(path), "version": 0}, "target": "digit", "key": key, "seed": 1}
    job = make_job({**data, "fractions": FRACTIONS})
    found = split(job)
    parts = {"file": str(job.out / found["file"]), "sha256": found["sha256"]}
    return make_job({**data, "split": parts, "recipe": "logistic_regression", "folds": 2, **changes})


def test_a_split_tells_which_columns_are_lists_that_can_be_learned_from(make_job: Make, tmp_path: Path) -> None:
    odd = pl.Series("odd", [[0.5] * (2 + place % 2) for place in range(digits().height)])
    digits().with_columns(odd, digits()["pixels"].alias("_raw")).write_delta(str(tmp_path / "images"))
    data = {"dataset": {"path": str(tmp_path / "images"), "version": 0}, "target": "digit", "key": None, "seed": 1}
    assert split(make_job({**data, "fractions": FRACTIONS}))["lists"] == {"pixels": 64}


@pytest.mark.parametrize(
    ("recipe", "params"), [("logistic_regression", {}), ("lightgbm", {"trees": 10, "max_leaves": 4})]
)
def test_images_are_one_input_of_a_package_that_answers_like_the_model(
    make_job: Make, tmp_path: Path, recipe: str, params: dict[str, Any]
) -> None:
    shade = pl.Series("shade", [["dark", "light"][n % 2] for n in range(400)])
    job = job_of(make_job, tmp_path / "lake", digits().with_columns(shade), recipe=recipe, params=params)
    found = fit(job)
    package = verify_package(job.out / "package")
    assert [(one.name, one.type, one.shape) for one in package.manifest.signature.inputs] == [
        ("pixels", "float", (-1, 64)),
        ("shade", "string", None),
    ]
    assert found["package"]["runtime"] == "onnx"
    assert found["metrics"]["accuracy"] > 0.9
    sample = package.samples()["inputs"]
    assert np.shape(sample["pixels"]) == (20, 64)
    assert len(load_model(package).predict(sample)["label"]) == 20
    judged = evaluate(make_job({**job.params, "package": str(package.folder), "part": "test"}))
    assert judged["metrics"]["accuracy"] > 0.9


def test_a_model_that_stays_python_takes_images_too(tmp_path: Path) -> None:
    frame = digits(200)
    arrays = frame.select(pl.col("pixels").cast(pl.Array(pl.Float32, 64)), shade=pl.lit("dark"))
    table = Table(features=arrays, truth=(frame["digit"].rank("dense") - 1).cast(pl.Int64).to_numpy())
    names = tuple(frame["digit"].unique().sort().to_list())
    inputs = (Column(name="pixels", type="float", shape=(-1, 64)), Column(name="shade", type="string"))
    outputs = (
        Output(name="label", type="string", shape=(-1,)),
        Output(name="probabilities", type="float", shape=(-1, len(names)), classes=names),
    )
    manifest, recipe = find_recipe("logistic_regression"), load_recipe("logistic_regression")
    bench = Bench(
        task="classification",
        params=parameters_of(manifest.check({}), manifest.parameters),
        signature=Signature(inputs=inputs, outputs=outputs),
        tables={"train": table},
    )
    model = recipe.fit(bench)
    candidate = replace(recipe.package(bench, model), to_onnx=None, why_not_onnx="the test says so")
    rows = Rows(columns=columns_of(arrays), expected=recipe.predict(bench, model, arrays))
    package, parity = build_package(tmp_path / "package", candidate, rows)
    assert (package.manifest.runtime, parity.passed) == ("python", True)
    assert recipe.importance(bench, model)["pixels"] > 0.9


def test_without_a_key_images_are_in_one_order_and_named_by_their_content(make_job: Make, tmp_path: Path) -> None:
    job = job_of(make_job, tmp_path / "lake", digits(200).drop("id"))
    assert fit(job)["metrics"]["accuracy"] > 0.8


def lists(frame: pl.DataFrame, row: int, value: Any) -> pl.DataFrame:
    cells = frame["pixels"].to_list()
    cells[row] = value
    return frame.with_columns(pl.Series("pixels", cells, dtype=pl.List(pl.Float64)))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "the list of 1 of 120 rows is missing"),
        ([0.0] * 63 + [None], "a null, or a number that is not finite"),
        ([0.0] * 63 + [float("inf")], "not finite"),
        ([0.0] * 63 + [float("nan")], "not finite"),
        ([1e39] * 64, "not finite"),
    ],
)
def test_a_list_that_holds_no_image_is_refused(make_job: Make, tmp_path: Path, value: Any, said: str) -> None:
    job = job_of(make_job, tmp_path / "lake", lists(digits(120), 3, value))
    with pytest.raises(Unlearnable, match=said) as refused:
        fit(job)
    assert (refused.value.field, refused.value.value) == ("features", "pixels")


def test_lists_of_several_lengths_are_left_out_and_refused_where_they_were_chosen(
    make_job: Make, tmp_path: Path
) -> None:
    frame = lists(digits(120), 3, [1.0]).with_columns(pl.Series("age", range(120)))
    job = job_of(make_job, tmp_path / "lake", frame)
    assert (
        "column 'pixels' left out: its lists hold 1 to 64 numbers, and all must hold equally many" in fit(job)["notes"]
    )
    job.params["features"] = ["pixels"]
    with pytest.raises(Unlearnable, match="1 to 64 numbers"):
        fit(job)


def test_later_lists_of_another_length_are_refused_with_both_lengths() -> None:
    with pytest.raises(Unlearnable, match="the list of 2 of 2 rows holds 2 numbers, and those learned from hold 3"):
        tensor_of(pl.Series("pixels", [[1, 2], [3, 4]]), 3)
    assert tensor_of(pl.Series("pixels", [], dtype=pl.List(pl.Int8)), 3).to_numpy().shape == (0, 3)
    assert tensor_of(pl.Series("pixels", [[1, 2]], dtype=pl.Array(pl.UInt8, 2)), 2).to_list() == [[1.0, 2.0]]


def test_texts_are_no_lists_for_a_model_of_lists(make_job: Make, tmp_path: Path) -> None:
    job = job_of(make_job, tmp_path / "lake", digits(120))
    fit(job)
    texts = digits(120).with_columns(pl.lit("[1, 2]").alias("pixels"))
    texts.write_delta(str(tmp_path / "texts"))
    other = {**job.params, "dataset": {"path": str(tmp_path / "texts"), "version": 0}}
    with pytest.raises(Invalid, match="column 'pixels' holds String, and the model takes lists of 64 numbers"):
        evaluate(make_job({**other, "package": str(job.out / "package"), "part": "test"}))
