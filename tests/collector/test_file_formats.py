"""Every format: proposed from a sample, read by its pinned types, bad rows put aside and replayed."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import fastavro
import polars as pl
import pytest

from aimass.collector.connectors.file.run.read import guess_format
from aimass.kernel.errors import Invalid, TooLarge
from tests.fixtures.formats import PACKERS, WRITERS, as_table

ROWS = [
    {"id": "1", "name": "Ann", "paid": "2.5", "on": "2026-05-01", "ok": "true"},
    {"id": "2", "name": "客户 😀", "paid": "-3", "on": "2026-05-02", "ok": "false"},
    {"id": "x", "name": "Bad", "paid": "1", "on": "2026-05-03", "ok": "true"},
    {"id": "4", "name": "Kim", "paid": "1", "on": "soon", "ok": "true"},
    {"id": "2.5", "name": "Lee", "paid": "1", "on": "2026-05-05", "ok": "true"},
    {"id": "9223372036854775808", "name": "Far", "paid": "1", "on": "2026-05-05", "ok": "true"},
    {"id": "7", "name": "Inf", "paid": "inf", "on": "2026-05-05", "ok": "true"},
    {"id": "8", "name": "Never", "paid": "1", "on": "infinity", "ok": "true"},
    {"id": None, "name": "None", "paid": "1", "on": "2026-05-05", "ok": "true"},
    {"id": "10", "name": None, "paid": None, "on": None, "ok": None},
]
PINNED = ("id integer!", "name string", "paid float", "on date", "ok boolean")
GOOD = [
    (1, "Ann", 2.5, date(2026, 5, 1), True),
    (2, "客户 😀", -3.0, date(2026, 5, 2), False),
    (10, None, None, None, None),
]
TABLES = ("csv", "xml", "fixed", "xlsx", "parquet", "arrow", "arrow stream", "orc")


def plan_for(bench, pinned, kind, path):
    told = bench.propose(path)
    columns = [*PINNED, "@n integer"] if kind == "xml" else PINNED
    return pinned(*columns, **{k: v for k, v in told.items() if k not in {"columns", "null_values"}})


@pytest.mark.parametrize("kind", WRITERS)
def test_the_format_is_told_by_its_bytes_whatever_the_name(bench, kind):
    path = bench.write(WRITERS[kind](ROWS), "data.bin")
    assert guess_format(path, "data.csv") == kind.partition(" ")[0]


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_is_read_by_its_pinned_types_and_what_does_not_fit_is_put_aside(bench, pinned, kind):
    path = bench.write(WRITERS[kind](ROWS), "data.bin")
    told = bench.collect(path, plan_for(bench, pinned, kind, path))
    assert (told["rows"], told["quarantined"]) == (3, 7)
    assert [row[:5] for row in sorted(bench.rows())] == GOOD
    assert [column for _, _, column, _ in bench.rejected()] == ["id", "on", "id", "id", "paid", "on", "id"]
    lines = [line for _, line, _, _ in bench.rejected()]
    first = {"xml": 3, "parquet": 1, "arrow": 1, "arrow stream": 1, "orc": 1}.get(kind, 2)
    assert lines == [first + at for at in (2, 3, 4, 5, 6, 7, 8)]


RECORDS = [
    {"id": 1, "name": "Ann", "paid": 2.5, "on": "2026-05-01", "ok": True},
    {"id": "x", "name": "Bad", "paid": 1.0, "on": "2026-05-03", "ok": True},
    {"id": 2.5, "name": "Lee", "paid": 1.0, "on": "2026-05-05", "ok": True},
    {"id": 4, "name": "Kim", "paid": 1.0, "on": "infinity", "ok": True},
    {"id": 5, "name": "Inf", "paid": float("inf"), "on": None, "ok": True},
    {"id": None, "name": "None", "paid": None, "on": None, "ok": None},
    {"id": 7, "name": "客户", "paid": None, "on": None, "ok": None},
]


@pytest.mark.parametrize("kind", ["json", "avro"])
def test_records_are_read_by_their_pinned_types_and_what_does_not_fit_is_put_aside(bench, pinned, kind):
    path = bench.write(WRITERS[kind](RECORDS), "data.bin")
    told = bench.collect(path, plan_for(bench, pinned, kind, path))
    assert (told["rows"], told["quarantined"]) == (2, 5)
    assert bench.rows() == [(1, "Ann", 2.5, date(2026, 5, 1), True), (7, "客户", None, None, None)]
    assert [column for _, _, column, _ in bench.rejected()] == ["id", "id", "on", "paid", "id"]


@pytest.mark.parametrize("kind", TABLES)
def test_types_are_proposed_from_a_sample(bench, kind):
    rows = [{"id": str(i), "name": f"n{i}", "paid": f"{i}.5", "on": "2026-05-01", "ok": "true"} for i in range(100)]
    told = bench.propose(bench.write(WRITERS[kind](rows), "data.bin"))
    found = {c["name"]: c["type"] for c in told["columns"] if c["name"] != "@n"}
    typed = kind in {"parquet", "arrow", "arrow stream", "orc"}
    expected = ["string"] * 5 if typed else ["integer", "string", "float", "date", "boolean"]
    assert found == dict(zip(rows[0], expected, strict=True))


@pytest.mark.parametrize("kind", ["arrow", "orc", "avro"])
def test_own_types_are_kept(bench, kind):
    moment = datetime(2026, 5, 1, 10, 30, tzinfo=UTC)
    path = bench.root / "typed.bin"
    if kind == "avro":
        fields = [
            ("n", "long"),
            ("f", "double"),
            ("b", "boolean"),
            ("t", {"type": "long", "logicalType": "timestamp-micros"}),
        ]
        fields += [("d", {"type": "int", "logicalType": "date"}), ("l", {"type": "array", "items": "int"})]
        schema = {"type": "record", "name": "r", "fields": [{"name": n, "type": t} for n, t in fields]}
        row = {"n": 1, "f": 0.5, "b": True, "t": moment, "d": date(2026, 5, 1), "l": [1, 2]}
        with path.open("wb") as target:
            fastavro.writer(target, schema, [row])
    else:
        frame = pl.DataFrame({"n": [1], "f": [0.5], "b": [True], "t": [moment], "d": [date(2026, 5, 1)], "l": [[1, 2]]})
        if kind == "arrow":
            frame.write_ipc(path, compression="zstd", compat_level=pl.CompatLevel.oldest())
        else:
            from pyarrow import orc

            orc.write_table(frame.to_arrow(compat_level=pl.CompatLevel.oldest()), str(path))
    plan = bench.propose(path)
    assert [c["type"] for c in plan["columns"]] == ["integer", "float", "boolean", "timestamp", "date", "numbers"]
    bench.collect(path, plan)
    assert bench.rows() == [(1, 0.5, True, moment, date(2026, 5, 1), [1.0, 2.0])]


@pytest.mark.parametrize("packer", PACKERS)
@pytest.mark.parametrize("kind", ["csv", "ndjson", "json", "xml", "fixed"])
def test_every_text_format_may_be_packed(bench, packer, kind):
    rows = [{"id": i, "name": f"n{i:03}"} for i in range(100, 200)]
    path = bench.write(PACKERS[packer](WRITERS[kind](rows)), "data.bin")
    plan = bench.propose(path)
    assert plan["format"] == kind
    told = bench.collect(path, plan)
    assert (told["rows"], told["quarantined"]) == (100, 0)


@pytest.mark.parametrize("packer", PACKERS)
def test_a_file_that_unpacks_to_more_than_the_limit_stores_nothing(bench, pinned, packer):
    path = bench.write(PACKERS[packer](b"a\n" + b"1\n" * 2_000_000), "bomb")
    assert path.stat().st_size < 10_000
    with pytest.raises(TooLarge, match="more than 1000000 bytes"):
        bench.collect(path, pinned("a integer"), max_unpacked_bytes=1_000_000)
    assert not bench.target.exists()
    assert bench.collect(path, pinned("a integer"))["rows"] == 2_000_000


@pytest.mark.parametrize("packer", PACKERS)
def test_a_packed_file_that_breaks_off_stores_nothing(bench, pinned, packer):
    whole = PACKERS[packer]("".join(f"{i * 7919}\n" for i in range(20_000)).encode())
    path = bench.write(whole[: len(whole) // 2], "cut")
    with pytest.raises(Invalid, match="broke off"):
        bench.collect(path, pinned("a integer", header=False))
    assert not bench.target.exists()


NAMES = list(ROWS[0])
EMPTY = {
    "csv": b'"id","name","paid","on","ok"\n',
    "fixed": b"id  namepaidon  ok  \n",
    "xml": b"<rows></rows>",
    "json": b"[]",
    "ndjson": b"\n",
    "xlsx": WRITERS["xlsx"]([dict.fromkeys(NAMES)]),
    "avro": WRITERS["avro"]([dict.fromkeys(NAMES)]),
}


@pytest.mark.parametrize("kind", EMPTY)
def test_a_file_with_a_header_and_no_rows_stores_none(bench, pinned, kind):
    more = {"widths": [4] * 5} if kind == "fixed" else {"record_path": "rows/row"} if kind == "xml" else {}
    columns = ("id integer", *PINNED[1:]) if kind == "avro" else PINNED
    told = bench.collect(bench.write(EMPTY[kind], "empty.bin"), pinned(*columns, format=kind, **more))
    assert (told["rows"], told["quarantined"]) == (int(kind == "avro"), 0)


@pytest.mark.parametrize("kind", ["xml", "json", "ndjson"])
def test_nothing_is_proposed_for_a_document_without_records(bench, kind):
    with pytest.raises(Invalid):
        bench.propose(bench.write(EMPTY[kind], "empty.bin"), format=kind)


@pytest.mark.parametrize("kind", ["parquet", "arrow", "arrow stream", "orc"])
def test_a_table_without_rows_is_proposed_and_stores_none(bench, kind):
    path = bench.write(as_table(kind, pl.DataFrame(schema=dict.fromkeys(NAMES, pl.String))), "empty.bin")
    plan = bench.propose(path)
    assert [c["name"] for c in plan["columns"]] == NAMES
    assert bench.collect(path, plan)["rows"] == 0


def test_a_json_document_of_one_object_is_one_row(bench):
    path = bench.write(json.dumps({"a": 1, "b": {"c": [1, 2]}}, indent=1), "one.json")
    plan = bench.propose(path)
    assert (plan["format"], plan["record_path"]) == ("json", "")
    bench.collect(path, plan)
    assert bench.rows() == [(1, '{"c":[1,2]}')]


def test_an_array_of_json_is_collected_and_lists_inside_stay_json(bench):
    path = bench.write('[\n{"a": 1, "l": [1, {"x": "é"}]},\n{"a": 2, "l": null}\n]', "d.json")
    bench.collect(path)
    assert bench.rows() == [(1, '[1,{"x":"é"}]'), (2, None)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('[{"a":1},{"a":2}', "end of the file"),
        ('[{"a":1},{"a":2]', "line 1"),
        ('[{"a":1}]{"a":2}', "behind the end"),
        ('[{"a":1},\n{"a": tru}]', "line 2"),
        ("[" * 100_000, "inside each other"),
    ],
)
def test_a_broken_document_stores_nothing(bench, pinned, text, reason):
    with pytest.raises(Invalid, match=reason):
        bench.collect(bench.write(text, "d.json"), pinned("a integer", format="json"))
    assert not bench.target.exists()


def test_a_path_that_is_not_there_is_named(bench, pinned):
    path = bench.write('{"data":{"items":[{"a":1}]}}', "d.json")
    with pytest.raises(Invalid, match="no 'rows'") as told:
        bench.collect(path, pinned("a integer", format="json", record_path="data/rows"))
    assert told.value.field == "record_path"


BOMB = """<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><l><r><v>&c;</v></r></l>"""
OUTSIDE = """<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/passwd">]><l><r><v>&a;</v></r></l>"""
BY_DTD = """<?xml version="1.0"?><!DOCTYPE l SYSTEM "file:///etc/passwd"><l><r><v>&a;</v></r></l>"""


@pytest.mark.parametrize("text", [BOMB, OUTSIDE])
def test_a_document_with_entities_of_its_own_is_refused(bench, pinned, text):
    path = bench.write(text, "d.xml")
    with pytest.raises(Invalid, match="declares entities"):
        bench.propose(path)
    with pytest.raises(Invalid, match="declares entities"):
        bench.collect(path, pinned("v string", format="xml", record_path="l/r"))


def test_nothing_outside_the_document_is_read(bench, pinned):
    path = bench.write(BY_DTD, "d.xml")
    told = None
    try:
        told = bench.collect(path, pinned("v string", format="xml", record_path="l/r"))
    except Invalid as reason:
        assert "entity" in str(reason)  # noqa: PT017 either way nothing was read
    assert told is None or bench.rows() == [(None,)]


def test_elements_become_dotted_names_and_repeated_ones_lists(bench):
    text = """<o:orders xmlns:o="urn:x"><o:order id="1"><who><name>Ann</name></who><tag>a</tag><tag>b</tag></o:order>
    <o:order id="2"><who><name>Bob &amp; Co</name></who></o:order></o:orders>"""
    path = bench.write(text, "d.xml")
    plan = bench.propose(path)
    assert plan["record_path"] == "orders/order"
    bench.collect(path, plan)
    assert bench.rows() == [(1, "Ann", '["a", "b"]'), (2, "Bob & Co", None)]


def test_deep_elements_are_refused(bench):
    with pytest.raises(TooLarge, match="inside each other"):
        bench.propose(bench.write("<a>" * 100_000, "d.xml"))


def test_a_sheet_below_a_title_is_read(bench):
    import xlsxwriter

    book = xlsxwriter.Workbook(bench.root / "d.xlsx")
    book.add_worksheet("Notes").write(0, 0, "see the other sheet")
    sheet, day = book.add_worksheet("Sales"), book.add_format({"num_format": "yyyy-mm-dd"})
    sheet.write(0, 0, "Sales of May")
    sheet.write_row(2, 0, ["day", "amount", "paid"])
    sheet.write_datetime(3, 0, date(2026, 5, 1), day)
    sheet.write_row(3, 1, [12.5, True])
    sheet.write_datetime(5, 0, date(2026, 5, 3), day)
    sheet.write_row(5, 1, [7, False])
    book.close()
    plan = bench.propose(bench.root / "d.xlsx", sheet="Sales", skip_rows=2)
    assert plan["sheets"] == ["Notes", "Sales"]
    assert [(c["name"], c["type"]) for c in plan["columns"]] == [
        ("day", "date"),
        ("amount", "float"),
        ("paid", "boolean"),
    ]
    bench.collect(bench.root / "d.xlsx", plan)
    assert bench.rows() == [(date(2026, 5, 1), 12.5, True), (date(2026, 5, 3), 7.0, False)]
    with pytest.raises(Invalid, match="no sheet 'May'") as told:
        bench.propose(bench.root / "d.xlsx", sheet="May")
    assert told.value.allowed == ["Notes", "Sales"]


def test_a_workbook_that_unpacks_to_too_much_is_refused_before_it_is_read(bench):
    import io
    import zipfile

    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("xl/workbook.xml", "<workbook/>")
        with book.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as part:
            for _ in range(600):
                part.write(b" " * (1 << 20))
    assert len(held.getvalue()) < 1_000_000
    with pytest.raises(TooLarge, match="512 MB"):
        bench.propose(bench.write(held.getvalue(), "bomb.xlsx"))


@pytest.mark.parametrize("kind", ["xlsx", "arrow", "orc", "avro", "parquet"])
def test_a_torn_file_is_refused(bench, pinned, kind):
    data = WRITERS[kind](ROWS)
    path = bench.write(data[: len(data) // 2], "torn.bin")
    with pytest.raises(Invalid):
        bench.propose(path, format=kind)
    with pytest.raises(Invalid):
        bench.collect(path, pinned(*PINNED, format=kind))
    assert not bench.target.exists()


def test_lines_that_are_too_long_are_put_aside_and_short_ones_lack_their_last_cells(bench, pinned):
    path = bench.write("001Ann  12\n002Bob  13 and more\n003Kim\n\n004Lee  xx\n", "d.txt")
    plan = pinned("id integer!", "name string", "n integer", format="fixed", header=False, widths=[3, 5, 2])
    told = bench.collect(path, plan)
    assert (told["rows"], told["quarantined"]) == (2, 2)
    assert bench.rows() == [(1, "Ann", 12), (3, "Kim", None)]
    assert [(raw, line) for raw, line, _, _ in bench.rejected()] == [("002Bob  13 and more", 2), ("004Lee  xx", 5)]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8-sig", "名前,n\nお客様,1\n"),
        ("utf-16", "名前,n\nお客様,1\n"),
        ("utf-16-le", "name,n\nsome plain words,1\n"),
        ("gb18030", "客户名称,n\n北京的客户名称,1\n"),
        ("shift_jis", "なまえ,n\nおきゃくさま,1\n"),
        ("cp1252", "name,n\nolé “yes” – Müller,1\n"),
    ],
)
def test_encodings_are_named_and_read(bench, encoding, text):
    path = bench.write(text.encode(encoding), "d.csv")
    plan = bench.propose(path)
    assert plan["encoding"].replace("utf-8", "utf-8-sig") == encoding
    bench.collect(path, plan)
    assert bench.rows() == [(text.splitlines()[1].partition(",")[0], 1)]


def test_years_nobody_can_show_are_put_aside(bench, pinned):
    text = "d,t\n0001-01-01,0001-01-01T00:00:00Z\n9999-12-31,9999-12-31T23:59:59.999999Z\n"
    text += "10000-01-01,\n,10000-01-01T00:00:00Z\ninfinity,\n,-infinity\n,2026-05-01T10:00:00+08:00\n"
    told = bench.collect(bench.write(text), pinned("d date", "t timestamp"))
    assert (told["rows"], told["quarantined"]) == (3, 4)
    assert (None, datetime(2026, 5, 1, 2, tzinfo=UTC)) in bench.rows()


@pytest.mark.parametrize("kind", WRITERS)
def test_a_person_is_found_in_an_upload_of_every_format(bench, kind):
    from aimass.collector.children.find import find

    path = bench.write(
        WRITERS[kind]([{"id": "1", "name": "Zoë & Quux"}, {"id": "2", "name": "Other"}] * 500), "data.bin"
    )
    assert find({"path": str(path), "texts": ["Zoë & Quux"]}) == {"found": True}
    assert find({"path": str(path), "texts": ["Nobody at all"]}) == {"found": False}


@pytest.mark.parametrize("packer", PACKERS)
def test_a_person_is_found_in_a_packed_upload(bench, packer):
    from aimass.collector.children.find import find

    path = bench.write(PACKERS[packer]("name\nZoë Quux\n".encode() * 1000))
    assert find({"path": str(path), "texts": ["Zoë Quux"]}) == {"found": True}
    assert find({"path": str(path), "texts": ["Nobody at all"]}) == {"found": False}
