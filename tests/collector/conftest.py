from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from aimass.collector.children.collect import collect
from aimass.collector.children.propose import propose
from aimass.collector.connectors.reach import Reach, limit_to
from tests.fixtures.data import Data, data_rooms


class Context:
    """A job's context without a process around it."""

    def __init__(self, params: dict[str, Any], work: Path) -> None:
        self.params = params
        self.work = work
        self.reports: list[tuple[float | None, str, dict[str, float]]] = []
        self.lines: list[str] = []
        self.secrets: Mapping[str, Any] = {}

    def report(self, fraction: float | None = None, stage: str = "", **metrics: float) -> None:
        self.reports.append((fraction, stage, metrics))

    def log(self, message: str, level: str = "info") -> None:
        self.lines.append(f"{level}: {message}")


class Bench:
    """Collects files into a table of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.target = root / "lake" / "t"
        self.quarantine = root / "lake" / "_quarantine" / "t"

    def write(self, data: bytes | str, name: str = "data.csv") -> Path:
        path = self.root / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    def propose(self, path: Path, **given: Any) -> dict[str, Any]:
        return propose({"path": str(path), "given": given})

    def context(self, path: Path, plan: dict[str, Any], batch: int = 1, **more: Any) -> Context:
        params = {
            "file": str(path),
            "plan": plan,
            "target": str(self.target),
            "quarantine": str(self.quarantine),
            "source": "SOURCE",
            "batch": batch,
            "run": f"RUN{batch}",
            "max_reject_rate": 1.0,
            "describe": {"now": "2026-05-01T00:00:00+00:00"},
        }
        return Context({**params, **more}, self.root / "work")

    def collect(self, path: Path, plan: dict[str, Any] | None = None, batch: int = 1, **more: Any) -> dict[str, Any]:
        return collect(self.context(path, plan or self.propose(path), batch, **more))

    def rows(self) -> list[tuple[Any, ...]]:
        return pl.read_delta(str(self.target)).rows()

    def rejected(self) -> list[tuple[str, int, str, str]]:
        kept = pl.read_delta(str(self.quarantine)).sort("line")
        return kept.select("raw", "line", "column", "reason").rows()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def pinned() -> Callable[..., dict[str, Any]]:
    """Build a plan: pinned("a string", "b integer!"), where ``!`` means that no value may be missing."""

    def build(*columns: str, **more: Any) -> dict[str, Any]:
        parts = [text.removesuffix("!").rpartition(" ") for text in columns]
        nullable = [not text.endswith("!") for text in columns]
        return {
            "format": "csv",
            "columns": [{"name": n, "type": t, "nullable": m} for (n, _, t), m in zip(parts, nullable, strict=True)],
            **more,
        }

    return build


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Data]:
    with data_rooms(tmp_path / "data") as found:
        yield found


@pytest.fixture(autouse=True)
def loopback() -> None:
    """Let connectors in the process of a test reach the servers that the tests start on this machine."""
    limit_to(Reach(loopback=True))
