from __future__ import annotations

import threading
import time
from base64 import b32decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, OKPKey

from aimass.access import Access, AccessSettings, CreateKey, SignIn
from aimass.access.domain.credentials import STEP_S, totp
from aimass.access.domain.keys import OneKey
from aimass.access.domain.people import (
    ConfirmSecondFactor,
    EnrolSecondFactor,
    IssueToken,
    OneUser,
    RevokeSession,
    SignOut,
)
from aimass.access.domain.tokens import RotateTokenKey
from aimass.access.errors import LockedOut, SecondFactorNeeded, WrongCredentials
from aimass.infra.database import Database
from aimass.infra.secrets import KeyFileSecrets
from aimass.kernel.errors import Conflict, NotFound, Unauthenticated, Unavailable
from aimass.kernel.principal import ANONYMOUS, Principal

Person = Callable[..., Principal]
PASSWORD = "four small brown bears"


def sign_in(access: Access, totp_: str | None = None, password: str = PASSWORD) -> str:
    return access.sign_in(ANONYMOUS, SignIn(name="eve", password=password, totp=totp_)).token


def pair(access: Access, eve: Principal, clock: Any) -> tuple[bytes, list[str]]:
    seed = b32decode(access.enrol_second_factor(eve, EnrolSecondFactor(password=PASSWORD)).secret)
    code = totp(seed, int(clock.now().timestamp()) // STEP_S)
    return seed, access.confirm_second_factor(eve, ConfirmSecondFactor(totp=code)).codes


def test_a_session_is_a_principal_until_it_is_signed_out(access: Access, person: Person) -> None:
    person("eve", "viewer")
    token = sign_in(access)
    assert access.authenticate(token).name == "eve"
    access.sign_out(ANONYMOUS, SignOut(token=token))
    access.sign_out(ANONYMOUS, SignOut(token=token))
    with pytest.raises(Unauthenticated):
        access.authenticate(token)


@pytest.mark.parametrize("credential", ["", "x", "aim_unknown", "ais_unknown", "a.b.c", "aim_" + "x" * 5000])
def test_a_made_up_credential_is_nobody(access: Access, credential: str) -> None:
    with pytest.raises(Unauthenticated):
        access.authenticate(credential)


def test_a_session_ends_when_it_is_idle_or_old(access: Access, person: Person, clock: Any) -> None:
    person("eve")
    idle, used = sign_in(access), sign_in(access)
    for _ in range(20):
        clock.forward(11 * 3600)
        try:
            access._ground.memory.forget()
            access.authenticate(used)
        except Unauthenticated:
            break
    assert (clock.now().day, clock.now().hour) == (8, 20)  # a week after 1 May, 12:00, at the next look
    with pytest.raises(Unauthenticated):
        access.authenticate(idle)
    assert access.tidy() >= 2


def test_sessions_are_listed_and_ended_by_their_owner_only(access: Access, person: Person) -> None:
    eve, adam = person("eve"), person("adam")
    found = access.list_sessions(eve)
    assert len(found) == 1
    with pytest.raises(NotFound):
        access.revoke_session(adam, RevokeSession(session=found[0].id))
    access.revoke_session(eve, RevokeSession(session=found[0].id))
    assert access.list_sessions(eve) == []


def test_an_administrator_ends_all_sessions_of_a_person(access: Access, admin: Principal, person: Person) -> None:
    person("eve")
    token = sign_in(access)
    access.end_sessions(admin, OneUser(user="eve"))
    with pytest.raises(Unauthenticated):
        access.authenticate(token)


@pytest.mark.parametrize("name", ["eve", "nobody"])
def test_a_guesser_is_locked_out_and_the_lock_doubles(access: Access, person: Person, clock: Any, name: str) -> None:
    person("eve")

    def guess() -> None:
        access.sign_in(ANONYMOUS, SignIn(name=name, password="wrong"))

    for _ in range(5):
        with pytest.raises(WrongCredentials):
            guess()
    for wait in (30, 60, 120, 240, 480, 900, 900):
        with pytest.raises(LockedOut) as caught:
            guess()
        assert caught.value.retry_after_s == wait
        clock.forward(wait)
        with pytest.raises(WrongCredentials):
            guess()


def test_the_right_password_waits_for_the_lock_too_and_then_clears_it(
    access: Access, person: Person, clock: Any
) -> None:
    person("eve")
    for _ in range(5):
        with pytest.raises(WrongCredentials):
            sign_in(access, password="wrong")
    with pytest.raises(LockedOut):
        sign_in(access)
    clock.forward(31)
    assert sign_in(access)
    for _ in range(4):
        with pytest.raises(WrongCredentials):
            sign_in(access, password="wrong")
    assert sign_in(access)


def test_guesses_at_the_same_time_count_too(access: Access, person: Person) -> None:
    person("eve")
    answers: list[type[Exception]] = []

    def guess() -> None:
        try:
            sign_in(access, password="wrong")
        except (WrongCredentials, LockedOut) as reason:
            answers.append(type(reason))

    threads = [threading.Thread(target=guess) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers.count(WrongCredentials) == 5
    assert answers.count(LockedOut) == 7


def test_an_unknown_name_costs_as_much_as_a_known_one(database: Database, person: Person, tmp_path: Path) -> None:
    person("eve")
    heavy = AccessSettings(password_memory_kib=32768, password_rounds=2, password_lanes=1, lock_after=99)
    access = Access(database, KeyFileSecrets(tmp_path / "keys" / "secrets.json"), tmp_path / "keys", heavy)
    sign_in(access)  # from now on the hash of eve has the heavy cost too

    def cost(name: str) -> float:
        took: list[float] = []
        for _ in range(5):
            start = time.thread_time()
            with pytest.raises(WrongCredentials):
                access.sign_in(ANONYMOUS, SignIn(name=name, password="wrong"))
            took.append(time.thread_time() - start)
        return min(took)

    known, unknown = cost("eve"), cost("nobody")
    assert unknown > known / 2


def test_only_so_many_hashes_run_at_once(access: Access, person: Person) -> None:
    from aimass.access.service.hashing import HashCost, Passwords

    passwords = Passwords(HashCost(memory_kib=1024, rounds=1, lanes=1, at_once=1, wait_s=0.05))
    with passwords._in_turn(), pytest.raises(Unavailable):
        passwords.hash(PASSWORD)
    assert passwords.hash(PASSWORD)


def test_an_authenticator_is_asked_for_once_it_is_proved(access: Access, person: Person, clock: Any) -> None:
    eve = person("eve")
    seed, codes = pair(access, eve, clock)
    assert len(codes) == 10
    with pytest.raises(SecondFactorNeeded):
        sign_in(access)
    clock.forward(STEP_S)
    code = totp(seed, int(clock.now().timestamp()) // STEP_S)
    assert sign_in(access, code)
    with pytest.raises(WrongCredentials):
        sign_in(access, code)
    assert access.who_am_i(eve).second_factor


def test_an_authenticator_that_was_never_proved_keeps_nobody_out(access: Access, person: Person) -> None:
    eve = person("eve")
    access.enrol_second_factor(eve, EnrolSecondFactor(password=PASSWORD))
    with pytest.raises(WrongCredentials):
        access.confirm_second_factor(eve, ConfirmSecondFactor(totp="000000"))
    assert sign_in(access)


def test_a_recovery_code_works_once(access: Access, person: Person, clock: Any) -> None:
    eve = person("eve")
    _, codes = pair(access, eve, clock)
    assert sign_in(access, codes[3].lower())
    with pytest.raises(WrongCredentials):
        sign_in(access, codes[3])
    fresh = access.renew_recovery_codes(eve, EnrolSecondFactor(password=PASSWORD)).codes
    with pytest.raises(WrongCredentials):
        sign_in(access, codes[4])
    assert sign_in(access, fresh[0])


def test_guessing_codes_locks_out_although_the_password_is_right(access: Access, person: Person, clock: Any) -> None:
    eve = person("eve")
    pair(access, eve, clock)
    for _ in range(5):
        with pytest.raises(SecondFactorNeeded):
            sign_in(access)
        with pytest.raises(WrongCredentials):
            sign_in(access, "000000")
    with pytest.raises(LockedOut):
        sign_in(access, "000000")


def test_an_authenticator_comes_off_by_its_owner_or_an_administrator(
    access: Access, admin: Principal, person: Person, clock: Any
) -> None:
    eve = person("eve")
    pair(access, eve, clock)
    with pytest.raises(Conflict):
        access.enrol_second_factor(eve, EnrolSecondFactor(password=PASSWORD))
    access.disable_second_factor(eve, EnrolSecondFactor(password=PASSWORD))
    assert sign_in(access)
    pair(access, eve, clock)
    access.reset_second_factor(admin, OneUser(user="eve"))
    assert sign_in(access)
    with pytest.raises(WrongCredentials):
        access.disable_second_factor(eve, EnrolSecondFactor(password="wrong"))


def test_a_signed_token_stands_for_its_session_and_ends_with_it(
    access: Access, admin: Principal, person: Person
) -> None:
    person("eve", "viewer")
    session = sign_in(access)
    token = access.issue_token(ANONYMOUS, IssueToken(credential=session)).access_token
    assert access.authenticate(token).allows("lake.read", "demo")
    access.rotate_token_key(admin, RotateTokenKey())
    assert access.authenticate(token).name == "eve"
    assert len(access.jwks(ANONYMOUS)["keys"]) == 2
    access.sign_out(ANONYMOUS, SignOut(token=session))
    with pytest.raises(Unauthenticated):
        access.authenticate(token)


def test_a_signed_token_has_no_more_rights_than_its_key(access: Access, admin: Principal, demo: str) -> None:
    made = access.create_key(admin, CreateKey(workspace=demo, name="reader", scopes=["lake.read"]))
    token = access.issue_token(ANONYMOUS, IssueToken(credential=made.text)).access_token
    who = access.authenticate(token)
    assert who.allows("lake.read", demo)
    assert not who.allows("lake.edit", demo)
    assert not who.knows("*")
    access.revoke_key(admin, OneKey(workspace=demo, key=made.key.id))
    with pytest.raises(Unauthenticated):
        access.authenticate(token)


def test_a_token_that_is_old_forged_or_unsigned_is_refused(access: Access, person: Person, clock: Any) -> None:
    person("eve")
    token = access.issue_token(ANONYMOUS, IssueToken(credential=sign_in(access))).access_token
    claims = jwt.decode(token, KeySet.import_key_set(access.jwks(ANONYMOUS)), algorithms=["Ed25519"]).claims
    stranger = OKPKey.generate_key("Ed25519")
    kid = access.jwks(ANONYMOUS)["keys"][0]["kid"]
    public = access.jwks(ANONYMOUS)["keys"][0]["x"]
    forged = [
        jwt.encode({"alg": "Ed25519", "kid": kid}, claims, stranger, algorithms=["Ed25519"]),
        jwt.encode({"alg": "HS256", "kid": kid}, claims, OctKey.import_key(public + "x" * 20), algorithms=["HS256"]),
        "eyJhbGciOiJub25lIn0." + token.split(".")[1] + ".",
        token[:-4] + "AAAA",
    ]
    for text in forged:
        with pytest.raises(Unauthenticated):
            access.authenticate(text)
    clock.forward(901)
    with pytest.raises(Unauthenticated, match="expired"):
        access.authenticate(token)
    with pytest.raises(Unauthenticated):
        access.issue_token(ANONYMOUS, IssueToken(credential=token))
