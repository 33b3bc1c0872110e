from __future__ import annotations

import csv
import io
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aimass.kernel.errors import Invalid, TooLarge

TELCO = Path(__file__).parents[2] / "src/aimass/bootstrap/data/telco-churn.csv"


def test_the_telco_file_ends_with_7032_good_rows_and_its_11_blanks_in_quarantine(bench):
    plan = bench.propose(TELCO)
    assert {c["name"]: c["misfits"] for c in plan["columns"] if c["misfits"]} == {"TotalCharges": 11}
    told = bench.collect(TELCO, plan, max_reject_rate=0.2)
    assert (told["rows"], told["quarantined"], told["version"]["rows"]) == (7032, 11, 7032)
    assert {(column, reason) for _, _, column, reason in bench.rejected()} == {("TotalCharges", "' ' is no float")}
    raw = TELCO.read_text().splitlines()
    assert all(raw[line - 1] == text for text, line, _, _ in bench.rejected())
    assert told["version"]["profile"]["rows"] == 7032
    assert told["version"]["quality"]["passed"]


def test_the_same_batch_again_adds_no_row(bench, pinned):
    path, plan = bench.write("a\n1\n2\nx\n"), pinned("a integer")
    first, second = bench.collect(path, plan), bench.collect(path, plan)
    assert (first["already"], second["already"]) == (False, True)
    assert (second["rows"], second["quarantined"]) == (2, 1)
    assert bench.rows() == [(1,), (2,)]
    assert len(bench.rejected()) == 1


def test_a_crash_between_quarantine_and_rows_repeats_neither(bench, pinned, monkeypatch):
    from aimass.collector.children import collect as module

    path, plan = bench.write("a\n1\nx\n"), pinned("a integer")
    original = module._quarantine

    def crash(*args):
        original(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_quarantine", crash)
    with pytest.raises(KeyboardInterrupt):
        bench.collect(path, plan)
    monkeypatch.undo()
    assert not bench.target.exists()
    told = bench.collect(path, plan)
    assert (told["rows"], told["quarantined"], len(bench.rejected())) == (1, 1, 1)


def test_a_second_batch_appends_and_replace_starts_anew(bench, pinned):
    plan = pinned("a integer")
    bench.collect(bench.write("a\n1\n"), plan)
    assert bench.collect(bench.write("a\n2\n"), plan, batch=2)["version"]["rows"] == 2
    bench.collect(bench.write("a\n3\n"), plan, batch=3, mode="replace")
    assert bench.rows() == [(3,)]


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        ("a,b\ny\nz,2,3\nq,4\n", ["too few cells", "too many cells"]),
        ("a,b\nx,2.5\nq,4\n", ["'2.5' is no integer"]),
        ("a,b\nx,1e3\nq,4\n", ["'1e3' is no integer"]),
        ("a,b\nx,9223372036854775808\nq,4\n", ["'9223372036854775808' is no integer"]),
        ("a,b\n,1\nq,4\n", ["missing, and the column allows none"]),
        ('a,b\nq,4\n"open,1\n', ["quote is not closed"]),
        ("a,b\nx\0y,1\nq,4\n", ["NUL character"]),
        ("a,b\n\n\nx,zz\n\nq,4\n", ["'zz' is no integer"]),
        ('a,b\n"two\nlines",2.5\nq,4\n', ["'2.5' is no integer"]),
    ],
)
def test_a_bad_row_goes_to_quarantine_with_its_reason(bench, pinned, text, reasons):
    bench.collect(bench.write(text), pinned("a string!", "b integer"))
    assert bench.rows() == [("q", 4)]
    told = [reason for *_, reason in bench.rejected()]
    assert all(part in reason for part, reason in zip(reasons, told, strict=True)), told


def test_a_quarantined_row_keeps_raw_text_and_line(bench, pinned):
    bench.collect(bench.write('a,b\n\n"two\nlines",2.5\nx,oops\ny,1e999\nok,1\n'), pinned("a string", "b integer"))
    assert [(raw, line) for raw, line, *_ in bench.rejected()] == [
        ('"two\nlines",2.5', 3),
        ("x,oops", 5),
        ("y,1e999", 6),
    ]


def test_lines_are_counted_as_a_person_counts_them(bench, pinned):
    bench.collect(bench.write('a,b\n"two\nlines",1\n\ny,bad\n"a\n\nb",2.5\nz\nq,4\n'), pinned("a string", "b integer"))
    assert [(raw, line) for raw, line, *_ in bench.rejected()] == [("y,bad", 5), ('"a\n\nb",2.5', 6), ("z", 9)]


def test_what_is_beyond_every_number_is_rejected(bench, pinned):
    bench.collect(bench.write("a,b\nx,1e999\ny,inf\nz,nan\nq,4.5\n"), pinned("a string", "b float"))
    assert bench.rows() == [("q", 4.5)]
    assert [line for _, line, _, _ in bench.rejected()] == [2, 3, 4]


@pytest.mark.parametrize(
    "text", ["a,b\r\nx,1\r\ny,2\r\n", "a,b\rx,1\ry,2\r", "a,b\nx,1\r\ny,2\n", "\ufeffa,b\nx,1\ny,2", "b,a\n1,x\n2,y\n"]
)
def test_line_ends_marks_and_order_of_columns_do_not_matter(bench, pinned, text):
    bench.collect(bench.write(text), pinned("a string", "b integer"))
    assert bench.rows() == [("x", 1), ("y", 2)]


def test_an_empty_file_is_refused_with_the_way_out(bench, pinned):
    for text in ("", "\n \n"):
        with pytest.raises(Invalid, match="empty") as told:
            bench.propose(bench.write(text))
        assert "header row" in told.value.hint
    with pytest.raises(Invalid, match="empty"):
        bench.collect(bench.write(""), pinned("a string"))


def test_a_header_alone_makes_a_version_without_rows(bench):
    told = bench.collect(bench.write("a,b\n"))
    assert (told["rows"], told["version"]["rows"]) == (0, 0)
    assert [c["name"] for c in told["version"]["columns"]] == ["a", "b"]


def test_latin_1_under_a_utf_8_plan_is_quarantined_and_proposed_right(bench, pinned):
    path = bench.write("a,b\ncafé olé,1\nplain,2\n".encode("latin-1"))
    bench.collect(path, pinned("a string", "b integer"))
    assert bench.rows() == [("plain", 2)]
    assert "not UTF-8" in bench.rejected()[0][3]
    plan = bench.propose(path)
    assert plan["encoding"] == "cp1252"
    bench.collect(path, plan, batch=2, mode="replace")
    assert bench.rows() == [("café olé", 1), ("plain", 2)]


def test_a_chinese_encoding_is_recognised(bench):
    path = bench.write("姓名,城市\n张三,北京\n李四,上海\n".encode("gbk"))
    assert bench.propose(path)["encoding"] == "gb18030"
    bench.collect(path)
    assert bench.rows() == [("张三", "北京"), ("李四", "上海")]


def test_a_wrong_encoding_is_named_with_its_byte(bench, pinned):
    with pytest.raises(Invalid, match="is not utf-16") as told:
        bench.collect(bench.write("a\nx\nyy"), pinned("a string", encoding="utf-16"))
    assert told.value.field == "encoding"


def test_a_line_without_end_is_refused(bench, pinned):
    path = bench.root / "long.csv"
    with path.open("wb") as target:
        target.write(b"a\n")
        for _ in range(65):
            target.write(b"x" * 2**20)
    with pytest.raises(TooLarge, match="no end within 64 MB"):
        bench.collect(path, pinned("a string"))


def test_too_many_rejects_store_nothing_and_say_why(bench, pinned):
    path = bench.write("a\n1\nx\ny\n")
    with pytest.raises(Invalid, match=r"2 of 3 rows were rejected.*line 3, column 'a': no integer"):
        bench.collect(path, pinned("a integer"), max_reject_rate=0.5)
    assert not bench.target.exists()
    assert not bench.quarantine.exists()


def test_odd_column_names_survive(bench):
    told = bench.collect(bench.write('客户,😀,"a ""b"", c",,Id,id\nx,1,2,3,4,5\n'))
    assert [c["name"] for c in told["version"]["columns"]] == ["客户", "😀", 'a "b", c', "column_4", "Id", "id_2"]
    assert bench.rows() == [("x", 1, 2, 3, 4, 5)]


def test_a_column_without_any_value_is_a_text(bench):
    bench.collect(bench.write("a,b\n1,\n2,\n"))
    assert bench.rows() == [(1, None), (2, None)]


def test_other_columns_than_the_pinned_ones_are_refused(bench, pinned):
    with pytest.raises(Invalid, match="lacks b and has the new c") as told:
        bench.collect(bench.write("a,c\n1,2\n"), pinned("a integer", "b integer"))
    assert "propose" in told.value.hint


def test_columns_with_personal_data_leave_no_values_in_the_log(bench):
    bench.collect(bench.write("email,age\nann@example.org,30\nbob@example.org,40\n"))
    log = "".join(file.read_text() for file in (bench.target / "_delta_log").glob("*.json"))
    assert "ann@example.org" not in log
    assert '\\"age\\"' in log


def test_progress_tells_rows_and_bytes_and_a_cancel_stops_without_a_trace(bench, pinned):
    from aimass.collector.children.collect import collect

    class Stopped(BaseException):
        pass

    path, plan = bench.write("a\n1\n"), pinned("a integer")
    ctx = bench.context(path, plan)
    collect(ctx)
    assert ctx.reports[1][2] == {"rows": 1, "bytes": 4}
    other = bench.context(path, plan, batch=2)

    def stop(fraction=None, stage="", **metrics):
        if stage == "load":
            raise Stopped

    other.report = stop
    with pytest.raises(Stopped):
        collect(other)
    assert bench.rows() == [(1,)]


CELLS = st.text(
    st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs"]), max_size=8
) | st.sampled_from(["1", "2.5", "", " ", '"', "a,b", "x\ny"])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=30))
def test_no_row_is_lost_whatever_the_cells_hold(bench, pinned, rows, request):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows([("a", "b"), *rows])
    number = getattr(request, "_batch", 0) + 1
    request._batch = number
    told = bench.collect(bench.write(text.getvalue()), pinned("a string", "b integer"), batch=number, mode="replace")
    assert told["rows"] + told["quarantined"] == len(rows)
    good = [
        (a or None, int(b) if b else None)
        for a, b in rows
        if not b or (b.strip("+- \t").isascii() and b.strip().isdigit())
    ]
    assert Counter(bench.rows()) == Counter(good)


def test_a_big_file_streams_in_batches(bench, pinned):
    pl.DataFrame({"a": range(400_000), "b": ["x" * 20] * 400_000}).write_csv(bench.root / "big.csv")
    ctx = bench.context(bench.root / "big.csv", pinned("a integer!", "b string"))
    from aimass.collector.children.collect import collect

    assert collect(ctx)["rows"] == 400_000
    assert sum(stage == "load" for _, stage, _ in ctx.reports) > 1
