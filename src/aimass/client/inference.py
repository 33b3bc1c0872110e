"""Inference over the Open Inference Protocol v2, with plain Python values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from aimass.client.transport import Transport
from aimass.kernel.errors import Invalid

Row = Mapping[str, Any]
_ABOUT = ("id", "model_name", "model_version")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What a model says of one row.

    Attributes
    ----------
    outputs
        Every output of the model by name, for example ``label`` and ``probabilities``.
    request_id
        Id of the request; feedback refers to it.
    revision, model
        What answered: the deployment's revision, and ``<model>/<version>``.
    """

    outputs: dict[str, Any]
    request_id: str
    revision: str = ""
    model: str = ""

    @property
    def label(self) -> Any:
        """The predicted class, the number where numbers are predicted, or the labels that are chosen of several."""
        if "labels" in self.outputs and "probabilities" in self.outputs:
            return [name for name in self.outputs["labels"] if name]
        return self.outputs.get("label", self.outputs.get("value"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What each input of one row contributed to what a model says of it.

    Attributes
    ----------
    shares, errors
        By input: its contribution, and the standard error of it. The shares add up to ``value - base``.
    base, value
        What the model says on average of the samples that its package carries, and of this row.
    target
        The class whose probability is explained, or the action; None for a model that answers a number.
    output
        The output that is explained, such as ``probabilities``, or ``rewards`` of a policy.
    """

    shares: dict[str, float]
    errors: dict[str, float]
    base: float
    value: float
    target: str | None = None
    output: str = ""
    request_id: str = ""
    revision: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What a request asks for beside its rows.

    Attributes
    ----------
    parameters
        What the model lets be chosen, such as ``max_tokens``.
    outputs
        Names of the outputs that are wanted; all when empty.
    """

    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])
    outputs: Sequence[str] = ()

    def body(self) -> dict[str, Any]:
        """Return their part of a request.

        Examples
        --------
        >>> Wishes(parameters={"max_tokens": 0}, outputs=["embedding"]).body()
        {'parameters': {'max_tokens': 0}, 'outputs': [{'name': 'embedding'}]}
        """
        said: dict[str, Any] = {"parameters": dict(self.parameters)} if self.parameters else {}
        return said | ({"outputs": [{"name": name} for name in self.outputs]} if self.outputs else {})


@dataclass(slots=True)
class Endpoint:
    """An endpoint as a client sees it; its inputs are asked for once."""

    transport: Transport
    name: str
    _inputs: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    @property
    def path(self) -> str:
        """The address below ``/v2``."""
        return f"/v2/models/{quote(self.name, safe='')}"

    def inputs(self) -> list[dict[str, Any]]:
        """Return name and datatype of each input."""
        if not self._inputs:
            self._inputs = self.transport.send("GET", self.path).json()["inputs"]
        return self._inputs

    def predict(
        self, rows: Sequence[Row], request_id: str | None = None, wishes: Wishes | None = None
    ) -> list[Prediction]:
        """Score rows in one request."""
        wished = wishes or Wishes()
        body: dict[str, Any] = {"inputs": tensors(self.inputs(), rows), **wished.body()}
        if request_id:
            body["id"] = request_id
        response = self.transport.send("POST", f"{self.path}/infer", json=body)
        reply, head = response.json(), response.headers
        columns = {output["name"]: _by_row(output, len(rows)) for output in reply["outputs"]}
        return [
            Prediction(
                outputs={name: values[number] for name, values in columns.items()},
                request_id=str(reply.get("id", "")),
                revision=head.get("x-aimass-revision", ""),
                model=head.get("x-aimass-model", ""),
            )
            for number in range(len(rows))
        ]

    def stream(
        self, row: Row, *, parameters: Mapping[str, Any], request_id: str | None = None
    ) -> Iterator[dict[str, Any]]:
        """Ask for one row, and yield the outputs of each piece of the answer."""
        values = {name: _plain(value) for name, value in _known(self.inputs(), row).items()}
        body = {**values, "parameters": dict(parameters), **({"id": request_id} if request_id else {})}
        for event in self.transport.events("POST", f"{self.path}/generate_stream", json=body):
            yield {name: value for name, value in event.items() if name not in _ABOUT}

    def explain(
        self, rows: Sequence[Row], *, target: str | None = None, orders: int | None = None
    ) -> list[Explanation]:
        """Explain rows in one request."""
        wishes = {name: value for name, value in (("class", target), ("orders", orders)) if value is not None}
        body = {"inputs": tensors(self.inputs(), rows), "parameters": wishes}
        response = self.transport.send("POST", f"{self.path}/explain", json=body)
        reply, head = response.json(), response.headers
        told, found = reply["parameters"], {one["name"]: _by_row(one, len(rows)) for one in reply["outputs"]}
        return [
            Explanation(
                shares=dict(zip(told["inputs"], found["shares"][number], strict=True)),
                errors=dict(zip(told["inputs"], found["errors"][number], strict=True)),
                base=found["base"][number],
                value=found["value"][number],
                target=told["classes"][number] if told["classes"] else None,
                output=told["output"],
                request_id=str(reply.get("id", "")),
                revision=head.get("x-aimass-revision", ""),
                model=head.get("x-aimass-model", ""),
            )
            for number in range(len(rows))
        ]


def tensors(inputs: Sequence[Mapping[str, Any]], rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Build one tensor per input: a column has one value in each row, a tensor one array.

    Examples
    --------
    >>> tensors([{"name": "age", "datatype": "FP32", "shape": [-1, 1], "parameters": {}}], [{"age": 7}, {"age": None}])
    [{'name': 'age', 'datatype': 'FP32', 'shape': [2, 1], 'data': [7, None]}]
    >>> tensors([{"name": "x", "datatype": "FP32", "shape": [-1, 2]}], [{"x": [1, 2]}, {"x": [3, 4]}])
    [{'name': 'x', 'datatype': 'FP32', 'shape': [2, 2], 'data': [[1, 2], [3, 4]]}]
    """
    if not rows:
        raise Invalid("there are no rows to score", field="rows", allowed="at least one row")
    for row in rows:
        _known(inputs, row)
    return [_tensor(entry, [row.get(entry["name"]) for row in rows]) for entry in inputs]


def _known(inputs: Sequence[Mapping[str, Any]], row: Row) -> Row:
    """Return a row; refuse a name that is no input."""
    names = {entry["name"] for entry in inputs}
    extra = sorted(set(row) - names)
    if extra:
        raise Invalid(f"the model has no input {extra[0]!r}", field=extra[0], allowed=sorted(names))
    return row


def _tensor(entry: Mapping[str, Any], values: list[Any]) -> dict[str, Any]:
    """Build one tensor; what is no column is an array in each row, or one array where its first size is fixed."""
    data: Any = values
    shape = [len(values), 1]
    if "parameters" not in entry:
        arrays = [_plain(value) for value in values]
        if entry["shape"][:1] != [-1]:
            if len(arrays) > 1:
                raise Invalid(f"input {entry['name']!r} takes one array, not {len(arrays)} rows", field=entry["name"])
            arrays = arrays[0]
        data, shape = arrays, _shape_of(arrays)
    return {"name": entry["name"], "datatype": entry["datatype"], "shape": shape, "data": data}


def _plain(value: Any) -> Any:
    """Return an array of numpy as lists."""
    return value.tolist() if hasattr(value, "tolist") else value


def _shape_of(data: Any) -> list[int]:
    shape: list[int] = []
    while isinstance(data, list | tuple):
        shape.append(len(data))
        data = data[0] if data else None
    return shape


def _by_row(output: Mapping[str, Any], rows: int) -> list[Any]:
    """Cut the flat data of an output into one value per row."""
    data, width = output["data"], 1
    for size in output["shape"][1:]:
        width *= size
    if data and isinstance(data[0], list):
        return list(data)
    if len(output["shape"]) == 1:
        return list(data)
    return [data[i * width : (i + 1) * width] for i in range(rows)]


class Endpoints:
    """The verbs of a client that ask models."""

    transport: Transport
    _endpoints: dict[str, Endpoint]

    def predict(
        self,
        endpoint: str,
        rows: Sequence[Row],
        *,
        request_id: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        outputs: Sequence[str] = (),
    ) -> list[Prediction]:
        """Score rows through an endpoint, over the Open Inference Protocol.

        Parameters
        ----------
        endpoint
            Name of the endpoint.
        rows
            Objects with one value per input; a missing one is null.
        request_id
            Your own id of the request; feedback refers to it.
        parameters
            What the model lets be chosen, such as ``max_tokens`` and ``temperature`` of a language model.
        outputs
            Names of the outputs that are wanted; all when empty.

        Examples
        --------
        ``client.predict("tickets", [{"text": "My parcel"}], parameters={"max_tokens": 0}, outputs=["embedding"])``
        """
        return self._at(endpoint).predict(rows, request_id, Wishes(parameters=parameters or {}, outputs=outputs))

    def stream(
        self,
        endpoint: str,
        row: Row,
        *,
        parameters: Mapping[str, Any] | None = None,
        request_id: str | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Ask a model for one row and take its answer piece by piece, while it is being made.

        Parameters
        ----------
        endpoint
            Name of the endpoint; a model that answers at once gives one piece.
        row
            One value per input.
        parameters
            What the model lets be chosen, such as ``max_tokens``.
        request_id
            Your own id of the request; feedback refers to it.

        Yields
        ------
        The outputs by name of each piece. Whoever stops asking ends the work of the model.

        Raises
        ------
        AimassError
            The request was refused, or the model failed in the middle of its answer.

        Examples
        --------
        ``"".join(piece["text_output"] for piece in client.stream("tickets", {"text": "My parcel"}))``
        """
        return self._at(endpoint).stream(row, parameters=parameters or {}, request_id=request_id)

    def explain(
        self, endpoint: str, rows: Sequence[Row], *, target: str | None = None, orders: int | None = None
    ) -> list[Explanation]:
        """Ask what each input contributed to what a model says of rows.

        Parameters
        ----------
        endpoint
            Name of the endpoint; its model takes a table.
        rows
            Objects with one value per input; a missing one is null.
        target
            The class to explain; of two classes the second when absent, of more the one that each row got, of actions
            the best.
        orders
            How many orders of the inputs are tried, an even number; more make the errors smaller. 40 when absent.

        Returns
        -------
        For each row the contribution of each input (a Shapley value, estimated) and its standard error.

        Examples
        --------
        ``client.explain("churn", [row])[0].shares["Contract"]``
        """
        return self._at(endpoint).explain(rows, target=target, orders=orders)

    def _at(self, endpoint: str) -> Endpoint:
        return self._endpoints.setdefault(endpoint, Endpoint(self.transport, endpoint))
