"""No error of a query holds a value of a row: it is kept and shown where rows are not."""

from __future__ import annotations

import polars as pl
import pytest

from aimass.kernel.errors import Invalid
from aimass.lake.children.answers import write
from aimass.lake.children.append import _cast
from aimass.lake.children.query import query
from aimass.lake.children.selecting import materialise

PERSON = {"name": "Erika O'Muster", "age": 300, "born": "2026-13-45", "doc": "{Erika", "pay": 1e300}
SECRETS = ("Erika", "Muster", "300", "2026-13", "00000")


@pytest.fixture
def ask(table):
    table.append([PERSON, {**PERSON, "name": "Erika\nMuster", "age": 1}])
    return lambda sql: query({"sql": sql, "tables": {"people": {"path": table.path}}})


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("cast(name as integer)", 'a value of column "name" is no INT32'),
        ("cast(name as integer[])", 'a value of column "name" is no INTEGER[]'),
        ("cast(name as uuid)", 'a value of column "name" is no UUID'),
        ("cast(age as tinyint)", 'a value of column "age" is no INT8'),
        ("cast(born as date)", 'a value of column "born" is no date'),
        ("cast(pay as decimal(5,2))", 'a value of column "pay" is no DECIMAL(5,2)'),
        ("age * 9223372036854775807", "a number of type INT64 runs over in a multiplication"),
        ("strptime(name, '%Y')", "a value does not fit what the query does with it"),
        ("regexp_matches(name, name || '(')", "a value does not fit what the query does with it"),
        ("(select name from people)", "More than one row returned"),
        ("nme", 'column "nme"'),
    ],
)
def test_an_error_names_column_type_and_place_and_no_value(ask, what, said):
    with pytest.raises(Invalid) as told:
        ask(f"select {what} from people")  # noqa: S608 the cases above
    problem = str(told.value.problem())
    assert said in told.value.message
    assert not [secret for secret in SECRETS if secret in problem]


def test_the_place_of_the_column_is_told(ask):
    with pytest.raises(Invalid, match=r"\(line 2, column 6\)"):
        ask("select 1,\ncast(name as integer) from people")


def test_rows_that_do_not_fit_a_schema_are_told_by_column():
    with pytest.raises(Invalid) as told:
        _cast(pl.DataFrame({"name": ["Erika"]}), [{"name": "name", "type": "integer"}])
    assert "'name'" in told.value.message
    assert "Erika" not in str(told.value.problem())


LATE = "SELECT CAST(CASE WHEN range = 399999 THEN 'Erika' ELSE '1' END AS INTEGER) AS n FROM range(400000)"


@pytest.mark.parametrize("door", ["materialise", "csv", "parquet", "arrow", "avro"])
def test_a_value_that_comes_late_in_a_stream_is_told_alike(tmp_path, door):
    args = {"sql": LATE, "tables": {}, "path": str(tmp_path / "t"), "app_id": "a", "batch": 1}
    with pytest.raises(Invalid, match="a value is no INT32") as told:
        materialise(args) if door == "materialise" else write({**args, "target": str(tmp_path / "f"), "format": door})
    assert "Erika" not in str(told.value.problem())
