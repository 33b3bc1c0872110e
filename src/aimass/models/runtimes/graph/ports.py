"""What a step takes and gives, and whether two of them fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from aimass.models.errors import BrokenGraph
from aimass.models.package import Column, Output, Signature
from aimass.models.shapes import FREE

CONFIDENCE = "confidence"
_ROWS: tuple[tuple[int, ...] | None, ...] = (None, (FREE,), (FREE, 1))
Ports = Mapping[str, Output]


def ports_of(signature: Signature) -> dict[str, Output]:
    """Return what a model gives; one with probabilities also tells how sure it is, as ``confidence``."""
    found = {output.name: output for output in signature.outputs}
    if signature.classes and CONFIDENCE not in found:
        found[CONFIDENCE] = Output(name=CONFIDENCE, type="float", shape=(FREE,))
    return found


def is_scalar(port: Column | Output) -> bool:
    """Tell whether a row has one value of it."""
    return port.shape in _ROWS


def check_rows(step: str, port: Column | Output) -> None:
    """Refuse a tensor whose first size is not that of the rows."""
    if port.shape is not None and port.shape[:1] != (FREE,):
        raise BrokenGraph(
            f"{port.name!r} of step {step!r} has shape {list(port.shape)}, which counts no rows",
            field=f"graph.steps.{step}",
            value=list(port.shape),
            allowed="a first size of -1",
            hint="package the model again with a free first size",
        )


def check_fits(source: Column | Output, column: Column, at: str) -> None:
    """Refuse a wire whose ends differ in type, datatype or shape."""
    types = {source.type} | ({"float"} if source.type == "integer" and column.shape is None else set())
    if column.type not in types:
        raise BrokenGraph(
            f"{source.name!r} is {source.type}, and {column.name!r} takes {column.type}",
            field=at,
            value=source.type,
            allowed=column.type,
            hint="put a Python step between them, or wire another value",
        )
    fits = is_scalar(source) if column.shape is None else _alike(source.shape or (FREE,), column.shape)
    if not fits or (column.shape is not None and source.element != column.element):
        raise BrokenGraph(
            f"{source.name!r} does not have the shape that {column.name!r} takes",
            field=at,
            value=[*(source.shape or (FREE,)), source.element],
            allowed="one value a row" if column.shape is None else [*column.shape, column.element],
        )


def _alike(first: tuple[int, ...], second: tuple[int, ...]) -> bool:
    return len(first) == len(second) and all(FREE in (a, b) or a == b for a, b in zip(first, second, strict=True))


def merged(name: str, takers: Iterable[tuple[str, Column]]) -> Column:
    """Return the input of a graph that several models take: what all of them take, and no more."""
    columns = [column for _, column in takers]
    first = columns[0]
    types = {column.type for column in columns}
    kind = "integer" if types == {"integer", "float"} and all(c.shape is None for c in columns) else first.type
    alike = all(_tensor(column) == _tensor(first) for column in columns)
    if not alike or not types <= {kind, "float" if kind == "integer" else kind}:
        said = ", ".join(f"{column.type} in {step!r}" for step, column in takers)
        raise BrokenGraph(
            f"input {name!r} is {said}",
            field=f"graph.inputs.{name}",
            value=sorted(types),
            hint="wire one of them to an input of another name",
        )
    strict = [column for column in columns if column.categories is not None and column.unseen == "refuse"]
    known = [set(column.categories or ()) for column in strict]
    closed = all(column.categories is not None for column in columns)
    if strict:
        categories = tuple(one for one in strict[0].categories or () if all(one in there for there in known))
    else:
        categories = tuple(dict.fromkeys(v for c in columns for v in c.categories or ())) if closed else None
    return replace(
        first,
        name=name,
        type=kind,
        nullable=all(column.nullable for column in columns),
        categories=categories,
        unseen="refuse" if strict else "serve",
    )


def _tensor(column: Column) -> tuple[tuple[int, ...] | None, str | None]:
    return column.shape, column.element if column.shape is not None else None


def common(ports: Mapping[str, Ports], at: str) -> dict[str, Output]:
    """Return the outputs that every branch of a switch gives alike; classes come in the order of the first."""
    first, *others = ports.values()
    found = {
        name: replace(port, shape=(FREE,)) if is_scalar(port) else port
        for name, port in first.items()
        if all(name in other and _same(port, other[name]) for other in others)
    }
    if not found:
        raise BrokenGraph(
            "the branches of the switch have no output in common",
            field=at,
            value={step: sorted(mine) for step, mine in ports.items()},
            hint="give their outputs the same names, types, shapes and classes",
        )
    return found


def _same(first: Output, second: Output) -> bool:
    if (first.type, first.element, is_scalar(first)) != (second.type, second.element, is_scalar(second)):
        return False
    return set(first.classes or ()) == set(second.classes or ()) and (is_scalar(first) or first.shape == second.shape)
