"""Signed tokens at the data plane: let in like their key, refused when either was taken back."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aimass.access import Access, GiveRole, SignIn
from aimass.access.domain.devices import LookAtDevice, OneDevice, Wish
from aimass.access.domain.keys import ListKeys, OneKey
from aimass.access.domain.members import TakeRole
from aimass.access.domain.people import InviteUser, UseLink
from aimass.access.domain.tokens import Ask, Client, RotateTokenKey
from aimass.gateway.plane.auth import Key
from aimass.gateway.plane.errors import UnknownKey, UnknownPlace, UnnamedPlace
from aimass.gateway.plane.tokens import Tokens
from aimass.kernel.principal import ANONYMOUS, SYSTEM
from tests.fixtures.stage import Stage, live, stage

__all__ = ["live", "stage"]
PRIVATE = Ed25519PrivateKey.generate()
CLAIMS: dict[str, Any] = {"iss": "here", "via": "key:K1", "jti": "J1", "exp": 2_000_000_000}


def encoded(value: bytes) -> str:
    return urlsafe_b64encode(value).decode().rstrip("=")


def token(alg: str = "Ed25519", kid: str = "a", **claims: Any) -> bytes:
    parts = ({"alg": alg, "kid": kid}, {**CLAIMS, **claims})
    message = ".".join(encoded(json.dumps(part).encode()) for part in parts)
    return f"{message}.{encoded(PRIVATE.sign(message.encode()))}".encode()


def spec(**more: Any) -> dict[str, Any]:
    public = encoded(PRIVATE.public_key().public_bytes_raw())
    return {"issuer": "here", "keys": {"a": public}, "revoked": [], **more}


def key(**more: Any) -> Key:
    return Key({"id": "K1", "consumer": "shop", "workspace": "demo", "use": ["*"], **more}, None)


def test_a_token_stands_for_its_key_and_ends_at_the_earlier_end() -> None:
    found = Tokens(spec(), [key()]).key(token())
    assert (found.consumer, found.expires_at, found.may_use("churn")) == ("shop", 2_000_000_000, True)
    assert Tokens(spec(), [key(expires_at=5)]).key(token()).expires_at == 5
    with pytest.raises(UnknownKey, match="expired"):
        found.admit(2_000_000_001.0)


def test_a_scope_without_calls_calls_nothing() -> None:
    tokens = Tokens(spec(), [key()])
    assert not tokens.key(token(scope="lake.read")).may_use("churn")
    assert tokens.key(token(scope="lake.read serving.use")).may_use("churn")


def test_a_scope_without_routes_reaches_no_service() -> None:
    tokens = Tokens(spec(), [key(routes=["*"])])
    assert tokens.key(token(scope="lake.read gateway.use")).may_reach("geo")
    assert tokens.key(token(scope="")).may_reach("geo")
    assert not tokens.key(token(scope="serving.use")).may_reach("geo")


def test_a_scope_without_edits_loads_and_unloads_nothing() -> None:
    tokens = Tokens(spec(), [key(edit=["*"])])
    assert tokens.key(token(scope="")).may_edit("churn")
    assert tokens.key(token(scope="serving.edit")).may_edit("churn")
    assert not tokens.key(token(scope="serving.use")).may_edit("churn")


@pytest.mark.parametrize(
    "text",
    [
        token(alg="none"),
        token(alg="HS256"),
        token(kid="b"),
        token(exp="never"),
        token()[:-8] + b"AAAAAAAA",
        b"eyJ",
        b"eyJ..",
        b"eyJ.\xff.x",
        b"eyJ" + b"[" * 9000,
        encoded(b"[" * 3000).encode() + b".e.e",
    ],
)
def test_what_we_did_not_sign_is_refused(text: bytes) -> None:
    with pytest.raises(UnknownKey, match="not ours"):
        Tokens(spec(), [key()]).key(text)


def test_revocation_of_token_key_or_signer_counts_for_tokens_that_were_seen_before() -> None:
    before = Tokens(spec(), [key()])
    before.key(token())
    for tokens in (
        Tokens(spec(revoked=["J1"]), [key()], before),
        Tokens(spec(), [], before),
        Tokens(spec(issuer="there"), [key()], before),
        Tokens(spec(keys={}), [key()], before),
        Tokens(),
    ):
        with pytest.raises(UnknownKey):
            tokens.key(token())
    assert Tokens(spec(), [key()], before).key(token()).id == "K1"
    with pytest.raises(UnknownKey, match="session"):
        before.key(token(via="session:S1"))


def test_a_token_of_a_device_counts_in_each_workspace_of_its_person_that_is_named() -> None:
    here, there = key(id="D1"), key(id="D1", workspace="other", use=["geo"])
    tokens, text = Tokens(spec(), [key(), here, there]), token(via="device:D1")
    assert tokens.key(text, b"demo").may_use("churn")
    assert not tokens.key(text, b"other").may_use("churn")
    assert (tokens.key(text, b"other").workspace, tokens.key(text, b"demo").workspace) == ("other", "demo")
    with pytest.raises(UnnamedPlace) as unnamed:
        tokens.key(text)
    assert unnamed.value.allowed == ["demo", "other"]
    for place in (b"third", b"\xff", b"D1"):
        with pytest.raises(UnknownPlace):
            tokens.key(text, place)
    assert Tokens(spec(), [here]).key(text).workspace == "demo"
    with pytest.raises(UnknownKey, match="revoked"):
        Tokens(spec(), [key()], tokens).key(text)
    assert Tokens(spec(), [key()]).key(token(), b"other").workspace == "demo"


def test_a_person_calls_a_model_from_a_device_until_it_is_signed_out(live: Stage) -> None:
    access = live.rooms.get(Access)
    link = access.invite_user(SYSTEM, InviteUser(name="eve"))
    analyst = GiveRole(workspace="demo", role="analyst", user="eve")
    role = access.give_role(SYSTEM, analyst).grant
    access.accept_invitation(ANONYMOUS, UseLink(token=link.token, password="four small brown bears"))
    session = access.sign_in(ANONYMOUS, SignIn(name="eve", password="four small brown bears"))
    eve = access.authenticate(session.token)

    def sign_in(scope: str = "") -> dict[str, Any]:
        asked = access.begin_device("aimass-cli", Wish(scope=scope))
        access.allow_device(eve, LookAtDevice(user_code=asked["user_code"]))
        return access.spend_device_code("aimass-cli", asked["device_code"], "")

    tokens, narrow = sign_in(), sign_in("lake.read")
    live.until(lambda: live.infer(key=tokens["access_token"]).status == 200)
    assert live.infer(key=narrow["access_token"]).status == 403
    assert live.infer(key=tokens["access_token"], X_AIMass_Workspace="other").status == 404
    fresh = access.refresh("aimass-cli", tokens["refresh_token"], "", "")
    assert live.infer(key=fresh["access_token"]).status == 200
    access.take_role(SYSTEM, TakeRole(workspace="demo", grant=role))
    live.until(lambda: live.infer(key=fresh["access_token"]).status == 401)
    access.give_role(SYSTEM, analyst)
    live.until(lambda: live.infer(key=fresh["access_token"]).status == 200)
    for one in access.list_devices(eve):
        access.end_device(eve, OneDevice(device=one.id))
    live.until(lambda: live.infer(key=fresh["access_token"]).status == 401)


def test_a_token_calls_a_model_until_it_its_key_or_its_signer_is_taken_back(live: Stage) -> None:
    access, client = live.rooms.get(Access), Client(id="shop", secret=live.key)

    def fresh() -> str:
        return str(access.grant_token(client, Ask())["access_token"])

    first, second = fresh(), fresh()
    live.until(lambda: live.infer(key=first).status == 200)
    access.revoke_token(client, first)
    live.until(lambda: live.infer(key=first).status == 401)
    assert live.infer(key=second).status == 200
    access.rotate_token_key(SYSTEM, RotateTokenKey(leaked=True))
    live.until(lambda: live.infer(key=second).status == 401)
    third = fresh()
    live.until(lambda: live.infer(key=third).status == 200)
    (one,) = access.list_keys(SYSTEM, ListKeys(workspace="demo")).items
    access.revoke_key(SYSTEM, OneKey(workspace="demo", key=one.id))
    live.until(lambda: live.infer(key=third).status == 401)
