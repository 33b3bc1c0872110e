"""Who is sent where, who answers when the chosen one cannot, and what a shadow would have said; with a real gateway."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimass.gateway.plane.policy import Split, share_of
from aimass.gateway.plane.shadows import differences
from aimass.infra.frames import FrameReader, encode_frame
from tests.fixtures.gateway import (
    ROW,
    Gateway,
    ask,
    deployment,
    endpoint,
    infer,
    key,
    oip,
    snapshot,
    wait_for,
)

CONSUMERS = [f"shop-{number}" for number in range(40)]
STATIC = [
    {"name": "label", "type": "string", "value": "No"},
    {"name": "probabilities", "type": "float", "value": [0.75, 0.25]},
]


def shared(packages: dict[str, Path], weight: int = 50, **traffic: Any) -> dict[str, Any]:
    """One endpoint whose traffic goes to version 1 and, with this weight, to version 2."""
    first = deployment(packages["one"], "a", weight=100 - weight)
    second = deployment(packages["two"], "b", weight=weight, version=2)
    return endpoint("churn", first, second, traffic=traffic)


def version(answer: Any) -> str:
    assert answer.status == 200, answer.body
    return answer.headers["x-aimass-model"].partition("/")[2]


def series(gateway: Gateway, name: str) -> dict[str, float]:
    """The lines of one series, by their labels."""
    text = ask(gateway, "GET", "/metrics", key=None).body.decode()
    found = re.findall(rf"^aimass_{name}\{{(.*)\}} (\S+)$", text, re.MULTILINE)
    return {labels: float(value) for labels, value in found}


# -- assignment


@given(st.text(max_size=20), st.text(max_size=40))
def test_a_text_always_stands_at_the_same_place(salt: str, text: str) -> None:
    assert 0.0 <= share_of(salt, text) < 1.0
    assert share_of(salt, text) == share_of(salt, text)


def test_places_are_spread_evenly_and_anew_for_each_endpoint() -> None:
    shares = np.array([share_of("e", str(number)) for number in range(5000)])
    counts, _ = np.histogram(shares, bins=10, range=(0, 1))
    assert 400 < counts.min() <= counts.max() < 600
    others = np.array([share_of("f", str(number)) for number in range(5000)])
    assert abs(np.corrcoef(shares, others)[0, 1]) < 0.05


def test_a_request_without_the_value_is_assigned_by_its_consumer() -> None:
    split = Split(by="header", name="x-session", salt="e")
    assert split.share("ann") == Split(by="consumer", salt="e").share("ann")
    assert split.share("ann", "s1") != split.share("ann")
    assert Split().share("ann", "s1") is None


def test_a_consumer_is_always_sent_to_the_same_version_by_every_worker(
    alone: Gateway, packages: dict[str, Path]
) -> None:
    keys = {sha256(name.encode()).hexdigest(): key(name) for name in CONSUMERS}
    alone.publish({**snapshot(1, shared(packages, split="consumer")), "keys": keys})
    alone.start()
    first = {name: version(infer(alone, key=name)) for name in CONSUMERS}
    assert {first[n] for n in CONSUMERS} == {"1", "2"}
    for name in CONSUMERS[:5]:
        assert {version(infer(alone, oip([ROW] * n), key=name)) for n in (1, 2, 1)} == {first[name]}
    alone.stop()
    alone.start()
    assert {name: version(infer(alone, key=name)) for name in CONSUMERS} == first
    alone.publish({**snapshot(2, shared(packages, 75, split="consumer")), "keys": keys})
    later = {name: version(infer(alone, key=name)) for name in CONSUMERS}
    assert all(later[name] == "2" for name in CONSUMERS if first[name] == "2")
    assert sum(v == "2" for v in later.values()) > sum(v == "2" for v in first.values())


def test_a_session_sticks_to_its_version_by_header_or_parameter(alone: Gateway, packages: dict[str, Path]) -> None:
    alone.publish(snapshot(1, shared(packages, split="header", split_by="x-session")))
    alone.start()
    by_header = {s: {version(infer(alone, X_Session=s)) for _ in range(3)} for s in CONSUMERS}
    assert all(len(seen) == 1 for seen in by_header.values())
    assert {v for seen in by_header.values() for v in seen} == {"1", "2"}
    alone.publish(snapshot(2, shared(packages, split="parameter", split_by="user")))
    by_value: dict[Any, set[str]] = {}
    for _ in range(3):
        for user in [*CONSUMERS, 7]:
            answer = infer(alone, oip(parameters={"user": user}))
            by_value.setdefault(user, set()).add(version(answer))
            assert answer.json()["model_version"] == version(answer)
    assert all(len(seen) == 1 for seen in by_value.values())
    assert {v for seen in by_value.values() for v in seen} == {"1", "2"}
    assert len({version(infer(alone)) for _ in range(10)}) == 1, "the consumer decides where the value is missing"


# -- another answers


class Worker:
    """A model worker that answers each request as it is told to."""

    def __init__(self, path: Path) -> None:
        self.answer: Any = None
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(str(path))
        self.server.listen()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        reader = FrameReader()
        with connection:
            connection.sendall(encode_frame({"worker": {}}))
            while data := connection.recv(65536):
                for message in reader.feed(data):
                    if self.answer is not None:
                        connection.sendall(encode_frame({"id": message.head["id"], **self.answer}))


@pytest.fixture
def broken(tmp_path: Path) -> Iterator[tuple[Worker, Path]]:
    """A worker that never answers, until it is told to."""
    worker = Worker(tmp_path / "w.sock")
    yield worker, tmp_path / "w.sock"
    worker.server.close()


def failing(packages: dict[str, Path], place: Path, **more: Any) -> dict[str, Any]:
    chosen = deployment(packages["python"], "broken", runtime="python", socket=str(place))
    return endpoint("churn", chosen, **more)


def spare(packages: dict[str, Path]) -> dict[str, Any]:
    return deployment(packages["two"], "spare", version=2, weight=0)


@pytest.mark.parametrize(("trouble", "said"), [("error", {"error": "boom"}), ("timeout", None)])
def test_the_fallback_answers_on_errors_and_late_answers_and_the_reply_says_so(
    alone: Gateway, packages: dict[str, Path], broken: tuple[Worker, Path], trouble: str, said: Any
) -> None:
    worker, place = broken
    worker.answer = said
    alone.publish(snapshot(1, failing(packages, place, fallback=spare(packages), traffic={"fallback_after_s": 0.2})))
    alone.start()
    for rows in (1, 3):
        answer = infer(alone, oip([ROW] * rows, id=f"r{rows}"))
        assert (version(answer), answer.headers["x-aimass-fallback"]) == ("2", f"broken: {trouble}")
        record = alone.wait_for_record(f"r{rows}")
        assert (record["deployment"], record["fallback"], record["status"]) == ("spare", f"broken: {trouble}", 200)
    counted = series(alone, "gateway_fallback_total")
    labels = f'endpoint="churn",reason="{trouble}",revision="rev-broken-1",to="spare",workspace="demo"'
    assert counted == {labels: 2.0}


def test_only_the_named_trouble_counts_and_the_callers_own_faults_never(
    alone: Gateway, packages: dict[str, Path], broken: tuple[Worker, Path]
) -> None:
    worker, place = broken
    worker.answer = {"error": "boom"}
    traffic = {"fallback_on": ["timeout"], "static": STATIC}
    alone.publish(snapshot(1, failing(packages, place, fallback=spare(packages), traffic=traffic)))
    alone.start()
    assert (infer(alone).status, infer(alone).json()["code"]) == (500, "model_failed")
    assert infer(alone, oip([{**ROW, "tenure": "old"}])).status == 400


def test_a_version_that_was_asked_for_is_never_replaced(
    alone: Gateway, packages: dict[str, Path], broken: tuple[Worker, Path]
) -> None:
    worker, place = broken
    worker.answer = {"error": "boom"}
    alone.publish(snapshot(1, failing(packages, place, fallback=spare(packages))))
    alone.start()
    assert ask(alone, "POST", "/v2/models/churn/versions/1/infer", oip()).status == 500


def test_the_static_answer_is_typed_by_the_signature_and_marked(
    alone: Gateway, packages: dict[str, Path], short: Path
) -> None:
    alone.publish(snapshot(1, failing(packages, short / "none.sock", traffic={"static": STATIC})))
    alone.start()
    answer = infer(alone, oip([ROW] * 2, id="s"))
    label, shares = answer.json()["outputs"]
    assert (label["datatype"], label["data"]) == ("BYTES", ["No", "No"])
    assert (shares["datatype"], shares["shape"], shares["data"]) == ("FP32", [2, 2], [0.75, 0.25] * 2)
    assert (answer.json()["model_version"], answer.headers["x-aimass-fallback"]) == ("static", "broken: not_ready")
    assert "x-aimass-revision" not in answer.headers
    record = alone.wait_for_record("s")
    assert (record["deployment"], record["revision"], record["fallback"]) == ("", "", "broken: not_ready")
    one = infer(alone, oip(outputs=[{"name": "probabilities"}]))
    assert [output["name"] for output in one.json()["outputs"]] == ["probabilities"]


def test_the_static_answer_comes_after_the_fallback(
    alone: Gateway, packages: dict[str, Path], broken: tuple[Worker, Path]
) -> None:
    worker, place = broken
    worker.answer = {"error": "boom"}
    second = deployment(packages["python"], "spare", runtime="python", socket=str(place), revision="r2")
    alone.publish(snapshot(1, failing(packages, place, fallback=second, traffic={"static": STATIC})))
    alone.start()
    answer = infer(alone)
    assert answer.json()["model_version"] == "static"
    assert answer.headers["x-aimass-fallback"] == "broken: error, then error"
    assert sorted(series(alone, "gateway_fallback_total").values()) == [1.0, 1.0]


# -- shadows


def test_a_shadow_is_compared_with_what_was_answered(alone: Gateway, packages: dict[str, Path]) -> None:
    shadow = deployment(packages["two"], "shadow", version=2, weight=0)
    alone.publish(snapshot(1, endpoint("churn", deployment(packages["one"]), shadow=shadow)))
    alone.start()
    rows = [{**ROW, "contract": c, "tenure": t} for c in ("Month-to-month", "Two year") for t in range(1, 72, 7)]
    given, other = (infer(alone, oip(rows), name="churn", **h) for h in ({}, {}))
    assert given.json()["outputs"] == other.json()["outputs"]
    for row in rows:
        infer(alone, oip([row]))
    wait_for(lambda: sum(series(alone, "gateway_shadow_rows_total").values()) == 3 * len(rows))
    alone.publish(snapshot(2, endpoint("churn", deployment(packages["two"], version=2))))
    truth = infer(alone, oip(rows)).json()["outputs"]
    differing = sum(a != b for a, b in zip(given.json()["outputs"][0]["data"], truth[0]["data"], strict=True))
    counted = {re.findall(r'outcome="(\w+)"', k)[0]: v for k, v in series(alone, "gateway_shadow_rows_total").items()}
    assert (counted["differs"], counted["same"]) == (3 * differing, 3 * (len(rows) - differing))
    apart = np.abs(np.subtract(given.json()["outputs"][1]["data"], truth[1]["data"])).reshape(-1, 2).max(axis=1)
    (total,) = series(alone, "gateway_shadow_difference_sum").values()
    assert total == pytest.approx(3 * apart.sum(), rel=1e-4)
    assert len(series(alone, "gateway_shadow_seconds_count")) == 2


def test_a_shadow_gets_a_part_of_the_requests_and_its_faults_are_counted(
    alone: Gateway, packages: dict[str, Path], broken: tuple[Worker, Path]
) -> None:
    worker, place = broken
    worker.answer = {"error": "boom"}
    shadow = deployment(packages["python"], "shadow", runtime="python", socket=str(place), weight=0)
    spec = endpoint("churn", deployment(packages["one"]), shadow=shadow, traffic={"shadow_percent": 50})
    alone.publish(snapshot(1, spec))
    alone.start()
    wait_for(lambda: alone.status()["waiting"] == [])
    for _ in range(100):
        infer(alone)
    wait_for(lambda: sum(r.get("shadow", False) for r in alone.records()) > 20)
    counted = series(alone, "gateway_shadow_rows_total")
    assert 20 < sum(v for k, v in counted.items() if 'outcome="failed"' in k) < 80
    assert sum(v for k, v in counted.items() if 'outcome="failed"' not in k) == 0


def test_answers_of_another_shape_are_not_compared() -> None:
    given = {"label": np.array(["a", "b"], dtype=object), "p": np.ones((2, 2))}
    assert differences(given, {"label": np.array(["a", "c"], dtype=object)})[0].tolist() == [False, True]
    assert differences(given, {"p": np.ones((2, 3))}) is None
    assert differences(given, {"q": np.ones((2, 2))}) is None
    none = {"p": np.ones((0, 4))}
    assert [len(one) for one in differences(none, none) or ()] == [0, 0]
    assert differences({"p": np.array(0.5)}, {"p": np.array(0.5)}) is None
    assert differences({"x": np.array([1.0, 2.0])}, {"x": np.array([1.5, 2.0])})[1].tolist() == [0.5, 0.0]
