"""Bad input through the front doors of one running platform: a clear error each time, and nothing is lost."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import socket
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import pytest

from aimass import Client
from aimass.kernel.errors import Conflict, Failed, Invalid, NotFound, TooLarge
from tests.fixtures.platform import RunningPlatform, running_platform

pytestmark = pytest.mark.timeout(600)
MEBI = 1 << 20
ROWS = 240


@dataclass
class House:
    """A platform with one small model in service on the endpoint ``small``."""

    platform: RunningPlatform
    client: Client
    folder: Path

    def collect(self, data: bytes | str, name: str, **more: Any) -> Any:
        path = self.folder / "data.csv"
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return self.client.collect(path, name, **more)

    def put(self, content: bytes | Iterable[bytes], filename: str = "data.csv", **headers: str) -> Any:
        address = f"/api/v1/workspaces/lab/uploads?filename={filename}"
        return self.client.transport.http.put(address, content=content, headers=headers)

    def learn(self, dataset: str, target: str) -> Any:
        wish = {"dataset": dataset, "target": target, "model": f"{dataset}-model", "endpoint": dataset}
        return self.client.release(**wish, parameters=QUICK, timeout_s=120)

    def ask(self, *changes: Callable[[list[dict[str, Any]]], object], endpoint: str = "small") -> Any:
        inputs = [
            {"name": "plan", "shape": [1, 1], "datatype": "BYTES", "data": ["basic"]},
            {"name": "months", "shape": [1, 1], "datatype": "INT64", "data": [3]},
            {"name": "paid", "shape": [1, 1], "datatype": "FP32", "data": [9.5]},
        ]
        for change in changes:
            change(inputs)
        return self.client.transport.http.post(f"/v2/models/{endpoint}/infer", json={"inputs": inputs})

    def answers(self) -> bool:
        return self.ask().status_code == 200


QUICK = {"recipes": ["logistic_regression"], "folds": 2, "least_score": 0.5}


def _table(rows: int = ROWS) -> str:
    lines = ["plan,months,paid,left"]
    for number in range(rows):
        plan = ("basic", "plus", "pro")[number % 3]
        leaves = (number % 3 == 0) != (number % 11 == 0)
        lines.append(f"{plan},{number % 24},{20 + number % 7}.5,{'Yes' if leaves else 'No'}")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    folder = Path(tempfile.mkdtemp(prefix="am"))
    with running_platform(folder / "d") as platform:
        with platform.admin("lab") as admin:
            admin.access.create_workspace(name="lab", review="auto")
            admin.access.create_service(name="builder", role="admin")
            key = admin.access.create_key(name="builder", service="builder").text
        with Client(platform.url, key=key, workspace="lab") as client:
            made = House(platform, client, folder)
            made.collect(_table(), "small")
            made.learn("small", "left")
            _until(made.answers)
            yield made
    shutil.rmtree(folder, ignore_errors=True)


def _until(true: Callable[[], Any], within_s: float = 60) -> Any:
    end = time.monotonic() + within_s
    while not (found := true()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.2)
    return found


def _problem(reply: Any, status: int) -> dict[str, Any]:
    assert reply.status_code == status, reply.text
    return reply.json()


# -- files


def test_an_empty_file_is_refused(house: House) -> None:
    assert _problem(house.put(b""), 400)["detail"] == "the upload is empty"


def test_a_header_alone_is_a_version_without_rows_that_nothing_learns_from(house: House) -> None:
    assert house.collect("a,b\n", "header-only").rows == 0
    with pytest.raises(Failed, match="row"):
        house.learn("header-only", "b")


def test_ragged_rows_go_to_quarantine_with_their_line(house: House) -> None:
    version = house.collect("a,b\n1,2\n3\n4,5,6\n7,8\n9,10\n11,12\n13,14\n15,16\n17,18\n19,20\n", "ragged")
    aside = house.client.collector.list_quarantine(dataset="ragged").rows
    assert version.rows + version.quarantined == 10
    assert sorted(row.line for row in aside) == [3, 4]


def test_a_wrong_encoding_is_recognised_or_named(house: House) -> None:
    assert house.collect("名,城\n张,北京\n李,上海\n".encode("gbk"), "gbk").rows == 2
    rows = house.client.dataset("gbk").rows()
    assert rows[0] == {"名": "张", "城": "北京"}
    assert house.collect("a,b\nplain,1\nplainer,2\n", "utf8").rows == 2
    with pytest.raises(Failed, match="not UTF-8"):
        house.collect("a,b\ncafé,3\nplain,4\n".encode("latin-1"), "utf8")
    assert house.client.lake.get_version(dataset="utf8").rows == 2


def test_a_column_without_any_value_is_kept_and_learned_around(house: House) -> None:
    lines = _table().splitlines()
    data = "\n".join([lines[0] + ",nothing", *(line + "," for line in lines[1:])])
    assert house.collect(data, "all-null").rows == ROWS
    house.learn("all-null", "left")


def test_a_target_with_one_class_is_refused_before_anything_is_trained(house: House) -> None:
    lines = _table().splitlines()
    house.collect("\n".join([lines[0], *(line.rsplit(",", 1)[0] + ",No" for line in lines[1:])]), "one-class")
    with pytest.raises(Failed, match="1 class"):
        house.learn("one-class", "left")


def test_a_target_that_is_missing_is_named_with_what_is_there(house: House) -> None:
    split = house.client.training.create_split(dataset="small", target="nowhere").id
    failed = _until(lambda: (s := house.client.training.get_split(split=split)).state == "FAILED" and s)
    assert (failed.error["field"], failed.error["value"]) == ("target", "nowhere")
    assert "left" in failed.error["allowed"]
    with pytest.raises(Failed, match="'nowhere'"):
        house.learn("small", "nowhere")


def test_ten_thousand_columns_are_collected(house: House) -> None:
    names = ",".join(f"c{number}" for number in range(10_000))
    row = ",".join(["1"] * 10_000)
    version = house.collect(f"{names}\n{row}\n{row}\n", "wide")
    assert (version.rows, len(version.columns)) == (2, 10_000)


def test_a_line_without_end_is_refused_at_64_megabytes(house: House) -> None:
    def endless() -> Iterator[bytes]:
        yield b"a\n"
        for _ in range(65):
            yield b"x" * MEBI

    upload = house.put(endless()).json()["upload"]
    with pytest.raises(TooLarge, match="64 MB"):
        house.client.collector.propose_types(upload=upload, filename="data.csv")


@pytest.mark.parametrize("slug", ["", "Has Space", "-x", "a" * 64, "../up", "ünï"])
def test_a_slug_that_breaks_the_rules_is_refused_with_the_rule(house: House, slug: str) -> None:
    with pytest.raises(Invalid) as refused:
        house.client.models.create_model(name="Rules", slug=slug or "_")
    assert refused.value.field == "slug"
    assert refused.value.allowed or refused.value.hint


def test_names_in_chinese_and_with_emoji_are_welcome(house: House) -> None:
    assert house.client.models.create_model(name="客户流失 🚀", slug="kehu").name == "客户流失 🚀"
    version = house.collect("客户,流失😀\n甲,是\n乙,否\n", "客户 🚀")
    assert [column.name for column in version.columns] == ["客户", "流失😀"]
    assert "客户 🚀" in [dataset.name for dataset in house.client.lake.list_datasets().items]
    assert [found.kind for found in house.client.overview.search(q="客户")] != []


def test_an_upload_that_is_cut_off_leaves_nothing(house: House) -> None:
    before = {path.name for path in (house.platform.data_dir / "blobs").rglob("*") if path.is_file()}
    head = f"PUT /api/v1/workspaces/lab/uploads?filename=a.csv HTTP/1.1\r\nHost: x\r\nContent-Length: {4 * MEBI}\r\n"
    head += f"Authorization: {house.client.transport.http.headers['authorization']}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", house.platform.port)) as connection:
        connection.sendall(head.encode() + b"a,b\n" * 100_000)
    time.sleep(1)
    after = {path.name for path in (house.platform.data_dir / "blobs").rglob("*") if path.is_file()}
    assert after == before
    assert house.answers()


# -- packages


@pytest.fixture(scope="module")
def package(house: House) -> dict[str, bytes]:
    reply = house.client.transport.http.get("/api/v1/workspaces/lab/models/small-model/versions/1/package")
    with zipfile.ZipFile(io.BytesIO(reply.content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _upload(house: House, files: dict[str, bytes], model: str) -> Any:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return house.client.transport.http.post(
        f"/api/v1/workspaces/lab/models/{model}/versions", content=packed.getvalue()
    )


def test_a_package_that_does_not_match_its_manifest_is_refused(house: House, package: dict[str, bytes]) -> None:
    told = _problem(_upload(house, {**package, "model.onnx": b"something else"}, "forged"), 400)
    assert "model.onnx" in told["detail"]
    with pytest.raises(NotFound):
        house.client.models.get_model(model="forged")


def test_external_data_that_leaves_its_folder_never_passes_the_review(house: House, package: dict[str, bytes]) -> None:
    graph = onnx.load_from_string(package["model.onnx"])
    tensor = graph.graph.initializer.add(name="t", data_type=1, dims=[1], data_location=onnx.TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="../../keys/console.key")
    assert _upload(house, _signed(package, graph.SerializeToString()), "thief").status_code == 201
    house.client.models.submit_review(model="thief", number=1)
    review = _until(lambda: _checked(house, "thief"))
    assert review.state == "REJECTED" or not all(check.passed for check in review.checks)
    assert "../../keys/console.key" in "".join(check.evidence for check in review.checks)
    with pytest.raises(Conflict):
        house.client.serving.deploy_model(model="thief", model_version=1)


def _checked(house: House, model: str) -> Any:
    review = house.client.models.get_review(model=model, number=1)
    return review if review.checked_at or review.state == "REJECTED" else None


def _signed(package: dict[str, bytes], graph: bytes) -> dict[str, bytes]:
    manifest = json.loads(package["manifest.json"])
    manifest["files"]["model.onnx"] = {"sha256": hashlib.sha256(graph).hexdigest(), "size": len(graph)}
    return {**package, "manifest.json": json.dumps(manifest).encode(), "model.onnx": graph}


# -- inference


def test_a_missing_an_extra_and_a_wrongly_typed_input_are_named(house: House) -> None:
    missing = _problem(house.ask(lambda inputs: inputs.pop(1)), 400)
    assert (missing["field"], "months" in missing["error"]) == ("months", True)
    extra = {"name": "age", "shape": [1, 1], "datatype": "INT64", "data": [1]}
    unknown = _problem(house.ask(lambda inputs: inputs.append(extra)), 400)
    assert unknown["field"] == "age"
    assert "plan" in str(unknown["allowed"])
    wrong = _problem(house.ask(lambda inputs: inputs[1].update(datatype="BYTES", data=["many"])), 400)
    assert (wrong["field"], bool(wrong["allowed"])) == ("months", True)
    assert "many" in str(wrong["value"]) or "BYTES" in str(wrong["value"])


def test_a_null_and_an_unseen_category_follow_the_signature(house: House) -> None:
    inputs = {
        column.name: column
        for column in house.client.models.get_version(model="small-model", number=1).signature.inputs
    }
    null = house.ask(lambda given: given[1].update(data=[None]))
    assert null.status_code == (200 if inputs["months"].nullable else 400), null.text
    unseen = house.ask(lambda given: given[0].update(data=["gold"]))
    assert unseen.status_code == (200 if inputs["plan"].unseen == "serve" else 400), unseen.text
    if unseen.status_code == 400:
        assert unseen.json()["value"] == "gold"


def test_an_endpoint_may_refuse_what_its_model_has_not_seen(house: House) -> None:
    house.client.serving.change_endpoint(endpoint="small", unseen="refuse")
    refused = _until(lambda: (r := house.ask(lambda given: given[0].update(data=["gold"]))).status_code == 400 and r)
    assert (refused.json()["field"], refused.json()["value"]) == ("plan", "gold")
    assert "basic" in str(refused.json()["allowed"])
    house.client.serving.change_endpoint(endpoint="small", unseen="serve")
    _until(lambda: house.ask(lambda given: given[0].update(data=["gold"])).status_code == 200)


def test_a_body_over_the_limit_is_refused(house: House) -> None:
    reply = house.client.transport.http.post("/v2/models/small/infer", content=b"[" + b" " * (17 * MEBI))
    assert _problem(reply, 413)["allowed"]
    assert house.answers()


def test_an_endpoint_that_does_not_exist_is_said_so(house: House) -> None:
    assert "nothing-here" in _problem(house.ask(endpoint="nothing-here"), 404)["error"]
    with pytest.raises(NotFound):
        house.client.serving.get_endpoint(endpoint="nothing-here")


def test_a_deployment_that_cannot_start_leaves_the_old_one_serving(house: House) -> None:
    old = house.client.models.get_model(model="small-model").latest
    house.learn("small", "left")
    new = f"small-model/{old + 1}"
    _until(lambda: house.ask().headers.get("x-aimass-model") == new)
    _break(house, old)
    house.client.serving.deploy(endpoint="small", model="small-model", model_version=old)
    shown = _until(lambda: _failed(house))
    assert shown.served_version == old + 1
    assert shown.reason
    assert house.ask().headers["x-aimass-model"] == new


def _break(house: House, number: int) -> None:
    """Damage the package of a version wherever it lies: in the store and unpacked."""
    digest = house.client.models.get_version(model="small-model", number=number).digest
    for path in [*house.platform.data_dir.rglob(f"*{digest}*/model.onnx")]:
        path.chmod(0o644)
        path.write_bytes(b"damaged")


def _failed(house: House) -> Any:
    endpoint = house.client.serving.get_endpoint(endpoint="small")
    main = next(one for one in endpoint.deployments if one.is_main)
    return main if main.state in ("FAILED", "DEGRADED") else None
