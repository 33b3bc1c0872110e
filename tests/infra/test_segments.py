from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimass.infra.segments import SegmentWriter, closed_segments, frame, read_segment, recover, sync


def test_what_was_written_is_read_back_in_order(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path)
    writer.append([frame(b'{"n":1}'), frame(b'{"n":2}')])
    writer.append([frame(b'{"n":3}')])
    writer.close()
    (path,) = closed_segments(tmp_path)
    segment = read_segment(path)
    assert [o["n"] for o in segment.objects()] == [1, 2, 3]
    assert (segment.damage, segment.number) == ((), 1)


def test_a_torn_tail_is_named_and_dropped(tmp_path: Path) -> None:
    whole = frame(b'{"n":1}')
    path = tmp_path / "000000000001.open"
    path.write_bytes(whole + frame(b'{"n":2}')[:-3])
    assert read_segment(path).damage[0].reason == "torn tail"
    (done,) = recover(tmp_path)
    assert done.read_bytes() == whole
    assert read_segment(done).damage == ()


def test_a_frame_with_a_wrong_checksum_is_named_and_skipped(tmp_path: Path) -> None:
    bad = bytearray(frame(b'{"n":2}'))
    bad[-2] ^= 1
    path = tmp_path / "000000000001.seg"
    path.write_bytes(frame(b'{"n":1}') + bad + frame(b'{"n":3}'))
    segment = read_segment(path)
    assert [o["n"] for o in segment.objects()] == [1, 3]
    assert [(d.offset, d.reason) for d in segment.damage] == [(15, "checksum mismatch")]


def test_segments_rotate_by_size_and_by_age(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path, max_bytes=40, max_age_s=0)
    writer.append([frame(b"x" * 50)])
    assert len(closed_segments(tmp_path)) == 1
    writer.append([frame(b"y")])
    assert writer.rotate_if_due()
    assert not writer.rotate_if_due()
    assert [p.stem[-1] for p in closed_segments(tmp_path)] == ["1", "2"]
    writer.close()


def test_numbers_grow_although_readers_remove_segments(tmp_path: Path) -> None:
    for expected in (1, 2, 3):
        writer = SegmentWriter(tmp_path)
        writer.append([frame(b"{}")])
        writer.close()
        (path,) = closed_segments(tmp_path)
        assert int(path.stem) == expected
        path.unlink()


def test_a_segment_that_a_living_writer_holds_is_left_alone(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path)
    writer.append([frame(b"{}")])
    assert recover(tmp_path) == []
    writer.close()
    assert len(closed_segments(tmp_path)) == 1


def test_a_full_disk_leaves_no_half_frame_behind(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path)
    writer.append([frame(b"a" * 100)])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150, before[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            writer.append([frame(b"b" * 100)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, old)
    writer.append([frame(b"c")])
    writer.close()
    assert [p[:1] for p in read_segment(closed_segments(tmp_path)[0]).payloads] == [b"a", b"c"]


def test_kill_9_after_a_write_loses_nothing(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from aimass.infra.segments import *;"
        "w = SegmentWriter(Path(sys.argv[1])); [w.append([frame(b'%d' % i)]) for i in range(100)];"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == -signal.SIGKILL
    (path,) = recover(tmp_path)
    assert [int(p) for p in read_segment(path).payloads] == list(range(100))


def test_unsynced_hands_out_each_written_part_once(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path)
    writer.append([frame(b"1")])
    writer.rotate()
    writer.append([frame(b"2")])
    descriptors = writer.unsynced()
    assert len(descriptors) == 2
    sync(descriptors)
    assert writer.unsynced() == []
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(descriptors[0])
    writer.close()


@given(payloads=st.lists(st.binary(max_size=40), max_size=8), cut=st.integers(0, 200))
def test_a_cut_anywhere_keeps_every_whole_frame(
    payloads: list[bytes], cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("cut") / "1.seg"
    data = b"".join(frame(p) for p in payloads)[:cut]
    path.write_bytes(data)
    read = read_segment(path).payloads
    assert list(read) == payloads[: len(read)]
    assert len(data) - sum(len(p) + 8 for p in read) < max([len(p) + 8 for p in payloads], default=1)
