"""Kill -9 of any process at random points: after a restart the story ends as if nothing had happened."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.facts import Facts
from tests.fixtures.killer import Killer, points, seed
from tests.fixtures.story import Telling, none_left

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]


@pytest.fixture
def folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="am"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def _tell_under_kills(folder: Path, number: int, kills: int) -> None:
    print(f"AIMASS_KILL_SEED={number}")
    telling = Telling(folder / f"d{number}")
    killer = Killer(telling, points(random.Random(number), kills))
    try:
        killer.run()
        print("\n".join(killer.said))
        _check(telling, killer)
    finally:
        telling.stop()


def _check(telling: Telling, killer: Killer) -> None:
    facts = Facts(telling.data_dir)
    assert none_left(telling.data_dir) == [], killer.report()
    assert list(facts.complaints()) == [], killer.report()
    assert facts.rows("select pipeline, number, state from lifecycle_runs order by id") == [
        ("churn-release", 1, "SUCCEEDED"),
        ("churn-retrain", 1, "SUCCEEDED"),
    ], killer.report()
    assert facts.rows("select rows, quarantined from lake_versions where number = 1") == [(7032, 11)]
    assert facts.rows("select count(*) from models_versions") == [(2,)], killer.report()
    assert sum(line.startswith("killed") for line in killer.said) == len(killer.points), killer.report()


def test_a_story_with_four_kills_ends_as_if_nothing_had_happened(folder: Path) -> None:
    _tell_under_kills(folder, seed(), 4)


@pytest.mark.long
@pytest.mark.parametrize("story", range(4))
def test_thirty_kills_over_four_stories_change_nothing(folder: Path, story: int) -> None:
    _tell_under_kills(folder, seed(), (8, 8, 7, 7)[story])
