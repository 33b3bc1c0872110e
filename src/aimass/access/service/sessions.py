"""Signing in and out, and the list of sessions."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

from aimass.access.domain.credentials import SESSION, fingerprint, new_secret, plain_code, totp_step
from aimass.access.domain.people import OneUser, RevokeSession, Session, SignedIn, SignIn, SignOut
from aimass.access.errors import LockedOut, SecondFactorNeeded, WrongCredentials
from aimass.access.service.ground import Part, find_user, name_key
from aimass.access.store import queries, rows
from aimass.access.store.tables import attempts, recovery_codes, sessions, users
from aimass.infra.database import Change
from aimass.kernel.errors import NotFound
from aimass.kernel.ids import new_id
from aimass.kernel.principal import ANYWHERE, SYSTEM, Principal
from aimass.kernel.usecase import PUBLIC, SIGNED_IN, use_case

_KINDS = ("prove:", "client:", "device:", "token:")


class Attempts(Part):
    """Count attempts by name, known or not, before the costly hash; the lock doubles with each further one."""

    def _take_attempt(self, name: str) -> None:
        """Count an attempt, which :meth:`_forgive` takes back, or refuse it while the name is locked."""
        mark = fingerprint(f"attempt:{name}")
        with self._database.change(SYSTEM, ANYWHERE) as change:
            row = rows.find(change.conn, attempts, sha256=mark)
            if row is not None and row.locked_until is not None and row.locked_until > change.now:
                kind = name.partition(":")[0] if name.startswith(_KINDS) else "sign_in"
                self._ground.counters.add("access_lock_outs", of=kind)
                raise LockedOut(math.ceil((row.locked_until - change.now).total_seconds()))
            oldest = change.now - timedelta(seconds=4 * self._settings.lock_most_s)
            failures = row.failures + 1 if row is not None and row.last_at > oldest else 1
            values = {"failures": failures, "last_at": change.now, "locked_until": self._lock(failures, change.now)}
            if row is None:
                rows.add(change.conn, attempts, sha256=mark, **values)
            else:
                rows.change(change.conn, attempts, {"sha256": mark}, **values)

    def _lock(self, failures: int, now: datetime) -> datetime | None:
        over = failures - self._settings.lock_after
        if over < 0:
            return None
        return now + timedelta(seconds=min(self._settings.lock_s * 2 ** min(over, 20), self._settings.lock_most_s))

    def _forgive(self, conn: Any, name: str, *, all_: bool) -> None:
        """Forget the attempts on a name, or only the one that was just counted."""
        mark = fingerprint(f"attempt:{name}")
        row = rows.find(conn, attempts, sha256=mark)
        if row is None:
            return
        if all_:
            rows.remove(conn, attempts, sha256=mark)
            return
        rows.change(conn, attempts, {"sha256": mark}, failures=row.failures - 1, locked_until=None)

    def _proved(self, who: Principal, password: str) -> Any:
        """Return the row of a signed-in person, once the password proves again that it is really him."""
        self._take_attempt(f"prove:{who.id}")
        with self._database.read() as conn:
            row = rows.find(conn, users, id=who.id)
        if row is None:
            raise NotFound("only people have a password", hint="sign in as a person")
        if not self._ground.passwords.verify(password, row.password):
            raise WrongCredentials("the password is wrong", field="password")
        with self._database.change(who, ANYWHERE) as change:
            self._forgive(change.conn, f"prove:{who.id}", all_=True)
        return row


class Sessions(Attempts):
    """Sign in and out."""

    @use_case("POST /access/sign-in", permission=PUBLIC)
    def sign_in(self, who: Principal, command: SignIn) -> SignedIn:
        """Sign in with name and password, and a code when the account has an authenticator."""
        del who
        with self._counting("access_sign_ins", way="password"):
            return self._signed_in(command)

    def _signed_in(self, command: SignIn) -> SignedIn:
        name = name_key(command.name)
        self._take_attempt(name)
        with self._database.read() as conn:
            row = rows.find(conn, users, name_key=name)
        stored = row.password if row is not None and row.state == "active" else None
        good = self._ground.passwords.verify(command.password, stored)
        if row is None or not good:
            self._note_failure(row)
            raise WrongCredentials("name or password is wrong", hint="names do not care about capital letters")
        self._renew_hash(row, command.password)
        return self._second_step(row, command, name)

    @use_case("POST /access/sign-out", permission=PUBLIC)
    def sign_out(self, who: Principal, command: SignOut) -> None:
        """End the session of this token; nothing happens when it has ended already."""
        del who
        with self._change(SYSTEM, ANYWHERE) as change:
            row = rows.find(change.conn, sessions, sha256=fingerprint(command.token))
            if row is not None:
                rows.remove(change.conn, sessions, id=row.id)
                self._ground.counters.add("access_revocations", of="session")
                change.audit("access.session.end", object_=f"user:{row.user_id}", detail={"session": row.id})

    @use_case("GET /access/sessions", permission=SIGNED_IN, cli="sessions list")
    def list_sessions(self, who: Principal) -> list[Session]:
        """List the own sessions, the last used first."""
        now = self._now()
        with self._database.read() as conn:
            found = queries.sessions_of(conn, who.id, now, self._idle_since(now))
        return [_session(row) for row in found]

    def session_id(self, token: str) -> str | None:
        """Return the id of the session of a token, to mark it in the list."""
        with self._database.read() as conn:
            row = rows.find(conn, sessions, sha256=fingerprint(token))
        return None if row is None else row.id

    @use_case("DELETE /access/sessions/{session}", permission=SIGNED_IN, cli="sessions revoke", status=204)
    def revoke_session(self, who: Principal, command: RevokeSession) -> None:
        """End one of the own sessions."""
        with self._change(who, ANYWHERE) as change:
            if not rows.remove(change.conn, sessions, id=command.session, user_id=who.id):
                raise NotFound(f"there is no session {command.session!r}", field="session", value=command.session)
            self._ground.counters.add("access_revocations", of="session")
            change.audit("access.session.end", object_=f"user:{who.id}", detail={"session": command.session})

    @use_case("POST /access/users/{user}/sign-out", permission="access.manage", cli="users sign-out")
    def end_sessions(self, who: Principal, command: OneUser) -> None:
        """End every session of a person."""
        with self._change(who, ANYWHERE) as change:
            row = find_user(change.conn, command.user)
            ended = queries.end_sessions(change.conn, row.id)
            change.audit("access.session.end", object_=f"user:{row.id}", detail={"sessions": ended})

    def _second_step(self, row: Any, command: SignIn, name: str) -> SignedIn:
        if row.totp_confirmed and not command.totp:
            with self._change(SYSTEM, ANYWHERE) as change:
                self._forgive(change.conn, name, all_=False)
            raise SecondFactorNeeded("the code of the authenticator is missing", field="totp", hint="send it as 'totp'")
        person = Principal(id=row.id, name=row.name, kind="user")
        with self._change(person, ANYWHERE) as change:
            right = not row.totp_confirmed or self._spend_code(change, row.id, command.totp or "")
            if right:
                self._forgive(change.conn, name, all_=True)
                return self._open(change, row, command.agent)
        self._note_failure(row)
        raise WrongCredentials("the code is wrong, or was used already", field="totp", hint="wait for the next code")

    def _spend_code(self, change: Change, user_id: str, text: str) -> bool:
        """Accept a code of the authenticator or a recovery code, each only once."""
        row = rows.find(change.conn, users, id=user_id)
        if row is None or row.totp is None:
            return False
        seed = self._ground.secrets.unseal(row.totp, about=f"user:{row.id}/totp")
        code = plain_code(text)
        step = totp_step(seed, code, change.now.timestamp(), after=row.totp_step)
        if step is not None:
            rows.change(change.conn, users, {"id": row.id}, totp_step=step)
            return True
        if rows.remove(change.conn, recovery_codes, user_id=row.id, sha256=fingerprint(code)):
            left = rows.count(change.conn, recovery_codes, user_id=row.id)
            change.audit("access.recovery_code.use", object_=f"user:{row.id}", detail={"left": left})
            return True
        return False

    def _open(self, change: Change, row: Any, agent: str) -> SignedIn:
        token, session = new_secret(SESSION), new_id()
        expires_at = change.now + timedelta(seconds=self._settings.session_s)
        rows.add(
            change.conn,
            sessions,
            id=session,
            user_id=row.id,
            sha256=fingerprint(token),
            agent=agent[:255],
            created_at=change.now,
            last_seen_at=change.now,
            expires_at=expires_at,
        )
        rows.change(change.conn, users, {"id": row.id}, last_seen_at=change.now)
        change.audit("access.sign_in", object_=f"user:{row.id}", detail={"session": session})
        return SignedIn(session=session, user=row.id, name=row.name, expires_at=expires_at, token=token)

    def _note_failure(self, row: Any) -> None:
        """Tell the audit log of a wrong attempt on a real account; made-up names would only fill it."""
        if row is not None:
            with self._database.change(SYSTEM, ANYWHERE) as change:
                change.audit("access.sign_in.refused", object_=f"user:{row.id}")

    def _renew_hash(self, row: Any, password: str) -> None:
        if self._ground.passwords.is_outdated(row.password):
            fresh = self._ground.passwords.hash(password)
            with self._database.change(SYSTEM, ANYWHERE) as change:
                rows.change(change.conn, users, {"id": row.id, "password": row.password}, password=fresh)


def _session(row: Any) -> Session:
    return Session(
        id=row.id,
        agent=row.agent,
        created_at=row.created_at,
        last_seen_at=row.last_seen_at,
        expires_at=row.expires_at,
    )
