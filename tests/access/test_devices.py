"""Devices: a code on one screen, an answer on another, tokens that are used once each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from aimass.access import Access
from aimass.access.domain.devices import LookAtDevice, OneDevice
from aimass.access.domain.keys import CreateKey
from aimass.access.domain.people import ChangePassword, OneUser
from aimass.access.errors import LockedOut
from aimass.access.store import rows
from aimass.access.store.tables import device_requests
from aimass.infra.database import Database
from aimass.kernel.errors import Forbidden, NotFound, Unauthenticated
from aimass.kernel.principal import Principal
from tests.access.conftest import PASSWORD
from tests.access.test_tokens import api, shop

__all__ = ["api", "shop"]
Person = Callable[..., Principal]
CODE = "urn:ietf:params:oauth:grant-type:device_code"
CLIENT = {"client_id": "aimass-cli"}


@pytest.fixture
def eve(person: Person) -> Principal:
    return person("eve", "editor")


def begin(api: TestClient, **fields: str) -> dict[str, Any]:
    answer = api.post("/oauth2/device_authorization", data={**CLIENT, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


def poll(api: TestClient, asked: dict[str, Any], **fields: str) -> Any:
    data = {**CLIENT, "grant_type": CODE, "device_code": asked["device_code"], **fields}
    return api.post("/oauth2/token", data=data)


def fresh(api: TestClient, tokens: dict[str, Any], **fields: str) -> Any:
    data = {**CLIENT, "grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], **fields}
    return api.post("/oauth2/token", data=data)


def words(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json().get("error", "")


def look(asked: dict[str, Any]) -> LookAtDevice:
    return LookAtDevice(user_code=asked["user_code"])


@pytest.fixture
def device(api: TestClient, access: Access, eve: Principal) -> dict[str, Any]:
    asked = begin(api)
    access.allow_device(eve, look(asked))
    return poll(api, asked).json()


def test_a_device_gets_tokens_once_a_person_allowed_it(
    api: TestClient, access: Access, eve: Principal, clock: Any
) -> None:
    asked = begin(api)
    assert asked["verification_uri_complete"].endswith(f"/device?user_code={asked['user_code']}")
    assert words(poll(api, asked)) == (400, "authorization_pending")
    seen = access.look_at_device(eve, LookAtDevice(user_code=asked["user_code"].lower().replace("-", " ")))
    assert (seen.client, seen.address, seen.agent) == ("aimass-cli", "testclient", "testclient")
    access.allow_device(eve, look(asked))
    clock.forward(asked["interval"])
    got = poll(api, asked).json()
    assert got.keys() == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert access.authenticate(got["access_token"]).name == "eve"
    assert words(poll(api, asked)) == (400, "invalid_grant")
    assert [(one.client, one.agent) for one in access.list_devices(eve)] == [("aimass-cli", "testclient")]


def test_a_device_that_asks_too_often_is_slowed_down(api: TestClient, clock: Any) -> None:
    asked = begin(api)
    poll(api, asked)
    assert words(poll(api, asked)) == (400, "slow_down")
    clock.forward(6)
    assert words(poll(api, asked)) == (400, "slow_down")
    clock.forward(20)
    assert words(poll(api, asked)) == (400, "authorization_pending")


def test_a_clock_that_is_set_back_slows_nobody_down(api: TestClient, clock: Any) -> None:
    asked = begin(api)
    poll(api, asked)
    clock.forward(-3600)
    assert words(poll(api, asked)) == (400, "authorization_pending")


def test_a_refused_and_a_late_device_get_nothing(api: TestClient, access: Access, eve: Principal, clock: Any) -> None:
    refused, late = begin(api), begin(api)
    access.deny_device(eve, look(refused))
    assert words(poll(api, refused)) == (400, "access_denied")
    assert words(poll(api, refused)) == (400, "invalid_grant")
    clock.forward(601)
    assert words(poll(api, late)) == (400, "expired_token")
    with pytest.raises(NotFound):
        access.allow_device(eve, look(late))
    access.tidy()
    assert words(poll(api, late)) == (400, "invalid_grant")


def test_a_code_is_answered_once(api: TestClient, access: Access, eve: Principal, admin: Principal) -> None:
    asked = begin(api)
    access.deny_device(eve, look(asked))
    with pytest.raises(NotFound):
        access.allow_device(admin, look(asked))


def test_only_who_signed_in_himself_lets_a_device_in(
    api: TestClient, access: Access, eve: Principal, device: dict[str, Any], shop: tuple[str, str]
) -> None:
    key = access.create_key(eve, CreateKey(workspace="demo", name="k", scopes=["lake.read"])).text
    exchanged = api.post("/oauth2/token", data={"grant_type": "client_credentials"}, auth=("eve", key)).json()
    for credential in (key, device["access_token"], exchanged["access_token"], shop[1]):
        with pytest.raises(Forbidden, match="himself"):
            access.allow_device(access.authenticate(credential), look(begin(api)))


def test_guesses_of_codes_lock_the_guesser_and_a_right_code_washes_none_away(
    api: TestClient, access: Access, eve: Principal, admin: Principal
) -> None:
    asked = begin(api)
    for number in range(5):
        access.look_at_device(eve, look(asked))
        with pytest.raises(NotFound):
            access.look_at_device(eve, LookAtDevice(user_code=f"BBBB-BBB{'BCDFG'[number]}"))
    with pytest.raises(LockedOut):
        access.allow_device(eve, look(asked))
    access.allow_device(admin, look(asked))


def test_guesses_of_device_codes_and_refresh_tokens_are_locked_out_and_right_ones_are_not(
    api: TestClient, device: dict[str, Any], access: Access, admin: Principal
) -> None:
    asked = begin(api)
    tries = [words(fresh(api, {"refresh_token": f"air_{n}"})) for n in range(4)]
    tries += [words(poll(api, {"device_code": f"aid_{n}"})) for n in range(3)]
    assert tries == [(400, "invalid_grant")] * 5 + [(429, "slow_down")] * 2
    access.allow_device(admin, look(asked))
    assert poll(api, asked).status_code == fresh(api, device).status_code == 200


@pytest.mark.parametrize("client", ["", "shop", "stranger"])
def test_people_sign_only_known_programs_in(api: TestClient, device: dict[str, Any], client: str) -> None:
    other = {"client_id": client}
    assert words(api.post("/oauth2/device_authorization", data=other)) == (401, "invalid_client")
    assert words(fresh(api, device, **other)) == (401, "invalid_client")
    assert words(poll(api, begin(api), **other)) == (401, "invalid_client")
    assert words(api.post("/oauth2/revoke", data={**other, "token": device["refresh_token"]})) == (
        401,
        "invalid_client",
    )


def test_scopes_that_a_device_asked_for_bound_it(api: TestClient, access: Access, eve: Principal, clock: Any) -> None:
    asked = begin(api, scope="lake.read serving.use")
    assert access.look_at_device(eve, look(asked)).scopes == ["lake.read", "serving.use"]
    access.allow_device(eve, look(asked))
    got = poll(api, asked).json()
    who = access.authenticate(got["access_token"])
    assert (who.allows("lake.read", "demo"), who.allows("lake.edit", "demo")) == (True, False)
    wider = fresh(api, got, scope="lake.edit")
    assert words(wider) == (400, "invalid_scope")
    narrow = fresh(api, got, scope="lake.read").json()
    assert not access.authenticate(narrow["access_token"]).allows("serving.use", "demo")
    assert words(api.post("/oauth2/device_authorization", data={**CLIENT, "scope": "lake.fly"})) == (
        400,
        "invalid_scope",
    )


def test_a_refresh_token_counts_once_and_a_stolen_copy_signs_the_device_out(
    api: TestClient, access: Access, eve: Principal, device: dict[str, Any], clock: Any
) -> None:
    second = fresh(api, device).json()
    third = fresh(api, second).json()
    assert len({one["refresh_token"] for one in (device, second, third)}) == 3
    assert words(fresh(api, device)) == (400, "invalid_grant")
    assert access.list_devices(eve) == []
    assert words(fresh(api, third)) == (400, "invalid_grant")
    with pytest.raises(Unauthenticated, match="signed out"):
        access.authenticate(third["access_token"])


def test_an_answer_that_was_lost_is_given_once_more_for_a_moment(
    api: TestClient, access: Access, eve: Principal, device: dict[str, Any], clock: Any
) -> None:
    lost = fresh(api, device).json()
    again = fresh(api, device).json()
    assert fresh(api, again).status_code == 200
    assert words(fresh(api, lost)) == (400, "invalid_grant")
    assert access.list_devices(eve) == []


def test_after_a_moment_a_spent_token_is_a_stolen_one(
    api: TestClient, access: Access, eve: Principal, device: dict[str, Any], clock: Any
) -> None:
    fresh(api, device)
    clock.forward(31)
    assert words(fresh(api, device)) == (400, "invalid_grant")
    assert access.list_devices(eve) == []


def test_a_device_ends_by_its_person_by_itself_by_an_administrator_and_by_a_new_password(
    api: TestClient, access: Access, eve: Principal, admin: Principal, device: dict[str, Any], clock: Any
) -> None:
    def another() -> dict[str, Any]:
        asked = begin(api)
        access.allow_device(eve, look(asked))
        return poll(api, asked).json()

    def is_out(tokens: dict[str, Any]) -> bool:
        with pytest.raises(Unauthenticated):
            access.authenticate(tokens["access_token"])
        return words(fresh(api, tokens)) == (400, "invalid_grant")

    (one,) = access.list_devices(eve)
    with pytest.raises(NotFound):
        access.end_device(admin, OneDevice(device=one.id))
    access.end_device(eve, OneDevice(device=one.id))
    assert is_out(device)
    itself = another()
    assert api.post("/oauth2/revoke", data={**CLIENT, "token": itself["refresh_token"]}).status_code == 200
    assert is_out(itself)
    new = ChangePassword(password=PASSWORD, new_password="five small brown bears")
    ends: list[Callable[[], Any]] = [
        lambda: access.end_sessions(admin, OneUser(user="eve")),
        lambda: access.change_password(eve, new),
        lambda: access.disable_user(admin, OneUser(user="eve")),
    ]
    for end in ends:
        tokens = another()
        end()
        assert is_out(tokens)


def test_an_access_token_of_a_device_is_taken_back_alone(
    api: TestClient, access: Access, device: dict[str, Any]
) -> None:
    token = device["access_token"]
    assert api.post("/oauth2/revoke", data={**CLIENT, "token": token}).status_code == 200
    with pytest.raises(Unauthenticated, match="revoked"):
        access.authenticate(token)
    assert fresh(api, device).status_code == 200


def test_a_device_that_is_not_used_ends(
    api: TestClient, access: Access, eve: Principal, device: dict[str, Any], clock: Any
) -> None:
    for _ in range(4):
        clock.forward(20 * 86400)
        device = fresh(api, device).json()
    clock.forward(11 * 86400)
    assert words(fresh(api, device)) == (400, "invalid_grant")
    assert access.tidy() >= 2
    assert access.list_devices(eve) == []


def test_no_code_and_no_token_lies_in_the_database_or_the_audit_log(
    api: TestClient, database: Database, access: Access, device: dict[str, Any]
) -> None:
    asked = begin(api)
    fresh(api, device)
    with database.read() as conn:
        dump = "\n".join(conn.connection.driver_connection.iterdump())  # pyright: ignore[reportOptionalMemberAccess]
    secrets = (asked["device_code"], asked["user_code"], device["refresh_token"], device["access_token"])
    assert [one for one in secrets if one in dump] == []


def test_nobody_fills_the_table_of_those_who_wait(api: TestClient, database: Database) -> None:
    first = begin(api)
    for _ in range(100):
        begin(api)
    with database.read() as conn:
        assert rows.count(conn, device_requests) == 100
    assert words(poll(api, first)) == (400, "invalid_grant")
