"""Cells get their types whichever way is the quick one: it reads what the thorough one does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimass.collector.children import casting
from aimass.collector.children.casting import cast
from aimass.collector.connectors.messages import Parsed, batch_of, column
from aimass.collector.connectors.port import StreamColumn

NOON = datetime(2026, 5, 1, 12, 0, 1, tzinfo=UTC)
MOMENT = [StreamColumn(name="t", type="timestamp")]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-05-01T12:00:01Z", NOON),
        ("2026-05-01 12:00:01", NOON),
        ("2026-05-01T12:00:01", NOON),
        ("2026-05-01T14:00:01+02:00", NOON),
        ("2026-05-01 14:00:01+02", NOON),
        ("2026-05-01T17:30:01.250+0530", NOON + timedelta(milliseconds=250)),
        ("2026-05-01T12:00:01.123456789Z", NOON + timedelta(microseconds=123_456)),
        (" 2026-05-01T12:00:01Z ", NOON),
        ("20260501T120001Z", NOON),
        ("2026-05-01T12:00Z", NOON - timedelta(seconds=1)),
        ("2026-13-01T00:00:00Z", None),
        ("2026-05-01TT12:00:01Z", None),
        ("yesterday", None),
    ],
)
def test_a_moment_is_read_alone_and_among_others(text, moment):
    for others in ([], ["2026-05-01T12:00:01Z"], ["2026-05-01 12:00:01"]):
        typed, good, _ = cast(pl.DataFrame({"t": [text, *others]}), MOMENT)
        assert typed["t"].to_list() == [moment, *[NOON] * len(others)]
        assert good[0] == (moment is not None)


def test_moments_of_the_usual_form_are_read_all_at_once(monkeypatch):
    monkeypatch.setattr(casting, "_moment", None)
    texts = ["2026-05-01T12:00:01Z", "2026-05-01T12:00:01.5+02:00", None]
    assert cast(pl.DataFrame({"t": texts}), MOMENT)[0]["t"].null_count() == 1


def test_rows_with_the_same_names_in_any_order_and_others_become_the_same_columns():
    same = [{"a": 1, "b": "x"}, {"b": "y", "a": None}]
    found = pl.DataFrame(batch_of(Parsed(rows=same)))
    assert found.rows() == [(1, "x"), (None, "y")]
    for other in ({"a": 2, "c": 1.5}, {"a": 2}, {}):
        more = pl.DataFrame(batch_of(Parsed(rows=[*same, other])))
        assert more.select("a", "b").rows() == [(1, "x"), (None, "y"), (other.get("a"), None)]
        assert more.columns == ["a", "b", *[name for name in other if name == "c"]]


@given(st.lists(st.dictionaries(st.sampled_from("abcd"), st.integers(-3, 3)), min_size=1, max_size=6))
def test_rows_of_any_names_become_one_cell_per_name(rows: list[dict[str, int]]):
    batch = batch_of(Parsed(rows=rows))
    names = list(dict.fromkeys(name for row in rows for name in row))
    assert batch is not None
    assert batch.schema.names == names
    if names:
        assert pl.DataFrame(batch).rows() == [tuple(row.get(name) for name in names) for row in rows]


@pytest.mark.parametrize(
    ("values", "dtype", "kept"),
    [
        ([1, -(2**63)], pl.Int64, [1, -(2**63)]),
        ([1, None, 2**63 - 1], pl.Int64, [1, None, 2**63 - 1]),
        ([1, 2**63], pl.String, ["1", str(2**63)]),
        ([1.5, 2.0], pl.Float64, [1.5, 2.0]),
        ([1.5, None], pl.Float64, [1.5, None]),
        ([1.5, 2**53], pl.String, ["1.5", str(2**53)]),
        ([True, 1], pl.String, ["true", "1"]),
        ([None], pl.String, [None]),
    ],
)
def test_a_column_keeps_every_value(values, dtype, kept):
    made = column("a", values)
    assert (made.dtype, made.to_list()) == (dtype, kept)
