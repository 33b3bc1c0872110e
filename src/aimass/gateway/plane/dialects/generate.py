"""The generate extension: inputs by name in plain JSON, the answer whole or as server-sent events.

``POST /v2/models/<name>/generate`` and ``/generate_stream``, in the shape that text generation has in Triton: every key
of the body but ``id`` and ``parameters`` is an input, and every output is a key of the answer.
"""

from __future__ import annotations

from typing import Any, ClassVar

from aimass.gateway.plane.calls import Asked, Call, Work, Written
from aimass.gateway.plane.columns import OFFERED
from aimass.gateway.plane.connection import Connection
from aimass.gateway.plane.decode import Input, Inputs, Wanted, parameters_of, read_document, request_id
from aimass.gateway.plane.entrance import Entrance, unpacked
from aimass.gateway.plane.errors import UnknownPath, oip_body
from aimass.gateway.plane.http import RequestHead, dump
from aimass.gateway.plane.package import Package
from aimass.gateway.plane.sink import Sink
from aimass.gateway.plane.tensors import Tensor, shape_of
from aimass.kernel.errors import AimassError

_NOT_INPUTS = frozenset({"id", "parameters"})


class Generate:
    """Answers what comes after the name of a model; it has no addresses of its own."""

    segments: ClassVar = frozenset[bytes]()
    verbs: ClassVar = frozenset({"generate", "generate_stream"})
    streamed: ClassVar = frozenset({"generate_stream"})
    has_cheap_path: ClassVar = False

    def __init__(self, entrance: Entrance) -> None:
        self._entrance = entrance

    def open(self, connection: Connection, head: RequestHead, raw: bytes) -> Sink:
        """Refuse: nothing is below an address of its own."""
        raise UnknownPath(f"there is no {head.path.decode('latin-1')!r}")

    def read(self, call: Call, body: bytes, package: Package) -> Asked:
        """Read a request."""
        document = read_document(unpacked(call, body))
        inputs = Inputs(package.columns)
        for name, value in document.items():
            if name not in _NOT_INPUTS:
                _take(inputs, name, value, package.columns.get(name))
        return Asked(
            id=request_id(document),
            wanted=[Wanted(name=spec["name"], is_binary=False) for spec in package.signature["outputs"]],
            decoded=inputs.decoded(),
            parameters=parameters_of(document),
        )

    def write(self, work: Work, outputs: dict[str, Any]) -> Written:
        """Write an answer, or one chunk of it; an output of one value stands alone."""
        document: dict[str, Any] = {
            "id": work.id,
            "model_name": work.call.endpoint.name,
            "model_version": work.deployment.version,
        }
        for want in work.asked.wanted:
            values = outputs[want.name].ravel().tolist()
            document[want.name] = values[0] if len(values) == 1 else values
        return Written(body=dump(document))

    def refuse(self, error: AimassError) -> bytes:
        """Write the body of an error."""
        return dump(oip_body(error))


def _take(inputs: Inputs, name: str, value: Any, column: Input | None) -> None:
    """Take one input: a value is one row, a list is as many as it has; a tensor may leave out its first size of 1."""
    if isinstance(column, Tensor):
        shape = shape_of(value)
        if column.shape[:1] == (-1,) and len(shape) == len(column.shape) - 1:
            value, shape = [value], [1, *shape]
        inputs.listed(name, column.datatype, shape, value)
        return
    values = value if isinstance(value, list) else [value]
    inputs.listed(name, OFFERED[column.kind] if column is not None else None, [len(values)], values)
