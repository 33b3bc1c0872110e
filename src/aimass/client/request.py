"""Put the arguments of an operation where HTTP wants them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, is_dataclass
from typing import Any
from urllib.parse import quote

from aimass.client.operations import Operation
from aimass.kernel.errors import Invalid

API = "/api/v1"


@dataclass(slots=True)
class Request:
    """One request, ready to be sent."""

    path: str
    query: dict[str, Any] = field(default_factory=dict[str, Any])
    body: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict[str, str])


def build(operation: Operation, values: dict[str, Any], workspace: str | None) -> Request:
    """Build the request of an operation.

    Parameters
    ----------
    values
        Arguments by name; one that is None is left to the server's default.
    workspace
        Used when the operation wants a workspace and none is given.
    """
    request, path = Request(path=""), operation.path
    for param in operation.params:
        value = values.get(param.name)
        if param.name == "workspace" and value is None:
            value = workspace
        if value is None:
            if param.required:
                raise Invalid(f"{operation.name} needs {param.name!r}", field=param.name, hint=param.help)
            continue
        if param.where == "path":
            path = path.replace("{" + param.name + "}", quote(str(value), safe=""))
        elif param.where == "query":
            request.query[param.name] = value
        elif param.where == "if-match":
            request.headers["If-Match"] = f'"{value}"'
        else:
            request.body = (request.body or {}) | {param.name: _plain(value)}
    request.path = API + path
    if request.body is None and any(p.where == "body" for p in operation.params):
        request.body = {}
    return request


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return {k: _plain(v) for k, v in value.items()} if isinstance(value, dict) else value
