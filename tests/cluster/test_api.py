"""The room over HTTP: derived routes, and the log as a stream."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from starlette.requests import HTTPConnection

from aimass.cluster import CancelJob, Jobs
from aimass.cluster.api import router
from aimass.kernel.principal import ANONYMOUS, SYSTEM, Principal
from aimass.kernel.registry import Registry
from aimass.kernel.usecase import use_cases
from aimass.web.api import AppParts, create_app

JOBS = "/api/v1/workspaces/demo/jobs"


@pytest.fixture
def http(stage, alice: Principal) -> Iterator[TestClient]:
    registry = Registry()
    registry.put(Jobs, stage.jobs)

    def authenticate(connection: HTTPConnection) -> Principal:
        return {"alice": alice, "root": SYSTEM}.get(connection.headers.get("x-user", ""), ANONYMOUS)

    cases = [(case, stage.jobs) for case in use_cases(stage.jobs)]
    with TestClient(
        create_app(AppParts(registry=registry, authenticate=authenticate, cases=cases, apis=[router]))
    ) as http:
        http.headers["x-user"] = "alice"
        yield http


def test_a_job_is_seen_with_its_progress_and_result(stage, http: TestClient) -> None:
    job = stage.run(stage.submit(payload={"steps": 2}))
    seen = http.get(f"{JOBS}/{job.id}").json()
    assert (seen["state"], seen["result"], seen["progress"]["fraction"]) == ("SUCCEEDED", {"from": 0, "steps": 2}, 1.0)
    assert [one["id"] for one in http.get(JOBS, params={"state": "SUCCEEDED"}).json()["items"]] == [job.id]


def test_every_kind_of_caller_gets_his_answer(stage, http: TestClient) -> None:
    job = stage.submit()
    assert http.get(f"{JOBS}/{job.id}", headers={"x-user": "nobody"}).status_code == 401
    assert http.get("/api/v1/workspaces/other/jobs").status_code == 404
    assert http.put("/api/v1/quotas/demo", json={"slots": 1}).status_code in (403, 404)
    assert http.put("/api/v1/quotas/demo", json={"slots": 1}, headers={"x-user": "root"}).json()["slots"] == 1
    assert http.post(f"{JOBS}/{job.id}/cancel").json()["cancel_requested"] is True


def test_a_job_that_has_ended_cannot_be_cancelled(stage, http: TestClient) -> None:
    job = stage.run(stage.submit())
    refusal = http.post(f"{JOBS}/{job.id}/cancel")
    assert (refusal.status_code, refusal.json()["code"]) == (409, "job_ended")


def test_the_log_comes_as_a_stream_that_ends_with_the_job(stage, http: TestClient) -> None:
    job = stage.run(stage.submit(payload={"steps": 3}))
    text = http.get(f"{JOBS}/{job.id}/log/stream").text
    lines = [json.loads(line[6:]) for line in text.splitlines() if line.startswith('data: {"')]
    assert [line["text"] for line in lines] == ["step 0", "step 1", "step 2"]
    assert text.endswith("event: end\ndata: {}\n\n")
    rest = http.get(f"{JOBS}/{job.id}/log/stream", headers={"last-event-id": "2"}).text
    assert rest.count('data: {"') == 1


def test_a_stranger_gets_no_stream(stage, http: TestClient) -> None:
    job = stage.submit(workspace="other")
    assert http.get(f"/api/v1/workspaces/other/jobs/{job.id}/log/stream").status_code == 404


def test_waiting_over_http_ends_with_the_job(stage, http: TestClient) -> None:
    job = stage.submit()
    stage.jobs.cancel_job(SYSTEM, CancelJob(workspace="demo", job=job.id))
    stage.run(job)
    assert http.get(f"{JOBS}/{job.id}/wait", params={"timeout_s": 30}).json()["state"] == "CANCELLED"


def test_nodes_are_shown_to_everybody_signed_in(stage, http: TestClient) -> None:
    stage.runner.step()
    node = http.get("/api/v1/nodes").json()[0]
    assert (node["id"], node["slots"], node["state"]) == ("local", 2, "READY")
