"""AI Mass measured against itself: what its layers cost, what batches and a second worker bring, and gRPC beside the peers'."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.serving.load import Server, take_turns
from benchmarks.serving.own import KEY, How, own


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One figure against its goal, where it has one; ``at_most`` says that a smaller one is better."""

    name: str
    value: float
    unit: str
    goal: float | None = None
    at_most: bool = False

    @property
    def is_met(self) -> bool | None:
        """Tell whether the goal is met; None where there is none."""
        if self.goal is None:
            return None
        return self.value <= self.goal if self.at_most else self.value >= self.goal


def measure(folder: Path, new: Callable[[str], Path], bodies: Sequence[Any], rounds: int, seconds: int) -> list[Found]:
    """Measure every pair of set-ups in turn."""
    graph, native = folder / "lightgbm", folder / "logistic_regression-native"

    def both(package: Path, first: How, second: How, at: Sequence[int]) -> tuple[Server, Server]:
        with ExitStack() as stack:
            pair = [stack.enter_context(own(package, bodies, new(how.name), how)) for how in (first, second)]
            take_turns(pair, at, rounds, seconds)
        return pair[0], pair[1]

    bare, usual = both(graph, How(name="bare", bare=True), How(name="usual"), (16,))
    plain, full = both(graph, How(name="plain", bare=True), How(name="policies", policies=True), (16,))
    single = How(name="unbatched", plan={"lanes": 1, "max_rows": 1})
    alone, together = both(native, single, How(name="batched", plan={"lanes": 1, "max_rows": 64}), (1, 64))
    one, two = both(graph, How(name="one"), How(name="two", workers=2), (64,))
    return [
        Found(
            name="rate limit and record, CPU/request at 16 connections",
            value=(usual.ratio(bare, 16, "cpu_us") - 1) * 100, goal=15, unit="% more", at_most=True,
        ),
        Found(
            name="every policy of traffic on as well, CPU/request at 16 connections",
            value=(full.ratio(plain, 16, "cpu_us") - 1) * 100, goal=35, unit="% more", at_most=True,
        ),
        Found(
            name="native scikit-learn in batches, requests/s at 64",
            value=together.ratio(alone, 64, "per_s"), goal=3, unit="x",
        ),
        Found(
            name="native scikit-learn in batches, p50 at 1 connection",
            value=(together.ratio(alone, 1, "p50_us") - 1) * 100, goal=5, unit="% more", at_most=True,
        ),
        Found(name="two workers, requests/s at 64", value=two.ratio(one, 64, "per_s"), goal=1.3, unit="x"),
        Found(name="memory of a worker", value=usual.memory, goal=100, unit="MB", at_most=True),
        Found(name="cold start", value=usual.start_s, goal=1, unit="s", at_most=True),
    ]  # fmt: skip


def rpc_cpu_us(server: Server, rows: Path, *, seconds: int) -> float:
    """Return the CPU per request of a server that is asked over gRPC; the one who asks is not counted."""
    before = server.cpu_s()
    command = [sys.executable, "-m", "benchmarks.serving.rpc_load", str(server.rpc_port), str(rows), str(seconds), KEY]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return (server.cpu_s() - before) / max(1, int(done.stdout)) * 1e6
