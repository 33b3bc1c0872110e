"""The room over HTTP: anonymous 401, stranger 404, reader 200, writer 201."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from starlette.requests import HTTPConnection
from starlette.testclient import TestClient

from aimass.access import Access, CreateKey
from aimass.kernel.principal import ANONYMOUS, Principal
from aimass.kernel.registry import Registry
from aimass.kernel.usecase import use_cases
from aimass.web.api import AppParts, create_app

Person = Callable[..., Principal]
PASSWORD = "four small brown bears"


@pytest.fixture
def api(access: Access) -> Iterator[TestClient]:
    def authenticate(connection: HTTPConnection) -> Principal:
        text = connection.headers.get("authorization", "").removeprefix("Bearer ")
        return access.authenticate(text) if text else ANONYMOUS

    cases = [(case, access) for case in use_cases(access)]
    with TestClient(create_app(AppParts(registry=Registry(), authenticate=authenticate, cases=cases))) as client:
        yield client


@pytest.fixture
def call(api: TestClient, access: Access) -> Callable[..., httpx2.Response]:
    def send(name: str | None, method: str, path: str, body: dict[str, Any] | None = None) -> httpx2.Response:
        headers = {}
        if name is not None:
            token = api.post("/api/v1/access/sign-in", json={"name": name, "password": PASSWORD}).json()["token"]
            headers["Authorization"] = f"Bearer {token}"
        return api.request(method, f"/api/v1{path}", headers=headers, json=body or None)

    return send


@pytest.mark.parametrize(
    ("route", "body", "fine"),
    [
        ("GET /workspaces/demo", {}, "viewer"),
        ("GET /workspaces/demo/members", {}, "viewer"),
        ("GET /workspaces/demo/roles", {}, "viewer"),
        ("GET /workspaces/demo/services", {}, "viewer"),
        ("GET /workspaces/demo/keys", {}, "viewer"),
        ("GET /workspaces/demo/approvals", {}, "viewer"),
        ("POST /workspaces/demo/keys", {"name": "k"}, "viewer"),
        (
            "POST /workspaces/demo/approvals",
            {"subject": "a:b", "reason": "r", "permission": "models.approve"},
            "analyst",
        ),
        ("POST /workspaces/demo/services", {"name": "s"}, "admin"),
        ("POST /workspaces/demo/members", {"role": "viewer", "user": "root"}, "admin"),
        ("POST /workspaces/demo/roles", {"name": "r", "permissions": ["lake.read"]}, "admin"),
        ("POST /access/invitations", {"name": "new", "workspace": "demo", "role": "viewer"}, "admin"),
        ("PATCH /workspaces/demo", {"name": "New"}, "admin"),
        ("GET /audit?workspace=demo", {}, "admin"),
    ],
)
def test_each_kind_of_caller_gets_his_answer(
    call: Callable[..., httpx2.Response], person: Person, demo: str, route: str, body: dict, fine: str
) -> None:
    method, path = route.split(" ")
    person("stranger")
    person("fine", fine)
    anonymous, stranger = (call(name, method, path, body) for name in (None, "stranger"))
    assert (anonymous.status_code, anonymous.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert (stranger.status_code, stranger.json()["code"]) == (404, "not_found")
    if fine == "admin":
        person("reader", "viewer")
        assert call("reader", method, path, body).status_code == 403
    assert call("fine", method, path, body).status_code == (201 if method == "POST" else 200)


@pytest.mark.parametrize(
    "path", ["/access/users", "/access/users/root", "/audit", "/audit/verification", "/audit/export"]
)
def test_the_platform_is_closed_to_administrators_of_a_workspace(
    call: Callable[..., httpx2.Response], person: Person, demo: str, path: str
) -> None:
    person("boss", "admin")
    assert call(None, "GET", path).status_code == 401
    assert call("boss", "GET", path).status_code == 403


def test_a_person_lives_over_http(api: TestClient, access: Access, admin: Principal, demo: str) -> None:
    key = access.create_key(admin, CreateKey(workspace=demo, name="k")).text
    mine = {"Authorization": f"Bearer {key}"}
    invited = {"name": "eve", "workspace": demo, "role": "viewer"}
    token = api.post("/api/v1/access/invitations", json=invited, headers=mine).json()["token"]
    assert api.post("/api/v1/access/accept", json={"token": token, "password": PASSWORD}).json()["state"] == "active"
    session = api.post("/api/v1/access/sign-in", json={"name": "eve", "password": PASSWORD}).json()
    signed = api.post("/api/v1/access/token", json={"credential": session["token"]}).json()["access_token"]
    me = api.get("/api/v1/access/me", headers={"Authorization": f"Bearer {signed}"}).json()
    assert (me["name"], [w["slug"] for w in me["workspaces"]]) == ("eve", [demo])
    assert api.post("/api/v1/access/sign-out", json={"token": session["token"]}).status_code == 204
    assert api.get("/api/v1/access/me", headers={"Authorization": f"Bearer {signed}"}).status_code == 401


def test_a_locked_name_is_told_when_to_come_back(api: TestClient) -> None:
    wrong = {"name": "nobody", "password": "wrong"}
    answers = [api.post("/api/v1/access/sign-in", json=wrong) for _ in range(6)]
    assert [a.status_code for a in answers] == [401] * 5 + [429]
    assert answers[-1].headers["Retry-After"] == "30"


def test_a_bad_body_is_told_without_the_secret(api: TestClient) -> None:
    answer = api.post("/api/v1/access/token", json={"credential": "aim_" + "s" * 2000})
    assert answer.status_code == 400
    assert "sss" not in answer.text


def test_a_stale_change_is_refused_by_its_etag(api: TestClient, access: Access, admin: Principal, demo: str) -> None:
    mine = {"Authorization": f"Bearer {access.create_key(admin, CreateKey(workspace=demo, name='k')).text}"}
    etag = api.get(f"/api/v1/workspaces/{demo}", headers=mine).headers["ETag"]
    change = {**mine, "If-Match": etag}
    assert api.patch(f"/api/v1/workspaces/{demo}", json={"name": "A"}, headers=change).status_code == 200
    assert api.patch(f"/api/v1/workspaces/{demo}", json={"name": "B"}, headers=change).status_code == 412


def test_the_openapi_document_names_every_use_case(api: TestClient, access: Access) -> None:
    paths = api.get("/openapi.json").json()["paths"]
    named = {operation["operationId"] for path in paths.values() for operation in path.values()}
    assert {case.name for case in use_cases(access)} <= named
