"""Monitoring of models that choose several labels: records, feedback, live quality and drift."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import f1_score

from aimass.gateway.plane.package import Package
from aimass.gateway.plane.payload import kept_outputs
from aimass.monitoring.children.feedback import labelled, push
from aimass.monitoring.children.quality import share
from aimass.monitoring.children.rows import frame_of
from aimass.monitoring.children.sets import is_of_sets, measure_sets
from aimass.monitoring.domain.records import Label
from tests.monitoring.samples import make_record

NAMES = ("action", "drama 剧", "love")


def record(number: int, chosen: list[list[str]]) -> dict[str, Any]:
    """Make a record of several rows as the gateway writes it."""
    arrays = {"labels": np.array([[n if n in one else "" for n in NAMES] for one in chosen], dtype=object)}
    arrays["probabilities"] = np.full((len(chosen), 3), 0.5, dtype=np.float32)
    outputs = kept_outputs(package(), arrays)
    outputs = {name: one.tolist() if hasattr(one, "tolist") else one for name, one in outputs.items()}
    return {**make_record(number), "rows": len(chosen), "inputs": {"year": [1950] * len(chosen)}, "outputs": outputs}


def package() -> Package:
    outputs = [{"name": "probabilities", "classes": list(NAMES)}, {"name": "labels", "classes": None}]
    signature = {"inputs": [], "outputs": outputs}
    return Package(folder=Path(), runtime="onnx", signature=signature, columns={}, model=None)


def test_what_was_chosen_is_kept_as_one_text_in_which_feedback_speaks_too() -> None:
    rows = frame_of([record(1, [["love", "action"], []])], {})
    assert rows["label"].to_list() == ['["action", "love"]', "[]"]
    assert "output_labels" not in rows.columns
    assert is_of_sets(rows)
    assert Label(request_id="a", label=["love", "action", "love "]).text == rows["label"][0]
    scored = {
        **record(1, [["drama 剧"]]),
        "outputs": {"labels": [["", "drama 剧", ""]], "probabilities": [[0.1, 0.9, 0.2]]},
    }
    assert frame_of([scored], {})["label"].to_list() == ['["drama 剧"]'], "a job writes the labels as they come"


def texts(rows: Any) -> list[str]:
    return [
        Label(request_id="a", label=[name for name, has in zip(NAMES, row, strict=True) if has]).text for row in rows
    ]


def test_live_quality_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(2)
    truth, said = rng.random((200, 3)) < 0.4, rng.random((200, 3)) < 0.4
    found = measure_sets(pl.DataFrame({"label": texts(said), "truth": texts(truth)}))
    assert found["metrics"]["f1"]["value"] == pytest.approx(f1_score(truth, said, average="micro"))
    assert found["metrics"]["f1"]["low"] < found["metrics"]["f1"]["value"] < found["metrics"]["f1"]["high"]
    assert found["right"] == (truth == said).all(axis=1).sum()
    assert found["labels"] == dict(zip(NAMES, truth.sum(axis=0).tolist(), strict=True))
    one = measure_sets(pl.DataFrame({"label": ['["love"]'], "truth": ["love"]}))
    assert share(one["right"], 1)["value"] == 1, "one label alone may be told as a text"


@pytest.mark.parametrize(
    ("joined_by", "written"),
    [(None, ['["a;b", "love"]', "war", "[]"]), (";", ["a;b;love", "war", ""]), ("", [["a;b", "love"], ["war"], []])],
)
def test_what_was_fed_back_is_written_as_the_dataset_writes_it(
    tmp_path: Path, joined_by: Any, written: list[Any]
) -> None:
    records, told = [record(number, [["love"]]) for number in range(3)], [["love", "a;b"], "war", []]
    frame_of(records, {}).write_delta(str(tmp_path / "records"))
    labels = [Label(request_id=one["id"], label=label) for one, label in zip(records, told, strict=True)]
    tables = {"records": str(tmp_path / "records"), "feedback": str(tmp_path / "feedback")}
    push({**tables, "rows": [[seq + 1, one.request_id, 0, one.text, seq, None] for seq, one in enumerate(labels)]})
    found = labelled({**tables, "out": str(tmp_path / "rows.parquet"), "target": "topics", "joined_by": joined_by})
    assert pl.read_parquet(found["path"])["topics"].to_list() == written
    assert found["rows"] == 3
    if joined_by == "":
        assert found["labels"] == {"a;b": 1, "love": 1, "war": 1}
