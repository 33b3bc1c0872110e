"""A language model behind the gateway: streamed pieces, whole answers, vectors alone, refusals, callers who go, and little memory."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aimass.models.package import verify_package
from aimass.models.zoo import package_folder
from tests.fixtures.gateway import Gateway, ask, request, snapshot, wait_for
from tests.fixtures.kept import kept, reached, wish

NAME = "/v2/models/churn"
MODULE = "aimass.models.runtimes.language"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, short: Path) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("language")
    shutil.copytree(package_folder("guide-writer"), folder / "p")
    signature = json.loads((folder / "p" / "manifest.json").read_text())["signature"]
    assert signature["streams"]
    gateway = Gateway(folder / "data")
    with kept(short / "l") as workers:
        workers.want(wish(folder / "p", MODULE, isolation="process"))
        workers.up()
        told = reached(workers, folder / "p")
        gateway.publish(snapshot(1, told))
        gateway.start()
        wait_for(lambda: ask(gateway, "GET", f"{NAME}/ready").status == 200)
        try:
            yield gateway
        finally:
            gateway.stop()


def events(raw: bytes) -> list[dict[str, Any]]:
    return [json.loads(text) for text in re.findall(rb"data: (.*)\n\n", raw)]


def body(text: Any = "The gateway ", **parameters: Any) -> dict[str, Any]:
    return {"text": text, "parameters": {"seed": 3, "max_tokens": 20, **parameters}}


def test_pieces_come_as_events_and_a_whole_answer_is_the_same_text(gateway: Gateway) -> None:
    found = events(ask(gateway, "POST", f"{NAME}/generate_stream", body()).body)
    assert (found[0]["text_output"], found[0]["bits"] > 0, found[0]["tokens"] > 1) == ("", True, True)
    assert 2 <= len(found) <= 21
    assert found[1]["embedding"] == []
    text = "".join(one["text_output"] for one in found)
    whole = ask(gateway, "POST", f"{NAME}/generate", {**body(), "id": "whole"}).json()
    assert (whole["text_output"], whole["bits"]) == (text, found[0]["bits"])
    assert whole["embedding"] == found[0]["embedding"]
    record = gateway.wait_for_record("whole")
    assert (record["status"], record["outputs"]["text_output"]) == (200, [text])
    stopped = ask(gateway, "POST", f"{NAME}/generate", body(stop=[text[5:8]])).json()
    assert stopped["text_output"] == text[: text.index(text[5:8])]


def test_vectors_are_asked_for_alone_and_of_many_texts(gateway: Gateway) -> None:
    inputs = [{"name": "text", "datatype": "BYTES", "shape": [70, 1], "data": ["a key of the gateway"] * 70}]
    wanted = {"inputs": inputs, "outputs": [{"name": "embedding"}], "parameters": {"max_tokens": 0}}
    (answer,) = ask(gateway, "POST", f"{NAME}/infer", wanted).json()["outputs"]
    assert (answer["name"], answer["shape"][0]) == ("embedding", 70)
    refused = ask(gateway, "POST", f"{NAME}/generate", body(["x"] * 65)).json()
    assert (refused["field"], refused["allowed"]) == ("text", "at most 64")


@pytest.mark.parametrize("parameters", [{"temperature": -1}, {"max_token": 5}, {"max_tokens": 10**9}, {"stop": [""]}])
def test_parameters_that_cannot_be_are_the_caller_s_fault(gateway: Gateway, parameters: dict[str, Any]) -> None:
    for verb in ("generate", "generate_stream"):
        answer = ask(gateway, "POST", f"{NAME}/{verb}", body(**parameters))
        assert (answer.status, answer.json()["code"]) == (400, "invalid")
        assert answer.json()["field"] == f"parameters.{next(iter(parameters))}"


def test_a_caller_who_goes_ends_the_work(gateway: Gateway) -> None:
    wanted = {**body(["The "] * 64, max_tokens=2048, temperature=5.0), "id": "gone"}  # megabytes, if anybody read them
    with gateway.connect() as client:
        client.sendall(request("POST", f"{NAME}/generate_stream", wanted))
        assert client.recv(100)
    record = gateway.wait_for_record("gone")
    assert record["status"] == 499
    begun = time.monotonic()
    assert ask(gateway, "POST", f"{NAME}/generate", body()).status == 200  # no place is taken by who has gone
    assert time.monotonic() - begun < 5


def test_the_package_is_data() -> None:
    package = verify_package(package_folder("guide-writer"))
    assert package.manifest.entry is None
    assert not [name for name in package.manifest.files if name.endswith(".py")]
