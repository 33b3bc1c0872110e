from __future__ import annotations

import asyncio
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from aimass.collector.api import checked
from aimass.infra.blobs import Blobs
from aimass.kernel.errors import Invalid, TooLarge

UPLOADS = "/api/v1/workspaces/demo/uploads"


@pytest.fixture
def http(data) -> Iterator[TestClient]:
    with data.http() as client:
        yield client


def test_a_file_goes_from_upload_to_rows_over_http(http, data):
    text = b"id,charge\n1,2.5\n2, \n"
    sent = http.put(f"{UPLOADS}?filename=c.csv", content=text)
    assert (sent.status_code, sent.json()["upload"]) == (201, sha256(text).hexdigest())
    proposed = http.post(f"{UPLOADS}/{sent.json()['upload']}/proposal", json={}).json()
    assert [(c["name"], c["type"], c["misfits"]) for c in proposed["columns"]] == [
        ("id", "integer", 0),
        ("charge", "float", 1),
    ]
    base = "/api/v1/workspaces/demo/sources"
    assert http.post(base, json={"name": "Charges", "max_reject_rate": 0.5}).status_code == 201
    plan = {"columns": [{"name": c["name"], "type": c["type"], "nullable": c["nullable"]} for c in proposed["columns"]]}
    assert http.put(f"{base}/charges/types", json=plan).json()["plan"]["columns"][1]["type"] == "float"
    begun = http.post(f"{base}/charges/collections", json={"upload": sent.json()["upload"]})
    assert (begun.status_code, begun.json()["state"], begun.json()["filename"]) == (201, "RUNNING", "c.csv")
    address = f"/api/v1/workspaces/demo/collections/{begun.json()['id']}"
    data.rooms.until(lambda: http.get(address).json()["state"] != "RUNNING")
    assert http.get("/api/v1/workspaces/demo/datasets/charges/rows").json()["rows"] == [[1, 2.5]]


@pytest.mark.parametrize(("who", "status"), [("", 401), ("stranger", 404), ("eve", 403), ("ann", 201)])
def test_who_may_upload(http, who, status):
    assert http.put(UPLOADS, content=b"a\n1\n", headers={"x-who": who}).status_code == status


def test_an_empty_upload_is_refused(http):
    reply = http.put(UPLOADS, content=b"")
    assert (reply.status_code, reply.json()["field"]) == (400, "body")


def test_an_upload_over_the_limit_is_refused_and_leaves_nothing(http, data, monkeypatch):
    monkeypatch.setenv("AIMASS_COLLECTOR_MAX_UPLOAD_BYTES", "10")
    assert http.put(UPLOADS, content=b"x" * 11).status_code == 413
    assert http.put(UPLOADS, content=iter([b"x" * 6, b"x" * 6])).status_code == 413
    assert list(data.rooms.get(Blobs).list()) == []


def test_an_upload_cut_off_half_way_is_refused_and_leaves_nothing(http, data):
    reply = http.put(UPLOADS, content=iter([b"a\n1\n"]), headers={"content-length": "100"})
    assert reply.status_code == 400
    assert "broke off after 4 of 100 bytes" in reply.json()["detail"]
    assert list(data.rooms.get(Blobs).list()) == []


def test_the_body_is_checked_on_its_way():
    async def body(*chunks: bytes):
        for chunk in chunks:
            yield chunk

    async def all_of(*chunks: bytes, limit: int, announced: str | None) -> bytes:
        return b"".join([chunk async for chunk in checked(body(*chunks), limit, announced)])

    assert asyncio.run(all_of(b"ab", b"", b"c", limit=3, announced="3")) == b"abc"
    with pytest.raises(TooLarge):
        asyncio.run(all_of(b"ab", b"cd", limit=3, announced=None))
    with pytest.raises(Invalid):
        asyncio.run(all_of(b"ab", limit=3, announced="3"))


@pytest.mark.parametrize(
    ("kind", "start"), [("csv", b"a,b\n1,x\n"), ("ndjson", b'{"a":1,"b":"x"}\n'), ("parquet", b"PAR1")]
)
def test_a_version_is_downloaded_as_a_file(http, data, kind, start):
    data.collect("a,b\n1,x\n")
    reply = http.get(f"/api/v1/workspaces/demo/datasets/customers/file?format={kind}")
    assert (reply.status_code, reply.content[: len(start)]) == (200, start)
    assert f"customers.{kind}" in reply.headers["content-disposition"]
    assert http.get("/api/v1/workspaces/demo/datasets/customers/file", headers={"x-who": "eve"}).status_code == 403
    assert not list(Path("/tmp").glob("aimass-export-*/customers.*"))
