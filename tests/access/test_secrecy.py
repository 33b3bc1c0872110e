"""No secret is ever in the database, the key folder's neighbours, an event, an audit entry or an error."""

from __future__ import annotations

from base64 import b32decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from aimass.access import Access, CreateKey, SignIn
from aimass.access.domain.credentials import STEP_S, totp
from aimass.access.domain.keys import RotateKey
from aimass.access.domain.people import (
    ChangePassword,
    ConfirmSecondFactor,
    EnrolSecondFactor,
    InviteUser,
    IssueToken,
    OneUser,
    UseLink,
)
from aimass.infra.database import metadata
from aimass.kernel.errors import AimassError
from aimass.kernel.principal import ANONYMOUS, Principal

Person = Callable[..., Principal]
PASSWORD = "four small brown bears"
NEW = "nine large white geese"


@pytest.mark.sqlite
def test_a_whole_life_leaves_no_secret_behind(
    access: Access, admin: Principal, demo: str, tmp_path: Path, password_of_admin: str
) -> None:
    database = access._database
    clock = database.clock
    link = access.invite_user(admin, InviteUser(name="eve", workspace=demo, role="editor"))
    access.accept_invitation(ANONYMOUS, UseLink(token=link.token, password=PASSWORD))
    session = access.sign_in(ANONYMOUS, SignIn(name="eve", password=PASSWORD)).token
    eve = access.authenticate(session)
    access.change_password(eve, ChangePassword(password=PASSWORD, new_password=NEW))
    enrolment = access.enrol_second_factor(eve, EnrolSecondFactor(password=NEW))
    seed = b32decode(enrolment.secret)
    code = totp(seed, int(clock.now().timestamp()) // STEP_S)
    codes = access.confirm_second_factor(eve, ConfirmSecondFactor(totp=code)).codes
    second = access.sign_in(ANONYMOUS, SignIn(name="eve", password=NEW, totp=codes[0])).token
    key = access.create_key(eve, CreateKey(workspace=demo, name="k"))
    rotated = access.rotate_key(eve, RotateKey(workspace=demo, key=key.key.id))
    token = access.issue_token(ANONYMOUS, IssueToken(credential=rotated.text)).access_token
    reset = access.create_reset_link(admin, OneUser(user="eve"))
    access.seal_audit(sign_now=True)
    secrets = [
        password_of_admin,
        PASSWORD,
        NEW,
        link.token,
        session,
        second,
        key.text,
        rotated.text,
        token,
        reset.token,
    ]
    secrets += [enrolment.secret, *codes]
    held = [path.read_bytes() for path in tmp_path.iterdir() if path.is_file()]
    with database.read() as conn:
        held += [repr(conn.execute(select(table)).all()).encode() for table in metadata.sorted_tables]
    assert sum(map(len, held)) > 10_000
    for content in held:
        assert seed not in content
        assert [secret for secret in secrets if secret.encode() in content] == []


def test_what_is_printed_of_a_command_or_a_result_hides_the_secret(access: Access, admin: Principal, demo: str) -> None:
    made = access.create_key(admin, CreateKey(workspace=demo, name="k"))
    link = access.invite_user(admin, InviteUser(name="eve"))
    said = [
        SignIn(name="eve", password=PASSWORD, totp="123456"),
        UseLink(token="ail_secret", password=PASSWORD),
        made,
        link,
    ]
    printed = " ".join(map(repr, said))
    for secret in (PASSWORD, "123456", "ail_secret", made.text, link.token):
        assert secret not in printed


@pytest.mark.parametrize(
    "call",
    [
        lambda a: a.sign_in(ANONYMOUS, SignIn(name="root", password=PASSWORD)),
        lambda a: a.accept_invitation(ANONYMOUS, UseLink(token="ail_" + "s" * 43, password=PASSWORD)),
        lambda a: a.authenticate("aim_" + "s" * 43),
        lambda a: a.authenticate("ais_" + "s" * 43),
        lambda a: a.authenticate("a." + "s" * 43 + ".c"),
    ],
)
def test_an_error_never_repeats_a_secret(access: Access, admin: Principal, call: Callable[[Access], Any]) -> None:
    with pytest.raises(AimassError) as caught:
        call(access)
    said = str(caught.value.problem()) + repr(caught.value)
    assert PASSWORD not in said
    assert "s" * 43 not in said
