from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable

from aimass.monitoring.children.commit import commit_segment
from aimass.monitoring.children.records import erase, read, upkeep
from tests.monitoring.samples import make_record, make_records


@pytest.fixture
def commit(tmp_path: Path) -> Any:
    def run(path: Path, **more: Any) -> dict[str, Any]:
        given = {
            "path": str(path),
            "worker": path.parent.name,
            "number": int(path.stem),
            "lake": str(tmp_path / "lake"),
        }
        return commit_segment(given | more)

    return run


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "lake/demo/_records-churn"


def rows(table: Path) -> pl.DataFrame:
    return pl.read_delta(str(table)).sort("t", "row")


def test_a_segment_becomes_typed_rows(write_segment: Any, commit: Any, table: Path) -> None:
    told = commit(write_segment(make_records(1, 2, 3)))
    (of_endpoint,) = told["tables"]
    assert (of_endpoint["requests"], of_endpoint["rows"], of_endpoint["repeated"]) == (3, 3, 0)
    assert rows(table)["input_tenure"].to_list() == [1.0, 2.0, 3.0]
    assert rows(table)["probabilities"].to_list()[0] == [0.9, 0.1]


def test_the_same_segment_again_changes_nothing_and_tells_the_same(
    write_segment: Any, commit: Any, table: Path
) -> None:
    path = write_segment(make_records(1, 2, 3))
    first, again = commit(path), commit(path)
    assert again["tables"][0]["already"]
    assert {**again["tables"][0], "already": False} == first["tables"][0]
    assert rows(table).height == 3


def test_a_segment_that_was_cut_off_between_two_endpoints_is_completed(
    write_segment: Any, commit: Any, table: Path
) -> None:
    both = [*make_records(1, 2), *make_records(3, endpoint="fraud")]
    path = write_segment(both)
    commit(write_segment(make_records(9), worker="w1"))
    half = path.with_name(path.name)
    commit(half)
    told = commit(half)
    assert [t["endpoint"] for t in told["tables"]] == ["churn", "fraud"]
    assert rows(table).height == 3
    assert rows(table.with_name("_records-fraud")).height == 1


def test_a_request_id_that_is_there_already_is_dropped(write_segment: Any, commit: Any, table: Path) -> None:
    commit(write_segment(make_records(1, 2)))
    told = commit(
        write_segment(
            [make_record(2), make_record(3), make_record(3), make_record(4, id="mine"), make_record(5, id="mine")]
        )
    )
    assert (told["tables"][0]["requests"], told["tables"][0]["repeated"]) == (2, 3)
    assert commit(write_segment([make_record(6, id="mine")], worker="w7"))["tables"][0]["repeated"] == 1
    assert rows(table)["id"].is_unique().all()


def test_a_late_segment_is_taken_by_its_ids_alone(write_segment: Any, commit: Any, table: Path) -> None:
    early, later = write_segment(make_records(1)), write_segment(make_records(2))
    commit(later)
    commit(early, late=True)
    commit(early, late=True)
    assert rows(table).height == 2


def test_damage_is_named_and_the_rest_is_kept(write_segment: Any, commit: Any, table: Path) -> None:
    path = write_segment([*make_records(1, 2), {"no": "record"}, make_record(3, endpoint="../../etc")])
    data = bytearray(path.read_bytes())
    data[20] ^= 0xFF
    path.write_bytes(bytes(data) + b"\x09\x00")
    told = commit(path)
    assert [d["reason"].split(":")[0] for d in told["damage"]] == [
        "frame 1 holds no record",
        "frame 2 holds no record",
        "checksum mismatch",
        "torn tail",
    ]
    assert rows(table).height == 1


def test_payloads_are_left_out_when_the_endpoint_wants_none(write_segment: Any, commit: Any, table: Path) -> None:
    commit(write_segment(make_records(1)), policies={"demo/churn": {"payload": False}})
    assert "input_tenure" not in rows(table).columns
    assert rows(table)["label"].to_list() == [None]


def test_a_request_that_was_repeated_is_kept_once_whoever_answered_it(
    write_segment: Any, commit: Any, table: Path
) -> None:
    commit(write_segment([make_record(1)]))
    again = [make_record(1, deployment="canary", revision="rev-2")]
    assert commit(write_segment(again))["tables"][0]["repeated"] == 1
    assert pl.read_delta(str(table))["deployment"].to_list() == ["champion"]


def test_a_shadow_answers_the_same_request_and_is_kept_beside_it(write_segment: Any, commit: Any, table: Path) -> None:
    both = [make_record(1), make_record(1, deployment="shadow", revision="rev-2", shadow=True)]
    told = commit(write_segment(both))
    assert [(t["deployment"], t["requests"]) for t in told["tables"][0]["traffic"]] == [("champion", 1), ("shadow", 1)]
    assert commit(write_segment(both))["tables"][0]["repeated"] == 2


def test_a_value_of_another_type_is_kept_beside_its_column(write_segment: Any, commit: Any, table: Path) -> None:
    commit(write_segment(make_records(1)))
    odd = make_record(2, inputs={"tenure": ["many"], "Contract": ["One year"], "客户 年龄": [7], "vector": [[1, 2]]})
    commit(write_segment([odd]))
    last = rows(table).row(1, named=True)
    assert last["input_tenure"] is None
    assert json.loads(last["misfit"]) == {"input_tenure": "many", "input_vector": [1, 2]}
    assert last["input_客户 年龄"] == 7.0
    assert read({"records": str(table), "limit": 1})["rows"][0]["inputs"]["tenure"] == "many"


def test_a_request_of_many_rows_has_a_line_for_each_and_a_refused_one_has_one(
    write_segment: Any, commit: Any, table: Path
) -> None:
    many = make_record(
        1, rows=2, inputs={"tenure": [1, None]}, outputs={"label": ["No", "Yes"], "probabilities": [[1, 0], [0, 1]]}
    )
    commit(write_segment([many, make_record(2, status=400, rows=0, inputs=None, outputs=None)]))
    assert rows(table).select("id", "row", "label", "status").rows() == [
        (many["id"], 0, "No", 200),
        (many["id"], 1, "Yes", 200),
        (make_record(2)["id"], 0, None, 400),
    ]


def test_the_log_holds_no_value_of_a_customer(write_segment: Any, commit: Any, table: Path) -> None:
    commit(write_segment([make_record(1, inputs={"email": ["eve@example.com"]})]))
    log = b"".join(path.read_bytes() for path in (table / "_delta_log").glob("*.json"))
    assert b"eve@example.com" not in log
    assert b"minValues" in log


def test_pages_go_back_in_time_without_a_gap(write_segment: Any, commit: Any, table: Path) -> None:
    commit(write_segment(make_records(*range(7), t=1_780_000_000.5)))
    seen: list[str] = []
    after = None
    while True:
        page = read({"records": str(table), "limit": 3, "after": after})["rows"]
        seen += [row["id"] for row in page[:3]]
        if len(page) <= 3:
            break
        after = [page[2][name] for name in ("t", "id", "row", "deployment")]
    assert seen == sorted((make_record(n)["id"] for n in range(7)), reverse=True)


def test_upkeep_removes_what_is_too_old_and_compacts(write_segment: Any, commit: Any, table: Path) -> None:
    for number in range(4):
        commit(write_segment(make_records(number)))
    told = upkeep({"path": str(table), "before": "2026-05-28T20:26:42.000Z", "compact_files": 2})
    assert told["deleted"] == 2
    assert (rows(table).height, told["files"]) == (2, 1)
    assert commit(write_segment(make_records(3)))["tables"][0]["repeated"] == 1


def test_upkeep_keeps_a_table_below_its_size(write_segment: Any, commit: Any, table: Path) -> None:
    for number in range(4):
        commit(write_segment(make_records(number)))
    one = max(pl.DataFrame(DeltaTable(str(table)).get_add_actions(flatten=True))["size_bytes"])
    told = upkeep({"path": str(table), "max_bytes": int(2.5 * one)})
    assert (told["deleted"], rows(table)["id"].to_list()) == (2, [make_record(2)["id"], make_record(3)["id"]])


def test_erasure_leaves_no_trace_of_the_value(write_segment: Any, commit: Any, table: Path) -> None:
    commit(
        write_segment(
            [
                make_record(1, inputs={"email": ["eve@example.com"]}),
                make_record(2, inputs={"email": ["bob@example.com"]}),
            ]
        )
    )
    asked = {"path": str(table), "key": "id", "values": ["eve@example.com"], "column": None, "rows": []}
    told = erase(asked)
    assert (told["deleted"], told["rows"]) == (1, [[make_record(1)["id"], 0]])
    assert erase(asked) == {"deleted": 0, "unnamed": 0, "rows": []}
    assert not any(b"eve@example.com" in file.read_bytes() for file in table.rglob("*") if file.is_file())
    assert rows(table)["id"].to_list() == [make_record(2)["id"]]


def test_who_asked_for_others_is_forgotten_and_their_rows_stay(write_segment: Any, commit: Any, table: Path) -> None:
    commit(write_segment([make_record(1, consumer="eve adams"), make_record(2, consumer="bob")]))
    told = erase({"path": str(table), "key": "id", "values": ["eve adams"], "column": None, "rows": []})
    assert (told["deleted"], told["unnamed"]) == (0, 1)
    assert sorted(rows(table)["consumer"].to_list()) == ["[erased]", "bob"]
    assert not any(b"eve adams" in file.read_bytes() for file in table.rglob("*") if file.is_file())
