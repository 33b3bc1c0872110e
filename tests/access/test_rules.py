"""Pure rules: codes of RFC 6238, the ladder of permissions, keys that shrink."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimass.access.domain.credentials import KEY, STEP_S, fingerprint, new_secret, totp, totp_step
from aimass.access.domain.roles import BUILT_IN, bounded, check_permission, expand, may_give, narrow
from aimass.kernel.errors import Invalid
from aimass.kernel.principal import Grant, Principal

SEED = b"12345678901234567890"
RFC_6238 = {
    59: "94287082",
    1111111109: "07081804",
    1111111111: "14050471",
    1234567890: "89005924",
    2000000000: "69279037",
    20000000000: "65353130",
}
ROOMS = ["lake", "models", "serving", "access"]
permissions = st.sets(
    st.builds(
        lambda room, verb: f"{room}.{verb}",
        st.sampled_from([*ROOMS, "*"]),
        st.sampled_from(["read", "use", "edit", "manage"]),
    )
    | st.just("models.approve"),
    max_size=6,
)
CHECKS = [f"{room}.{verb}" for room in ROOMS for verb in ("read", "use", "edit", "manage")] + ["models.approve"]


@pytest.mark.parametrize(("moment", "code"), RFC_6238.items())
def test_codes_are_those_of_rfc_6238(moment: int, code: str) -> None:
    assert totp(SEED, moment // STEP_S, digits=8) == code


@pytest.mark.parametrize(("late_s", "step"), [(-60, None), (-30, 100), (0, 100), (29, 100), (30, 100), (60, None)])
def test_a_code_counts_for_its_step_and_the_two_beside_it(late_s: int, step: int | None) -> None:
    assert totp_step(SEED, totp(SEED, 100), 100 * STEP_S + late_s) == step


def test_a_code_counts_once() -> None:
    assert totp_step(SEED, totp(SEED, 100), 100 * STEP_S, after=100) is None
    assert totp_step(SEED, totp(SEED, 101), 100 * STEP_S, after=100) == 101


def test_a_code_in_other_letters_is_no_code_and_no_error() -> None:
    assert totp_step(SEED, "１２３４５６", 3000) is None


def test_a_key_has_43_letters_that_an_address_can_carry() -> None:
    text = new_secret(KEY)
    assert text.startswith("aim_")
    assert len(text) == 47
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert len(fingerprint(text)) == 64


@pytest.mark.parametrize(
    ("role", "may", "may_not"),
    [
        ("viewer", "lake.read", "serving.use"),
        ("analyst", "serving.use", "lake.edit"),
        ("editor", "training.edit", "serving.edit"),
        ("editor", "models.edit", "models.approve"),
        ("operator", "lifecycle.edit", "lake.edit"),
        ("reviewer", "models.approve", "models.use"),
        ("admin", "access.manage", "no.such"),
        ("admin", "models.approve", "lake.approve"),
    ],
)
def test_built_in_roles_hold_what_their_name_says(role: str, may: str, may_not: str) -> None:
    who = Principal(
        id="1", name="x", kind="user", grants=(Grant(workspace="w", permissions=BUILT_IN[role].permissions),)
    )
    assert who.allows(may, "w")
    assert not who.allows(may_not, "w")
    assert not who.allows(may, "other")


@pytest.mark.parametrize("text", ["lake", "lake.delete", "*", "*.approve", "lake.approve", "Lake.read", "a.b.read", ""])
def test_what_is_no_permission_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        check_permission(text)


def _who(held: frozenset[str]) -> Principal:
    return Principal(id="1", name="x", kind="user", grants=(Grant(workspace="w", permissions=held),))


@given(permissions, permissions)
def test_a_narrowed_set_allows_exactly_what_both_allow(held: set[str], scopes: set[str]) -> None:
    owner, bound = _who(expand(held)), _who(expand(scopes))
    key = _who(narrow(held, scopes))
    for check in CHECKS:
        assert key.allows(check, "w") == (owner.allows(check, "w") and bound.allows(check, "w"))


@given(permissions, permissions)
def test_what_may_be_given_is_never_more_than_what_is_held(held: set[str], wanted: set[str]) -> None:
    giver, taker = _who(expand(held)), _who(expand(wanted))
    if may_give(giver, wanted, "w"):
        assert all(giver.allows(check, "w") for check in CHECKS if taker.allows(check, "w"))


@given(permissions, permissions)
def test_a_key_stays_in_its_workspace(held: set[str], scopes: set[str]) -> None:
    grants = (Grant(workspace="*", permissions=expand(held)), Grant(workspace="other", permissions=expand(held)))
    key = Principal(id="1", name="x", kind="user", grants=bounded(grants, "w", scopes))
    assert not any(key.allows(check, "other") for check in CHECKS)
