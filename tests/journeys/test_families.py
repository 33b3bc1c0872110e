"""Three families of models through the whole main job at once: steps of episodes, texts that go on, objects in pictures."""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from playwright.sync_api import Browser

from aimass.models import verify_package
from aimass.models.zoo import package_folder
from tests.fixtures.browser import browser, new_page, picture, settle  # noqa: F401
from tests.fixtures.platform import running_platform
from tests.fixtures.tutorial import DOCS, Shell
from tests.training.test_episodes import walked

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]
WALKS = {
    "dataset": "walks",
    "target": "won",
    "model": "walks",
    "endpoint": "walks",
    "task": "policy",
    "action_column": "done",
    "propensity_column": "chance",
    "episode_column": "walk",
    "step_column": "step",
    "discount": 0.9,
    "recipes": ["fitted_q"],
    "folds": 2,
}
GUIDES = {"dataset": "guides", "model": "writer", "endpoint": "writer", "task": "language", "folds": 2}


@pytest.fixture(scope="module")
def shell() -> Iterator[Shell]:
    with tempfile.TemporaryDirectory(prefix="am") as name, running_platform(Path(name) / "d") as platform:
        shell = Shell(platform, Path(name))
        shell.run("aimass login --name admin --workspace demo")
        shell.run("aimass workspaces create demo --review auto")
        yield shell


def _released(shell: Shell, frame: pl.DataFrame, order: dict[str, Any]) -> None:
    name = order["dataset"]
    frame.write_parquet(shell.home / f"{name}.parquet")
    shell.run(f"aimass data collect {name}.parquet --name {name}")
    shell.run(f"aimass pipelines create {name} --template release --parameters '{json.dumps(order)}'")
    shell.run(f"aimass pipelines run {name}")
    assert "champion" in shell.run(f"aimass models show {order['model']}")


def _said(shell: Shell, endpoint: str, rows: list[dict[str, Any]], more: str = "") -> list[dict[str, Any]]:
    (shell.home / "rows.ndjson").write_text("\n".join(map(json.dumps, rows)))
    return [
        one["outputs"] for one in json.loads(shell.run(f"aimass predict {endpoint} --file rows.ndjson {more} --json"))
    ]


def _fed_back(shell: Shell, endpoint: str, told: list[dict[str, Any]]) -> dict[str, Any]:
    (shell.home / "told.json").write_text(json.dumps(told))
    assert str(len(told)) in shell.run(f"aimass feedback send {endpoint} --labels @told.json")
    found: list[dict[str, Any]] = []

    def landed() -> bool:
        told_so_far = shell.run(f"aimass quality show {endpoint} --json 2>/dev/null || echo '{{}}'")  # none at first
        found.append(json.loads(told_so_far))
        return found[-1].get("rows") == len(told)

    until(landed)
    return found[-1]


def until(look: Callable[[], bool], timeout_s: float = 60) -> None:
    end = time.monotonic() + timeout_s
    while not look():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.3)


def test_steps_of_episodes_become_an_endpoint_that_climbs_and_hears_what_came_of_it(shell: Shell) -> None:
    _released(shell, walked(500, 3, climbs=0.8), WALKS)
    said = _said(shell, "walks", [{"stair": 4}] * 40, "--request-id w")  # it explores, so that now and then it rests
    assert [one["action"] for one in said].count("climb") > 25
    live = _fed_back(shell, "walks", [{"request_id": "w", "row": row, "label": "1.5"} for row in range(5)])
    assert (live["rows"], live["metrics"]["reward"]["value"]) == (5, 1.5)


def test_texts_become_an_endpoint_that_goes_on_with_them_piece_by_piece(shell: Shell) -> None:
    pages = sorted((DOCS / "guides").glob("*.md"))
    texts = [text for page in pages for text in page.read_text("utf-8").split("\n\n") if len(text) > 200]
    _released(shell, pl.DataFrame({"text": texts[:300]}), GUIDES)
    row, wishes = """'{"text": "The gateway "}'""", """'{"max_tokens": 12, "temperature": 0}'"""
    whole = json.loads(shell.run(f"aimass predict writer --row {row} --parameters {wishes} --json"))[0]["outputs"]
    assert re.search("[a-z]{3}", whole["text_output"])
    streamed = shell.run(f"aimass predict writer --row {row} --parameters {wishes} --stream")
    assert streamed == whole["text_output"] + "\n"
    pieces = shell.run(f"aimass predict writer --row {row} --parameters {wishes} --stream --json").splitlines()
    assert 2 <= len(pieces) <= 13
    (vector,) = _said(shell, "writer", [{"text": "a key"}], """--parameters '{"max_tokens": 0}' --output embedding""")
    assert list(vector) == ["embedding"]


def test_a_ready_detector_becomes_an_endpoint_whose_boxes_are_held_against_what_is_there(shell: Shell) -> None:
    shell.run("aimass zoo take shapes")
    shell.run("aimass models review 1 --model shapes")
    until(lambda: "APPROVED" in shell.run("aimass models version 1 --model shapes"))
    shell.run("aimass services create shapes")
    shell.run("aimass services deploy shapes --model shapes --model-version 1")
    until(lambda: "READY" in shell.run("aimass services show shapes"))
    rows = verify_package(package_folder("shapes")).samples()["inputs"]["picture"][:24]
    said = _said(shell, "shapes", [{"picture": picture} for picture in rows], "--request-id s")
    seen = [[one for one in json.loads(one["objects"]) if one["score"] >= 0.5] for one in said]
    assert sum(map(len, seen)) >= 4
    live = _fed_back(shell, "shapes", [{"request_id": "s", "row": n, "label": things} for n, things in enumerate(seen)])
    assert (live["rows"], live["metrics"]["f1"]["value"]) == (len(seen), 1.0)


def test_their_runs_and_playgrounds_are_looked_at_in_a_browser(shell: Shell, browser: Browser) -> None:
    with new_page(browser, language="zh", theme="dark", url=shell.platform.url) as page:
        page.goto(f"{shell.platform.url}/login")
        settle(page)
        page.fill("[name=name]", "admin")
        page.fill("[name=password]", shell.platform.password)
        page.click("form button[type=submit]")
        page.wait_for_url("**/demo")
        for endpoint in ("walks", "writer", "shapes"):
            page.goto(f"{shell.platform.url}/demo/services/{endpoint}/playground")
            settle(page)
            page.click("#try button[type=submit]")
            page.wait_for_selector("#answer :text('毫秒'), #answer table, #answer svg, #answer pre")
            picture(page, f"families-{endpoint}")
        page.goto(f"{shell.platform.url}/demo/services/writer/playground")
        settle(page)
        for typed, told in (("[1]", "JSON"), ('{"max_tokens": -1}', "max_tokens")):
            page.fill("[name='in::parameters']", typed)
            page.click("#try button[type=submit]")
            page.wait_for_selector(f"#try :text('{told}')")
