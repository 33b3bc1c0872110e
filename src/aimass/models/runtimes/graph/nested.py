"""The packages of the steps inside the package of a graph: each lies in ``steps/<name>`` with its own manifest."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TypeVar

from aimass.models.errors import BrokenGraph, BrokenPackage
from aimass.models.package import LOCK, MANIFEST, SAMPLES, Column, Output, Package, Signature, read_package
from aimass.models.runtimes.graph.declared import Graph, parse_graph
from aimass.models.runtimes.graph.wiring import Plan, plan_of

C = TypeVar("C", Column, Output)

GRAPH = "graph.json"
STEPS = "steps"
_OWN = frozenset({GRAPH, SAMPLES, LOCK})
_DEPTH = 3


def read_graph(package: Package) -> Graph:
    """Return the graph that a package declares."""
    if GRAPH not in package.manifest.files:
        raise BrokenPackage(f"there is no {GRAPH} in the package", field="files", value=GRAPH)
    try:
        return parse_graph(json.loads((package.folder / GRAPH).read_bytes()))
    except (ValueError, RecursionError) as reason:
        raise BrokenPackage(f"{GRAPH} is not JSON: {reason}", field=GRAPH) from reason


def read_steps(package: Package) -> tuple[Plan, dict[str, Package]]:
    """Return the plan of a graph and the packages of its steps.

    A step's package is the one that the graph pins, its files are those that its manifest lists, and there are no others.
    """
    graph = read_graph(package)
    steps = {name: _step(package, name, step.digest) for name, step in graph.models.items()}
    stray = sorted(name for name in package.manifest.files if name not in _OWN and name_of(name) not in steps)
    if stray:
        raise BrokenPackage(f"file {stray[0]!r} belongs to no step", field="files", value=stray[0])
    plan = plan_of(graph, {name: step.manifest.signature for name, step in steps.items()})
    if not _is_same(plan.signature, package.manifest.signature):
        raise BrokenPackage(
            "the signature is not the one that the steps give", field="signature", hint="compose the graph again"
        )
    return plan, steps


def name_of(file: str) -> str:
    """Return the step to which a file belongs; empty for one of the graph itself.

    Examples
    --------
    >>> name_of("steps/fraud/model.onnx"), name_of("graph.json")
    ('fraud', '')
    """
    parts = PurePosixPath(file).parts
    return parts[1] if len(parts) >= _DEPTH and parts[0] == STEPS else ""


def _step(package: Package, name: str, digest: str) -> Package:
    top, listed = f"{STEPS}/{name}/", package.manifest.files
    if f"{top}{MANIFEST}" not in listed:
        raise BrokenPackage(f"the package of step {name!r} is missing", field="files", value=f"{top}{MANIFEST}")
    found = read_package(package.folder / STEPS / name)
    if found.digest != digest:
        raise BrokenPackage(
            f"the package of step {name!r} is not the one that the graph pins",
            field=f"graph.steps.{name}.digest",
            value=found.digest,
            allowed=digest,
        )
    if found.manifest.runtime == "graph":
        raise nested_graph(name)
    wanted = {file: item for file, item in found.manifest.files.items() if file != SAMPLES}
    wrong = sorted(file for file, item in wanted.items() if listed.get(top + file) != item)
    mine = {file.removeprefix(top) for file in listed if file.startswith(top)}
    odd = wrong or sorted(mine - {MANIFEST, *wanted})
    if odd:
        raise BrokenPackage(
            f"file {odd[0]!r} of step {name!r} is not what its manifest says", field="files", value=top + odd[0]
        )
    return found


def nested_graph(name: str) -> BrokenGraph:
    """Return the error of a step that is a graph itself."""
    return BrokenGraph(
        f"step {name!r} is a graph itself",
        field=f"graph.steps.{name}.model",
        value=name,
        hint="put its steps into this graph",
    )


def _is_same(one: Signature, other: Signature) -> bool:
    """Tell whether two signatures differ in the order of their columns at most: a graph may have been kept with its names sorted."""
    return replace(one, inputs=_sorted(one.inputs), outputs=_sorted(one.outputs)) == replace(
        other, inputs=_sorted(other.inputs), outputs=_sorted(other.outputs)
    )


def _sorted(columns: tuple[C, ...]) -> tuple[C, ...]:
    return tuple(sorted(columns, key=lambda column: column.name))
