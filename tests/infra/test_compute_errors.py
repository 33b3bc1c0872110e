"""The error of a job is kept and shown: it tells where and why, and holds no value of a row."""

from __future__ import annotations

import duckdb
import polars as pl
import pytest

from aimass.infra.compute.worker import problem, trace
from aimass.kernel.errors import Invalid

CASES = [
    (lambda: pl.Series("age", ["Erika"]).cast(pl.Int64), "failed in column 'age' for 1 out of 1 values: …"),
    (lambda: duckdb.execute("SELECT CAST(name AS INT) FROM (VALUES ('Erika')) v(name)").fetchall(), "Conversion Error"),
    (lambda: pl.DataFrame({"a": [1]})["age"], '"age" not found'),
    (lambda: int("12x"), "invalid literal for int() with base 10: '12x'"),
]


@pytest.mark.parametrize(("work", "said"), CASES)
def test_the_words_of_an_engine_come_without_what_they_quote(work, said):
    with pytest.raises(Exception, match=r".") as caught:
        work()
    told = problem(caught.value)
    assert said in told["detail"]
    assert "Erika" not in told["detail"] + told["traceback"].replace("(VALUES ('Erika'))", "").replace('["Erika"]', "")
    assert "work()" in told["traceback"]


def test_neither_do_those_of_a_cause(capsys):
    def wrapped():
        try:
            CASES[0][0]()
        except pl.exceptions.PolarsError as reason:
            raise Invalid("the rows do not fit") from reason

    with pytest.raises(Invalid) as caught:
        wrapped()
    assert trace(caught.value).endswith("Invalid: the rows do not fit\n")
