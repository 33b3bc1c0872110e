"""REST routes come from the declaration of the use case."""

import json
from dataclasses import dataclass
from typing import Annotated

import annotated_types
import pytest
from fastapi.testclient import TestClient
from starlette.requests import HTTPConnection

from aimass.kernel.errors import Stale
from aimass.kernel.pages import Page, page_of
from aimass.kernel.principal import ANONYMOUS, Grant, Principal
from aimass.kernel.registry import Registry
from aimass.kernel.usecase import use_case, use_cases
from aimass.web.api import AppParts, UseCaseRoutes, create_app
from aimass.web.api.problems import problem_response


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateThing:
    workspace: str
    name: Annotated[str, annotated_types.Len(1, 20), annotated_types.doc("what it is called")]
    size: Annotated[int, annotated_types.Ge(1)] = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ListThings:
    workspace: str
    limit: Annotated[int, annotated_types.Interval(ge=1, le=500)] = 50
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameThing:
    workspace: str
    thing: str
    name: str
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    name: str
    size: int
    version: int = 1


class Things:
    def __init__(self) -> None:
        self.made: list[Thing] = []

    @use_case("POST /workspaces/{workspace}/things", permission="things.edit", cli="things create", status=201)
    def create_thing(self, who: Principal, command: CreateThing) -> Thing:
        """Create a thing."""
        self.made.append(Thing(name=command.name, size=command.size))
        return self.made[-1]

    @use_case("GET /workspaces/{workspace}/things", permission="things.read", cli="things list")
    def list_things(self, who: Principal, command: ListThings) -> Page[Thing]:
        """List the things."""
        return page_of(self.made[: command.limit + 1], command.limit, lambda t: t.name)

    @use_case("PATCH /workspaces/{workspace}/things/{thing}", permission="things.edit", on="thing")
    def rename_thing(self, who: Principal, command: RenameThing) -> Thing:
        """Rename a thing."""
        if command.expected_version not in (None, 1):
            raise Stale(f"{command.thing!r} has version 1", field="expected_version", value=command.expected_version)
        return Thing(name=command.name, size=1)

    @use_case("DELETE /workspaces/{workspace}/things/{thing}", permission="things.manage", on="thing", status=204)
    def remove_thing(self, who: Principal, command: RenameThing) -> None:
        """Remove a thing."""


PEOPLE = {
    "reader": Principal(
        id="r", name="reader", kind="user", grants=(Grant(workspace="demo", permissions=frozenset({"*.read"})),)
    ),
    "writer": Principal(
        id="w",
        name="writer",
        kind="user",
        grants=(Grant(workspace="demo", permissions=frozenset({"*.read", "*.edit"})),),
    ),
    "owner-of-a": Principal(
        id="o",
        name="owner",
        kind="user",
        grants=(Grant(workspace="demo", permissions=frozenset({"things.edit"}), object="thing:a"),),
    ),
    "stranger": Principal(
        id="s", name="stranger", kind="user", grants=(Grant(workspace="other", permissions=frozenset({"*.edit"})),)
    ),
}


def authenticate(connection: HTTPConnection) -> Principal:
    return PEOPLE.get(connection.headers.get("x-me", ""), ANONYMOUS)


@pytest.fixture
def client() -> TestClient:
    service = Things()
    parts = AppParts(registry=Registry(), authenticate=authenticate, cases=[(c, service) for c in use_cases(service)])
    return TestClient(create_app(parts), raise_server_exceptions=False)


URL = "/api/v1/workspaces/demo/things"


@pytest.mark.parametrize(("me", "status"), [("", 401), ("stranger", 404), ("reader", 403), ("writer", 201)])
def test_each_kind_of_caller_gets_its_answer(client: TestClient, me: str, status: int) -> None:
    reply = client.post(URL, json={"name": "a"}, headers={"x-me": me})
    assert reply.status_code == status
    if status != 201:
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.json()["status"] == status


def test_a_grant_on_one_object_counts_for_it_alone(client: TestClient) -> None:
    answers = [client.patch(f"{URL}/{t}", json={"name": "x"}, headers={"x-me": "owner-of-a"}).status_code for t in "ab"]
    assert answers == [200, 403]


def test_a_wrong_value_names_the_field_and_what_is_allowed(client: TestClient) -> None:
    problem = client.post(URL, json={"name": "a", "size": 0}, headers={"x-me": "writer"}).json()
    assert (problem["code"], problem["field"], problem["value"]) == ("invalid", "size", "0")
    assert "greater than or equal to 1" in problem["allowed"]


@pytest.mark.parametrize("value", [10**30, [1, {"deep": -(10**25)}], 1e308, "\u0000"])
def test_what_is_sent_is_shown_in_the_problem_whatever_it_is(client: TestClient, value: object) -> None:
    reply = client.post(URL, json={"name": value, "size": "many"}, headers={"x-me": "writer"})
    assert (reply.status_code, reply.json()["code"]) == (400, "invalid")


@pytest.mark.parametrize("value", [10**30, float("inf"), float("nan"), "\ud800", {"deep": [10**25]}, b"x"])
def test_a_problem_is_json_whatever_its_value_is(value: object) -> None:
    def refuse(word: str) -> None:
        pytest.fail(f"{word} is no JSON")

    body = bytes(problem_response({"status": 400, "code": "invalid", "value": value}).body)
    assert json.loads(body, parse_constant=refuse)["code"] == "invalid"


@pytest.mark.parametrize("tag", ["\u00b2".encode(), b"9" * 5000, b"-1"])
def test_an_etag_that_is_no_version_is_refused(client: TestClient, tag: bytes) -> None:
    reply = client.patch(f"{URL}/a", json={"name": "x"}, headers={b"x-me": b"owner-of-a", b"if-match": tag})
    assert (reply.status_code, reply.json()["field"]) == (400, "If-Match")


def test_an_unknown_field_is_refused(client: TestClient) -> None:
    reply = client.post(URL, json={"name": "a", "colour": "red"}, headers={"x-me": "writer"})
    assert (reply.status_code, reply.json()["field"]) == (400, "colour")


def test_an_etag_guards_a_change(client: TestClient) -> None:
    head = {"x-me": "writer"}
    assert client.patch(f"{URL}/a", json={"name": "x"}, headers=head | {"if-match": '"1"'}).headers["etag"] == '"1"'
    assert client.patch(f"{URL}/a", json={"name": "x"}, headers=head | {"if-match": '"7"'}).status_code == 412


def test_lists_are_paged_and_described(client: TestClient) -> None:
    for name in "abc":
        client.post(URL, json={"name": name}, headers={"x-me": "writer"})
    page = client.get(URL, params={"limit": 2}, headers={"x-me": "reader"}).json()
    assert [t["name"] for t in page["items"]] == ["a", "b"]
    assert page["next"]
    operation = client.get("/openapi.json").json()["paths"]["/api/v1/workspaces/{workspace}/things"]["post"]
    assert operation["operationId"].endswith("create_thing")


def test_control_refuses_inference(client: TestClient) -> None:
    assert client.get("/v2/models/churn").status_code == 404


def test_a_route_is_built_when_it_is_first_asked_for(client: TestClient) -> None:
    (cases,) = [route for route in client.app.routes if isinstance(route, UseCaseRoutes)]  # pyright: ignore[reportAttributeAccessIssue]
    built = [route for route in cases.late if "route" in vars(route)]
    assert not built
    client.get(URL, headers={"x-me": "reader"})
    assert 0 < len([route for route in cases.late if "route" in vars(route)]) < len(cases.late)


def test_a_method_that_is_not_there_is_405(client: TestClient) -> None:
    assert client.put(URL, headers={"x-me": "reader"}).status_code == 405
    assert client.get("/api/v1/nothing/of/the/kind", headers={"x-me": "reader"}).status_code == 404
