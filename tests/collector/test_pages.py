"""The pages of sources, collections and quarantine over HTTP, and the way of a file through a browser."""

from __future__ import annotations

import io
import json
import re
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aimass.access import CAPABILITY as ACCESS
from aimass.cluster import CAPABILITY as CLUSTER
from aimass.cluster import Runner
from aimass.collector import CAPABILITY as COLLECTOR
from aimass.collector import ListCollections, ListQuarantine, ListSources, OneCollection, OneSource
from aimass.collector.store import drop_upload
from aimass.infra.database import Database
from aimass.kernel.principal import SYSTEM
from aimass.lake import CAPABILITY as LAKE
from aimass.lake import Lake, OneDataset
from tests.collector.test_clips import tone, wav
from tests.collector.test_pictures import painted, saved
from tests.fixtures.browser import axe_violations, browser, new_page, serving, settle  # noqa: F401
from tests.fixtures.data import ANN, Data
from tests.fixtures.rooms import Rooms
from tests.fixtures.site import ROLES, Site, Visitor, site_of, unnamed_actions

TEXT = "id,mail,age\n1,a@example.org,30\n2,b@example.org,40\n3,c@example.org,x\n"
PAGES = ("/demo/sources", "/demo/sources/customers", "/demo/collections", "/demo/collections?state=FAILED")
QUARANTINE = "/demo/data/customers/quarantine"
MAY_COLLECT = ("analyst", "editor", "operator", "admin", "root")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site_of(tmp_path_factory.mktemp("site"), [ACCESS, CLUSTER, LAKE, COLLECTOR]) as found:
        yield found


@pytest.fixture(scope="module")
def data(site: Site) -> Data:
    data = Data(Rooms(site.folder, [], registry=site.registry))
    data.collect(TEXT, types={"age": "integer"}, source={"max_reject_rate": 0.5})
    source, upload = data.source("Broken"), data.upload("a,b\n1,x\n", "broken.csv")
    data.pin(source, upload, types={"b": "integer"})
    data.ended(data.start(source, upload))
    return data


@pytest.fixture(scope="module")
def collections(data: Data) -> dict[str, str]:
    found = data.collector.list_collections(ANN, ListCollections(workspace="demo")).items
    return {one.state: f"/demo/collections/{one.id}" for one in found}


@pytest.fixture
def editor(site: Site) -> Visitor:
    return site.visitor("editor")


def send(visitor: Visitor, content: bytes, filename: str = "people.csv", /, **form: str) -> Any:
    visitor.do("GET", "/forgot")
    headers = {"accept": "text/html", "HX-Request": "true", "X-CSRF-Token": visitor.csrf}
    files = {"file": (filename, content, "text/csv")}
    return visitor.client.post("/demo/sources/-/import", data=form, files=files, headers=headers)


def gone(answer: Any) -> str:
    assert answer.status_code == 204, answer.text
    return answer.headers["hx-redirect"]


@pytest.mark.parametrize("path", [*PAGES, "SUCCEEDED", "FAILED", QUARANTINE])
@pytest.mark.parametrize("role", [*ROLES, "stranger", "root"])
def test_each_page_opens_for_members_of_the_workspace(site, collections, path, role):
    answer = site.visitor(role).open(collections.get(path, path))
    assert answer.status_code == (404 if role == "stranger" else 200)


@pytest.mark.parametrize("path", [*PAGES, "SUCCEEDED", "FAILED", QUARANTINE])
def test_every_action_names_its_operation(site, collections, path):
    assert unnamed_actions(site.visitor("root").open(collections.get(path, path)).text, site.cases()) == []
    assert "data-operation" not in site.visitor("viewer").open(collections.get(path, path)).text


def test_a_failed_collection_says_first_why_and_what_to_do(site, collections):
    text = site.visitor("viewer").open(collections["FAILED"]).text
    assert "1 of 1 rows were rejected" in text
    assert text.index("rows were rejected") < text.index("What you can do:") < text.index("Look through the file")


def test_a_collection_that_runs_tells_how_long_it_still_takes(site, data, editor):
    source, upload = data.source("Long"), data.upload("a\n" + "1\n" * 400_000, "long.csv")
    data.pin(source, upload, types={"a": "integer"})
    begun = data.start(source, upload)
    page = f"/demo/collections/{begun.id}"
    left = re.compile(r"about [^<]{1,20} left")
    assert not left.search(editor.open(page).text)  # nothing is known of it yet
    wish = OneCollection(workspace="demo", collection=begun.id)

    def is_told() -> bool:
        assert data.collector.get_collection(ANN, wish).state == "RUNNING", "it ended before it was looked at"
        return left.search(editor.open(page).text) is not None

    data.rooms.until(is_told)
    assert data.ended(begun).rows == 400_000
    assert not left.search(editor.open(page).text)


def test_a_collection_is_begun_again_only_while_its_file_is_kept(site, data, editor):
    source, upload = data.source("Once"), data.upload("a,b\n2,x\n", "once.csv")
    data.pin(source, upload, types={"b": "integer"})
    page = f"/demo/collections/{data.ended(data.start(source, upload)).id}"
    assert f'hx-post="{page}/again"' in editor.open(page).text
    assert data.collector.has_upload("demo", upload.upload)
    with site.registry.get(Database).change(SYSTEM, "demo") as change:
        drop_upload(change, "demo", upload.upload)
    text = editor.open(page).text
    assert f'hx-post="{page}/again"' not in text
    assert "Its file is not kept any more: send it again" in text


@pytest.mark.parametrize("role", ROLES)
def test_quarantined_rows_are_shown_to_those_who_may_use_the_dataset(site, data, role):
    assert ("c@example.org" in site.visitor(role).open(QUARANTINE).text) is (role in MAY_COLLECT)


def test_a_file_is_sent_proposed_confirmed_and_collected(site, data, editor):
    address = gone(send(editor, b"id;name\n1;Ann\n2;\n", "people 客户.csv", name="People"))
    page = editor.open(address)
    assert (page.status_code, unnamed_actions(page.text, site.cases())) == (200, [])
    assert all(word in page.text for word in ("people 客户.csv", "semicolon", "Ann"))
    upload = address.partition("upload=")[2][:64]
    form = {"upload": upload, "filename": "people.csv", "name": "People", "types": ["string", "string"], "needed": [0]}
    home = gone(editor.do("POST", "/demo/sources/-/import/confirm", **form))
    found = data.ended(data.collector.get_collection(ANN, OneCollection(workspace="demo", collection=home[-26:])))
    assert (found.state, found.rows, found.dataset) == ("SUCCEEDED", 2, "people")
    plan = data.collector.get_source(ANN, OneSource(workspace="demo", source="people")).plan
    assert [(c["type"], c["nullable"]) for c in plan["columns"]] == [("string", False), ("string", True)]


def test_an_archive_of_clips_is_proposed_with_their_rate_and_length(site, data, editor):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, seconds in (("yes/a.wav", 0.2), ("no/b.wav", 0.1)):
            archive.writestr(name, wav(tone(seconds)))
    address = gone(send(editor, file.getvalue(), "words.zip", name="Words"))
    text = editor.open(address).text
    assert all(word in text for word in ("200 ms", "8,000", "1 of 2 clips are shorter than 200 ms and end in silence"))
    zh = editor.open(address, **{"Accept-Language": "zh"}).text
    assert all(word in zh for word in ("每秒采样数", "200 毫秒", "2 个片段中有 1 个短于 200 毫秒，以静音补足"))
    again = editor.open(f"{address}&sample_rate=4000&clip_ms=100").text
    assert "1 of 2 clips are longer than 100 ms and are cut" in again
    form = {"upload": address.partition("upload=")[2][:64], "filename": "words.zip", "name": "Words", "clip_ms": "100"}
    types = ["string", "string", "integer", "float", "numbers"]
    home = gone(editor.do("POST", "/demo/sources/-/import/confirm", **form, types=types))
    found = data.ended(data.collector.get_collection(ANN, OneCollection(workspace="demo", collection=home[-26:])))
    assert (found.state, found.rows) == ("SUCCEEDED", 2)
    source = data.collector.get_source(ANN, OneSource(workspace="demo", source="words"))
    assert (source.plan["sample_rate"], source.plan["clip_ms"]) == (8000, 100)
    assert "100 ms" in editor.open("/demo/sources/words").text


def test_an_archive_of_pictures_is_proposed_with_the_size_that_all_get(site, data, editor):
    files = {"cat/a.png": saved(painted(8, 8)), "dog/b.png": saved(painted(12, 8)), "dog/c.png": saved(painted(8, 8))}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    assert re.search(r'accept="[^"]*\.zip[,"]', editor.open("/demo/sources").text), "a browser lets nobody choose it"
    address = gone(send(editor, file.getvalue(), "pets.zip", name="Pets"))
    text = editor.open(address).text
    told = "1 of 3 pictures have other proportions and get black borders"
    assert all(word in text for word in ("8 × 8, colours", "get black borders", told))
    zh = editor.open(address, **{"Accept-Language": "zh"}).text
    assert all(word in zh for word in ("8 × 8，彩色", "3 张图片中有 1 张比例不同，会加黑边"))
    again = editor.open(f"{address}&width=6&height=4&channels=1&fit=stretch").text
    assert all(word in again for word in ("6 × 4, grey", "3 of 3 pictures have colours and become grey"))
    form = {"upload": address.partition("upload=")[2][:64], "filename": "pets.zip", "name": "Pets", "channels": "1"}
    types = ["string", "integer", "integer", "numbers", "string"]
    home = gone(editor.do("POST", "/demo/sources/-/import/confirm", **form, types=types))
    found = data.ended(data.collector.get_collection(ANN, OneCollection(workspace="demo", collection=home[-26:])))
    assert (found.state, found.rows) == ("SUCCEEDED", 3)
    assert "8 × 8, grey" in editor.open("/demo/sources/pets").text


def test_a_second_file_of_a_dataset_is_read_by_the_confirmed_types(site, data, editor):
    address = gone(send(editor, b"id,mail,age\n8,h@example.org,50\n", "more.csv", dataset="customers"))
    assert "confirmed already" in editor.open(address).text
    form = {"upload": address.partition("upload=")[2][:64], "source": "customers", "dataset": "customers"}
    home = gone(editor.do("POST", "/demo/sources/-/import/known", **form))
    found = data.ended(data.collector.get_collection(ANN, OneCollection(workspace="demo", collection=home[-26:])))
    assert (found.state, found.rows) == ("SUCCEEDED", 1)


def test_a_file_that_is_empty_or_too_large_is_refused_at_its_field(site, editor, monkeypatch):
    empty = send(editor, b"")
    assert (empty.status_code, empty.json()["field"]) == (400, "file")
    monkeypatch.setenv("AIMASS_COLLECTOR_MAX_UPLOAD_BYTES", "10")
    assert send(editor, b"x" * 100_000).status_code == 413
    assert send(site.visitor("viewer"), b"a\n1\n").status_code == 403


def test_a_mended_row_leaves_the_quarantine(site, data, editor):
    kept = data.collector.list_quarantine(ANN, ListQuarantine(workspace="demo", dataset="customers")).rows[0]
    form = editor.open(f"{QUARANTINE}/row?id={kept.id}&at=0")
    assert (unnamed_actions(form.text, site.cases()), kept.raw in form.text) == ([], True)
    answer = editor.do("POST", f"{QUARANTINE}/replay", row=kept.id, raw="3,c@example.org,50")
    assert "read again" in json.loads(answer.headers["hx-trigger"])["toast"]["text"]
    wish = ListQuarantine(workspace="demo", dataset="customers")
    data.rooms.until(lambda: data.collector.list_quarantine(ANN, wish).total == 0)
    assert "Nothing in quarantine" in editor.part(QUARANTINE, "quarantine").text
    assert editor.open(f"{QUARANTINE}/row?id={kept.id}&at=0").status_code == 404


def test_a_source_is_changed_and_deleted(site, data, editor):
    source = data.source("Old")
    form = {"name": "Older", "mode": "replace", "max_reject_percent": "5", "expected_version": "1"}
    assert gone(editor.do("POST", f"/demo/sources/{source}", **form)) == f"/demo/sources/{source}"
    found = data.collector.get_source(ANN, OneSource(workspace="demo", source=source))
    assert (found.name, found.mode, found.max_reject_rate) == ("Older", "replace", 0.05)
    assert editor.do("DELETE", f"/demo/sources/{source}").status_code == 403
    gone(site.visitor("admin").do("DELETE", f"/demo/sources/{source}"))
    listed = data.collector.list_sources(ANN, ListSources(workspace="demo")).items
    assert source not in {one.slug for one in listed}


def test_the_log_of_a_collection_is_read_line_by_line(site, collections):
    lines = site.visitor("viewer").open(f"{collections['SUCCEEDED']}/log").json()["lines"]
    assert lines
    assert set(lines[0]) == {"n", "at", "level", "text"}


@pytest.mark.parametrize(("theme", "language"), [("light", "en"), ("dark", "zh")])
def test_the_pages_are_accessible(browser, site, data, collections, theme, language):
    found: dict[str, list[str]] = {}
    upload = data.upload("id,name\n1,Ann\n", "n.csv").upload
    visit = {"theme": theme, "language": language, "cookies": site.cookies("root")}
    more = (f"/demo/sources/-/import?filename=n.csv&upload={upload}", QUARANTINE, *collections.values())
    with serving(site.app) as url, new_page(browser, **visit, url=url) as page:
        for path in (*PAGES, *more):
            page.goto(url + path)
            settle(page)
            found[path] = axe_violations(page)
    assert {path: lines for path, lines in found.items() if lines} == {}


def test_a_file_is_dropped_in_a_browser_and_becomes_a_version(browser, site, tmp_path: Path):
    file = tmp_path / "dropped.csv"
    file.write_text("id,plan\n1,basic\n2,plus\n")
    stop = threading.Event()
    jobs = threading.Thread(target=_run, args=(site.registry.get(Runner), stop), daemon=True)
    jobs.start()
    with serving(site.app) as url, new_page(browser, cookies=site.cookies("editor"), url=url) as page:
        page.goto(f"{url}/demo/data")
        settle(page)
        page.get_by_role("button", name="Import a file").first.click()
        page.set_input_files("#import input[type=file]", str(file))
        page.get_by_role("button", name="Send").click()
        page.wait_for_url("**/import?**")
        page.get_by_role("combobox", name="Type of plan").select_option("string")
        page.get_by_role("button", name="Confirm and collect").click()
        page.wait_for_url("**/collections/**")
        page.get_by_role("link", name="Open version 1").click(timeout=30_000)
        page.get_by_role("cell", name="plus").wait_for()
    stop.set()
    jobs.join()
    assert site.registry.get(Lake).get_dataset(ANN, OneDataset(workspace="demo", dataset="dropped")).rows == 2


def _run(runner: Runner, stop: threading.Event) -> None:
    while not stop.is_set():
        runner.step()
        time.sleep(0.05)
