"""What was pushed, on disk: nothing acknowledged is lost, nothing with the same key comes twice."""

from __future__ import annotations

import gzip
import hashlib
import hmac
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

from aimass.collector.connectors.push.body import lines_of, unpacked
from aimass.collector.connectors.push.manifest import CONNECTOR, PushParameters
from aimass.collector.connectors.push.run import RUN
from aimass.collector.connectors.push.signature import checked
from aimass.collector.connectors.push.spool import Spool, segments, waiting_bytes
from aimass.kernel.errors import Conflict, Invalid, TooLarge, TooMany, Unauthenticated, Unavailable
from tests.fixtures.draining import Committed, wish

MANY = 1 << 30
SECRET = "correct-horse"


def line(number: int) -> bytes:
    return b'{"n":%d}\n' % number


def read(folder: Path, found: Committed | None = None, parts: int | None = None, **more) -> Committed:
    connector = RUN(CONNECTOR.check({}))
    return (found or Committed()).take(connector, wish("s", inbox=str(folder), **more), parts)


@pytest.fixture
def spool(tmp_path):
    found = Spool(tmp_path / "s", most_bytes=MANY, segment_bytes=2_000)
    yield found
    found.close()


def test_pushes_are_read_in_their_order(spool, tmp_path):
    for number in range(300):
        assert spool.append(line(number), None, 0)
    found = read(tmp_path / "s", parameters={"batch": 70})
    assert found.column("n") == list(range(300))
    assert len(segments(tmp_path / "s")) == 1, "segments that are committed to their end are gone"


def test_each_state_is_a_place_to_go_on_from(spool, tmp_path):
    for number in range(50):
        spool.append(line(number), None, 0)
    for parts in range(1, 6):
        told = wish("s", inbox=str(tmp_path / "s"), parameters={"batch": 9})
        begun = Committed().take(RUN(CONNECTOR.check({})), told, parts, acknowledge=False)
        assert len(begun.rows) == 9 * parts
        begun.take(RUN(CONNECTOR.check({})), told, acknowledge=False)
        assert begun.column("n") == list(range(50))


def test_a_delivery_that_comes_again_is_known_also_after_restarts_and_when_its_segment_is_gone(tmp_path):
    folder = tmp_path / "s"
    for _ in range(3):
        spool = Spool(folder, most_bytes=MANY, segment_bytes=2_000)
        fresh = [spool.append(line(number), f"key {number}", 1_000) for number in range(200)]
        spool.close()
    assert fresh == [False] * 200
    found = read(folder)
    assert found.column("n") == list(range(200))
    spool = Spool(folder, most_bytes=MANY, segment_bytes=2_000)
    assert not spool.append(line(7), "key 7", 2_000)
    assert read(folder, found).column("n") == list(range(200))
    spool.close()


def test_a_key_that_was_used_for_other_rows_is_a_conflict(spool):
    spool.append(line(1), "k", 0)
    with pytest.raises(Conflict) as failure:
        spool.append(line(2), "k", 0)
    assert (failure.value.field, failure.value.value) == ("key", "k")


def test_a_key_is_forgotten_after_a_day(spool):
    assert spool.append(line(1), "k", 0)
    assert spool.append(line(2), "k", 25 * 3600 * 1000)


def test_the_same_delivery_from_many_threads_is_stored_once(spool, tmp_path):
    with ThreadPoolExecutor(16) as pool:
        fresh = list(pool.map(lambda at: spool.append(line(at % 100), f"k{at % 100}", 0), range(1_600)))
    assert sum(fresh) == 100
    assert sorted(read(tmp_path / "s").column("n")) == list(range(100))


def test_when_nobody_collects_pushes_are_refused_and_taken_again_later(tmp_path):
    spool = Spool(tmp_path / "s", most_bytes=20_000, segment_bytes=4_000)
    with pytest.raises(TooMany) as failure:
        for number in range(10_000):
            spool.append(line(number), None, 0)
    assert failure.value.allowed == 20_000
    assert waiting_bytes(tmp_path / "s") <= 20_000
    count = len(read(tmp_path / "s").rows)
    time.sleep(0.6)
    assert spool.append(line(count), None, 0)
    spool.close()


def test_two_writers_are_refused(spool, tmp_path):
    with pytest.raises(Unavailable):
        Spool(tmp_path / "s", most_bytes=MANY)


@pytest.mark.parametrize("cut", [1, 20, 37])
def test_a_record_that_was_cut_off_by_a_crash_is_passed_over(tmp_path, cut):
    folder = tmp_path / "s"
    spool = Spool(folder, most_bytes=MANY)
    for number in range(5):
        spool.append(line(number), f"k{number}", 0)
    spool.close()
    path = folder / "0000000001.seg"
    path.write_bytes(path.read_bytes()[:-cut])
    found = read(folder)
    spool = Spool(folder, most_bytes=MANY)
    assert [spool.append(line(number), f"k{number}", 0) for number in range(5)] == [False] * 4 + [True]
    spool.close()
    assert read(folder, found).column("n") == [0, 1, 2, 3, 4]


def test_a_disk_that_does_not_keep_what_is_written_is_told_and_nothing_is_acknowledged(spool, monkeypatch):
    def refuses(_: int) -> None:
        raise OSError(5, "input/output error")

    with monkeypatch.context() as patched:
        patched.setattr("aimass.collector.connectors.push.spool.os.fsync", refuses)
        with pytest.raises(Unavailable):
            spool.append(line(1), "k", 0)
    assert spool.append(line(1), "k", 0), "it was not acknowledged, so it may come again"


WRITER = """
import sys
from pathlib import Path
from aimass.collector.connectors.push.spool import Spool
spool = Spool(Path(sys.argv[1]), most_bytes=1 << 30, segment_bytes=3_000)
for number in range(int(sys.argv[2]), 1_000_000):
    spool.append(b'{"n":%d}\\n' % number, f"k{number}", 1_000)
    print(number, flush=True)
"""


@pytest.mark.parametrize("seed", [1, 2])
def test_a_writer_that_is_killed_loses_nothing_that_it_acknowledged(tmp_path, seed):
    chance, acknowledged, found = random.Random(seed), -1, Committed()
    for _ in range(4):
        begin = max(0, acknowledged - 5)  # the client is not sure of the last ones, and sends them again
        command = [sys.executable, "-c", WRITER, str(tmp_path / "s"), str(begin)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            for text in writer.stdout:
                acknowledged = max(acknowledged, int(text))
                if chance.random() < 0.01:
                    os.kill(writer.pid, signal.SIGKILL)
                    break
            acknowledged = max([acknowledged, *map(int, writer.stdout.read().split())])
        read(tmp_path / "s", found, parameters={"batch": chance.randrange(1, 50)})
    numbers = found.column("n")
    assert numbers == list(range(len(numbers)))
    assert acknowledged < len(numbers) <= acknowledged + 2


def test_bodies_of_every_shape_become_lines():
    rows = [{"a": 1}, {"a": "x\n"}]
    ndjson = "\n".join(map(json.dumps, rows)).encode()
    for body in (json.dumps(rows).encode(), ndjson, ndjson + b"\r\n\n"):
        found = lines_of(body, 10)
        assert [json.loads(one) for one in found.data.splitlines()] == rows
    assert unpacked(gzip.compress(ndjson), "GZIP", 1_000) == ndjson


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "no rows"),
        (b"[]", "no rows"),
        (b"oops", "no JSON"),
        (b'{"a":1}\noops', "line 2"),
        (b"[1]", "row 1 is no object"),
        (b'[{"a":1}]' * 2, "no JSON"),
        (b'[{"a":1},{"a":1},{"a":1}]', "may have 2 rows"),
        (b"\xff\xfe", "no JSON"),
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
    with pytest.raises(Invalid, match="breaks off"):
        unpacked(gzip.compress(b"{}")[:-4], "gzip", 100)
    with pytest.raises(Invalid, match="no gzip"):
        unpacked(b"{}", "gzip", 100)
    with pytest.raises(Invalid, match="not known"):
        unpacked(b"{}", "br", 100)


def signed(body: bytes, secret: str = SECRET, stamp: str = "") -> str:
    return hmac.new(secret.encode(), (f"{stamp}.".encode() if stamp else b"") + body, hashlib.sha256).hexdigest()


def test_a_signature_is_checked():
    told = PushParameters(secret="correct-horse")
    assert checked(told, {"x-hub-signature-256": "sha256=" + signed(b"body")}, b"body", 0) == signed(b"body")
    for headers, body in [
        ({}, b"body"),
        ({"x-hub-signature-256": "sha256="}, b"body"),
        ({"x-hub-signature-256": signed(b"body")}, b"other"),
        ({"x-hub-signature-256": signed(b"body", "wrong")}, b"body"),
        ({"x-hub-signature-256": "sha256=é"}, b"body"),
    ]:
        with pytest.raises(Unauthenticated) as failure:
            checked(told, headers, body, 0)
        assert "correct-horse" not in str(failure.value.problem())
        assert signed(body) not in str(failure.value.problem())
    with pytest.raises(Unauthenticated, match="no signed webhooks"):
        checked(PushParameters(), {"x-hub-signature-256": signed(b"body")}, b"body", 0)


@pytest.mark.parametrize(
    ("stamp", "is_good"),
    [("1000", True), ("1299", True), ("1301", False), ("699", False), ("", False), ("-1", False), ("١", False)],
)
def test_a_signed_moment_is_good_for_a_while(stamp, is_good):
    told = PushParameters(secret="correct-horse", signed="timestamp.body", tolerance_s=300)
    headers = {"x-hub-signature-256": signed(b"body", stamp=stamp or "0"), "x-timestamp": stamp}
    if is_good:
        assert checked(told, headers, b"body", 1000.0)
        with pytest.raises(Unauthenticated):
            checked(told, {**headers, "x-timestamp": "1001"}, b"body", 1000.0)
    else:
        with pytest.raises(Unauthenticated):
            checked(told, headers, b"body", 1000.0)
