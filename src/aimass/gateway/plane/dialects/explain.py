"""Explanations: ``POST /v2/models/<name>/explain`` takes an inference request and answers what each input contributed.

``parameters`` may hold ``output`` (the output to explain), ``class`` (one of its classes) and ``orders`` (how many
orders of the inputs are tried, an even number). The answer is one of the Open Inference Protocol, with the outputs
``shares`` and ``errors`` of shape ``[rows, inputs]`` and ``base`` and ``value`` of shape ``[rows]``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from aimass.gateway.plane.attributions import orders, shares_of, steps_of
from aimass.gateway.plane.calls import Asked, Call, Work, Written
from aimass.gateway.plane.connection import Connection
from aimass.gateway.plane.decode import Decoded, Wanted
from aimass.gateway.plane.dialects.oip import OpenInference
from aimass.gateway.plane.encode import encode
from aimass.gateway.plane.entrance import Entrance
from aimass.gateway.plane.errors import CannotExplain, UnknownPath
from aimass.gateway.plane.http import RequestHead
from aimass.gateway.plane.package import Package
from aimass.gateway.plane.sink import Sink
from aimass.kernel.errors import AimassError
from aimass.kernel.explaining import WORTH, explained_outputs

USUAL_ORDERS = 40
_MOST_ORDERS = 1000
_MOST_ROWS = 100
_MOST_CELLS = 4_000_000
_OUTPUTS = ("shares", "errors", "base", "value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is to be explained.

    Attributes
    ----------
    classes
        The classes of the output; empty for one that is a number.
    target
        The class, or None for that which each row got.
    """

    rows: int
    inputs: list[str]
    paths: Any
    output: str
    classes: list[str]
    target: str | None


class Explain:
    """Answers what comes after the name of a model; it has no addresses of its own."""

    segments: ClassVar = frozenset[bytes]()
    verbs: ClassVar = frozenset({"explain"})
    streamed: ClassVar = frozenset[str]()
    has_cheap_path: ClassVar = False

    def __init__(self, entrance: Entrance) -> None:
        self._infer = OpenInference(entrance)

    def open(self, connection: Connection, head: RequestHead, raw: bytes) -> Sink:
        """Refuse: nothing is below an address of its own."""
        raise UnknownPath(f"there is no {head.path.decode('latin-1')!r}")

    def read(self, call: Call, body: bytes, package: Package) -> Asked:
        """Read a request, and spread its rows over the orders in which their inputs are put in."""
        asked = self._infer.read(call, body, package)
        if len(package.table) != len(package.columns) or package.streams:
            raise CannotExplain("only models of a table are explained", field="model", value=call.endpoint.name)
        samples = package.samples()
        if samples.keys() != package.table.keys() or not all(samples.values()):
            raise CannotExplain(
                "the package of this model carries no samples to compare a row with",
                field="model",
                hint="package the model again with sample rows",
            )
        question = _question(asked, package)
        values: Mapping[str, Sequence[Any]] = {name: asked.decoded.values[name] for name in question.inputs}
        steps = steps_of(values, samples, question.paths)
        rows = question.rows * len(question.paths) * (len(question.inputs) + 1)
        asked.plan, asked.document = question, None
        asked.decoded = Decoded(rows=rows, values=steps, unseen=[])
        return asked

    def write(self, work: Work, outputs: dict[str, Any]) -> Written:
        """Write the shares that follow from the outputs of all steps."""
        question: Question = work.asked.plan
        places, values = _explained(question, outputs[question.output])
        found = shares_of(values, question.rows, question.paths)
        told: dict[str, Any] = {"method": "shapley_sampling", "orders": len(question.paths), "output": question.output}
        told |= {"inputs": question.inputs, "classes": [question.classes[place] for place in places]}
        head = {"model_name": work.call.endpoint.name, "model_version": work.deployment.version, "id": work.id}
        arrays = {name: getattr(found, name) for name in _OUTPUTS}
        wanted = [Wanted(name=name, is_binary=False) for name in _OUTPUTS]
        body, _ = encode({**head, "parameters": told}, arrays, wanted)
        return Written(body=body)

    def refuse(self, error: AimassError) -> bytes:
        """Write the body of an error."""
        return self._infer.refuse(error)


def _question(asked: Asked, package: Package) -> Question:
    inputs, rows, given = list(package.table), asked.decoded.rows, asked.parameters
    outputs = explained_outputs(package.signature["outputs"])
    name = given.get("output") or next(iter(outputs), "")
    if name not in outputs:
        raise CannotExplain(
            "this output cannot be explained", field="parameters.output", value=name, allowed=list(outputs)
        )
    classes = outputs[name]
    target = given.get("class")
    if target is not None and target not in classes:
        raise CannotExplain("there is no such class", field="parameters.class", value=target, allowed=classes)
    is_chance = name != WORTH  # of actions it is always the best one
    if target is None and is_chance and len(classes) == 2:  # noqa: PLR2004 of two, the second is the one that is looked for
        target = classes[1]
    if rows > _MOST_ROWS:
        raise CannotExplain("these are too many rows to explain", value=rows, allowed=f"at most {_MOST_ROWS}")
    return Question(
        rows=rows,
        inputs=inputs,
        paths=orders(len(inputs), _pairs(given.get("orders"), rows, len(inputs))),
        output=name,
        classes=classes,
        target=target,
    )


def _pairs(wanted: Any, rows: int, inputs: int) -> int:
    """Return how many pairs of orders are tried; what would take too long is refused."""
    room = _MOST_CELLS // (2 * rows * (inputs + 1) * inputs)
    most = min(_MOST_ORDERS, 2 * room)
    if wanted is None:
        wanted = max(2, min(USUAL_ORDERS, most))
    is_even = isinstance(wanted, int) and not isinstance(wanted, bool) and wanted % 2 == 0
    if not is_even or not 2 <= wanted <= most:  # noqa: PLR2004 one pair
        allowed = f"an even number from 2 to {most}" if most >= 2 else "fewer rows: there is no room for this many"  # noqa: PLR2004
        raise CannotExplain(
            "this many orders cannot be tried", field="parameters.orders", value=wanted, allowed=allowed
        )
    return wanted // 2


def _explained(question: Question, output: Any) -> tuple[list[int], Any]:
    """Return the place of the class that is explained for each row, and its number at every step."""
    steps = output.reshape(question.rows, -1, *output.shape[1:])
    if not question.classes:
        return [], steps.reshape(question.rows, -1)
    own = steps[:, len(question.inputs)]
    places = (
        own.argmax(axis=1) if question.target is None else np.full(len(own), question.classes.index(question.target))
    )
    return places.tolist(), np.take_along_axis(steps, places[:, None, None], axis=2)[:, :, 0]
