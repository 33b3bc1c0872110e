"""One row goes to a worker as its memory and comes back as numbers; whoever asks notices nothing of it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import signal
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimass.gateway.plane.package import read_package
from aimass.gateway.plane.runtimes.single import remote_row
from aimass.infra.frames import FrameReader, Row, encode_frame, encode_row
from aimass.infra.rows import PackedRows, RowColumn, fold_to_numbers, pack_row, packed_rows
from aimass.models import load_model, verify_package
from tests.fixtures.gateway import (
    CATEGORIES,
    ROW,
    Gateway,
    ModelWorker,
    deployment,
    endpoint,
    infer,
    oip,
    snapshot,
    wait_for,
)

COLUMNS = [
    RowColumn(name="contract", kind="string", categories=tuple(CATEGORIES["contract"])),
    RowColumn(name="internet", kind="string", nullable=True, categories=tuple(CATEGORIES["internet"])),
    RowColumn(name="tenure", kind="integer"),
    RowColumn(name="charges", kind="float", nullable=True),
]
ROWS = st.fixed_dictionaries(
    {
        "contract": st.sampled_from(CATEGORIES["contract"]),
        "internet": st.none() | st.sampled_from(CATEGORIES["internet"]),
        "tenure": st.integers(-(10**17), 10**17),
        "charges": st.none() | st.integers(-1000, 1000) | st.floats(-1e38, 1e38),
    }
)
OUTPUTS = ("label", "probabilities")


def named(id_: str, row: dict[str, Any] = ROW) -> dict[str, Any]:
    """A request whose id stands first, where the layout of a client may have it."""
    return {"id": id_, **oip([row])}


@pytest.fixture(scope="module")
def model(packages: dict[str, Path]) -> Any:
    return load_model(verify_package(packages["one"]), threads=1)


@given(rows=st.lists(ROWS, min_size=1, max_size=4))
@settings(deadline=None)
def test_packed_rows_are_answered_like_columns_to_the_last_bit(model: Any, rows: list[dict[str, Any]]) -> None:
    packed: PackedRows = model.rows
    folded = fold_to_numbers((model._package.folder / "model.onnx").read_bytes(), COLUMNS, "label")
    assert folded is not None
    answers = packed.answer([pack_row(folded, row) for row in rows])
    for row, answer in zip(rows, answers, strict=True):
        expected = model.predict({name: [value] for name, value in row.items()})
        (number,) = struct.unpack_from("<q", answer)
        assert folded.words is not None
        assert folded.words[number] == expected["label"][0]
        assert np.array_equal(np.frombuffer(answer, "<f4", offset=8), expected["probabilities"][0])


def test_gateway_and_worker_name_the_same_format(packages: dict[str, Path], model: Any) -> None:
    for name in ("one", "two"):
        found = remote_row(read_package(packages[name]))
        assert found is not None
        assert (found[1] == model.rows.format) is (name == "one")


def test_a_graph_that_answers_otherwise_when_folded_is_asked_with_columns(
    packages: dict[str, Path], model: Any
) -> None:
    graph = (packages["one"] / "model.onnx").read_bytes()
    assert packed_rows(graph, COLUMNS, OUTPUTS, 2, model.predict) is not None

    def other(columns: dict[str, Any]) -> dict[str, Any]:
        found = model.predict(columns)
        return {**found, "probabilities": found["probabilities"] + np.float32(1e-6)}

    assert packed_rows(graph, COLUMNS, OUTPUTS, 2, other) is None


@pytest.fixture
def both(alone: Gateway, packages: dict[str, Path], short: Path) -> Iterator[Gateway]:
    """One package inline and in a worker of its own."""
    place = short / "packed" / "s"
    worker = ModelWorker(packages["one"], place)
    apart = endpoint("churn", deployment(packages["one"], "apart", socket=str(place)))
    alone.publish(snapshot(1, apart, endpoint("inline", deployment(packages["one"], "inline"))))
    alone.start()
    yield alone
    worker.stop()


def test_an_isolated_graph_answers_and_records_like_an_inline_one(both: Gateway) -> None:
    values = itertools.product(CATEGORIES["contract"], [*CATEGORIES["internet"], None], [0, 7, 72], [None, 20, 99.5])
    rows = [dict(zip(ROW, row, strict=True)) for row in itertools.islice(values, 0, None, 3)]
    for number, row in enumerate([*rows, {**ROW, "internet": "Satellite"}, {**ROW, "charges": 1e39}]):
        apart, inline = (infer(both, named(f"{name}-{number}", row), name=name) for name in ("churn", "inline"))
        assert apart.status == inline.status, apart.body
        if apart.status == 200:
            assert apart.json()["outputs"] == inline.json()["outputs"]
            first, second = (both.wait_for_record(f"{name}-{number}") for name in ("churn", "inline"))
            for key in ("inputs", "outputs", "rows", "status", "unseen", "consumer"):
                assert first[key] == second[key]


def test_answers_of_a_batch_go_to_those_who_asked(both: Gateway) -> None:
    rows = [{**ROW, "tenure": n} for n in range(40)]
    expected = [infer(both, oip([row]), name="inline").json()["outputs"] for row in rows]

    async def everyone() -> list[Any]:
        return await asyncio.gather(*(asyncio.to_thread(infer, both, oip([row])) for row in rows))

    assert [answer.json()["outputs"] for answer in asyncio.run(everyone())] == expected


class Told:
    """A worker that speaks the format of a package and answers packed rows as it is told."""

    def __init__(self, path: Path, package: Path, answer: Callable[[Row], bytes | None]) -> None:
        found = remote_row(read_package(package))
        assert found is not None
        self.format, self.answer = found[1], answer
        self.rows: list[Row] = []
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(str(path))
        self.server.listen()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.server.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        reader = FrameReader()
        with connection, contextlib.suppress(OSError):
            connection.sendall(encode_frame({"worker": {"rows": self.format}}))
            while data := connection.recv(65536):
                for message in reader.feed(data):
                    if not isinstance(message, Row):
                        connection.sendall(encode_frame({"id": message.head["id"], "error": "columns"}))
                        continue
                    self.rows.append(message)
                    reply = self.answer(message)
                    if reply == b"end":
                        return
                    connection.sendall(reply or b"")


ANSWER = struct.pack("<q2f", 1, 0.25, 0.75)


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        (lambda row: encode_row(row.id, ANSWER), 200, None),
        (lambda _: None, 504, "model_timeout"),
        (lambda row: encode_frame({"id": row.id, "error": "boom"}), 500, "model_failed"),
        (lambda row: encode_row(row.id, ANSWER[:-4]), 500, "model_failed"),
        (lambda row: encode_row(row.id, b""), 500, "model_failed"),
        (lambda row: encode_row(row.id, struct.pack("<q2f", 9, 0.25, 0.75)), 500, "model_failed"),
        (lambda _: b"end", 503, "worker_gone"),
    ],
)
def test_what_goes_wrong_with_a_packed_row_gets_its_own_answer(
    alone: Gateway, packages: dict[str, Path], tmp_path: Path, answer: Any, status: int, code: str | None
) -> None:
    told = Told(tmp_path / "s", packages["one"], answer)
    spec = deployment(packages["one"], socket=str(tmp_path / "s"))
    alone.publish(snapshot(1, endpoint("churn", spec, timeout_s=0.3)))
    alone.start()
    first = infer(alone, named("first"))  # the first request teaches the layout
    assert first.json()["error"].endswith("columns")
    got = infer(alone, named("odd"))
    assert (got.status, got.json().get("code")) == (status, code), got.body
    assert alone.wait_for_record("odd")["status"] == status
    assert told.rows
    told.server.close()


def test_a_fallback_answers_for_a_packed_row(alone: Gateway, packages: dict[str, Path], tmp_path: Path) -> None:
    told = Told(tmp_path / "s", packages["one"], lambda _: None)
    spec = deployment(packages["one"], socket=str(tmp_path / "s"))
    alone.publish(
        snapshot(1, endpoint("churn", spec, timeout_s=0.3, fallback=deployment(packages["two"], "spare", revision="r")))
    )
    alone.start()
    answers = [infer(alone) for _ in range(2)]
    assert [answer.headers["x-aimass-revision"] for answer in answers] == ["r", "r"]
    assert told.rows
    told.server.close()


def test_a_worker_that_dies_with_a_packed_row_costs_that_row(
    alone: Gateway, packages: dict[str, Path], short: Path
) -> None:
    place = short / "dies" / "s"
    worker = ModelWorker(packages["one"], place)
    alone.publish(snapshot(1, endpoint("churn", deployment(packages["one"], socket=str(place)))))
    alone.start()
    assert [infer(alone).status for _ in range(3)] == [200, 200, 200]
    worker.stop(signal.SIGKILL)
    assert infer(alone).status == 503
    again = ModelWorker(packages["one"], place)
    wait_for(lambda: infer(alone).status == 200)
    again.stop()
