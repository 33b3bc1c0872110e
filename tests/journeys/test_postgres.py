"""The platform on PostgreSQL: starts, migrates, signs in, collects, trains, and goes on after a kill."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from sqlalchemy import make_url

from aimass import Client
from aimass.bootstrap.demo.story import churn_file
from aimass.kernel.errors import Unavailable
from tests.fixtures.platform import RunningPlatform, running_platform
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.story import processes_of

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(600)]
ORDER = {"dataset": "telco-churn", "target": "Churn", "key_column": "customerID", "model": "churn", "endpoint": "churn"}
QUICK = {"recipes": ["logistic_regression"], "folds": 2, "least_score": 0.5}


@pytest.fixture(scope="module")
def url(postgres: PostgresServer) -> str:
    return postgres.create()


@pytest.fixture(scope="module")
def platform(url: str) -> Iterator[RunningPlatform]:
    folder = Path(tempfile.mkdtemp(prefix="am"))
    with running_platform(folder / "d", {"AIMASS_DB": url}) as platform:
        with platform.admin() as admin:
            admin.access.create_workspace(name="demo", review="auto")
        yield platform
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def client(platform: RunningPlatform) -> Iterator[Client]:
    with platform.admin("demo") as admin:
        admin.access.create_service(name="builder", role="admin")
        key = admin.access.create_key(name="builder", service="builder").text
    with Client(platform.url, key=key, workspace="demo") as client:
        client.collect(churn_file(), "telco-churn", types={"TotalCharges": "float"}, keys=["customerID"])
        yield client


def _count(url: str, statement: str) -> int:
    parts = make_url(url)
    where = {"host": str(parts.query["host"]), "user": parts.username, "dbname": parts.database}
    with contextlib.closing(psycopg.connect(**where)) as conn:  # pyright: ignore[reportArgumentType]
        found = conn.execute(statement).fetchone()
    return int(found[0]) if found else 0


def test_everything_is_kept_in_the_server_and_nothing_in_files(
    platform: RunningPlatform, client: Client, url: str
) -> None:
    assert client.lake.get_version(dataset="telco-churn").rows == 7032
    assert _count(url, "select count(*) from lake_versions") == 1
    assert not (platform.data_dir / "aimass.db").exists()
    assert not (platform.data_dir / "workflows.db").exists()


def test_a_model_is_trained_reviewed_and_served(client: Client, url: str) -> None:
    run = client.release(**ORDER, parameters=QUICK, timeout_s=300)
    assert [step.state for step in run.steps] == ["SUCCEEDED"] * 11
    assert _count(url, "select count(*) from dbos.workflow_status where status = 'SUCCESS'") == 1
    customer = client.query('select * exclude (customerID, Churn) from "telco-churn" limit 1').rows()[0]
    assert _answered(client, customer) in {"Yes", "No"}


def _answered(client: Client, customer: dict[str, object]) -> str:
    end = time.monotonic() + 30
    while True:
        with contextlib.suppress(Exception):
            return client.predict("churn", [customer])[0].label
        assert time.monotonic() < end, "the endpoint does not answer"
        time.sleep(0.2)


def test_what_was_made_is_found_by_search_in_both_languages(client: Client) -> None:
    client.models.create_model(name="客户流失预测", slug="liushi")
    end = time.monotonic() + 20
    while not client.overview.search(q="流失"):
        assert time.monotonic() < end, "it is not found"
        time.sleep(0.2)
    assert "dataset" in {found.kind for found in client.overview.search(q="telco")}


def test_a_run_goes_on_after_control_was_killed(platform: RunningPlatform, client: Client) -> None:
    name = client.lifecycle.create_pipeline(name="again", template="release", parameters={**ORDER, **QUICK}).slug
    run = client.lifecycle.start_run(pipeline=name, key="once").id
    _until_step(client, run, "split")
    (control,) = [p for p in processes_of(platform.data_dir) if "aimass.bootstrap.control" in " ".join(p.cmdline())]
    control.kill()
    psutil.wait_procs([control], timeout=10)
    _back(client)
    assert client.lifecycle.start_run(pipeline=name, key="once").id == run
    done = client.wait_for_run(run, timeout_s=300)
    assert (done.state, done.attempt) == ("SUCCEEDED", 1)


def _until_step(client: Client, run: str, step: str) -> None:
    end = time.monotonic() + 120
    while next(s for s in client.lifecycle.get_run(run=run).steps if s.name == step).state != "SUCCEEDED":
        assert time.monotonic() < end, "the run does not begin"
        time.sleep(0.1)


def _back(client: Client) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with contextlib.suppress(Unavailable):
            client.access.who_am_i()
            return
        time.sleep(0.2)
    raise AssertionError("control did not come back")


def test_the_audit_log_verifies(platform: RunningPlatform) -> None:
    with platform.admin() as admin:
        report = admin.access.verify_audit()
    assert report.ok, report.reason
