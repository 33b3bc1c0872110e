"""What the code of a package sees and reaches from a worker of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from aimass.serving.workers.cell import Cell
from aimass.serving.workers.keeping import Keeping
from aimass.serving.workers.pool import socket_of
from aimass.serving.workers.wishes import Kind
from tests.fixtures.code import code_package
from tests.fixtures.engines import needs_bubblewrap
from tests.fixtures.gateway import Gateway, ask, infer, snapshot, wait_for
from tests.fixtures.kept import Kept, kept, moody, reached, wish

SPY = """
import json, os, socket

class Spy:
    def predict(self, columns):
        paths, port = json.loads(open("/package/model.txt").read())
        said = {"seen": [path for path in paths if os.path.exists(path)], "pids": [int(p) for p in os.listdir("/proc") if p.isdigit()]}
        said["environment"] = [name for name in os.environ if "SECRET" in name or "AIMASS" in name]
        said["written"] = []
        for path in ("/package/new", "/usr/new", "/io/new", "/tmp/aimass-new"):
            try:
                open(path, "w").close()
                said["written"].append(path)
            except OSError:
                pass
        try:
            socket.create_connection(("127.0.0.1", port), 5).close()
            said["network"] = True
        except OSError:
            said["network"] = False
        rows = len(columns["tenure"])
        return {"label": [json.dumps(said)] * rows, "probabilities": [[0.5, 0.5]] * rows}

def load(package, **how):
    return Spy()
"""


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Kept]:
    (tmp_path / "code" / "spying").mkdir(parents=True)
    (tmp_path / "code" / "spying" / "run.py").write_text(SPY)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "code"))
    monkeypatch.setenv("AIMASS_SECRETS_KEY", "s")
    with tempfile.TemporaryDirectory(prefix="am") as folder, kept(Path(folder)) as one:
        yield one


def spied(pool: Kept, gateway: Gateway, tmp_path: Path, **more: Any) -> dict[str, Any]:
    """Let a package look around in its worker; return what it found."""
    (pool.layout.keys / "secret").write_text("42")
    other = moody(pool.layout.packages / "other")
    paths = [str(pool.layout.root), str(pool.layout.keys / "secret"), str(other / "model.txt"), str(tmp_path / "spy")]
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        package = moody(tmp_path / "spy", json.dumps([[*paths, "/etc/passwd"], port]))
        pool.want(wish(package, "spying", **more))
        pool.up()
        gateway.publish(snapshot(1, reached(pool, package)))
        gateway.start()
        return json.loads(infer(gateway).json()["outputs"][0]["data"][0])


@needs_bubblewrap
def test_code_of_a_package_sees_its_package_alone(pool: Kept, alone: Gateway, tmp_path: Path) -> None:
    said = spied(pool, alone, tmp_path)
    assert (said["seen"], said["environment"]) == ([], [])
    assert max(said["pids"]) < 20
    assert said["written"] == ["/io/new", "/tmp/aimass-new"]
    assert said["network"] is False
    facts = pool.up()
    assert (facts.isolation, facts.isolation_reason) == ("sandbox", "")


@needs_bubblewrap
def test_code_reaches_the_network_when_its_deployment_says_so(pool: Kept, alone: Gateway, tmp_path: Path) -> None:
    said = spied(pool, alone, tmp_path, network=True)
    assert said["network"] is True
    assert said["seen"] == []


def asked(gateway: Gateway, path: str = "infer", text: str = "hello", number: float = 4.0) -> Any:
    inputs = [
        {"name": "text", "shape": [1], "datatype": "BYTES", "data": [text]},
        {"name": "number", "shape": [1], "datatype": "FP32", "data": [number]},
    ]
    return ask(gateway, "POST", f"/v2/models/churn/{path}", {"inputs": inputs})


def test_a_class_of_ones_own_answers_from_a_worker(pool: Kept, alone: Gateway, tmp_path: Path) -> None:
    package = code_package(tmp_path / "p", streams=False)
    pool.want(wish(package.folder, "aimass.models.runtimes.python"))
    pool.up()
    alone.publish(snapshot(1, reached(pool, package.folder)))
    alone.start()
    assert [output["data"] for output in asked(alone).json()["outputs"]] == [["hello!"], [8.0]]
    assert "this goes into the log" in (pool.layout.logs / "worker-rev-champion-1-0.log").read_text()


def test_a_class_of_ones_own_answers_in_chunks(pool: Kept, alone: Gateway, tmp_path: Path) -> None:
    package = code_package(tmp_path / "p", streams=True)
    pool.want(wish(package.folder, "aimass.models.runtimes.python"))
    pool.up()
    alone.publish(snapshot(1, reached(pool, package.folder)))
    alone.start()
    told = ask(alone, "POST", "/v2/models/churn/generate_stream", {"text": "abc", "number": 1}).body.decode()
    assert [json.loads(line[5:])["said"] for line in told.splitlines() if line.startswith("data:")] == [
        "a!",
        "b!",
        "c!",
    ]


@needs_bubblewrap
def test_a_sandboxed_worker_that_is_killed_is_replaced_by_its_spare(
    pool: Kept, alone: Gateway, packages: dict[str, Path]
) -> None:
    pool.want(wish(packages["python"], "aimass.models.runtimes.python", isolation="sandbox"))
    first = pool.up().pid
    spare = pool.spare()
    assert first is not None
    alone.publish(snapshot(1, reached(pool, packages["python"])))
    alone.start()
    assert infer(alone).status == 200
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: (facts := pool.facts()) is not None and facts.is_up and facts.pid != first, within=60)
    facts = pool.up()
    assert facts.reason == "it was killed by signal 9"
    assert _is_below(spare, facts.pid)
    wait_for(lambda: infer(alone).status == 200)


def _is_below(root: int, pid: int | None) -> bool:
    """Tell whether a process was started by another one, or by one that it started."""
    while pid and pid != root:
        pid = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    return pid == root


def test_where_there_is_no_bubblewrap_a_worker_says_that_it_is_a_process(
    pool: Kept, packages: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    pool.want(wish(packages["python"], "aimass.models.runtimes.python"))
    facts = pool.up()
    assert (facts.isolation, facts.isolation_reason) == ("process", "bubblewrap is not installed")


def test_a_worker_that_must_have_a_sandbox_does_not_start_without_one(
    pool: Kept, packages: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    pool.want(wish(packages["python"], "aimass.models.runtimes.python", isolation="sandbox"))
    wait_for(lambda: (facts := pool.facts()) is not None and facts.crashes > 0)
    facts = pool.facts()
    assert facts is not None
    assert "a sandbox is wanted, and there is none: bubblewrap is not installed" in facts.reason
    assert not socket_of(pool.layout, "rev-champion-1").exists()


def test_a_worker_runs_on_as_many_cores_as_its_deployment_says(pool: Kept, packages: dict[str, Path]) -> None:
    pool.want(wish(packages["python"], "aimass.models.runtimes.python", cpus=0.5))
    facts = pool.up()
    assert facts.pid is not None
    present = os.sched_getaffinity(0)
    if facts.limits == "memory and CPU by a control group":
        return
    assert len(os.sched_getaffinity(facts.pid)) == 1
    if len(present) > 1:
        assert facts.limits == f"memory by its resident size, CPU by affinity to 1 of {len(present)} cores"
    assert facts.limits_reason


@needs_bubblewrap
def test_a_worker_that_is_killed_while_its_sandbox_is_made_leaves_nobody(tmp_path: Path) -> None:
    kind = Kind("aimass.models.runtimes.python", 1)
    for step in range(20):
        cell = Cell(tmp_path / f"cell-{step}", tmp_path / f"{step}.log", kind, Keeping.of(kind))
        time.sleep(step * 0.0005)  # each in another moment of its start
        cell.kill()
        cell.tidy()
    wait_for(lambda: not _who_names(str(tmp_path)), within=30)


def _who_names(text: str) -> list[int]:
    """Return the processes whose command line has a text."""
    found: list[int] = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            found += [int(folder.name)] if text.encode() in (folder / "cmdline").read_bytes() else []
    return found
