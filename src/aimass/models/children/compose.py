"""The job ``models.compose``: the packages of the steps become one, and its own answers to some rows become its samples."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aimass.kernel.errors import Failed, Invalid
from aimass.models.children.trial import tried
from aimass.models.package import LOCK, MANIFEST, SAMPLES, Environment, Manifest, Package, verify_package, write_package
from aimass.models.runtimes.graph.declared import INPUT, Graph, Switch, parse_graph
from aimass.models.runtimes.graph.homes import home_of
from aimass.models.runtimes.graph.nested import GRAPH, STEPS, nested_graph
from aimass.models.runtimes.graph.wiring import Plan, plan_of

SECONDS = 300.0
PACKAGE = "package"
_ROWS = 20


def compose(ctx: Any) -> dict[str, Any]:
    """Build the package of a graph in ``ctx.out``.

    The payload holds the ``graph`` as JSON text, which keeps the order of its names, the ``packages`` of its steps as folders, optionally ``rows`` (what each input holds), and
    ``environments``, the folder of environments.
    """
    steps = {name: verify_package(Path(folder)) for name, folder in ctx.params["packages"].items()}
    for name, step in steps.items():
        if step.manifest.runtime == "graph":
            raise nested_graph(name)
    plan = plan_of(
        parse_graph(json.loads(ctx.params["graph"])), {name: one.manifest.signature for name, one in steps.items()}
    )
    home = home_of(steps)
    ctx.report(0.2, stage="lay out")
    rows = ctx.params.get("rows") or sample_rows(plan, steps)
    files = _files(plan, steps, home)
    manifest = _manifest(plan, steps, home)
    draft = write_package(
        Path(ctx.work) / "draft", manifest, {**files, SAMPLES: _json({"inputs": rows, "outputs": {}})}
    )
    ctx.report(0.5, stage="answer the samples")
    told, fault = tried(ctx, draft, "aimass.models.children.answers", SECONDS)
    if fault:
        raise Failed(f"the graph does not answer its samples: {fault}", hint="name other rows, or repair the step")
    samples = _json({"inputs": rows, "outputs": json.loads(told)})
    made = write_package(Path(ctx.out) / PACKAGE, manifest, {**files, SAMPLES: samples})
    ctx.report(1.0, stage="done")
    return {"digest": made.digest, "size": made.size, "rows": len(next(iter(rows.values())))}


def _files(plan: Plan, steps: Mapping[str, Package], home: str | None) -> dict[str, bytes | Path]:
    """Return the files of a graph: those of its steps but for their samples, which are no business of the whole."""
    files: dict[str, bytes | Path] = {GRAPH: json.dumps(plan.graph.plain(), ensure_ascii=False).encode()}
    for name, step in steps.items():
        for file in (MANIFEST, *step.manifest.files):
            if file != SAMPLES:
                files[f"{STEPS}/{name}/{file}"] = step.folder / file
    if home is not None:
        files[LOCK] = steps[home].folder / LOCK
    return files


def _manifest(plan: Plan, steps: Mapping[str, Package], home: str | None) -> Manifest:
    packages = {name: one for step in steps.values() for name, one in step.manifest.environment.packages.items()}
    python = platform.python_version() if home is None else steps[home].manifest.environment.python
    return Manifest(
        runtime="graph",
        signature=plan.signature,
        files={},
        environment=Environment(python=python, packages=packages),
    )


def sample_rows(plan: Plan, steps: Mapping[str, Package]) -> dict[str, list[Any]]:
    """Return rows from the samples of the steps; where a switch looks at an input, each of its cases has one."""
    found: dict[str, list[Any]] = {}
    for name, step in plan.graph.models.items():
        inputs = steps[name].samples()["inputs"]
        for column, wire in (step.inputs or {}).items():
            if wire.step == INPUT:
                found.setdefault(wire.name, inputs[column][:_ROWS])
    cases = _cases(plan.graph)
    for column in plan.signature.inputs:
        if column.name not in found:
            found[column.name] = cases.get(column.name) or list(column.categories or ())
        if not found[column.name]:
            raise Invalid(
                f"no package of a step has samples for input {column.name!r}",
                field="rows",
                value=column.name,
                hint="give some rows",
            )
    return _with_cases(found, cases)


def _with_cases(found: Mapping[str, list[Any]], cases: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """Return columns of one length, with a row more for each value of a case that no row has."""
    count = max(len(values) for values in found.values())
    rows = {name: [values[place % len(values)] for place in range(count)] for name, values in found.items()}
    for name, values in cases.items():
        for value in values:
            if value not in rows[name]:
                for other, column in rows.items():
                    column.append(value if other == name else column[0])
    return rows


def _cases(graph: Graph) -> dict[str, list[Any]]:
    """Return a value for each case of the switches that look at an input."""
    found: dict[str, list[Any]] = {}
    for step in graph.steps.values():
        if isinstance(step, Switch) and step.on.step == INPUT:
            values = [case.value[0] if case.test == "in" else case.value for case in step.cases]
            found.setdefault(step.on.name, []).extend(values)
    return found


def _json(body: Any) -> bytes:
    return json.dumps(body, ensure_ascii=False, allow_nan=False, sort_keys=True).encode()
