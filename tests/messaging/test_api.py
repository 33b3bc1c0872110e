"""The room over HTTP: every route is derived."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from aimass.kernel.registry import Registry
from aimass.kernel.usecase import use_cases
from aimass.web.api import AppParts, create_app

DEMO = "/api/v1/workspaces/demo"


@pytest.fixture
def http(desk) -> Iterator[TestClient]:
    cases = [(case, desk.service) for case in use_cases(desk.service)]
    parts = AppParts(registry=Registry(), authenticate=lambda _: desk.who, cases=cases)
    with TestClient(create_app(parts)) as http:
        yield http


def test_a_message_goes_from_publisher_to_reader(http: TestClient) -> None:
    assert http.post(f"{DEMO}/topics", json={"topic": "orders"}).status_code == 201
    one = f"{DEMO}/topics/orders/subscriptions"
    assert http.post(one, json={"subscription": "billing"}).json()["waiting"] == 0
    sent = http.post(f"{DEMO}/topics/orders/messages", json={"messages": [{"body": {"客户": 7}, "key": "7"}]})
    assert sent.json()[0]["is_new"] is True
    got = http.post(f"{one}/billing/pull", json={"limit": 5}).json()
    assert [m["body"] for m in got] == [{"客户": 7}]
    assert http.post(f"{one}/billing/ack", json={"receipts": [got[0]["receipt"]]}).json() == {"count": 1, "stale": []}


def test_a_schedule_is_made_changed_with_its_etag_and_deleted(http: TestClient) -> None:
    http.post(f"{DEMO}/topics", json={"topic": "ticks"})
    body = {"name": "每小时 hourly", "cron": "0 * * * *", "message": {"topic": "ticks", "body": 1}}
    made = http.post(f"{DEMO}/schedules", json=body)
    assert (made.status_code, len(made.json()["next_times"]), made.headers["etag"]) == (201, 5, '"1"')
    place = f"{DEMO}/schedules/{made.json()['schedule']}"
    assert http.patch(place, json={"cron": "5 * * * *"}, headers={"if-match": '"1"'}).json()["version"] == 2
    assert http.patch(place, json={"cron": "6 * * * *"}, headers={"if-match": '"1"'}).status_code == 412
    assert http.delete(place).status_code == 204


def test_a_cron_expression_that_is_wrong_names_its_field(http: TestClient) -> None:
    refusal = http.get(f"{DEMO}/cron-preview", params={"cron": "61 * * * *"})
    assert (refusal.status_code, refusal.json()["field"]) == (400, "cron")


def test_an_empty_batch_is_refused(http: TestClient) -> None:
    http.post(f"{DEMO}/topics", json={"topic": "orders"})
    assert http.post(f"{DEMO}/topics/orders/messages", json={"messages": []}).status_code == 400
