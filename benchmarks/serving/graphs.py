"""What a graph costs: one of a single step and a mean of two, against the model in a worker of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from aimass.infra.compute import JobContext
from aimass.infra.compute.directory import JobDirectory
from aimass.models.children.compose import PACKAGE, compose
from aimass.models.package import verify_package
from benchmarks.serving.alone import Found
from benchmarks.serving.load import take_turns
from benchmarks.serving.own import How, own

_AT = (1, 16)
_PLAN = {"lanes": 0, "max_rows": 128}
_MEAN = {"both": {"mean": ["a", "b"]}}


def measure_graphs(
    folder: Path, new: Callable[[str], Path], bodies: Sequence[Any], rounds: int, seconds: int
) -> list[Found]:
    """Measure the model and the two graphs in turn, each in a worker of its own with the same plan."""
    packages = {
        "model": folder / "lightgbm",
        "one step": _composed(folder, new, "graph-one", ["only"]),
        "mean of two": _composed(folder, new, "graph-two", ["a", "b"]),
    }
    with ExitStack() as stack:
        servers = [
            stack.enter_context(own(package, bodies, new(f"graphs-{place}"), How(name=name, plan=_PLAN)))
            for place, (name, package) in enumerate(packages.items())
        ]
        take_turns(servers, _AT, rounds, seconds)
    alone, *graphs = servers
    return [
        Found(
            name=f"a graph ({graph.name}), CPU/request at {at} connections",
            value=graph.ratio(alone, at, "cpu_us"),
            unit="x the model",
        )
        for graph in graphs
        for at in _AT
    ]


def _composed(folder: Path, new: Callable[[str], Path], name: str, models: Sequence[str]) -> Path:
    """Compose a graph as its job does; two steps of one package share what is loaded, but each answers by itself."""
    directory, package = JobDirectory(new(name) / "job"), folder / "lightgbm"
    step = {"model": "churn@1", "digest": verify_package(package).digest}
    steps = {**dict.fromkeys(models, step), **(_MEAN if len(models) > 1 else {})}
    params = {"graph": json.dumps({"steps": steps}), "packages": dict.fromkeys(models, str(package))}
    directory.freeze({"run": "benchmark", "params": params, "code": "", "slots": 2})
    context = JobContext(directory, directory.take())
    compose(context)
    return Path(context.out) / PACKAGE
