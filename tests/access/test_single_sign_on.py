"""Signing in by a real identity provider: who gets in, with which roles, and how it ends."""

from __future__ import annotations

import re
import socket
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from aimass.access.capability import CAPABILITY
from aimass.access.domain.members import ListMembers
from aimass.access.domain.people import InviteUser, ListUsers, OneUser, WithdrawInvitation
from aimass.access.domain.providers import (
    AddProvider,
    ChangeProvider,
    GroupRole,
    LinkIdentity,
    OneProvider,
    UnlinkIdentity,
)
from aimass.access.errors import LastAdministrator, ProviderSilent
from aimass.access.service import oidc
from aimass.access.service.discovery import Discovery
from aimass.access.service.ground import find_user
from aimass.access.store import rows
from aimass.access.store.tables import grants, links, providers, sign_ins
from aimass.infra.database import Database
from aimass.kernel.errors import Conflict, Invalid, NotFound
from aimass.kernel.principal import ANYWHERE, SYSTEM
from aimass.web.session import SESSION_COOKIE
from tests.fixtures.browser import axe_violations, browser, new_page, serving, settle
from tests.fixtures.oidc import OpenIdProvider, free_port, openid_provider
from tests.fixtures.site import Site, site_of

__all__ = ["browser"]
SECRET = "a-secret-of-the-provider"
PAGE = {"accept": "text/html"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    patch = pytest.MonkeyPatch()
    patch.setenv("AIMASS_ACCESS_PROVIDERS_ALLOW", '["127.0.0.1"]')
    patch.setenv("AIMASS_ACCESS_PUBLIC_URL", f"http://127.0.0.1:{free_port()}")
    with site_of(tmp_path_factory.mktemp("site"), [CAPABILITY]) as found:
        yield found
    patch.undo()


@pytest.fixture(scope="module")
def url(site: Site) -> Iterator[str]:
    with serving(site.app, urlsplit(site.access.token_issuer).port or 0) as address:
        yield address


@pytest.fixture
def company(site: Site, url: str) -> Iterator[OpenIdProvider]:
    """The provider, set up on the platform: new people are let in, and two groups bring roles."""
    with openid_provider(url) as provider:
        roles = [
            GroupRole(group="ml", role="editor", workspace="demo"),
            GroupRole(group="ops", role="operator", workspace="demo"),
        ]
        wish = AddProvider(
            name="Company", issuer=provider.issuer, client_id="aimass", client_secret=SECRET, new_people=True, group_roles=roles
        )  # fmt: skip
        site.access.add_provider(site.root, wish)
        yield provider
        site.access.remove_provider(site.root, OneProvider(provider="company"))


def visitor() -> httpx2.Client:
    return httpx2.Client(headers=PAGE, trust_env=False, timeout=30)


def through(client: httpx2.Client, url: str, name: str, next_: str = "/settings/profile") -> httpx2.Response:
    """Go by the button of the page to sign in, through the provider's forms, up to our own callback's answer."""
    answer = client.get(f"{url}/oidc/company/start", params={"next": next_})
    for _ in range(12):
        if answer.is_redirect:
            target = str(answer.next_request.url)  # pyright: ignore[reportOptionalMemberAccess]
            answer = client.get(target)
            if "/oidc/company/callback" in target:
                return answer
            continue
        action = re.search(r'action="([^"]+)"', answer.text)
        prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)
        if action is None or prompt is None:
            return answer
        answer = client.post(action[1], data={"prompt": prompt[1], "login": name, "password": "any"})
    raise AssertionError(answer.url)


def roles_of(site: Site, name: str) -> set[str]:
    held = site.access.list_members(site.root, ListMembers(workspace="demo")).items
    return {one.role for one in held if one.name == name}


def me(client: httpx2.Client, url: str) -> httpx2.Response:
    return client.get(f"{url}/settings/profile")


def test_a_new_person_gets_an_account_a_session_and_the_roles_of_the_groups(
    site: Site, url: str, company: OpenIdProvider
) -> None:
    company.put_in("nora", "ml", "choir")
    with visitor() as client:
        assert "Sign in with Company" in client.get(f"{url}/login").text
        answer = through(client, url, "nora")
        assert (answer.status_code, answer.headers["location"]) == (303, "/settings/profile")
        assert "nora" in me(client, url).text
    assert roles_of(site, "nora") == {"editor"}
    company.put_in("nora", "ops")
    with visitor() as client:
        through(client, url, "nora")
    assert roles_of(site, "nora") == {"operator"}
    (user,) = site.access.list_users(site.root, ListUsers(find="nora")).items
    assert (user.state, user.email) == ("active", "nora@example.org")


def test_roles_given_by_hand_stay_and_a_removed_provider_takes_its_own_along(
    site: Site, url: str, company: OpenIdProvider
) -> None:
    from aimass.access import GiveRole

    company.put_in("hand", "ml")
    with visitor() as client:
        through(client, url, "hand")
        site.access.give_role(site.root, GiveRole(workspace="demo", role="viewer", user="hand"))
        company.put_in("hand")
        through(client, url, "hand")
        assert roles_of(site, "hand") == {"viewer"}
    with site.registry.get(Database).read() as conn:
        assert rows.count(conn, grants, created_by="provider:company") == 0


def test_who_is_not_known_hears_what_to_do_and_a_link_lets_him_in(
    site: Site, url: str, company: OpenIdProvider
) -> None:
    site.access.change_provider(site.root, ChangeProvider(provider="company", new_people=False))
    with visitor() as client:
        answer = through(client, url, "olga")
        assert answer.status_code == 403
        assert "no account for you" in answer.text
        assert SESSION_COOKIE not in client.cookies
        command = LinkIdentity(user="viewer", provider="company", subject="olga")
        site.access.link_identity(site.root, command)
        with pytest.raises(Conflict):
            site.access.link_identity(site.root, command)
        assert through(client, url, "olga").status_code == 303
        assert [one.subject for one in site.access.list_identities(site.root, OneUser(user="viewer"))] == ["olga"]
        assert me(client, url).status_code == 200
        site.access.unlink_identity(site.root, UnlinkIdentity(user="viewer", provider="company"))
        assert me(client, url).status_code == 303


def test_an_invitation_waits_for_the_verified_address(site: Site, url: str, company: OpenIdProvider) -> None:
    site.access.change_provider(site.root, ChangeProvider(provider="company", new_people=False))
    invited = InviteUser(name="Ina", email="ina@example.org", workspace="demo", role="analyst")
    site.access.invite_user(site.root, invited)
    with visitor() as client:
        assert through(client, url, "ina").status_code == 303
        assert "Ina" in me(client, url).text
    assert roles_of(site, "Ina") == {"analyst"}


def test_who_was_invited_and_linked_is_in_and_a_withdrawn_one_can_be_linked_again(
    site: Site, url: str, company: OpenIdProvider
) -> None:
    site.access.change_provider(site.root, ChangeProvider(provider="company", new_people=False))
    command = LinkIdentity(user="Lia", provider="company", subject="lia")
    withdrawn = site.access.invite_user(site.root, InviteUser(name="Lia", workspace="demo", role="analyst"))
    site.access.link_identity(site.root, command)
    site.access.withdraw_invitation(site.root, WithdrawInvitation(invitation=withdrawn.id))
    with visitor() as client:
        assert through(client, url, "lia").status_code == 403
    site.access.invite_user(site.root, InviteUser(name="Lia", workspace="demo", role="analyst"))
    site.access.link_identity(site.root, command)
    with visitor() as client:
        assert through(client, url, "lia").status_code == 303
        assert "Lia" in me(client, url).text


def test_an_invitation_that_is_over_lets_nobody_in(site: Site, url: str, company: OpenIdProvider) -> None:
    site.access.change_provider(site.root, ChangeProvider(provider="company", new_people=False))
    invited = InviteUser(name="Otto", email="otto@example.org", workspace="demo", role="admin")
    site.access.invite_user(site.root, invited)
    database = site.registry.get(Database)
    with database.change(SYSTEM, ANYWHERE) as change:
        user = find_user(change.conn, "Otto").id
        rows.change(change.conn, links, {"user_id": user}, expires_at=change.now)
    with visitor() as client:
        assert through(client, url, "otto").status_code == 403
        site.access.tidy()
        assert through(client, url, "otto").status_code == 403


def test_neither_a_provider_nor_a_link_goes_with_the_last_administrator(
    site: Site, url: str, company: OpenIdProvider
) -> None:
    roles = [GroupRole(group="chiefs", role="admin", workspace=ANYWHERE)]
    site.access.change_provider(site.root, ChangeProvider(provider="company", group_roles=roles))
    company.put_in("carla", "chiefs")
    with visitor() as client:
        through(client, url, "carla")
    site.access.disable_user(SYSTEM, OneUser(user="root"))
    try:
        with pytest.raises(LastAdministrator):
            site.access.remove_provider(SYSTEM, OneProvider(provider="company"))
        with pytest.raises(LastAdministrator):
            site.access.unlink_identity(SYSTEM, UnlinkIdentity(user="carla", provider="company"))
    finally:
        site.access.enable_user(SYSTEM, OneUser(user="root"))


def test_strangers_who_begin_many_sign_ins_keep_nobody_out(
    site: Site, url: str, company: OpenIdProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc, "_MOST_UNDER_WAY", 3)
    with visitor() as client, visitor() as stranger:
        for _ in range(5):
            assert stranger.get(f"{url}/oidc/company/start").status_code == 303
        assert through(client, url, "paul").status_code == 303
    with site.registry.get(Database).read() as conn:
        assert rows.count(conn, sign_ins) <= 3


def test_an_account_is_never_taken_over_by_its_name(site: Site, url: str, company: OpenIdProvider) -> None:
    with visitor() as client:
        answer = through(client, url, "root")
        assert answer.status_code == 409
        assert "root" in answer.text
        assert SESSION_COOKIE not in client.cookies


def test_a_disabled_person_stays_out_and_comes_back_without_a_password(
    site: Site, url: str, company: OpenIdProvider
) -> None:
    with visitor() as client:
        through(client, url, "dora")
        site.access.disable_user(site.root, OneUser(user="dora"))
        assert me(client, url).status_code == 303
        assert through(client, url, "dora").status_code == 403
        site.access.enable_user(site.root, OneUser(user="dora"))
        assert through(client, url, "dora").status_code == 303


def test_a_sign_in_counts_once_in_the_browser_that_began_it(site: Site, url: str, company: OpenIdProvider) -> None:
    seen: list[str] = []
    with visitor() as client:
        client.event_hooks["request"].append(lambda request: seen.append(str(request.url)))
        through(client, url, "eva")
        callback = next(one for one in seen if "/callback" in one)
        assert client.get(callback).status_code == 401
        begun = client.get(f"{url}/oidc/company/start")
    state = parse_qs(urlsplit(begun.headers["location"]).query)["state"][0]
    with visitor() as other:
        answer = other.get(f"{url}/oidc/company/callback", params={"state": state, "code": "x"})
        assert answer.status_code == 401
        assert "another browser" in answer.text
        other.cookies = httpx2.Cookies(client.cookies)
        assert other.get(f"{url}/oidc/company/callback", params={"state": state, "code": "made-up"}).status_code == 401


def test_pkce_state_and_nonce_go_along_and_foreign_addresses_do_not(
    site: Site, url: str, company: OpenIdProvider
) -> None:
    with visitor() as client:
        asked = parse_qs(urlsplit(client.get(f"{url}/oidc/company/start").headers["location"]).query)
        assert asked["code_challenge_method"] == ["S256"]
        assert asked["nonce"] != asked["state"]
        answer = through(client, url, "fred", next_="https://evil.example.org/")
        assert answer.headers["location"] == "/"
        assert client.get(f"{url}/oidc/nobody/start").status_code == 404


def test_the_provider_ends_our_session_when_its_own_ends(site: Site, url: str, company: OpenIdProvider) -> None:
    with visitor() as client:
        through(client, url, "lena")
        assert me(client, url).status_code == 200
        page = client.get(f"{company.issuer}/session/end")
        form = {"xsrf": re.search(r'name="xsrf" value="([^"]+)"', page.text)[1], "logout": "yes"}  # pyright: ignore[reportOptionalSubscript]
        client.post(f"{company.issuer}/session/end/confirm", data=form)
        assert me(client, url).status_code == 303


def test_a_provider_that_is_switched_off_still_ends_what_it_opened(
    site: Site, url: str, company: OpenIdProvider
) -> None:
    with visitor() as client:
        through(client, url, "lotte")
        site.access.change_provider(site.root, ChangeProvider(provider="company", enabled=False))
        page = client.get(f"{company.issuer}/session/end")
        form = {"xsrf": re.search(r'name="xsrf" value="([^"]+)"', page.text)[1], "logout": "yes"}  # pyright: ignore[reportOptionalSubscript]
        client.post(f"{company.issuer}/session/end/confirm", data=form)
        assert me(client, url).status_code == 303


def test_a_made_up_logout_ends_nothing(site: Site, url: str, company: OpenIdProvider) -> None:
    with visitor() as client:
        through(client, url, "mona")
        nested = f"{urlsafe_b64encode(b'[' * 9000).decode()}.e30.e"
        for text in ("", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", nested):
            assert client.post(f"{url}/oidc/company/logout", data={"logout_token": text}).status_code == 400
        assert client.post(f"{url}/oidc/none/logout", data={"logout_token": "x"}).status_code == 400
        assert me(client, url).status_code == 200


def test_the_provider_down_keeps_sessions_and_tells_the_others(site: Site, url: str, company: OpenIdProvider) -> None:
    with visitor() as client:
        through(client, url, "kept")
        company.stop()
        site.access._ground.discovery._known.clear()
        assert me(client, url).status_code == 200
        with visitor() as other:
            answer = other.get(f"{url}/oidc/company/start")
        assert answer.status_code == 503
        assert "stays so" in answer.text
        assert site.access.logout_address("ais_none") is None
        with pytest.raises(ProviderSilent):
            site.access.check_provider(site.root, OneProvider(provider="company"))


class Mute:
    """A server that takes connections and never says a word, as behind a firewall that drops packets."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.issuer = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._taken: list[socket.socket] = []

    @property
    def asked(self) -> int:
        """How many connections came until now."""
        self._listener.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                self._taken.append(self._listener.accept()[0])
        return len(self._taken)

    def close(self) -> None:
        for one in (*self._taken, self._listener):
            one.close()


def test_a_provider_that_never_answers_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    mute, discovery = Mute(), Discovery(["127.0.0.0/8"], 0.2)
    for _ in range(5):
        with pytest.raises(ProviderSilent, match="cannot be reached: ReadTimeout") as silent:
            discovery.document(mute.issuer)
        assert "some seconds" in silent.value.hint
    assert mute.asked == 1
    with pytest.raises(ProviderSilent):
        discovery.document(mute.issuer, fresh=True)  # an administrator who checks it waits himself
    assert mute.asked == 2
    later = time.monotonic() + 11
    monkeypatch.setattr("aimass.access.service.discovery.time.monotonic", lambda: later)
    with pytest.raises(ProviderSilent):
        discovery.document(mute.issuer)
    assert mute.asked == 3
    mute.close()


def test_a_provider_that_is_back_counts_as_soon_as_somebody_reached_it(company: OpenIdProvider) -> None:
    discovery = Discovery(["127.0.0.0/8"], 5)
    discovery._silent[urlsplit(company.issuer).netloc] = (time.monotonic() + 3600, ProviderSilent())
    with pytest.raises(ProviderSilent):
        discovery.document(company.issuer)
    assert discovery.document(company.issuer, fresh=True)["issuer"] == company.issuer
    discovery._known.clear()
    assert discovery.document(company.issuer)["issuer"] == company.issuer


def test_a_secret_is_sealed_and_shown_to_nobody(site: Site, company: OpenIdProvider) -> None:
    with site.registry.get(Database).read() as conn:
        row = rows.find(conn, providers, slug="company")
    assert SECRET.encode() not in row.secret  # pyright: ignore[reportOptionalMemberAccess]
    assert SECRET not in repr(site.access.list_providers(site.root))
    found = site.access.check_provider(site.root, OneProvider(provider="company"))
    assert found.signing_keys >= 1
    assert found.offers_logout


@pytest.mark.parametrize(
    "issuer",
    ["http://169.254.169.254", "http://localhost:1", "https://10.0.0.1", "ftp://id.example.org", "http://8.8.8.8"],
)
def test_a_provider_inside_or_without_tls_is_refused(issuer: str) -> None:
    with pytest.raises(Invalid):
        Discovery([], 1).document(issuer)


def test_what_cannot_be_meant_is_refused(site: Site, company: OpenIdProvider) -> None:
    access, root = site.access, site.root
    common = {"issuer": company.issuer, "client_id": "aimass", "client_secret": SECRET}
    with pytest.raises(Conflict):
        access.add_provider(root, AddProvider(name="company", **common))
    for wrong in (
        {"group_roles": [GroupRole(group="a", role="king", workspace="demo")]},
        {"group_roles": [GroupRole(group=" ", role="viewer", workspace=ANYWHERE)]},
        {"client_secret": " "},
        {"scopes": ["a b"]},
    ):
        with pytest.raises(Invalid):
            access.add_provider(root, AddProvider(name="Other", **{**common, **wrong}))
    with pytest.raises(NotFound):
        access.get_provider(root, OneProvider(provider="other"))
    with pytest.raises(NotFound):
        access.unlink_identity(root, UnlinkIdentity(user="viewer", provider="company"))


@pytest.mark.long
def test_a_person_signs_in_and_out_in_a_real_browser(browser, site: Site, url: str, company: OpenIdProvider) -> None:
    company.put_in("wanda", "ml")
    with new_page(browser, url=url) as page:
        page.goto(f"{url}/login?next=/settings/profile")
        settle(page)
        assert axe_violations(page) == []
        page.get_by_role("link", name="Sign in with Company").click()
        page.locator('input[name="login"]').fill("wanda")
        page.locator('input[name="password"]').fill("any")
        page.get_by_role("button", name="Sign-in").click()
        page.get_by_role("button", name="Continue").click()
        page.wait_for_url(f"{url}/settings/profile")
        settle(page)
        page.locator(".menu:has([hx-post='/logout']) summary").click()
        page.get_by_text("wanda").first.wait_for()
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url(f"{company.issuer}/session/end**")
        page.get_by_role("button", name="Yes, sign me out").click()
        page.wait_for_url(f"{url}/login**")
        page.goto(f"{url}/settings/profile")
        page.wait_for_url(f"{url}/login**")


@pytest.mark.long
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_pages_of_providers_are_accessible(
    browser, site: Site, url: str, company: OpenIdProvider, language
) -> None:
    with new_page(browser, url=url, language=language, cookies=site.cookies("root")) as page:
        for path in ("/settings/single-sign-on", "/settings/single-sign-on/company", "/settings/token-keys"):
            page.goto(url + path)
            settle(page)
            assert axe_violations(page) == []
    company.stop()
    site.access._ground.discovery._known.clear()
    with new_page(browser, url=url, language=language) as page:
        page.goto(f"{url}/oidc/company/start")
        settle(page)
        assert axe_violations(page) == []
