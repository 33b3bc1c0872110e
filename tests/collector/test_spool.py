"""What was pushed, on disk: nothing acknowledged is lost, nothing with the same key comes twice."""

from __future__ import annotations

import gzip
import json
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from aimass.bootstrap.carrying.files import data_of
from aimass.collector.connectors.port import StreamColumn
from aimass.collector.connectors.push.body import lines_of, unpacked
from aimass.collector.connectors.push.manifest import CONNECTOR
from aimass.collector.connectors.push.run import ENVELOPE, RUN
from aimass.collector.connectors.push.segments import HEAD, Place, segment_path, segments, waiting
from aimass.collector.connectors.push.spool import Bounds, Spool, held_bytes
from aimass.kernel.errors import Conflict, Invalid, TooLarge, TooMany, Unavailable
from tests.fixtures.draining import Committed, wish

N = StreamColumn(name="n", type="integer")
SMALL = Bounds(most_bytes=1 << 30, segment_bytes=2_000)


def line(number: int) -> bytes:
    return b'{"n":%d}\n' % number


def put(spool: Spool, number: int, key: str | None = None, now_ms: int = 0) -> bool:
    return not spool.append(line(number), 1, key, now_ms).repeated


def read(folder: Path, found: Committed | None = None, parts: int | None = None, **more) -> Committed:
    connector = RUN(CONNECTOR.check({}))
    return (found or Committed()).take(connector, wish("s", inbox=str(folder), **more), parts)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "s"


@pytest.fixture
def spool(folder):
    return Spool(folder, SMALL)


def test_pushes_are_read_in_their_order_and_segments_that_are_committed_go(spool, folder):
    for number in range(300):
        assert put(spool, number)
    found = read(folder, parameters={"batch": 70})
    assert found.column("n") == list(range(300))
    assert len(segments(folder)) == 1
    spool.taken(Place.of(found.state), 0)
    assert segments(folder) == [], "what is committed to its end does not stay on the disk"
    assert put(spool, 300)
    assert read(folder, found).column("n") == list(range(301))


def test_each_state_is_a_place_to_go_on_from(spool, folder):
    for number in range(50):
        put(spool, number)
    for parts in range(1, 6):
        told = wish("s", inbox=str(folder), parameters={"batch": 9})
        begun = Committed().take(RUN(CONNECTOR.check({})), told, parts, acknowledge=False)
        assert len(begun.rows) == 9 * parts
        begun.take(RUN(CONNECTOR.check({})), told, acknowledge=False)
        assert begun.column("n") == list(range(50))


def test_moment_and_name_of_a_push_become_columns_where_they_are_confirmed(spool, folder):
    receipt = spool.append(line(1) + line(2), 2, None, 1_767_225_600_000)
    rows = read(folder, columns=(N, *ENVELOPE)).rows
    assert [(row["n"], row["_push"], row["_received"].year) for row in rows] == [
        (1, receipt.id, 2026),
        (2, receipt.id, 2026),
    ]


def test_what_waits_is_counted(spool, folder):
    for number in range(100):
        put(spool, number)
    found = read(folder, parts=1, parameters={"batch": 30})
    left = waiting(folder, Place.of(found.state))
    assert (left.rows, left.is_counted) == (70, True)
    assert left.size_bytes == 70 * HEAD.size + sum(len(line(n)) for n in range(30, 100))


def test_a_delivery_that_comes_again_is_answered_as_before_also_after_restarts_and_when_its_segment_is_gone(folder):
    answers = []
    for _ in range(3):
        spool = Spool(folder, SMALL)
        answers.append([spool.append(line(number), 1, f"key {number}", 1_000) for number in range(200)])
    assert [one.repeated for one in answers[2]] == [True] * 200
    assert [one.id for one in answers[0]] == [one.id for one in answers[2]]
    found = read(folder)
    spool.taken(Place.of(found.state), 1_000)
    assert found.column("n") == list(range(200))
    assert not put(Spool(folder, SMALL), 7, "key 7", 2_000)
    assert read(folder, found).column("n") == list(range(200))


def test_a_key_that_was_used_for_other_rows_is_a_conflict_and_forgotten_after_a_day(spool):
    assert put(spool, 1, "k")
    with pytest.raises(Conflict) as failure:
        put(spool, 2, "k")
    assert (failure.value.field, failure.value.value) == ("key", "k")
    assert put(spool, 2, "k", 25 * 3600 * 1000)


def test_the_same_delivery_from_many_threads_is_stored_once(spool, folder):
    with ThreadPoolExecutor(16) as pool:
        fresh = list(pool.map(lambda at: put(spool, at % 100, f"k{at % 100}"), range(800)))
    assert sum(fresh) == 100
    assert sorted(read(folder).column("n")) == list(range(100))


def test_when_nobody_collects_pushes_are_refused_and_taken_again_later(folder):
    spool = Spool(folder, Bounds(most_bytes=20_000, segment_bytes=4_000))
    with pytest.raises(TooMany) as failure:
        for number in range(10_000):
            put(spool, number)
    assert (failure.value.allowed, failure.value.retry_after_s) == (20_000, 5)
    assert held_bytes(folder) <= 20_000
    found = read(folder)
    spool.taken(Place.of(found.state), 0)
    assert put(spool, len(found.rows))
    assert read(folder, found).column("n") == list(range(len(found.rows)))


def test_keys_of_many_small_segments_lie_in_few_files_and_stay_known(spool, folder):
    for number in range(200):
        put(spool, number, f"k{number}", number)
        (one,) = segments(folder)
        spool.taken(Place(one, segment_path(folder, one).stat().st_size), number)
    assert len(list(folder.glob("*.keys"))) <= 66
    assert spool.received_ms() == Spool(folder, SMALL).received_ms() == 199
    again = Spool(folder, SMALL)
    assert not any(put(again, number, f"k{number}", 300) for number in range(200))
    day = 24 * 3600 * 1000
    assert put(again, 1, "k1", day + 1), "also when they were gathered they are forgotten after a day"
    assert not put(again, 150, "k150", day + 100)


def test_the_last_bytes_of_the_disk_are_not_taken(folder):
    with pytest.raises(TooMany, match="disk is nearly full"):
        put(Spool(folder, Bounds(most_bytes=1 << 30, spare_bytes=1 << 62)), 1)
    assert not folder.exists()


@pytest.mark.parametrize("cut", [1, 20, 45])
def test_what_a_crash_cut_off_is_cut_and_may_come_again(folder, cut):
    spool = Spool(folder, SMALL)
    for number in range(5):
        put(spool, number, f"k{number}")
    path = segment_path(folder, segments(folder)[-1])
    path.write_bytes(path.read_bytes()[:-cut])
    found = read(folder)
    assert found.column("n") == [0, 1, 2, 3]
    spool = Spool(folder, SMALL)
    assert waiting(folder, Place.of(found.state)).size_bytes == 0, "nothing seems to wait that can never be read"
    assert [put(spool, number, f"k{number}") for number in range(5)] == [False] * 4 + [True]
    assert read(folder, found).column("n") == [0, 1, 2, 3, 4]


def test_a_record_that_the_disk_spoiled_takes_no_other_with_it(spool, folder):
    for number in range(20):
        put(spool, number)
    path = segment_path(folder, segments(folder)[0])
    whole = bytearray(path.read_bytes())
    whole[3 * (HEAD.size + len(line(0))) + HEAD.size + 2] ^= 0xFF
    path.write_bytes(bytes(whole))
    assert read(folder).column("n") == [n for n in range(20) if n != 3]


def test_numbers_go_on_behind_what_a_dataset_holds_when_files_were_lost(folder):
    spool = Spool(folder, SMALL, after=900)
    put(spool, 1)
    assert segments(folder) == [901]


def test_a_disk_that_does_not_keep_what_is_written_is_told_and_nothing_of_it_is_read(spool, folder, monkeypatch):
    assert put(spool, 0, "safe")

    def refuses(_: int) -> None:
        raise OSError(5, "input/output error")

    with monkeypatch.context() as patched:
        patched.setattr("aimass.collector.connectors.push.spool.os.fsync", refuses)
        with pytest.raises(Unavailable):
            put(spool, 1, "k")
    assert put(spool, 1, "k"), "it was not acknowledged, so it may come again"
    assert not put(spool, 0, "safe"), "what was safe before stays so"
    assert read(folder).column("n") == [0, 1]


def test_nothing_comes_behind_a_record_that_was_written_in_part_and_cannot_be_cut(spool, folder, monkeypatch):
    """Places behind it would not be where they are said to be: the segment is left, and the next push begins another."""
    put(spool, 1)
    real = os.write

    def part(file: int, data: bytes) -> int:
        return real(file, data[:-3])

    def no_cut(*_: object) -> None:
        raise OSError(5, "input/output error")

    with monkeypatch.context() as patched:
        patched.setattr("aimass.collector.connectors.push.spool.os.write", part)
        patched.setattr("aimass.collector.connectors.push.spool.os.truncate", no_cut)
        with pytest.raises(Unavailable):
            put(spool, 2)
    put(spool, 3)
    assert read(folder).column("n") == [1, 3]
    assert len(segments(folder)) == 2


def test_a_copy_that_an_erasure_did_not_finish_goes_with_the_next_start(spool, folder):
    put(spool, 0)
    (folder / "00000000000001.part").write_bytes(b'{"mail":"ann@example.org"}')
    Spool(folder, SMALL)
    assert list(folder.glob("*.part")) == []


def test_every_folder_of_a_new_inbox_is_on_disk_before_its_first_push_is_acknowledged(tmp_path, monkeypatch):
    synced: list[Path] = []
    monkeypatch.setattr("aimass.collector.connectors.push.spool.sync_folder", synced.append)
    put(Spool(tmp_path / "push" / "demo" / "s", SMALL), 0)
    assert synced == [tmp_path / "push" / "demo", tmp_path / "push", tmp_path, tmp_path / "push" / "demo" / "s"]


def test_rows_that_name_a_person_are_blanked_and_places_stay(spool, folder):
    for number in range(10):
        spool.append(line(number) + line(number + 100), 2, None, 0)
    found = read(folder, parts=1, parameters={"batch": 6})
    assert spool.erase(lambda row: row["n"] in (1, 104, 9), 0) == 3
    assert b'"n":104' not in b"".join(path.read_bytes() for path in folder.glob("*"))
    assert waiting(folder, Place.of(found.state)).rows == 14 - 2
    numbers = read(folder, found).column("n")
    assert numbers == [n for at in range(10) for n in (at, at + 100) if n not in (104, 9)]


@pytest.mark.parametrize(
    ("body", "row"),
    [
        (rb'{"a\u0000b": 1}', {"a\ufffdb": 1}),
        (b'{"": 1}', {"column_0": 1}),
        (b'{"a":' + b"[" * 199 + b"]" * 199 + b"}", {"a": "[" * 199 + "]" * 199}),
    ],
)
def test_no_row_that_was_taken_stands_in_the_way_of_the_others(spool, folder, body, row):
    taken = lines_of(body)
    spool.append(taken.data, taken.rows, None, 0)
    put(spool, 7)
    first, second = read(folder, columns=()).rows
    assert {name: value for name, value in first.items() if value is not None} == row
    assert second["n"] == 7


def test_a_person_with_a_long_number_is_blanked_too(spool, folder):
    taken = lines_of(b'[{"n": 1, "id": 123456789012345678901234}, {"n": 2, "id": 1.10}, {"n": 3, "id": 1.1}]')
    spool.append(taken.data, taken.rows, None, 0)
    assert spool.erase(lambda row: str(row["id"]) in ("123456789012345678901234", "1.10"), 0) == 2
    assert read(folder).column("n") == [3]


WRITER = """
import sys
from pathlib import Path
from aimass.collector.connectors.push.spool import Bounds, Spool
spool = Spool(Path(sys.argv[1]), Bounds(most_bytes=1 << 30, segment_bytes=3_000))
for number in range(int(sys.argv[2]), 1_000_000):
    spool.append(b'{"n":%d}\\n' % number, 1, f"k{number}", 1_000)
    print(number, flush=True)
"""


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.long)])
def test_a_writer_that_is_killed_loses_nothing_that_it_acknowledged(folder, seed):
    chance, acknowledged, found = random.Random(seed), -1, Committed()
    for _ in range(4):
        begin = max(0, acknowledged - 5)  # the client is not sure of the last ones, and sends them again
        command = [sys.executable, "-c", WRITER, str(folder), str(begin)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            for text in writer.stdout:
                acknowledged = max(acknowledged, int(text))
                if chance.random() < 0.01:
                    os.kill(writer.pid, signal.SIGKILL)
                    break
            acknowledged = max([acknowledged, *map(int, writer.stdout.read().split())])
        read(folder, found, parameters={"batch": chance.randrange(1, 50)})
    numbers = found.column("n")
    assert numbers == list(range(len(numbers)))
    assert acknowledged < len(numbers) <= acknowledged + 2


def test_bodies_of_every_shape_become_lines_that_keep_their_digits():
    rows = [{"a": 1}, {"a": "x\n", "b": {"c": [1, "é"]}}]
    ndjson = "\n".join(map(json.dumps, rows)).encode()
    pretty = json.dumps(rows, indent=2, ensure_ascii=False).encode()
    for body in (json.dumps(rows).encode(), ndjson, ndjson + b"\r\n\n", pretty):
        assert [json.loads(one) for one in lines_of(body).data.splitlines()] == rows
    assert json.loads(lines_of(json.dumps(rows[1], indent=1).encode()).data) == rows[1]
    assert b"1.10000000000000000000001" in lines_of(b'[{"a": 1.10000000000000000000001}]').data
    assert unpacked(gzip.compress(ndjson), "GZIP", 1_000) == ndjson


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "no rows"),
        (b"[]", "no rows"),
        (b"oops", "no JSON"),
        (b'{"a":1}\noops', "line 2"),
        (b"[1]", "row 1 is no object"),
        (b'{"a":1}\n[1]', "row 2 is no object"),
        (b'[{"a":1}]' * 2, "no JSON"),
        (b'[{"a":1} {"a":1}]', "no JSON"),
        (b'[{"a":1},]', "no JSON"),
        (b'[{"a":NaN}]', "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b'[{"a":1},{"a":1},{"a":1}]', "may have 2 rows"),
        (b"\xff\xfe", "no UTF-8"),
        (rb'[{"a":"\ud800"}]', "no JSON"),
        (rb'{"a":"\ud800"}', "no JSON"),
        (b'[{"a":' + b"[" * 200 + b"]" * 200 + b"}]", "too deep"),
        (b'{"a":' + b"[" * 200 + b"]" * 200 + b"}", "too deep"),
    ],
)
def test_bodies_that_cannot_be_read_are_said(body, message):
    with pytest.raises(Invalid, match=message) as failure:
        lines_of(body, 2)
    assert failure.value.field == "body"


def test_packed_bodies_are_stopped_at_the_limit():
    bomb = gzip.compress(b"x" * 10_000_000)
    with pytest.raises(TooLarge):
        unpacked(bomb, "gzip", 1_000_000)
    assert unpacked(gzip.compress(b"{}\n") * 2 + bytes(3), "gzip", 100) == b"{}\n{}\n", "packed in two parts"
    with pytest.raises(TooLarge):
        unpacked(gzip.compress(b"x" * 60) * 2, "gzip", 100)
    with pytest.raises(Invalid, match="members"):
        unpacked(gzip.compress(b"") * 301, "gzip", 100)
    with pytest.raises(Invalid, match="no gzip"):
        unpacked(gzip.compress(b"{}") + b"{}", "gzip", 100)
    with pytest.raises(Invalid, match="breaks off"):
        unpacked(gzip.compress(b"{}")[:-4], "gzip", 100)
    with pytest.raises(Invalid, match="no gzip"):
        unpacked(b"{}", "gzip", 100)
    with pytest.raises(Invalid, match="not known"):
        unpacked(b"{}", "br", 100)


def test_pushes_of_one_moment_share_a_write_to_disk(spool, monkeypatch):
    calls, real = [], os.fsync

    def counted(handle: int) -> None:
        calls.append(handle)
        time.sleep(0.02)
        real(handle)

    put(spool, 0)
    monkeypatch.setattr("aimass.collector.connectors.push.spool.os.fsync", counted)
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda number: put(spool, number), range(1, 21)))
    assert len(calls) < 15


def test_a_backup_takes_what_waits_before_the_datasets_that_take_it_in(tmp_path):
    spool = Spool(tmp_path / "push" / "demo" / "s", SMALL)
    for number in range(80):
        put(spool, number, f"k{number}")
    (tmp_path / "lake" / "demo").mkdir(parents=True)
    (tmp_path / "lake" / "demo" / "table").write_text("rows")
    kept = [path.relative_to(tmp_path).parts for path in data_of(tmp_path)]
    assert [parts[0] for parts in kept] == ["push"] * (len(kept) - 1) + ["lake"]
    assert {Path(parts[-1]).suffix for parts in kept[:-1]} == {".seg", ".keys"}
