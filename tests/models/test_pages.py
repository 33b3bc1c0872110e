"""The room's pages over HTTP and in a browser: who sees what, what each action does, who may decide."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import pytest

from aimass.access import CAPABILITY as ACCESS
from aimass.cluster import CAPABILITY as CLUSTER
from aimass.infra.search import Search
from aimass.kernel.errors import NotFound
from aimass.kernel.principal import SYSTEM
from aimass.models import CAPABILITY as MODELS
from aimass.models import Facts, Models, ModelVersion, OneModel, OneVersion, Registration
from aimass.models.jobs import attention
from aimass.models.search import document
from aimass.web.session import CSRF_HEADER
from tests.fixtures.browser import axe_violations, browser, new_page, serving, settle  # noqa: F401
from tests.fixtures.packages import packages
from tests.fixtures.site import PAGE, ROLES, Site, Visitor, site_of, unnamed_actions

TABS = ("", "versions", "evaluation", "lineage", "reviews", "usage", "files")
LISTS = ("/demo/models", "/demo/reviews", "/demo/reviews?state=all")
AUC = {"value": 0.8491, "low": 0.8254, "high": 0.8728, "level": 0.95, "method": "DeLong"}
UPLOAD = "models.upload_version"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A model with an approved champion, a version that waits, and one that failed a check; the editor made all."""
    with site_of(tmp_path_factory.mktemp("site"), [ACCESS, CLUSTER, MODELS]) as found:
        for number, package in enumerate(("one", "two", "three"), start=1):
            _registered(found, package)
            _reviewed(found, number, passed=number != 3)
        reviewer = found.visitor("reviewer")
        reviewer.do("POST", "/demo/models/churn/versions/1/decision", decision="approve", comment="looks right")
        found.visitor("editor").do("POST", "/demo/models/churn/aliases", number=1)
        yield found


def _registered(site: Site, package: str) -> ModelVersion:
    models = site.registry.get(Models)
    facts = Facts(recipe="lightgbm", dataset="telco-churn", dataset_version=1, target="Churn", evaluation={"part": "test", "rows": 1056, "auc": AUC})  # fmt: skip
    digest = models.keep_package(packages()[package]).digest
    wish = Registration(workspace="demo", model="churn", digest=digest, origin="upload", source=f"{package}.zip", key=package)  # fmt: skip
    return models.register(site.people["editor"], replace(wish, facts=facts, metrics={"test_roc_auc": AUC["value"]}))


def _reviewed(site: Site, number: int, *, passed: bool) -> None:
    models = site.registry.get(Models)
    review = models.submit_review(site.people["editor"], OneVersion(workspace="demo", model="churn", number=number))
    checks = [replace(check, passed=passed or check.name != "parity", evidence="20 rows") for check in review.checks]
    models.note_checks(SYSTEM, "demo", review.id, checks)


def _version(site: Site, number: int) -> ModelVersion:
    return site.registry.get(Models).version("demo", "churn", number)


def _pages() -> tuple[str, ...]:
    tabs = [f"/demo/models/churn{f'?tab={tab}' if tab else ''}" for tab in TABS]
    return (*LISTS, *tabs, "/demo/models/churn/versions/2", "/demo/models/churn/compare?version=1&version=2")


def _uploaded(visitor: Visitor, data: bytes, name: str = "package.zip", model: str = "uploaded") -> object:
    visitor.do("GET", "/demo/models")
    headers = {**PAGE, "HX-Request": "true", CSRF_HEADER: visitor.csrf}
    files = {"file": (name, data, "application/zip")}
    return visitor.client.post("/demo/models/-/upload", data={"model": model}, files=files, headers=headers)


def _zipped(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with ZipFile(buffer, "w") as archive:
        for path in folder.iterdir():
            archive.write(path, path.name)
    return buffer.getvalue()


@pytest.mark.parametrize("role", [*ROLES, "stranger", "root"])
def test_each_page_opens_for_members_of_the_workspace(site, role):
    visitor, wanted = site.visitor(role), 404 if role == "stranger" else 200
    assert {path: visitor.open(path).status_code for path in _pages()} == dict.fromkeys(_pages(), wanted)


def test_nobody_sees_a_page_without_a_sign_in(site):
    assert {site.visitor().open(path).status_code for path in _pages()} == {303}


def test_a_model_shows_its_champion_and_how_sure_its_figure_is(site):
    text = site.visitor("viewer").open("/demo/models/churn").text
    assert "Version 1" in text
    assert "on test, 95 % interval 0.825 to 0.873" in text


def test_another_version_says_that_it_is_not_in_production(site):
    text = site.visitor("viewer").open("/demo/models/churn/versions/2").text
    assert "You look at version 2. The champion is version 1." in text


@pytest.mark.parametrize(("query", "count"), [("alias=champion", 1), ("alias=none", 0), ("review=QUARANTINED", 1), ("review=APPROVED", 0), ("q=chu", 1)])  # fmt: skip
def test_the_library_is_filtered_by_name_alias_and_review(site, query, count):
    text = site.visitor("viewer").part(f"/demo/models?{query}", "models").text
    assert text.count('data-href="/demo/models/churn"') == count


def test_a_card_is_written_by_people_and_given_back_to_the_facts(site):
    editor, address = site.visitor("editor"), "/demo/models/churn/versions/1/card/intended_use"
    assert editor.do("POST", address, version=1, text="Ask **who** leaves <script>").status_code == 204
    text = site.visitor("viewer").open("/demo/models/churn").text
    assert "Ask <strong>who</strong> leaves &lt;script&gt;" in text
    assert editor.do("POST", address, version=1, text="stale").status_code == 412
    assert editor.do("POST", address, version=2, text="").status_code == 204


def test_the_author_sees_why_he_cannot_decide_and_is_refused(site):
    editor, address = site.visitor("editor"), "/demo/models/churn/versions/2"
    assert "models.approve" in editor.open(f"{address}?tab=reviews").text
    assert editor.do("POST", f"{address}/decision", decision="approve").status_code == 403


def test_a_version_that_failed_a_check_can_only_be_rejected(site):
    reviewer, address = site.visitor("reviewer"), "/demo/models/churn/versions/3"
    text = reviewer.open(f"{address}?tab=reviews").text
    assert "Check parity has not passed." in text
    assert 'value="approve"' not in text
    assert reviewer.do("POST", f"{address}/decision", decision="approve").status_code == 409
    assert reviewer.do("POST", f"{address}/decision", decision="reject", comment="parity").status_code == 204
    assert _version(site, 3).review == "REJECTED"


def test_the_queue_shows_what_waits_and_to_whom(site):
    for who, sees in (("reviewer", True), ("viewer", False)):
        text = site.visitor(who).part("/demo/reviews", "reviews").text
        assert "churn v2" in text
        assert ("Decide" in text) is sees


def test_versions_are_compared_and_one_alone_is_not(site):
    viewer = site.visitor("viewer")
    assert "version 1 and version 2" in viewer.open("/demo/models/churn/compare?version=2&version=1").text
    assert "Select two versions" in viewer.open("/demo/models/churn/compare?version=2").text


def test_only_an_approved_version_is_promoted(site):
    editor = site.visitor("editor")
    assert editor.do("POST", "/demo/models/churn/aliases", number=2).status_code == 409
    assert "Only an approved version can be promoted." in editor.open("/demo/models/churn/versions/2").text


def test_a_package_is_uploaded_and_then_waits_for_its_review(site):
    answer = _uploaded(site.visitor("editor"), _zipped(packages()["one"]))
    assert answer.headers["hx-redirect"] == "/demo/models/uploaded/versions/1?tab=reviews"
    text = site.visitor("editor").open("/demo/models/uploaded/versions/1?tab=reviews").text
    assert 'data-operation="models.submit_review"' in text


def test_a_broken_upload_says_what_is_wrong(site):
    answer = _uploaded(site.visitor("editor"), b"no zip")
    assert (answer.status_code, answer.json()["code"]) == (400, "package_broken")
    assert _uploaded(site.visitor("viewer"), b"").status_code == 403


def test_a_viewer_gets_no_buttons_and_the_addresses_refuse_him_too(site):
    viewer = site.visitor("viewer")
    text = re.sub(r'hx-post="/(console|logout).*?"', "", viewer.open("/demo/models/churn/versions/2").text)
    assert "hx-post" not in text
    assert "hx-delete" not in text
    for address in ("aliases", "settings", "versions/2/review", "versions/2/card/summary"):
        form = {"number": 2, "name": "X", "version": 1}
        assert viewer.do("POST", f"/demo/models/churn/{address}", **form).status_code == 403
    assert viewer.do("DELETE", "/demo/models/churn").status_code == 403


def test_every_action_names_its_operation(site):
    cases = {**site.cases(), UPLOAD: None}
    for path in _pages():
        assert unnamed_actions(site.visitor("root").open(path).text, cases) == []


def test_a_waiting_review_asks_for_attention_of_those_who_may_decide(site):
    mine = attention(site.registry, site.people["reviewer"])
    assert [need["subject"] for need in mine] == ["model_version:churn/2"]
    assert [attention(site.registry, site.people[who]) for who in ("editor", "viewer")] == [[], []]


def test_models_and_versions_are_found(site):
    found = [document(site.registry, "demo", name) for name in ("model:churn", "model_version:churn/2")]
    site.registry.get(Search).put([one for one in found if one is not None])
    assert {hit.kind for hit in site.registry.get(Search).find(site.people["viewer"], "churn")} == {"model", "model_version"}  # fmt: skip


@pytest.mark.parametrize(("theme", "language"), [("light", "en"), ("dark", "zh")])
def test_the_pages_are_accessible(browser, site, theme, language):
    pages = new_page(browser, theme=theme, language=language, cookies=site.cookies("root"), url="http://127.0.0.1")
    with serving(site.app) as url, pages as page:
        for path in (*_pages(), "/demo/models/churn/versions/2?tab=reviews"):
            page.goto(url + path)
            settle(page)
            assert axe_violations(page) == [], path


def test_a_version_and_a_model_are_deleted_last(site):
    admin = site.visitor("admin")
    assert admin.do("DELETE", "/demo/models/churn/versions/3").status_code == 204
    assert admin.do("DELETE", "/demo/models/churn").status_code == 409
    assert admin.do("DELETE", "/demo/models/churn/aliases/champion").status_code == 204
    assert admin.do("DELETE", "/demo/models/churn").headers["hx-redirect"] == "/demo/models"
    assert not site.registry.get(Models).alias_names("demo")
    with pytest.raises(NotFound):
        site.registry.get(Models).get_model(SYSTEM, OneModel(workspace="demo", model="churn"))


def test_the_source_of_the_data_of_a_ready_model_is_told_in_chinese(site) -> None:
    page = site.visitor("viewer").open("/demo/zoo/shapes", **{"Accept-Language": "zh"}).text
    assert "由本项目的 tools/zoo/makers/shapes.py 生成" in page
    assert "of this project" not in page
