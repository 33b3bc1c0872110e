from __future__ import annotations

import pytest

from tests.fixtures.gateway import Gateway, infer, oip


def test_a_row_is_answered_with_label_and_probabilities(gateway: Gateway) -> None:
    answer = infer(gateway, oip(id="r-1"))
    body = answer.json()
    assert (answer.status, body["model_name"], body["model_version"], body["id"]) == (200, "churn", "1", "r-1")
    assert [o["name"] for o in body["outputs"]] == ["label", "probabilities"]
    assert body["outputs"][0]["data"] in (["Yes"], ["No"])
    assert sum(body["outputs"][1]["data"]) == pytest.approx(1.0, abs=1e-5)
    assert answer.headers["x-aimass-model"] == "churn/1"
    assert answer.headers["x-aimass-revision"] == "rev-champion-1"
    assert answer.headers["x-request-id"] == "r-1"
