"""How the figures of the start page come about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aimass.access import CAPABILITY as ACCESS
from aimass.apps.overview import CAPABILITY, Overview
from aimass.apps.overview.console.sentences import SENTENCES, Fact
from aimass.apps.overview.domain import InWorkspace
from aimass.apps.overview.service.situation import drift_now, first_step, service_now, services_now
from aimass.bootstrap.discovery import capabilities
from aimass.cluster import CAPABILITY as CLUSTER
from aimass.cluster import Jobs, SubmitJob
from aimass.infra.compute import child_environment
from aimass.kernel.capability import Capability, JobKind
from aimass.monitoring import Drift, EndpointMetrics, Traffic
from aimass.serving import Endpoint
from aimass.serving.domain.things import RecordPolicy, TrafficPolicy
from tests.fixtures import rooms as rooms_fixture
from tests.fixtures.browser import ROOT
from tests.fixtures.rooms import Rooms
from tests.fixtures.site import Site, site_of

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
ALONE = replace(CAPABILITY, requires=("access", "cluster"))
WAIT = Capability(name="sample", title="Sample", jobs={"sample.wait": JobKind(run="tests.apps.overview.waiting:wait")})


def endpoint(slug: str, state: str) -> Endpoint:
    return Endpoint(
        id=slug, workspace="demo", slug=slug, description="", timeout_s=30, max_body_bytes=1, record=RecordPolicy(),
        unseen="model", traffic=TrafficPolicy(), main=None, state=state, deployments=[], created_by="u", created_at=NOON,
        version=1,
    )  # fmt: skip


class Feature:
    def __init__(self, name: str, psi: float) -> None:
        self.name, self.psi = name, psi


def drift(endpoint_: str, **psi: float) -> Drift:
    return Drift(
        monitor="m", endpoint=endpoint_, deployment="champion", revision="r", model="churn", model_version="1",
        computed_at=NOON, rows=500, reference_rows=500, since=None, until=None, max_psi=max(psi.values()),
        features=[Feature(name, value) for name, value in psi.items()], prediction=None, misfits=0,
    )  # fmt: skip


def test_services_are_counted_by_what_their_callers_feel():
    states = ["READY", "READY", "DEGRADED", "FAILED", "STARTING", "PENDING", "STOPPED"]
    found = services_now([endpoint(f"e{n}", state) for n, state in enumerate(states)])
    assert (found.healthy, found.degraded, found.down, found.starting, found.empty) == (2, 1, 1, 1, 2)


def test_drift_counts_inputs_above_the_limit_once_for_each_endpoint():
    found = drift_now([drift("churn", tenure=3.7, Contract=0.21, gender=0.01), drift("churn", tenure=0.4)])
    assert (found.features, found.feature, found.worst, found.watched) == (2, "tenure", 3.7, 2)


def test_no_drift_is_no_number():
    assert drift_now([]).worst is None


def test_a_service_shows_its_own_traffic_and_drift():
    traffic = Traffic(requests=300, rps=1.0, error_rate=0.02, p95_ms=31.0)
    metrics = EndpointMetrics(endpoint="churn", since=NOON, until=NOON, total=traffic, revisions=[])
    found = service_now(endpoint("churn", "READY"), [metrics], [drift("churn", tenure=0.3), drift("other", x=9.0)])
    assert (found.per_minute, found.p95_ms, found.error_rate, found.max_psi) == (60.0, 31.0, 0.02, 0.3)
    assert service_now(endpoint("quiet", "READY"), [metrics], []).per_minute == 0.0


def test_a_first_step_is_done_when_there_is_something_to_show_for_it():
    assert not first_step("data", []).is_done
    assert first_step("data", ["dataset:b", "dataset:a"]).subject == "dataset:a"


def test_every_sentence_is_about_a_fact_that_some_room_tells():
    emitted = {type_ for room in capabilities() for type_ in room.emits}
    assert sorted(set(SENTENCES) - emitted) == []


def test_every_sentence_can_be_told_without_any_data():
    fact = Fact(who="eve", what="churn")
    for type_, sentence in SENTENCES.items():
        words = sentence.words(lambda text, **values: text % values, fact)
        assert words
        assert "%(" not in words + sentence.more(lambda text, **values: text % values, fact), type_


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(rooms_fixture, "child_environment", lambda: {**child_environment(), "PYTHONPATH": str(ROOT)})
    with site_of(tmp_path, [ACCESS, CLUSTER, ALONE, WAIT]) as site:
        yield site


def test_rooms_that_are_not_installed_leave_their_part_empty(small):
    now = small.registry.get(Overview).show_overview(small.people["viewer"], InWorkspace(workspace="demo"))
    assert (now.services, now.traffic, now.drift, now.endpoints) == (None, None, None, [])
    assert now.jobs is not None
    page = small.visitor("viewer").open("/demo")
    assert page.status_code == 200
    assert "Latency" not in page.text


def test_what_runs_is_shown_with_its_progress_and_its_owner(small):
    rooms = Rooms(Path(), (), registry=small.registry)
    jobs = small.registry.get(Jobs)
    wish = SubmitJob(
        workspace="demo", kind="sample.wait", title="Fit lightgbm", payload={"file": str(small.folder / "go")}
    )
    job = jobs.submit(small.people["editor"], wish)
    read = lambda: small.registry.get(Overview).show_overview(small.root, InWorkspace(workspace="demo")).running  # noqa: E731
    rooms.until(lambda: read() and read()[0].fraction)
    work = read()[0]
    assert (work.id, work.fraction, work.stage) == (job.id, 0.43, "fold 3 of 7")
    part = small.visitor("viewer").part("/demo", "running").text
    assert f'data-live-width="demo/job:{job.id}:fraction"' in part
    assert ">43 %<" in part
    assert "editor" in part
    (small.folder / "go").touch()
    rooms.until(lambda: not read())
