"""Passwords: links that set one, and changing the own one."""

from __future__ import annotations

from typing import Any

from aimass.access.domain.credentials import fingerprint
from aimass.access.domain.passwords import check_password
from aimass.access.domain.people import ChangePassword, ForgotPassword, Link, OneUser, UseLink, User
from aimass.access.errors import LinkSpent
from aimass.access.service.ground import find_user, name_key, user_of
from aimass.access.service.letters import reset_letter
from aimass.access.service.people import new_link
from aimass.access.service.sessions import Attempts
from aimass.access.store import queries, rows
from aimass.access.store.tables import links, users
from aimass.kernel.errors import Conflict
from aimass.kernel.principal import ANYWHERE, SYSTEM, Principal
from aimass.kernel.usecase import PUBLIC, SIGNED_IN, use_case


class PasswordCases(Attempts):
    """Set, change and replace passwords."""

    @use_case("POST /access/accept", permission=PUBLIC)
    def accept_invitation(self, who: Principal, command: UseLink) -> User:
        """Accept an invitation: set the password and open the account."""
        del who
        return self._use("invitation", command)

    @use_case("POST /access/reset", permission=PUBLIC)
    def reset_password(self, who: Principal, command: UseLink) -> User:
        """Set a lost password anew; every session ends, an authenticator stays."""
        del who
        return self._use("reset", command)

    @use_case("POST /access/password", permission=SIGNED_IN)
    def change_password(self, who: Principal, command: ChangePassword) -> None:
        """Change the own password; every other session ends."""
        row = self._proved(who, command.password)
        new = check_password(command.new_password, name=row.name, shortest=self._settings.password_min)
        stored = self._ground.passwords.hash(new)
        with self._change(who, ANYWHERE) as change:
            rows.change(change.conn, users, {"id": row.id}, password=stored, version=row.version + 1)
            ended = queries.end_sessions(change.conn, row.id, keep=command.keep)
            rows.remove(change.conn, links, user_id=row.id, kind="reset")
            change.audit("access.password.change", object_=f"user:{row.id}", detail={"sessions_ended": ended})

    @use_case("POST /access/forgot", permission=PUBLIC, status=202)
    def forgot_password(self, who: Principal, command: ForgotPassword) -> None:
        """Ask for a new password; the answer is the same whether the name is known or not."""
        del who
        name = name_key(command.name)
        self._take_attempt(f"forgot:{name}")
        with self._database.change(SYSTEM, ANYWHERE) as change:
            row = rows.find(change.conn, users, name_key=name, state="active")
            if row is None:
                return
            user = user_of(row)
            if self._can_mail(user.email):
                link = new_link(change, "reset", user, self._settings.reset_s)
                self._mail(change, user.email, reset_letter(link, self._settings.public_url))
            elif rows.find(change.conn, links, kind="forgotten", user_id=row.id) is None:
                new_link(change, "forgotten", user, self._settings.reset_s)  # its token is thrown away: a note only
            change.audit("access.password.forgotten", object_=f"user:{row.id}")
            change.event("access.password.forgotten", subject=f"user:{row.id}")

    @use_case("POST /access/users/{user}/reset-link", permission="access.manage", cli="users reset-link", status=201)
    def create_reset_link(self, who: Principal, command: OneUser) -> Link:
        """Make a link that sets the password of a person anew; hand it over in person."""
        with self._change(who, ANYWHERE) as change:
            row = find_user(change.conn, command.user)
            if row.state == "invited":
                raise Conflict(f"{row.name!r} has not accepted the invitation", hint="withdraw it and invite again")
            rows.remove(change.conn, links, user_id=row.id, kind="forgotten")
            link = new_link(change, "reset", user_of(row), self._settings.reset_s)
            change.audit("access.password.reset_link", object_=f"user:{row.id}", detail={"link": link.id})
        return link

    def person_of_link(self, kind: str, token: str) -> User:
        """Return whose password a link (``invitation`` or ``reset``) sets; fails for a spent one."""
        with self._database.read() as conn:
            return user_of(find_user(conn, self._link(conn, kind, fingerprint(token)).user_id))

    def _use(self, kind: str, command: UseLink) -> User:
        mark = fingerprint(command.token)
        with self._database.read() as conn:
            user = find_user(conn, self._link(conn, kind, mark).user_id)
        new = check_password(command.password, name=user.name, shortest=self._settings.password_min)
        stored = self._ground.passwords.hash(new)
        person = Principal(id=user.id, name=user.name, kind="user")
        with self._change(person, ANYWHERE) as change:
            self._link(change.conn, kind, mark)
            rows.remove(change.conn, links, user_id=user.id)
            values = {"password": stored, "state": "active", "version": user.version + 1}
            rows.change(change.conn, users, {"id": user.id}, **values)
            queries.end_sessions(change.conn, user.id)
            self._forgive(change.conn, user.name_key, all_=True)
            action = "access.user.accept" if kind == "invitation" else "access.password.reset"
            change.audit(action, object_=f"user:{user.id}")
            change.event("access.user.accepted" if kind == "invitation" else action, subject=f"user:{user.id}")
            return user_of(find_user(change.conn, user.id))

    def _link(self, conn: Any, kind: str, mark: str) -> Any:
        row = rows.find(conn, links, sha256=mark, kind=kind)
        if row is None or row.expires_at <= self._now():
            raise LinkSpent("the link was used already, has expired, or never existed", hint="ask for a new one")
        return row
