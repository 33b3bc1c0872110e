from __future__ import annotations

import math
import statistics
from collections import Counter
from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimass.kernel.errors import NotFound
from aimass.lake.children import many_rows
from aimass.lake.children.classify import classify, classify_column, hint_of, iban, luhn
from aimass.lake.children.describe import describe_version
from aimass.lake.children.profile import TOP, describe, histogram, profile
from aimass.lake.children.proposing import facts_for_rules, nulls
from aimass.lake.children.quality import propose_rules, quality


def test_a_profile_counts_exactly(table):
    table.append([{"n": 1.0, "s": "x"}, {"n": 3.0, "s": None}, {"n": float("nan"), "s": " "}, {"n": None, "s": "x"}])
    told = profile({"path": table.path})
    number, text = told["columns"]
    assert (told["rows"], number["nulls"], number["not_finite"], number["mean"]) == (4, 1, 1, 2.0)
    assert (text["nulls"], text["distinct"], text["blank"], text["top"][0]) == (1, 2, 1, {"value": "x", "count": 2})


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=50))
def test_a_column_is_described_like_an_independent_reference(numbers):
    told = describe(pl.Series("x", numbers))
    assert math.isclose(told["mean"], statistics.fmean(numbers), rel_tol=1e-9, abs_tol=1e-6)
    assert math.isclose(told["std"], statistics.stdev(numbers), rel_tol=1e-6, abs_tol=1e-6)
    assert math.isclose(told["quantiles"]["0.5"], statistics.median(numbers), abs_tol=1e-6)
    assert sum(told["histogram"]["counts"]) == len(numbers)


@given(
    st.lists(st.one_of(st.none(), st.sampled_from([*"abcdefghijklmn", "", " ", "\t\n", "é", "\u2003"])), max_size=60)
)
def test_texts_are_counted_like_an_independent_reference(values):
    told, present = describe(pl.Series("x", values, pl.String)), [value for value in values if value is not None]
    counts = Counter(present)
    assert (told["nulls"], told["distinct"]) == (len(values) - len(present), len(counts))
    assert told["blank"] == sum(not value.strip() for value in present)
    assert (told["min_length"] or 0) == min(map(len, present), default=0)
    if counts and (max(counts.values()) > 1 or len(counts) <= TOP):
        best = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:TOP]
        assert [(item["value"], item["count"]) for item in told["top"]] == best


def test_a_histogram_of_one_value_has_one_bin():
    assert histogram(pl.Series([2.0, 2.0])) == {"edges": [2.0, 2.0], "counts": [2]}


def test_a_masked_column_tells_counts_only():
    told = describe(pl.Series("mail", ["ann@example.org", None]), masked=True)
    assert (told["nulls"], told["distinct"]) == (1, 1)
    assert "ann" not in repr(told)


@pytest.mark.parametrize(
    ("name", "values", "kind", "private"),
    [
        ("x", ["ann@example.org", "bob.b@mail.example.com"], "email", True),
        ("x", ["+49 351 1234567", "+1 (415) 555-2671", "13812345678"], "phone", True),
        ("x", ["DE89370400440532013000", "GB82 WEST 1234 5698 7654 32"], "iban", True),
        ("x", ["4111 1111 1111 1111", "5500-0000-0000-0004"], "card", True),
        ("x", [4111111111111111, 5500000000000004], "card", True),
        ("x", ["192.168.0.1", "2001:db8::1"], "ip", True),
        ("lastName", ["Meier", "Li"], "name", True),
        ("姓名", ["张三"], "name", True),
        ("date_of_birth", ["1980-01-01"], "birth_date", True),
        ("customerID", ["7590-VHVEG"], "person_id", False),
        ("email", [None, None], "email", True),
    ],
)
def test_personal_data_is_found(name, values, kind, private):
    found = classify_column(pl.Series(name, values))
    assert found is not None
    assert (found["kind"], found["private"]) == (kind, private)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("tenure", [1, 2, 72]),
        ("code", ["4111 1111 1111 1112", "1234567812345678"]),
        ("charges", ["29.85", "1889.5"]),
        ("PhoneService", ["Yes", "No"]),
        ("version", ["1.2.3", "10.0.1"]),
        ("day", ["2026-05-01"]),
    ],
)
def test_ordinary_data_is_left_alone(name, values):
    assert classify_column(pl.Series(name, values)) is None


def test_check_digits_catch_a_changed_digit():
    assert luhn("4242424242424242")
    assert not luhn("4242424242424243")
    assert iban("GB82WEST12345698765432")
    assert not iban("GB82WEST12345698765433")
    assert hint_of("contactEmail") == "email"


def test_classification_of_a_table_looks_at_a_sample(table):
    table.append([{"mail": f"u{i}@example.org", "n": i} for i in range(20)])
    told = classify({"path": table.path, "sample": 5})
    assert (told["sampled"], [c["column"] for c in told["columns"]]) == (5, ["mail"])


RULES = [
    {"id": "1", "kind": "not_null", "column": "a", "severity": "error", "params": {"max_share": 0.0}},
    {"id": "2", "kind": "unique", "column": "a", "severity": "error", "params": {}},
    {"id": "3", "kind": "range", "column": "n", "severity": "warning", "params": {"min": 0, "max": 10}},
    {"id": "4", "kind": "in_set", "column": "a", "severity": "error", "params": {"values": ["x", "y"]}},
    {"id": "5", "kind": "regex", "column": "a", "severity": "error", "params": {"pattern": "[a-y]"}},
    {"id": "6", "kind": "row_count", "column": None, "severity": "error", "params": {"min": 10, "max": None}},
]


def test_each_rule_counts_the_rows_that_break_it(table):
    table.append([{"a": "x", "n": 1}, {"a": "x", "n": 11}, {"a": None, "n": -1}, {"a": "z", "n": None}])
    told = quality({"path": table.path, "rules": RULES, "keys": ["n"]})
    assert [rule["failed"] for rule in told["rules"]] == [1, 2, 2, 1, 1, 0]
    assert not any(rule["passed"] for rule in told["rules"])
    assert told["rules"][2]["samples"] == [{"row": 1, "key": {"n": 11}}, {"row": 2, "key": {"n": -1}}]
    weights = [0.75, 0.5, 0.5 * 0.5, 0.75, 0.75, 0.0]
    assert told["score"] == round(100 * sum(weights) / 5.5, 2)
    assert not told["passed"]


def test_freshness_is_measured_against_the_given_moment(table):
    table.append([{"t": "2026-05-01T10:00:00Z"}], schema=[{"name": "t", "type": "timestamp"}])
    rule = {"id": "f", "kind": "freshness", "column": "t", "severity": "error", "params": {"max_age_s": 3600}}
    for hour, passed in ((10, True), (12, False)):
        now = datetime(2026, 5, 1, hour, 30, tzinfo=UTC).isoformat()
        assert quality({"path": table.path, "rules": [rule], "now": now})["passed"] is passed


def test_a_rule_on_a_missing_column_fails_and_says_so(table):
    table.append([{"a": 1}])
    rule = {"id": "r", "kind": "not_null", "column": "gone", "severity": "error", "params": {}}
    told = quality({"path": table.path, "rules": [rule]})["rules"][0]
    assert (told["passed"], told["note"]) == (False, "column 'gone' is missing")


def test_a_pattern_that_cannot_be_checked_fails_its_rule_alone(table):
    table.append([{"a": "x"}])
    rule = {"id": "r", "kind": "regex", "column": "a", "severity": "error", "params": {"pattern": "("}}
    told = quality({"path": table.path, "rules": [rule, {**rule, "id": "s", "params": {"pattern": "x"}}]})
    assert [(one["passed"], "no regular expression" in one["note"]) for one in told["rules"]] == [
        (False, True),
        (True, False),
    ]


def test_proposed_rules_pass_on_the_version_they_come_from(table):
    table.append([{"id": f"k{i}", "plan": "ab"[i % 2], "n": i} for i in range(200)])
    told = describe_version({"path": table.path})
    assert {rule["id"] for rule in told["rules"]} >= {"not_null:id", "unique:id", "in_set:plan", "range:n", "row_count"}
    assert (told["quality"]["score"], told["quality"]["passed"]) == (100.0, True)
    assert (told["rows"], told["delta_version"], len(told["schema_hash"])) == (200, 0, 64)


@pytest.mark.parametrize("masked", [(), ("plan", "mail")])
def test_without_a_profile_the_same_rules_are_proposed_as_from_one(table, masked, monkeypatch):
    rows = [
        {
            "mail": f"p{i}@example.org",
            "late": "same" if i == 190 else f"k{i % 190}",
            "plan": "ab"[i % 2],
            "gap": None if i == 3 else "x",
            "blank": "y" if i == 100 else None,
            "x": [float("inf"), float("nan"), -0.5, 2.0][i % 4],
            "n": i,
            "debt": -i,
            "is": i % 2 == 0,
            "tags": [i],
        }
        for i in range(200)
    ]
    table.append(rows)
    at = {"path": table.path, "masked": list(masked)}
    assert propose_rules(facts_for_rules(at)) == propose_rules(profile(at))
    counted = {column["name"]: column["nulls"] for column in profile(at)["columns"]}
    assert nulls(at)["nulls"] == counted
    assert (counted["gap"], counted["blank"]) == (1, 199)
    monkeypatch.setattr(many_rows, "MANY_ROWS", 100)
    assert propose_rules(facts_for_rules(at)) == propose_rules(profile(at))


def test_a_description_leaves_the_profile_to_whoever_asks(table):
    table.append([{"id": f"k{i}", "n": i} for i in range(200)])
    whole, rest = (describe_version({"path": table.path, "profile": wanted, "now": "x"}) for wanted in (True, False))
    assert rest == {**whole, "profile": {"rows": 200, "columns": None}}


def test_no_rule_proposes_the_values_of_a_masked_column():
    column = {"name": "a", "type": "string", "count": 200, "nulls": 0, "distinct": 2, "masked": True}
    assert [r["kind"] for r in propose_rules({"rows": 200, "columns": [column]})] == ["not_null", "row_count"]


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(NotFound, match="no readable table 'gone'"):
        profile({"path": str(tmp_path / "gone")})
