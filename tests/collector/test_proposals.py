from __future__ import annotations

import pytest

from aimass.collector.connectors.file.plan import plan_of, unique_names
from aimass.kernel.errors import Invalid


@pytest.mark.parametrize(
    ("text", "delimiter", "types"),
    [
        ("a;b\n1,5;x\n2,5;y\n", ";", ["string", "string"]),
        ("a\tb\n1\ttrue\n2\tfalse\n", "\t", ["integer", "boolean"]),
        ("a|b\n2026-05-01|2026-05-01 10:00:00\n", "|", ["date", "timestamp"]),
        ("zip,n\n01067,1\n80331,2\n", ",", ["string", "integer"]),
        ("only\nx\ny\n", ",", ["string"]),
        ('a,b\n"x,1",2\n"y\n,",3\n', ",", ["string", "integer"]),
    ],
)
def test_delimiter_and_types_are_proposed(bench, text, delimiter, types):
    plan = bench.propose(bench.write(text))
    assert (plan["delimiter"], [c["type"] for c in plan["columns"]]) == (delimiter, types)


def test_texts_that_mean_missing_are_proposed_and_obeyed(bench):
    path = bench.write("a,b\n1,\nNA,x\n3,y\n")
    plan = bench.propose(path)
    assert plan["null_values"] == ["NA"]
    bench.collect(path, plan)
    assert bench.rows() == [(1, None), (None, "x"), (3, "y")]


def test_a_text_that_stands_in_a_column_of_texts_may_be_a_value(bench):
    plan = bench.propose(bench.write("a,country\n1,NA\nNA,DE\n3,FR\n"))
    assert plan["null_values"] == []
    assert [column["misfits"] for column in plan["columns"]] == [1, 0]


def test_a_file_without_header_gets_numbered_columns(bench):
    plan = bench.propose(bench.write("1,x\n2,y\n"))
    assert (plan["header"], [c["name"] for c in plan["columns"]]) == (False, ["column_1", "column_2"])
    assert bench.collect(bench.root / "data.csv", plan)["rows"] == 2


def test_what_is_given_is_not_guessed(bench):
    plan = bench.propose(bench.write("1;x\n2;y\n"), delimiter=",", header=True)
    assert [c["name"] for c in plan["columns"]] == ["1;x"]


def test_repeated_names_are_counted_without_a_clash():
    assert unique_names(["a_2", "a", "a"]) == ["a_2", "a", "a_3"]


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"format": "docx", "columns": []}, "format"),
        ({"format": "csv", "columns": []}, "columns"),
        ({"format": "csv", "columns": [{"name": "a", "type": "money"}]}, "type"),
        ({"format": "csv", "columns": [{"name": "a", "type": "string"}, {"name": "A", "type": "string"}]}, "columns"),
        ({"format": "csv", "delimiter": "||", "columns": [{"name": "a", "type": "string"}]}, "delimiter"),
    ],
)
def test_a_wrong_plan_is_refused_by_field(settings, field):
    with pytest.raises(Invalid) as told:
        plan_of(settings)
    assert told.value.field == field
