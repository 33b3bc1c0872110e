"""The pages of storage over HTTP: roles, tabs, what is told in which language, and the one action."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest

from aimass.apps.storage import Storage
from aimass.apps.storage.domain import CollectNow, ListGoing
from aimass.infra.blobs import Blobs
from aimass.infra.database import Database
from aimass.kernel.keeping import needed
from aimass.kernel.principal import SYSTEM
from aimass.lake import CreateDataset, Lake
from aimass.lake.commands import DeleteDataset
from aimass.messaging import CreateTopic, Messaging
from aimass.models import Models, OneVersion
from tests.fixtures.packages import packages, registered
from tests.fixtures.site import ROLES, Site, Visitor, unnamed_actions, whole_site

PATH = "/operate/storage"
PAGES = (PATH, f"{PATH}?tab=going", f"{PATH}?tab=collections")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A platform where something takes room, something was deleted and something was collected."""
    with whole_site(tmp_path_factory.mktemp("site")) as found, pytest.MonkeyPatch.context() as patch:
        lake, models = found.registry.get(Lake), found.registry.get(Models)
        for name in ("Kept", "Old"):
            lake.create_dataset(found.root, CreateDataset(workspace="demo", name=name))
        lake.delete_dataset(found.root, DeleteDataset(workspace="demo", dataset="old"))
        found.registry.get(Messaging).create_topic(found.root, CreateTopic(workspace="demo", topic="orders"))
        version = registered(models, SYSTEM, "churn", packages()["one"])
        models.materialise(registered(models, SYSTEM, "churn", packages()["two"]))
        models.delete_version(found.root, OneVersion(workspace="demo", model="churn", number=version.number))
        clock = found.registry.get(Database).clock
        now = clock.now()
        found.registry.get(Blobs).put(b"abc")
        patch.setattr(clock, "now", lambda: now + timedelta(days=2))
        found.registry.get(Storage).collect_now(found.root, CollectNow())
        found.registry.get(Blobs).put(b"of late")
        yield found


@pytest.fixture
def root(site: Site) -> Visitor:
    return site.visitor("root")


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("role", [*ROLES, "root", "stranger", None])
def test_the_storage_of_the_platform_is_for_who_looks_after_it(site: Site, path: str, role: str | None) -> None:
    expected = {"root": 200, None: 303}.get(role, 403)
    assert site.visitor(role).open(path).status_code == expected


@pytest.mark.parametrize("path", PAGES)
def test_every_action_names_its_operation(site: Site, root: Visitor, path: str) -> None:
    assert unnamed_actions(root.open(path).text, site.cases()) == []


def test_the_first_tab_tells_parts_rules_and_the_largest(root: Visitor) -> None:
    page = root.open(PATH).text
    assert "Free on the disk" in page
    assert "a package is kept while a version or a deployment names it" in page
    assert 'href="/demo/data/kept"' in page


def test_the_second_tab_tells_what_goes_and_when(root: Visitor) -> None:
    page = root.open(PAGES[1]).text
    assert "a deleted dataset is kept for 30 days" in page
    assert "churn version 1" in page


def test_the_third_tab_tells_who_collected_what(root: Visitor) -> None:
    page = root.open(PAGES[2]).text
    assert re.search(r"unnamed file × 1", page)
    assert ">root<" in page


def test_the_button_collects_and_says_what_went(site: Site, root: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    assert root.do("POST", f"{PATH}/collections").headers["HX-Trigger"].count("Nothing was due") == 1
    clock = site.registry.get(Database).clock
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(days=3))
    assert "things went" in root.do("POST", f"{PATH}/collections").headers["HX-Trigger"]
    assert site.visitor("admin").do("POST", f"{PATH}/collections").status_code == 403


def test_the_strip_of_the_start_page_asks_the_disk_later(site: Site, root: Visitor) -> None:
    assert 'hx-trigger="load"' in root.open("/demo").text
    strip = root.part(PATH, "storage-strip").text
    assert "database" in strip
    assert "hx-trigger" not in strip


def test_every_part_kind_and_rule_is_told_in_chinese(site: Site) -> None:
    room = site.registry.get(Storage)
    report, going = room.show_storage(site.root), room.list_going(site.root, ListGoing())
    told = {text for use in report.parts for text in (use.part, use.rule) if text}
    told |= {one.rule for one in report.largest} | {text for one in going.items for text in (one.kind, one.rule)}
    told |= {one.what for one in needed(site.registry)}
    tell = site.app.state.console.environments["zh"].globals["tell"]
    assert sorted(text for text in told if tell(text) == text) == []
