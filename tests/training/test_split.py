from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from aimass.kernel.errors import Conflict, Invalid, NotFound
from aimass.training.children.assigning import assign_groups
from aimass.training.children.sources import read_split
from aimass.training.children.split import split
from aimass.training.errors import Unlearnable

FRACTIONS = {"train": 0.6, "validation": 0.1, "test": 0.15, "future": 0.15}
Make = Callable[..., Any]


def payload(dataset: dict[str, Any], **changes: Any) -> dict[str, Any]:
    base = {"dataset": dataset, "target": "Churn", "key": "customerID", "fractions": FRACTIONS, "seed": 7}
    return {**base, **changes}


def stored(path: Path, frame: pl.DataFrame) -> dict[str, Any]:
    frame.write_delta(str(path), mode="append")
    return {"path": str(path), "version": 0}


def tiny(rows: int = 60) -> pl.DataFrame:
    return pl.DataFrame({"x": list(range(rows)), "y": ["a", "b"] * (rows // 2)})


def test_every_row_gets_one_part_in_the_shares_wanted(dataset: dict[str, Any], make_job: Make) -> None:
    found = split(make_job(payload(dataset)))
    assert found["rows"] == 7032
    assert found["counts"] == {"train": 4219, "validation": 703, "test": 1056, "future": 1054}


def test_each_part_has_the_share_of_each_class(dataset: dict[str, Any], make_job: Make) -> None:
    classes = split(make_job(payload(dataset)))["classes"]
    shares = [part["Yes"] / (part["Yes"] + part["No"]) for part in classes.values()]
    assert max(shares) - min(shares) < 0.002


def test_the_same_seed_gives_the_same_file_and_another_seed_another(dataset: dict[str, Any], make_job: Make) -> None:
    first, again, other = (split(make_job(payload(dataset, seed=seed)))["sha256"] for seed in (7, 7, 8))
    assert first == again != other


def test_the_split_does_not_depend_on_the_order_of_the_rows(
    churn: pl.DataFrame, dataset: dict[str, Any], tmp_path: Path, make_job: Make
) -> None:
    turned = stored(tmp_path / "turned", churn.reverse())
    assert split(make_job(payload(turned)))["sha256"] == split(make_job(payload(dataset)))["sha256"]


def test_rows_put_aside_that_returned_are_learned_from_and_judging_rows_stay(
    dataset: dict[str, Any], tmp_path: Path, make_job: Make
) -> None:
    first = make_job(payload(dataset))
    split(first)
    base = pl.read_parquet(first.out / "split.parquet")
    came = {part: base.filter(part=part)["identity"].head(10) for part in ("future", "test")}
    returned = pl.DataFrame({"customerID": [*came["future"], *came["test"], None]})
    returned.write_parquet(tmp_path / "returned.parquet")
    told = {"path": str(tmp_path / "returned.parquet"), "column": "customerID"}
    second = make_job(payload(dataset, base=str(first.out / "split.parquet"), returned=told))
    counts = split(second)["counts"]
    assert counts == {"train": 4229, "validation": 703, "test": 1056, "future": 1044}
    after = pl.read_parquet(second.out / "split.parquet")
    assert set(after.filter(pl.col("identity").is_in(came["future"].to_list()))["part"]) == {"train"}


def test_rows_keep_their_part_when_the_dataset_grows(churn: pl.DataFrame, tmp_path: Path, make_job: Make) -> None:
    path = tmp_path / "growing"
    first = make_job(payload(stored(path, churn.head(5000))))
    split(first)
    churn.tail(500).write_delta(str(path), mode="append")
    base = str(first.out / "split.parquet")
    second = make_job(payload({"path": str(path), "version": 1}, base=base))
    found = split(second)
    before, after = (pl.read_parquet(job.out / "split.parquet") for job in (first, second))
    assert after.join(before, on=["identity", "part"]).height == 5000
    assert found["counts"]["train"] == before.filter(pl.col("part") == "train").height + 500


def test_rows_without_key_are_known_by_their_content(tmp_path: Path, make_job: Make) -> None:
    path = tmp_path / "nokey"
    first = make_job(payload(stored(path, tiny()), key=None, target="y"))
    split(first)
    tiny(80).tail(20).write_delta(str(path), mode="append")
    base = str(first.out / "split.parquet")
    found = split(make_job(payload({"path": str(path), "version": 1}, key=None, target="y", base=base)))
    assert found["rows"] == 80
    assert found["counts"]["test"] == pl.read_parquet(base).filter(pl.col("part") == "test").height


def test_rows_without_target_are_left_out_with_a_note(tmp_path: Path, make_job: Make) -> None:
    frame = tiny().with_columns(pl.when(pl.col("x") == 3).then(None).otherwise(pl.col("y")).alias("y"))
    found = split(make_job(payload(stored(tmp_path / "d", frame), key=None, target="y")))
    assert found["counts"]["none"] == 1
    assert found["notes"] == ["1 rows left out: their target is null"]


@pytest.mark.parametrize(
    ("fractions", "words"),
    [
        ({"train": 0.5, "validation": 0.1, "test": 0.1}, "1 in sum"),
        ({"train": 0.5, "validation": 0.5}, "need rows"),
        ({"train": 0.5, "holdout": 0.5}, "holdout"),
    ],
)
def test_fractions_that_make_no_sense_are_refused(
    dataset: dict[str, Any], make_job: Make, fractions: dict[str, float], words: str
) -> None:
    with pytest.raises(Invalid, match=words):
        split(make_job(payload(dataset, fractions=fractions)))


def test_an_empty_dataset_is_refused(tmp_path: Path, make_job: Make) -> None:
    with pytest.raises(Unlearnable, match="no rows"):
        split(make_job(payload(stored(tmp_path / "d", tiny().clear()), key=None, target="y")))


def test_a_target_that_is_missing_is_refused_with_the_columns(dataset: dict[str, Any], make_job: Make) -> None:
    with pytest.raises(Invalid, match="'churned'") as caught:
        split(make_job(payload(dataset, target="churned")))
    assert caught.value.field == "target"
    assert "Churn" in caught.value.allowed


def test_a_target_of_one_class_is_refused(tmp_path: Path, make_job: Make) -> None:
    frame = tiny().with_columns(pl.lit("same").alias("y"))
    with pytest.raises(Unlearnable, match="1 class"):
        split(make_job(payload(stored(tmp_path / "d", frame), key=None, target="y")))


def test_a_target_of_fractions_is_refused(tmp_path: Path, make_job: Make) -> None:
    frame = tiny().with_columns((pl.col("x") / 7).alias("y"))
    with pytest.raises(Unlearnable, match="fractions"):
        split(make_job(payload(stored(tmp_path / "d", frame), key=None, target="y", task="classification")))


def test_a_target_of_fractions_is_found_to_be_for_regression(tmp_path: Path, make_job: Make) -> None:
    frame = tiny().with_columns((pl.col("x") / 7).alias("y"))
    found = split(make_job(payload(stored(tmp_path / "d", frame), key=None, target="y")))
    assert (found["task"], found["classes"]) == ("regression", {})
    assert found["notes"] == ["the task is regression: target 'y' holds fractions"]


def test_a_class_with_too_few_rows_is_refused_by_name(tmp_path: Path, make_job: Make) -> None:
    frame = tiny().with_columns(pl.when(pl.col("x") < 2).then(pl.lit("rare")).otherwise(pl.col("y")).alias("y"))
    with pytest.raises(Unlearnable, match="'rare' has too few rows"):
        split(make_job(payload(stored(tmp_path / "d", frame), key=None, target="y")))


def test_a_version_or_a_dataset_that_is_not_there_is_named(
    dataset: dict[str, Any], tmp_path: Path, make_job: Make
) -> None:
    with pytest.raises(NotFound, match="no version 9"):
        split(make_job(payload({**dataset, "version": 9})))
    with pytest.raises(NotFound, match="no dataset"):
        split(make_job(payload({"path": str(tmp_path / "nowhere"), "version": 0})))


def test_a_changed_split_file_is_refused(dataset: dict[str, Any], make_job: Make) -> None:
    job = make_job(payload(dataset))
    found = split(job)
    with pytest.raises(Conflict, match="changed"):
        read_split(str(job.out / "split.parquet"), "0" * 64, found["rows"])
    with pytest.raises(Conflict, match="7032 rows"):
        read_split(str(job.out / "split.parquet"), found["sha256"], 5)


@pytest.mark.parametrize("is_drawn", [True, False])
def test_parts_hold_groups_of_all_sizes(is_drawn: bool) -> None:
    sizes = np.random.default_rng(4).integers(1, 13, 800)
    groups = pl.Series("visit", np.repeat(np.arange(800), sizes)).cast(pl.String)
    shares = {"train": 0.6, "validation": 0.1, "test": 0.15, "future": 0.15}
    parts = assign_groups(groups, groups.is_not_null(), shares, 0, is_drawn=is_drawn)
    table = pl.DataFrame({"group": groups, "part": parts})
    for (part,), rows in table.group_by("part"):
        assert rows.height == pytest.approx(shares[str(part)] * len(groups), abs=12)
        assert rows.height / rows["group"].n_unique() == pytest.approx(sizes.mean(), rel=0.15), part


def test_groups_that_are_large_beside_a_part_keep_its_share() -> None:
    sizes = {"a": 60, "b": 40, "c": 30, "d": 20, "e": 15, "f": 15, "g": 10, "h": 10}
    groups = pl.Series("clinic", [name for name, rows in sizes.items() for _ in range(rows)])
    shares = {"train": 0.6, "validation": 0.1, "test": 0.15, "future": 0.15}
    for seed in range(5):
        counts = dict(assign_groups(groups, groups.is_not_null(), shares, seed).value_counts().iter_rows())
        assert counts == {part: pytest.approx(share * len(groups), abs=5) for part, share in shares.items()}
