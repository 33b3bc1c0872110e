"""What is told of a column of long texts, read in slices, is what is told of a short one."""

from __future__ import annotations

import pytest

from aimass.lake.children import long_texts
from aimass.lake.children.describe import describe_version
from aimass.lake.children.profile import profile
from aimass.lake.children.quality import quality

NOW = "2026-05-01T00:00:00+00:00"
RULES = [
    {"id": "a", "kind": "unique", "column": "s", "severity": "error", "params": {}},
    {"id": "b", "kind": "unique", "column": None, "severity": "error", "params": {"columns": ["s", "n"]}},
    {"id": "c", "kind": "regex", "column": "s", "severity": "warning", "params": {"pattern": "text [0-9]+"}},
    {"id": "d", "kind": "in_set", "column": "s", "severity": "warning", "params": {"values": ["text 1"]}},
    {"id": "e", "kind": "not_null", "column": "s", "severity": "error", "params": {}},
    {"id": "f", "kind": "regex", "column": "s", "severity": "warning", "params": {"pattern": "("}},
]


@pytest.fixture
def in_slices(monkeypatch):
    monkeypatch.setattr(long_texts, "LONG_BYTES", 0)
    monkeypatch.setattr(long_texts, "FEW_BYTES", 0)
    monkeypatch.setattr(long_texts, "SLICE_BYTES", 64)


def rows(count: int = 60) -> list[dict[str, object]]:
    texts = [f"text {n}" for n in range(20)] + [" ", "", None, "ünïcödé"]
    return [{"n": n, "s": texts[n % len(texts)], "u": f"{n:05}", "few": "ab"[n % 2]} for n in range(count)]


@pytest.mark.parametrize("masked", [[], ["s"]])
def test_a_profile_in_slices_is_that_of_the_whole(table, masked, request):
    table.append(rows())
    table.append(rows(7))
    args = {"path": table.path, "masked": masked}
    whole = profile(args)
    request.getfixturevalue("in_slices")
    assert len(long_texts.Slices.of(table.path).long) == 3
    found = profile(args)
    ties = [[column.pop("top", []) for column in told["columns"]] for told in (whole, found)]
    assert found == whole
    assert ties[0][3] == ties[1][3] == [{"value": "a", "count": 34}, {"value": "b", "count": 33}]
    for one, other in zip(*ties, strict=True):  # of texts that come equally often others may be told
        assert [top["count"] for top in one] == [top["count"] for top in other]


def test_rules_in_slices_find_the_same_rows(table, request):
    table.append(rows())
    args = {"path": table.path, "rules": RULES, "keys": ["n"], "now": NOW}
    whole = quality(args)
    request.getfixturevalue("in_slices")
    assert quality(args) == whole
    counts = {told["id"]: told["failed"] for told in whole["rules"]}
    assert counts["a"] > counts["b"] == 0
    assert counts["e"] == 2


def test_a_version_is_described_in_slices(table, in_slices):
    table.append(rows())
    told = describe_version({"path": table.path, "now": NOW})
    assert told["rows"] == 60
    assert next(c for c in told["profile"]["columns"] if c["name"] == "u")["distinct"] == 60
