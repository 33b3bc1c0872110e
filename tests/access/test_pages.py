"""The room's pages over HTTP: who gets in, who sees what, what each action does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from sqlalchemy import update
from starlette.testclient import TestClient

from aimass.access import CreateKey, CreateService, RequestApproval
from aimass.access.capability import CAPABILITY
from aimass.access.domain.approvals import OneApproval
from aimass.access.domain.credentials import totp
from aimass.access.domain.devices import Wish
from aimass.access.domain.keys import ListKeys, ListServices
from aimass.access.domain.people import EnrolSecondFactor, InviteUser, ListUsers, OneUser
from aimass.access.errors import DeviceDenied
from aimass.access.search import document
from aimass.access.store.tables import users
from aimass.infra.database import Database
from aimass.kernel.principal import SYSTEM
from tests.fixtures.site import PAGE, PASSWORD, ROLES, Site, Visitor, site_of, unnamed_actions

ANYBODY = ("/login", "/forgot")
SIGNED_IN = ("/settings/profile", "/device", "/settings/workspaces")
OF_PLATFORM = ("/settings/users", "/settings/token-keys", "/settings/single-sign-on")
READ = ("general", "members", "members/roles", "keys", "services")
PAGES = [*SIGNED_IN, *(f"/demo/settings/{name}" for name in READ), "/demo/approvals", "/demo/settings/audit"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site_of(tmp_path_factory.mktemp("site"), [CAPABILITY]) as found:
        yield found


@pytest.fixture
def root(site: Site) -> Visitor:
    return site.visitor("root")


@pytest.fixture(scope="module")
def approval(site: Site) -> str:
    asked = RequestApproval(workspace="demo", subject="model_version:churn/3", reason="Approve churn 3", permission="models.approve", data={"auc": 0.84, "checks": [{"name": "parity"}]})  # fmt: skip
    return site.access.request_approval(site.people["editor"], asked).id


def location(answer) -> str:
    return answer.headers.get("location") or answer.headers.get("hx-redirect") or ""


@pytest.mark.parametrize("path", ANYBODY)
def test_the_pages_before_the_sign_in_are_open_to_anybody(site, path):
    assert site.visitor().open(path).status_code == 200


@pytest.mark.parametrize("path", [*PAGES, *OF_PLATFORM])
def test_nobody_sees_a_page_without_a_sign_in_and_comes_back_to_it_afterwards(site, path):
    answer = site.visitor().open(f"{path}?q=x")
    assert (answer.status_code, location(answer)) == (303, f"/login?next={path}%3Fq%3Dx")


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("role", [*ROLES, "stranger", "root"])
def test_each_page_opens_for_those_who_may_see_it(site, path, role):
    of_workspace = path.startswith("/demo")
    only_admins = path.endswith("/audit")
    allowed = role in ("admin", "root") if only_admins else role != "stranger" or not of_workspace
    wanted = 200 if allowed else 404 if role == "stranger" else 403
    assert site.visitor(role).open(path).status_code == wanted


@pytest.mark.parametrize("role", [*ROLES, "stranger"])
def test_the_people_of_the_platform_are_only_for_those_who_read_the_platform(site, role):
    assert site.visitor(role).open("/settings/users").status_code == 403


@pytest.mark.parametrize("role", ["viewer", "admin", "root"])
def test_the_menu_names_only_pages_that_open(site, role):
    visitor = site.visitor(role)
    menu = re.findall(r'"href": "([^"]+)"', visitor.open("/settings/profile").text)
    assert menu
    assert {path: visitor.open(path).status_code for path in menu} == dict.fromkeys(menu, 200)


@pytest.mark.parametrize("path", [*PAGES, *OF_PLATFORM])
def test_every_action_names_its_operation(site, root, path):
    assert unnamed_actions(root.open(path).text, site.cases()) == []


def test_every_page_of_one_thing_names_its_operations(site, root, approval):
    user = site.people["viewer"].id
    for path in (f"/settings/users/{user}", f"/demo/approvals/{approval}"):
        answer = root.open(path)
        assert answer.status_code == 200
        assert unnamed_actions(answer.text, site.cases()) == []


# devices


def test_a_person_sees_who_asks_and_lets_the_device_in_and_out_again(site):
    visitor = site.visitor("viewer")
    asked = site.access.begin_device("aimass-cli", Wish(agent="aimass-cli/1 (lab-7; Linux)", address="192.0.2.7"))
    page = visitor.open(f"/device?user_code={asked['user_code']}").text
    assert all(text in page for text in ("lab-7", "192.0.2.7", asked["user_code"], "everything that you may"))
    assert unnamed_actions(page, site.cases()) == []
    answer = visitor.do("POST", "/device/allow", user_code=asked["user_code"])
    assert (answer.status_code, location(answer)) == (204, "/settings/profile")
    site.access.spend_device_code("aimass-cli", asked["device_code"], "")
    (device,) = site.access.list_devices(site.people["viewer"])
    page = visitor.open("/settings/profile").text
    assert "lab-7" in page
    assert unnamed_actions(page, site.cases()) == []
    assert visitor.do("DELETE", f"/settings/profile/devices/{device.id}").status_code == 204
    assert "lab-7" not in visitor.open("/settings/profile").text


def test_a_wrong_code_and_a_refusal_are_said(site):
    visitor = site.visitor("viewer")
    wrong = visitor.open("/device?user_code=BBBB-BBBB")
    assert (wrong.status_code, "no device shows this code now" in wrong.text) == (404, True)
    asked = site.access.begin_device("aimass-cli", Wish())
    assert visitor.do("POST", "/device/deny", user_code=asked["user_code"]).status_code == 204
    with pytest.raises(DeviceDenied):
        site.access.spend_device_code("aimass-cli", asked["device_code"], "")


# getting in and out


def test_a_sign_in_opens_the_page_that_was_wanted(site):
    visitor = site.visitor()
    answer = visitor.do("POST", "/login", name="viewer", password=PASSWORD, next="/demo/settings/keys")
    assert (answer.status_code, location(answer)) == (204, "/demo/settings/keys")
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert visitor.open("/demo/settings/keys").status_code == 200


@pytest.mark.parametrize(
    "next_", ["https://evil.example", "//evil.example", "/\\evil.example", "/\t/evil.example", "/\n/evil.example"]
)
def test_a_sign_in_leads_to_no_foreign_place(site, next_):
    answer = site.visitor().do("POST", "/login", name="viewer", password=PASSWORD, next=next_)
    assert location(answer) == "/"


def test_a_wrong_password_is_said_at_the_field_in_the_visitors_language(site):
    visitor = site.visitor()
    visitor.client.cookies.set("lang", "zh")
    answer = visitor.do("POST", "/login", name="nobody-here", password="wrong wrong wrong")
    assert (answer.status_code, answer.json()["field"]) == (400, "password")
    assert answer.json()["detail"] == "用户名或密码不正确。"


def test_a_guesser_is_locked_out_and_told_how_long(site):
    visitor = site.visitor()
    for _ in range(5):
        visitor.do("POST", "/login", name="guessed", password="wrong wrong wrong")
    answer = visitor.do("POST", "/login", name="guessed", password="wrong wrong wrong")
    assert answer.status_code == 429
    assert "30 s" in answer.json()["detail"]


def test_who_is_signed_in_does_not_see_the_sign_in(site):
    assert location(site.visitor("viewer").open("/login?next=/demo/approvals")) == "/demo/approvals"


def test_a_sign_out_ends_the_session(site):
    visitor = site.visitor("analyst")
    kept = dict(visitor.client.cookies)
    assert location(visitor.do("POST", "/logout")) == "/login"
    for name, value in kept.items():
        visitor.client.cookies.set(name, value)
    assert visitor.open("/settings/profile").status_code == 303


def test_a_sign_in_without_the_token_of_a_page_is_refused(site):
    answer = site.visitor().client.post("/login", data={"name": "viewer", "password": PASSWORD})
    assert answer.status_code == 403


def test_an_invitation_sets_the_password_and_lets_in_once(site, root):
    shown = root.do("POST", "/settings/users", name="newcomer", role="viewer", workspace="demo").text
    path = re.search(r"http://testserver(/accept/[\w-]+)", shown)[1]
    visitor = site.visitor()
    assert "newcomer" in visitor.open(path).text
    assert visitor.do("POST", path, password=PASSWORD, again="something else").json()["field"] == "again"
    assert visitor.do("POST", path, password="short", again="short").json()["field"] == "password"
    assert location(visitor.do("POST", path, password=PASSWORD, again=PASSWORD)) == "/"
    assert visitor.open("/demo/settings/members").status_code == 200
    assert site.visitor().open(path).status_code == 410


def test_a_lost_password_gets_the_same_answer_for_every_name(site):
    visitor = site.visitor()
    answers = {visitor.do("POST", "/forgot", name=name).text for name in ("reviewer", "nobody-at-all")}
    assert len(answers) == 1


def test_a_reset_link_is_shown_once_and_sets_the_password(site, root):
    person = site.person("forgetful", "viewer")
    shown = root.do("POST", f"/settings/users/{person.id}/reset-link").text
    path = re.search(r"(/reset/[\w-]+)", shown)[1]
    assert site.visitor().open(path).status_code == 200
    answer = site.visitor().do("POST", path, password="another good long one", again="another good long one")
    assert location(answer) == "/"


def test_the_first_visitor_is_told_where_the_password_is(tmp_path):
    with site_of(tmp_path, [CAPABILITY]) as fresh:
        assert "First time here?" not in fresh.visitor().open("/login").text, "somebody has signed in already"
        with fresh.registry.get(Database).change(SYSTEM, "*") as change:
            change.execute(update(users).values(last_seen_at=None))
        assert "First time here?" in fresh.visitor().open("/login").text


# the own account


def test_the_own_password_needs_the_present_one(site):
    site.person("changer")
    visitor = site.visitor("changer")
    form = {"password": "wrong wrong wrong", "new_password": "a new good password", "again": "a new good password"}
    wrong = visitor.do("POST", "/settings/profile/password", **form)
    assert (wrong.status_code, wrong.json()["field"]) == (400, "password")
    weak = visitor.do("POST", "/settings/profile/password", password=PASSWORD, new_password="short", again="short")
    assert weak.json()["field"] == "new_password"
    done = visitor.do("POST", "/settings/profile/password", **form | {"password": PASSWORD})
    assert location(done) == "/settings/profile"
    assert visitor.open("/settings/profile").status_code == 200, "this session goes on"


def test_other_sessions_end_and_this_one_stays(site):
    site.person("wanderer")
    first, second = site.visitor("wanderer"), site.visitor("wanderer")
    assert first.open("/settings/profile").text.count("this one") == 1
    assert first.do("POST", "/settings/profile/sessions/end-others").status_code == 204
    assert (first.open("/settings/profile").status_code, second.open("/settings/profile").status_code) == (200, 303)


def test_an_authenticator_is_paired_and_then_wanted_at_the_sign_in(site):
    site.person("careful")
    visitor = site.visitor("careful")
    wrong = visitor.do("POST", "/settings/profile/totp", password="wrong wrong wrong")
    assert wrong.json()["field"] == "password"
    shown = visitor.do("POST", "/settings/profile/totp", password=PASSWORD).text
    assert "<svg" in shown
    secret = re.search(r'data-copy="([A-Z2-7]{32})"', shown)[1]
    refused = visitor.do("POST", "/settings/profile/totp/confirm", totp="000000")
    assert (refused.status_code, refused.json()["field"]) == (400, "totp")
    codes = visitor.do("POST", "/settings/profile/totp/confirm", totp=_code(secret)).text
    recovery = re.findall(r"<span>([A-Z2-9]{4}-[A-Z2-9]{4}-[A-Z2-9]{4})</span>", codes)
    assert len(recovery) == 10
    stranger = site.visitor()
    asked = stranger.do("POST", "/login", name="careful", password=PASSWORD)
    assert (asked.status_code, asked.json()["field"]) == (400, "totp")
    assert stranger.do("POST", "/login", name="careful", password=PASSWORD, totp=recovery[0]).status_code == 204


def _code(secret: str) -> str:
    import base64
    import time

    return totp(base64.b32decode(secret), int(time.time()) // 30)


# people, members, keys


def test_a_person_is_kept_out_and_let_in_again(site, root):
    person = site.person("leaver", "viewer")
    leaver = site.visitor("leaver")
    assert root.do("POST", f"/settings/users/{person.id}/disable").status_code == 204
    assert leaver.open("/settings/profile").status_code == 303
    assert root.do("POST", f"/settings/users/{person.id}/enable").status_code == 204
    assert site.visitor("leaver").open("/settings/profile").status_code == 200


def test_a_key_that_a_person_made_is_told_by_its_name(site, root):
    doer = site.person("doer", "admin")
    site.access.create_key(doer, CreateKey(workspace="demo", name="Nightly orders"))
    assert "Nightly orders" in root.open(f"/settings/users/{doer.id}").text


def test_a_list_of_people_is_searched_and_only_its_part_is_sent(site, root):
    part = root.part("/settings/users?q=view", "users").text
    assert "<html" not in part
    assert "viewer" in part
    assert "operator" not in part


def test_nobody_without_the_right_changes_people(site):
    person = site.people["viewer"].id
    admin = site.visitor("admin")
    for method, path in [("POST", f"/settings/users/{person}/disable"), ("DELETE", f"/settings/users/{person}")]:
        assert admin.do(method, path).status_code == 403


def test_an_invitation_is_taken_back(site, root):
    link = site.access.invite_user(site.root, InviteUser(name="regretted"))
    page = root.open(f"/settings/users/{link.user}").text
    path = re.search(r'hx-post="(/settings/users/[^"]+/withdraw/[^"]+)"', page)[1]
    assert location(root.do("POST", path)) == "/settings/users"
    assert not site.access.list_users(site.root, ListUsers(find="regretted")).items


def test_a_person_is_erased_by_name(site, root):
    person = site.person("gone")
    assert location(root.do("DELETE", f"/settings/users/{person.id}")) == "/settings/users"
    assert site.access.get_user(site.root, OneUser(user=person.id)).name.startswith("erased-")


def test_a_role_is_given_and_taken(site):
    admin, person = site.visitor("admin"), site.person("rising")
    answer = admin.do("POST", "/demo/settings/members", kind="user", subject="rising", role="operator", on="endpoint:churn")  # fmt: skip
    assert location(answer) == "/demo/settings/members"
    page = admin.open("/demo/settings/members").text
    assert "endpoint:churn" in page
    held = site.access.list_roles_of(site.root, OneUser(user=person.id))
    assert admin.do("DELETE", f"/demo/settings/members/{held[0].grant}").status_code == 204
    assert site.access.list_roles_of(site.root, OneUser(user=person.id)) == []


def test_a_viewer_sees_members_but_no_button_and_is_refused(site):
    viewer = site.visitor("viewer")
    page = viewer.open("/demo/settings/members").text
    assert "hx-delete" not in page
    assert 'data-dialog="give-role"' not in page
    assert viewer.do("POST", "/demo/settings/members", kind="user", subject="viewer", role="admin").status_code == 403


def test_an_own_role_is_made_and_removed(site):
    admin = site.visitor("admin")
    answer = admin.do("POST", "/demo/settings/members/roles", name="Data keeper", permissions=["lake.edit", ""])
    assert location(answer) == "/demo/settings/members/roles"
    assert "Data keeper" in admin.open("/demo/settings/members/roles").text
    assert admin.do("DELETE", "/demo/settings/members/roles/data-keeper").status_code == 204


def test_a_key_is_shown_once_and_never_again(site):
    visitor = site.visitor("operator")
    shown = visitor.do("POST", "/demo/settings/keys", name="web shop", rights="call", days="90")
    text = re.search(r"aim_[\w-]{43}", shown.text)[0]
    assert json.loads(shown.headers["hx-trigger"]) == {"refresh": {}}
    page = visitor.open("/demo/settings/keys").text
    assert text not in page
    assert text[:10] in page
    assert site.access.authenticate(text).allows("serving.use", "demo")


def test_a_key_is_replaced_and_stopped(site):
    visitor = site.visitor("editor")
    made = site.access.create_key(site.people["editor"], CreateKey(workspace="demo", name="old")).key
    shown = visitor.do("POST", f"/demo/settings/keys/{made.id}/rotate", grace_s="86400")
    assert "aim_" in shown.text
    keys = site.access.list_keys(site.people["editor"], ListKeys(workspace="demo")).items
    new = next(key for key in keys if key.name == "old" and key.revoked_at is None)
    assert visitor.do("DELETE", f"/demo/settings/keys/{new.id}").status_code == 204
    assert "Revoked" in visitor.open("/demo/settings/keys?state=REVOKED").text


def test_a_key_shows_its_daily_quota_and_gets_another_one(site):
    visitor = site.visitor("editor")
    visitor.do("POST", "/demo/settings/keys", name="counted", rights="call", daily_quota="4321")
    page = visitor.open("/demo/settings/keys").text
    (key,) = [one for one in site.access.list_keys(SYSTEM, ListKeys(workspace="demo")).items if one.name == "counted"]
    assert "4,321" in page
    assert f'id="quota-{key.id}"' in page
    path = f"/demo/settings/keys/{key.id}/quota"
    assert visitor.do("POST", path, daily_quota="98765").status_code == 204
    assert "98,765" in visitor.open("/demo/settings/keys").text
    refused = visitor.do("POST", path, daily_quota="-1")
    assert (refused.status_code, refused.json()["field"]) == (400, "daily_quota")


def test_a_key_with_rights_that_nobody_named_is_refused_at_the_field(site):
    answer = site.visitor("editor").do("POST", "/demo/settings/keys", name="k", rights="some")
    assert (answer.status_code, answer.json()["field"]) == (400, "scopes")


def test_a_service_account_is_made_switched_and_removed(site):
    admin = site.visitor("admin")
    assert location(admin.do("POST", "/demo/settings/services", name="Web shop", role="analyst")).endswith("services")
    assert admin.do("POST", "/demo/settings/services/web-shop/disable").status_code == 204
    assert "Disabled" in admin.open("/demo/settings/services").text
    assert admin.do("POST", "/demo/settings/services/web-shop/enable").status_code == 204
    assert admin.do("DELETE", "/demo/settings/services/web-shop").status_code == 204
    kept = site.access.list_services(site.root, ListServices(workspace="demo")).items
    assert "web-shop" not in [service.slug for service in kept]


def test_no_workspace_is_called_like_a_page_of_the_platform(root):
    answer = root.do("POST", "/settings/workspaces", name="Settings")
    assert (answer.status_code, answer.json()["field"]) == (400, "slug")


def test_a_workspace_is_made_changed_and_deleted(site, root):
    made = root.do("POST", "/settings/workspaces", name="实验室 Lab", slug="lab", review="auto")
    assert location(made) == "/lab"
    page = root.open("/lab/settings/general").text
    version = re.search(r'name="version" value="(\d+)"', page)[1]
    assert root.do("POST", "/lab/settings/general", name="Lab", review="person", version=version).status_code == 204
    stale = root.do("POST", "/lab/settings/general", name="Again", review="person", version=version)
    assert stale.status_code == 412
    assert root.do("DELETE", "/lab/settings/general").status_code == 204


# approvals, audit


def test_an_approval_shows_its_evidence_and_who_may_decide(site, approval):
    author, reviewer = site.visitor("editor"), site.visitor("reviewer")
    assert "You asked, so another person decides." in author.open(f"/demo/approvals/{approval}").text
    page = reviewer.open(f"/demo/approvals/{approval}").text
    assert "0.84" in page
    assert 'value="approve"' in page
    assert "models.approve" in site.visitor("viewer").open(f"/demo/approvals/{approval}").text


def test_a_reviewer_decides_and_the_author_cannot(site):
    asked = RequestApproval(workspace="demo", subject="x:1", reason="Second", permission="models.approve")
    id_ = site.access.request_approval(site.people["editor"], asked).id
    assert site.visitor("editor").do("POST", f"/demo/approvals/{id_}/decision", decision="approve").status_code == 403
    reviewer = site.visitor("reviewer")
    assert (
        reviewer.do("POST", f"/demo/approvals/{id_}/decision", decision="reject", comment="too old").status_code == 204
    )
    found = site.access.get_approval(site.root, OneApproval(workspace="demo", approval=id_))
    assert (found.state, found.comment) == ("rejected", "too old")
    assert "too old" in reviewer.part(f"/demo/approvals/{id_}", "approval").text


def test_a_question_is_taken_back_by_its_author(site):
    asked = RequestApproval(workspace="demo", subject="x:2", reason="Third", permission="models.approve")
    id_ = site.access.request_approval(site.people["editor"], asked).id
    assert site.visitor("editor").do("POST", f"/demo/approvals/{id_}/withdrawal").status_code == 204
    assert "Cancelled" in site.visitor("viewer").open("/demo/approvals?state=all").text


def test_the_audit_log_is_filtered_by_name_action_and_object(site, root):
    page = root.part("/demo/settings/audit?q=root&action=access.grant.give", "audit").text
    assert "access.grant.give" in page
    assert "access.sign_in" not in page
    assert "Nothing matches" in root.part("/demo/settings/audit?object=nothing:1", "audit").text


def test_an_administrator_of_a_workspace_sees_only_its_log(site):
    admin = site.visitor("admin")
    page = admin.part("/demo/settings/audit", "audit").text
    assert "access.workspace.create" in page
    assert "access.sign_in" not in page
    assert admin.open("/demo/settings/audit?scope=*").status_code == 403
    assert admin.open("/demo/settings/audit/verification").status_code == 403
    assert admin.open("/demo/settings/audit/export").status_code == 403


def test_the_chain_is_verified_and_exported(site, root):
    site.access.seal_audit()
    assert "The chain is whole." in root.open("/demo/settings/audit/verification").text
    lines = root.open("/demo/settings/audit/export").text.splitlines()
    first = json.loads(lines[0])
    assert (first["seq"], len(first["hash"])) == (1, 64)


def test_a_program_is_told_how_to_do_the_same(root):
    page = root.open("/demo/settings/keys").text
    assert "aimass keys create &#39;web shop&#39; --scopes serving.use --days 90 --workspace demo" in page
    assert "client.access.create_key(" in page


def test_enrolling_twice_is_refused_in_words(site):
    site.access.enrol_second_factor(site.person("twice"), EnrolSecondFactor(password=PASSWORD))
    assert CreateService(workspace="demo", name="x").role is None


def test_people_accounts_and_workspaces_are_found_by_name(site):
    person, registry = site.person("searchable"), site.registry
    site.access.create_service(site.root, CreateService(workspace="demo", name="Finder"))
    found = document(registry, "*", f"user:{person.id}")
    assert (found.title, found.href, found.permission) == ("searchable", f"/settings/users/{person.id}", "access.read")
    assert document(registry, "demo", "service:finder").href == "/demo/settings/services"
    assert document(registry, "demo", "workspace:demo").title == "Demo"
    site.access.erase_user(site.root, OneUser(user=person.id))
    assert document(registry, "*", f"user:{person.id}") is None
    assert document(registry, "demo", "service:none") is None
    assert document(registry, "demo", "endpoint:churn") is None


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_cookies_travel_only_encrypted_where_the_browser_came_encrypted(site: Site, scheme: str) -> None:
    client = TestClient(site.app, base_url=f"{scheme}://aimass.example")
    given = client.get("/forgot", headers=PAGE).headers.get_list("set-cookie")
    assert given
    assert all(("secure" in cookie.lower().split("; ")) == (scheme == "https") for cookie in given)
