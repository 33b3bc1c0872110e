"""Workers that end, fall or are replaced under load: nobody who was let in goes without an answer."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from aimass.bootstrap.settings import PlatformSettings
from aimass.bootstrap.supervisor import Supervisor
from tests.fixtures.asgi_control import ControlServer
from tests.fixtures.gateway import Gateway, deployment, endpoint, infer, oip, read_answer, request, snapshot, wait_for
from tests.fixtures.platform import free_port


@dataclass
class Load:
    """Callers that ask again and again, on one connection each or on a new one each time."""

    port: int
    callers: int = 6
    answers: Counter[int] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    refused: int = 0
    gap_s: float = 0.0
    is_over: bool = False
    threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> Load:
        for number in range(self.callers):
            thread = threading.Thread(target=self._call, args=(number % 2 == 0,))
            thread.start()
            self.threads.append(thread)
        return self

    def stop(self) -> None:
        self.is_over = True
        for thread in self.threads:
            thread.join(30)

    def _call(self, keep: bool) -> None:
        while not self.is_over:
            try:
                connection = socket.create_connection(("127.0.0.1", self.port), 10)
            except ConnectionRefusedError:
                self.refused += 1
                time.sleep(0.01)
                continue
            except TimeoutError:
                self.refused += 1
                continue
            with connection:
                self._ask(connection, keep)

    def _ask(self, connection: socket.socket, keep: bool) -> None:
        while not self.is_over:
            began = time.monotonic()
            try:
                connection.sendall(request("POST", "/v2/models/churn/infer", oip()))
                answer, _ = read_answer(connection)
            except (OSError, AssertionError) as reason:
                self.failures.append(repr(reason))
                return
            self.gap_s = max(self.gap_s, time.monotonic() - began)
            self.answers[answer.status] += 1
            if not keep or answer.headers.get("connection") == "close":
                return


@contextmanager
def load_on(port: int, callers: int = 6) -> Iterator[Load]:
    load = Load(port, callers).start()
    try:
        wait_for(lambda: load.answers[200] > 100)
        yield load
    finally:
        load.stop()


@pytest.fixture
def ready(alone: Gateway, packages: dict[str, Path]) -> Gateway:
    alone.publish(snapshot(1, endpoint("churn", deployment(packages["one"]))))
    return alone


def test_sigterm_under_load_fails_no_request(ready: Gateway) -> None:
    ready.start()
    with load_on(ready.port) as load:
        assert ready.stop() == 0
        wait_for(lambda: load.refused > 10)
    assert load.failures == []
    assert set(load.answers) == {200}


def test_a_quiet_worker_ends_at_once(ready: Gateway) -> None:
    ready.start()
    assert infer(ready).status == 200
    began = time.monotonic()
    assert ready.stop() == 0
    assert time.monotonic() - began < 5


def test_who_asked_a_moment_ago_may_ask_once_more_and_hears_that_it_is_the_end(ready: Gateway) -> None:
    ready.start()
    with ready.connect() as connection:
        connection.sendall(request("POST", "/v2/models/churn/infer", oip()))
        assert "connection" not in read_answer(connection)[0].headers
        assert ready.process is not None
        ready.process.send_signal(signal.SIGTERM)
        time.sleep(0.1)
        connection.sendall(request("POST", "/v2/models/churn/infer", oip()))
        answer, _ = read_answer(connection)
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert connection.recv(1) == b""


def test_what_is_under_way_is_finished_and_streams_of_events_are_not_waited_for(
    alone: Gateway, packages: dict[str, Path], control: ControlServer
) -> None:
    alone.publish(snapshot(1, endpoint("churn", deployment(packages["one"])), control_socket=str(control.path)))
    alone.start()
    with alone.connect() as events, alone.connect() as upload:
        events.sendall(request("GET", "/events"))
        heard = b""
        while b"data: 1" not in heard:  # its head may come before it
            part = events.recv(1000)
            assert part, heard
            heard += part
        data = request("POST", "/api/upload", b"x" * 1000)
        upload.sendall(data[:-500])
        assert alone.process is not None
        alone.process.send_signal(signal.SIGTERM)
        while events.recv(1000):
            pass
        time.sleep(1.5)
        upload.sendall(data[-500:])
        answer, _ = read_answer(upload)
        assert (answer.json()["size"], answer.headers["connection"]) == (1000, "close")
    assert alone.process.wait(10) == 0


# -- under a supervisor, which holds the port open


class Gateways(Supervisor):
    """A supervisor of gateway workers alone."""

    def commands(self) -> dict[str, list[str]]:
        return {name: command for name, command in super().commands().items() if name != "control"}


@contextmanager
def supervised(data: Path, package: Path, workers: int, **settings: Any) -> Iterator[Gateways]:
    writer = Gateway(data)
    writer.publish(snapshot(1, endpoint("churn", deployment(package))), wait=False)
    supervisor = Gateways(PlatformSettings(data_dir=data, port=free_port(), gateways=workers, **settings))
    supervisor.prepare()
    supervisor.start()
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(0.05):
            supervisor.watch()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        for number in range(workers):
            wait_for(lambda number=number: is_up(data, number, 0))
        yield supervisor
    finally:
        is_over.set()
        thread.join()
        supervisor.stop()


def is_up(data: Path, worker: int, other_than: int) -> bool:
    pid = pid_of(data, worker)
    return bool(pid) and pid != other_than


def pid_of(data: Path, worker: int) -> int:
    import json

    path = data / "gateway" / f"status-{worker}.json"
    return json.loads(path.read_text())["pid"] if path.exists() else 0


@pytest.mark.parametrize("workers", [1, 2])
def test_a_worker_that_is_started_again_under_load_fails_no_request(
    tmp_path: Path, packages: dict[str, Path], workers: int
) -> None:
    with supervised(tmp_path, packages["one"], workers) as supervisor, load_on(supervisor.settings.port) as load:
        for _ in range(2):
            old = pid_of(tmp_path, 0)
            os.kill(old, signal.SIGTERM)
            wait_for(lambda old=old: is_up(tmp_path, 0, old))
        served = load.answers[200]
        wait_for(lambda: load.answers[200] > served + 100)
    assert (load.failures, load.refused, set(load.answers)) == ([], 0, {200})


@pytest.mark.parametrize("workers", [1, 2])
def test_a_worker_that_falls_takes_its_own_requests_along_and_nobody_else_is_refused(
    tmp_path: Path, packages: dict[str, Path], workers: int
) -> None:
    with supervised(tmp_path, packages["one"], workers) as supervisor, load_on(supervisor.settings.port) as load:
        old = pid_of(tmp_path, 0)
        os.kill(old, signal.SIGSEGV)
        wait_for(lambda: is_up(tmp_path, 0, old))
        served = load.answers[200]
        wait_for(lambda: load.answers[200] > served + 100)
    assert load.refused == 0
    assert len(load.failures) <= load.callers


@pytest.mark.parametrize("workers", [1, 2])
def test_a_platform_that_stops_under_load_fails_no_request(
    tmp_path: Path, packages: dict[str, Path], workers: int
) -> None:
    with supervised(tmp_path, packages["one"], workers) as supervisor, load_on(supervisor.settings.port, 8) as load:
        supervisor.stop()
        wait_for(lambda: load.refused > 5)
    assert load.failures == []
    assert set(load.answers) == {200}


def test_a_port_that_somebody_else_holds_is_refused_also_for_several_workers(tmp_path: Path) -> None:
    from aimass.kernel.errors import Conflict

    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        supervisor = Gateways(PlatformSettings(data_dir=tmp_path, port=other.getsockname()[1], gateways=2))
        with pytest.raises(Conflict, match="taken"):
            supervisor.prepare()


def test_a_gateway_started_alone_lives_without_a_parent(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "aimass", "run", "gateway", "--data-dir", str(tmp_path), "--port", str(port)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: is_up(tmp_path, 0, 0), process=process)
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(request("GET", "/v2/health/live"))
            assert read_answer(connection)[0].status == 200
    finally:
        process.terminate()
        assert process.wait(20) == 0
