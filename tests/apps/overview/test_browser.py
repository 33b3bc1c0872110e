"""The pages of the overview in a real browser: accessible in every theme and language, and live."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aimass.access import CAPABILITY as ACCESS
from aimass.cluster import CAPABILITY as CLUSTER
from aimass.cluster import GetJob, Job, Jobs, SubmitJob
from aimass.infra.compute import child_environment
from aimass.infra.database import Database
from aimass.infra.live import LiveHub
from aimass.kernel.principal import SYSTEM
from tests.apps.overview.test_situation import ALONE, WAIT
from tests.fixtures import rooms as rooms_fixture
from tests.fixtures.browser import ROOT, axe_violations, browser, new_page, picture, serving, settle  # noqa: F401
from tests.fixtures.rooms import Rooms
from tests.fixtures.site import Site, site_of, whole_site

pytestmark = pytest.mark.long
PAGES = {
    "overview": "/demo",
    "lineage-start": "/demo/lineage",
    "lineage": "/demo/lineage?kind=run&id=r2",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with whole_site(tmp_path_factory.mktemp("site")) as found:
        with found.registry.get(Database).change(found.people["editor"], "demo") as change:
            for n in range(1, 5):
                change.edge(src=("dataset_version", "d1"), dst=("run", f"r{n}"))
            change.edge(src=("run", "r2"), dst=("model_version", "churn/1"))
            change.edge(src=("model_version", "churn/1"), dst=("revision", "v1"))
            change.event("lake.version.created", subject="dataset:telco", data={"number": 1, "rows": 7032})
            change.event("training.run.failed", subject="run:r3", data={})
        yield found


@pytest.fixture(scope="module")
def url(site: Site) -> Iterator[str]:
    with serving(site.app) as address:
        yield address


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_is_accessible(browser, site, url, theme, language):
    found = {}
    with new_page(browser, theme=theme, language=language, cookies=site.cookies("root"), url=url) as page:
        for name, path in PAGES.items():
            page.goto(url + path)
            settle(page)
            picture(page, f"{name}-{theme}-{language}")
            found[name] = axe_violations(page)
    with new_page(browser, theme=theme, language=language, cookies=site.cookies("stranger"), url=url) as page:
        page.goto(url)
        settle(page)
        found["welcome"] = axe_violations(page)
    assert {name: faults for name, faults in found.items() if faults} == {}


def test_the_lineage_is_walked_by_keyboard(browser, site, url):
    with new_page(browser, cookies=site.cookies("viewer"), url=url) as page:
        page.goto(url + PAGES["lineage"])
        settle(page)
        page.locator('.lineage [data-id="run:r2"]').focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        page.wait_for_url("**/demo/lineage?kind=model_version&id=churn/1")
        assert page.locator("h1").inner_text() == "churn/1"


def test_a_bar_moves_while_a_job_runs(browser, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(rooms_fixture, "child_environment", lambda: {**child_environment(), "PYTHONPATH": str(ROOT)})
    with site_of(tmp_path, [ACCESS, CLUSTER, ALONE, WAIT]) as small, serving(small.app) as address:
        rooms = Rooms(tmp_path, (), registry=small.registry)
        wish = SubmitJob(workspace="demo", kind="sample.wait", title="Fit", payload={"file": str(tmp_path / "go")})
        job = small.registry.get(Jobs).submit(SYSTEM, wish)
        rooms.until(lambda: _is_running(small, job))
        with new_page(browser, cookies=small.cookies("viewer"), url=address) as page:
            page.goto(f"{address}/demo")
            settle(page)
            bar = page.locator("#running .progress")
            assert bar.inner_text() == "43 %"
            small.registry.get(LiveHub).publish(f"demo/job:{job.id}", {"fraction": 0.86, "stage": "fold 6 of 7"})
            page.get_by_text("86 %").wait_for()
            page.get_by_text("fold 6 of 7").wait_for()
            assert page.locator("#running [role=progressbar]").get_attribute("aria-valuenow") == "86"
            (tmp_path / "go").touch()
            rooms.until(lambda: not _is_running(small, job))
            page.get_by_text("Nothing runs at the moment.").wait_for()


def _is_running(site: Site, job: Job) -> bool:
    found = site.registry.get(Jobs).get_job(SYSTEM, GetJob(workspace="demo", job=job.id))
    return found.state == "RUNNING" and found.progress.fraction is not None
