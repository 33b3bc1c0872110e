"""Splits by group and by time together: later rows of groups that nothing was learned of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from aimass.training.children.newcomers import assign_both, cuts_of_both
from aimass.training.children.split import split
from aimass.training.children.table import Source, prepare
from aimass.training.errors import Unlearnable

FRACTIONS = {"train": 0.6, "validation": 0.15, "test": 0.25, "future": 0.0}
Make = Callable[..., Any]


def shops(rows: int, groups: int, span: int) -> pl.DataFrame:
    """Rows of shops, each open for ``span`` of the moments, one after the other."""
    rng = np.random.default_rng(3)
    shop = rng.integers(0, groups, rows)
    first = np.linspace(0, rows - span, groups).astype(int)
    return pl.DataFrame({"shop": [f"s{one}" for one in shop], "at": first[shop] + rng.integers(0, span, rows)})


def parts_of(frame: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    parts, notes = assign_both(frame["shop"], frame["at"], pl.Series([True] * frame.height), FRACTIONS)
    return frame.with_columns(parts), notes


@pytest.mark.parametrize(("span", "least"), [(40, 0.9), (2_000, 0.95 / 2.83)])
def test_later_rows_of_new_groups_judge_and_as_many_rows_stay_as_can(span: int, least: float) -> None:
    found, notes = parts_of(shops(2_000, 60, span))
    kept = found.filter(pl.col("part") != "none")
    assert kept.group_by("shop").agg(pl.col("part").n_unique())["part"].max() == 1
    spans = {name: kept.filter(part=name)["at"] for name in ("train", "validation", "test")}
    assert spans["train"].max() < spans["validation"].min() <= spans["validation"].max() < spans["test"].min()
    shares = dict(kept["part"].value_counts(normalize=True).iter_rows())
    assert [shares[name] for name in spans] == pytest.approx([0.6, 0.15, 0.25], abs=0.05)
    assert kept.height / found.height > least  # 1 / (sum of the roots of the shares) ** 2 is 1 / 2.72: none does better
    assert notes == [
        f"{2_000 - kept.height} of 2000 rows left out: their group and their time belong to different parts"
    ]


def test_a_fold_is_judged_on_later_rows_of_groups_that_it_did_not_learn_from() -> None:
    frame = shops(600, 20, 300)
    times, groups = frame["at"].to_numpy(), frame["shop"].to_numpy()
    cuts = cuts_of_both(frame["at"], groups, 4, 1)
    assert len(cuts) == 4
    for inside, outside in cuts:
        assert times[inside].max() < times[outside].min()
        assert not set(groups[inside]) & set(groups[outside])
    judged = np.concatenate([outside for _, outside in cuts])
    assert len(judged) == len(set(judged)) > 600 * 4 / 5 / 4  # a quarter of the groups, and those that begin in a span


def test_groups_that_all_live_at_once_and_are_few_are_refused_with_the_way_out() -> None:
    with pytest.raises(Unlearnable, match="no group of its own has rows in its time") as caught:
        parts_of(shops(50, 2, 50))
    assert caught.value.field == "group_column"
    with pytest.raises(Unlearnable, match="fold 1 has no rows of other groups"):
        cuts_of_both(pl.Series([1, 2, 3, 4]), np.array(["a", "a", "a", "b"]), 2, 0)


def test_the_job_splits_by_both_and_what_is_learned_from_obeys(tmp_path: Path, make_job: Make) -> None:
    frame = shops(400, 20, 60).with_columns(x=pl.col("at") * 0.5, y=pl.col("at") % 7 + 0.5)
    frame = frame.with_columns(at=pl.when(pl.int_range(pl.len()) == 5).then(None).otherwise(pl.col("at")))
    frame.write_delta(str(tmp_path / "d"))
    wish = {"dataset": {"path": str(tmp_path / "d"), "version": 0}, "target": "y", "key": None, "seed": 1}
    wish |= {"fractions": FRACTIONS, "group": "shop", "time": "at", "task": "regression"}
    job = make_job(wish)
    found = split(job)
    assert found["notes"][0] == "1 rows left out: their time is null"
    assert found["counts"]["none"] > 1
    file = {"file": str(job.out / found["file"]), "sha256": found["sha256"]}
    data = prepare(Source.of(wish), file)
    assert [one.name for one in data.signature.inputs] == ["x"]
    assert (data.groups is None, data.times is None) == (False, False)
    told = {"dataset": {**wish["dataset"], "version": 1}, "task": "ranking", "target": "wanted"}
    ranked = make_job({**wish, **told})
    frame.with_columns(wanted=pl.col("y").cast(pl.Int64) % 3).write_delta(
        str(tmp_path / "d"), mode="overwrite", delta_write_options={"schema_mode": "overwrite"}
    )
    split(ranked)
    parts = pl.read_parquet(ranked.out / "split.parquet")["part"]
    lists = prepare(Source.of(ranked.params), {"file": str(ranked.out / "split.parquet"), "sha256": None})
    assert len(parts) == 400
    whole = pl.read_delta(str(tmp_path / "d"), version=1)["shop"].value_counts()
    kept = lists.groups.value_counts().rename({lists.groups.name: "shop"})
    assert kept.join(whole, on=["shop", "count"]).height == kept.height  # no list is torn
