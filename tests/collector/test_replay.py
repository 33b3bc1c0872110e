from __future__ import annotations

import polars as pl
import pytest

from aimass.collector.children.replay import replay
from tests.fixtures.formats import WRITERS


@pytest.fixture
def again(bench):
    def run(plan, rows=(), run="R1"):
        ctx = bench.context(bench.root, plan)
        ctx.params = {
            "quarantine": str(bench.quarantine),
            "target": str(bench.target),
            "plans": {"SOURCE": plan},
            "rows": list(rows),
            "run": run,
            "describe": {"now": "2026-05-01T00:00:00+00:00"},
        }
        return replay(ctx)

    return run


def ids(bench):
    return dict(pl.read_delta(str(bench.quarantine)).select("raw", "id").rows())


def test_mended_rows_go_in_once_and_leave_the_quarantine(bench, pinned, again):
    plan = pinned("a string", "b integer")
    bench.collect(bench.write("a,b\nx,1\ny,two\nz,three\n"), plan)
    row = {"id": ids(bench)["y,two"], "raw": "y,2"}
    told = again(plan, [row])
    assert (told["rows"], told["refused"], told["version"]["rows"]) == (1, 0, 2)
    assert sorted(bench.rows()) == [("x", 1), ("y", 2)]
    assert list(ids(bench)) == ["z,three"]
    assert again(plan, [row], run="R2")["rows"] == 0
    assert len(bench.rows()) == 2


def test_a_row_that_still_does_not_fit_stays_and_says_why(bench, pinned, again):
    plan = pinned("a string", "b integer")
    bench.collect(bench.write("a,b\nx,1\ny,two\nz,three\n"), plan)
    kept = ids(bench)
    told = again(plan, [{"id": kept["y,two"], "raw": "y,2"}, {"id": kept["z,three"], "raw": 'z,"3'}])
    assert (told["rows"], told["refused"]) == (1, 1)
    assert "quote" in told["first"][0]["reason"]
    assert list(ids(bench)) == ["z,three"]


def test_all_rows_are_read_again_by_the_types_pinned_since(bench, pinned, again):
    bench.collect(bench.write('a,b\n"two\nlines", \nx,1\ny,bad\n'), pinned("a string", "b float"))
    told = again(pinned("a string", "b float", null_values=[" "]))
    assert (told["rows"], told["refused"]) == (1, 1)
    assert sorted(bench.rows()) == [("two\nlines", None), ("x", 1.0)]


def test_a_crash_after_the_commit_repeats_nothing(bench, pinned, again, monkeypatch):
    from aimass.collector.children import replay as module

    plan = pinned("a integer")
    bench.collect(bench.write("a\n1\nx\n"), plan)
    row = {"id": ids(bench)["x"], "raw": "2"}
    with monkeypatch.context() as patch:
        patch.setattr(module, "_release", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            again(plan, [row])
    told = again(plan, [row])
    assert (told["rows"], told["version"]["rows"]) == (1, 2)
    assert sorted(bench.rows()) == [(1,), (2,)]
    assert ids(bench) == {}


def test_rows_of_a_file_with_another_order_of_columns_keep_it(bench, pinned, again):
    plan = pinned("a integer", "b integer")
    bench.collect(bench.write("b,a\n1,x\n3,4\n"), plan)
    told = again(plan, [{"id": ids(bench)["1,x"], "raw": "1,2"}])
    assert told["rows"] == 1
    assert sorted(bench.rows()) == [(2, 1), (4, 3)]


def test_rows_of_other_formats_are_replayed_as_json(bench, pinned, again):
    plan = pinned("a integer!", format="parquet")
    pl.DataFrame({"a": ["1", "x"]}).write_parquet(bench.root / "d.parquet")
    bench.collect(bench.root / "d.parquet", plan)
    told = again(plan, [{"id": next(iter(ids(bench).values())), "raw": '{"a": 5}'}])
    assert told["rows"] == 1
    assert sorted(bench.rows()) == [(1,), (5,)]


def test_cells_of_a_table_may_be_mended_as_texts(bench, pinned, again):
    plan = pinned("a integer!", "b boolean", "c float", format="parquet", null_values=["none"])
    pl.DataFrame({"a": ["1", "x"], "b": ["true", "no"], "c": ["1", "1"]}).write_parquet(bench.root / "d.parquet")
    bench.collect(bench.root / "d.parquet", plan)
    told = again(plan, [{"id": next(iter(ids(bench).values())), "raw": '{"a": "5", "b": "TRUE", "c": "none"}'}])
    assert (told["rows"], told["refused"]) == (1, 0)
    assert sorted(bench.rows()) == [(1, True, 1.0), (5, True, None)]


@pytest.mark.parametrize("kind", WRITERS)
def test_rows_of_every_format_are_mended_and_read_again(bench, pinned, again, kind):
    path = bench.write(WRITERS[kind]([{"id": "1", "name": "Ann"}, {"id": "x", "name": "Bob"}, {"id": "3", "name": ""}]))
    told = bench.propose(path)
    names = ("id integer!", "name string", "@n integer") if kind == "xml" else ("id integer!", "name string")
    plan = pinned(*names, **{key: value for key, value in told.items() if key != "columns"})
    strict = kind in {"json", "ndjson", "avro"}
    assert bench.collect(path, plan)["quarantined"] == (3 if strict else 1)
    mended = {raw: raw.replace("x", "2").replace('"2"', "2" if strict else '"2"') for raw in ids(bench)}
    rows = [{"id": id_, "raw": mended[raw]} for raw, id_ in ids(bench).items() if "Bob" in raw]
    assert again(plan, rows)["rows"] == 1
    assert (2, "Bob") in [row[:2] for row in bench.rows()]
    assert len(ids(bench)) == (2 if strict else 0)
