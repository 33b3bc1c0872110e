"""Wire a graph: every wire checked against what its ends take and give, and the signature of the whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aimass.models.errors import BrokenGraph
from aimass.models.package import LABELS, PROBABILITIES, Column, Output, Signature
from aimass.models.runtimes.graph.declared import INPUT, Case, Combined, Graph, ModelStep, Step, Switch, Wire
from aimass.models.runtimes.graph.ports import (
    CONFIDENCE,
    Ports,
    check_fits,
    check_rows,
    common,
    is_scalar,
    merged,
    ports_of,
)
from aimass.models.shapes import FREE

_VOTES = ("string", "integer", "boolean")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A graph whose wires are all written out and checked.

    Attributes
    ----------
    ports
        What each step gives.
    """

    graph: Graph
    signature: Signature
    ports: Mapping[str, Ports]


def plan_of(graph: Graph, signatures: Mapping[str, Signature]) -> Plan:
    """Return the plan of a graph, or refuse it with what is wrong first.

    Parameters
    ----------
    signatures
        Those of the steps that are models.
    """
    whole = replace(graph, steps={name: _whole(step, signatures.get(name)) for name, step in graph.steps.items()})
    order = _order(whole)
    wiring = _Wiring(whole, signatures)
    for name in order:
        wiring.ports[name] = wiring.give(name, whole.steps[name])
    outputs = whole.outputs if whole.outputs is not None else wiring.last()
    steps = {name: wiring.steps.get(name, step) for name, step in whole.steps.items()}
    whole = replace(whole, steps=steps, outputs=outputs)
    said = tuple(replace(wiring.port(wire, f"graph.outputs.{name}"), name=name) for name, wire in outputs.items())
    _refuse_unused(whole)
    return Plan(graph=whole, signature=Signature(inputs=wiring.inputs(), outputs=said), ports=wiring.ports)


def sources(step: Step) -> list[str]:
    """Return the steps that a step needs, INPUT among them."""
    if isinstance(step, ModelStep):
        return [wire.step for wire in (step.inputs or {}).values()]
    if isinstance(step, Combined):
        return [wire.step for wire in step.of]
    return [step.on.step, *step.branches]


def _whole(step: Step, signature: Signature | None) -> Step:
    if not isinstance(step, ModelStep) or step.inputs is not None or signature is None:
        return step
    return replace(step, inputs={column.name: Wire(INPUT, column.name) for column in signature.inputs})


def _order(graph: Graph) -> list[str]:
    """Return the steps so that each comes behind those that it needs; refuse unknown ones and circles."""
    done: list[str] = []

    def visit(name: str, way: tuple[str, ...]) -> None:
        if name in done or name == INPUT:
            return
        at = f"graph.steps.{way[-1]}" if way else "graph.outputs"
        if name not in graph.steps:
            raise BrokenGraph(f"there is no step {name!r}", field=at, value=name, allowed=sorted(graph.steps))
        if name in way:
            circle = [*way[way.index(name) :], name]
            raise BrokenGraph(
                f"the steps go in a circle: {' → '.join(circle)}", field=at, value=circle, hint="cut one of these wires"
            )
        for source in sources(graph.steps[name]):
            visit(source, (*way, name))
        done.append(name)

    for name in graph.steps:
        visit(name, ())
    return done


def _refuse_unused(graph: Graph) -> None:
    used: set[str] = set()
    todo = [wire.step for wire in (graph.outputs or {}).values()]
    while todo:
        name = todo.pop()
        if name not in used and name != INPUT:
            used.add(name)
            todo += sources(graph.steps[name])
    unused = [name for name in graph.steps if name not in used]
    if unused:
        raise BrokenGraph(
            f"nothing uses step {unused[0]!r}",
            field=f"graph.steps.{unused[0]}",
            value=unused,
            hint="wire it into an output, or take it out",
        )


class _Wiring:
    """Goes through the steps in order, and collects what they take from the graph and what they give."""

    def __init__(self, graph: Graph, signatures: Mapping[str, Signature]) -> None:
        self._graph = graph
        self._signatures = signatures
        self._takers: dict[str, list[tuple[str, Column]]] = {}
        self._looked: dict[str, str] = {}
        self.ports: dict[str, Ports] = {}
        self.steps: dict[str, Step] = {}

    def give(self, name: str, step: Step) -> Ports:
        """Check what a step takes, and return what it gives."""
        if isinstance(step, ModelStep):
            return self._model(name, step)
        if isinstance(step, Switch):
            return self._switch(name, step)
        return self._mean(name, step) if step.how == "mean" else self._vote(name, step)

    def port(self, wire: Wire, at: str) -> Output:
        """Return an output of a step, or say which it has."""
        if wire.step == INPUT:
            raise BrokenGraph(f"{str(wire)!r} is no output of a step", field=at, value=str(wire), hint="name a step")
        ports = self.ports.get(wire.step)
        if ports is None:
            raise BrokenGraph(
                f"there is no step {wire.step!r}", field=at, value=wire.step, allowed=sorted(self._graph.steps)
            )
        if wire.name not in ports:
            allowed = [f"{wire.step}.{name}" for name in ports]
            raise BrokenGraph(f"step {wire.step!r} gives no {wire.name!r}", field=at, value=str(wire), allowed=allowed)
        return ports[wire.name]

    def inputs(self) -> tuple[Column, ...]:
        """Return the inputs of the graph."""
        declared = self._graph.inputs
        unused = [name for name in declared if name not in self._takers and name not in self._looked]
        if unused:
            raise BrokenGraph(
                f"no step takes input {unused[0]!r}", field=f"graph.inputs.{unused[0]}", value=unused[0],
                hint="wire it, or take it out",
            )  # fmt: skip
        names = dict.fromkeys([*self._takers, *declared])
        found = {name: merged(name, self._takers[name]) if name in self._takers else declared[name] for name in names}
        missing = [name for name in self._looked if name not in found]
        if missing:
            raise BrokenGraph(
                f"no model takes input {missing[0]!r}, so its type is not known",
                field=f"graph.inputs.{missing[0]}",
                value=missing[0],
                hint=f'declare it: "inputs": {{"{missing[0]}": {{"type": "string"}}}}',
            )
        if not found:
            raise BrokenGraph("no step takes an input of the graph", field="graph.steps", allowed="input.<name>")
        return tuple(found.values())

    def last(self) -> dict[str, Wire]:
        """Return all outputs of the one step that no other needs."""
        needed = {source for step in self._graph.steps.values() for source in sources(step)}
        ends = [name for name in self._graph.steps if name not in needed]
        if len(ends) != 1:
            raise BrokenGraph(
                f"{len(ends)} steps are at the end, so the outputs have to be named",
                field="graph.outputs",
                value=ends,
                allowed=[f"{name}.{port}" for name in ends for port in self.ports[name]],
            )
        return {port: Wire(ends[0], port) for port in self.ports[ends[0]] if port != CONFIDENCE}

    def _model(self, name: str, step: ModelStep) -> Ports:
        at, signature = f"graph.steps.{name}.inputs", self._signatures[name]
        if signature.streams:
            raise BrokenGraph(
                f"step {name!r} answers in chunks, which no step can take", field=f"graph.steps.{name}.model",
                value=step.reference, hint="deploy it beside the graph",
            )  # fmt: skip
        columns, wires = {column.name: column for column in signature.inputs}, step.inputs or {}
        odd = sorted(set(columns) ^ set(wires))
        if odd:
            said = "is not wired" if odd[0] in columns else "is no input of its model"
            raise BrokenGraph(
                f"input {odd[0]!r} of step {name!r} {said}", field=f"{at}.{odd[0]}", value=odd[0],
                allowed=sorted(columns),
            )  # fmt: skip
        for one, column in columns.items():
            check_rows(name, column)
            wire = wires[one]
            if wire.step == INPUT:
                self._takers.setdefault(wire.name, []).append((name, column))
            else:
                check_fits(self.port(wire, f"{at}.{one}"), column, f"{at}.{one}")
        for output in signature.outputs:
            check_rows(name, output)
        return ports_of(signature)

    def _of(self, name: str, step: Combined) -> list[Output]:
        """Return the outputs that a step combines; where a step alone was named, its usual one is taken."""
        at = f"graph.steps.{name}.{step.how}"
        fits = _is_mean if step.how == "mean" else _is_vote
        wires = [wire if wire.name else Wire(wire.step, self._usual(wire.step, fits)) for wire in step.of]
        self.steps[name] = replace(step, of=tuple(wires))
        found = [self.port(wire, at) for wire in wires]
        chooses = next((wire.step for wire in wires if {PROBABILITIES, LABELS} <= set(self.ports[wire.step])), None)
        if chooses is not None:
            raise BrokenGraph(
                f"step {chooses!r} chooses several labels, which are not combined",
                field=at,
                value=chooses,
                hint="let one model of labels answer, or train one on the columns of both",
            )
        for wire, port in zip(wires, found, strict=True):
            if not fits(port):
                raise BrokenGraph(
                    f"{str(wire)!r} is {port.type} of shape {list(port.shape or (FREE,))}",
                    field=at,
                    value=str(wire),
                    allowed="float" if step.how == "mean" else f"one {' or '.join(_VOTES)} a row",
                )
        return found

    def _usual(self, step: str, fits: Any) -> str:
        ports = [port for name, port in self.ports[step].items() if name != CONFIDENCE and fits(port)]
        classes = [port for port in ports if port.classes]
        return (classes or ports)[0].name if ports else ""

    def _mean(self, name: str, step: Combined) -> Ports:
        found = self._of(name, step)
        first, classes = found[0], found[0].classes
        alike = all(set(port.classes or ()) == set(classes or ()) for port in found)
        if not alike or any(port.shape != first.shape and not is_scalar(port) for port in found):
            raise BrokenGraph(
                f"what step {name!r} combines has different classes or shapes",
                field=f"graph.steps.{name}.mean",
                value=[list(port.classes or port.shape or ()) for port in found],
                hint="combine models of one question",
            )
        if not classes:
            return {first.name: Output(name=first.name, type="float", shape=first.shape)}
        return {
            "label": Output(name="label", type="string", shape=(FREE,)),
            "probabilities": Output(name="probabilities", type="float", shape=(FREE, len(classes)), classes=classes),
        }

    def _vote(self, name: str, step: Combined) -> Ports:
        found = self._of(name, step)
        kinds = sorted({port.type for port in found})
        if len(kinds) != 1:
            raise BrokenGraph(
                f"the votes of step {name!r} have different types", field=f"graph.steps.{name}.vote", value=kinds
            )
        return {"label": Output(name="label", type=found[0].type, shape=(FREE,))}

    def _switch(self, name: str, step: Switch) -> Ports:
        at = f"graph.steps.{name}"
        if step.on.step != INPUT:
            on: Column | Output = self.port(step.on, f"{at}.switch")
        else:
            self._looked[step.on.name] = name
            on = self._input(step.on.name, at)
        if not is_scalar(on):
            raise BrokenGraph(
                f"{str(step.on)!r} is more than one value a row", field=f"{at}.switch", value=str(step.on)
            )
        for case in step.cases:
            _check_case(case, on, at)
        return common({branch: self.ports[branch] for branch in step.branches}, at)

    def _input(self, name: str, at: str) -> Column | Output:
        """Return an input of the graph that a switch looks at: declared, or that of a model among all steps."""
        if name in self._graph.inputs:
            return self._graph.inputs[name]
        for step, body in self._graph.models.items():
            for column in self._signatures[step].inputs:
                if (body.inputs or {}).get(column.name) == Wire(INPUT, name):
                    return column
        raise BrokenGraph(
            f"no model takes input {name!r}, so its type is not known",
            field=f"{at}.switch",
            value=f"input.{name}",
            hint=f'declare it: "inputs": {{"{name}": {{"type": "string"}}}}',
        )


def _is_mean(port: Output) -> bool:
    return port.type == "float"


def _is_vote(port: Output) -> bool:
    return port.type in _VOTES and is_scalar(port)


_TESTS: Mapping[str, Sequence[str]] = {
    "string": ("equals", "in"),
    "boolean": ("equals",),
    "integer": ("equals", "in", "below", "at_least"),
    "float": ("below", "at_least"),
}
_VALUES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "float": (int, float),
}


def _check_case(case: Case, on: Column | Output, at: str) -> None:
    if case.test not in _TESTS[on.type]:
        raise BrokenGraph(
            f"{on.name!r} is {on.type}, which knows no test {case.test!r}",
            field=f"{at}.cases",
            value=case.test,
            allowed=list(_TESTS[on.type]),
        )
    values = case.value if case.test == "in" else (case.value,)
    wrong = [
        v for v in values if not isinstance(v, _VALUES[on.type]) or (isinstance(v, bool) != (on.type == "boolean"))
    ]
    if wrong or not values:
        raise BrokenGraph(
            f"{str(case.value)[:80]!r} is no {on.type}",
            field=f"{at}.cases",
            value=str(case.value)[:80],
            allowed=on.type,
        )
