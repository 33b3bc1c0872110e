"""People: the first administrator, invitations, changes, disabling and erasing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from aimass.access.domain.credentials import LINK, fingerprint, new_password, new_secret
from aimass.access.domain.members import GiveRole
from aimass.access.domain.people import (
    ChangeUser,
    Invitation,
    InviteUser,
    Link,
    ListInvitations,
    ListUsers,
    OneUser,
    User,
    UserState,
    WithdrawInvitation,
)
from aimass.access.service.giving import give
from aimass.access.service.ground import (
    Part,
    find_user,
    keeping_an_administrator,
    link_of,
    name_key,
    need_version,
    user_of,
)
from aimass.access.service.letters import invitation_letter
from aimass.access.store import queries, rows
from aimass.access.store.tables import (
    grants,
    group_members,
    identities,
    keys,
    links,
    recovery_codes,
    session_origins,
    users,
)
from aimass.infra.database import Change
from aimass.kernel.errors import Conflict, Invalid, NotFound
from aimass.kernel.ids import new_id
from aimass.kernel.names import clean_name
from aimass.kernel.pages import Page, decode_cursor, page_of
from aimass.kernel.principal import ANYWHERE, SYSTEM, Principal
from aimass.kernel.usecase import use_case


class People(Part):
    """Accounts of people."""

    def bootstrap_admin(self, name: str, keep: Callable[[str], None] | None = None) -> str | None:
        """Make the first administrator and return the random password, this once; None when there are people.

        ``keep`` gets the password before the account is there, so that a crash in between does not lose it.
        """
        if self.has_people():
            return None
        password = new_password()
        stored = self._ground.passwords.hash(password)
        with self._change(SYSTEM, ANYWHERE) as change:
            if queries.has_users(change.conn):
                return None
            user = _add_user(change, name, None, state="active", password=stored)
            give(change, GiveRole(workspace=ANYWHERE, role="admin", user=user.id))
            change.audit("access.user.bootstrap", object_=f"user:{user.id}")
            if keep is not None:
                keep(password)
        return password

    def has_people(self) -> bool:
        """Tell whether there is any account; before the first one, only :meth:`bootstrap_admin` lets in."""
        with self._database.read() as conn:
            return queries.has_users(conn)

    def is_untouched(self) -> bool:
        """Tell whether nobody has ever signed in, so that a newcomer needs to know where the password is."""
        with self._database.read() as conn:
            return not queries.was_anybody_here(conn)

    @use_case("POST /access/invitations", permission="access.manage", cli="users invite", status=201)
    def invite_user(self, who: Principal, command: InviteUser) -> Link:
        """Invite a person; the link sets the password, and works once."""
        if command.workspace != ANYWHERE and command.role is None:
            raise Invalid("an invitation to a workspace needs a role", field="role", hint="for example --role viewer")
        with self._change(who, command.workspace) as change:
            user = _add_user(change, command.name, command.email, state="invited")
            if command.role is not None:
                give(change, GiveRole(workspace=command.workspace, role=command.role, user=user.id))
            link = new_link(change, "invitation", user, self._settings.invitation_s, (command.workspace, command.role))
            subject = f"user:{user.id}"
            change.audit("access.user.invite", object_=subject, detail={"role": command.role, "link": link.id})
            change.event("access.user.invited", subject=subject, data={"role": command.role})
            self._mail(change, user.email, invitation_letter(link, self._settings.public_url))
        return link

    @use_case("GET /access/invitations", permission="access.manage", cli="users invitations")
    def list_invitations(self, who: Principal, command: ListInvitations) -> list[Invitation]:
        """List the invitations that nobody has accepted yet."""
        del who
        place = None if command.workspace == ANYWHERE else command.workspace
        with self._database.read() as conn:
            return [_invitation(row) for row in queries.waiting_links(conn, "invitation", place, self._now())]

    @use_case("DELETE /access/invitations/{invitation}", permission="access.manage", cli="users withdraw", status=204)
    def withdraw_invitation(self, who: Principal, command: WithdrawInvitation) -> None:
        """Take an invitation back; the account that waited for it goes too."""
        with self._change(who, command.workspace) as change:
            row = rows.find(change.conn, links, id=command.invitation, kind="invitation")
            if row is None or command.workspace not in (row.workspace, ANYWHERE):
                raise NotFound(
                    f"there is no invitation {command.invitation!r}", field="invitation", value=command.invitation
                )
            rows.remove(change.conn, links, id=row.id)
            rows.remove(change.conn, grants, subject_kind="user", subject_id=row.user_id)
            rows.remove(change.conn, identities, user_id=row.user_id)
            rows.remove(change.conn, users, id=row.user_id, state="invited")
            change.audit("access.user.withdraw", object_=f"user:{row.user_id}", detail={"link": row.id})

    @use_case("GET /access/users", permission="access.read", cli="users list")
    def list_users(self, who: Principal, command: ListUsers) -> Page[User]:
        """List the people of the platform."""
        del who
        after = decode_cursor(command.cursor) if command.cursor else ""
        with self._database.read() as conn:
            found = queries.user_page(conn, command.find, after, command.limit + 1)
        page = page_of(found, command.limit, lambda row: row.name_key)
        return Page(items=[user_of(row) for row in page.items], next=page.next)

    @use_case("GET /access/users/{user}", permission="access.read", cli="users show")
    def get_user(self, who: Principal, command: OneUser) -> User:
        """Show one person."""
        del who
        with self._database.read() as conn:
            return user_of(find_user(conn, command.user))

    @use_case("PATCH /access/users/{user}", permission="access.manage", cli="users change")
    def change_user(self, who: Principal, command: ChangeUser) -> User:
        """Change the name or the mail address of a person."""
        with self._change(who, ANYWHERE) as change:
            row = find_user(change.conn, command.user)
            need_version(row, command.expected_version)
            values: dict[str, Any] = {"version": row.version + 1}
            if command.name is not None:
                _need_free(change, command.name, but=row.id)
                values |= {"name": clean_name(command.name), "name_key": name_key(command.name)}
            if command.email is not None:
                values["email"] = _email(command.email)
            rows.change(change.conn, users, {"id": row.id}, **values)
            changed = sorted({"name", "email"} & values.keys())
            change.audit("access.user.change", object_=f"user:{row.id}", detail={"fields": changed})
            return user_of(find_user(change.conn, row.id))

    @use_case("POST /access/users/{user}/disable", permission="access.manage", cli="users disable")
    def disable_user(self, who: Principal, command: OneUser) -> User:
        """Keep a person out; sessions end, and keys stop until the person is enabled again."""
        with self._change(who, ANYWHERE) as change, keeping_an_administrator(change.conn):
            row = find_user(change.conn, command.user)
            if row.state == "invited":
                raise Conflict(f"{row.name!r} has not accepted the invitation", hint="withdraw the invitation")
            queries.end_sessions(change.conn, row.id)
            rows.remove(change.conn, links, user_id=row.id)  # a link asked for earlier would let him in again
            return _set_state(change, row, "disabled")

    @use_case("POST /access/users/{user}/enable", permission="access.manage", cli="users enable")
    def enable_user(self, who: Principal, command: OneUser) -> User:
        """Let a disabled person in again."""
        with self._change(who, ANYWHERE) as change:
            row = find_user(change.conn, command.user)
            if row.password is None and not rows.find(change.conn, identities, user_id=row.id):
                raise Conflict(f"{row.name!r} has no password", hint="make a reset link, which also enables")
            return _set_state(change, row, "active")

    @use_case("DELETE /access/users/{user}", permission="access.manage", cli="users erase", status=204)
    def erase_user(self, who: Principal, command: OneUser) -> None:
        """Erase a person: name, address, credentials and roles; what he did stays under his id, and no restore undoes it."""
        self.drop_user(who, command.user)

    def drop_user(self, who: Principal, user: str, *, is_kept: bool = False) -> None:
        """Erase an account; ``is_kept`` says that the ledger of erasures names it by its id already."""
        with self._change(who, ANYWHERE) as change, keeping_an_administrator(change.conn):
            row = find_user(change.conn, user)
            made_up = f"erased-{row.id.lower()}"
            for table in (links, recovery_codes, group_members, identities, session_origins):
                rows.remove(change.conn, table, user_id=row.id)
            rows.remove(change.conn, grants, subject_kind="user", subject_id=row.id)
            rows.change(change.conn, keys, {"owner_id": row.id, "revoked_at": None}, revoked_at=change.now)
            queries.end_sessions(change.conn, row.id)
            blank = {"email": None, "password": None, "totp": None, "totp_confirmed": False, "state": "disabled"}
            rows.change(change.conn, users, {"id": row.id}, name=made_up, name_key=made_up, **blank)
            change.audit("access.user.erase", object_=f"user:{row.id}")
            change.event("access.user.erased", subject=f"user:{row.id}", data={"is_kept": is_kept})


def new_link(
    change: Change, kind: str, user: User, life_s: int, place: tuple[str, str | None] = (ANYWHERE, None)
) -> Link:
    """Store a link, and return it with its token."""
    token = new_secret(LINK)
    values = {
        "id": new_id(),
        "kind": kind,
        "sha256": fingerprint(token),
        "user_id": user.id,
        "workspace": place[0],
        "role": place[1],
        "created_by": change.who.id,
        "created_at": change.now,
        "expires_at": change.now + timedelta(seconds=life_s),
    }
    rows.add(change.conn, links, **values)
    return link_of(values, user.name, token)


def _add_user(change: Change, name: str, email: str | None, *, state: UserState, password: str | None = None) -> User:
    _need_free(change, name)
    id_ = new_id()
    rows.add(
        change.conn,
        users,
        id=id_,
        name=clean_name(name),
        name_key=name_key(name),
        email=_email(email),
        state=state,
        password=password,
        totp_confirmed=False,
        totp_step=0,
        created_at=change.now,
        version=1,
    )
    return user_of(find_user(change.conn, id_))


def _need_free(change: Change, name: str, but: str = "") -> None:
    row = rows.find(change.conn, users, name_key=name_key(name))
    if row is not None and row.id != but:
        raise Conflict(
            f"there is a user {row.name!r}", field="name", value=name, hint="give that person a role instead"
        )


def _set_state(change: Change, row: Any, state: UserState) -> User:
    rows.change(change.conn, users, {"id": row.id}, state=state, version=row.version + 1)
    verb = "disable" if state == "disabled" else "enable"
    change.audit(f"access.user.{verb}", object_=f"user:{row.id}")
    change.event(f"access.user.{verb}d", subject=f"user:{row.id}")
    return user_of(find_user(change.conn, row.id))


def _email(text: str | None) -> str | None:
    if not text or not text.strip():
        return None
    address = clean_name(text, field="email")
    local, _, host = address.rpartition("@")
    if not local or not host or any(letter.isspace() for letter in address):
        raise Invalid(f"{address!r} is no mail address", field="email", value=address, allowed="name@host")
    return address


def _invitation(row: Any) -> Invitation:
    moments: dict[str, datetime] = {"created_at": row.created_at, "expires_at": row.expires_at}
    return Invitation(
        id=row.id,
        user=row.user_id,
        name=row.name,
        workspace=row.workspace,
        role=row.role,
        invited_by=row.created_by,
        **moments,
    )
