"""Runs are found by conditions on their metrics, parameters and tags."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select

from aimass.infra.database import Database
from aimass.kernel.erasing import Person
from aimass.kernel.errors import Invalid
from aimass.kernel.principal import SYSTEM
from aimass.training import ListRuns, StartRun, TagRun, Training
from aimass.training.finding import MAX_CONDITIONS, Condition, conditions, facts_of, number_of
from aimass.training.tables import facts, scores
from tests.fixtures.rooms import Rooms
from tests.training.place import ANN, split_made

SIGNS = {"=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_./-]{0,20}", fullmatch=True)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(blacklist_characters="'", blacklist_categories=("Cs",)), max_size=20)


@st.composite
def condition(draw: st.DrawFn) -> Condition:
    kind: Any = draw(st.sampled_from(["metrics", "params", "tags"]))
    value = draw(NUMBERS) if kind == "metrics" else draw(NUMBERS | TEXTS)
    signs = ("=", "!=") if isinstance(value, str) else tuple(SIGNS)
    return Condition(kind, draw(NAMES), draw(st.sampled_from(signs)), value)


def written(one: Condition, space: str) -> str:
    value = f"'{one.value}'" if isinstance(one.value, str) else repr(one.value)
    return f"{one.kind}.{one.name}{space}{one.sign}{space}{value}"


@given(st.lists(condition(), min_size=1, max_size=5), st.sampled_from(["", " ", "  "]), st.sampled_from(["and", "AND"]))
def test_what_is_written_is_read(wanted: list[Condition], space: str, word: str) -> None:
    assert conditions(f" {word} ".join(written(one, space) for one in wanted)) == wanted


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(Invalid):
        assert len(conditions(text)) <= MAX_CONDITIONS


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("roc_auc", "no condition can be read at 'roc_auc'"),
        ("roc_auc > 0.5 or a = 1", "no condition"),
        ("roc_auc > 0.5 and ", "missing behind 'and'"),
        ("roc_auc > high", "compared with a number, not 'high'"),
        ("params.kind > rbf", "'>' compares numbers, not 'rbf'"),
        ("a = 1 and " * 25 + "a = 1", "no condition"),
        ("a = 'x", "no condition"),
    ],
)
def test_what_is_no_condition_is_refused(text: str, said: str) -> None:
    with pytest.raises(Invalid) as refused:
        conditions(text)
    assert said in refused.value.message


@pytest.fixture(scope="module")
def several(rooms: Rooms) -> dict[str, str]:
    """Runs by name, with scores as if they had been measured."""
    training = rooms.get(Training)
    split = split_made(rooms)
    start = StartRun(workspace="demo", recipe="logistic_regression", split=split.id, experiment="finding")
    wishes: Mapping[str, dict[str, Any]] = {
        "a": {"params": {"strength": 0.5}, "tags": {"team": "red", "size": "10"}},
        "b": {"params": {"strength": 2.0}, "tags": {"team": "blue ann@example.org"}},
        "c": {"params": {"strength": 2.0}},
    }
    found = {name: training.start_run(ANN, replace(start, name=name, **wish)).id for name, wish in wishes.items()}
    values = {"a": 0.9, "b": 0.8, "c": 0.7}
    with rooms.get(Database).change(SYSTEM, "demo") as change:
        for name, run in found.items():
            change.execute(insert(scores).values(run=run, name="quick", value=values[name]))
    return found


def named(rooms: Rooms, where: str, **more: Any) -> list[str]:
    wish = ListRuns(workspace="demo", experiment="finding", where=where, **more)
    return [run.name for run in rooms.get(Training).list_runs(ANN, wish).items]


@pytest.mark.parametrize(
    ("where", "names"),
    [
        ("quick >= 0.8", ["b", "a"]),
        ("metrics.quick < 0.8", ["c"]),
        ("params.strength = 2", ["c", "b"]),
        ("params.strength != 2 and quick > 0", ["a"]),
        ("params.strength > 1 and quick > 0.75", ["b"]),
        ("tags.team = red", ["a"]),
        ("tags.size >= 9.5", ["a"]),
        ("tags.team != 'red'", ["b"]),
        ("tags.gone = 1", []),
        ('params."strength" = 0.5', ["a"]),
        ("params.strength = '2.0'", ["c", "b"]),
    ],
)
def test_runs_are_found(rooms: Rooms, several: dict[str, str], where: str, names: list[str]) -> None:
    assert named(rooms, where) == names
    assert sorted(named(rooms, where, sort="quick")) == sorted(names)


def test_a_tag_that_changes_is_found_anew_and_a_person_no_longer(rooms: Rooms, several: dict[str, str]) -> None:
    training = rooms.get(Training)
    training.tag_run(ANN, TagRun(workspace="demo", run=several["c"], tags={"team": "green"}))
    assert named(rooms, "tags.team = green") == ["c"]
    training.tag_run(ANN, TagRun(workspace="demo", run=several["c"], tags={"team": ""}))
    assert named(rooms, "tags.team = green") == []
    training.erase_person(Person(erasure="e", values=("ann@example.org",), workspace="demo"))
    with rooms.get(Database).read() as conn:
        told = list(conn.execute(select(facts.c.text).where(facts.c.run == several["b"])).scalars())
    assert not [text for text in told if "ann@" in text]
    assert named(rooms, "tags.team = 'blue [erased]'") == ["b"]


@given(st.dictionaries(st.text(max_size=9), st.integers() | NUMBERS | st.text(max_size=9) | st.booleans() | st.none()))
def test_numbers_are_found_as_numbers(params: dict[str, Any]) -> None:
    for name, (text, number) in facts_of(params, {}).items():
        value = params[name.removeprefix("params.")]
        if isinstance(value, float):
            assert number == value
        assert number is None or number_of(text) == number
