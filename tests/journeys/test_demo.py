"""The demo tells the whole story, twice on one data directory; what it leaves behind is checked afterwards."""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from aimass import Client
from tests.fixtures.facts import Facts
from tests.fixtures.story import OPEN, Telling, none_left

pytestmark = pytest.mark.timeout(900)
RELEASE, RETRAIN = "churn-release", "churn-retrain"
DECISIONS = {"promote", "roll back"}


@dataclass
class Told:
    """The platform after two tellings, still open."""

    telling: Telling
    code: int
    first: str
    left: list[str]
    client: Client
    facts: Facts

    @property
    def second(self) -> str:
        return self.telling.told

    def administrator(self) -> Client:
        """Sign in with the password that the first telling showed once."""
        found = re.search(r"sign in as 'admin' with the password (\S+)", self.first)
        assert found is not None
        with Client(self.client.transport.url) as stranger:
            token = stranger.access.sign_in(name="admin", password=found[1]).token
        return Client(self.client.transport.url, key=token)


@pytest.fixture(scope="module")
def told() -> Iterator[Told]:
    folder = Path(tempfile.mkdtemp(prefix="am"))
    telling = Telling(folder / "d")
    try:
        code = telling.tell()
        first, left = telling.told, none_left(telling.data_dir)
        assert code == 0, first + telling.log()
        telling.start().wait_for(OPEN)
        with telling.client() as client:
            yield Told(telling, code, first, left, client, Facts(telling.data_dir))
    finally:
        telling.stop()
        shutil.rmtree(folder, ignore_errors=True)


def test_the_demo_ends_with_zero_on_a_fresh_and_on_a_used_data_directory(told: Told) -> None:
    assert told.code == 0
    for words in (told.first, told.second):
        assert len(re.findall(r"^ *\d done ", words, re.MULTILINE)) == 9, words
        assert "aimass services history churn" in words
    assert "shown only" in told.first
    assert "shown only" not in told.second


def test_the_demo_leaves_no_process_behind(told: Told) -> None:
    assert told.left == []


def test_the_file_was_collected_once_with_eleven_rows_in_quarantine(told: Told) -> None:
    first = told.client.lake.get_version(dataset="telco-churn", number=1)
    assert (first.rows, first.quarantined) == (7032, 11)
    aside = told.client.collector.list_quarantine(dataset="telco-churn")
    assert (aside.total, len(aside.rows)) == (11, 11)
    assert {row.column for row in aside.rows} == {"TotalCharges"}


def test_each_retraining_made_one_dataset_version(told: Told) -> None:
    versions = told.client.lake.list_versions(dataset="telco-churn").items
    runs = told.client.lifecycle.list_runs(pipeline=RETRAIN, state="SUCCEEDED").items
    origins = [version.origin for version in versions if version.number > 1]
    assert sorted(origins) == sorted(f"run:{run.id}" for run in runs)
    assert len(runs) >= 2


def test_every_telling_released_retrained_and_decided_by_measurement(told: Told) -> None:
    assert len(told.client.lifecycle.list_runs(pipeline=RELEASE, state="SUCCEEDED").items) == 2
    for run in told.client.lifecycle.list_runs(pipeline=RETRAIN).items:
        found = told.client.lifecycle.get_run(run=run.id)
        decided = next(step.output for step in found.steps if step.name == "decide")
        assert decided["decision"] in DECISIONS
        assert decided["reason"]


def test_the_last_promoted_version_is_champion_until_one_command_rolls_it_back(told: Told) -> None:
    decided = [told.client.lifecycle.get_run(run=run.id) for run in told.client.lifecycle.list_runs(limit=50).items]
    promoted = [
        next(step.output["model_version"] for step in run.steps if step.name == "register")
        for run in decided
        if run.pipeline == RELEASE or run.steps[-1].output["decision"] == "promote"
    ]
    assert told.client.models.get_model(model="churn").aliases["champion"] == promoted[0]
    assert _settled(told) == ("READY", promoted[0], 100)
    told.client.serving.roll_back(endpoint="churn", reason="tried by hand")
    newest = told.client.serving.list_history(endpoint="churn", limit=5).items
    back = next(entry for entry in newest if entry.kind == "revision")
    assert (back.cause, back.reason) == ("rollback", "tried by hand")
    assert back.model_version != promoted[0]


def _settled(told: Told) -> tuple[str, int | None, int]:
    """Return how the main deployment does once it has followed its alias, which it does a moment after the promotion."""
    end = time.monotonic() + 60
    while True:
        endpoint = told.client.serving.get_endpoint(endpoint="churn")
        (main,) = [one for one in endpoint.deployments if one.name == endpoint.main]
        if main.state != "STARTING" or time.monotonic() > end:
            return main.state, main.served_version, main.weight
        time.sleep(0.2)


def test_the_policy_approved_and_the_history_says_who_ran_what(told: Told) -> None:
    for number in (1, 2):
        assert told.client.models.get_review(model="churn", number=number).decided_by == "policy:auto"
    history = told.client.serving.list_history(endpoint="churn").items
    assert [entry.time for entry in history] == sorted((entry.time for entry in history), reverse=True)
    assert {entry.model_version for entry in history if entry.kind == "revision"} >= {1, 2, 3}
    assert all(entry.actor for entry in history)


def test_the_first_version_is_as_good_as_the_story_promises(told: Told) -> None:
    (release,) = [r for r in told.client.lifecycle.list_runs(pipeline=RELEASE).items if r.number == 1]
    outputs = {step.name: step.output for step in told.client.lifecycle.get_run(run=release.id).steps}
    assert max(outputs["choose"]["scores"].values()) >= 0.84
    assert len(outputs["choose"]["scores"]) == 4
    auc = outputs["evaluate"]["test_auc"]
    assert auc["low"] < auc["value"] < auc["high"]
    assert outputs["package"]["runtime"] == "onnx"


def test_lineage_leads_from_the_dataset_version_to_the_revision(told: Told) -> None:
    version = told.client.lake.get_version(dataset="telco-churn", number=1)
    lineage = told.client.overview.trace_lineage(kind="dataset_version", id=version.id, hops=6)
    kinds = {node.kind for node in lineage.nodes if node.level > 0}
    assert {"split", "run", "model_version", "revision"} <= kinds
    assert "collection" in {node.kind for node in lineage.nodes if node.level < 0}


def test_the_audit_log_verifies(told: Told) -> None:
    with told.administrator() as administrator:
        report = administrator.access.verify_audit()
    assert report.ok, report.reason
    assert report.rows > 50


def test_no_row_event_or_record_is_there_twice_and_none_is_lost(told: Told) -> None:
    assert len(told.facts.sent()) > 1600
    assert list(told.facts.complaints()) == []
