from __future__ import annotations

import pytest

from aimass.kernel.errors import Invalid, TooLarge
from aimass.lake.children.query import query


@pytest.fixture
def ask(table):
    table.append([{"a": n, "b": "xy"[n % 2]} for n in range(10)])

    def run(sql, **more):
        return query({"sql": sql, "tables": {"telco-churn": {"path": table.path}}, **more})

    return run


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ('select b, sum(a) as s from "telco-churn" group by b order by b', [["x", 20], ["y", 25]]),
        ('with c as (select a from "telco-churn" where a > 7) select count(*) from c', [[2]]),
        ('from "telco-churn" select max(a)', [[9]]),
        ('select a from "telco-churn" where a < 1 union all select 99 order by 1', [[0], [99]]),
        ('select round(avg(a), 1), median(a), quantile_cont(a, 0.9) from "telco-churn"', [[4.5, 4.5, 8.1]]),
        ("select * from range(2)", [[0], [1]]),
        ("select x from (values (1), (2)) v(x)", [[1], [2]]),
    ],
)
def test_a_select_over_datasets_answers(ask, sql, rows):
    assert ask(sql)["rows"] == rows


@pytest.mark.parametrize(
    "sql",
    [
        "select * from '/etc/passwd'",
        'select * from "/etc/passwd"',
        "select * from read_csv('/etc/passwd')",
        "select * from read_parquet('x.parquet')",
        "select * from read_text('/etc/passwd')",
        "select read_text('/etc/passwd')",
        "select \"read_text\"('/etc/passwd')",
        "select * from glob('/*')",
        "select * from query('select 1')",
        "select * from query_table('telco-churn')",
        "select * from duckdb_settings()",
        "select * from pragma_version()",
        "select * from information_schema.tables",
        "select getenv('HOME')",
        "select current_setting('memory_limit')",
        "select * from other",
        "with c as (select * from passwd) select * from c",
        "select * from (select * from main.secret)",
        "select (select count(*) from hidden)",
        "copy (select 1) to '/tmp/x.csv'",
        "select 1; drop table x",
        "create table x as select 1",
        "insert into x values (1)",
        "update x set a = 1",
        "delete from x",
        "attach 'x.db'",
        "install httpfs",
        "load httpfs",
        "set memory_limit = '8GB'",
        "pragma database_list",
        "call pragma_version()",
        "explain select 1",
        "describe select 1",
        "export database '/tmp/x'",
        "/* select */ drop table x",
        'select a from "telco-churn" where a = $1',
        "select",
        "",
        "selekt 1",
    ],
)
def test_anything_but_a_select_over_known_datasets_is_refused(ask, sql):
    with pytest.raises(Invalid) as told:
        ask(sql)
    assert told.value.field == "sql"


def test_too_many_rows_are_cut_and_said(ask):
    told = ask('select a from "telco-churn" order by a', limit=3)
    assert (told["rows"], told["truncated"]) == ([[0], [1], [2]], True)


def test_a_query_that_runs_too_long_is_stopped(ask):
    with pytest.raises(TooLarge, match=r"longer than 0\.3 s"):
        ask("select count(*) from range(100000000000) a", timeout_s=0.3)


def test_a_query_that_needs_too_much_memory_is_stopped(ask):
    with pytest.raises(TooLarge, match="memory"):
        ask(
            "select count(distinct x) from (select range::varchar || 'padding' as x from range(20000000))", memory_mb=64
        )


def test_an_unknown_column_is_told_in_the_words_of_the_engine(ask):
    with pytest.raises(Invalid, match="nope"):
        ask('select nope from "telco-churn"')


def test_a_dataset_without_rows_can_be_asked(table):
    table.append([{"a": 1}], schema=[{"name": "a", "type": "integer"}])
    table.append([], schema=[{"name": "a", "type": "integer"}], mode="overwrite")
    told = query({"sql": "select count(a) as n from t", "tables": {"t": {"path": table.path}}})
    assert told["rows"] == [[0]]
