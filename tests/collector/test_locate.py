"""Rows of a CSV file are found again by their number, whatever the file looks like."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimass.collector.connectors.file.plan import Pinned, Plan
from aimass.collector.connectors.file.run import locate as module
from aimass.collector.connectors.file.run.locate import Located, Wanted, locate

LINES = st.lists(st.sampled_from(["a,1", "b,2", '"c, and d",3', '"e\nf",4', "", '"a ""word""",5', "g,6"]), max_size=40)


def plan(header: bool) -> Plan:
    columns = [Pinned(name=name, type="string", nullable=True) for name in ("word", "n")]
    return Plan(format="csv", columns=tuple(columns), delimiter=",", quote='"', header=header)


def records(text: str) -> list[tuple[int, str]]:
    """Cut a text into records, each with the line on which it starts: slow, and easy to believe."""
    found: list[tuple[int, str]] = []
    held, start = "", 0
    for number, line in enumerate(text.split("\n"), start=1):
        held, start = (held + "\n" + line, start) if held else (line, number)
        if held.count('"') % 2:
            continue
        if held:
            found.append((start, held))
        held = ""
    return found


@pytest.mark.parametrize("block", [1, 7, 1 << 18])
@given(lines=LINES, header=st.booleans(), picks=st.sets(st.integers(0, 40)), out=st.sets(st.integers(0, 40)))
def test_it_finds_what_a_slow_reading_finds(block, tmp_path_factory, lines, header, picks, out):
    path: Path = tmp_path_factory.mktemp("csv") / "a.csv"
    path.write_text("\n".join(lines) + "\n")
    whole = records(path.read_text())[1 if header else 0 :]
    rejected = frozenset(line for n, (line, _) in enumerate(whole) if n in out)
    left = [one for one in whole if one[0] not in rejected]
    wanted = [Wanted(ordinal=n, column=0, cell=cell_of(left[n][1])) for n in sorted(picks) if n < len(left)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK", block)
        found = list(locate(path, plan(header), wanted, rejected))
    assert found == [
        Located(wanted=one, raw=left[one.ordinal][1], line=left[one.ordinal][0], cell=one.cell) for one in wanted
    ]


def cell_of(record: str) -> str:
    return {"a": "a", "b": "b", "g": "g"}.get(record[0]) or {"c": "c, and d", "e": "e\nf", "a": 'a "word"'}[record[1]]


def test_what_is_not_there_is_told_as_lost(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("word,n\na,1\n")
    one, other = Wanted(ordinal=0, column=0, cell="z"), Wanted(ordinal=9, column=0, cell="q")
    assert [(found.line, found.raw) for found in locate(path, plan(True), [one, other], frozenset())] == [
        (0, "z"),
        (0, "q"),
    ]
