"""The room over HTTP: every route is derived from its use case."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.requests import HTTPConnection

from aimass.kernel.principal import ANONYMOUS, SYSTEM, Principal
from aimass.kernel.registry import Registry
from aimass.kernel.usecase import use_cases
from aimass.monitoring import Monitoring
from aimass.web.api import AppParts, create_app
from tests.fixtures.rooms import person
from tests.monitoring.samples import make_record, make_records

CHURN = "/api/v1/workspaces/demo/endpoints/churn"
PEOPLE = {
    "root": SYSTEM,
    "reader": person("Reader", "*.read"),
    "user": person("User", "*.read", "monitoring.use"),
    "stranger": person("Stranger", "*.read", workspace="other"),
}


@pytest.fixture
def http(service: Monitoring) -> Iterator[TestClient]:
    def authenticate(connection: HTTPConnection) -> Principal:
        return PEOPLE.get(connection.headers.get("x-user", ""), ANONYMOUS)

    cases = [(case, service) for case in use_cases(service)]
    with TestClient(create_app(AppParts(registry=Registry(), authenticate=authenticate, cases=cases))) as http:
        http.headers["x-user"] = "root"
        yield http


def label(number: int, text: Any) -> dict[str, Any]:
    return {"request_id": make_record(number)["id"], "label": text}


def test_every_kind_of_caller_gets_his_answer(service: Monitoring, http: TestClient, write_segment: Any) -> None:
    write_segment(make_records(1))
    service.collect()
    body = {"labels": [label(1, "Yes")]}
    answers = [
        http.post(f"{CHURN}/feedback", json=body, headers={"x-user": who}).status_code
        for who in ("", "stranger", "reader", "user")
    ]
    assert answers == [401, 404, 403, 200]
    assert http.get(f"{CHURN}/records", headers={"x-user": "reader"}).json()["items"][0]["inputs"] == {
        "tenure": "***",
        "Contract": "***",
    }


def test_labels_keep_their_kind_on_the_way(http: TestClient) -> None:
    receipt = http.post(f"{CHURN}/feedback", json={"labels": [label(1, True), label(2, 1), label(3, "Yes")]})
    assert receipt.json() == {"received": 3, "added": 3, "changed": 0, "repeated": 0}
    found = http.get(f"{CHURN}/feedback").json()["items"]
    assert [one["label"] for one in found] == ["Yes", "1", "true"]


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("POST", f"{CHURN}/feedback", {"labels": []}, "labels"),
        ("POST", "/api/v1/workspaces/demo/alert-rules", {"endpoint": "churn", "metric": "luck"}, "metric"),
        ("POST", "/api/v1/workspaces/demo/alert-rules", {"endpoint": "A b", "metric": "drift.max_psi"}, "endpoint"),
        ("PUT", f"{CHURN}/reference", {}, "dataset"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_field(
    http: TestClient, method: str, path: str, body: Any, field: str
) -> None:
    refusal = http.request(method, path, json=body)
    assert (refusal.status_code, refusal.json()["field"]) == (400, field)


def test_a_rule_is_changed_only_by_who_has_read_it(http: TestClient) -> None:
    made = http.post(
        "/api/v1/workspaces/demo/alert-rules", json={"endpoint": "churn", "metric": "traffic.p95_ms", "threshold": 100}
    )
    place = f"/api/v1/workspaces/demo/alert-rules/{made.json()['id']}"
    assert (made.status_code, made.headers["etag"]) == (201, '"1"')
    assert http.patch(place, json={"threshold": 200}, headers={"if-match": '"7"'}).status_code == 412
    assert http.patch(place, json={"threshold": 200}, headers={"if-match": '"1"'}).json()["threshold"] == 200
    assert http.delete(place).status_code == 204


def test_what_is_not_known_yet_is_404_with_a_way_out(http: TestClient) -> None:
    for page in ("drift", "quality", "recording", "feedback/coverage"):
        refusal = http.get(f"{CHURN}/{page}")
        assert (refusal.status_code, refusal.json()["code"]) == (404, "not_watched")
        assert refusal.json()["hint"]


def test_series_and_traffic_are_read_by_name(http: TestClient) -> None:
    found = http.get(
        "/api/v1/workspaces/demo/series", params={"name": "gateway_requests", "labels": "endpoint=churn", "step_s": 60}
    )
    assert (found.status_code, found.json()["lines"]) == (200, [])
    assert http.get(f"{CHURN}/metrics", params={"window_s": 60}).json()["total"]["requests"] == 0
