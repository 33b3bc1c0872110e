"""The authenticator: pair it, prove it, take it off."""

from __future__ import annotations

from aimass.access.domain.credentials import (
    fingerprint,
    new_recovery_codes,
    new_totp_seed,
    plain_code,
    totp_step,
    totp_text,
    totp_uri,
)
from aimass.access.domain.people import ConfirmSecondFactor, Enrolment, EnrolSecondFactor, OneUser, RecoveryCodes
from aimass.access.errors import WrongCredentials
from aimass.access.service.ground import find_user
from aimass.access.service.sessions import Attempts
from aimass.access.store import queries, rows
from aimass.access.store.tables import recovery_codes, users
from aimass.infra.database import Change
from aimass.kernel.errors import Conflict
from aimass.kernel.principal import ANYWHERE, Principal
from aimass.kernel.usecase import SIGNED_IN, use_case


class SecondFactor(Attempts):
    """Protect an account by the codes of an authenticator (TOTP)."""

    @use_case("POST /access/totp", permission=SIGNED_IN)
    def enrol_second_factor(self, who: Principal, command: EnrolSecondFactor) -> Enrolment:
        """Start to pair an authenticator; it counts once a code has proved it."""
        row = self._proved(who, command.password)
        if row.totp_confirmed:
            raise Conflict("this account has an authenticator", hint="take it off first")
        seed = new_totp_seed()
        with self._change(who, ANYWHERE) as change:
            sealed = self._ground.secrets.seal(seed, about=f"user:{row.id}/totp")
            rows.change(change.conn, users, {"id": row.id}, totp=sealed, totp_step=0)
            change.audit("access.totp.enrol", object_=f"user:{row.id}")
        return Enrolment(secret=totp_text(seed), uri=totp_uri(seed, row.name, self._settings.issuer))

    @use_case("POST /access/totp/confirm", permission=SIGNED_IN)
    def confirm_second_factor(self, who: Principal, command: ConfirmSecondFactor) -> RecoveryCodes:
        """Prove with a code that the authenticator is paired; returns the recovery codes."""
        self._take_attempt(f"totp:{who.id}")
        with self._change(who, ANYWHERE) as change:
            row = rows.find(change.conn, users, id=who.id)
            if row is None or row.totp is None or row.totp_confirmed:
                raise Conflict("no authenticator waits for its first code", hint="start with POST /access/totp")
            seed = self._ground.secrets.unseal(row.totp, about=f"user:{row.id}/totp")
            step = totp_step(seed, plain_code(command.totp), change.now.timestamp())
            if step is None:
                raise WrongCredentials("the code is wrong", field="totp", hint="check the clock of the authenticator")
            rows.change(change.conn, users, {"id": row.id}, totp_confirmed=True, totp_step=step)
            self._forgive(change.conn, f"totp:{who.id}", all_=True)
            change.audit("access.totp.confirm", object_=f"user:{row.id}")
            return _fresh_codes(change, row.id)

    @use_case("POST /access/totp/codes", permission=SIGNED_IN)
    def renew_recovery_codes(self, who: Principal, command: EnrolSecondFactor) -> RecoveryCodes:
        """Replace the recovery codes by new ones."""
        row = self._proved(who, command.password)
        if not row.totp_confirmed:
            raise Conflict("this account has no authenticator", hint="pair one first")
        with self._change(who, ANYWHERE) as change:
            change.audit("access.totp.codes", object_=f"user:{row.id}")
            return _fresh_codes(change, row.id)

    @use_case("POST /access/totp/disable", permission=SIGNED_IN)
    def disable_second_factor(self, who: Principal, command: EnrolSecondFactor) -> None:
        """Take the own authenticator off."""
        row = self._proved(who, command.password)
        with self._change(who, ANYWHERE) as change:
            _take_off(change, row.id)

    @use_case("POST /access/users/{user}/totp/reset", permission="access.manage", cli="users reset-totp")
    def reset_second_factor(self, who: Principal, command: OneUser) -> None:
        """Take the authenticator off for a person who lost it; the sessions end."""
        with self._change(who, ANYWHERE) as change:
            row = find_user(change.conn, command.user)
            _take_off(change, row.id)
            queries.end_sessions(change.conn, row.id)


def _fresh_codes(change: Change, user_id: str) -> RecoveryCodes:
    codes = new_recovery_codes()
    rows.remove(change.conn, recovery_codes, user_id=user_id)
    for code in codes:
        rows.add(change.conn, recovery_codes, user_id=user_id, sha256=fingerprint(code))
    return RecoveryCodes(codes=codes)


def _take_off(change: Change, user_id: str) -> None:
    rows.change(change.conn, users, {"id": user_id}, totp=None, totp_confirmed=False, totp_step=0)
    rows.remove(change.conn, recovery_codes, user_id=user_id)
    change.audit("access.totp.off", object_=f"user:{user_id}")
