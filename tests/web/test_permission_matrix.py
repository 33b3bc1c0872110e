"""Every route of the REST API with every role, in the own workspace, in a foreign one and on the platform: who is let in.

What is expected follows from the permission that an operation declares and from the table of roles below, which repeats the manual on
purpose: it is not read from the code that decides.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from fastapi.routing import APIRoute

from aimass.access import CreateWorkspace
from aimass.bootstrap.discovery import capabilities
from aimass.kernel.capability import load
from aimass.kernel.usecase import PUBLIC, SIGNED_IN, use_cases
from tests.fixtures.site import ROLES, Site, whole_site

OWN, FOREIGN, PLATFORM = "demo", "foreign", "*"
LADDER = ("read", "use", "edit", "manage")
EDITED = {"editor": ("lake", "collector", "training", "models"), "operator": ("serving", "gateway", "cluster", "monitoring", "messaging", "lifecycle")}  # fmt: skip
BY_HAND = {
    "cluster.stream_job_log": "cluster.read",
    "collector.push": "collector.use",
    "collector.upload": "collector.use",
    "lake.export_rows": "lake.use",
    "models.download_version": "models.read",
    "models.upload_version": "models.edit",
    "training.import_weights": "models.edit",
    "training.download_artifact": "training.read",
}
GIVEN: dict[str, dict[str, Any]] = {
    "messaging.seek_subscription": {"to": "end"},
    "storage.ask_erasure": {"values": ["nobody"]},
    "monitoring.create_rule": {"metric": "drift.max_psi"},
    "monitoring.send_feedback": {"labels": [{"request_id": "nothing-here", "label": "x"}]},
    "monitoring.set_reference": {"dataset": "nothing-here"},
    "training.get_evaluation": {"part": "test"},
    "training.get_evaluation_report": {"part": "test"},
    "gateway.write_edge": {"edge": "nginx"},
}
"""What an operation needs beside what its description demands, so that it comes as far as the door."""
ENDS = "access.delete_workspace"
CALLERS = ("anonymous", "stranger", *ROLES, "root")
FIELD = re.compile(r"\{(\w+)(?::path)?\}")


@dataclass(frozen=True)
class Operation:
    """What an operation declares, and a request of it that is valid but for its objects, which do not exist."""

    name: str
    method: str
    path: str
    permission: str
    query: dict[str, Any]
    body: Any
    has_workspace: bool

    def request(self, workspace: str) -> dict[str, Any]:
        names = {"workspace": workspace, **GIVEN.get(self.name, {})}
        path = FIELD.sub(lambda field: names.get(field[1], "1" if field[1] in NUMBERS else "nothing-here"), self.path)
        body = None if self.body is None else {**self.body, **GIVEN.get(self.name, {})}
        body = {**body, "workspace": workspace} if "workspace" in (body or {}) else body
        query = {name: workspace if name == "workspace" else value for name, value in self.query.items()}
        return {"method": self.method, "url": f"/api/v1{path}", "params": query, "json": body}


NUMBERS = {"number", "seq", "version", "revision"}


def holds(role: str, permission: str) -> bool:
    """Tell whether a role of a workspace has a permission there, by the table of the manual."""
    room, _, verb = permission.partition(".")
    if role in ("admin", "root"):
        return True
    if permission == "models.approve":
        return role == "reviewer"
    steps = {"viewer": 0, "reviewer": 0, "analyst": 1, "editor": 1, "operator": 1}.get(role, -1)
    if room in EDITED.get(role, ()):
        steps = 2
    return verb in LADDER[: steps + 1]


def expected(operation: Operation, caller: str, workspace: str) -> str:
    """Return by which words of the door a caller is refused, or that he is let in."""
    if operation.permission == PUBLIC:
        return "in"
    if caller == "anonymous":
        return "nobody"
    if operation.permission == SIGNED_IN or caller == "root":
        return "in"
    if workspace == PLATFORM:
        return "forbidden"
    if caller == "stranger" or workspace == FOREIGN:
        return "unknown"
    return "in" if holds(caller, operation.permission) else "forbidden"


def said(answer: httpx2.Response, operation: Operation, workspace: str) -> str:
    """Return which of its words the door said, or that the request came past it."""
    told = answer.json() if answer.headers.get("content-type", "").startswith("application/") and answer.content else {}
    detail = str(told.get("detail", "")) if isinstance(told, dict) else ""
    if answer.status_code == 401 and detail == "nobody is signed in":
        return "nobody"
    if answer.status_code == 403 and f"has no {operation.permission!r}" in detail:
        return "forbidden"
    if (
        answer.status_code == 404
        and detail == f"there is no workspace {workspace!r}"
        and operation.permission != SIGNED_IN
    ):
        return "unknown"
    return "in"


def example(schema: dict[str, Any], known: dict[str, Any]) -> Any:
    """Return a value that a schema allows, with nothing that is optional but a workspace."""
    if "$ref" in schema:
        return example(known[schema["$ref"].rpartition("/")[2]], known)
    for many in ("anyOf", "oneOf", "allOf"):
        if many in schema:
            return example(schema[many][0], known)
    if "const" in schema or "enum" in schema:
        return schema.get("const", (schema.get("enum") or [None])[0])
    make = EXAMPLES.get(schema.get("type", ""))
    return None if make is None else make(schema, known)


def _object(schema: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    fields = schema.get("properties", {})
    needed = {*schema.get("required", ()), *({"workspace"} & set(fields))}
    return {field: example(fields[field], known) for field in sorted(needed)}


def _array(schema: dict[str, Any], known: dict[str, Any]) -> list[Any]:
    return [example(schema["items"], known)] * int(schema.get("minItems", 0))


def _number(schema: dict[str, Any], _: dict[str, Any]) -> float:
    return max(schema.get("minimum", 1), schema.get("exclusiveMinimum", 0) + 1)


def _string(schema: dict[str, Any], _: dict[str, Any]) -> str:
    is_time = schema.get("format") == "date-time"
    return "2026-05-01T00:00:00Z" if is_time else "nothing-here"[: schema.get("maxLength", 99)]


EXAMPLES: dict[str, Callable[[dict[str, Any], dict[str, Any]], Any]] = {
    "object": _object,
    "array": _array,
    "integer": _number,
    "number": _number,
    "boolean": lambda *_: False,
    "string": _string,
}


def declared() -> dict[str, str]:
    """Return the permission of each operation: as a use case declares it, or as the table above has it."""
    found = {case.name: case.permission for c in capabilities() if c.service for case in use_cases(load(c.service))}
    hand = {r.operation_id for c in capabilities() if c.api for r in load(c.api).routes if isinstance(r, APIRoute)}
    assert hand == set(BY_HAND), "a route is written by hand: list its permission here"
    return {**found, **BY_HAND}


def operations(document: dict[str, Any]) -> Iterator[Operation]:
    """Yield every operation of the described API."""
    known, permissions = document["components"]["schemas"], declared()
    for path, methods in document["paths"].items():
        for method, one in methods.items():
            if not path.startswith("/api/v1/") or one["operationId"] not in permissions:
                continue
            fields = [field for field in one.get("parameters", ()) if field["in"] == "query"]
            query = {f["name"]: example(f["schema"], known) for f in fields if f.get("required") or f["name"] == "workspace"}  # fmt: skip
            content = one.get("requestBody", {}).get("content", {}).get("application/json")
            body = example(content["schema"], known) if content else None
            place = "{workspace}" in path or "workspace" in query or "workspace" in (body or {})
            yield Operation(
                one["operationId"], method.upper(), path.removeprefix("/api/v1"), permissions[one["operationId"]], query, body, place
            )  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with whole_site(tmp_path_factory.mktemp("matrix")) as found:
        found.access.create_workspace(found.root, CreateWorkspace(name="Foreign", slug=FOREIGN))
        yield found


async def _ask(site: Site, chosen: list[Operation], tokens: dict[str, str]) -> list[str]:
    wrong: list[str] = []
    transport = httpx2.ASGITransport(site.app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://platform.test", timeout=60) as http:
        for operation in chosen:
            for workspace in (OWN, FOREIGN) if operation.has_workspace else (PLATFORM,):
                for caller in CALLERS:
                    wanted = expected(operation, caller, workspace)
                    if wanted == "in" and operation.name == ENDS:
                        continue
                    headers = {"Authorization": f"Bearer {tokens[caller]}"} if caller in tokens else {}
                    answer = await http.request(**operation.request(workspace), headers=headers)
                    got = said(answer, operation, workspace)
                    if got != wanted or answer.status_code == 500:
                        told = answer.text[:400]
                        wrong.append(f"{operation.name} as {caller} in {workspace}: {wanted}, not {got} ({answer.status_code} {told})")  # fmt: skip
    return wrong


def test_every_route_lets_in_exactly_those_whose_role_has_its_permission(site: Site) -> None:
    tokens = {caller: site.token(caller) for caller in CALLERS if caller != "anonymous"}
    chosen = list(operations(site.app.openapi()))
    assert {one.name for one in chosen} == set(declared())
    wrong = asyncio.run(_ask(site, chosen, tokens))
    assert wrong == [], "\n".join(wrong)
