"""The tritonclient package, unmodified, against the gateway."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.fixtures.gateway import KEY, ROW, Gateway, infer, oip

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def triton(gateway: Gateway) -> Iterator[Any]:
    from tritonclient import http

    client = http.InferenceServerClient(f"127.0.0.1:{gateway.port}")
    yield client
    client.close()


def key() -> dict[str, str]:
    """New headers for each call: the client writes its own into the ones it gets."""
    return {"Authorization": f"Bearer {KEY}"}


ARRAYS = {
    "contract": np.array([["One year"], ["Two year"]], dtype=object),
    "internet": np.array([["DSL"], ["No"]], dtype=object),
    "tenure": np.array([[12], [3]], dtype=np.int64),
    "charges": np.array([[56.95], [np.nan]], dtype=np.float32),
}


def tensors(binary: bool) -> list[Any]:
    from tritonclient import http

    found = []
    for name, array in ARRAYS.items():
        tensor = http.InferInput(name, list(array.shape), {"O": "BYTES", "i": "INT64", "f": "FP32"}[array.dtype.kind])
        tensor.set_data_from_numpy(array if binary or name != "charges" else np.nan_to_num(array), binary_data=binary)
        found.append(tensor)
    return found


def test_health_and_metadata(triton: Any) -> None:
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready("churn", headers=key())
    assert triton.get_server_metadata()["name"] == "aimass"
    assert triton.get_model_metadata("churn", headers=key())["versions"] == ["1"]
    assert triton.get_model_repository_index(headers=key())[0]["name"] == "churn"


@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False])
def test_all_four_ways_of_tensors_in_and_out(triton: Any, binary_in: bool, binary_out: bool) -> None:
    from tritonclient import http

    outputs = [http.InferRequestedOutput(name, binary_data=binary_out) for name in ("label", "probabilities")]
    result = triton.infer("churn", tensors(binary_in), outputs=outputs, request_id="t-1", headers=key())
    assert result.get_response()["id"] == "t-1"
    assert result.as_numpy("probabilities").shape == (2, 2)
    label = result.as_numpy("label")[0]
    assert (label.decode() if isinstance(label, bytes) else label) in ("Yes", "No")


def test_without_an_outputs_list_everything_comes_as_bytes(triton: Any, gateway: Gateway) -> None:
    result = triton.infer("churn", tensors(True), headers=key())
    expected = infer(gateway, oip([ROW])).json()["outputs"][1]["data"]
    assert result.as_numpy("probabilities")[0].tolist() == pytest.approx(expected, abs=1e-6)


def test_packed_bodies_and_versions(triton: Any) -> None:
    result = triton.infer(
        "other", tensors(True), model_version="3", request_compression_algorithm="gzip", headers=key()
    )
    assert result.get_response()["model_version"] == "3"


def test_an_error_is_told_by_the_client(triton: Any) -> None:
    from tritonclient import http
    from tritonclient.utils import InferenceServerException

    tensor = http.InferInput("contract", [1, 1], "BYTES")
    tensor.set_data_from_numpy(np.array([["One year"]], dtype=object))
    with pytest.raises(InferenceServerException, match="is missing"):
        triton.infer("churn", [tensor], headers=key())


def test_cut_and_surplus_bytes_are_refused(gateway: Gateway) -> None:
    from tritonclient import http

    body, size = http.InferenceServerClient.generate_request_body(tensors(True))
    for broken in (body[:-1], body + b"x"):
        answer = infer(gateway, broken, Inference_Header_Content_Length=str(size))
        assert (answer.status, answer.json()["code"]) == (400, "wrong_shape")
    assert infer(gateway, body, Inference_Header_Content_Length=str(len(body) + 1)).status == 400
    assert infer(gateway, body, Inference_Header_Content_Length="-1").json()["code"] == "bad_request"
