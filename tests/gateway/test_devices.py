"""A device that the machine lacks costs no request: the CPU answers, and the status says why."""

from __future__ import annotations

import json
from pathlib import Path

import onnxruntime
import pytest

from tests.fixtures.gateway import Gateway, ModelWorker, deployment, endpoint, infer, snapshot, wait_for

MISSING = "QNNExecutionProvider is not in this build of onnxruntime"

pytestmark = pytest.mark.skipif(
    "QNNExecutionProvider" in onnxruntime.get_available_providers(), reason="this machine has the device"
)


def test_the_gateway_falls_back_and_says_so(alone: Gateway, packages: dict[str, Path]) -> None:
    alone.publish(
        snapshot(
            1,
            endpoint("churn", deployment(packages["one"], device="qnn")),
            endpoint("plain", deployment(packages["one"], "plain", device="cpu")),
        )
    )
    alone.start()
    asked, plain = infer(alone), infer(alone, name="plain")
    assert asked.status == 200
    assert asked.json()["outputs"] == plain.json()["outputs"]
    wait_for(lambda: len(alone.status()["devices"]) == 2)
    assert alone.status()["devices"] == {"dep-champion": ["cpu", MISSING], "dep-plain": ["cpu", ""]}


def test_a_worker_falls_back_and_says_so(packages: dict[str, Path], short: Path) -> None:
    place = short / "device" / "s"
    worker = ModelWorker(packages["one"], place, device="qnn")
    told = json.loads((place.parent / "ready.json").read_text())
    assert (told["device"], told["device_reason"]) == ("cpu", MISSING)
    worker.stop()
