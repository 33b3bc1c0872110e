"""More rows and varied texts: what is made of training rows, and that nothing that judges a model is touched."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from aimass.models import Column, Signature
from aimass.training.children.fit import fit
from aimass.training.children.split import split
from aimass.training.children.targets import outputs_of
from aimass.training.errors import Unlearnable
from aimass.training.recipes import find_recipe, load_recipe
from aimass.training.recipes.enlarging import enlarged
from aimass.training.recipes.protocol import Table
from aimass.training.recipes.text_linear.varied import varied
from tests.training.conftest import MakeJob

INPUTS = (
    Column(name="size", type="float", nullable=True),
    Column(name="plan", type="string", nullable=True, categories=("a", "b")),
    Column(name="count", type="integer", nullable=True),
)


@dataclass
class Rows:
    """Training rows, of which one in ten is of the rare class; whoever asks for others is told so."""

    params: Any
    task: str = "classification"
    seed: int = 3
    threads: int = 1
    base: bytes | None = None
    steps: list[Any] = field(default_factory=list)

    @property
    def signature(self) -> Signature:
        return Signature(inputs=INPUTS, outputs=outputs_of(("no", "yes") if self.task == "classification" else ()))

    def data(self, part: str) -> Table:
        assert part == "train", "what judges a model is none of a recipe's business"
        rng = np.random.default_rng(0)
        rare = np.arange(300) % 10 == 0
        size = np.where(rare, 2.0, 0.0) + rng.normal(size=300)
        columns = {"size": [None, *size[1:]], "plan": ["a", "b", None] * 100, "count": [1, 2, 3, 4] * 75}
        return Table(features=pl.DataFrame(columns), truth=rare.astype(np.int64) if self.signature.classes else size)

    def report(self, step: int, total: int, **metrics: float) -> None:
        self.steps.append((step, total, metrics))

    def look(self, *_: Any) -> None:
        """Nobody watches."""


def rows_of(recipe: str, task: str = "classification", **params: Any) -> Rows:
    manifest = find_recipe(recipe)
    return Rows(params=manifest.parameters.model_validate(manifest.check(params)), task=task)


@pytest.mark.parametrize("way", ["noise", "mixup", "between"])
def test_more_rows_keep_the_rows_and_what_each_class_weighs(way: str) -> None:
    ctx = rows_of("random_forest", augment=way)
    table = ctx.data("train")
    found = enlarged(ctx, table)
    first = found.features.head(300)
    assert first.equals(table.features.cast({"count": pl.Float64}))
    assert found.truth[:300].tolist() == table.truth.tolist()
    assert len(found.truth) == len(found.weights) == found.features.height > 500
    for number, count in enumerate(np.bincount(table.truth)):
        assert found.weights[found.truth == number].sum() == pytest.approx(count)
    assert enlarged(ctx, table).features.equals(found.features), "the same seed makes the same rows"
    assert found.features["plan"].drop_nulls().is_in(["a", "b"]).all()
    if way == "between":
        assert np.bincount(found.truth).tolist() == [270, 270]
        rare, known = (found.features["size"].filter(pl.Series(found.truth == 1)), table.features["size"])
        low, high = (getattr(known.filter(pl.Series(table.truth == 1)), end)() for end in ("min", "max"))
        assert low <= rare.min() <= rare.max() <= high


@pytest.mark.parametrize("recipe", ["random_forest", "logistic_regression", "lightgbm"])
def test_probabilities_keep_their_meaning_when_a_rare_class_is_filled_up(recipe: str) -> None:
    plain, filled = rows_of(recipe), rows_of(recipe, augment="between")
    shares = []
    for ctx in (plain, filled):
        run = load_recipe(recipe)
        shares.append(run.predict(ctx, run.fit(ctx), ctx.data("train").features)[:, 1].mean())
    assert shares == pytest.approx([0.1, 0.1], abs=0.02)


def test_numbers_are_mixed_with_their_truth_and_have_no_rare_class() -> None:
    ctx = rows_of("linear_regression", "regression", augment="mixup", augment_share=2)
    whole = ctx.data("train")
    table = Table(features=whole.features[1:], truth=whole.truth[1:])  # the first one's size is not known
    found = enlarged(ctx, table)
    assert np.allclose(found.features["size"].to_numpy(), found.truth), "number and truth lie between the same two rows"
    assert (len(found.truth), found.weights.sum()) == (3 * 299, pytest.approx(299))
    with pytest.raises(Unlearnable, match="no rare classes"):
        enlarged(rows_of("random_forest", "regression", augment="between"), ctx.data("train"))
    with pytest.raises(Unlearnable, match="for classes and numbers"):
        load_recipe("random_forest").fit(rows_of("random_forest", "ranking", augment="noise"))


def test_copies_of_texts_vary_by_words_and_by_signs() -> None:
    rng = np.random.default_rng(0)
    texts = ["The parcel, came late again", "手机很好，电池也很大", "short", ""]
    assert varied(texts, rng, dropped=0, swapped=0, mistyped=0) == texts
    for _ in range(20):
        english, chinese, *rest = varied(texts, rng, dropped=0.4, swapped=0, mistyped=0)
        assert set(english.replace(",", "").split()) <= set(texts[0].replace(",", "").split())
        assert english.replace(",", "").split()
        assert set(chinese) <= set(texts[1])
        assert len(chinese.replace("，", "")) >= 1
        assert rest == ["short", ""]
        swapped = varied(texts, rng, dropped=0, swapped=0.5, mistyped=0)
        assert [sorted(one) for one in swapped] == [sorted(one) for one in texts]
    assert varied(texts, rng, dropped=0, swapped=0, mistyped=0.5)[1] == texts[1], "one sign has no letters"


def test_a_run_with_copies_judges_each_row_once_and_tears_no_group(tmp_path: Path, make_job: MakeJob) -> None:
    rng = np.random.default_rng(1)
    who = np.arange(240) // 4
    says = np.where(rng.random(240) < 0.5, "good phone, fast and light", "bad battery and slow")
    frame = pl.DataFrame(
        {"who": [f"p{n}" for n in who], "says": says.tolist(), "y": (says != says[0]).astype(str).tolist()}
    )
    frame = frame.with_columns(
        pl.format("{} {}", "says", pl.Series(rng.choice(["today", "again", "手机"], 240))).alias("says")
    )
    frame.write_delta(str(tmp_path / "d"))
    asked = {"dataset": {"path": str(tmp_path / "d"), "version": 0}, "target": "y", "key": None, "group": "who"}
    cut = make_job({**asked, "fractions": {"train": 0.6, "validation": 0.2, "test": 0.2}, "seed": 1})
    parts = split(cut)
    where = {"file": str(cut.out / parts["file"]), "sha256": parts["sha256"]}
    params = {"copies": 2, "dropped": 0.3, "mistyped": 0.2, "min_rows": 1}
    job = make_job({**asked, "split": where, "recipe": "text_linear", "params": params, "folds": 3})
    found = fit(job)
    assert found["metrics"]["cv_roc_auc"] > 0.95
    said = pl.read_parquet(job.out / "folds.parquet")
    table = pl.read_parquet(where["file"]).filter(pl.col("part") == "train")
    assert sorted(said["row"]) == sorted(table["row"])
    folds = said.with_columns(who=frame["who"].gather(said["row"]))
    assert folds.group_by("who").agg(pl.col("fold").n_unique())["fold"].max() == 1
