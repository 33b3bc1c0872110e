"""Programs that call an endpoint, made from a sample row of its model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import prod
from typing import Any

from aimass.serving.domain.things import Snippet

_NUMPY = {"BYTES": "object", "BOOL": "bool"}
_MOST = 64
_CHOSEN = {"max_tokens": 40}  # what a model that answers in pieces lets be chosen, for example


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleColumn:
    """One input with a value for it.

    Attributes
    ----------
    datatype, shape
        How the value of one row is sent.
    is_tensor
        Whether the value is an array.
    """

    name: str
    type: str
    value: Any
    datatype: str
    shape: list[int]
    is_tensor: bool = False

    @property
    def is_large(self) -> bool:
        """Tell whether there are more values than anybody wants to read."""
        return prod(self.shape) > _MOST


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A request that an endpoint would answer.

    Attributes
    ----------
    rpc
        Address of gRPC, empty where it is off.
    streams
        The answer comes piece by piece.
    """

    url: str
    workspace: str
    endpoint: str
    columns: list[ExampleColumn]
    rpc: str = ""
    streams: bool = False


def snippet_of(example: Example) -> Snippet:
    """Write the programs.

    Examples
    --------
    >>> column = ExampleColumn(name="tenure", type="integer", value=12, datatype="INT64", shape=[1, 1])
    >>> shown = snippet_of(Example(url="http://127.0.0.1:8800", workspace="demo", endpoint="churn", columns=[column]))
    >>> shown.url, shown.grpc
    ('http://127.0.0.1:8800/v2/models/churn/infer', '')
    """
    at = f"{example.url}/v2/models/{example.endpoint}"
    url = f"{at}/infer"
    host = example.url.partition("//")[2]
    return Snippet(
        url=url,
        curl=_curl(f"{at}/generate_stream", _generate(example), "-sN")
        if example.streams
        else _curl(url, {"inputs": [_tensor(column) for column in example.columns]}),
        python=_python(example),
        tritonclient=_triton(example, "http", host),
        grpc=_triton(example, "grpc", example.rpc) if example.rpc else "",
        mlflow=_curl(f"{example.url}/mlflow/{example.endpoint}/invocations", _frame(example)),
    )


def _tensor(column: ExampleColumn) -> dict[str, Any]:
    data = f"<{prod(column.shape)} values>" if column.is_large else [column.value]
    if column.is_tensor and not column.is_large:
        data = column.value
    return {"name": column.name, "shape": column.shape, "datatype": column.datatype, "data": data}


def _frame(example: Example) -> dict[str, Any]:
    if any(column.is_tensor for column in example.columns):
        return {"inputs": {column.name: _tensor(column)["data"] for column in example.columns}}
    return {"dataframe_records": [{column.name: column.value for column in example.columns}]}


def _generate(example: Example) -> dict[str, Any]:
    return {**{column.name: column.value for column in example.columns}, "parameters": _CHOSEN}


def _curl(url: str, document: dict[str, Any], options: str = "-s") -> str:
    body = json.dumps(document, ensure_ascii=False).replace("'", "'\\''")
    return f"curl {options} {url} \\\n  -H 'Authorization: Bearer {{key}}' -H 'Content-Type: application/json' \\\n  -d '{body}'"


def _dtype(column: ExampleColumn) -> str:
    known = _NUMPY.get(column.datatype)
    return known or "np." + column.datatype.lower().replace("fp", "float")


def _array(column: ExampleColumn) -> str:
    if column.is_large:
        return f"np.zeros({column.shape}, dtype={_dtype(column)})"
    value = column.value if column.is_tensor else [[column.value]]
    return f"np.array({value!r}, dtype={_dtype(column)})"


def _python(example: Example) -> str:
    lines = "".join(f"    {column.name!r}: {_plain(column)},\n" for column in example.columns)
    head = "import numpy as np\n" if any(column.is_large for column in example.columns) else ""
    begin = (
        f"{head}from aimass import Client\n\n"
        f'client = Client("{example.url}", key="{{key}}", workspace="{example.workspace}")\n'
    )
    if example.streams:
        return (
            f"{begin}"
            f'for piece in client.stream("{example.endpoint}", {{\n{lines}}}, parameters={_CHOSEN!r}):\n'
            "    print(piece)\n"
        )
    return f'{begin}(answer,) = client.predict("{example.endpoint}", [{{\n{lines}}}])\nprint(answer.outputs)\n'


def _plain(column: ExampleColumn) -> str:
    """Write the value of one row for our own client, which adds the size of the rows itself."""
    if not column.is_tensor:
        return repr(column.value)
    if column.is_large:
        return f"np.zeros({column.shape[1:]}, dtype={_dtype(column)})"
    return repr(column.value[0] if len(column.value) == 1 else column.value)


def _triton(example: Example, way: str, address: str) -> str:
    lines = "".join(f"    ({c.name!r}, {c.datatype!r}, {_array(c)}),\n" for c in example.columns)
    header = "Authorization" if way == "http" else "authorization"
    return (
        f"import numpy as np\nfrom tritonclient.{way} import InferenceServerClient, InferInput\n\n"
        f"columns = [\n{lines}]\n"
        "inputs = []\nfor name, datatype, values in columns:\n"
        "    one = InferInput(name, list(values.shape), datatype)\n"
        "    one.set_data_from_numpy(values)\n"
        "    inputs.append(one)\n"
        f'client = InferenceServerClient("{address}")\n'
        f'reply = client.infer("{example.endpoint}", inputs, headers={{"{header}": "Bearer {{key}}"}})\n'
        "print(reply.get_response())\n"
    )
