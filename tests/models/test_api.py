from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest
from fastapi.testclient import TestClient
from starlette.requests import HTTPConnection

from aimass.kernel.principal import ANONYMOUS, Principal
from aimass.kernel.usecase import use_cases
from aimass.models import Models, Package, verify_package
from aimass.models.api import router
from aimass.web.api import AppParts, create_app
from tests.fixtures.rooms import Rooms

MODEL = "/api/v1/workspaces/demo/models/churn"


@pytest.fixture
def http(rooms: Rooms, ann: Principal, eve: Principal) -> Iterator[TestClient]:
    people = {"ann": ann, "eve": eve, "stranger": Principal(id="s", name="s", kind="user")}

    def authenticate(connection: HTTPConnection) -> Principal:
        return people.get(connection.headers.get("x-who", ""), ANONYMOUS)

    models = rooms.get(Models)
    parts = AppParts(
        registry=rooms.registry,
        authenticate=authenticate,
        cases=[(case, models) for case in use_cases(models)],
        apis=[router],
    )
    with TestClient(create_app(parts), headers={"x-who": "ann"}) as client:
        yield client


def zipped(package: Package) -> bytes:
    buffer = io.BytesIO()
    with ZipFile(buffer, "w") as archive:
        for path in package.folder.iterdir():
            archive.write(path, path.name)
    return buffer.getvalue()


def test_a_package_goes_up_and_comes_down_unchanged(http: TestClient, package: Package, tmp_path: Path) -> None:
    reply = http.post(f"{MODEL}/versions", content=zipped(package))
    assert reply.status_code == 201, reply.text
    assert (reply.json()["number"], reply.json()["digest"]) == (1, package.digest)
    down = http.get(f"{MODEL}/versions/1/package")
    with ZipFile(io.BytesIO(down.content)) as archive:
        archive.extractall(tmp_path / "down")
    assert verify_package(tmp_path / "down").digest == package.digest


def test_the_same_upload_twice_is_one_version(http: TestClient, package: Package) -> None:
    numbers = [http.post(f"{MODEL}/versions", content=zipped(package)).json()["number"] for _ in range(2)]
    assert numbers == [1, 1]
    assert http.post(f"{MODEL}/versions?key=again", content=zipped(package)).json()["number"] == 2


@pytest.mark.parametrize(("who", "status"), [("", 401), ("stranger", 404), ("eve", 403), ("ann", 201)])
def test_who_may_upload(http: TestClient, package: Package, who: str, status: int) -> None:
    assert http.post(f"{MODEL}/versions", content=zipped(package), headers={"x-who": who}).status_code == status


def test_an_upload_cut_off_half_way_is_refused_and_leaves_nothing(http: TestClient, package: Package) -> None:
    reply = http.post(f"{MODEL}/versions", content=zipped(package)[:500])
    assert (reply.status_code, reply.json()["code"]) == (400, "package_broken")
    assert http.get(MODEL).status_code == 404


def test_a_file_that_does_not_match_its_manifest_is_refused(http: TestClient, package: Package) -> None:
    (package.folder / "model.onnx").write_bytes(b"another")
    reply = http.post(f"{MODEL}/versions", content=zipped(package))
    assert reply.status_code == 400
    assert reply.json()["value"] != reply.json()["allowed"]


def test_the_derived_routes_answer(http: TestClient, package: Package) -> None:
    http.post(f"{MODEL}/versions", content=zipped(package))
    assert http.get("/api/v1/workspaces/demo/models").json()["items"][0]["latest"] == 1
    version = http.get(f"{MODEL}/versions/1").json()
    assert [column["name"] for column in version["signature"]["inputs"]] == ["c0", "c1"]
    assert http.get(f"{MODEL}/versions/1/card").json()["sections"]
    assert http.get(f"{MODEL}/versions/7").json()["detail"] == "model 'churn' has no version 7"
    edit = http.put(f"{MODEL}/versions/1/card/limits", json={"text": "None known."})
    assert edit.status_code == 200, edit.text
    assert http.post(f"{MODEL}/versions/1/approve", json={}).status_code == 404
    assert http.put(f"{MODEL}/aliases/champion", json={"number": 1}).json()["code"] == "not_approved"


@pytest.mark.parametrize(("who", "status"), [("", 401), ("stranger", 404), ("eve", 403), ("ann", 409)])
def test_who_may_compose_and_only_from_approved_versions(
    http: TestClient, package: Package, who: str, status: int
) -> None:
    http.post(f"{MODEL}/versions", content=zipped(package))
    body = {"graph": {"steps": {"a": {"model": "churn@1"}}}}
    reply = http.post("/api/v1/workspaces/demo/models/whole/compose", json=body, headers={"x-who": who})
    assert reply.status_code == status, reply.text
