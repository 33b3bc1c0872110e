"""Packages that bring a lock answer from an environment of their own."""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aimass.models import Package
from tests.fixtures.gateway import Gateway, ask, snapshot, wait_for
from tests.fixtures.kept import Kept, kept, reached, wish
from tests.fixtures.wheels import lock_of, locked, offline, wheel

MODULE = "aimass.models.runtimes.python"
PYTHON = platform.python_version()


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in offline(tmp_path / "wheels").items():
        monkeypatch.setenv(name, text)
    return wheel(tmp_path / "wheels")


@pytest.fixture
def pool(wheels: Path) -> Iterator[Kept]:
    with tempfile.TemporaryDirectory(prefix="am") as folder, kept(Path(folder), spares=0) as one:
        yield one


def wanted(package: Package, **more: Any) -> Any:
    lock = str(package.folder / "requirements.lock")
    return wish(package.folder, MODULE, lock=lock, python=PYTHON, **more)


def test_a_package_with_a_lock_answers_from_an_environment_that_is_made_once(
    pool: Kept, alone: Gateway, wheels: Path, tmp_path: Path
) -> None:
    package = locked(tmp_path / "p", lock_of(wheels))
    pool.want(wanted(package))
    wait_for(lambda: (facts := pool.facts()) is not None and "environment" in facts.stage, within=60)
    pool.up()
    alone.publish(snapshot(1, reached(pool, package.folder)))
    alone.start()
    inputs = [
        {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["hello"]},
        {"name": "number", "shape": [1], "datatype": "FP32", "data": [4.0]},
    ]
    answer = ask(alone, "POST", "/v2/models/churn/infer", {"inputs": inputs})
    assert [output["data"] for output in answer.json()["outputs"]] == [["hello?"], [8.0]]
    (made,) = [path for path in pool.layout.environments.iterdir() if path.is_dir()]
    birth = (made / "bridge").stat().st_ino
    pool.want(wanted(package), wanted(package, revision="rev-other"))
    pool.up("rev-other-0")
    assert (made / "bridge").stat().st_ino == birth
