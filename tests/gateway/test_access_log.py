"""The access log of a real gateway worker: what a line says, what it never says, rotation, and a folder that cannot be written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.fixtures.gateway import KEY, ROW, Gateway, ask, deployment, endpoint, infer, oip, request, snapshot, wait_for
from tests.fixtures.upstreams import Server, Services, route, upstream

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


def started(packages: dict[str, Path], folder: Path, **settings: Any) -> Gateway:
    gateway = Gateway(folder, access_log="on", **settings)
    document = snapshot(1, endpoint("churn", deployment(packages["one"])))
    for spec in document["keys"].values():
        spec["routes"] = ["*"]
    gateway.publish(document)
    return gateway.start()


@pytest.fixture(scope="module")
def logged(packages: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    gateway = started(packages, tmp_path_factory.mktemp("logged"))
    yield gateway
    gateway.stop()


def lines_of(gateway: Gateway) -> list[dict[str, Any]]:
    files = sorted((gateway.data / "logs").glob("access-0.log*"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def line_with(gateway: Gateway, **parts: Any) -> dict[str, Any]:
    """The newest line with these parts, once it is written."""

    def found() -> list[dict[str, Any]]:
        return [one for one in lines_of(gateway) if all(one.get(name) == value for name, value in parts.items())]

    wait_for(found)
    return found()[-1]


@pytest.mark.parametrize("body", [orjson.dumps(oip()), orjson.dumps(oip([ROW, ROW]))], ids=["cheap", "general"])
def test_a_line_tells_who_asked_what_and_how_it_went(logged: Gateway, body: bytes) -> None:
    trace = f"{len(body):032x}"
    for _ in range(2):  # the head of the second one is known
        infer(logged, body, traceparent=f"00-{trace}-00f067aa0ba902b7-01")
    wait_for(lambda: len([one for one in lines_of(logged) if one["trace"] == trace]) == 2)
    first, second = (one for one in lines_of(logged) if one["trace"] == trace)
    changing = {"time", "seconds"}
    told = {name: value for name, value in first.items() if name not in changing}
    assert told == {name: value for name, value in second.items() if name not in changing}
    assert told.pop("bytes") > 200
    assert told == {
        "method": "POST", "path": "/v2/models/churn/infer", "status": 200, "consumer": "shop",
        "trace": trace, "workspace": "demo", "endpoint": "churn",
    }  # fmt: skip
    assert 0 < second["seconds"] < 60


def test_no_line_holds_a_query_a_key_or_a_body(logged: Gateway) -> None:
    server = Server()
    Services(logged).publish([upstream("geo", server.port)], [route("geo", access="key")])
    ask(logged, "POST", "/s/demo/geo/a?token=geheim", b"geheim", X_Api_Key="geheim", traceparent=PARENT)
    found = line_with(logged, trace=TRACE)
    assert (found["path"], found["route"], found["consumer"], found["status"]) == ("/s/demo/geo/a", "geo", "shop", 200)
    server.stop()
    text = json.dumps(lines_of(logged))
    assert "geheim" not in text
    assert KEY not in text


@pytest.mark.parametrize(("path", "status"), [("/s/demo/none", 404), ("/v2/models/none", 404), ("/healthz", 200)])
def test_refusals_and_probes_have_lines_too(logged: Gateway, path: str, status: int) -> None:
    ask(logged, "GET", path)
    assert line_with(logged, path=path)["status"] == status


def test_what_is_no_http_and_who_leaves_have_lines(logged: Gateway) -> None:
    with logged.connect() as connection:
        connection.sendall(b"\x16\x03\x01\x00\x00\x00\x00")
        connection.recv(1000)
    assert line_with(logged, status=400)["path"] == ""
    with logged.connect() as connection:
        connection.sendall(request("POST", "/v2/models/churn/infer", oip())[:-5])
    assert line_with(logged, status=499)["path"] == "/v2/models/churn/infer"


def test_files_are_rotated_by_size_and_old_ones_go(packages: dict[str, Path], tmp_path: Path) -> None:
    gateway = started(packages, tmp_path, access_log_bytes=2000, access_log_files=2)
    logs = gateway.data / "logs"
    for number in range(1, 5):
        for _ in range(30):
            ask(gateway, "GET", "/healthz", key=None)
        wait_for(lambda number=number: _rotations(logs) >= min(number, 2))
    gateway.stop()
    assert {file.name for file in logs.glob("access-0.log.*")} == {"access-0.log.1", "access-0.log.2"}
    assert all(file.stat().st_mode & 0o007 == 0 for file in logs.glob("access-0.log*"))


def _rotations(logs: Path) -> int:
    return len(list(logs.glob("access-0.log.*")))


def test_a_log_that_cannot_be_written_stops_nobody_and_is_counted(packages: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "logs" / "access-0.log").mkdir(parents=True)
    gateway = started(packages, tmp_path)
    assert infer(gateway, oip()).status == 200
    wait_for(lambda: b"aimass_gateway_access_log_lost_total" in ask(gateway, "GET", "/metrics").body)
    assert gateway.log.read_text().count("cannot write the access log") == 1
    gateway.stop()


def test_without_the_setting_there_is_no_log(packages: dict[str, Path], tmp_path: Path) -> None:
    gateway = Gateway(tmp_path)
    gateway.publish(snapshot(1, endpoint("churn", deployment(packages["one"]))))
    gateway.start()
    assert infer(gateway, oip()).status == 200
    gateway.stop()
    assert not list(tmp_path.rglob("access*"))
