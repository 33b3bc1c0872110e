from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from sqlalchemy import select

from aimass.infra.segments import SegmentWriter, frame, read_segment
from aimass.kernel.errors import Failed, NotFound
from aimass.kernel.principal import SYSTEM
from aimass.monitoring.domain.monitors import ListMonitors
from aimass.monitoring.domain.records import GetRecording, Recording
from aimass.monitoring.service import collect
from aimass.monitoring.service.ground import Ground
from aimass.monitoring.service.monitoring import Monitoring
from aimass.monitoring.store.tables import segments
from tests.monitoring.samples import make_record, make_records

CHURN = GetRecording(workspace="demo", endpoint="churn")


class PowerCut(BaseException):
    """The process dies here."""


def recording(service: Monitoring) -> Recording:
    return service.get_recording(SYSTEM, CHURN)


def in_lake(tmp_path: Path) -> pl.DataFrame:
    return pl.read_delta(str(tmp_path / "lake/demo/_records-churn"))


def test_a_closed_segment_goes_to_the_lake_and_the_file_goes(
    service: Monitoring, write_segment: Any, tmp_path: Path
) -> None:
    path = write_segment(make_records(1, 2, 3))
    assert service.collect() == 1
    assert not path.exists()
    assert in_lake(tmp_path).height == 3
    assert (recording(service).requests, recording(service).rows, recording(service).repeated) == (3, 3, 0)


@pytest.mark.parametrize("place", ["before the lake", "after the lake", "after the account"])
def test_death_at_any_step_duplicates_nothing_and_loses_nothing(
    place: str, ground: Ground, write_segment: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_segment([*make_records(1, 2, 3), *make_records(4, endpoint="fraud")])

    def die(*_: object, **__: object) -> None:
        raise PowerCut

    with monkeypatch.context() as patch:
        names = {"before the lake": "_call", "after the lake": "_account"}
        if place in names:
            patch.setattr(collect.Collector, names[place], die)
        else:
            patch.setattr(Path, "unlink", die)
        with pytest.raises(PowerCut):
            Monitoring(ground).collect()
    again = Monitoring(ground)
    assert again.collect() == 1
    assert again.collect() == 0
    assert in_lake(tmp_path)["id"].sort().to_list() == [make_record(n)["id"] for n in (1, 2, 3)]
    found = recording(again)
    assert (found.requests, found.rows, found.repeated) == (3, 3, 0)


def test_death_between_the_tables_of_two_endpoints_completes_the_second(
    ground: Ground, write_segment: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_segment([*make_records(1, 2), *make_records(3, endpoint="fraud")])
    half = {"path": str(path), "worker": "w0", "number": int(path.stem), "lake": str(tmp_path / "lake")}
    alone = tmp_path / "alone.seg"
    alone.write_bytes(b"".join(frame(bytes(p)) for p in read_payloads(path)[:2]))
    ground.child.call("aimass.monitoring.children.commit:commit_segment", half | {"path": str(alone)})
    service = Monitoring(ground)
    assert service.collect() == 1
    assert in_lake(tmp_path).height == 2
    assert service.get_recording(SYSTEM, GetRecording(workspace="demo", endpoint="fraud")).rows == 1


def read_payloads(path: Path) -> list[bytes]:
    return list(read_segment(path).payloads)


def test_the_data_child_killed_in_the_middle_is_only_a_delay(
    service: Monitoring, ground: Ground, write_segment: Any, tmp_path: Path
) -> None:
    write_segment(make_records(1))
    service.collect()
    write_segment(make_records(2, 3))
    for pid in ground.child.pids:
        os.kill(pid, 9)
    until = time.monotonic() + 20
    while not service.collect() and time.monotonic() < until:
        time.sleep(0.1)
    assert in_lake(tmp_path).height == 3


def test_a_segment_that_fails_again_and_again_is_set_aside_and_named(
    service: Monitoring, write_segment: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_segment(make_records(1))
    monkeypatch.setattr(collect, "_PAUSES_S", (0.0,))

    def fail(*_: object) -> None:
        raise Failed("this cannot be read")

    with monkeypatch.context() as patch:
        patch.setattr(collect.Collector, "_call", fail)
        for _ in range(5):
            assert service.collect() == 0
    write_segment(make_records(2))
    assert service.collect() == 1
    assert path.with_suffix(".bad").exists()
    assert "set aside after 5 tries: this cannot be read" in recording(service).damage[0].reason


def test_damaged_frames_are_counted_once_and_named(service: Monitoring, write_segment: Any) -> None:
    path = write_segment(make_records(1, 2))
    data = bytearray(path.read_bytes())
    data[30] ^= 0xFF
    path.write_bytes(bytes(data))
    service.collect()
    found = recording(service)
    assert (found.rows, found.damaged) == (1, 1)
    assert (found.damage[0].worker, found.damage[0].reason) == ("records/w0", "checksum mismatch")


def test_what_a_dead_worker_left_open_is_taken_over_after_a_while(
    service: Monitoring, tmp_path: Path, clock: Any
) -> None:
    writer = SegmentWriter(tmp_path / "records/w9")
    writer.append([frame(json.dumps(make_record(1)).encode())])
    for descriptor in [*writer.unsynced(), writer._descriptor]:
        os.close(descriptor)
    (path,) = (tmp_path / "records/w9").glob("*.open")
    os.utime(path, (clock.now().timestamp(), clock.now().timestamp()))
    service.collect()
    assert path.exists()
    clock.forward(120)
    service.collect()
    service.collect()
    assert recording(service).rows == 1


def test_a_living_worker_keeps_its_open_segment(service: Monitoring, tmp_path: Path, clock: Any) -> None:
    writer = SegmentWriter(tmp_path / "records/w9")
    writer.append([frame(b"{}")])
    clock.forward(10 * 365 * 86_400)
    service.collect()
    assert list((tmp_path / "records/w9").glob("*.open"))
    writer.close()


def test_an_idle_turn_asks_neither_the_child_nor_the_database(
    service: Monitoring, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.collect()
    service.look()

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("an idle turn did something")

    for target in ("read", "change"):
        monkeypatch.setattr("aimass.infra.database.Database." + target, refuse)
    monkeypatch.setattr("aimass.infra.compute.WarmChild.call", refuse)
    assert service.collect() == 0
    assert service.look() == 0


def test_a_deployment_that_only_records_speak_of_is_watched(service: Monitoring, write_segment: Any) -> None:
    write_segment(make_records(1))
    service.collect()
    (monitor,) = service.list_monitors(SYSTEM, ListMonitors(workspace="demo")).items
    assert (monitor.endpoint, monitor.deployment, monitor.revision, monitor.model_version) == (
        "churn",
        "champion",
        "rev-1",
        "1",
    )
    assert monitor.reference.state == "NONE"


def test_segments_of_each_worker_have_their_own_numbers(
    service: Monitoring, ground: Ground, write_segment: Any
) -> None:
    write_segment(make_records(1), worker="w0")
    write_segment(make_records(2), worker="w1")
    assert service.collect() == 2
    with ground.database.read() as conn:
        rows = conn.execute(select(segments.c.worker, segments.c.number).order_by(segments.c.worker)).all()
    assert rows == [("w0", 1), ("w1", 1)]


def test_an_endpoint_that_nobody_knows_is_said_so(service: Monitoring) -> None:
    with pytest.raises(NotFound, match="nothing is known of endpoint 'churn' yet"):
        recording(service)
