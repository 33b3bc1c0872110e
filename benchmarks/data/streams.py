"""Events of a stream through the loader and its commits: from memory, and from a NATS server; and how many hands a commit takes.

``python -m benchmarks.data.streams`` prints the figures. The loader is the job's own code in this process; CPU seconds are those of
this process alone, so that the server and who fills it do not count, and a core's worth of them is a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import nats
import orjson

from aimass.collector.children import loading
from aimass.collector.children.landing import Landing
from aimass.collector.connectors.messages import Reading, batch_of
from aimass.collector.connectors.port import Part, StreamInfo, Wish
from tests.fixtures.brokers import Broker, nats_server

EVENTS = 1_000_000
BATCH = 10_000
GOAL_PER_S, GOAL_P99_MS = 300_000, 100.0
COLUMNS = [
    {"name": "device", "type": "string"},
    {"name": "n", "type": "integer"},
    {"name": "temperature", "type": "float"},
    {"name": "ok", "type": "boolean"},
    {"name": "moment", "type": "timestamp"},
]


def events(first: int, count: int) -> list[bytes]:
    """Return events as a device writes them."""
    return [
        compact(
            {"device": f"d{n % 500}", "n": n, "temperature": 20 + n % 100 / 10, "ok": n % 7 > 0, "moment": f"2026-05-01T12:{n // 60 % 60:02}:{n % 60:02}Z"}
        )
        for n in range(first, first + count)
    ]  # fmt: skip


def compact(value: Any) -> bytes:
    """Write JSON into no more memory than it takes."""
    return bytes(bytearray(orjson.dumps(value)))


class Memory:
    """A connector whose messages are in memory: what is left is parsing, types, quarantine and commit."""

    def __init__(self, batches: list[list[bytes]]) -> None:
        self._batches = batches

    def read(self, wish: Wish, state: Mapping[str, Any]) -> Iterator[Part]:
        """Parse the messages as connectors of streams do."""
        reading = Reading.of("json", wish.columns)
        for number, payloads in enumerate(self._batches, start=int(state.get("batch", 0))):
            parsed = reading.rows(payloads, lambda index: f"message {index}")
            size = sum(map(len, payloads))
            yield Part(
                rows=batch_of(parsed), state={"batch": number + 1}, rejects=tuple(parsed.rejects), size_bytes=size
            )

    def describe(self, stream: str, parameters: Mapping[str, Any]) -> StreamInfo:
        """Nothing is known of it."""
        raise NotImplementedError(stream, parameters)

    def acknowledge(self, state: Mapping[str, Any]) -> None:
        """Nobody waits for it."""


def run(rounds: int = 3, count: int = EVENTS) -> dict[str, Any]:
    """Measure both ways, and return medians; commits of all rounds count together for their 99th percentile."""
    memory, server, commits = list[float](), list[float](), list[float]()
    for _ in range(rounds):
        per_s, took = _from_memory(count)
        memory.append(per_s)
        commits += took
    for _ in range(rounds):
        per_s, took = _from_server(count // 4)
        server.append(per_s)
        commits += took
    commits.sort()
    told = {
        "events": count,
        "batch": BATCH,
        "per_s": statistics.median(memory),
        "nats_per_s": statistics.median(server),
    }
    told |= {
        "commit_p50_ms": commits[len(commits) // 2] * 1e3,
        "commit_p99_ms": commits[int(len(commits) * 0.99)] * 1e3,
    }
    return {**told, "commits": len(commits), "goal_per_s": GOAL_PER_S, "goal_p99_ms": GOAL_P99_MS}


def _from_memory(count: int) -> tuple[float, list[float]]:
    batches = [events(first, BATCH) for first in range(0, count, BATCH)]

    @contextlib.contextmanager
    def opened(*_: Any) -> Iterator[Memory]:
        yield Memory(batches)

    with tempfile.TemporaryDirectory(prefix="aimass-bench-") as name, patch.object(loading, "opened", opened):
        return _loaded(Path(name), "memory", {}, "all", count)


def _from_server(count: int) -> tuple[float, list[float]]:
    with tempfile.TemporaryDirectory(prefix="aimass-bench-") as name, nats_server(Path(name) / "broker") as broker:
        asyncio.run(_filled(broker, count))
        return _loaded(Path(name), "nats", {"url": broker.url}, "EVENTS", count)


async def _filled(broker: Broker, count: int) -> None:
    client = await nats.connect(broker.url)
    stream = client.jetstream(publish_async_max_pending=4_000)
    await stream.add_stream(name="EVENTS", subjects=["events.>"])
    for first in range(0, count, 2_000):
        for one in events(first, min(2_000, count - first)):
            await stream.publish_async("events.a", one)
        await stream.publish_async_completed()
    await client.close()


def _loaded(
    folder: Path, connector: str, parameters: Mapping[str, Any], stream: str, count: int
) -> tuple[float, list[float]]:
    """Load everything that is there; return events per second of CPU until the last commit, and the seconds of each commit."""
    commits, ends = list[float](), list[float]()
    real = Landing.commit

    def timed(self: Landing, state: Mapping[str, Any], *, end: bool = False) -> None:
        rows, began = self.rows, time.perf_counter()
        real(self, state, end=end)
        if rows:
            commits.append(time.perf_counter() - began)
            ends.append(time.process_time())

    wish = {"stream": stream, "columns": COLUMNS, "mode": "stream", "parameters": {}}
    if connector == "nats":
        wish["parameters"] = {"batch": BATCH, "envelope": False}
    params: dict[str, Any] = {
        "connector": connector, "parameters": dict(parameters), "wish": wish, "into": "append", "target": str(folder / "t"),
        "quarantine": str(folder / "q"), "source": "BENCH", "run": "RUN", "drift": "evolve", "poison": "skip", "max_reject_rate": 0.2,
        "pace": {"rows": BATCH, "seconds": 3600.0, "idle_s": 1.0}, "reach": {"loopback": True, "folders": [str(folder)]},
        "describe": {"now": "2026-05-01T00:00:00+00:00"},
    }  # fmt: skip
    ctx = SimpleNamespace(
        params=params, secrets={}, work=folder / "work", report=lambda *_, **__: None, log=lambda *_: None
    )
    with patch.object(Landing, "commit", timed):
        began = time.process_time()
        told = loading.load(ctx)
    if told["rows"] != count:
        raise RuntimeError(f"{told['rows']} of {count} events came")
    return count / (ends[-1] - began), commits


if __name__ == "__main__":
    print(json.dumps(run(), indent=1))
