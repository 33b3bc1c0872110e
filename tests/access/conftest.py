from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aimass.access import Access, AccessSettings, CreateWorkspace, GiveRole, SignIn
from aimass.access.domain.people import InviteUser, UseLink
from aimass.infra.database import Database, metadata
from aimass.infra.secrets import KeyFileSecrets
from aimass.kernel.principal import ANONYMOUS, Principal

PASSWORD = "four small brown bears"
CHEAP = AccessSettings(password_memory_kib=1024, password_rounds=1, password_lanes=1, cache_s=60)


@dataclass
class Hand:
    """A clock that the test moves."""

    moment: datetime = field(default_factory=lambda: datetime(2026, 5, 1, 12, 0, tzinfo=UTC))

    def now(self) -> datetime:
        return self.moment

    def forward(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
def database(tmp_path: Path, clock: Hand) -> Iterator[Database]:
    database = Database.file(tmp_path / "aimass.db", clock)
    metadata.create_all(database.engine)
    yield database
    database.close()


@pytest.fixture
def access(database: Database, tmp_path: Path) -> Access:
    return Access(database, KeyFileSecrets(tmp_path / "keys" / "secrets.json"), tmp_path / "keys", CHEAP)


@pytest.fixture
def password_of_admin(access: Access) -> str:
    return str(access.bootstrap_admin("root"))


@pytest.fixture
def admin(access: Access, password_of_admin: str) -> Principal:
    signed_in = access.sign_in(ANONYMOUS, SignIn(name="root", password=password_of_admin))
    return access.authenticate(signed_in.token)


@pytest.fixture
def demo(access: Access, admin: Principal) -> str:
    return access.create_workspace(admin, CreateWorkspace(name="Demo")).slug


@pytest.fixture
def person(access: Access, admin: Principal, demo: str) -> Callable[..., Principal]:
    """Make a person with a role in the workspace demo (or none), and return the principal of a session."""

    def make(name: str, role: str | None = None, object_: str | None = None) -> Principal:
        link = access.invite_user(admin, InviteUser(name=name))
        access.accept_invitation(ANONYMOUS, UseLink(token=link.token, password=PASSWORD))
        if role is not None:
            access.give_role(admin, GiveRole(workspace=demo, role=role, user=name, object=object_))
        return access.authenticate(access.sign_in(ANONYMOUS, SignIn(name=name, password=PASSWORD)).token)

    return make
