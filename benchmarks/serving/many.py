"""Many models in one gateway worker: what a request costs beside them, what each takes, and what comes back afterwards."""

from __future__ import annotations

import os
import shutil
import time
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import orjson

from benchmarks.measure import pss_mb
from benchmarks.serving.alone import Found
from benchmarks.serving.load import Server, script, take_turns
from benchmarks.serving.own import HEADERS, KEY, How, own

MODELS = 200
_AT = 16
_RETURNED_S = 60.0


def measure_many(
    folder: Path, new: Callable[[str], Path], bodies: Sequence[Any], rounds: int, seconds: int
) -> list[Found]:
    """Measure a worker with one model and one with many in turn; then take the many away."""
    copies = [_copy(folder / "lightgbm", folder / "many" / str(number)) for number in range(MODELS - 1)]
    with ExitStack() as stack:
        one = stack.enter_context(own(folder / "lightgbm", bodies, new("single"), How(name="one model")))
        place = new("beside")
        how = How(name="one of many models", beside=tuple(copies))
        beside = stack.enter_context(own(folder / "lightgbm", bodies, place, how))
        _ask(beside, "churn", bodies[0])
        before = pss_mb(beside.pids[0])
        first = [_timed(beside, name, bodies[0]) for name in how.names[1:]]
        full, held = pss_mb(beside.pids[0]), _model_mb(beside)
        spread = _spread(beside, bodies, new("spread"), how.names)
        take_turns([one, beside, spread], (_AT,), rounds, seconds)
        after = _unloaded(beside, place)
        print(f"PSS: {before:.0f} MB with one, {full:.0f} MB with {MODELS}, {after:.0f} MB after they left", flush=True)
    found = f"{MODELS} models in memory"
    return [
        Found(
            name=f"{found}, one of them asked, CPU/request at {_AT} connections",
            value=(beside.ratio(one, _AT, "cpu_us") - 1) * 100, goal=5, unit="% more", at_most=True,
        ),
        Found(
            name=f"{found}, each asked in turn, CPU/request at {_AT} connections",
            value=(spread.ratio(one, _AT, "cpu_us") - 1) * 100, unit="% more",
        ),
        Found(name="memory of each, of the process", value=(full - before) / len(copies), unit="MB"),
        Found(name="memory of each, as the gateway counts it", value=held / MODELS, unit="MB"),
        Found(name="the first request of a model that is not in memory, median", value=_median(first), unit="ms"),
        Found(name="memory that is back after they left", value=(full - after) / (full - before) * 100, goal=90, unit="%"),
    ]  # fmt: skip


def _copy(package: Path, place: Path) -> Path:
    """Return the same package elsewhere: another model for the gateway, without more space on the disk."""
    return Path(shutil.copytree(package, place, copy_function=os.link))


def _ask(server: Server, name: str, body: Any) -> None:
    url = f"http://127.0.0.1:{server.port}/v2/models/{name}/infer"
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}
    with urllib.request.urlopen(urllib.request.Request(url, orjson.dumps(body), headers), timeout=30) as answer:
        answer.read()


def _timed(server: Server, name: str, body: Any) -> float:
    """Return the milliseconds of a request."""
    began = time.perf_counter()
    _ask(server, name, body)
    return (time.perf_counter() - began) * 1e3


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def _spread(server: Server, bodies: Sequence[Any], folder: Path, names: Sequence[str]) -> Server:
    """Return the same server, asked for each model in turn."""
    asked = [bodies[number % len(bodies)] for number in range(len(names) * len(bodies))]
    program = script(folder, asked, [f"/v2/models/{name}/infer" for name in names], HEADERS)
    return Server(name="each of many models", port=server.port, pids=server.pids, script=program)


def _metric(server: Server, name: str) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"aimass_{name} "))


def _model_mb(server: Server) -> float:
    return _metric(server, "gateway_model_bytes") / 1e6


def _unloaded(server: Server, place: Path) -> float:
    """Publish one endpoint alone, wait until the other models are gone, and return what the process holds then."""
    path = place / "data" / "gateway" / "snapshot.json"
    document = orjson.loads(path.read_bytes())
    document["endpoints"] = {"demo/churn": document["endpoints"]["demo/churn"]}
    draft = path.with_suffix(".new")
    draft.write_bytes(orjson.dumps({**document, "version": 2}))
    draft.replace(path)
    end = time.monotonic() + _RETURNED_S
    while _metric(server, "gateway_models_in_memory") > 1 and time.monotonic() < end:
        time.sleep(0.1)
    time.sleep(2)  # what a model took goes back a moment after it left
    return pss_mb(server.pids[0])
