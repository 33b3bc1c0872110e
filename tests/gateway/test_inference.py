from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import numpy as np
import pytest

from tests.fixtures.gateway import EXPIRED, KEY, ROW, SLOW, VIEWER, Gateway, ask, infer, oip, request, wait_for


def changed(name: str, **parts: Any) -> dict[str, Any]:
    """A request whose input of this name is changed."""
    document = oip()
    next(i for i in document["inputs"] if i["name"] == name).update(parts)
    return document


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


def test_one_row_and_many_rows_give_the_same_answers(gateway: Gateway) -> None:
    rows = [{**ROW, "tenure": t, "contract": c} for t in (1, 40) for c in ("One year", "Month-to-month")]
    many = infer(gateway, oip(rows)).json()["outputs"]
    singles = [infer(gateway, oip([row])).json()["outputs"] for row in rows]
    assert many[0]["data"] == [s[0]["data"][0] for s in singles]
    assert many[1]["shape"] == [4, 2]
    assert many[1]["data"] == pytest.approx([p for s in singles for p in s[1]["data"]], abs=1e-6)


@pytest.mark.parametrize("shape", [[1], [1, 1]])
def test_flat_and_nested_data_are_welcome(gateway: Gateway, shape: list[int]) -> None:
    document = oip()
    for tensor in document["inputs"]:
        tensor["shape"] = shape
        tensor["data"] = [tensor["data"]] if len(shape) == 2 else tensor["data"]
    assert infer(gateway, document).json()["outputs"] == infer(gateway).json()["outputs"]


def test_inputs_may_come_in_any_order(gateway: Gateway) -> None:
    document = oip()
    document["inputs"].reverse()
    assert infer(gateway, document).json()["outputs"] == infer(gateway).json()["outputs"]


def test_without_an_id_the_request_gets_a_ulid(gateway: Gateway) -> None:
    answer = infer(gateway)
    assert len(answer.json()["id"]) == 26
    assert answer.headers["x-request-id"] == answer.json()["id"]


def test_an_id_that_no_header_can_carry_is_written_safely(gateway: Gateway) -> None:
    answer = infer(gateway, oip(id="客户\r\nX-Evil: 1"))
    assert answer.json()["id"] == "客户\r\nX-Evil: 1"
    assert answer.headers["x-request-id"].startswith("%E5")
    assert "x-evil" not in answer.headers


def test_only_the_requested_outputs_come_back(gateway: Gateway) -> None:
    body = infer(gateway, oip(outputs=[{"name": "probabilities"}], parameters={"note": "x"})).json()
    assert [o["name"] for o in body["outputs"]] == ["probabilities"]


def test_a_nullable_input_may_be_null(gateway: Gateway) -> None:
    document = oip([{**ROW, "charges": None, "internet": None}])
    assert infer(gateway, document).status == 200
    assert infer(gateway, oip([{**ROW, "charges": None}, {**ROW, "internet": None}])).status == 200


REFUSED = [
    (lambda d: d["inputs"].pop(0), "missing_input", "contract", None, "string"),
    (lambda d: d["inputs"].append({**d["inputs"][0], "name": "zip"}), "unknown_input", "zip", "zip", ...),
    (lambda d: d["inputs"].append(d["inputs"][0]), "doubled_input", "contract", None, None),
    (lambda d: d["inputs"][0].update(data=[7]), "wrong_type", "contract", 7, "text"),
    (lambda d: d["inputs"][2].update(data=["12"]), "wrong_type", "tenure", "12", "whole numbers"),
    (lambda d: d["inputs"][2].update(data=[True]), "wrong_type", "tenure", True, "whole numbers"),
    (lambda d: d["inputs"][2].update(data=[1.5]), "wrong_type", "tenure", 1.5, "whole numbers"),
    (lambda d: d["inputs"][2].update(datatype="FP32", data=[1.5]), "wrong_type", "tenure", 1.5, "whole numbers"),
    (lambda d: d["inputs"][2].update(datatype="INT8", data=[300]), "wrong_type", "tenure", 300, [-128, 127]),
    (lambda d: d["inputs"][3].update(data=[1e39]), "wrong_type", "charges", 1e39, ...),
    (lambda d: d["inputs"][0].update(data=[None]), "null_refused", "contract", None, "string, never null"),
    (
        lambda d: d["inputs"][0].update(data=["Weekly"]),
        "unseen_category",
        "contract",
        "Weekly",
        ["Month-to-month", "One year", "Two year"],
    ),
    (lambda d: d["inputs"][1].update(shape=[2]), "wrong_shape", "internet", ..., ...),
    (lambda d: d["inputs"][0].update(shape=[1, 2]), "wrong_shape", "contract", ..., "[n] or [n, 1]"),
    (lambda d: d["inputs"][0].update(shape=[0], data=[]), "wrong_shape", "contract", ..., "[n] or [n, 1]"),
    (lambda d: d["inputs"][0].update(data=["One year", "DSL"]), "wrong_shape", "contract", 2, 1),
    (lambda d: d["inputs"][0].update(data="One year"), "wrong_shape", "contract", "One year", ...),
    (lambda d: d["inputs"][0].update(datatype="FP32"), "unknown_datatype", "contract", "FP32", ["BYTES"]),
    (lambda d: d["inputs"][3].update(datatype="BF16"), "unknown_datatype", "charges", "BF16", ...),
    (lambda d: d.update(inputs={}), "invalid_json", "inputs", None, ...),
    (lambda d: d.update(id=7), "invalid_json", "id", 7, ...),
    (
        lambda d: d.update(outputs=[{"name": "logits"}]),
        "unknown_output",
        "outputs",
        "logits",
        ["label", "probabilities"],
    ),
]


@pytest.mark.parametrize(("change", "code", "field", "value", "allowed"), REFUSED)
def test_what_breaks_the_signature_is_refused_with_field_value_and_allowed(
    gateway: Gateway, change: Any, code: str, field: str, value: Any, allowed: Any
) -> None:
    document = oip()
    change(document)
    answer = infer(gateway, document)
    body = answer.json()
    assert (answer.status, body["code"], body["field"]) == (400, code, field), body
    assert body["error"]
    if value is not ...:
        assert body.get("value") == value
    if allowed is not ...:
        assert body.get("allowed") == allowed


def test_a_wrong_value_among_many_is_named_by_its_row(gateway: Gateway) -> None:
    answer = infer(gateway, oip([ROW, {**ROW, "charges": "a lot"}]))
    assert (answer.status, answer.json()["value"]) == (400, "a lot")
    assert "row 1" in answer.json()["error"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"inputs": 1e999999}', b"\xff\xfe", b'"text"'])
def test_a_body_that_is_no_request_is_refused(gateway: Gateway, body: bytes) -> None:
    answer = infer(gateway, body)
    assert (answer.status, answer.json()["code"]) == (400, "invalid_json")


def test_an_unseen_category_is_served_and_noted_where_the_signature_says_so(gateway: Gateway) -> None:
    assert infer(gateway, oip([{**ROW, "internet": "Satellite"}], id="unseen-1")).status == 200
    assert gateway.wait_for_record("unseen-1")["unseen"] == ["internet"]
    assert 'aimass_gateway_unseen_total{column="internet"' in ask(gateway, "GET", "/metrics").body.decode()


@pytest.mark.parametrize(
    ("coding", "packed"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("identity", bytes)]
)
def test_compressed_bodies_are_welcome(gateway: Gateway, coding: str, packed: Any) -> None:
    body = packed(json.dumps(oip(id="z")).encode())
    assert infer(gateway, body, Content_Encoding=coding).json()["id"] == "z"


def test_an_unknown_or_broken_encoding_is_refused(gateway: Gateway) -> None:
    assert infer(gateway, b"x", Content_Encoding="br").status == 415
    assert infer(gateway, b"no gzip", Content_Encoding="gzip").json()["code"] == "invalid_json"
    cut = gzip.compress(json.dumps(oip()).encode())[:-12]
    assert infer(gateway, cut, Content_Encoding="gzip").json()["code"] == "invalid_json"


def test_a_body_that_unpacks_to_more_than_the_limit_is_refused(gateway: Gateway) -> None:
    bomb = gzip.compress(b" " * (2 << 20))
    answer = infer(gateway, bomb, Content_Encoding="gzip")
    assert (answer.status, answer.json()["code"]) == (413, "body_too_large")


# -- keys


def test_no_key_and_an_unknown_key_and_an_expired_key_get_401(gateway: Gateway) -> None:
    for key in (None, "aim_" + "x" * 43, EXPIRED):
        answer = infer(gateway, key=key)
        assert (answer.status, answer.json()["code"]) == (401, "unknown_key")
        assert "bearer" in answer.headers["www-authenticate"].lower()


def test_a_key_may_come_as_x_api_key(gateway: Gateway) -> None:
    assert infer(gateway, key=None, X_API_Key=KEY).status == 200


def test_a_key_without_use_gets_403(gateway: Gateway) -> None:
    answer = infer(gateway, key=VIEWER)
    assert (answer.status, answer.json()["code"]) == (403, "no_use")


def test_an_unknown_endpoint_gets_404_and_the_ones_that_exist(gateway: Gateway) -> None:
    answer = infer(gateway, name="chrun")
    assert (answer.status, answer.json()["code"]) == (404, "unknown_endpoint")
    assert answer.json()["allowed"] == ["churn", "other"]


def test_a_key_over_its_rate_gets_429_and_when_to_come_back(gateway: Gateway) -> None:
    answers = [infer(gateway, key=SLOW) for _ in range(4)]
    assert answers[0].status == 200
    late = answers[-1]
    assert (late.status, late.json()["code"], late.headers["retry-after"]) == (429, "rate_limited", "1")


# -- addresses


def test_server_and_health_answer_without_a_key(gateway: Gateway) -> None:
    assert ask(gateway, "GET", "/v2", key=None).json()["name"] == "aimass"
    assert ask(gateway, "GET", "/v2/health/live", key=None).json() == {"live": True}
    assert ask(gateway, "GET", "/v2/health/ready", key=None).json() == {"ready": True}
    assert ask(gateway, "HEAD", "/v2/health/ready", key=None).status == 200


def test_metadata_tells_the_typed_signature(gateway: Gateway) -> None:
    body = ask(gateway, "GET", "/v2/models/churn").json()
    assert (body["name"], body["versions"], body["platform"]) == ("churn", ["1"], "onnxruntime_onnx")
    assert body["inputs"][1]["datatype"] == "BYTES"
    assert body["inputs"][1]["parameters"]["categories"] == ["DSL", "Fiber optic", "No"]
    assert body["outputs"][1]["parameters"]["classes"] == ["No", "Yes"]


def test_a_version_in_the_address_picks_its_deployment(gateway: Gateway) -> None:
    answer = ask(gateway, "POST", "/v2/models/other/versions/3/infer", oip())
    assert (answer.status, answer.headers["x-aimass-model"]) == (200, "churn/3")
    missing = ask(gateway, "POST", "/v2/models/other/versions/9/infer", oip())
    assert (missing.status, missing.json()["code"], missing.json()["allowed"]) == (404, "unknown_version", ["3"])
    assert ask(gateway, "GET", "/v2/models/other/versions/3/ready").json()["ready"] is True


def test_the_index_lists_the_endpoints_of_the_workspace(gateway: Gateway) -> None:
    body = ask(gateway, "POST", "/v2/repository/index", {}).json()
    assert [(m["name"], m["version"], m["state"]) for m in body] == [("churn", "1", "READY"), ("other", "3", "READY")]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/models/churn/infer", 405),
        ("DELETE", "/v2/models/churn", 405),
        ("GET", "/v2/models/churn/why", 404),
        ("GET", "/v2/models/churn/explain", 405),
        ("GET", "/v2/nothing", 404),
        ("GET", "/v2/models", 404),
        ("POST", "/metrics", 405),
    ],
)
def test_wrong_methods_and_addresses_get_a_clear_answer(gateway: Gateway, method: str, path: str, status: int) -> None:
    answer = ask(gateway, method, path)
    assert answer.status == status
    assert answer.json()["error"]


def test_a_refused_head_request_has_no_body(gateway: Gateway) -> None:
    with gateway.connect() as connection:
        connection.sendall(request("HEAD", "/v2/nothing") + request("GET", "/v2/health/live"))
        data = b""
        while b'{"live":true}' not in data:
            data += connection.recv(4096)
    assert data.count(b"HTTP/1.1") == 2
    assert b'{"error"' not in data


# -- records and series


def test_a_record_tells_who_asked_what_and_got_what(gateway: Gateway) -> None:
    answer = infer(gateway, oip(id="rec-1")).json()
    record = gateway.wait_for_record("rec-1")
    assert {k: record[k] for k in ("workspace", "endpoint", "deployment", "revision", "model", "version", "consumer")} == {
        "workspace": "demo", "endpoint": "churn", "deployment": "champion", "revision": "rev-champion-1",
        "model": "churn", "version": 1, "consumer": "shop",
    }  # fmt: skip
    assert record["inputs"] == {name: [value] for name, value in ROW.items()}
    assert record["outputs"]["label"] == answer["outputs"][0]["data"]
    assert record["outputs"]["probabilities"][0] == answer["outputs"][1]["data"]
    assert (record["status"], record["rows"], record["unseen"]) == (200, 1, [])
    assert record["latency_us"] > 0


def test_the_general_path_writes_the_same_record(gateway: Gateway) -> None:
    infer(gateway, oip([ROW, {**ROW, "charges": None}], id="rec-2"))
    record = gateway.wait_for_record("rec-2")
    assert record["rows"] == 2
    assert record["inputs"]["charges"] == [56.95, None]
    assert np.shape(record["outputs"]["probabilities"]) == (2, 2)
    assert record["outputs"]["label"][0] in ("Yes", "No")


def test_metrics_are_live_on_the_public_port(gateway: Gateway) -> None:
    infer(gateway)
    text = ask(gateway, "GET", "/metrics", key=None).body.decode()
    assert 'aimass_gateway_requests_total{code="200",consumer="shop",endpoint="churn",revision="rev-champion-1"' in text
    assert 'aimass_gateway_latency_seconds_bucket{endpoint="churn"' in text
    assert "aimass_gateway_snapshot_version 1" in text


def test_series_are_flushed_as_increments(gateway: Gateway) -> None:
    from aimass.infra.segments import read_segment

    def points() -> list[dict[str, Any]]:
        files = (gateway.data / "series" / "0").glob("*.[so]*")
        objects = [o for f in files if f.suffix in {".seg", ".open"} for o in read_segment(f).objects()]
        return [point for o in objects for point in o["points"]]

    def count(endpoint: str) -> int:
        labels = {"endpoint": endpoint, "code": "200", "consumer": "shop"}
        return sum(
            p["value"] for p in points() if p["name"] == "gateway_requests" and labels.items() <= p["labels"].items()
        )

    before = count("other")
    for _ in range(3):
        infer(gateway, name="other")
    wait_for(lambda: count("other") >= before + 3)
    latency = [p for p in points() if p["name"] == "gateway_latency_seconds" and p["labels"]["endpoint"] == "other"]
    assert sum(p["count"] for p in latency) >= 3
    assert all(sum(n for _, n in p["buckets"]) == p["count"] for p in latency)
