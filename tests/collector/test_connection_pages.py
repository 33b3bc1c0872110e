"""The pages of connections: the form of a connector, its answer, what it offers, and the first collections."""

from __future__ import annotations

import contextlib
import io
import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from aimass.access import CAPABILITY as ACCESS
from aimass.cli import run
from aimass.cluster import CAPABILITY as CLUSTER
from aimass.collector import CAPABILITY as COLLECTOR
from aimass.collector import CollectStreams, ListCollections, OneSource, StreamWish
from aimass.lake import CAPABILITY as LAKE
from tests.fixtures.browser import serving
from tests.fixtures.data import ANN, Data
from tests.fixtures.rooms import Rooms
from tests.fixtures.site import Site, Visitor, site_of

AT = "/demo/connections"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site_of(tmp_path_factory.mktemp("site"), [ACCESS, CLUSTER, LAKE, COLLECTOR]) as found:
        yield found


@pytest.fixture
def shop(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database file that connectors may read."""
    monkeypatch.setenv("AIMASS_COLLECTOR_FOLDERS", f'["{tmp_path}"]')
    path = tmp_path / "shop.db"
    with contextlib.closing(sqlite3.connect(path)) as con:
        con.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, what TEXT)")
        con.executemany("INSERT INTO orders VALUES (?, ?)", [(n, f"thing {n}") for n in range(5)])
        con.commit()
    return path


def created(visitor: Visitor, name: str, path: Path) -> str:
    answer = visitor.do("POST", AT, connector="sqlite", name=name, p_path=str(path), p_timeout_s="5")
    assert answer.status_code in (204, 303), answer.text
    return f"{AT}/{name.lower()}"


def test_a_connection_is_made_asked_and_its_tables_collected(site: Site, shop: Path) -> None:
    admin = site.visitor("admin")
    at = created(admin, "Shop", shop)
    assert "Shop" in admin.open(AT).text
    assert admin.do("POST", f"{at}/check").status_code == 204
    assert "1 table" in admin.open(at).text
    offered = admin.do("POST", f"{at}/discovery").text
    assert 'value="orders"' in offered
    assert "thing 3" in admin.do("POST", f"{at}/preview", stream="orders").text
    assert admin.do("POST", f"{at}/sources", drift="freeze").status_code == 400
    assert admin.do("POST", f"{at}/sources", streams="orders", drift="freeze").status_code in (204, 303)
    data = Data(Rooms(site.folder, [], registry=site.registry))
    (started,) = data.collector.list_collections(ANN, ListCollections(workspace="demo", source="orders")).items
    assert data.ended(started).rows == 5
    assert data.rows("orders").height == 5
    assert 'href="/demo/sources/orders"' in admin.open(at).text
    page = admin.open("/demo/sources/orders").text
    assert "/demo/sources/orders/pause" in page
    assert admin.do("POST", "/demo/sources/orders/pause").status_code == 204
    assert "/demo/sources/orders/resume" in admin.open("/demo/sources/orders").text
    assert admin.do("POST", "/demo/sources/orders/collections").status_code == 409
    assert admin.do("POST", "/demo/sources/orders/resume").status_code == 204
    version = data.collector.get_source(ANN, OneSource(workspace="demo", source="orders")).version
    reading = {"drift": "propose", "poison": "stop", "expected_version": version}
    assert admin.do("POST", "/demo/sources/orders/reading", every_s="soon", **reading).status_code == 400
    assert admin.do("POST", "/demo/sources/orders/reading", every_s="86400", **reading).status_code == 204
    read = data.collector.get_source(ANN, OneSource(workspace="demo", source="orders")).reading
    assert (read["drift"], read["poison"], read["every_s"]) == ("propose", "stop", 86400)
    again = admin.do("POST", "/demo/sources/orders/collections")
    assert again.headers["HX-Redirect"].startswith("/demo/collections/")


def test_new_columns_wait_on_the_page_of_the_source_for_an_editor(site: Site, shop: Path) -> None:
    data = Data(Rooms(site.folder, [], registry=site.registry))
    link = data.connect("Growing", "sqlite", path=str(shop))
    wish = CollectStreams(
        workspace="demo",
        connection=link.slug,
        streams=[StreamWish(stream="orders", name="Growing", dataset="growing")],
        drift="propose",
    )
    (source,) = data.collector.collect_streams(ANN, wish)
    data.load(source)
    with contextlib.closing(sqlite3.connect(shop)) as con:
        con.execute("ALTER TABLE orders ADD COLUMN colour TEXT")
        con.execute("ALTER TABLE orders ADD COLUMN weight INTEGER")
        con.execute("INSERT INTO orders VALUES (9, 'thing', 'crimson', 3)")
        con.commit()
    data.load(source)
    at = "/demo/sources/growing"
    editor, viewer = site.visitor("editor"), site.visitor("viewer")
    assert "Accept all" in editor.open(at).text
    assert "crimson" in editor.open(f"{at}/proposals/examples?column=colour").text
    seen = viewer.open(at).text
    assert ("Waits for an approval" in seen, "Accept colour" in seen) == (True, False)
    assert viewer.do("POST", f"{at}/proposals", decision="accept").status_code == 403
    assert editor.do("POST", f"{at}/proposals", decision="reject", column="weight").status_code == 204
    assert editor.do("POST", f"{at}/proposals", decision="accept").status_code == 204
    page = editor.open(at).text
    assert ("Waits for an approval" in page, "Rejected, and left out" in page, "left out" in page) == (
        False,
        True,
        True,
    )
    assert editor.do("POST", f"{at}/proposals", decision="reopen", column="weight").status_code == 204
    assert "Accept weight" in editor.open(at).text


def test_no_secret_stands_on_a_page(site: Site) -> None:
    admin = site.visitor("admin")
    told = {"connector": "postgres", "name": "Books", "p_host": "db.example.org", "p_database": "books", "p_user": "reader", "p_password": "correct-horse"}  # fmt: skip
    assert admin.do("POST", AT, **told).status_code in (204, 303)
    page = admin.open(f"{AT}/books").text
    assert "***" in page
    assert "correct-horse" not in page


def test_a_wrong_field_is_named_and_nothing_is_made(site: Site) -> None:
    admin = site.visitor("admin")
    answer = admin.do("POST", AT, connector="postgres", name="Nothing", p_host="db.example.org", p_port="x")
    assert answer.status_code == 400
    assert admin.open(f"{AT}/nothing").status_code == 404
    assert admin.do("POST", AT, connector="telepathy", name="Nothing").status_code == 400


@pytest.mark.parametrize(("role", "may"), [("viewer", False), ("analyst", False), ("editor", False), ("admin", True)])
def test_who_may_connect(site: Site, shop: Path, role: str, may: bool) -> None:
    visitor = site.visitor(role)
    page = visitor.open(AT)
    assert page.status_code == 200
    assert ('data-dialog="connect-sqlite"' in page.text) is may
    answer = visitor.do("POST", AT, connector="sqlite", name=f"By {role}", p_path=str(shop))
    assert answer.status_code in ((204, 303) if may else (403,))


def test_a_source_is_made_that_is_pushed_to_and_its_webhook_gets_a_secret_that_is_shown_once(site: Site) -> None:
    admin = site.visitor("admin")
    assert admin.do("POST", AT, connector="push", name="Inbox").status_code in (204, 303)
    assert 'data-dialog="make-pushed"' in admin.open(f"{AT}/inbox").text
    odd = admin.do("POST", f"{AT}/inbox/pushed", name="Calls", columns="id number")
    assert odd.status_code == 400
    made = admin.do("POST", f"{AT}/inbox/pushed", name="Calls", columns="id integer\nname string")
    assert made.headers["HX-Redirect"] == "/demo/sources/calls"
    page = admin.open("/demo/sources/calls").text
    assert "/api/v1/workspaces/demo/sources/calls/push" in page
    assert "/hooks/" not in page
    assert admin.do("POST", "/demo/sources/calls/hook", scheme="none").status_code == 400
    shown = admin.do("POST", "/demo/sources/calls/hook", scheme="standard", keep_h="1").text
    secret = re.findall(r"whsec_[A-Za-z0-9+/=]+", shown)[0]
    page = admin.open("/demo/sources/calls").text
    assert "/hooks/" in page
    assert secret not in page
    viewer = site.visitor("viewer")
    seen = viewer.open("/demo/sources/calls").text
    assert 'data-dialog="source-hook"' not in seen
    assert viewer.do("POST", "/demo/sources/calls/hook", scheme="github").status_code == 403
    assert admin.do("DELETE", "/demo/sources/calls/hook").status_code in (204, 303)
    assert "/hooks/" not in admin.open("/demo/sources/calls").text


def test_the_terminal_pushes_a_file_and_what_it_is_piped(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = Data(Rooms(site.folder, [], registry=site.registry))
    link = data.connect("Pipe", "push")
    (source,) = data.follow(link, "lines")
    path = tmp_path / "rows.ndjson"
    path.write_text('{"id": 1}\n{"id": 2}\n')
    with serving(site.app) as url:
        told = ["--url", url, "--workspace", "demo", "--key", site.token("analyst"), "--json"]
        commands = {"data push": "aimass.cli.push:push"}
        assert run(commands, ["data", "push", source.slug, str(path), *told]) == 0
        assert json.loads(capsys.readouterr().out)["rows"] == 2
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'{"id": 3}\n\n{"id": 4}\n')))
        assert run(commands, ["data", "push", source.slug, "-", *told]) == 0
        told[-2] = site.token("viewer")
        assert run(commands, ["data", "push", source.slug, str(path), *told]) == 1
    assert data.collector.get_inbox(ANN, OneSource(workspace="demo", source=source.slug)).rows == 4
