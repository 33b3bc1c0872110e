"""Lists of things in the terminal: what stands in the columns that there is room for."""

from __future__ import annotations

import dataclasses
from io import StringIO

import pytest
from rich.console import Console

from aimass.cli import show
from aimass.lake.views import View


@pytest.fixture
def printed(monkeypatch):
    out = StringIO()
    monkeypatch.setattr(show, "console", Console(file=out, width=400))
    return out


def test_the_list_of_views_tells_the_state_of_each(printed):
    fields = [field.name for field in dataclasses.fields(View)]
    views = [{**dict.fromkeys(fields, "x"), "state": state} for state in ("FRESH", "STALE", "FAILED")]
    show.show({"items": views, "next": None}, as_json=False)
    heading, *rows = printed.getvalue().splitlines()
    assert heading.split()[-1] == "state"
    assert [row.split()[-1] for row in rows] == ["FRESH", "STALE", "FAILED"]


def test_a_list_without_a_state_shows_its_first_columns(printed):
    show.show([{name: name.upper() for name in "abcdefghij"}], as_json=False)
    assert printed.getvalue().split() == [*"abcdefgh", *"ABCDEFGH"]
