"""Where an axis of time is marked: evenly, whatever the months are long."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest

from tests.fixtures.browser import ROOT, browser, new_page  # noqa: F401

SOURCE = ROOT / "src" / "aimass" / "web" / "assets" / "js" / "moments.js"
MARKS = """async ([code, from, to, width]) => {
  const { moments } = await import(code);
  const { labels } = moments([new Date(from).getTime(), new Date(to).getTime()], width);
  return labels.customValues.map(labels.formatter);
}"""


@pytest.fixture(scope="module")
def page(browser):
    with new_page(browser) as found:
        yield found


def _marks(page, start: str, end: str, width: int = 1_000) -> list[str]:
    code = "data:text/javascript," + quote(Path(SOURCE).read_text("utf-8"))
    return page.evaluate(MARKS, [code, start, end, width])


def test_days_are_counted_through_the_end_of_a_month(page):
    assert _marks(page, "2026-10-29T12:00", "2026-11-28T12:00") == ["10-31", "11-07", "11-14", "11-21", "11-28"]
    assert _marks(page, "2026-02-26T06:00", "2026-03-04T06:00") == [
        "02-27", "02-28", "03-01", "03-02", "03-03", "03-04",
    ]  # fmt: skip


def test_hours_and_minutes_are_round_and_midnight_names_the_day(page):
    assert _marks(page, "2026-11-27T19:10", "2026-11-28T07:10") == [
        "20:00",
        "22:00",
        "11-28",
        "02:00",
        "04:00",
        "06:00",
    ]
    assert _marks(page, "2026-11-28T19:07", "2026-11-28T20:07") == [
        "19:10", "19:20", "19:30", "19:40", "19:50", "20:00",
    ]  # fmt: skip


def test_a_narrow_picture_has_fewer_marks_that_stand_as_evenly(page):
    assert _marks(page, "2026-11-28T19:07", "2026-11-28T20:07", 240) == ["19:30", "20:00"]


def test_years_are_named_when_there_are_several(page):
    marks = _marks(page, "2024-01-10T00:00", "2026-11-28T00:00")
    assert marks[-1] == "2026-11"
    assert len(marks) <= 7
