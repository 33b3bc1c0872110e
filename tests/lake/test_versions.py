"""Versions when jobs end in another order, personal data that comes and goes, and rules that cannot be checked."""

from __future__ import annotations

from typing import Any

import pytest

from aimass.kernel.errors import Invalid, NotFound
from aimass.lake import AboutVersion, CreateDataset, ListVersions, OneDataset, QueryRows
from aimass.lake.children.append import append
from aimass.lake.children.describe import describe_version
from aimass.lake.commands import MakeVersion, NewVersion, SetClassification, SetRules
from aimass.lake.domain import Finding, Rule
from tests.fixtures.data import ANN

MAILS = "id,mail,age\n1,ann@example.org,30\n2,bob@example.org,40\n3,cy@example.org,50\n"
WHERE: dict[str, Any] = {"workspace": "demo", "dataset": "customers"}


def collected(data):
    data.collect(MAILS)


@pytest.fixture
def customers(filled, tmp_path):
    with filled.rooms(tmp_path / "data", collected) as found:
        yield found


def test_the_newest_version_is_the_one_of_the_newest_commit(customers):
    lake, path = customers.lake, str(customers.lake.table_path("demo", "customers"))
    told = []
    for number in (7, 8):
        done = append({"path": path, "rows": [{"id": number}], "app_id": "other", "batch": number})
        told.append(describe_version({"path": path, "version": done["version"]}))
    for described in reversed(told):
        lake.add_version(NewVersion(**WHERE, described=described, origin="test"))
    versions = lake.list_versions(ANN, ListVersions(**WHERE)).items
    assert [(v.number, v.rows) for v in versions] == [(3, 4), (2, 5), (1, 3)]
    found = lake.get_dataset(ANN, OneDataset(**WHERE))
    assert (found.latest, found.rows) == (2, 5)


def test_rows_without_personal_data_do_not_unmask_a_column_that_held_some(customers):
    customers.collect("id,mail,age\n4,none,20\n5,none,21\n")
    assert [f.column for f in customers.lake.get_classification(ANN, OneDataset(**WHERE)) if f.private] == ["mail"]


def test_a_column_that_is_marked_later_is_told_without_values(customers):
    found = Finding(column="age", kind="personal", confidence=1.0, by="person", private=True)
    customers.lake.set_classification(ANN, SetClassification(**WHERE, columns=[found]))
    columns = {column["name"]: column for column in customers.lake.get_profile(ANN, AboutVersion(**WHERE)).columns}
    assert columns["age"] == {
        "name": "age", "type": "integer", "count": 3, "nulls": 0, "distinct": 3, "masked": True
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        (Rule(id="", kind="range", column="age"), "params"),
        (Rule(id="", kind="range", column="age", params={"min": [1]}), "min"),
        (Rule(id="", kind="range", column="age", params={"least": 1}), "least"),
        (Rule(id="", kind="unique"), "column"),
        (Rule(id="", kind="regex", column="mail", params={"pattern": "("}), "pattern"),
        (Rule(id="", kind="row_count", params={"min": True}), "min"),
    ],
)
def test_a_rule_that_no_version_could_be_checked_by_is_refused(customers, rule, field):
    with pytest.raises(Invalid) as refusal:
        customers.lake.set_rules(ANN, SetRules(**WHERE, rules=[rule]))
    assert refusal.value.field == field


def test_a_rule_that_cannot_be_checked_never_loses_a_version(customers):
    rules = [
        Rule(id="ahead", kind="regex", column="mail", params={"pattern": "(?=a)b"}),
        Rule(id="when", kind="range", column="age", params={"min": "no moment"}),
        Rule(id="there", kind="not_null", column="mail"),
    ]
    customers.lake.set_rules(ANN, SetRules(**WHERE, rules=rules))
    assert customers.collect("id,mail,age\n4,dan@example.org,20\n").dataset_version == 2
    report = customers.lake.get_quality(ANN, AboutVersion(**WHERE))
    told = {rule["id"]: (rule["passed"], rule["note"][:17]) for rule in report.rules}
    assert told == {"ahead": (False, "cannot be checked"), "when": (False, "cannot be checked"), "there": (True, "")}
    assert report.passed is False


def test_a_query_names_only_datasets_that_are_there(customers):
    with pytest.raises(NotFound, match="no dataset 'persons'"):
        customers.lake.query(ANN, QueryRows(workspace="demo", sql="SELECT 1", versions={"persons": 1}))


def test_a_version_and_an_answer_tell_the_digits_of_a_decimal(customers):
    customers.lake.create_dataset(ANN, CreateDataset(workspace="demo", name="Priced"))
    sql = "SELECT id, CAST(age AS DECIMAL(12, 3)) AS price FROM customers"
    customers.done(customers.lake.make_version(ANN, MakeVersion(workspace="demo", dataset="priced", sql=sql, key="k")))
    version = customers.lake.get_version(ANN, AboutVersion(workspace="demo", dataset="priced"))
    answer = customers.lake.query(ANN, QueryRows(workspace="demo", sql="SELECT * FROM priced"))
    for columns in (version.columns, answer.columns):
        assert [(c.name, c.precision, c.scale) for c in columns] == [("id", None, None), ("price", 12, 3)]
