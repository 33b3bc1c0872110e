from __future__ import annotations

import pytest

from aimass.collector import OneSource
from aimass.collector.specs import SOURCE
from aimass.kernel.errors import Conflict, Forbidden, Invalid
from tests.fixtures.data import ANN, EVE

PLAN = {
    "format": "csv",
    "delimiter": ";",
    "columns": [{"name": "id", "type": "integer", "nullable": False}, {"name": "mail", "type": "string"}],
}
WANTED = {"kind": "source", "name": "Customers", "dataset": "people", "mode": "replace", "plan": PLAN}


def apply(data, document, *, dry_run=False, who=ANN):
    return SOURCE.apply(data.rooms.registry, who, "demo", document, dry_run=dry_run)


def test_a_document_makes_a_source_that_collects(data):
    assert apply(data, WANTED) == ("create", ["dataset", "mode", "plan"])
    found = data.ended(data.start("customers", data.upload("id;mail\n1;a\n2;b\n")))
    assert (found.state, found.rows, found.dataset) == ("SUCCEEDED", 2, "people")


def test_applying_twice_changes_nothing_the_second_time(data):
    apply(data, WANTED)
    assert apply(data, WANTED) == ("none", [])


def test_an_exported_document_changes_nothing(data):
    apply(data, WANTED)
    (exported,) = SOURCE.export(data.rooms.registry, ANN, "demo")
    assert apply(data, exported) == ("none", [])
    assert apply(data, {**exported, "max_reject_rate": 0.5}) == ("change", ["max_reject_rate"])
    assert data.collector.get_source(ANN, OneSource(workspace="demo", source="customers")).max_reject_rate == 0.5


def test_a_source_keeps_its_dataset(data):
    apply(data, WANTED)
    with pytest.raises(Conflict, match="fills 'people'"):
        apply(data, {**WANTED, "dataset": "others"})


@pytest.mark.parametrize(
    ("changed", "field"),
    [({"colour": 1}, "colour"), ({"mode": "merge"}, "mode"), ({"plan": {"format": "doc"}}, "format")],
)
def test_what_a_source_cannot_be_is_named(data, changed, field):
    with pytest.raises(Invalid) as refusal:
        apply(data, {**WANTED, **changed})
    assert refusal.value.field == field


def test_applying_needs_the_right_to_edit(data):
    with pytest.raises(Forbidden):
        apply(data, WANTED, who=EVE)
