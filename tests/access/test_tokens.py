"""The token endpoint: keys become tokens, tokens are looked into and taken back, keys that sign are replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from starlette.requests import HTTPConnection
from starlette.testclient import TestClient

from aimass.access import Access, AccessSettings, CreateKey, CreateService
from aimass.access.api import router
from aimass.access.domain.keys import OneKey, OneService
from aimass.access.domain.tokens import RotateTokenKey
from aimass.infra.database import Database
from aimass.infra.secrets import KeyFileSecrets, SigningKeys
from aimass.kernel.clock import SystemClock
from aimass.kernel.errors import Failed, Forbidden, Unauthenticated
from aimass.kernel.principal import ANONYMOUS, Principal
from aimass.kernel.registry import Registry
from aimass.kernel.usecase import use_cases
from aimass.web.api import AppParts, create_app

GRANT = {"grant_type": "client_credentials"}
Person = Callable[..., Principal]


@pytest.fixture
def api(access: Access) -> Iterator[TestClient]:
    def authenticate(connection: HTTPConnection) -> Principal:
        text = connection.headers.get("authorization", "").removeprefix("Bearer ")
        return access.authenticate(text) if text else ANONYMOUS

    registry = Registry()
    registry.put(Access, access)
    cases = [(case, access) for case in use_cases(access)]
    parts = AppParts(registry=registry, authenticate=authenticate, cases=cases, protocols=[router])
    with TestClient(create_app(parts)) as client:
        yield client


@pytest.fixture
def shop(access: Access, admin: Principal, demo: str) -> tuple[str, str]:
    """The client of a service account, by its name and the text of its key."""
    access.create_service(admin, CreateService(workspace=demo, name="shop", role="analyst"))
    return "shop", access.create_key(admin, CreateKey(workspace=demo, name="k", service="shop")).text


def ask(api: TestClient, client: tuple[str, str] | None, **fields: str) -> httpx2.Response:
    return api.post("/oauth2/token", data={**GRANT, **fields}, auth=client)  # pyright: ignore[reportArgumentType]


def token_of(api: TestClient, client: tuple[str, str], **fields: str) -> str:
    return str(ask(api, client, **fields).json()["access_token"])


def key_of(access: Access, text: str) -> str:
    with access._database.read() as conn:
        from aimass.access.store import queries

        return str(queries.key_by(conn, prefix=text[:10]).id)  # pyright: ignore[reportOptionalMemberAccess]


def test_a_client_gets_a_token_that_is_sent_like_a_key(api: TestClient, shop: tuple[str, str]) -> None:
    answer = ask(api, shop)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json().keys() == {"access_token", "token_type", "expires_in"}
    bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    me = api.get("/api/v1/access/me", headers=bearer).json()
    assert (me["name"], me["kind"]) == ("shop", "service")


def test_the_client_may_stand_in_the_form_and_be_named_by_its_key(
    api: TestClient, access: Access, shop: tuple[str, str]
) -> None:
    fields = {"client_id": key_of(access, shop[1]), "client_secret": shop[1]}
    assert ask(api, None, **fields).status_code == 200


def test_strangers_verify_a_token_by_the_published_keys(api: TestClient, shop: tuple[str, str]) -> None:
    told = api.get("/.well-known/oauth-authorization-server").json()
    assert api.get("/.well-known/openid-configuration").json() == told
    assert told["jwks_uri"].endswith("/.well-known/jwks.json")
    keys = KeySet.import_key_set(api.get("/.well-known/jwks.json").json())
    read = jwt.decode(token_of(api, shop), keys, algorithms=["Ed25519"])
    assert read.header["typ"] == "at+jwt"
    assert read.claims["iss"] == read.claims["aud"] == told["issuer"]
    assert all(one.is_private is False for one in keys)


def test_a_scope_cuts_a_token_down_and_never_widens_it(api: TestClient, access: Access, shop: tuple[str, str]) -> None:
    answer = ask(api, shop, scope="serving.use").json()
    assert answer["scope"] == "serving.use"
    who = access.authenticate(answer["access_token"])
    assert who.allows("serving.use", "demo")
    assert not who.allows("lake.read", "demo")
    for scope in ("lake.manage", "serving.fly"):
        refused = ask(api, shop, scope=scope)
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_scope")


@pytest.mark.parametrize(
    ("fields", "status", "error"),
    [
        ({"grant_type": ""}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ],
)
def test_what_is_not_offered_is_refused_in_the_words_of_the_standard(
    api: TestClient, shop: tuple[str, str], fields: dict[str, str], status: int, error: str
) -> None:
    answer = ask(api, shop, **fields)
    assert (answer.status_code, answer.json()["error"]) == (status, error)


@pytest.mark.parametrize("client", [None, ("shop", "aim_wrong"), ("shop", ""), ("nobody", "ais_x"), ("\u6587", "x")])
def test_a_client_that_does_not_prove_itself_is_refused(
    api: TestClient, shop: tuple[str, str], client: tuple[str, str] | None
) -> None:
    answer = ask(api, client)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert answer.headers["www-authenticate"].startswith("Basic")


def test_a_secret_counts_for_its_own_client_alone(
    api: TestClient, access: Access, admin: Principal, shop: tuple[str, str]
) -> None:
    access.create_service(admin, CreateService(workspace="demo", name="other", role="analyst"))
    assert ask(api, ("other", shop[1])).json()["error"] == "invalid_client"


def test_guesses_are_locked_out_and_the_right_secret_is_not(api: TestClient, shop: tuple[str, str]) -> None:
    tries = [ask(api, ("shop", f"aim_{n}")) for n in range(7)]
    assert [answer.status_code for answer in tries] == [401] * 5 + [429] * 2
    assert tries[-1].json()["error"] == "slow_down"
    assert int(tries[-1].headers["retry-after"]) > 0
    assert ask(api, shop).status_code == 200


def test_a_token_ends_with_its_time_its_key_and_its_account(
    api: TestClient, access: Access, admin: Principal, shop: tuple[str, str], clock: Any
) -> None:
    token = token_of(api, shop)
    access.disable_service(admin, OneService(workspace="demo", service="shop"))
    with pytest.raises(Unauthenticated):
        access.authenticate(token)
    access.enable_service(admin, OneService(workspace="demo", service="shop"))
    assert access.authenticate(token).name == "shop"
    clock.forward(901)
    with pytest.raises(Unauthenticated, match="expired"):
        access.authenticate(token)
    fresh = token_of(api, shop)
    access.revoke_key(admin, OneKey(workspace="demo", key=key_of(access, shop[1])))
    with pytest.raises(Unauthenticated):
        access.authenticate(fresh)
    assert ask(api, shop).json()["error"] == "invalid_client"


def test_a_token_that_was_taken_back_is_refused_at_once(
    api: TestClient, access: Access, shop: tuple[str, str], clock: Any
) -> None:
    token, kept = token_of(api, shop), token_of(api, shop)
    assert access.authenticate(token).name == "shop"
    assert api.post("/oauth2/revoke", data={"token": token}, auth=shop).status_code == 200
    with pytest.raises(Unauthenticated, match="revoked"):
        access.authenticate(token)
    assert access.authenticate(kept).name == "shop"
    assert len(access.published_tokens().revoked) == 1
    assert api.post("/oauth2/revoke", data={"token": token}, auth=shop).status_code == 200
    assert api.post("/oauth2/revoke", data={"token": "nothing"}, auth=shop).status_code == 200
    clock.forward(901)
    access.tidy()
    assert access.published_tokens().revoked == []


def test_nobody_takes_back_the_token_of_another_client(
    api: TestClient, access: Access, admin: Principal, shop: tuple[str, str]
) -> None:
    mine = access.create_key(admin, CreateKey(workspace="demo", name="mine")).text
    token = token_of(api, shop)
    assert api.post("/oauth2/revoke", data={"token": token}, auth=("root", mine)).status_code == 200
    assert access.authenticate(token).name == "shop"
    assert api.post("/oauth2/revoke", data={"token": token}).status_code == 401


def test_introspection_tells_only_those_who_may_know(
    api: TestClient, access: Access, admin: Principal, person: Person, shop: tuple[str, str]
) -> None:
    token = token_of(api, shop, scope="serving.use")

    def look(client: tuple[str, str] | None, text: str = token) -> dict[str, Any]:
        return api.post("/oauth2/introspect", data={"token": text}, auth=client).json()

    told = look(shop)
    assert (told["active"], told["username"], told["scope"]) == (True, "shop", "serving.use")
    assert look(shop, shop[1])["active"] is True
    assert look(shop, "nonsense") == look(shop, token[:-4] + "AAAA") == {"active": False}
    access.create_service(admin, CreateService(workspace="demo", name="narrow"))
    narrow = access.create_key(admin, CreateKey(workspace="demo", name="n", service="narrow")).text
    assert look(("narrow", narrow)) == {"active": False}
    assert look(None)["error"] == "invalid_client"


def test_tokens_of_the_old_key_count_on_and_the_new_one_signs_once_it_is_known(
    api: TestClient, access: Access, admin: Principal, shop: tuple[str, str], clock: Any
) -> None:
    def signer(token: str) -> str:
        import base64
        import json

        return str(json.loads(base64.urlsafe_b64decode(token.partition(".")[0] + "=="))["kid"])

    before = token_of(api, shop)
    new = access.rotate_token_key(admin, RotateTokenKey())
    assert new.current
    assert signer(token_of(api, shop)) == signer(before) != new.id
    clock.forward(6)
    assert signer(token_of(api, shop)) == new.id
    access.renew_token_key()
    assert access.authenticate(before).name == "shop"
    assert [key.current for key in access.list_token_keys(admin)] == [True, False]


def test_keys_that_leaked_sign_and_verify_nothing_any_more(
    api: TestClient, access: Access, admin: Principal, person: Person, shop: tuple[str, str]
) -> None:
    token = token_of(api, shop)
    access.rotate_token_key(admin, RotateTokenKey(leaked=True))
    with pytest.raises(Unauthenticated, match="not ours"):
        access.authenticate(token)
    assert access.authenticate(token_of(api, shop)).name == "shop"
    with pytest.raises(Forbidden):
        access.rotate_token_key(person("eve", "editor"), RotateTokenKey())


def test_the_key_is_renewed_when_its_days_are_over(access: Access, admin: Principal, clock: Any) -> None:
    access.renew_token_key()
    assert len(access.list_token_keys(admin)) == 1
    clock.forward(91 * 86400)
    access.renew_token_key()
    assert len(access.list_token_keys(admin)) == 2


def test_private_halves_are_sealed_also_those_of_a_file_from_before(tmp_path: Path) -> None:
    file, secrets = tmp_path / "tokens.json", KeyFileSecrets(tmp_path / "secrets.json")
    private = SigningKeys(file, SystemClock()).jwk()["d"]
    keys = SigningKeys(file, SystemClock(), secrets=secrets, lead_s=60)
    assert private not in file.read_text()
    assert keys.jwk()["d"] == private
    keys.rotate()
    assert keys.jwk()["d"] == private
    keys.retire()
    assert keys.jwk()["d"] == private
    later = SigningKeys(file, SystemClock(), secrets=secrets)
    later.retire()
    assert later.jwk()["d"] != private
    assert file.read_text().count("sealed") == 1
    with pytest.raises(Failed, match="cannot be read"):
        SigningKeys(file, SystemClock()).sign(b"x")


def test_the_issuer_is_the_address_of_the_platform(database: Database, tmp_path: Path) -> None:
    settings = AccessSettings(public_url="https://ai.example.org/")
    access = Access(database, KeyFileSecrets(tmp_path / "s.json"), tmp_path / "keys", settings)
    assert access.token_issuer == access.published_tokens().issuer == "https://ai.example.org"
