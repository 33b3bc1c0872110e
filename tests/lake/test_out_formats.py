"""Avro and workbooks: what is written is what other programs read, and what they cannot hold is refused."""

from __future__ import annotations

import sys
import zipfile
from datetime import UTC, date, datetime, time
from decimal import Decimal

import fastavro
import fastexcel
import polars as pl
import pytest

from aimass.kernel.errors import MissingExtra, TooLarge
from aimass.lake.children import xlsx_out
from aimass.lake.children.avro_out import write_avro
from aimass.lake.children.xlsx_out import write_xlsx

MOMENT = datetime(2026, 5, 1, 12, 30, 15, 250_000, tzinfo=UTC)
KINDS = pl.DataFrame(
    {
        "whole": [2**62, None],
        "small": pl.Series([1, None], dtype=pl.Int8),
        "huge": pl.Series([2**64 - 1, None], dtype=pl.UInt64),
        "half": [0.5, None],
        "text": ["é😀", None],
        "yes": [True, None],
        "day": [date(2026, 5, 1), None],
        "at": pl.Series([MOMENT, None]).dt.convert_time_zone("Asia/Shanghai"),
        "naive": [MOMENT.replace(tzinfo=None), None],
        "price": [Decimal("12.340"), None],
        "list": [[1, 2], None],
        "record": [{"größe": 1}, None],
        "odd": [[MOMENT], None],
        "clock": [time(1, 2), None],
        "kind": pl.Series(["a", None], dtype=pl.Categorical),
        "nothing": [None, None],
        "größe in m": [1, 2],
        "gr__e_in_m": [3, 4],
        "2026": [5, 6],
    }
)


def avro(tmp_path, *frames, empty=None):
    target = tmp_path / "rows.avro"
    write_avro(frames[0].clear() if empty is None else empty, frames, target)
    with target.open("rb") as file:
        reader = fastavro.reader(file)
        return reader.writer_schema, list(reader)


def test_avro_holds_every_type_under_names_that_it_allows(tmp_path):
    schema, rows = avro(tmp_path, KINDS, KINDS)
    assert len(rows) == 4
    first, second = rows[2:]
    assert (first["whole"], first["small"], first["huge"], first["half"]) == (2**62, 1, 2**64 - 1, 0.5)
    assert (first["text"], first["yes"], first["day"], first["at"]) == ("é😀", True, date(2026, 5, 1), MOMENT)
    assert (first["naive"], first["price"]) == (MOMENT.replace(tzinfo=None), Decimal("12.340"))
    assert (first["list"], first["record"], first["odd"]) == ([1, 2], {"gr__e": 1}, '["2026-05-01T12:30:15.250Z"]')
    assert (first["clock"], first["kind"], first["nothing"]) == ("01:02:00", "a", None)
    assert (first["gr__e_in_m_2"], first["gr__e_in_m"], first["_2026"]) == (1, 3, 5)
    assert {field["name"]: field["doc"] for field in schema["fields"] if "doc" in field} == {
        "gr__e_in_m_2": "größe in m",
        "_2026": "2026",
    }
    assert set(second.values()) == {None, 2, 4, 6}
    assert fastavro.schema.parse_schema(schema)


def test_decimals_keep_their_sign_in_avro(tmp_path):
    values = [
        Decimal(text)
        for text in ("327.68", "-327.68", "1.28", "-0.01", "0.00", "99999999999999999999999999999999999.99")
    ]
    rows = avro(tmp_path, pl.DataFrame({"a": pl.Series(values, dtype=pl.Decimal(37, 2))}))[1]
    assert [row["a"] for row in rows] == values


def test_avro_without_rows_has_its_columns(tmp_path):
    schema, rows = avro(tmp_path, empty=KINDS.select("whole", "at").clear())
    assert ([field["name"] for field in schema["fields"]], rows) == (["whole", "at"], [])
    assert avro(tmp_path, KINDS.clear(), KINDS)[1] == avro(tmp_path, KINDS)[1]


def sheet(tmp_path, *frames):
    target = tmp_path / "rows.xlsx"
    write_xlsx(frames[0].clear(), frames, target)
    return target


def test_a_workbook_holds_every_type_and_no_formula(tmp_path):
    target = sheet(
        tmp_path, KINDS.with_columns(text=pl.Series(["=1+2", "+1"])), KINDS.with_columns(text=pl.Series(["-1", "@a"]))
    )
    (first, *others) = pl.read_excel(target, infer_schema_length=0).rows(named=True)
    assert (first["whole"], first["small"], first["huge"], first["half"]) == (str(2**62), "1", str(2**64 - 1), "0.5")
    assert (first["yes"], first["price"], first["clock"]) == ("true", "12.34", "01:02:00")
    assert [row["text"] for row in (first, *others)] == ["=1+2", "+1", "-1", "@a"]
    typed = pl.read_excel(target)
    assert (typed["day"][0], typed["at"][0]) == (date(2026, 5, 1), MOMENT.replace(tzinfo=None))
    assert typed.schema["text"] == pl.String
    with zipfile.ZipFile(target) as parts:
        assert b"<f>" not in parts.read("xl/worksheets/sheet1.xml")


def test_a_workbook_writes_what_it_would_round_or_cannot_date_as_text(tmp_path):
    frame = pl.DataFrame(
        {
            "n": [10**15, 10**15 - 1],
            "f": [float("nan"), float("-inf")],
            "d": [date(1899, 12, 31), date(1900, 1, 1)],
            "c": ["a\x01b", "http://x.example"],
        }
    )
    rows = fastexcel.read_excel(str(sheet(tmp_path, frame))).load_sheet(0, dtypes="string").to_polars().rows()
    assert rows[0] == ("1000000000000000", "nan", "1899-12-31", "a\x01b")
    assert rows[1][:2] == ("999999999999999", "-inf")
    assert rows[1][3] == "http://x.example"


def test_what_a_sheet_cannot_hold_is_refused_with_its_place(tmp_path, monkeypatch):
    with pytest.raises(TooLarge, match="row 2 of column 'a' has 32768 letters"):
        sheet(tmp_path, pl.DataFrame({"a": ["x" * 32_767, "y" * 32_768]}))
    with pytest.raises(TooLarge, match="16385 columns"):
        sheet(tmp_path, pl.DataFrame({str(n): [1] for n in range(16_385)}))
    monkeypatch.setattr(xlsx_out, "MOST_ROWS", 4)
    assert pl.read_excel(sheet(tmp_path, pl.DataFrame({"a": [1, 2, 3]}))).height == 3
    with pytest.raises(TooLarge) as refused:
        sheet(tmp_path, pl.DataFrame({"a": [1, 2]}), pl.DataFrame({"a": [3, 4]}))
    assert (refused.value.field, "Parquet" in refused.value.hint or "format" in refused.value.hint) == ("format", True)


def test_without_the_library_the_way_to_it_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    with pytest.raises(MissingExtra) as refused:
        sheet(tmp_path, pl.DataFrame({"a": [1]}))
    assert refused.value.hint == "pip install 'aimass[excel]'"
