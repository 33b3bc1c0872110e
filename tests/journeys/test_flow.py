"""What a service does beside answering one request, through SDK, command line and a real platform."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aimass import Client
from aimass.kernel.errors import Invalid
from tests.fixtures.backups import until
from tests.fixtures.platform import RunningPlatform, running_platform

pytestmark = pytest.mark.timeout(600)
QUICK = {"recipes": ["logistic_regression"], "folds": 2, "least_score": 0.5}
MANY = 400_000
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@dataclass
class House:
    """A platform with one small model in service on the endpoint ``small``."""

    platform: RunningPlatform
    client: Client
    key: str
    folder: Path

    def collect(self, rows: int, name: str) -> Any:
        path = self.folder / "data.csv"
        lines = ["plan,months,paid,left"]
        for number in range(rows):
            plan = ("basic", "plus", "pro")[number % 3]
            leaves = (number % 3 == 0) != (number % 11 == 0)
            lines.append(f"{plan},{number % 24},{20 + number % 7}.5,{'Yes' if leaves else 'No'}")
        path.write_text("\n".join(lines) + "\n")
        return self.client.collect(path, name)

    def run(self, *words: str) -> Any:
        """Run a command of the command line and return its JSON."""
        place = {"AIMASS_URL": self.platform.url, "AIMASS_KEY": self.key, "AIMASS_WORKSPACE": "lab"}
        command = [sys.executable, "-m", "aimass", *words, "--json"]
        done = subprocess.run(command, env={**os.environ, **place}, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    folder = Path(tempfile.mkdtemp(prefix="am"))
    with running_platform(folder / "d") as platform:
        with platform.admin("lab") as admin:
            admin.access.create_workspace(name="lab", review="auto")
            admin.access.create_service(name="builder", role="admin")
            key = admin.access.create_key(name="builder", service="builder").text
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TRACEPARENT", f"00-{TRACE}-00f067aa0ba902b7-01")
            client = Client(platform.url, key=key, workspace="lab")
        with client:
            made = House(platform, client, key, folder)
            made.collect(240, "small")
            wish = {"dataset": "small", "target": "left", "model": "small", "endpoint": "small"}
            client.release(**wish, parameters=QUICK, timeout_s=120)
            yield made
    shutil.rmtree(folder, ignore_errors=True)


def test_a_dataset_is_scored_by_the_sdk_and_answers_like_the_endpoint(house: House) -> None:
    seen: list[float] = []
    done = house.client.score("small", "small", "small-scores", progress=lambda now: seen.append(now.fraction))
    assert (done.state, done.rows, done.to_version) == ("SUCCEEDED", 240, 1)
    rows = house.client.dataset("small-scores").rows(limit=5)
    asked = house.client.predict("small", [{n: row[n] for n in ("plan", "months", "paid")} for row in rows])
    assert [row["prediction"] for row in rows] == [one.label for one in asked]
    with pytest.raises(Invalid, match="no column"):
        house.client.score("small", "small", "small-scores", columns={"plan": "tariff"})


def test_one_trace_finds_the_request_the_run_and_its_jobs(house: House) -> None:
    client = house.client
    (run,) = client.lifecycle.list_runs(trace=TRACE).items
    assert (run.state, run.trace) == ("SUCCEEDED", TRACE)
    jobs = client.cluster.list_jobs(trace=TRACE, limit=200).items
    assert {"collector.collect", "training.fit"} <= {job.kind for job in jobs}
    assert {job.trace for job in jobs} == {TRACE}
    fit = next(job for job in jobs if job.kind == "training.fit")
    assert client.cluster.get_job_log(job=fit.id).lines[0].text.endswith(f"trace {TRACE}")
    facts = client.overview.list_activity(trace=TRACE, limit=200)
    told = {"lifecycle.run.started", "lifecycle.step.succeeded", "lifecycle.run.succeeded", "cluster.job.succeeded"}
    assert told <= {fact.type for fact in facts}
    answered = client.predict("small", [{"plan": "pro", "months": 3, "paid": 21.5}])

    def recorded() -> bool:  # every request of this client has the trace, those of other tests too
        found = client.monitoring.list_records(endpoint="small", trace=TRACE).items
        return answered[0].request_id in {record.id for record in found}

    until(recorded)


BILLS = {"dataset": "bills", "target": "bill", "model": "bills", "endpoint": "bills"}
FAST = {"recipes": ["linear_regression"], "folds": 2}


@dataclass
class Billing:
    """A model of numbers in service: the run that released it, what it was asked and said, and what came true."""

    run: Any
    asked: list[dict[str, Any]]
    said: list[Any]
    true: list[int]


@pytest.fixture(scope="module")
def billing(house: House) -> Billing:
    client = house.client
    rows = [(("basic", "plus", "pro")[n % 3], n % 24, f"c{n % 60}") for n in range(300)]
    bills = [30 * len(plan) + 3 * months + (n * 7919 % 4) for n, (plan, months, _) in enumerate(rows)]
    lines = [f"{plan},{months},{customer},{bill}" for (plan, months, customer), bill in zip(rows, bills, strict=True)]
    (house.folder / "bills.csv").write_text("\n".join(["plan,months,customer,bill", *lines]) + "\n")
    client.collect(house.folder / "bills.csv", "bills")
    run = client.release(**BILLS, parameters={**FAST, "group_column": "customer"}, timeout_s=120)
    asked = [{"plan": plan, "months": months} for plan, months, _ in rows[:120]]
    said = [one for row in asked for one in client.predict("bills", [row])]
    truth = [{"request_id": one.request_id, "label": bill} for one, bill in zip(said, bills, strict=False)]
    client.monitoring.send_feedback(endpoint="bills", labels=truth)
    until(lambda: client.monitoring.get_coverage(endpoint="bills").known == len(truth))
    return Billing(run, asked, said, bills[:120])


def test_a_number_is_predicted_explained_and_judged(house: House, billing: Billing) -> None:
    steps = {step.name: step.output for step in billing.run.steps}
    assert (steps["choose"]["metric"], steps["evaluate"]["test_interval"]["metric"]) == ("rmse", "rmse")
    assert [one.label for one in billing.said] == pytest.approx(billing.true, abs=6.0)
    (why,) = house.client.explain("bills", billing.asked[:1])
    assert why.base + sum(why.shares.values()) == pytest.approx(billing.said[0].label, abs=0.01)
    quality = house.client.monitoring.evaluate_now(endpoint="bills").quality[0]
    assert set(quality.metrics) == {"rmse", "mae", "median_ae", "r2", "mape"}
    assert quality.metrics["rmse"].value < 6
    assert quality.baseline["rmse"] == pytest.approx(steps["evaluate"]["test_metrics"]["rmse"])


@pytest.mark.usefixtures("billing")
def test_a_model_of_numbers_learns_from_what_came_true(house: House) -> None:
    client = house.client
    parameters = {**BILLS, **FAST, "canary_requests": 5, "canary_timeout_s": 60}
    client.lifecycle.create_pipeline(name="bills-again", template="retrain", parameters=parameters)
    started = client.lifecycle.start_run(pipeline="bills-again")

    def decided() -> Any:
        client.predict("bills", [{"plan": "pro", "months": 3}])
        found = client.lifecycle.get_run(run=started.id)
        return found if found.state in ("SUCCEEDED", "FAILED") else None

    ended = until(decided)
    assert ended.state == "SUCCEEDED", ended.error
    assert client.lake.get_version(dataset="bills").rows == 420


def test_a_dataset_is_scored_by_the_command_line(house: House) -> None:
    done = house.run("predict", "small", "--dataset", "small", "--to", "by-hand", "--keep", "plan", "--once", "k1")
    again = house.run("predict", "small", "--dataset", "small", "--to", "by-hand", "--keep", "plan", "--once", "k1")
    assert (done["state"], again["id"]) == ("SUCCEEDED", done["id"])
    assert house.run("scorings", "show", done["id"])["to_version"] == 1
    assert set(house.client.dataset("by-hand").rows(limit=1)[0]) >= {"plan", "prediction", "request_id"}
    derived = house.run("scorings", "start", "--endpoint", "small", "--dataset", "small", "--to", "x", "--once", "k2")
    assert house.run("scorings", "list", "--dataset", "x")["items"][0]["id"] == derived["id"]
    spare = house.client.access.create_key(name="spare", service="builder").key.id
    house.run("keys", "revoke", spare)
    by_version = house.run("predict", "small", "--dataset", "small", "--to", "by-version", "--model-version", "1")
    assert (by_version["endpoint"], by_version["model_version"]) == (None, 1)


def test_a_scoring_survives_the_sudden_end_of_the_platform(house: House) -> None:
    house.collect(MANY, "many")
    started = house.client.score("small", "many", "many-scores", wait=False, slots=1)
    while not (now := house.client.serving.get_scoring(scoring=started.id)).rows:
        assert now.state in ("QUEUED", "RUNNING", "SUCCEEDED"), now.error
        if now.state == "SUCCEEDED":
            break
    house.platform.process.send_signal(signal.SIGKILL)
    house.platform.process.wait()
    house.platform.stop()
    house.platform.start_again()
    done = house.client.score("small", "many", "many-scores-2", slots=1)
    while (first := house.client.serving.get_scoring(scoring=started.id)).state in ("QUEUED", "RUNNING"):
        time.sleep(0.2)  # it began again, and may end after the second
    assert (done.rows, first.state, first.rows, first.to_version) == (MANY, "SUCCEEDED", MANY, 1)
    counted = house.client.query('select count(*) n, count(distinct request_id) r from "many-scores"')
    assert counted.rows() == [{"n": MANY, "r": MANY // 100}]
