"""OpenAPI 3.1 of what stands behind the gateway: written for models from their signatures, taken over from services."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aimass.kernel.errors import Invalid
from aimass.serving import Input

METHODS = ("get", "put", "post", "delete", "options", "head", "patch")
MOST_OPERATIONS = 2000
_DEPTH = 60
_TYPES = {"float": "number", "integer": "integer", "boolean": "boolean", "string": "string"}
_REFERENCE = "#/components/"
_KINDS = ("schemas", "responses", "parameters", "examples", "requestBodies", "headers", "links", "pathItems")
_LEADING = frozenset({"$ref", "mapping"})
_SECURITY: list[dict[str, list[str]]] = [{"bearer": []}, {"key": []}]
Json = dict[str, Any]


@dataclass(slots=True)
class Pieces:
    """What is collected for a document."""

    paths: Json = field(default_factory=dict[str, Any])
    components: dict[str, Json] = field(default_factory=dict[str, Json])
    tags: list[Json] = field(default_factory=list[Json])


def document_of(title: str, url: str, pieces: Pieces) -> Json:
    """Return a whole document, which says how callers show who they are."""
    schemes = {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key, or an access token of /oauth2/token",
        },
        "key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "An API key"},
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": "1"},
        "servers": [{"url": url}],
        "tags": pieces.tags,
        "paths": pieces.paths,
        "components": {**pieces.components, "securitySchemes": schemes},
        "security": _SECURITY,
    }


# -- models


def add_model(pieces: Pieces, endpoint: str, about: str, inputs: Sequence[Input]) -> None:
    """Describe an endpoint: its rows typed from the signature, with a sample row of the model as the example."""
    tag, at = f"model:{endpoint}", f"/v2/models/{endpoint}"
    pieces.tags.append({"name": tag, "description": about})
    schemas = pieces.components.setdefault("schemas", {})
    row = {"type": "object", "required": [one.name for one in inputs if not one.nullable]}
    row |= {"properties": {one.name: _schema(one) for one in inputs}, "additionalProperties": False}
    schemas[f"{endpoint}.Row"] = row
    schemas.setdefault("InferReply", _INFER_REPLY)
    schemas.setdefault("Problem", _PROBLEM)
    named = {one.name: one.example for one in inputs}
    ask = _operation(tag, f"infer_{endpoint}", "Answer rows (Open Inference Protocol)", _reference("InferReply"))
    ask["requestBody"] = _body(_infer(inputs), {"inputs": [_tensor(one) for one in inputs]})
    pieces.paths[f"{at}/infer"] = {"post": ask}
    is_plain = all(one.shape is None for one in inputs)
    if is_plain:
        one = _operation(tag, f"generate_{endpoint}", "Answer one row of plain JSON", {"type": "object"})
        one["requestBody"] = _body({"$ref": _reference(f"{endpoint}.Row")["$ref"]}, named)
        pieces.paths[f"{at}/generate"] = {"post": one}
        many = _operation(tag, f"invocations_{endpoint}", "Answer rows (MLflow)", {"type": "object"})
        records = {"type": "array", "items": _reference(f"{endpoint}.Row"), "minItems": 1}
        schema = {"type": "object", "required": ["dataframe_records"], "properties": {"dataframe_records": records}}
        many["requestBody"] = _body(schema, {"dataframe_records": [named]})
        pieces.paths[f"/mlflow/{endpoint}/invocations"] = {"post": many}
        why = _operation(tag, f"explain_{endpoint}", "What each input contributed", {"type": "object"})
        why["requestBody"] = ask["requestBody"]
        pieces.paths[f"{at}/explain"] = {"post": why}
    told = _operation(tag, f"metadata_{endpoint}", "Inputs and outputs of the model", {"type": "object"})
    pieces.paths[at] = {"get": told}


def _schema(one: Input) -> Json:
    """Return what values an input takes; categories bind where a strange one is refused, else they are examples."""
    kind = _TYPES.get(one.type, "string")
    found: Json = {"type": [kind, "null"] if one.nullable else kind}
    if one.categories and one.unseen == "refuse":
        found["enum"] = [*one.categories, *([None] if one.nullable else [])]
    elif one.categories:
        found["examples"] = list(one.categories)
    elif one.shape is None and one.example is not None:
        found["examples"] = [one.example]
    return found


def _tensor(one: Input) -> Json:
    datatype = one.datatype or {"float": "FP32", "integer": "INT64", "boolean": "BOOL"}.get(one.type, "BYTES")
    if one.shape is None:
        return {"name": one.name, "datatype": datatype, "shape": [1, 1], "data": [one.example]}
    data = [one.example] if one.shape[:1] == [-1] else one.example
    return {"name": one.name, "datatype": datatype, "shape": _sizes(data), "data": data}


def _sizes(data: Any) -> list[int]:
    """Return the sizes of nested lists.

    Examples
    --------
    >>> _sizes([[1, 2, 3], [4, 5, 6]])
    [2, 3]
    """
    found: list[int] = []
    while isinstance(data, list):
        found.append(len(data))
        data = data[0] if data else None
    return found


def _infer(inputs: Sequence[Input]) -> Json:
    names = {"type": "string", "enum": [one.name for one in inputs]}
    shape = {"type": "array", "items": {"type": "integer", "minimum": 0}}
    tensor = {"name": names, "datatype": {"type": "string"}, "shape": shape, "data": {"type": "array"}}
    item = {"type": "object", "required": ["name", "datatype", "shape", "data"], "properties": tensor}
    properties = {"id": {"type": "string"}, "inputs": {"type": "array", "items": item, "minItems": 1}}
    return {"type": "object", "required": ["inputs"], "properties": properties}


def _operation(tag: str, name: str, summary: str, answer: Json) -> Json:
    problem = {"description": "Refused", "content": {"application/json": {"schema": _reference("Problem")}}}
    return {
        "tags": [tag],
        "operationId": name,
        "summary": summary,
        "responses": {
            "200": {"description": "Answered", "content": {"application/json": {"schema": answer}}},
            **dict.fromkeys(("400", "401", "403", "429", "503"), problem),
        },
    }


def _body(schema: Json, example: Any) -> Json:
    return {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}


def _reference(name: str) -> Json:
    return {"$ref": f"{_REFERENCE}schemas/{name}"}


_INFER_REPLY: Json = {
    "type": "object",
    "required": ["model_name", "outputs"],
    "properties": {
        "model_name": {"type": "string"},
        "model_version": {"type": "string"},
        "id": {"type": "string"},
        "outputs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "datatype", "shape", "data"],
                "properties": {
                    "name": {"type": "string"},
                    "datatype": {"type": "string"},
                    "shape": {"type": "array", "items": {"type": "integer"}},
                    "data": {"type": "array"},
                },
            },
        },
    },
}
_PROBLEM: Json = {"type": "object", "properties": {"error": {"type": "string"}, "code": {"type": "string"}}}


# -- services


def add_service(pieces: Pieces, route: str, path: str, about: str, *, needs_key: bool, told: Mapping[str, Any]) -> None:
    """Take over what a service says of itself: its paths below those of the route, its components under the route's name.

    Raises
    ------
    Invalid
        It is no OpenAPI 3 document that can be taken over.
    """
    version = str(told.get("openapi", ""))
    paths = told.get("paths")
    if not version.startswith("3.") or not isinstance(paths, dict):
        said = f"OpenAPI {version or told.get('swagger', 'of no version')}"
        raise Invalid(f"it describes itself as {said}", value=version, allowed="OpenAPI 3.0 or 3.1 as JSON")
    tag = f"service:{route}"
    components = told.get("components")
    renamed = {
        kind: {f"{route}.{name}": _moved(one, route) for name, one in found.items()}
        for kind, found in (components if isinstance(components, dict) else {}).items()
        if kind in _KINDS and isinstance(found, dict)
    }
    made = {path + name: _path(item, route, tag, needs_key=needs_key) for name, item in _items(paths)}
    if sum(len(item.keys() & set(METHODS)) for item in made.values()) > MOST_OPERATIONS:
        raise Invalid("it has too many operations", allowed=f"at most {MOST_OPERATIONS}")
    pieces.tags.append({"name": tag, "description": about})
    pieces.paths.update(made)
    for kind, found in renamed.items():
        pieces.components.setdefault(kind, {}).update(found)


def add_unknown(pieces: Pieces, route: str, path: str, about: str, *, needs_key: bool) -> None:
    """Mention a service that does not describe itself: every address below its path."""
    tag = f"service:{route}"
    pieces.tags.append({"name": tag, "description": about})
    rest = {"name": "rest", "in": "path", "required": True, "schema": {"type": "string"}}
    item: Json = {"parameters": [rest]}
    for method in ("get", "post"):
        answers = {"default": {"description": "What the service answers"}}
        one: Json = {"tags": [tag], "operationId": f"{method}_{route}", "summary": about, "responses": answers}
        item[method] = one if needs_key else {**one, "security": []}
    pieces.paths[f"{path}/{{rest}}"] = item


def _items(paths: Mapping[Any, Any]) -> Iterable[tuple[str, Mapping[str, Any]]]:
    for name, item in paths.items():
        if isinstance(name, str) and name.startswith("/") and isinstance(item, dict):
            yield name, item


def _path(item: Mapping[str, Any], route: str, tag: str, *, needs_key: bool) -> Json:
    """Return a path item with our tag on each operation, and our way of showing who calls."""
    made: Json = {}
    for name, value in item.items():
        if name in METHODS and isinstance(value, dict):
            moved = _moved(value, route)
            moved.pop("servers", None)
            moved["tags"] = [tag]
            moved["operationId"] = f"{route}.{moved.get('operationId') or name}"
            moved.setdefault("responses", {"default": {"description": ""}})
            moved["security"] = _SECURITY if needs_key else []
            made[name] = moved
        elif name in ("summary", "description", "parameters", "$ref"):
            made[name] = _moved(value, route)
    return made


def _moved(value: Any, route: str, depth: int = 0) -> Any:
    """Return a part of a document with references into it renamed to where they lead now."""
    if depth > _DEPTH:
        raise Invalid("its description is nested too deeply", allowed=f"at most {_DEPTH} levels")
    if isinstance(value, list):
        return [_moved(one, route, depth + 1) for one in value]
    if not isinstance(value, dict):
        return value
    return {str(k): _led(v, route) if k in _LEADING else _moved(v, route, depth + 1) for k, v in value.items()}


def _led(reference: Any, route: str) -> Any:
    """Return where a reference leads in the merged document.

    Examples
    --------
    >>> _led("#/components/schemas/Place", "geo")
    '#/components/schemas/geo.Place'
    """
    if isinstance(reference, dict):  # a mapping of a discriminator, or a property that is called like one
        return {str(k): _led(v, route) if isinstance(v, str) else _moved(v, route) for k, v in reference.items()}
    if not isinstance(reference, str) or not reference.startswith(_REFERENCE):
        return reference
    kind, _, name = reference[len(_REFERENCE) :].partition("/")
    return f"{_REFERENCE}{kind}/{route}.{name}" if kind in _KINDS else reference
