"""Programs that call an endpoint, made from a sample row of its model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from aimass.serving.domain.things import Snippet

_DATATYPES = {"string": "BYTES", "float": "FP32", "integer": "INT64", "boolean": "BOOL"}
_NUMPY = {"string": "object", "float": "np.float32", "integer": "np.int64", "boolean": "bool"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleColumn:
    """One input with a value for it."""

    name: str
    type: str
    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A request that an endpoint would answer."""

    url: str
    workspace: str
    endpoint: str
    columns: list[ExampleColumn]


def snippet_of(example: Example) -> Snippet:
    """Write the programs.

    Examples
    --------
    >>> column = ExampleColumn(name="tenure", type="integer", value=12)
    >>> shown = snippet_of(Example(url="http://127.0.0.1:8800", workspace="demo", endpoint="churn", columns=[column]))
    >>> shown.url
    'http://127.0.0.1:8800/v2/models/churn/infer'
    """
    url = f"{example.url}/v2/models/{example.endpoint}/infer"
    return Snippet(url=url, curl=_curl(example, url), python=_python(example), tritonclient=_triton(example))


def _curl(example: Example, url: str) -> str:
    inputs = [
        {"name": column.name, "shape": [1, 1], "datatype": _DATATYPES[column.type], "data": [column.value]}
        for column in example.columns
    ]
    body = json.dumps({"inputs": inputs}, ensure_ascii=False).replace("'", "'\\''")
    return (
        f"curl -s {url} \\\n  -H 'Authorization: Bearer {{key}}' -H 'Content-Type: application/json' \\\n  -d '{body}'"
    )


def _python(example: Example) -> str:
    lines = "".join(f"    {column.name!r}: [{column.value!r}],\n" for column in example.columns)
    return (
        "from aimass import Client\n\n"
        f'client = Client("{example.url}", key="{{key}}", workspace="{example.workspace}")\n'
        f'print(client.predict("{example.endpoint}", {{\n{lines}}}))\n'
    )


def _triton(example: Example) -> str:
    lines = "".join(
        f"    ({column.name!r}, {_DATATYPES[column.type]!r}, np.array([[{column.value!r}]], dtype={_NUMPY[column.type]})),\n"
        for column in example.columns
    )
    return (
        "import numpy as np\nfrom tritonclient.http import InferenceServerClient, InferInput\n\n"
        f"columns = [\n{lines}]\n"
        "inputs = []\nfor name, datatype, values in columns:\n"
        "    one = InferInput(name, values.shape, datatype)\n"
        "    one.set_data_from_numpy(values, binary_data=False)\n"
        "    inputs.append(one)\n"
        f'client = InferenceServerClient("{example.url.partition("//")[2]}")\n'
        f'reply = client.infer("{example.endpoint}", inputs, headers={{"Authorization": "Bearer {{key}}"}})\n'
        'print(reply.as_numpy("label"))\n'
    )
