from __future__ import annotations

import pytest

from aimass.kernel.errors import Forbidden, Invalid
from aimass.lake import ListDatasets, OneDataset
from aimass.lake.specs import DATASET
from tests.fixtures.data import ANN, EVE

RULE = {"kind": "not_null", "column": "mail", "params": {"max_share": 0.1}}
WANTED = {
    "kind": "dataset",
    "name": "客户",
    "slug": "customers",
    "description": "Everybody who buys",
    "keys": ["id"],
    "retain_days": 30,
    "rules": [RULE],
    "personal": ["mail"],
    "policies": [{"name": "eu", "filter": "region = 'EU'", "exempt": ["group:audit"]}],
}


def apply(data, document, *, dry_run=False, who=ANN):
    return DATASET.apply(data.rooms.registry, who, "demo", document, dry_run=dry_run)


def test_a_document_makes_a_dataset_and_its_export_changes_nothing(data):
    assert apply(data, WANTED) == ("create", ["description", "keys", "personal", "policies", "retain_days", "rules"])
    made = data.lake.get_dataset(ANN, OneDataset(workspace="demo", dataset="customers"))
    assert (made.name, made.keys, made.retain_days, made.personal) == ("客户", ["id"], 30, ["mail"])
    exported = DATASET.export(data.rooms.registry, ANN, "demo")
    assert [one["name"] for one in exported] == ["客户"]
    assert apply(data, exported[0]) == ("none", [])


def test_only_what_differs_is_changed(data):
    apply(data, WANTED)
    document = {"kind": "dataset", "name": "客户", "slug": "customers", "retain_days": None, "personal": []}
    assert apply(data, document, dry_run=True) == ("change", ["personal", "retain_days"])
    assert apply(data, document) == ("change", ["personal", "retain_days"])
    made = data.lake.get_dataset(ANN, OneDataset(workspace="demo", dataset="customers"))
    assert (made.retain_days, made.personal, made.description) == (None, [], "Everybody who buys")


def test_a_dry_run_makes_nothing(data):
    assert apply(data, WANTED, dry_run=True)[0] == "create"
    assert data.lake.list_datasets(ANN, ListDatasets(workspace="demo")).items == []


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({**WANTED, "colour": "red"}, "colour"),
        ({**WANTED, "rules": [{"kind": "unique", "size": 1}]}, "rules.size"),
        ({**WANTED, "rules": [{"column": "mail"}]}, "rules.kind"),
        ({**WANTED, "policies": [{"name": "eu", "rows": "x"}]}, "policies.rows"),
    ],
)
def test_an_unknown_field_is_named(data, document, field):
    with pytest.raises(Invalid) as refusal:
        apply(data, document)
    assert refusal.value.field == field


def test_applying_needs_the_right_to_edit(data):
    with pytest.raises(Forbidden):
        apply(data, WANTED, who=EVE)
    assert DATASET.export(data.rooms.registry, EVE, "elsewhere") == []
