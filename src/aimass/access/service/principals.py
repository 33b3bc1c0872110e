"""From a credential to a principal: API keys, sessions, signed tokens."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

from aimass.access.domain.credentials import KEY, SESSION, fingerprint
from aimass.access.domain.people import IssueToken, MyWorkspace, Token, WhoAmI
from aimass.access.domain.roles import BUILT_IN, Standing, bounded, expand, merge, narrow
from aimass.access.domain.tokens import DOTS
from aimass.access.service.signing import Signing
from aimass.access.store import queries, rows
from aimass.access.store.devices import live_device
from aimass.access.store.tables import devices, keys, services, sessions, users
from aimass.kernel.errors import Unauthenticated, Unavailable
from aimass.kernel.principal import ANYWHERE, SYSTEM, Grant, Principal
from aimass.kernel.usecase import PUBLIC, SIGNED_IN, use_case

_SEEN_EVERY = timedelta(seconds=60)


class Principals(Signing):
    """Tell who sends a credential."""

    def authenticate(self, credential: str) -> Principal:
        """Return the principal of an API key, a session or a signed token; raise ``Unauthenticated``."""
        if credential.startswith(KEY):
            return self.authenticate_key(credential)
        if credential.startswith(SESSION):
            return self.authenticate_session(credential)
        if credential.count(".") == DOTS:
            return self.authenticate_token(credential)
        raise Unauthenticated("this is no API key, session or token", hint="API keys start with 'aim_'")

    def authenticate_key(self, text: str) -> Principal:
        """Return the principal of an API key, with the grants of its owner cut down to workspace and scopes."""
        mark = fingerprint(text)
        return self._remembered(mark, lambda conn: self._by_key(conn, sha256=mark))

    def authenticate_session(self, token: str) -> Principal:
        """Return the principal of a session."""
        mark = fingerprint(token)
        return self._remembered(mark, lambda conn: self._by_session(conn, sha256=mark))

    def authenticate_token(self, text: str) -> Principal:
        """Return the principal of a signed token; it lives no longer than the session or key behind it."""
        claims = self._claims(text)
        return self._remembered(fingerprint(text), lambda conn: self._by_token(conn, claims))

    @use_case("POST /access/token", permission=PUBLIC)
    def issue_token(self, who: Principal, command: IssueToken) -> Token:
        """Exchange a session or an API key for a short-lived signed token."""
        del who
        with self._database.read() as conn:
            mark = fingerprint(command.credential)
            is_key = command.credential.startswith(KEY)
            owner = (self._by_key if is_key else self._by_session)(conn, sha256=mark)
            row = rows.find(conn, keys if is_key else sessions, sha256=mark)
        text = self._signed(owner.id, f"{'key' if is_key else 'session'}:{row.id if row else ''}")
        return Token(access_token=text, expires_in_s=self._settings.token_s)

    @use_case("GET /access/me", permission=SIGNED_IN, cli="whoami")
    def who_am_i(self, who: Principal) -> WhoAmI:
        """Tell who is signed in, and what he may do where."""
        with self._database.read() as conn:
            row = rows.find(conn, users, id=who.id)
            known = None if who.knows(ANYWHERE) else {grant.workspace for grant in who.grants}
            places = queries.workspace_page(conn, known, "", 500)
        return WhoAmI(
            id=who.id,
            name=who.name,
            kind=who.kind,
            administrator=who.allows("access.manage", ANYWHERE),
            second_factor=bool(row and row.totp_confirmed),
            workspaces=[MyWorkspace(slug=p.slug, name=p.name, permissions=_permissions(who, p.slug)) for p in places],
        )

    def principal(self, id_: str) -> Principal:
        """Return a person or a service account by id with the grants of this moment, for work that runs later.

        Raises
        ------
        Unauthenticated
            The account is gone or disabled; what was to run in its name must not run.
        """
        with self._database.read() as conn:
            person = rows.find(conn, users, id=id_, state="active")
            if person is not None:
                return Principal(id=id_, name=person.name, kind="user", grants=_grants(conn, "user", id_))
            service = rows.find(conn, services, id=id_, enabled=True)
            if service is not None:
                return Principal(id=id_, name=service.slug, kind="service", grants=_grants(conn, "service", id_))
        raise Unauthenticated(f"the account {id_!r} is gone or disabled", value=id_)

    def standing(self, who: Principal, workspace: str) -> Standing:
        """Return the groups of somebody, and the roles that he holds in a workspace or everywhere."""
        kind = "service" if who.kind == "service" else "user"
        with self._database.read() as conn:
            held = queries.grants_of(conn, kind, who.id)
            groups = queries.groups_of(conn, who.id)
        roles = {row.role for row in held if row.workspace in (workspace, ANYWHERE) and not row.object}
        return Standing(groups=frozenset(groups), roles=frozenset(roles))

    def _remembered(self, mark: str, find: Callable[[Any], Principal]) -> Principal:
        memory = self._ground.memory
        known = memory.get(mark)
        if known is not None:
            return known
        generation = memory.generation
        with self._database.read() as conn:
            who = find(conn)
        memory.keep(mark, who, generation)
        return who

    def _by_key(self, conn: Any, **where: str) -> Principal:
        row = queries.key_by(conn, **where)
        now = self._now()
        if row is None or row.workspace_deleted_at is not None:
            raise Unauthenticated("the API key is not known", hint="make one with 'aimass keys create'")
        if row.revoked_at is not None and row.revoked_at <= now:
            raise Unauthenticated(f"the API key {row.prefix!r} was revoked", hint="make a new one")
        if row.expires_at is not None and row.expires_at <= now:
            raise Unauthenticated(f"the API key {row.prefix!r} has expired", hint="make a new one")
        if row.user_state != "active" and not row.service_enabled:
            raise Unauthenticated(f"the owner of the API key {row.prefix!r} is disabled")
        self._seen(conn, keys, row.id, row.last_used_at)
        grants = bounded(_grants(conn, row.owner_kind, row.owner_id), row.workspace, row.scopes)
        return Principal(id=row.owner_id, name=row.owner, kind=row.owner_kind, grants=grants, credential="key")

    def _by_session(self, conn: Any, **where: str) -> Principal:
        now = self._now()
        row = queries.live_session(conn, now, self._idle_since(now), **where)
        if row is None or row.user_state != "active":
            raise Unauthenticated("the session has ended", hint="sign in again")
        self._seen(conn, sessions, row.id, row.last_seen_at)
        return _person(conn, row, "session")

    def _by_device(self, conn: Any, id: str) -> Principal:  # noqa: A002 as its siblings are called
        now = self._now()
        row = live_device(conn, now, now - timedelta(seconds=self._settings.device_idle_s), id)
        if row is None:
            raise Unauthenticated("the device was signed out", hint="sign in again: aimass login --device")
        self._seen(conn, devices, row.id, row.last_seen_at)
        return _person(conn, row, "device")

    def _by_token(self, conn: Any, claims: dict[str, Any]) -> Principal:
        """Return who stands behind a token, cut down to its scopes."""
        self._need_unrevoked(conn, str(claims.get("jti", "")))
        kind, _, behind = str(claims.get("via", "")).partition(":")
        ways = {"key": self._by_key, "device": self._by_device}
        who = ways.get(kind, self._by_session)(conn, id=behind)
        scopes = str(claims.get("scope", "")).split()
        if not scopes:
            return who
        cut = (replace(grant, permissions=narrow(grant.permissions, scopes)) for grant in who.grants)
        return replace(who, grants=merge(cut), credential="token")

    def _seen(self, conn: Any, table: Any, id_: str, before: Any) -> None:
        """Note the use, once a minute; a busy or full disk must not keep anybody out."""
        now = self._now()
        if before is not None and now - before < _SEEN_EVERY:
            return
        conn.rollback()  # the snapshot of a reader must not hold up the writer
        column = "last_used_at" if table is keys else "last_seen_at"
        with suppress(Unavailable), self._database.change(SYSTEM, ANYWHERE) as change:
            rows.change(change.conn, table, {"id": id_}, **{column: now})


def _person(conn: Any, row: Any, credential: str) -> Principal:
    grants = _grants(conn, "user", row.user_id)
    return Principal(id=row.user_id, name=row.user_name, kind="user", grants=grants, credential=credential)


def _grants(conn: Any, kind: str, id_: str) -> tuple[Grant, ...]:
    return merge(grant_of(row) for row in queries.grants_of(conn, kind, id_))


def grant_of(row: Any) -> Grant:
    """Turn a row of the store, which names a role, into permissions."""
    role = BUILT_IN.get(row.role)
    permissions = role.permissions if role else expand(row.permissions or ())
    return Grant(workspace=row.workspace, object=row.object or None, permissions=permissions)


def _permissions(who: Principal, workspace: str) -> list[str]:
    held = [g.permissions for g in who.grants if g.workspace in (workspace, ANYWHERE) and g.object is None]
    return sorted(frozenset[str]().union(*held))
