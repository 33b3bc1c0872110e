"""What every part of the service stands on: database, settings, keys, and the lookups that all of them need."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from aimass.access.domain.people import Link, User
from aimass.access.errors import LastAdministrator
from aimass.access.figures import METRICS
from aimass.access.service.discovery import Discovery
from aimass.access.service.hashing import Passwords
from aimass.access.service.letters import Letter
from aimass.access.service.memory import Memory
from aimass.access.settings import AccessSettings
from aimass.access.store import queries, rows
from aimass.access.store.tables import services, users, workspaces
from aimass.infra.database import Change, Database
from aimass.infra.notify import Mail, Notify
from aimass.infra.secrets import Secrets, SigningKeys
from aimass.kernel.counters import Counters
from aimass.kernel.errors import AimassError, NotFound, Stale
from aimass.kernel.names import clean_name
from aimass.kernel.principal import ANYWHERE, Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The tools of the room, made once by :func:`aimass.access.service.access.build`."""

    database: Database
    settings: AccessSettings
    secrets: Secrets
    token_keys: SigningKeys
    audit_keys: SigningKeys
    anchor: Path
    passwords: Passwords
    discovery: Discovery
    memory: Memory
    notify: Notify | None = None
    counters: Counters = field(default_factory=lambda: Counters(METRICS))


class Part:
    """A part of the service; :class:`Access` is made of all of them."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._database = ground.database
        self._settings = ground.settings

    @contextmanager
    def _change(self, who: Principal, workspace: str) -> Iterator[Change]:
        """Open the unit of work; afterwards nothing that was remembered of keys and sessions counts."""
        try:
            with self._database.change(who, workspace) as change:
                yield change
        finally:
            self._ground.memory.forget()

    @contextmanager
    def _counting(self, name: str, **labels: str) -> Iterator[None]:
        """Count how something ends: ``ok``, or the code of the error."""
        try:
            yield
        except AimassError as error:
            self._ground.counters.add(name, result=error.code, **labels)
            raise
        self._ground.counters.add(name, result="ok", **labels)

    def _can_mail(self, address: str | None) -> bool:
        notify = self._ground.notify
        return bool(address) and notify is not None and notify.can_mail

    def _mail(self, change: Change, address: str | None, letter: Letter) -> None:
        """Post a letter within the change; nothing happens where mail is not set up."""
        notify = self._ground.notify
        if address and notify is not None and notify.can_mail:
            notify.post(change, Mail(to=address, subject=letter.subject, text=letter.text))

    def _now(self) -> datetime:
        return self._database.clock.now()

    def _idle_since(self, now: datetime) -> datetime:
        return now - timedelta(seconds=self._settings.session_idle_s)


def name_key(name: str) -> str:
    """Return the form of a name by which two names are the same.

    Examples
    --------
    >>> name_key(" Eve ")
    'eve'
    """
    return clean_name(name).casefold()


def find_user(conn: Any, ref: str) -> Any:
    """Return the row of a person by id or name."""
    row = rows.find(conn, users, id=ref) or rows.find(conn, users, name_key=name_key(ref))
    if row is None:
        raise NotFound(f"there is no user {ref!r}", field="user", value=ref)
    return row


def find_service(conn: Any, workspace: str, ref: str) -> Any:
    """Return the row of a service account by slug or id."""
    row = rows.find(conn, services, workspace=workspace, slug=ref) or rows.find(
        conn, services, workspace=workspace, id=ref
    )
    if row is None:
        raise NotFound(f"there is no service account {ref!r} in {workspace!r}", field="service", value=ref)
    return row


def need_workspace(conn: Any, slug: str) -> Any:
    """Return the row of a live workspace."""
    row = rows.find(conn, workspaces, slug=slug, deleted_at=None)
    if row is None:
        raise NotFound(f"there is no workspace {slug!r}", field="workspace", value=slug)
    return row


def need_place(conn: Any, slug: str) -> None:
    """Refuse a workspace that is not there; ``*`` is the platform."""
    if slug != ANYWHERE:
        need_workspace(conn, slug)


def need_version(row: Any, expected: int | None) -> None:
    """Refuse a change of something that changed since it was read."""
    if expected is not None and expected != row.version:
        raise Stale(f"version {expected} was read, but now it is {row.version}", value=expected, allowed=row.version)


@contextmanager
def keeping_an_administrator(conn: Any) -> Iterator[None]:
    """Refuse what takes the last administrator from the platform."""
    before = queries.administrators(conn, ANYWHERE)
    yield
    if before and not queries.administrators(conn, ANYWHERE):
        raise LastAdministrator("the platform would have no administrator left", hint="make another person admin first")


def user_of(row: Any) -> User:
    """Show a row as a person."""
    return User(
        id=row.id,
        name=row.name,
        email=row.email,
        state=row.state,
        second_factor=row.totp_confirmed,
        created_at=row.created_at,
        last_seen_at=row.last_seen_at,
        version=row.version,
    )


def link_of(values: dict[str, Any], name: str, token: str) -> Link:
    """Show a new link with its token, this once."""
    door = "accept" if values["kind"] == "invitation" else "reset"
    return Link(
        id=values["id"],
        user=values["user_id"],
        name=name,
        kind=values["kind"],
        expires_at=values["expires_at"],
        path=f"/{door}/{token}",
        token=token,
    )
