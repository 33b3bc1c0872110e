"""Answers in chunks: server-sent events from a real isolated worker, held back, cut off, broken."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.gateway import (
    Gateway,
    ask,
    deployment,
    endpoint,
    infer,
    read_answer,
    request,
    snapshot,
    wait_for,
    write_package,
)
from tests.fixtures.kept import Kept, kept, reached, wish

SIGNATURE: dict[str, Any] = {
    "inputs": [{"name": "text_input", "type": "string"}],
    "outputs": [{"name": "text_output", "type": "string", "shape": [-1]},
                {"name": "length", "type": "integer", "shape": [-1]}],
    "streams": True,
}  # fmt: skip
PATH = "/v2/models/churn/generate_stream"


class Place:
    """A gateway, and the worker that tells."""

    def __init__(self, gateway: Gateway, workers: Kept, folder: Path) -> None:
        self.gateway, self.workers, self.folder = gateway, workers, folder

    def told(self, name: str) -> int | None:
        """How many words the model had told when it was ended; None while it tells."""
        path = self.folder / name
        return int(path.read_text()) if path.exists() and path.read_text() else None

    def resident(self) -> int:
        """The memory of the gateway, to a megabyte."""
        pages = int(Path(f"/proc/{self.gateway.status()['pid']}/statm").read_text().split()[1])
        return pages * 4096 >> 20 << 20

    def log(self, name: str) -> str:
        """Where the model writes that."""
        return str(self.folder / name)


@contextmanager
def telling(
    folder: Path, short: Path, *, module: str = "tests.fixtures.teller", settings: Any = None, **more: Any
) -> Iterator[Place]:
    package = write_package(folder / "p", "model.txt", b"teller", runtime="python", signature=SIGNATURE)
    gateway = Gateway(folder / "data", **(settings or {}))
    with kept(short) as workers:
        workers.want(wish(package, module))
        workers.up()
        gateway.publish(snapshot(1, reached(workers, package, **more)))
        gateway.start()
        wait_for(lambda: ask(gateway, "GET", "/v2/models/churn/ready").status == 200)
        try:
            yield Place(gateway, workers, folder)
        finally:
            gateway.stop()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, short: Path) -> Iterator[Place]:
    with telling(tmp_path_factory.mktemp("telling"), short / "t") as place:
        yield place


def body(text: str = "the sun is up", **parameters: Any) -> dict[str, Any]:
    return {"text_input": text, "parameters": parameters}


def events(raw: bytes) -> list[dict[str, Any]]:
    return [json.loads(text) for text in re.findall(rb"data: (.*)\n\n", raw)]


def test_each_chunk_is_an_event(place: Place) -> None:
    answer = ask(place.gateway, "POST", PATH, {**body(), "id": "s-1"})
    assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert answer.headers["x-request-id"] == "s-1"
    assert answer.headers["x-aimass-revision"] == "rev-champion-1"
    found = events(answer.body)
    assert [one["text_output"] for one in found] == ["the", " sun", " is", " up"]
    assert [one["length"] for one in found] == [3, 3, 2, 2]
    assert {(one["id"], one["model_name"], one["model_version"]) for one in found} == {("s-1", "churn", "1")}
    record = place.gateway.wait_for_record("s-1")
    assert (record["status"], record["outputs"]["text_output"]) == (200, ["the sun is up"])
    assert record["inputs"] == {"text_input": ["the sun is up"]}


def test_parameters_that_cannot_be_handed_on_cost_no_place(place: Place) -> None:
    deep: Any = 1
    for _ in range(300):
        deep = [deep]
    for _ in range(12):
        answer = ask(place.gateway, "POST", PATH, body(deep=deep))
        assert (answer.status, answer.json()["field"]) == (400, "parameters")
    assert len(events(ask(place.gateway, "POST", PATH, body()).body)) == 4


def test_a_model_that_wants_to_end_the_process_ends_its_stream_alone(place: Place) -> None:
    before = place.workers.up().pid
    found = events(ask(place.gateway, "POST", PATH, body(exits_at=2)).body)
    assert [one.get("text_output") for one in found[:2]] == ["the", " sun"]
    assert "SystemExit" in json.dumps(found[-1])
    assert len(events(ask(place.gateway, "POST", PATH, body()).body)) == 4
    assert place.workers.up().pid == before


def test_the_whole_answer_is_put_together_where_no_stream_is_wanted(place: Place) -> None:
    answer = ask(place.gateway, "POST", "/v2/models/churn/generate", body())
    assert (answer.status, answer.json()["text_output"], answer.json()["length"]) == (
        200,
        "the sun is up",
        [3, 3, 2, 2],
    )
    tensor = {"name": "text_input", "shape": [1], "datatype": "BYTES", "data": ["a b"]}
    whole = infer(place.gateway, {"inputs": [tensor]}).json()["outputs"]
    assert [(output["shape"], output["data"]) for output in whole] == [([1], ["a b"]), ([2], [1, 1])]


def test_events_come_while_the_model_still_tells(place: Place) -> None:
    with place.gateway.connect() as connection:
        connection.sendall(request("POST", PATH, body("a b c", pause_s=0.5, log=place.log("slow"))))
        data = b""
        while not events(data):
            data += connection.recv(65536)
        assert len(events(data)) == 1
        assert place.told("slow") is None
        answer, rest = read_answer(connection, data)
        assert (len(events(answer.body)), rest) == (3, b"")
        connection.sendall(request("POST", PATH, body("again")))
        assert events(read_answer(connection)[0].body)[0]["text_output"] == "again"


def test_a_client_of_http_1_0_gets_events_until_the_connection_ends(place: Place) -> None:
    with place.gateway.connect() as connection:
        connection.sendall(request("POST", PATH, body()).replace(b"HTTP/1.1", b"HTTP/1.0"))
        data = b""
        while piece := connection.recv(65536):
            data += piece
    head, _, tail = data.partition(b"\r\n\r\n")
    assert b"chunked" not in head.lower()
    assert len(events(tail)) == 4


def test_a_client_that_leaves_ends_the_model_s_work(place: Place) -> None:
    connection = place.gateway.connect()
    connection.sendall(request("POST", PATH, {**body(endless=10, log=place.log("left")), "id": "left"}))
    while not events(connection.recv(65536)):
        pass
    connection.close()
    wait_for(lambda: place.told("left") is not None)
    assert place.gateway.wait_for_record("left")["status"] == 499


def test_a_client_that_does_not_read_holds_the_model_back(place: Place) -> None:
    connection = place.gateway.connect()
    connection.sendall(request("POST", PATH, body(endless=100_000, log=place.log("lazy"))))
    before, now = -1, 0
    while now != before:
        time.sleep(1)
        before, now = now, place.resident()
    assert place.told("lazy") is None
    assert now < 400 * 2**20
    connection.close()
    wait_for(lambda: place.told("lazy") is not None)
    told = place.told("lazy")
    assert told is not None
    assert told < 200


def test_an_error_before_the_first_chunk_is_an_ordinary_error(place: Place) -> None:
    answer = ask(place.gateway, "POST", PATH, body(fails_at=0))
    assert (answer.status, answer.json()["code"]) == (500, "model_failed")
    assert "out of words" in answer.json()["error"]
    assert ask(place.gateway, "POST", PATH, {"text_inpt": "x"}).json()["code"] == "unknown_input"
    assert ask(place.gateway, "POST", PATH, {}).json()["code"] == "missing_input"
    assert ask(place.gateway, "POST", PATH, {"text_input": 7}).json()["code"] == "wrong_type"
    assert ask(place.gateway, "GET", PATH).status == 405


@pytest.mark.parametrize("wish_", ["fails_at", "wrong_at"])
def test_an_error_in_the_middle_is_an_event(place: Place, wish_: str) -> None:
    answer = ask(place.gateway, "POST", PATH, {**body(**{wish_: 2}), "id": wish_})
    found = events(answer.body)
    assert (answer.status, len(found), found[-1]["code"]) == (200, 3, "model_failed")
    assert place.gateway.wait_for_record(wish_)["status"] == 500
    assert len(events(ask(place.gateway, "POST", PATH, body()).body)) == 4


def test_an_answer_that_is_wanted_whole_has_a_largest_size(place: Place) -> None:
    answer = ask(place.gateway, "POST", "/v2/models/churn/generate", body(endless=100_000, log=place.log("large")))
    assert (answer.status, answer.json()["code"]) == (500, "model_failed")
    assert "larger than 16777216 bytes" in answer.json()["error"]
    wait_for(lambda: place.told("large") is not None)
    assert (place.told("large") or 0) < 300


def test_chunks_that_do_not_fit_together_are_the_model_s_error(place: Place) -> None:
    answer = ask(place.gateway, "POST", "/v2/models/churn/generate", body(square_at=1))
    assert (answer.status, answer.json()["code"]) == (500, "model_failed")
    assert "do not fit together" in answer.json()["error"]
    found = events(ask(place.gateway, "POST", PATH, {**body(square_at=1), "id": "square"}).body)
    assert len(found) == 5
    record = place.gateway.wait_for_record("square")
    assert (record["status"], record["outputs"]) == (200, None)


def test_a_model_that_says_it_streams_and_does_not_is_told_so(tmp_path: Path, short: Path) -> None:
    with telling(tmp_path, short / "n", module="tests.fixtures.moody") as place:
        answer = ask(place.gateway, "POST", PATH, body())
        assert (answer.status, answer.json()["code"]) == (500, "model_failed")
        assert "no predict_stream" in answer.json()["error"]


def test_a_model_that_answers_at_once_gives_one_event(alone: Gateway, packages: dict[str, Path]) -> None:
    alone.publish(snapshot(1, endpoint("churn", deployment(packages["one"]))))
    alone.start()
    row = {"contract": "One year", "internet": None, "tenure": 12, "charges": 56.95}
    (event,) = events(ask(alone, "POST", PATH, row).body)
    assert event["label"] in ("Yes", "No")
    assert len(event["probabilities"]) == 2
    whole = ask(alone, "POST", "/v2/models/churn/generate", {**row, "id": "g"}).json()
    assert (whole["id"], whole["label"]) == ("g", event["label"])
    rows = {name: [value, value] for name, value in row.items()}
    assert len(ask(alone, "POST", "/v2/models/churn/generate", rows).json()["label"]) == 2


def test_many_streams_take_turns(place: Place) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def one(number: int) -> str:
        answer = ask(place.gateway, "POST", PATH, body(f"stream number {number}", pause_s=0.01))
        return "".join(event["text_output"] for event in events(answer.body))

    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(one, range(40))) == [f"stream number {n}" for n in range(40)]


def test_metrics_tell_the_time_to_the_first_chunk(place: Place) -> None:
    assert len(events(ask(place.gateway, "POST", PATH, body()).body)) == 4
    assert "aimass_gateway_first_chunk_seconds_count" in ask(place.gateway, "GET", "/metrics").body.decode()


def test_a_worker_that_dies_ends_its_streams_and_the_next_one_serves(tmp_path: Path, short: Path) -> None:
    with telling(tmp_path, short / "d") as place:
        answer = ask(place.gateway, "POST", PATH, body(dies_at=2, pause_s=0.2))
        assert [event.get("code") for event in events(answer.body)] == [None, None, "worker_gone"]
        wait_for(lambda: ask(place.gateway, "POST", PATH, body()).status == 200, within=60)


def test_a_model_that_takes_too_long_for_a_chunk_is_given_up(tmp_path: Path, short: Path) -> None:
    with telling(tmp_path, short / "l", timeout_s=0.5) as place:
        answer = ask(place.gateway, "POST", PATH, body(pause_s=3, log=place.log("late")))
        assert (answer.status, answer.json()["code"]) == (504, "model_timeout")
        assert len(events(ask(place.gateway, "POST", PATH, body("a b c", pause_s=0.3)).body)) == 3
        wait_for(lambda: place.told("late") is not None)


def test_a_stopping_gateway_ends_its_streams_in_order(tmp_path: Path, short: Path) -> None:
    with telling(tmp_path, short / "e") as place:
        connection = place.gateway.connect()
        connection.sendall(request("POST", PATH, body("a b c d", pause_s=0.3)))
        data = b""
        while not events(data):
            data += connection.recv(65536)
        process = place.gateway.process
        assert process is not None
        process.terminate()
        answer, _ = read_answer(connection, data)
        assert len(events(answer.body)) == 4
        connection.close()
        process.wait(20)
        place.gateway.start()
