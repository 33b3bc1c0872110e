from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from aimass.access import Access, AccessSettings, CreateKey, CreateService, CreateWorkspace, GiveRole, OneWorkspace
from aimass.access.domain.members import (
    ChangeWorkspace,
    CreateGroup,
    CreateRole,
    GroupMember,
    ListMembers,
    ListWorkspaces,
    OneGroup,
    RemoveRole,
    TakeRole,
)
from aimass.infra.database import Database
from aimass.infra.secrets import KeyFileSecrets
from aimass.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Stale, Unauthenticated
from aimass.kernel.principal import ANONYMOUS, SYSTEM, Principal

Person = Callable[..., Principal]


def fresh(access: Access, who: Principal) -> Principal:
    return access.principal(who.id)


def test_the_creator_of_a_workspace_is_its_administrator(access: Access, person: Person) -> None:
    eve = person("eve")
    made = access.create_workspace(eve, CreateWorkspace(name="客户 😀", review="auto"))
    assert (made.slug[:2], made.review, made.created_by) == ("x-", "auto", eve.id)
    assert fresh(access, eve).allows("access.manage", made.slug)
    assert [w.slug for w in access.list_workspaces(fresh(access, eve), ListWorkspaces()).items] == [made.slug]


def test_who_may_create_workspaces_is_a_setting(database: Database, person: Person, tmp_path: Path, demo: str) -> None:
    strict = AccessSettings(workspaces_by="administrators")
    access = Access(database, KeyFileSecrets(tmp_path / "keys" / "secrets.json"), tmp_path / "keys", strict)
    with pytest.raises(Forbidden):
        access.create_workspace(person("eve"), CreateWorkspace(name="Mine"))
    with pytest.raises(Unauthenticated):
        access.create_workspace(ANONYMOUS, CreateWorkspace(name="Mine"))


def test_a_service_account_makes_no_workspace(access: Access, admin: Principal, demo: str) -> None:
    access.create_service(admin, CreateService(workspace=demo, name="robot", role="admin"))
    robot = access.authenticate(access.create_key(admin, CreateKey(workspace=demo, name="k", service="robot")).text)
    with pytest.raises(Forbidden):
        access.create_workspace(robot, CreateWorkspace(name="Mine"))


@pytest.mark.parametrize("slug", ["A b", "-a", "", "a" * 64, "../etc", "*"])
def test_a_bad_slug_is_refused_with_a_better_one(access: Access, admin: Principal, slug: str) -> None:
    if not slug:
        assert access.create_workspace(admin, CreateWorkspace(name="Same", slug="")).slug == "same"
        return
    with pytest.raises(Invalid) as caught:
        access.create_workspace(admin, CreateWorkspace(name="x", slug=slug))
    assert caught.value.hint.startswith("use '")


def test_a_slug_is_taken_once(access: Access, admin: Principal, demo: str) -> None:
    with pytest.raises(Conflict, match="demo"):
        access.create_workspace(admin, CreateWorkspace(name="Demo!"))


def test_settings_are_merged_and_a_stale_change_is_refused(access: Access, admin: Principal, demo: str) -> None:
    access.change_workspace(admin, ChangeWorkspace(workspace=demo, settings={"a": 1, "b": 2}))
    changed = access.change_workspace(
        admin, ChangeWorkspace(workspace=demo, settings={"a": None, "c": [3]}, review="auto", expected_version=2)
    )
    assert (changed.settings, changed.review, changed.version) == ({"b": 2, "c": [3]}, "auto", 3)
    with pytest.raises(Stale):
        access.change_workspace(admin, ChangeWorkspace(workspace=demo, name="x", expected_version=2))


def test_a_deleted_workspace_is_gone_for_everybody(access: Access, admin: Principal, demo: str, person: Person) -> None:
    eve = person("eve", "viewer")
    access.delete_workspace(admin, OneWorkspace(workspace=demo))
    for who in (admin, eve):
        with pytest.raises(NotFound):
            access.get_workspace(who, OneWorkspace(workspace=demo))
    assert not fresh(access, eve).knows(demo)
    assert not access.has_workspace(demo)
    assert access.list_workspaces(admin, ListWorkspaces()).items == []


READ = [
    lambda a, w, demo: a.get_workspace(w, OneWorkspace(workspace=demo)),
    lambda a, w, demo: a.list_members(w, ListMembers(workspace=demo)),
    lambda a, w, demo: a.list_roles(w, OneWorkspace(workspace=demo)),
]
WRITE = [
    lambda a, w, demo: a.change_workspace(w, ChangeWorkspace(workspace=demo, name="New")),
    lambda a, w, demo: a.give_role(w, GiveRole(workspace=demo, role="viewer", user="root")),
    lambda a, w, demo: a.create_role(w, CreateRole(workspace=demo, name="R", permissions=["lake.read"])),
    lambda a, w, demo: a.create_service(w, CreateService(workspace=demo, name="S")),
    lambda a, w, demo: a.delete_workspace(w, OneWorkspace(workspace=demo)),
]


@pytest.mark.parametrize("call", READ + WRITE)
def test_strangers_do_not_learn_that_a_workspace_exists(
    access: Access, person: Person, demo: str, call: Callable
) -> None:
    with pytest.raises(Unauthenticated):
        call(access, ANONYMOUS, demo)
    with pytest.raises(NotFound):
        call(access, person("stranger"), demo)


@pytest.mark.parametrize("call", READ)
def test_readers_read(access: Access, person: Person, demo: str, call: Callable) -> None:
    assert call(access, person("reader", "viewer"), demo)


@pytest.mark.parametrize("call", WRITE)
@pytest.mark.parametrize("role", ["viewer", "analyst", "editor", "operator", "reviewer"])
def test_only_administrators_change_a_workspace(
    access: Access, person: Person, demo: str, call: Callable, role: str
) -> None:
    with pytest.raises(Forbidden):
        call(access, person("other", role), demo)
    call(access, person("boss", "admin"), demo)


def test_a_role_on_one_object_counts_there_alone(access: Access, person: Person, demo: str) -> None:
    eve = person("eve", "operator", object_="endpoint:churn")
    assert eve.allows("serving.edit", demo, "endpoint:churn")
    assert not eve.allows("serving.edit", demo, "endpoint:other")
    assert not eve.allows("serving.read", demo)


@pytest.mark.parametrize(
    "command",
    [
        {"user": "root", "role": "king"},
        {"user": "root", "group": "g", "role": "viewer"},
        {"role": "viewer"},
    ],
)
def test_a_role_needs_one_subject_and_a_known_name(access: Access, admin: Principal, demo: str, command: dict) -> None:
    with pytest.raises(Invalid):
        access.give_role(admin, GiveRole(workspace=demo, **command))


@pytest.mark.parametrize("subject", [{"user": "nobody"}, {"group": "nobody"}, {"service": "nobody"}])
def test_an_unknown_subject_is_named(access: Access, admin: Principal, demo: str, subject: dict) -> None:
    with pytest.raises(NotFound, match="nobody"):
        access.give_role(admin, GiveRole(workspace=demo, role="viewer", **subject))


def test_a_role_is_given_once_and_taken_once(access: Access, admin: Principal, demo: str, person: Person) -> None:
    person("eve")
    given = access.give_role(admin, GiveRole(workspace=demo, role="viewer", user="eve"))
    assert (given.name, given.kind, given.object) == ("eve", "user", None)
    with pytest.raises(Conflict):
        access.give_role(admin, GiveRole(workspace=demo, role="viewer", user="eve"))
    access.take_role(admin, TakeRole(workspace=demo, grant=given.grant))
    with pytest.raises(NotFound):
        access.take_role(admin, TakeRole(workspace=demo, grant=given.grant))


def test_an_own_role_stays_while_somebody_holds_it(access: Access, admin: Principal, demo: str, person: Person) -> None:
    made = access.create_role(admin, CreateRole(workspace=demo, name="Labeller", permissions=["lake.edit"]))
    assert made.permissions == ["lake.edit", "lake.read", "lake.use"]
    eve = person("eve", "labeller")
    assert eve.allows("lake.use", demo)
    with pytest.raises(Conflict):
        access.remove_role(admin, RemoveRole(workspace=demo, role="labeller"))
    assert "labeller" in [role.slug for role in access.list_roles(admin, OneWorkspace(workspace=demo))]
    with pytest.raises(Conflict):
        access.create_role(admin, CreateRole(workspace=demo, name="Admin", permissions=["lake.edit"]))


def test_a_group_gives_its_roles_to_its_people(access: Access, admin: Principal, demo: str, person: Person) -> None:
    eve = person("eve")
    access.create_group(admin, CreateGroup(name="Data people"))
    access.give_role(admin, GiveRole(workspace=demo, role="editor", group="data-people"))
    assert access.add_to_group(admin, GroupMember(group="data-people", user="eve")).members == ["eve"]
    assert fresh(access, eve).allows("lake.edit", demo)
    assert [group.members for group in access.list_groups(admin)] == [["eve"]]
    assert [group.members for group in access.list_groups(person("adam"))] == [[]]
    access.take_from_group(admin, GroupMember(group="data-people", user="eve"))
    assert not fresh(access, eve).knows(demo)
    access.remove_group(admin, OneGroup(group="data-people"))
    assert access.list_groups(eve) == []


def test_me_shows_my_workspaces_and_permissions(access: Access, admin: Principal, demo: str, person: Person) -> None:
    me = access.who_am_i(person("eve", "viewer"))
    assert (me.name, me.administrator, [w.slug for w in me.workspaces]) == ("eve", False, [demo])
    assert me.workspaces[0].permissions == ["*.read"]
    assert access.who_am_i(admin).administrator
    assert access.who_am_i(SYSTEM).kind == "system"
