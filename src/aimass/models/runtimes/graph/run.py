"""Answer a graph: each row goes only through the steps that its answer needs, and through each of them once."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from aimass.infra.devices import CPU
from aimass.kernel.errors import AimassError, Failed
from aimass.models.package import Column, Package
from aimass.models.runtimes import LoadedModel, load_model, runtime_module
from aimass.models.runtimes.graph.combine import aligned, chosen, mean, vote
from aimass.models.runtimes.graph.declared import INPUT, Combined, ModelStep, Step, Switch, Wire
from aimass.models.runtimes.graph.nested import read_steps
from aimass.models.runtimes.graph.ports import CONFIDENCE
from aimass.models.runtimes.graph.wiring import Plan

_ROOM = __name__.rpartition(".graph.")[0]


class GraphModel:
    """The loaded models of a graph."""

    def __init__(
        self, plan: Plan, models: Mapping[str, LoadedModel], columns: Mapping[str, Mapping[str, Column]]
    ) -> None:
        self.plan = plan
        self.models = models
        self.columns = columns
        found = [model.device for model in models.values() if hasattr(model, "device")]  # type: ignore[attr-defined]
        self.device = found[0] if found else None

    def predict(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        """Answer columns of inputs with columns of outputs, row by row."""
        return _Answer(self, columns).outputs()


class _Answer:
    """One request on its way through a graph."""

    def __init__(self, model: GraphModel, columns: Mapping[str, Any]) -> None:
        self._model, self._columns = model, columns
        self._graph = model.plan.graph
        self._count = len(next(iter(columns.values())))
        self._values: dict[str, dict[str, Any]] = {}
        self._done: dict[str, Any] = {}

    def outputs(self) -> dict[str, Any]:
        """Return what the graph answers."""
        rows = np.arange(self._count)
        return {name: self._value(wire, rows) for name, wire in (self._graph.outputs or {}).items()}

    def _value(self, wire: Wire, rows: Any) -> Any:
        if wire.step == INPUT:
            return _taken(self._columns[wire.name], rows)
        self._reach(wire.step, rows)
        return _taken(self._values[wire.step][wire.name], rows)

    def _reach(self, name: str, rows: Any) -> None:
        """Let a step answer those rows that it has not answered yet."""
        done = self._done.setdefault(name, np.zeros(self._count, dtype=bool))
        missing = rows[~done[rows]]
        if not len(missing) and name in self._values:
            return
        for output, values in self._answers(name, self._graph.steps[name], missing).items():
            self._keep(name, output, np.asarray(values), missing)
        done[missing] = True

    def _keep(self, name: str, output: str, values: Any, rows: Any) -> None:
        if len(values) != len(rows):
            raise Failed(f"step {name!r} gave {len(values)} values of {output!r} for {len(rows)} rows")
        mine, values = self._values.setdefault(name, {}), values.astype(object) if values.dtype.kind == "U" else values
        if len(rows) == self._count:
            mine[output] = values
            return
        kept = mine.get(output)
        if kept is None:
            kept = np.zeros((self._count, *values.shape[1:]), dtype=values.dtype)
        elif kept.shape[1:] != values.shape[1:]:
            raise Failed(f"step {name!r} gave {output!r} in two shapes: {kept.shape[1:]} and {values.shape[1:]}")
        kept = kept.astype(np.result_type(kept, values), copy=False)
        kept[rows] = values
        mine[output] = kept

    def _answers(self, name: str, step: Step, rows: Any) -> Mapping[str, Any]:
        if isinstance(step, ModelStep):
            return self._predicted(name, step, rows)
        if isinstance(step, Switch):
            return self._switched(name, step, rows)
        return self._combined(name, step, rows)

    def _predicted(self, name: str, step: ModelStep, rows: Any) -> Mapping[str, Any]:
        columns = self._model.columns[name]
        given = {
            one: self._value(wire, rows) if wire.step == INPUT else _fed(columns[one], self._value(wire, rows), name)
            for one, wire in (step.inputs or {}).items()
        }
        try:
            answers = dict(self._model.models[name].predict(given))
        except MemoryError:
            raise
        except Exception as reason:
            said = reason.message if isinstance(reason, AimassError) else f"{type(reason).__name__}: {reason}"
            raise Failed(f"step {name!r} failed: {said[:300]}") from reason
        ports = self._model.plan.ports[name]
        if CONFIDENCE in ports and CONFIDENCE not in answers:
            sure = next(output for output, port in ports.items() if port.classes)
            answers[CONFIDENCE] = np.asarray(answers[sure], dtype=np.float32).max(axis=1)
        return {output: answers[output] for output in ports}

    def _combined(self, name: str, step: Combined, rows: Any) -> Mapping[str, Any]:
        found = [self._value(wire, rows) for wire in step.of]
        if step.how == "vote":
            return {"label": vote(found, step.weights)}
        ports = [self._model.plan.ports[wire.step][wire.name] for wire in step.of]
        mine = self._model.plan.ports[name]
        if "probabilities" not in mine or not mine["probabilities"].classes:
            shape = np.shape(found[0])
            return {next(iter(mine)): mean([np.reshape(value, shape) for value in found], step.weights)}
        classes = mine["probabilities"].classes
        shares = mean(
            [aligned(value, port.classes or (), classes) for value, port in zip(found, ports, strict=True)],
            step.weights,
        )
        return {"label": np.array(classes, dtype=object)[shares.argmax(axis=1)], "probabilities": shares}

    def _switched(self, name: str, step: Switch, rows: Any) -> Mapping[str, Any]:
        """Split the rows among the branches, and put their answers back in order."""
        numbers = chosen(self._value(step.on, rows), step.cases)
        ways = [*(case.then for case in step.cases), step.otherwise]
        ports, found = self._model.plan.ports[name], dict[str, Any]()
        for branch in step.branches:
            places = np.flatnonzero(np.isin(numbers, [n for n, way in enumerate(ways) if way == branch]))
            if not len(places) and len(rows):
                continue
            for output, port in ports.items():
                values = self._value(Wire(branch, output), rows[places])
                theirs = self._model.plan.ports[branch][output]
                values = aligned(values, theirs.classes or (), port.classes) if port.classes else _flat(values, port)
                found[output] = _placed(found.get(output), values, places, len(rows))
        return found


def _placed(kept: Any, values: Any, places: Any, count: int) -> Any:
    values = np.asarray(values)
    if kept is None:
        kept = np.zeros((count, *values.shape[1:]), dtype=values.dtype)
    kept = kept.astype(np.result_type(kept, values), copy=False)
    kept[places] = values
    return kept


def _flat(values: Any, port: Any) -> Any:
    array = np.asarray(values)
    return array.reshape(len(array)) if port.shape is not None and len(port.shape) == 1 else array


def _taken(values: Any, rows: Any) -> Any:
    if len(rows) == len(values):
        return values
    return values[rows] if isinstance(values, np.ndarray) else [values[row] for row in rows]


def _fed(column: Column, values: Any, step: str) -> Any:
    """Return an output of one step as an input of another."""
    if column.shape is not None:
        return values
    array = np.asarray(values).reshape(-1)
    if column.categories is not None and column.unseen == "refuse":
        odd = next(
            (value for value in array.tolist() if value is not None and str(value) not in column.categories), None
        )
        if odd is not None:
            raise Failed(f"step {step!r} refuses the value {str(odd)[:80]!r} of its input {column.name!r}")
    return array.tolist() if array.dtype.kind in "OU" else array


def load(package: Package, *, threads: int = 1, device: str = CPU) -> GraphModel:
    """Load every step; two steps with the same package share one."""
    plan, steps = read_steps(package)
    loaded: dict[str, LoadedModel] = {}
    for step in steps.values():
        if step.digest not in loaded:
            module = _module(step.manifest.runtime)
            loaded[step.digest] = load_model(step, threads=threads, module=module, device=device)
    columns = {name: {c.name: c for c in step.manifest.signature.inputs} for name, step in steps.items()}
    return GraphModel(plan, {name: loaded[step.digest] for name, step in steps.items()}, columns)


def _module(runtime: str) -> str:
    """Return the package of a runtime; an environment of its own knows those of the platform alone."""
    near = f"{_ROOM}.{runtime}"
    return near if runtime.isidentifier() and find_spec(near) is not None else runtime_module(runtime)


def warm() -> None:
    """Import what the steps are likely to need."""
    for runtime in ("onnx", "python"):
        run = f"{_ROOM}.{runtime}.run"
        try:
            getattr(import_module(run), "warm", int)()
        except ImportError:  # an environment of its own need not have every engine
            continue
