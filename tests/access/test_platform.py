"""The room as the platform sees it: capability, hooks, letters, the declared use cases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from aimass.access import Access, AccessSettings, RequestApproval
from aimass.access.capability import CAPABILITY
from aimass.access.domain.people import ForgotPassword, InviteUser, UseLink
from aimass.infra.database import Database, metadata
from aimass.infra.notify import Notify, NotifySettings
from aimass.infra.secrets import KeyFileSecrets
from aimass.kernel.capability import load
from aimass.kernel.erasing import Person
from aimass.kernel.layout import DataDir
from aimass.kernel.principal import ANONYMOUS, ANYWHERE, Principal
from aimass.kernel.registry import Registry
from aimass.kernel.usecase import use_cases


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    registry = Registry()
    database = Database.file(tmp_path / "aimass.db")
    registry.put(DataDir, DataDir(tmp_path))
    registry.put(Database, database)
    access = load(str(CAPABILITY.build))(registry)
    metadata.create_all(database.engine)
    registry.put(Access, access)
    yield registry
    database.close()


def test_every_face_of_the_capability_exists() -> None:
    loops = [loop.run for loop in CAPABILITY.loops.values()]
    for face in [
        CAPABILITY.build,
        CAPABILITY.service,
        CAPABILITY.settings,
        CAPABILITY.attention,
        CAPABILITY.erase,
        *loops,
    ]:
        assert load(str(face))


def test_the_loops_run_on_an_empty_platform(registry: Registry) -> None:
    for loop in CAPABILITY.loops.values():
        load(loop.run)(registry)


def test_every_use_case_has_its_own_route_a_sentence_and_a_workspace_where_it_needs_one() -> None:
    cases = list(use_cases(Access))
    assert len({(case.method, case.path) for case in cases}) == len(cases)
    assert len({case.cli for case in cases if case.cli}) == len([case for case in cases if case.cli])
    for case in cases:
        assert case.summary.endswith((".", ";", ":")) or "\n" in case.help
        fields = set(case.command.__dataclass_fields__) if case.command else set()
        assert {part[1:-1] for part in case.path.split("/") if part.startswith("{")} <= fields
        assert case.permission in ("public", "signed-in", *CAPABILITY.permissions)


def test_attention_shows_each_person_what_waits_for_him(
    registry: Registry, access: Access, admin: Principal, demo: str, person: Callable[..., Principal]
) -> None:
    registry.put(Access, access)
    author, reviewer = person("author", "editor"), person("reviewer", "reviewer")
    access.invite_user(admin, InviteUser(name="new"))
    question = RequestApproval(workspace=demo, subject="a:b", reason="please look", permission="models.approve")
    access.request_approval(author, question)
    attention: Any = load(str(CAPABILITY.attention))
    assert [item["kind"] for item in attention(registry, admin)] == ["approval"]
    assert [item["title"] for item in attention(registry, reviewer)] == ["please look"]
    assert attention(registry, author) == []


def test_the_erase_hook_erases_an_account_once(
    registry: Registry, access: Access, person: Callable[..., Principal]
) -> None:
    registry.put(Access, access)
    person("eve")
    erase: Any = load(str(CAPABILITY.erase))

    def accounts(*values: str, workspace: str = ANYWHERE) -> int:
        return erase(registry, Person(erasure="e", values=values, workspace=workspace))[0].count

    assert accounts("eve", workspace="demo") == 0, "an account belongs to the whole platform"
    assert (accounts("eve"), accounts("eve"), accounts("nobody")) == (1, 0, 0)


def test_the_last_administrator_is_not_erased_and_the_answer_says_so(registry: Registry, access: Access) -> None:
    registry.put(Access, access)
    access.bootstrap_admin("root")
    erase: Any = load(str(CAPABILITY.erase))
    accounts = erase(registry, Person(erasure="e", values=("root",)))[0]
    assert accounts.count == 0
    assert "last administrator" in accounts.left[0]


def test_invitations_and_reset_links_go_out_by_mail_where_it_is_set_up(
    database: Database, tmp_path: Path, admin: Principal
) -> None:
    secrets = KeyFileSecrets(tmp_path / "keys" / "secrets.json")
    notify = Notify(database, secrets, NotifySettings(smtp_host="127.0.0.1"))
    access = Access(database, secrets, tmp_path / "keys", AccessSettings(public_url="https://ai.corp.example/"), notify)
    link = access.invite_user(admin, InviteUser(name="eve", email="eve@corp.example"))
    access.accept_invitation(ANONYMOUS, UseLink(token=link.token, password="four small brown bears"))
    access.forgot_password(ANONYMOUS, ForgotPassword(name="eve"))
    with database.read() as conn:
        waiting = conn.execute(select(metadata.tables["notify_outbox"])).all()
    letters = [secrets.unseal(row.sealed, about=f"notify:{row.id}").decode() for row in waiting]
    assert f"https://ai.corp.example/accept/{link.token}" in letters[0]
    assert "https://ai.corp.example/reset/ail_" in letters[1]
    assert access.waiting_people(admin) == []


def test_notifications_are_there_for_other_rooms_too(registry: Registry) -> None:
    assert registry.get(Notify).can_mail is False
    assert registry.get(Access).bootstrap_admin("root")
    assert registry.get(Access).waiting_people(Principal(id="x", name="x", kind="system")) == []
    assert ANYWHERE == "*"
