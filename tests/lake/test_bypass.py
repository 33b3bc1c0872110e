"""Attempts to read what a policy hides: none may show a masked value or a filtered row, by whatever way."""

from __future__ import annotations

import hmac
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aimass.kernel.errors import AimassError, Invalid
from aimass.lake.children.append import append
from aimass.lake.children.query import query

KEY = "5b" * 32
ROWS = 12
POLICY: dict[str, Any] = {
    "filters": [{"sql": "region = 'EU' or owner = caller()", "granted": []}],
    "masks": {
        "mail": {"mask": "token"},
        "phone": {"mask": "partial", "keep": 2},
        "pay": {"mask": "round", "step": "1000"},
        "note": {"mask": "full"},
        "ssn": {"mask": "hide"},
        "born": {"mask": "null"},
    },
    "caller": {"id": "e", "name": "eve", "kind": "user", "groups": [], "roles": []},
}


def person(n: int) -> dict[str, Any]:
    return {
        "id": n,
        "region": "EU" if n % 3 else "US",
        "owner": "zoe",
        "mail": f"mail{n:03}@secret.example",
        "phone": f"+49-1777-{n:05}",
        "pay": 41_237.5 + n * 1000,
        "note": f"note-secret-{n}",
        "ssn": f"ssn-secret-{n}",
        "born": f"1980-secret-{n}",
        "hidden": f"us-only-{n}" if n % 3 == 0 else f"open-{n}",
    }


PEOPLE = [person(n) for n in range(ROWS)]
MASKED = ("mail", "phone", "pay", "note", "ssn", "born")
FORBIDDEN = {str(row[column]) for row in PEOPLE for column in MASKED} | {
    str(row["hidden"]) for row in PEOPLE if row["region"] == "US"
}


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("lake")
    append({"path": str(folder / "p"), "rows": PEOPLE, "app_id": "t", "batch": 1})
    codes = [{"id": n, "code": f"c{n}"} for n in range(ROWS)]
    append({"path": str(folder / "c"), "rows": codes, "app_id": "t", "batch": 1})
    people = {"path": str(folder / "p"), "version": None, "policy": POLICY}
    return {"people": people, "other-codes": {"path": str(folder / "c"), "version": None}}


def ask(tables: dict[str, Any], sql: str, **more: Any) -> dict[str, Any]:
    return query({"sql": sql, "tables": tables, "key": KEY, **more})


def told(tables: dict[str, Any], sql: str) -> str:
    """Return everything that somebody learns from a query: its answer, or the error."""
    try:
        return json.dumps(ask(tables, sql), default=str, ensure_ascii=False)
    except AimassError as reason:
        return json.dumps([reason.message, reason.hint, str(reason.value), str(reason.allowed)], ensure_ascii=False)


def leaks(text: str, sql: str) -> list[str]:
    return sorted(value for value in FORBIDDEN if value in text and value not in sql)


ATTEMPTS = [
    "select * from people",
    "SELECT * FROM PEOPLE",
    'select * from "people"',
    'select * from "PeoPle"',
    "select p.* from people p",
    "select p from people p",
    "select people from people",
    "from people",
    "from people select *",
    "table people",
    "select * exclude (id) from people",
    "select * replace (mail || '!' as mail) from people",
    "select columns('.*') from people",
    "select columns(c -> c like '%a%') from people",
    "select max(columns(*)) from people",
    "select #4, #5 from (select * from people)",
    "select unnest(p) from people p",
    "select struct_extract(p, 'mail') from people p",
    "select p['mail'] from people p",
    "select (p).mail from people p",
    "select to_json(p) from people p",
    "select row_to_json(p) from people p",
    "select array_agg(p) from people p",
    "select list(p) over () from people p",
    "select string_agg(mail, ',') from people",
    "select histogram(mail) from people",
    "select arg_max(mail, pay), max_by(note, id) from people",
    "select first(phone), last(phone), any_value(phone) from people",
    "select approx_top_k(note, 5) from people",
    "select quantile_disc(pay, [0.1, 0.5, 0.9]) from people",
    "with people as (select * from people) select * from people",
    "with a as (select * from people), b as (select * from a) select * from b",
    "with recursive r as (select id, mail from people union all select id + 100, mail from r where id < 50) select * from r",
    "with x as materialized (select * from people) select * from x",
    "with x(a, b, c, d) as (select id, region, owner, mail from people) select d from x",
    "select * from people as q(a, b, c, d, e, f, g, h)",
    "select * from (select * from (select * from people) a) b",
    "select * from people union all select * from people",
    "select mail from people union all by name select mail from people",
    'select mail from people except select code from "other-codes"',
    "select mail from people intersect select mail from people",
    "select (select max(mail) from people)",
    "select (select mail from people where id = 1) as m",
    'select id, (select p.mail from people p where p.id = c.id) as m from "other-codes" c',
    "select exists (select 1 from people where mail = 'mail003@secret.example')",
    "select count(*) from people where hidden = 'us-only-3'",
    "select count(*) from people where mail like 'mail%'",
    "select count(*) from people where pay = 42237.5",
    'select c.id, p.mail from "other-codes" c left join people p using (id)',
    'select * from "other-codes" natural join people',
    'select * from "other-codes" c, lateral (select * from people p where p.id = c.id) q',
    'select * from "other-codes" c left join lateral (select mail from people p where p.id = c.id) q on true',
    'select * from ("other-codes" c join people p on c.id = p.id)',
    'select * from "other-codes" semi join people using (id)',
    'select * from "other-codes" anti join people using (id)',
    'select * from "other-codes" positional join people',
    'select * from "other-codes" c asof join people p on c.id >= p.id',
    "select * from people tablesample 100%",
    "select * from people using sample 12",
    "select * from people pivot (count(*) for region in ('EU', 'US'))",
    "select * from (unpivot people on mail, phone into name k value v)",
    "select * from people unpivot (v for k in (mail, phone, note))",
    "select mail, row_number() over (order by mail) from people qualify row_number() over (order by id) < 9",
    "select lag(mail) over (order by id), nth_value(note, 2) over (order by id) from people",
    "select list_transform([mail], x -> x || note) from people",
    "select [x for x in [mail, note]] from people",
    "select case when mail is not null then note end from people",
    "select cast(mail as integer) from people",
    "select cast(hidden as integer) from people",
    "select count(*) from people where cast(hidden as integer) > 0",
    "select count(*) from people where case when hidden like 'us-only%' then cast(hidden as int) = 1 else true end",
    "select id from people where region = 'US' and cast(hidden as date) is null",
    "select id from people group by all having cast(max(hidden) as int) > 1",
    "select strptime(hidden, '%Y') from people",
    "select map([hidden], [mail]) from people",
    "select json_object('a', mail, 'b', hidden) from people",
    "select printf('%s %s', mail, hidden), format('{} {}', note, phone) from people",
    "select regexp_extract_all(mail, '.') from people",
    "select hash(mail), md5(mail), sha256(mail) from people",
    "select ssn from people",
    "select people.ssn from people",
    "select p.ssn from (select * from people) p",
    "select p['ssn'] from people p",
    "select filename, file_row_number from people",
    "select rowid from people",
    "select typeof(people) from people limit 1",
    "select born, note from people order by pay desc, mail limit 3 offset 1",
    "select distinct on (region) mail from people",
    "select mail from people where id in (select id from people where region = 'US')",
    "select * from (select 'EU' as region) x, lateral (select * from people) y",
    "select * from (select 'eve' as owner, 'EU' as region) x join lateral (select hidden from people) y on true",
    "/* people */ select * /* from */ from /**/ people -- where region = 'EU'",
    "select * from people where true or region = 'US' --",
    "select * from people p1 full join people p2 on p1.id = p2.id + 1",
    "select $$x$$ || hidden from people",
    "select e'\\x41' || mail from people",
    "select getvariable('a')",
    "select current_query()",
    "select stats(mail) from people",
    "select error(hidden) from people",
    "select alias(mail) from people",
    "select * from people at (version => 0)",
    "select * from query('select * from people')",
    "select * from query_table('people')",
    "select * from duckdb_views()",
    "select * from duckdb_variables()",
    "select * from duckdb_columns()",
    "select * from information_schema.tables",
    "select * from pg_catalog.pg_views",
    "select * from sqlite_master",
    "select * from main.people",
    "select * from memory.main.people",
    "select * from temp.people",
    "select json_execute_serialized_sql(json_serialize_sql('select * from people'))",
    "select json_serialize_plan('select * from people')",
    "select * from json_execute_serialized_sql(json_serialize_sql('select 1'))",
    "select * from parquet_scan('*.parquet')",
    "select * from seq_scan('people')",
    "select * from glob('**')",
    "explain analyze select * from people",
    "describe people",
    "summarize people",
    "select * from (describe people)",
    "select * from (summarize people)",
    "show tables",
    "create macro m() as table select * from people",
    "copy people to 'x.csv'",
    "prepare q as select * from people",
    "select * from people; select * from people",
]


@pytest.mark.parametrize("sql", ATTEMPTS)
def test_no_way_around_a_policy(tables, sql):
    assert leaks(told(tables, sql), sql) == []


def test_the_paths_of_files_and_the_text_of_the_policy_stay_unknown(tables):
    for sql in ATTEMPTS:
        text = told(tables, sql)
        assert tables["people"]["path"] not in text
        assert KEY not in text
        assert "getvariable" not in text or "getvariable" in sql


def test_a_file_of_the_dataset_itself_is_not_read(tables):
    file = next(Path(tables["people"]["path"]).glob("*.parquet"))
    for sql in (
        f"from '{file}'",
        f"from read_parquet('{file}')",
        f'with "{file}" as (select 1 x) from (from "{file}")',  # noqa: S608 the attempt
    ):
        assert leaks(told(tables, sql), sql) == []


def test_what_is_seen_is_seen_right(tables):
    seen = ask(tables, "select * from people order by id")
    assert [c["name"] for c in seen["columns"]] == [n for n in PEOPLE[0] if n != "ssn"]
    assert [row[0] for row in seen["rows"]] == [n for n in range(ROWS) if n % 3]
    first = dict(zip([c["name"] for c in seen["columns"]], seen["rows"][0], strict=True))
    expected = hmac.new(bytes.fromhex(KEY), b"mail001@secret.example", sha256).hexdigest()[:32]
    assert (first["mail"], first["phone"], first["pay"]) == (expected, "•••01", 42_000.0)
    assert (first["note"], first["born"]) == ("•••", None)


def test_tokens_join(tables):
    assert ask(tables, "select count(*) from people a join people b using (mail)")["rows"] == [[8]]


def test_a_filter_that_names_a_column_that_is_gone_refuses_rather_than_to_mean_one_of_the_query(tables):
    policy = {**POLICY, "filters": [{"sql": "area = 'EU'", "granted": []}]}
    broken = {**tables, "people": {**tables["people"], "policy": policy}}
    with pytest.raises(Invalid, match="which is no column of it"):
        ask(broken, "select * from (select 'EU' as area) x, lateral (select * from people) y")


def test_a_filter_that_is_not_true_shows_nothing(tables):
    policy = {**POLICY, "filters": [{"sql": "null", "granted": []}]}
    nobody = {**tables, "people": {**tables["people"], "policy": policy}}
    assert ask(nobody, "select count(*) from people")["rows"] == [[0]]


COLUMNS = st.sampled_from(
    ["id", "region", "owner", "mail", "phone", "pay", "note", "born", "hidden", "p.mail", "p.hidden"]
)
WRAPPED = st.one_of(
    COLUMNS,
    st.builds("lower({0}::varchar)".format, COLUMNS),
    st.builds("[{0}, {1}]".format, st.just("note"), st.sampled_from(["mail", "hidden"])),
    st.builds("coalesce({0}::varchar, {1}::varchar)".format, COLUMNS, COLUMNS),
    st.builds("case when {0} is null then {1}::varchar else {2}::varchar end".format, COLUMNS, COLUMNS, COLUMNS),
    st.builds("max({0}) over (partition by {1})".format, COLUMNS, COLUMNS),
    st.builds("try_cast({0} as integer)".format, COLUMNS),
    st.builds("cast({0} as integer)".format, COLUMNS),
    st.builds("{{'a': {0}, 'b': {1}}}".format, COLUMNS, COLUMNS),
    st.just("p"),
    st.just("*"),
)
TESTS = st.one_of(
    st.builds("{0}::varchar like '%{1}%'".format, COLUMNS, st.sampled_from(["a", "1", "us", "@"])),
    st.builds("{0} is not distinct from {1}".format, COLUMNS, COLUMNS),
    st.builds("cast({0} as integer) > 0".format, COLUMNS),
    st.builds("id in (select id from people where {0} is not null)".format, st.sampled_from(["mail", "hidden", "pay"])),
)
SOURCES = st.sampled_from(
    [
        "people p",
        "(select * from people) p",
        "(select * from people union all select * from people) p",
        'people p join "other-codes" c on c.id = p.id',
        '"other-codes" c left join people p on c.id = p.id',
        '"other-codes" c, lateral (select * from people q where q.id = c.id) p',
    ]
)


@given(columns=st.lists(WRAPPED, min_size=1, max_size=3), source=SOURCES, test=TESTS, cte=st.booleans())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_random_query_shows_a_masked_value_or_a_filtered_row(tables, columns, source, test, cte):
    sql = f"select {', '.join(columns)} from {source} where {test}"  # noqa: S608 the attempt
    if cte:
        sql = f"with people as (select * from people) {sql}"  # noqa: S608 the attempt
    assert leaks(told(tables, sql), sql) == []
