"""MLflow's scoring protocol: five ways to write rows, one way to answer, and its own errors."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimass._version import __version__
from aimass.gateway.plane.dialects.mlflow import Mlflow
from aimass.gateway.plane.package import read_package
from aimass.kernel.errors import Invalid
from tests.fixtures.gateway import (
    DATATYPES,
    KEY,
    ROW,
    VIEWER,
    Answer,
    Gateway,
    ask,
    deployment,
    endpoint,
    infer,
    key,
    oip,
    snapshot,
)
from tests.fixtures.tensors import arrays, echo_package

ONLY = "aim_" + "1" * 43
ROWS = [ROW, {**ROW, "contract": "Month-to-month", "tenure": 3, "internet": None, "charges": None}]
NAMES = list(DATATYPES)


@pytest.fixture(scope="module")
def gateway(packages: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    gateway = Gateway(tmp_path_factory.mktemp("mlflow"))
    found = snapshot(
        1,
        endpoint("churn", deployment(packages["one"])),
        endpoint("echo", deployment(echo_package(tmp_path_factory.mktemp("echo") / "echo"), "echo")),
    )
    found["keys"][hashlib.sha256(ONLY.encode()).hexdigest()] = key("only", use=["churn"])
    gateway.publish(found)
    gateway.start()
    yield gateway
    gateway.stop()


def score(gateway: Gateway, body: Any, path: str = "/mlflow/churn/invocations", **more: Any) -> Answer:
    return ask(gateway, "POST", path, body, **more)


def labels(gateway: Gateway, rows: list[dict[str, Any]] | None = None) -> list[str]:
    return infer(gateway, oip(rows or ROWS)).json()["outputs"][0]["data"]


SPLIT = {"columns": NAMES, "data": [[row[name] for name in NAMES] for row in ROWS]}
WAYS: list[dict[str, Any]] = [
    {"dataframe_split": SPLIT},
    {"dataframe_split": {**SPLIT, "index": [0, 1]}},
    {"dataframe_split": {"data": SPLIT["data"]}},
    {"dataframe_records": ROWS},
    {"dataframe_records": [{**row, "unused": 1} for row in ROWS]},
    {"instances": ROWS},
    {"instances": SPLIT["data"]},
    {"inputs": {name: [row[name] for row in ROWS] for name in NAMES}},
    {"inputs": {name: [[row[name]] for row in ROWS] for name in NAMES}},
    {"inputs": ROWS},
]


@pytest.mark.parametrize("body", WAYS)
def test_every_way_to_write_rows_gets_the_labels(gateway: Gateway, body: dict[str, Any]) -> None:
    answer = score(gateway, body)
    assert (answer.status, answer.json()) == (200, {"predictions": labels(gateway)})
    assert answer.headers["content-type"] == "application/json"


def test_csv_is_read_by_the_types_of_the_signature(gateway: Gateway) -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([*NAMES, "unused"])
    writer.writerows([[("" if row[name] is None else row[name]) for name in NAMES] + ["x"] for row in ROWS])
    answer = score(gateway, text.getvalue().encode(), Content_Type="text/csv; charset=utf-8")
    assert (answer.status, answer.json()) == (200, {"predictions": labels(gateway)}), answer.body


@pytest.mark.parametrize(
    "path", ["/mlflow/churn/invocations", "/endpoints/churn/invocations", "/v2/models/churn/invocations",
             "/v2/models/churn/versions/1/invocations"],
)  # fmt: skip
def test_an_endpoint_is_named_by_the_address(gateway: Gateway, path: str) -> None:
    assert score(gateway, {"dataframe_records": [ROW]}, path).json() == {"predictions": labels(gateway, [ROW])}


def test_the_plain_address_is_the_one_endpoint_of_a_key(gateway: Gateway) -> None:
    assert score(gateway, {"dataframe_records": [ROW]}, "/invocations", key=ONLY).status == 200
    answer = score(gateway, {"dataframe_records": [ROW]}, "/invocations")
    assert (answer.status, answer.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert answer.json()["allowed"] == ["churn", "echo"]
    assert "/mlflow/" in answer.json()["hint"]


@pytest.mark.parametrize("prefix", ["", "/mlflow/churn"])
def test_health_and_version(gateway: Gateway, prefix: str) -> None:
    for path in ("/ping", "/health"):
        answer = ask(gateway, "GET", prefix + path, key=None)
        assert (answer.status, answer.body) == (200, b"\n")
    assert ask(gateway, "GET", f"{prefix}/version", key=None).body.decode() == __version__
    assert ask(gateway, "POST", f"{prefix}/ping", {}).status == 405
    assert ask(gateway, "GET", "/mlflow/churn/other").status == 404
    assert ask(gateway, "GET", "/mlflow").status == 404


def test_params_may_choose_the_outputs(gateway: Gateway) -> None:
    body = {"dataframe_records": ROWS}
    shares = infer(gateway, oip(ROWS)).json()["outputs"][1]["data"]
    answer = score(gateway, {**body, "params": {"outputs": ["probabilities"]}}).json()["predictions"]
    assert [number for row in answer for number in row] == pytest.approx(shares, abs=1e-6)
    both = score(gateway, {**body, "params": {"outputs": ["label", "probabilities"]}}).json()["predictions"]
    assert both == {"label": labels(gateway), "probabilities": answer}
    refused = score(gateway, {**body, "params": {"outputs": ["logits"]}})
    assert (refused.status, refused.json()["code"], refused.json()["field"]) == (
        400,
        "unknown_output",
        "params.outputs",
    )


def test_tensors_come_as_inputs_by_name(gateway: Gateway) -> None:
    values = arrays(3, rows=2)
    body = {"inputs": {name: array.tolist() for name, array in values.items()}}
    answer = score(gateway, body, "/mlflow/echo/invocations").json()["predictions"]
    assert answer["out_UINT8"] == values["in_UINT8"].tolist()
    assert answer["out_BYTES"] == values["in_BYTES"].tolist()
    assert answer["out_INT64"] == values["in_INT64"].tolist()
    assert np.array_equal(np.array(answer["out_FP16"], dtype=np.float16), values["in_FP16"])


def test_whole_numbers_may_come_as_numbers(gateway: Gateway) -> None:
    assert score(gateway, {"dataframe_records": [{**ROW, "tenure": 12.0, "charges": 57}]}).status == 200
    answer = score(gateway, {"dataframe_records": [{**ROW, "tenure": 12.5}]})
    assert (answer.status, answer.json()["code"]) == (400, "wrong_type")


def without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in ROW.items() if name not in names}


def test_a_column_that_may_be_null_may_be_missing(gateway: Gateway) -> None:
    assert score(gateway, {"dataframe_records": [without("internet", "charges")]}).status == 200


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid_json"),
        ({"dataframe_records": [], "instances": []}, "invalid_json"),
        ({"dataframe_records": [ROW], "params": 7}, "invalid_json"),
        ({"dataframe_records": [7]}, "invalid_json"),
        ({"dataframe_records": []}, "missing_input"),
        ({"dataframe_records": [without("tenure")]}, "missing_input"),
        ({"dataframe_records": [{**ROW, "contract": "Weekly"}]}, "unseen_category"),
        ({"dataframe_records": [{**ROW, "contract": None}]}, "null_refused"),
        ({"dataframe_split": {"columns": NAMES, "data": [[1]]}}, "wrong_shape"),
        ({"dataframe_split": {"columns": 7, "data": []}}, "invalid_json"),
        ({"dataframe_split": []}, "invalid_json"),
        ({"instances": {}}, "invalid_json"),
        ({"instances": [[1, 2]]}, "wrong_shape"),
        ({"inputs": {"contract": ["One year"]}}, "missing_input"),
        ({"inputs": 7}, "invalid_json"),
        (b"{", "invalid_json"),
        (b"[]", "invalid_json"),
        (b'{"dataframe_split": NaN', "invalid_json"),
    ],
)
def test_errors_have_the_shape_of_mlflow(gateway: Gateway, body: Any, code: str) -> None:
    answer = score(gateway, body)
    found = answer.json()
    assert (answer.status, found["error_code"], found["code"]) == (400, "BAD_REQUEST", code), found
    assert found["message"]
    assert "error" not in found


def test_keys_kinds_and_addresses_are_refused_in_its_shape(gateway: Gateway) -> None:
    body = {"dataframe_records": [ROW]}
    assert score(gateway, body, key=None).json()["error_code"] == "UNAUTHENTICATED"
    assert score(gateway, body, key=VIEWER).json()["error_code"] == "PERMISSION_DENIED"
    assert score(gateway, body, "/mlflow/chrun/invocations").json()["error_code"] == "RESOURCE_DOES_NOT_EXIST"
    answer = score(gateway, body, Content_Type="application/x-parquet")
    assert (answer.status, answer.json()["code"]) == (415, "unsupported_content_type")
    assert ask(gateway, "GET", "/mlflow/churn/invocations", key=KEY).status == 405
    assert score(gateway, b"", Content_Type="text/csv").json()["code"] == "invalid_json"
    wrong = b"contract,internet,tenure,charges\nOne year,DSL,many,1\n"
    answer = score(gateway, wrong, Content_Type="text/csv")
    assert (answer.json()["code"], answer.json()["value"]) == ("wrong_type", "many")


def test_bodies_are_packed_recorded_and_counted_as_any_other(gateway: Gateway) -> None:
    packed = gzip.compress(json.dumps({"dataframe_records": ROWS * 200}).encode())
    answer = score(gateway, packed, Content_Encoding="gzip", Accept_Encoding="gzip")
    assert answer.headers["content-encoding"] == "gzip"
    assert len(json.loads(gzip.decompress(answer.body))["predictions"]) == 400
    assert gateway.wait_for_record(answer.headers["x-request-id"])["rows"] == 400


def test_nan_is_a_null_as_python_programs_write_it(gateway: Gateway) -> None:
    body = b'{"dataframe_split": {"data": [["One year", "DSL", 12, NaN]]}}'
    assert score(gateway, body).json() == {"predictions": labels(gateway, [{**ROW, "charges": None}])}


def test_a_key_may_be_the_password_of_basic_credentials(gateway: Gateway) -> None:
    for credentials, status in ((f"any:{KEY}", 200), (KEY, 401), ("any:wrong", 401)):
        header = f"Basic {b64encode(credentials.encode()).decode()}"
        answer = score(gateway, {"dataframe_records": [ROW]}, key=None, Authorization=header)
        assert answer.status == status
    assert score(gateway, {"dataframe_records": [ROW]}, key=None, Authorization="Basic ***").status == 401


# -- reading, whatever the body

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([*NAMES, "columns", "data"]) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=15,
)
CSV = st.lists(st.lists(st.text(max_size=6), min_size=4, max_size=4).map(",".join), max_size=3).map(
    lambda lines: "\n".join([",".join(NAMES), *lines])
)


def read(packages: dict[str, Path], body: bytes, kind: bytes) -> None:
    """Read a body; an Invalid is the one thing that may come of it but a request."""
    dialect: Any = Mlflow.__new__(Mlflow)
    try:
        dialect.read(SimpleNamespace(coding=b"", kind=kind), body, read_package(packages["one"]))
    except Invalid:
        return


@given(way=st.sampled_from(["dataframe_split", "dataframe_records", "instances", "inputs"]), given_=JSON)
@settings(deadline=None)
def test_any_json_is_read_or_refused(packages: dict[str, Path], way: str, given_: Any) -> None:
    read(packages, json.dumps({way: given_}).encode(), b"")


@given(text=st.text(max_size=80) | CSV)
@settings(deadline=None)
def test_any_csv_is_read_or_refused(packages: dict[str, Path], text: str) -> None:
    read(packages, text.encode(errors="replace"), b"text/csv")
