"""Limits of each caller of a route, through two real workers on one folder: rates, quotas of the day, and waiting turns."""

from __future__ import annotations

import contextlib
import hashlib
import re
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fixtures.gateway import KEY, Answer, Gateway, ask, key, read_answer, request, snapshot, wait_for
from tests.fixtures.upstreams import Server, Services, route, upstream

KIOSK, SECOND, DAILY = ("aim_" + letter * 43 for letter in "oqd")


class House:
    """Two workers of a gateway, each on a port of its own, with one service behind them."""

    def __init__(self, folder: Any) -> None:
        document = snapshot(1)
        more = {KIOSK: key("kiosk"), SECOND: key("shop", id="key-second"), DAILY: key("daily", daily_quota=2)}
        document["keys"] |= {hashlib.sha256(text.encode()).hexdigest(): spec for text, spec in more.items()}
        for spec in document["keys"].values():
            spec["routes"] = ["*"]
        self.workers = [Gateway(folder, worker=number, workers=2) for number in range(2)]
        self.first, self.second = self.workers
        self.first.publish(document)
        for one in self.workers:
            one.start()
        self.services = Services(*self.workers)
        self.server = Server()

    def limit(self, name: str, **policy: Any) -> None:
        self.services.publish([upstream("geo", self.server.port)], [route(name, **policy)])

    def statuses(self, name: str, count: int, key: str | None = KEY) -> list[int]:
        """Ask both workers in turn."""
        return [ask(self.workers[n % 2], "GET", f"/s/demo/{name}/", key=key).status for n in range(count)]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = House(tmp_path_factory.mktemp("data"))
    yield house
    house.server.stop()
    for one in house.workers:
        one.stop()


def left(answer: Answer) -> dict[str, tuple[int, int]]:
    """What an answer says is left, by limit."""
    found = re.findall(r'"(\w+)";r=(\d+);t=(\d+)', answer.headers["ratelimit"])
    return {name: (int(r), int(t)) for name, r, t in found}


def test_each_caller_has_a_rate_of_his_own_at_all_workers_and_is_told_of_it(house: House) -> None:
    house.limit("rated", access="key", caller_rate_per_s=0.01, caller_burst=3)
    first = ask(house.first, "GET", "/s/demo/rated/", key=KEY)
    assert first.headers["ratelimit-policy"] == '"rate";q=3;w=300'
    assert left(first)["rate"][0] == 2
    assert house.statuses("rated", 3) == [200, 200, 429]
    assert house.statuses("rated", 1, SECOND) == [429], "another key of the same consumer"
    assert house.statuses("rated", 3, KIOSK) == [200, 200, 200]
    refused = ask(house.second, "GET", "/s/demo/rated/", key=KEY)
    assert (refused.status, refused.json()["code"]) == (429, "rate_limited")
    assert 1 <= int(refused.headers["retry-after"]) <= 100
    assert left(refused)["rate"][0] == 0
    assert refused.headers["ratelimit-policy"] == '"rate";q=3;w=300'


def test_a_quota_of_the_day_counts_at_all_workers_and_outlives_their_death(house: House) -> None:
    house.limit("daily", access="key", limit_by="key", daily_quota=3)
    first = ask(house.first, "GET", "/s/demo/daily/", key=KEY)
    assert first.headers["ratelimit-policy"] == '"day";q=3;w=86400'
    assert left(first)["day"][0] == 2
    assert house.statuses("daily", 1) == [200]
    house.first.stop(signal.SIGKILL)
    house.first.start()
    wait_for(lambda: house.first.status().get("services") == house.services.version)
    assert house.statuses("daily", 3) == [200, 429, 429]
    assert house.statuses("daily", 1, SECOND) == [200], "another key of the same consumer"
    refused = ask(house.second, "GET", "/s/demo/daily/", key=KEY)
    assert (refused.status, refused.json()["code"]) == (429, "quota_exceeded")
    assert left(refused)["day"][0] == 0
    assert 1 <= int(refused.headers["retry-after"]) <= 86_400
    house.limit("daily", access="key", limit_by="key", daily_quota=6)
    assert house.statuses("daily", 4) == [200, 200, 200, 429], "a larger quota counts on"


def test_who_has_no_key_is_counted_by_his_address(house: House) -> None:
    house.limit("open", daily_quota=1)
    assert house.statuses("open", 2, None) == [200, 429]
    answer = ask(house.first, "GET", "/s/demo/open/", key=None)
    assert "127.0.0.1" in answer.json()["detail"]
    wait_for(lambda: '"demo/open":{"127.0.0.1":1}' in (house.first.data / "gateway/traffic-0.json").read_text())


def test_a_quota_of_a_key_holds_for_services_and_models_together(house: House) -> None:
    house.limit("plain", access="key")
    assert house.statuses("plain", 3, DAILY) == [200, 200, 429]
    refused = ask(house.second, "GET", "/v2/models/churn", key=DAILY)
    assert refused.status == 404, "nobody pays for what is not there"
    refused = ask(house.second, "POST", "/v2/repository/index", {}, key=DAILY)
    assert (refused.status, refused.json()["code"]) == (429, "quota_exceeded")
    assert refused.headers["ratelimit"].startswith('"key";r=0;t=')


def test_refusals_are_counted_by_their_reason(house: House) -> None:
    house.limit("told", access="key", daily_quota=1)
    house.statuses("told", 3, KIOSK)
    house.limit("told", access="key", rate_per_s=0.001)
    house.statuses("told", 3, KIOSK)
    found = ""
    for one in house.workers:
        found += ask(one, "GET", "/metrics?own").body.decode()
    for reason in ("caller_quota", "route_rate"):
        told = rf'aimass_gateway_limited_total{{route="told",reason="{reason}",workspace="demo",worker="\d"}} (\d+)'
        assert sum(map(int, re.findall(told, found))) >= 1, found


def test_requests_over_a_rate_wait_for_their_turn_and_go_on_in_order(house: House) -> None:
    house.limit("shaped", caller_rate_per_s=5.0, caller_burst=1, shape_wait_s=60.0, shape_queue=10)
    house.server.heads.clear()
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(house.first.connect()) for _ in range(5)]
        for number, one in enumerate(connections):
            body = b"x" * 10 if number % 2 else None
            one.sendall(request("POST" if body else "GET", f"/s/demo/shaped/{number}", body))
            wait_for(lambda sent=number: len(house.server.heads) + _waiting(house) > sent)
        told = [read_answer(one)[0] for one in connections]
    assert [one.status for one in told] == [200] * 5
    assert [one.json()["size"] for one in told] == [0, 10, 0, 10, 0]
    assert time.monotonic() - began >= 0.79, "four of them waited, a fifth of a second each"
    paths = [head.split(b" ")[1] for head in house.server.heads]
    assert paths == [b"/0", b"/1", b"/2", b"/3", b"/4"]


def _waiting(house: House) -> int:
    found = ask(house.first, "GET", "/metrics?own").body.decode()
    return int(
        re.findall(r'aimass_gateway_route_waiting\{route="shaped",workspace="demo",worker="0"\} (\d+)', found)[0]
    )


def test_the_queue_of_those_who_wait_has_an_end_and_is_left_by_who_leaves(house: House) -> None:
    house.limit("shaped", caller_rate_per_s=0.02, caller_burst=1, shape_wait_s=60.0, shape_queue=1)
    assert ask(house.first, "GET", "/s/demo/shaped/", key=None).status == 200
    with house.first.connect() as waits:
        waits.sendall(request("GET", "/s/demo/shaped/", key=None))
        wait_for(lambda: _waiting(house) == 1)
        refused = ask(house.first, "GET", "/s/demo/shaped/", key=None)
        assert (refused.status, refused.json()["code"]) == (429, "rate_limited")
    wait_for(lambda: _waiting(house) == 0)


def test_a_worker_that_stops_lets_those_go_on_who_wait(house: House) -> None:
    house.limit("shaped", access="key", caller_rate_per_s=0.02, caller_burst=1, shape_wait_s=60.0, shape_queue=5)
    assert ask(house.first, "GET", "/s/demo/shaped/", key=KIOSK).status == 200
    answers: list[int] = []
    waits = threading.Thread(
        target=lambda: answers.append(ask(house.first, "GET", "/s/demo/shaped/", key=KIOSK).status)
    )
    waits.start()
    wait_for(lambda: _waiting(house) == 1)
    house.first.stop()
    waits.join(20)
    assert answers == [200]
    house.first.start()
