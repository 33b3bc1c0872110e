"""The room's pages in a real browser: accessible in every theme and language, and the flows that need scripts."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterator

import pytest

from aimass.access import CreateKey, CreateService, RequestApproval
from aimass.access.capability import CAPABILITY
from aimass.access.domain.credentials import totp
from aimass.access.domain.people import InviteUser, OneUser
from tests.fixtures.browser import axe_violations, browser, new_page, picture, serving, settle  # noqa: F401
from tests.fixtures.site import PASSWORD, Site, site_of

pytestmark = pytest.mark.long
OPEN = {"login": "/login", "forgot": "/forgot", "spent": "/accept/none"}
PAGES = {
    "account": "/settings/profile",
    "device": "/device",
    "users": "/settings/users",
    "workspaces": "/settings/workspaces",
    "workspace": "/demo/settings/general",
    "members": "/demo/settings/members",
    "roles": "/demo/settings/members/roles",
    "keys": "/demo/settings/keys",
    "services": "/demo/settings/services",
    "approvals": "/demo/approvals",
    "audit": "/demo/settings/audit",
}
DIALOGS = {"users": "invite", "workspaces": "create-workspace", "members": "give-role", "roles": "create-role", "keys": "create-key", "services": "create-service"}  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site_of(tmp_path_factory.mktemp("site"), [CAPABILITY]) as found:
        access, root = found.access, found.root
        access.invite_user(root, InviteUser(name="王芳", email="wang@example.com", workspace="demo", role="viewer"))
        access.disable_user(root, OneUser(user="stranger"))
        access.create_service(root, CreateService(workspace="demo", name="Web shop", role="analyst"))
        access.create_key(
            root, CreateKey(workspace="demo", name="checkout", service="web-shop", scopes=["serving.use"])
        )
        access.create_key(root, CreateKey(workspace="demo", name="soon", days=3))
        access.seal_audit()
        yield found


@pytest.fixture(scope="module")
def url(site: Site) -> Iterator[str]:
    with serving(site.app) as address:
        yield address


@pytest.fixture(scope="module")
def more(site: Site) -> dict[str, str]:
    """Pages of one thing each."""
    asked = RequestApproval(workspace="demo", subject="model_version:churn/3", reason="Approve churn 3", permission="models.approve", data={"auc": 0.84, "checks": [{"name": "parity", "passed": True}]})  # fmt: skip
    approval = site.access.request_approval(site.people["editor"], asked)
    reset = site.access.create_reset_link(site.root, OneUser(user="viewer"))
    return {"user": f"/settings/users/{site.people['editor'].id}", "approval": f"/demo/approvals/{approval.id}", "reset": reset.path}  # fmt: skip


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_is_accessible(browser, site, url, more, theme, language):
    found = {}
    every = {**OPEN, **PAGES, **more}
    before = [*OPEN, "reset"]
    for cookies, names in (({}, before), (site.cookies("root"), [name for name in every if name not in before])):
        with new_page(browser, theme=theme, language=language, cookies=cookies, url=url) as page:
            for name in names:
                page.goto(url + every[name])
                settle(page)
                if name in DIALOGS and theme == "light":
                    page.locator(f'.page-head [data-dialog="{DIALOGS[name]}"]').click()
                picture(page, f"access-{name}-{theme}-{language}")
                found[name] = axe_violations(page)
    assert {name: faults for name, faults in found.items() if faults} == {}


def test_a_sign_in_asks_for_the_code_only_when_the_account_has_an_authenticator(browser, site, url):
    site.person("twofold")
    visitor = site.visitor("twofold")
    shown = visitor.do("POST", "/settings/profile/totp", password=PASSWORD).text
    seed = base64.b32decode(re.search(r'data-copy="([A-Z2-7]{32})"', shown)[1])
    codes = visitor.do("POST", "/settings/profile/totp/confirm", totp=totp(seed, int(time.time()) // 30)).text
    recovery = re.findall(r"<span>([A-Z2-9-]{14})</span>", codes)
    with new_page(browser, url=url) as page:
        page.goto(f"{url}/login?next=/settings/profile")
        settle(page)
        code = page.get_by_label("Code from your app")
        assert not code.is_visible()
        page.get_by_label("Name or e-mail").fill("twofold")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        code.wait_for(state="visible")
        picture(page, "access-login-second-step", full=False)
        assert axe_violations(page) == []
        code.fill(recovery[0])
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/settings/profile")


def test_a_wrong_password_is_said_at_its_field(browser, site, url):
    with new_page(browser, url=url) as page:
        page.goto(f"{url}/login")
        settle(page)
        page.get_by_label("Name or e-mail").fill("viewer")
        page.get_by_label("Password").fill("not the right one")
        page.keyboard.press("Enter")
        page.get_by_text("Name or password is wrong.").wait_for()
        assert page.get_by_label("Password").get_attribute("aria-invalid") == "true"
        picture(page, "access-login-wrong", full=False)
        assert axe_violations(page) == []


def test_an_authenticator_is_set_up_by_a_square_code(browser, site, url):
    site.person("pairing")
    with new_page(browser, cookies=site.cookies("pairing"), url=url) as page:
        page.goto(f"{url}/settings/profile")
        settle(page)
        page.locator("#enrol-password").fill(PASSWORD)
        page.get_by_role("button", name="Set up").click()
        page.locator(".square-code svg").wait_for()
        picture(page, "access-enrolment", full=False)
        assert axe_violations(page) == []
        seed = base64.b32decode(page.locator(".enrolment [data-copy]").get_attribute("data-copy"))
        page.locator("#first-code").fill(totp(seed, int(time.time()) // 30))
        page.get_by_role("button", name="Confirm").click()
        page.locator(".recovery-codes").wait_for()
        picture(page, "access-recovery-codes", full=False)
        assert axe_violations(page) == []


def test_a_key_is_made_in_a_dialog_and_the_list_behind_it_knows_it(browser, site, url):
    with new_page(browser, cookies=site.cookies("admin"), url=url) as page:
        page.goto(f"{url}/demo/settings/keys")
        settle(page)
        page.locator('.page-head [data-dialog="create-key"]').click()
        page.locator("#key-name").fill("from the browser")
        page.get_by_role("button", name="Make the key").click()
        secret = page.locator("#created-key .secret-text")
        secret.wait_for()
        assert re.fullmatch(r"aim_[\w-]{43}", secret.inner_text())
        page.locator("#keys .name", has_text="from the browser").wait_for()
        picture(page, "access-new-key", full=False)
        assert axe_violations(page) == []
        page.get_by_role("link", name="I have copied it").click()
        page.wait_for_load_state()
        assert page.locator(".secret-text").count() == 0


def test_a_wrong_role_is_refused_inside_the_dialog(browser, site, url):
    with new_page(browser, cookies=site.cookies("admin"), url=url) as page:
        page.goto(f"{url}/demo/settings/members")
        settle(page)
        page.locator('.page-head [data-dialog="give-role"]').click()
        page.locator("#give-subject").fill("nobody-of-that-name")
        page.get_by_role("button", name="Give the role").click()
        page.get_by_text("there is no user").wait_for()
        picture(page, "access-refused", full=False)
        assert page.locator("#give-role").is_visible()


def test_a_reviewer_approves_and_the_page_follows(browser, site, url):
    asked = RequestApproval(workspace="demo", subject="x:9", reason="In the browser", permission="models.approve")
    id_ = site.access.request_approval(site.people["editor"], asked).id
    with new_page(browser, cookies=site.cookies("reviewer"), url=url) as page:
        page.goto(f"{url}/demo/approvals/{id_}")
        settle(page)
        page.get_by_label("A word for the author").fill("looks right")
        page.get_by_role("button", name="Approve", exact=True).click()
        page.locator(".page-head .pill", has_text="Approved").wait_for()
        assert page.get_by_text("looks right").is_visible()
