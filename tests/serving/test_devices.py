"""A deployment may ask for a device; the service says on which one it runs."""

from __future__ import annotations

import onnxruntime
import pytest

from aimass.serving import OneEndpoint
from tests.fixtures.stage import ANN, Stage

MISSING = "QNNExecutionProvider is not in this build of onnxruntime"
CHURN = OneEndpoint(workspace="demo", endpoint="churn")

pytestmark = pytest.mark.skipif(
    "QNNExecutionProvider" in onnxruntime.get_available_providers(), reason="this machine has the device"
)


def test_a_device_that_is_missing_is_told_beside_the_one_that_answers(live: Stage) -> None:
    live.deploy(1, device="qnn")
    live.until(lambda: (one := live.deployment()).state == "READY" and one.revision == one.target, within=60)
    assert live.answers().status == 200
    live.until(lambda: bool(live.serving.get_status(ANN, CHURN).memory[0].device))
    (found,) = live.serving.get_status(ANN, CHURN).memory
    assert (found.device, found.device_reason) == ("cpu", MISSING)
    assert live.deployment().options.device == "qnn"


def test_a_worker_of_its_own_says_its_device_too(live: Stage) -> None:
    live.deploy(1, device="qnn", placement="isolated", isolation="process")
    live.until(lambda: (one := live.deployment()).state == "READY" and one.revision == one.target, within=60)
    live.until(lambda: any(one.device for one in live.serving.get_status(ANN, CHURN).replicas))
    found = next(one for one in live.serving.get_status(ANN, CHURN).replicas if one.device)
    assert (found.device, found.device_reason) == ("cpu", MISSING)
