"""The job that scores, in this process: what it feeds, what it writes, and how it goes on after a sudden end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from deltalake import DeltaTable
from hypothesis import given
from hypothesis import strategies as st

from aimass.infra.segments import closed_segments, read_segment
from aimass.kernel.errors import Conflict, Invalid
from aimass.lake import Commit, Part, commit_parts
from aimass.models import Column
from aimass.models.runtimes.onnx.run import _numbers, _strings
from aimass.serving.children import scorers, written
from aimass.serving.children.feeds import Feeder
from aimass.serving.children.score import score
from tests.fixtures.packages import packages
from tests.fixtures.scoring import context, rows


class Dying(Exception):
    """The end of a process, as far as a test can have one."""


def params(folder: Path, frame: pl.DataFrame, **more: Any) -> dict[str, Any]:
    frame.write_delta(str(folder / "source"))
    return {
        "scoring": "01TEST",
        "source": {"path": str(folder / "source"), "version": 0, "rows": frame.height},
        "package": str(packages()["one"]),
        "unseen": None,
        "inputs": {"c0": "c0", "c1": "c1"},
        "keep": ["id"],
        "prefix": "",
        "to": {"path": str(folder / "lake" / "y"), "mode": "overwrite", "private": []},
        "describe": {"rules": [], "classification": []},
        "data": str(folder),
        "record": {"every": 2, "payload": True, "head": {"workspace": "demo", "endpoint": "churn"}},
        "labels": {"workspace": "demo", "model": "churn", "version": "1"},
        "worker": {"memory_bytes": 1 << 31},
        **more,
    }


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 100 rows and parts of 300, so that few rows are many of both."""
    monkeypatch.setattr(written, "PART_ROWS", 300)
    monkeypatch.setattr(scorers.InlineScorer, "chunk_rows", 100)


@pytest.mark.usefixtures("small")
def test_an_attempt_that_died_goes_on_behind_its_finished_parts(tmp_path: Path, monkeypatch: Any) -> None:
    wish = params(tmp_path, rows(1050))
    first = context(tmp_path / "job", wish)
    saved: list[bytes] = []

    def save(state: bytes, name: str = "state") -> None:
        saved.append(state)
        if len(saved) == 3:
            raise Dying
        type(first).save(first, state, name)

    monkeypatch.setattr(first, "save", save)
    with pytest.raises(Dying):
        score(first)
    second = context(tmp_path / "job", wish, attempt=2)
    logged: list[str] = []
    monkeypatch.setattr(second, "log", logged.append)
    done = score(second)
    assert logged[0] == "600 rows were scored before"
    table = pl.read_delta(wish["to"]["path"])
    assert table["id"].to_list() == list(range(1050))
    assert table["request_id"].n_unique() == 11
    assert (done["rows"], done["already"], done["version"]["rows"]) == (1050, False, 1050)
    third = score(context(tmp_path / "job", wish, attempt=3))
    assert (third["already"], third["version"]["delta_version"]) == (True, done["version"]["delta_version"])


@pytest.mark.usefixtures("small")
def test_whole_requests_are_recorded_evenly_with_what_was_asked_and_said(tmp_path: Path) -> None:
    wish = params(tmp_path, rows(1050))
    score(context(tmp_path / "job", wish))
    records = [r for path in closed_segments(tmp_path / "records/batch-0") for r in read_segment(path).objects()]
    assert [(r["id"], r["rows"]) for r in records] == [(f"01TEST-{n}", 100 if n < 10 else 50) for n in range(0, 11, 2)]
    table = pl.read_delta(wish["to"]["path"])
    first = table.filter(pl.col("request_id") == "01TEST-2").sort("row")
    assert records[1]["outputs"]["label"] == first["prediction"].to_list()
    assert records[1]["inputs"]["c1"] == rows(1050)["c1"][200:300].to_list()
    assert {(r["origin"], r["latency_us"]) for r in records} == {("batch", None)}
    series = [s for path in closed_segments(tmp_path / "series/batch-0") for s in read_segment(path).objects()]
    assert sum(point["value"] for one in series for point in one["points"]) == 1050


def test_rows_that_went_meanwhile_are_noticed(tmp_path: Path) -> None:
    wish = params(tmp_path, rows(20))
    wish["source"]["rows"] = 21
    with pytest.raises(Conflict, match="20 rows were read, and the version has 21"):
        score(context(tmp_path / "job", wish))


WORDS = ("basic", "plus", "é")
INPUTS = (
    Column(name="word", type="string", nullable=True, categories=WORDS),
    Column(name="text", type="string", nullable=True),
    Column(name="size", type="float", nullable=True),
    Column(name="count", type="integer", nullable=True),
    Column(name="flag", type="boolean", nullable=True),
)
_LINES = st.lists(
    st.tuples(
        st.none() | st.sampled_from([*WORDS, "gold", ""]),
        st.none() | st.text(max_size=5),
        st.none() | st.floats(-1e30, 1e30),
        st.none() | st.integers(-(2**40), 2**40),
        st.none() | st.booleans(),
    ),
    min_size=1,
    max_size=20,
)
_SCHEMA = {"word": pl.String, "text": pl.String, "size": pl.Float64, "count": pl.Int64, "flag": pl.Boolean}


@given(_LINES)
def test_columns_become_the_same_arrays_as_single_requests(lines: list[tuple[Any, ...]]) -> None:
    frame = pl.DataFrame(lines, schema=_SCHEMA, orient="row")
    fed = Feeder(INPUTS, {one.name: one.name for one in INPUTS}, None).arrays(frame, 0)
    for one in INPUTS:
        make = _strings if one.type == "string" else _numbers
        np.testing.assert_array_equal(fed.values[one.name], make(frame[one.name].to_list()), err_msg=one.name)
    strange = [line[0] not in (None, "", *WORDS) for line in lines]
    assert fed.unseen.get("word", np.array([False])).sum() == sum(strange)


@pytest.mark.parametrize(
    ("column", "frame", "said"),
    [
        (Column(name="a", type="float"), {"a": [1.0, None]}, r"row 71: input 'a' may not be null"),
        (Column(name="a", type="float"), {"a": [1.0, float("nan")]}, r"row 71: input 'a' may not be null"),
        (Column(name="a", type="float"), {"a": [1e39, 1.0]}, r"row 70: 1e\+39 in column 'a' is outside the range"),
        (Column(name="a", type="integer"), {"a": [1.0, 1.5]}, r"row 71: 1.5 in column 'a' is no whole number"),
        (Column(name="a", type="string"), {"a": ["x", None]}, r"row 71: input 'a' may not be null"),
        (
            Column(name="a", type="string", categories=("x",), unseen="refuse"),
            {"a": ["x", "y"]},
            r"row 71: 'y' in column 'a' is none of the categories",
        ),
    ],
)
def test_a_value_that_the_model_does_not_take_is_named_with_its_row(
    column: Column, frame: dict[str, list[Any]], said: str
) -> None:
    with pytest.raises(Invalid, match=said) as refused:
        Feeder((column,), {"a": "a"}, None).arrays(pl.DataFrame(frame), 70)
    assert refused.value.field == "a"
    assert refused.value.hint


def test_finished_files_become_part_of_a_table_once(tmp_path: Path) -> None:
    parts = []
    for number in range(2):
        file = tmp_path / f"{number}.parquet"
        pl.DataFrame({"a": [number], "b": ["x"]}).write_parquet(file)
        parts.append(Part(file=file, rows=1))
    table, order = tmp_path / "lake" / "t", Commit(app_id="s", batch=1, private=frozenset({"b"}))
    first, again = commit_parts(table, parts, order), commit_parts(table, parts, order)
    assert (first.already, again.already, first.version) == (False, True, again.version)
    assert sorted(pl.read_delta(str(table))["a"]) == [0, 1]
    assert DeltaTable(str(table)).metadata().configuration["delta.dataSkippingStatsColumns"] == "a"
    replaced = commit_parts(table, parts[:1], Commit(app_id="s", batch=2, mode="overwrite"))
    assert pl.read_delta(str(table))["a"].to_list() == [0]
    assert pl.read_delta(str(table), version=first.version).height == 2
    wide = tmp_path / "wide.parquet"
    pl.DataFrame({"a": [7], "c": [1.5]}).write_parquet(wide)
    done = commit_parts(table, [Part(file=wide, rows=1)], Commit(app_id="s", batch=3, mode="append"))
    assert done.version == replaced.version + 1
    assert pl.read_delta(str(table)).sort("a").to_dicts() == [
        {"a": 0, "b": "x", "c": None},
        {"a": 7, "b": None, "c": 1.5},
    ]
