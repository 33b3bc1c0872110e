from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aimass.infra.frames import FrameReader, encode_frame, encode_row, pack
from tests.fixtures.gateway import (
    ROW,
    Gateway,
    ModelWorker,
    ask,
    deployment,
    endpoint,
    infer,
    oip,
    read_answer,
    request,
    snapshot,
    wait_for,
)


@pytest.fixture(scope="module")
def place(short: Path) -> Path:
    return short / "model" / "s"


@pytest.fixture(scope="module")
def worker(packages: dict[str, Path], place: Path) -> Iterator[ModelWorker]:
    worker = ModelWorker(packages["python"], place)
    yield worker
    if worker.process.poll() is None:
        worker.stop()


def isolated(packages: dict[str, Path], place: Path, **more: Any) -> dict[str, Any]:
    return deployment(packages["python"], runtime="python", socket=str(place), **more)


def test_a_python_package_is_answered_by_its_worker_like_the_onnx_one(
    alone: Gateway, packages: dict[str, Path], place: Path, worker: ModelWorker
) -> None:
    both = (endpoint("churn", isolated(packages, place)), endpoint("inline", deployment(packages["one"])))
    alone.publish(snapshot(1, *both))
    alone.start()
    rows = [ROW, {**ROW, "charges": None, "contract": "Month-to-month"}]
    answer, inline = infer(alone, oip(rows, id="iso")), infer(alone, oip(rows), name="inline")
    assert answer.status == 200, answer.body
    assert answer.json()["outputs"][0] == inline.json()["outputs"][0]
    assert answer.json()["outputs"][1]["data"] == pytest.approx(inline.json()["outputs"][1]["data"], abs=1e-4)
    assert alone.wait_for_record("iso")["outputs"]["label"] == answer.json()["outputs"][0]["data"]
    assert ask(alone, "GET", "/v2/models/churn").json()["platform"] == "aimass_python"


def test_an_onnx_package_that_is_isolated_is_answered_by_its_worker_alone(
    alone: Gateway, packages: dict[str, Path], short: Path
) -> None:
    path = short / "onnx" / "s"
    worker = ModelWorker(packages["one"], path)
    alone.publish(snapshot(1, endpoint("churn", deployment(packages["one"], socket=str(path)))))
    alone.start()
    assert infer(alone).status == 200
    assert ask(alone, "GET", "/v2/models/churn").json()["platform"] == "onnxruntime_onnx"
    worker.stop(signal.SIGKILL)
    wait_for(lambda: infer(alone).status == 503)


def test_pipelined_requests_keep_their_order_through_a_worker(
    alone: Gateway, packages: dict[str, Path], place: Path, worker: ModelWorker
) -> None:
    alone.publish(
        snapshot(1, endpoint("churn", isolated(packages, place)), endpoint("fast", deployment(packages["one"])))
    )
    alone.start()
    names = ["churn", "fast"] * 5
    with alone.connect() as connection:
        connection.sendall(
            b"".join(request("POST", f"/v2/models/{n}/infer", oip(id=str(i))) for i, n in enumerate(names))
        )
        rest, ids = b"", []
        for _ in names:
            answer, rest = read_answer(connection, rest)
            ids.append(answer.json()["id"])
    assert ids == [str(i) for i in range(10)]


def test_a_worker_that_is_not_there_gives_503_and_later_it_serves(
    alone: Gateway, packages: dict[str, Path], short: Path
) -> None:
    place = short / "late" / "s"
    alone.publish(snapshot(1, endpoint("churn", isolated(packages, place))))
    alone.start()
    answer = infer(alone)
    assert (answer.status, answer.json()["code"]) == (503, "worker_gone")
    assert ask(alone, "GET", "/v2/models/churn/ready").status == 503
    assert (alone.status()["loaded"], alone.status()["waiting"]) == ({}, ["dep-champion"])
    late = ModelWorker(packages["python"], place)
    wait_for(lambda: alone.status()["loaded"] == {"dep-champion": "rev-champion-1"})
    assert infer(alone).status == 200
    late.stop(signal.SIGKILL)
    wait_for(lambda: alone.status()["loaded"] == {})
    assert infer(alone).status == 503


def test_a_fallback_answers_while_the_worker_is_gone(alone: Gateway, packages: dict[str, Path], short: Path) -> None:
    spec = endpoint("churn", isolated(packages, short / "none" / "s"), fallback=deployment(packages["two"], "spare"))
    alone.publish(snapshot(1, spec))
    alone.start()
    assert infer(alone).headers["x-aimass-revision"] == "rev-spare-1"


def test_the_old_revision_serves_until_the_new_worker_is_there(
    alone: Gateway, packages: dict[str, Path], short: Path
) -> None:
    place = short / "next" / "s"
    alone.publish(snapshot(1, endpoint("churn", deployment(packages["one"]))))
    alone.start()
    alone.publish(snapshot(2, endpoint("churn", isolated(packages, place, revision="rev-2"))))
    assert infer(alone).headers["x-aimass-revision"] == "rev-champion-1"
    worker = ModelWorker(packages["python"], place)
    wait_for(lambda: alone.status()["loaded"] == {"dep-champion": "rev-2"})
    assert infer(alone).headers["x-aimass-revision"] == "rev-2"
    worker.stop()


class Strange:
    """A worker that takes frames and does as it is told: nothing, errors, or no frames at all."""

    def __init__(self, path: Path, answer: Any) -> None:
        self.answer = answer
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(str(path))
        self.server.listen()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        reader = FrameReader()
        with connection, contextlib.suppress(OSError):
            connection.sendall(encode_frame({"worker": {}}))
            while data := connection.recv(65536):
                for message in reader.feed(data):
                    reply = self.answer(message.head)
                    if reply is None:
                        continue
                    if reply == b"end":
                        return
                    connection.sendall(reply)


@pytest.mark.parametrize(
    ("reply", "status", "code"),
    [
        (lambda _: None, 504, "model_timeout"),
        (lambda m: encode_frame({"id": m["id"], "error": "boom"}), 500, "model_failed"),
        (lambda m: encode_frame({"id": m["id"]}, pack({"label": ["No"]})), 500, "model_failed"),
        (lambda m: encode_row(m["id"], b"\0" * 16), 500, "model_failed"),
        (lambda _: b"\xff" * 8, 503, "worker_gone"),
        (lambda _: b"end", 503, "worker_gone"),
    ],
)
def test_what_goes_wrong_in_a_worker_gets_its_own_answer(
    alone: Gateway, packages: dict[str, Path], tmp_path: Path, reply: Any, status: int, code: str
) -> None:
    place = tmp_path / "s"
    strange = Strange(place, reply)
    alone.publish(snapshot(1, endpoint("churn", isolated(packages, place), timeout_s=0.3)))
    alone.start()
    answer = infer(alone, oip(id="odd"))
    assert (answer.status, answer.json()["code"]) == (status, code)
    assert alone.wait_for_record("odd")["status"] == status
    strange.server.close()


def test_many_callers_share_one_worker(
    alone: Gateway, packages: dict[str, Path], place: Path, worker: ModelWorker
) -> None:
    alone.publish(snapshot(1, endpoint("churn", isolated(packages, place))))
    alone.start()
    rows = [{**ROW, "tenure": n} for n in range(30)]
    expected = [infer(alone, oip([row])).json()["outputs"][1]["data"] for row in rows]

    async def one(row: dict[str, Any]) -> list[float]:
        answer = await asyncio.to_thread(infer, alone, oip([row]))
        return answer.json()["outputs"][1]["data"]

    async def everyone() -> list[list[float]]:
        return await asyncio.gather(*(one(row) for row in rows))

    assert asyncio.run(everyone()) == expected


def test_a_worker_refuses_a_package_that_was_changed(packages: dict[str, Path], tmp_path: Path) -> None:
    import shutil

    changed = tmp_path / "changed"
    shutil.copytree(packages["python"], changed)
    with (changed / "model.skops").open("ab") as file:
        file.write(b"x")
    worker = ModelWorker(changed, tmp_path / "w" / "s")
    assert worker.process.wait(20) == 1
    assert worker.process.stderr is not None
    assert b"does not match" in worker.process.stderr.read()
    worker.stop()


def test_a_worker_dies_with_its_parent(packages: dict[str, Path], tmp_path: Path) -> None:
    import subprocess
    import sys

    path = tmp_path / "w" / "s"
    path.parent.mkdir()
    told = json.dumps(
        {"package": str(packages["python"]), "folder": str(path.parent), "plan": {"lanes": 1, "max_rows": 1}}
    )
    code = (
        "import subprocess, sys, time; p = subprocess.Popen([sys.executable, '-m', 'aimass.serving.children.worker',"
        "'--module', 'aimass.models.runtimes.python'], stdin=subprocess.PIPE); p.stdin.write(sys.argv[1].encode() + b'\\n');"
        "p.stdin.flush(); print(p.pid, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, told]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        wait_for(path.exists)
        parent.kill()
    wait_for(lambda: not Path(f"/proc/{pid}/exe").exists())
