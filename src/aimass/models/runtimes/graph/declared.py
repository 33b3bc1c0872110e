"""What a graph is: steps by name, and wires between them, as people declare it and as a package keeps it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from aimass.models.errors import BrokenGraph
from aimass.models.package import Column, parse_signature

INPUT = "input"
MAX_STEPS = 32
TESTS: tuple[Test, ...] = ("equals", "in", "below", "at_least")
KINDS = ("model", "mean", "vote", "switch")
Test = Literal["equals", "in", "below", "at_least"]
How = Literal["mean", "vote"]
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_FIELDS = {
    "model": {"model", "digest", "inputs"},
    "mean": {"mean", "weights"},
    "vote": {"vote", "weights"},
    "switch": {"switch", "cases", "otherwise"},
}


@dataclass(frozen=True, slots=True)
class Wire:
    """Where a value comes from: an input of the graph, or an output of a step; an empty name stands for the usual output."""

    step: str
    name: str = ""

    def __str__(self) -> str:
        """Return it as it is written."""
        return f"{self.step}.{self.name}" if self.name else self.step


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelStep:
    """A model; without ``inputs`` each of them takes the input of the graph that has its name.

    Attributes
    ----------
    reference
        ``model@version`` or ``model@alias``.
    digest
        The package that the reference stood for; empty before it is looked up.
    """

    reference: str
    digest: str = ""
    inputs: Mapping[str, Wire] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Combined:
    """The mean of several outputs, or what most of them say."""

    how: How
    of: tuple[Wire, ...]
    weights: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A test of one value, and the step that answers the rows that pass it."""

    test: Test
    value: Any
    then: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """The first case that a row passes answers it, ``otherwise`` the rest."""

    on: Wire
    cases: tuple[Case, ...]
    otherwise: str

    @property
    def branches(self) -> tuple[str, ...]:
        """Return the steps among which it chooses, each once."""
        return tuple(dict.fromkeys([*(case.then for case in self.cases), self.otherwise]))


Step = ModelStep | Combined | Switch


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Steps, inputs that no model takes (a switch alone looks at them), and what the graph answers.

    Attributes
    ----------
    outputs
        Output of the graph to where it comes from; None for all outputs of the last step.
    """

    steps: Mapping[str, Step]
    inputs: Mapping[str, Column] = field(default_factory=dict[str, Column])
    outputs: Mapping[str, Wire] | None = None

    @property
    def models(self) -> dict[str, ModelStep]:
        """Return the steps that are models."""
        return {name: step for name, step in self.steps.items() if isinstance(step, ModelStep)}

    def plain(self) -> dict[str, Any]:
        """Return it as JSON, so that :func:`parse_graph` gives the same again."""
        body: dict[str, Any] = {"steps": {name: _plain(step) for name, step in self.steps.items()}}
        if self.inputs:
            body["inputs"] = {name: _plain_column(column) for name, column in self.inputs.items()}
        if self.outputs is not None:
            body["outputs"] = {name: str(wire) for name, wire in self.outputs.items()}
        return body


def parse_graph(raw: Any) -> Graph:
    """Read a graph; each fault is named with its field.

    Examples
    --------
    >>> graph = parse_graph({"steps": {"a": {"model": "fraud@1"}, "b": {"model": "fraud@2"}, "m": {"mean": ["a", "b"]}}})
    >>> graph.steps["m"].of
    (Wire(step='a', name=''), Wire(step='b', name=''))
    """
    body = _mapping(raw, "graph")
    _known(body, {"steps", "inputs", "outputs"}, "graph")
    steps = _mapping(body.get("steps"), "graph.steps")
    if not 1 <= len(steps) <= MAX_STEPS:
        raise BrokenGraph(
            f"a graph of {len(steps)} steps is not allowed",
            field="graph.steps",
            value=len(steps),
            allowed=f"1 to {MAX_STEPS} steps",
        )
    outputs = body.get("outputs")
    return Graph(
        steps={_step_name(name): _step(name, step) for name, step in steps.items()},
        inputs={name: _column(name, item) for name, item in _mapping(body.get("inputs") or {}, "graph.inputs").items()},
        outputs=None if outputs is None else _wires(outputs, "graph.outputs"),
    )


def parse_wire(raw: Any, at: str, *, is_whole: bool = True) -> Wire:
    """Read a wire; ``is_whole`` refuses one that names a step alone."""
    step, _, name = raw.partition(".") if isinstance(raw, str) else ("", "", "")
    if not _NAME.fullmatch(step) or (is_whole and not name):
        allowed = ["input.<name>", "<step>.<output>"] + ([] if is_whole else ["<step>"])
        raise BrokenGraph(f"{str(raw)[:120]!r} names no value", field=at, value=_short(raw), allowed=allowed)
    return Wire(step, name)


def _step_name(name: Any) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name == INPUT:
        raise BrokenGraph(
            f"step name {str(name)[:80]!r} is not allowed",
            field="graph.steps",
            value=_short(name),
            allowed=f"small letters, digits, - and _, beginning with a letter, and not {INPUT!r}",
        )
    return name


def _step(name: str, raw: Any) -> Step:
    at = f"graph.steps.{name}"
    body = _mapping(raw, at)
    kinds = [kind for kind in KINDS if kind in body]
    if len(kinds) != 1:
        said = "says not what it is" if not kinds else f"is {' and '.join(kinds)} at once"
        raise BrokenGraph(f"step {name!r} {said}", field=at, value=sorted(map(str, body)), allowed=list(KINDS))
    (kind,) = kinds
    _known(body, _FIELDS[kind], at)
    return _READ[kind](body, at)


def _model(body: Mapping[str, Any], at: str) -> ModelStep:
    reference = body["model"]
    model, _, version = reference.partition("@") if isinstance(reference, str) else ("", "", "")
    if not model or not version:
        raise BrokenGraph(
            f"{str(reference)[:120]!r} names no version of a model",
            field=f"{at}.model",
            value=_short(reference),
            allowed=["<model>@<version>", "<model>@<alias>"],
        )
    inputs = body.get("inputs")
    return ModelStep(
        reference=reference,
        digest=str(body.get("digest") or ""),
        inputs=None if inputs is None else _wires(inputs, f"{at}.inputs"),
    )


def _combined(how: How, body: Mapping[str, Any], at: str) -> Combined:
    of = [parse_wire(item, f"{at}.{how}", is_whole=False) for item in _list(body[how], f"{at}.{how}")]
    if len(of) < 2 or any(wire.step == INPUT for wire in of):  # noqa: PLR2004 one alone needs no combining
        raise BrokenGraph(
            f"a {how} takes the outputs of two steps or more", field=f"{at}.{how}", value=[str(wire) for wire in of]
        )
    weights = body.get("weights")
    return Combined(how=how, of=tuple(of), weights=None if weights is None else _weights(weights, len(of), at))


def _weights(raw: Any, count: int, at: str) -> tuple[float, ...]:
    found = _list(raw, f"{at}.weights")
    good = all(isinstance(one, int | float) and not isinstance(one, bool) and 0 <= one < 1e9 for one in found)  # noqa: PLR2004
    if not good or len(found) != count or not sum(found):
        raise BrokenGraph(
            f"weights {str(raw)[:80]} do not fit",
            field=f"{at}.weights",
            value=raw,
            allowed=f"{count} numbers of 0 or more, not all 0",
        )
    return tuple(float(one) for one in found)


def _switch(body: Mapping[str, Any], at: str) -> Switch:
    cases = tuple(_case(item, f"{at}.cases") for item in _list(body.get("cases"), f"{at}.cases"))
    if not cases:
        raise BrokenGraph("a switch needs cases", field=f"{at}.cases", allowed="at least one case")
    return Switch(
        on=parse_wire(body["switch"], f"{at}.switch"), cases=cases, otherwise=_text(body.get("otherwise"), at)
    )


def _case(raw: Any, at: str) -> Case:
    body = _mapping(raw, at)
    tests: list[Test] = [test for test in TESTS if test in body]
    if len(tests) != 1:
        raise BrokenGraph("a case has one test", field=at, value=sorted(map(str, body)), allowed=list(TESTS))
    (test,) = tests
    _known(body, {test, "then"}, at)
    value = tuple(_list(body[test], f"{at}.in")) if test == "in" else body[test]
    return Case(test=test, value=value, then=_text(body.get("then"), f"{at}.then"))


def _column(name: Any, raw: Any) -> Column:
    at = f"graph.inputs.{name}"
    body = _mapping(raw, at)
    _known(body, {"type", "nullable", "categories", "unseen"}, at)
    return parse_signature({"inputs": [{**body, "name": name}], "outputs": []}).inputs[0]


def _wires(raw: Any, at: str) -> dict[str, Wire]:
    found = {name: parse_wire(item, f"{at}.{name}") for name, item in _mapping(raw, at).items()}
    if not found:
        raise BrokenGraph(f"{at} is empty", field=at, hint="name one, or leave it out")
    return found


_READ = {
    "model": _model,
    "mean": lambda body, at: _combined("mean", body, at),
    "vote": lambda body, at: _combined("vote", body, at),
    "switch": _switch,
}


def _plain(step: Step) -> dict[str, Any]:
    if isinstance(step, ModelStep):
        body: dict[str, Any] = {"model": step.reference}
        body |= {"digest": step.digest} if step.digest else {}
        return body | ({} if step.inputs is None else {"inputs": {k: str(wire) for k, wire in step.inputs.items()}})
    if isinstance(step, Combined):
        weights = {} if step.weights is None else {"weights": list(step.weights)}
        return {step.how: [str(wire) for wire in step.of], **weights}
    cases = [{c.test: list(c.value) if c.test == "in" else c.value, "then": c.then} for c in step.cases]
    return {"switch": str(step.on), "cases": cases, "otherwise": step.otherwise}


def _plain_column(column: Column) -> dict[str, Any]:
    body: dict[str, Any] = {"type": column.type}
    if column.nullable:
        body["nullable"] = True
    if column.categories is not None:
        body |= {"categories": list(column.categories), "unseen": column.unseen}
    return body


def _known(body: Mapping[str, Any], fields: set[str], at: str) -> None:
    unknown = sorted(str(name) for name in body if name not in fields)
    if unknown:
        raise BrokenGraph(
            f"{unknown[0]!r} is not known in {at}", field=f"{at}.{unknown[0]}", value=unknown[0], allowed=sorted(fields)
        )


def _mapping(raw: Any, at: str) -> Mapping[str, Any]:
    if not isinstance(raw, Mapping) or not all(isinstance(name, str) and name for name in raw):
        raise BrokenGraph(f"{at} must be an object, not {type(raw).__name__}", field=at)
    return raw


def _list(raw: Any, at: str) -> Sequence[Any]:
    if not isinstance(raw, list | tuple):
        raise BrokenGraph(f"{at} must be a list, not {type(raw).__name__}", field=at)
    return raw


def _text(raw: Any, at: str) -> str:
    if not isinstance(raw, str) or not raw:
        raise BrokenGraph(f"{at} must name a step", field=at, value=_short(raw))
    return raw


def _short(raw: Any) -> Any:
    return raw[:120] if isinstance(raw, str) else str(raw)[:120]
