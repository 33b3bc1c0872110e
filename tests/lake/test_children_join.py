"""The as-of join against a slow and obvious reference, and the cases that others get wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimass.lake.children.join import RESULT, SPINE, digest, joined
from aimass.lake.children.watching import leaks

DAY0 = datetime(2026, 1, 1, tzinfo=UTC)
VIEW = {
    "view": "visits",
    "entity": ["id"],
    "dataset": "visits",
    "sql": None,
    "event_time": "at",
    "created_time": "noted",
    "features": [{"name": "x", "type": "integer", "default": None}],
    "ttl_s": None,
}


def hour(n: float | None) -> datetime | None:
    return None if n is None else DAY0 + timedelta(hours=n)


def order(*views: dict[str, Any], by_created: bool = True, spine: list[str] | None = None) -> dict[str, Any]:
    names = [[view["view"], feature["name"], feature["name"]] for view in views for feature in view["features"]]
    return {
        "spine": {"columns": spine or ["id", "t"], "event_time": "t", "label": None},
        "views": views,
        "names": names,
        "by_created": by_created,
    }


def frame(rows: list[tuple[Any, ...]], **schema: Any) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=schema, orient="row")


SPINE_SCHEMA = {"id": pl.Int64, "t": pl.Datetime("us", "UTC")}
ROW_SCHEMA = {"id": pl.Int64, "at": pl.Datetime("us", "UTC"), "noted": pl.Datetime("us", "UTC"), "x": pl.Int64}


def ask(wish: dict[str, Any], spine: pl.DataFrame, **tables: pl.DataFrame) -> list[tuple[Any, ...]]:
    con = duckdb.connect(config={"threads": 2})
    con.execute("SET TimeZone = 'UTC'")
    for name, rows in {SPINE: spine, **tables}.items():
        con.register("given", rows)
        con.sql("SELECT * FROM given").create(f'"{name}"')
    columns = ", ".join([*wish["spine"]["columns"], *(name for *_, name in wish["names"])])
    return con.execute(f"SELECT {columns} FROM ({joined(wish)}) ORDER BY ALL").fetchall()  # noqa: S608 own names


def values(spine: list[tuple[Any, Any]], rows: list[tuple[Any, ...]], **more: Any) -> list[Any]:
    view = {**VIEW, **{k: v for k, v in more.items() if k in VIEW}}
    wish = order(view, by_created=more.get("by_created", True))
    asked = frame([(i, hour(t)) for i, t in spine], **SPINE_SCHEMA)
    known = frame([(i, hour(e), hour(c), x) for i, e, c, x in rows], **ROW_SCHEMA)
    return [row[-1] for row in ask(wish, asked, visits=known)]


def test_a_value_that_was_written_down_after_the_event_is_not_used():
    rows = [(1, 0, 0, 10), (1, 2, 9, 20)]
    assert values([(1, 5)], rows) == [10]
    assert values([(1, 5)], rows, by_created=False) == [20]
    assert values([(1, 9)], rows) == [20]


def test_a_late_row_about_an_older_event_does_not_take_the_place_of_a_newer_one():
    rows = [(1, 5, 5, 50), (1, 1, 7, 10)]
    assert values([(1, 8)], rows) == [50]


def test_of_corrections_of_one_event_the_newest_that_was_known_counts():
    rows = [(1, 2, 2, 1), (1, 2, 4, 2), (1, 2, 6, 3)]
    assert values([(1, 1), (1, 3), (1, 5), (1, 7)], rows) == [None, 1, 2, 3]


def test_equal_moments_are_decided_by_the_values_whatever_the_order():
    rows = [(1, 2, 2, 7), (1, 2, 2, 9), (1, 2, 2, None)]
    assert values([(1, 3)], rows) == values([(1, 3)], rows[::-1]) == [9]


def test_a_moment_itself_is_known_and_an_age_of_exactly_the_limit_is_young_enough():
    rows = [(1, 2, 2, 7)]
    assert values([(1, 2), (1, 4), (1, 5)], rows, ttl_s=2 * 3600) == [7, 7, None]


def test_missing_keys_and_moments_find_nothing_and_keep_their_row():
    rows = [(None, 1, 1, 5), (1, None, 1, 6), (1, 1, None, 7)]
    assert values([(None, 3), (1, None), (1, 3), (2, 3)], rows) == [7, None, None, None]


def test_a_default_stands_where_nothing_is_known_or_all_is_too_old():
    features = [{"name": "x", "type": "integer", "default": -1}]
    assert values([(1, 1), (1, 3), (1, 9)], [(1, 2, 2, 7)], features=features, ttl_s=3600) == [-1, 7, -1]


def test_moments_of_other_zones_without_zone_and_days_are_compared_as_moments():
    spine = pl.DataFrame({"id": [1, 1], "t": [hour(24), hour(22.98)]}).with_columns(
        pl.col("t").dt.replace_time_zone(None)
    )
    at = pl.Series([hour(24)]).dt.replace_time_zone("Europe/Berlin")
    visits = pl.DataFrame({"id": [1], "at": at, "noted": at, "x": [5]})
    assert [row[-1] for row in ask(order(VIEW), spine, visits=visits)] == [None, 5]
    days = visits.with_columns(pl.lit(hour(24).date()).alias("at"), pl.lit(None, pl.Date).alias("noted"))
    assert [row[-1] for row in ask(order(VIEW), spine, visits=days)] == [None, 5]


def test_several_views_and_several_keys_are_joined_each_by_its_own():
    other = {**VIEW, "view": "shops", "dataset": "shops", "entity": ["id", "shop"], "created_time": None}
    other["features"] = [{"name": "y", "type": "string", "default": None}]
    spine = frame([(1, "a", hour(3)), (1, "b", hour(3))], id=pl.Int64, shop=pl.String, t=pl.Datetime("us", "UTC"))
    shops = frame([(1, "a", hour(1), 5), (1, "b", hour(9), 6)], id=pl.Int64, shop=pl.String, at=pl.Datetime("us", "UTC"), y=pl.Int64)  # fmt: skip
    visits = frame([(1, hour(2), hour(2), 4)], **ROW_SCHEMA)
    wish = order(VIEW, other, spine=["id", "shop", "t"])
    assert [(row[1], *row[3:]) for row in ask(wish, spine, visits=visits, shops=shops)] == [
        ("a", 4, "5"),
        ("b", 4, None),
    ]


def test_a_select_is_a_source_too():
    view = {
        **VIEW,
        "dataset": None,
        "sql": "SELECT id, at, noted, x * 2 AS x FROM visits WHERE x > 1",
        "known": ["visits"],
    }
    visits = frame([(1, hour(1), hour(1), 4), (1, hour(2), hour(2), 1)], **ROW_SCHEMA)
    assert ask(order(view), frame([(1, hour(3))], **SPINE_SCHEMA), visits=visits)[0][-1] == 8


def reference(
    spine: list[tuple[Any, Any]], rows: list[tuple[Any, ...]], ttl: int | None, *, by_created: bool
) -> list[Any]:
    """Look at every row for every moment."""
    found: list[Any] = []
    for entity, moment in spine:
        known = [
            (event, -1 if created is None else created, -1 if x is None else x)
            for of, event, created, x in rows
            if None not in (of, event, moment)
            and of == entity
            and event <= moment
            and (not by_created or created is None or created <= moment)
        ]
        event, _, x = max(known, default=(None, None, None))
        too_old = event is not None and ttl is not None and event < moment - ttl
        found.append(None if event is None or too_old or x == -1 else x)
    return found


maybe = st.one_of(st.none(), st.integers(0, 6))
keys = st.one_of(st.none(), st.integers(0, 2))


@settings(max_examples=60, deadline=None)
@given(
    spine=st.lists(st.tuples(keys, maybe), min_size=1, max_size=8, unique=True),
    rows=st.lists(st.tuples(keys, maybe, maybe, st.one_of(st.none(), st.integers(0, 3))), max_size=14),
    ttl=st.one_of(st.none(), st.integers(1, 4)),
    by_created=st.booleans(),
)
def test_it_finds_what_looking_at_every_row_finds(spine, rows, ttl, by_created):
    view = {**VIEW, "ttl_s": None if ttl is None else ttl * 3600}
    asked = frame([(i, hour(t)) for i, t in spine], **SPINE_SCHEMA)
    known = frame([(i, hour(e), hour(c), x) for i, e, c, x in rows], **ROW_SCHEMA)
    told = {(i, t): x for i, t, x in ask(order(view, by_created=by_created), asked, visits=known)}
    wanted = dict(
        zip([(i, hour(t)) for i, t in spine], reference(spine, rows, ttl, by_created=by_created), strict=True)
    )
    assert told == wanted


def table_of(rows: pl.DataFrame) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.register("given", rows)
    con.sql("SELECT * FROM given").create(RESULT)
    return con


def test_the_digest_is_that_of_the_rows_in_any_order():
    rows = pl.DataFrame({"id": [1, 2, 2], "x": [0.1, None, None]})
    one = digest(table_of(rows), ["id", "x"])
    assert digest(table_of(rows.reverse()), ["id", "x"]) == one
    assert digest(table_of(rows.head(2)), ["id", "x"]) != one
    assert digest(table_of(rows.with_columns(pl.col("x") + 1e-12)), ["id", "x"]) != one


@pytest.mark.parametrize("label", ["number", "word"])
def test_features_that_give_the_label_away_are_named(label):
    n = 200
    rows = pl.DataFrame({
        "number": [i % 2 for i in range(n)],
        "word": ["yes" if i % 2 else "no" for i in range(n)],
        "same": [3.0 - 2 * (i % 2) for i in range(n)],
        "says": ["churned" if i % 2 else "stays" for i in range(n)],
        "near": [i % 2 if i > 20 else 1 - i % 2 for i in range(n)],
        "free": list(range(n)),
        "huge": [1e300 * (i % 3) for i in range(n)],
        "fixed": [1] * n,
    })  # fmt: skip
    kinds = {
        "same": "float",
        "says": "string",
        "near": "integer",
        "free": "integer",
        "huge": "float",
        "fixed": "integer",
    }
    found = leaks(table_of(rows), RESULT, label, kinds.items())
    assert [(one["feature"], one["kind"]) for one in found] == [("same", "correlates"), ("says", "determines")]
    assert leaks(table_of(rows.head(10)), RESULT, label, kinds.items()) == []
