"""Environments of deployments: told while they are made, kept while they are used."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from aimass.kernel.layout import DataDir
from aimass.serving import OneEndpoint
from aimass.serving.keeping import collect, going, storage
from tests.fixtures.packages import approved
from tests.fixtures.stage import ANN, Stage
from tests.fixtures.wheels import lock_of, locked, offline, wheel


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in offline(tmp_path / "wheels").items():
        monkeypatch.setenv(name, text)
    return wheel(tmp_path / "wheels")


def test_a_lock_that_cannot_be_installed_is_told_and_leaves_what_served(
    live: Stage, wheels: Path, tmp_path: Path
) -> None:
    missing = lock_of(wheels, name="nosuchpackage")
    approved(live.rooms, ANN, "locked", locked(tmp_path / "p", missing).folder)
    live.deploy(1, model="locked", execution="auto")
    live.until(lambda: live.deployment().state == "DEGRADED", within=120)
    reason = live.deployment().reason
    assert "the environment of the package cannot be made" in reason
    assert "nosuchpackage" in reason
    assert live.answers().json()["model_version"] == "1"


def test_an_environment_is_kept_while_a_deployment_runs_in_it(stage: Stage, wheels: Path, tmp_path: Path) -> None:
    approved(stage.rooms, ANN, "locked", locked(tmp_path / "p", lock_of(wheels)).folder)
    stage.turn()
    stage.start_gateway()
    stage.deploy(1, model="locked", execution="auto")
    stage.until(lambda: stage.deployment().state == "READY", within=120)
    registry, root = stage.rooms.registry, stage.rooms.get(DataDir).environments
    (made,) = [path for path in root.iterdir() if path.is_dir()]
    (held,) = storage(registry)
    assert (held.part, held.count, held.size_bytes > 0) == ("environments", 1, True)
    long_ago = time.time() - 3 * 86_400
    os.utime(made / "ready", (long_ago, long_ago))
    left = root / "0123.building"
    left.mkdir()
    os.utime(left, (long_ago, long_ago))
    assert [one.name for one in going(registry)] == [left.name]
    assert [one.name for one in collect(registry)] == [left.name]
    assert (made / "ready").exists()
    assert stage.serving.get_status(ANN, OneEndpoint(workspace="demo", endpoint="churn")).replicas[0].is_up
