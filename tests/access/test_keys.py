from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aimass.access import Access, AccessSettings, CreateKey, CreateService, GiveRole, OneWorkspace
from aimass.access.domain.keys import ChangeKey, ListKeys, ListServices, OneKey, OneService, RotateKey
from aimass.access.domain.members import CreateGroup, CreateRole, GroupMember
from aimass.access.domain.people import OneUser
from aimass.access.errors import MoreThanYouHave
from aimass.infra.database import Database
from aimass.infra.secrets import KeyFileSecrets
from aimass.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from aimass.kernel.principal import Principal

Person = Callable[..., Principal]


def test_a_key_acts_for_its_owner_inside_its_workspace(access: Access, admin: Principal, demo: str) -> None:
    made = access.create_key(admin, CreateKey(workspace=demo, name="notebook"))
    who = access.authenticate_key(made.text)
    assert (who.id, who.name, who.kind) == (admin.id, "root", "user")
    assert who.allows("lake.manage", demo)
    assert not who.knows("other")
    assert made.text.startswith(made.key.prefix)


def test_the_daily_quota_of_a_key_is_set_changed_and_kept_by_its_successor(
    access: Access, admin: Principal, demo: str, person: Person
) -> None:
    eve = person("eve", "analyst")
    free = access.create_key(eve, CreateKey(workspace=demo, name="free")).key
    made = access.create_key(eve, CreateKey(workspace=demo, name="k", daily_quota=3)).key
    assert (free.daily_quota, made.daily_quota) == (0, 3)
    assert access.change_key(eve, ChangeKey(workspace=demo, key=made.id, daily_quota=5)).daily_quota == 5
    assert access.change_key(admin, ChangeKey(workspace=demo, key=made.id, daily_quota=7)).daily_quota == 7
    new = access.rotate_key(eve, RotateKey(workspace=demo, key=made.id)).key
    assert new.daily_quota == 7
    told = {one.id: one.daily_quota for one in access.gateway_keys()}
    assert told == {free.id: 0, new.id: 7}
    with pytest.raises(Conflict, match="revoked"):
        access.change_key(eve, ChangeKey(workspace=demo, key=made.id, daily_quota=0))
    with pytest.raises(NotFound):
        access.change_key(person("tom", "analyst"), ChangeKey(workspace=demo, key=new.id, daily_quota=0))


def test_a_key_loses_what_its_owner_loses(access: Access, admin: Principal, demo: str, person: Person) -> None:
    from aimass.access.domain.members import ListMembers, TakeRole

    eve = person("eve", "editor")
    key = access.create_key(eve, CreateKey(workspace=demo, name="k")).text
    assert access.authenticate_key(key).allows("lake.edit", demo)
    mine = next(m for m in access.list_members(admin, ListMembers(workspace=demo)).items if m.name == "eve")
    access.take_role(admin, TakeRole(workspace=demo, grant=mine.grant))
    assert not access.authenticate_key(key).allows("lake.read", demo)
    access.disable_user(admin, OneUser(user="eve"))
    with pytest.raises(Unauthenticated, match="disabled"):
        access.authenticate_key(key)


def test_scopes_bound_a_key_and_cannot_exceed_its_maker(access: Access, demo: str, person: Person) -> None:
    eve = person("eve", "analyst")
    made = access.create_key(eve, CreateKey(workspace=demo, name="k", scopes=["serving.use"]))
    who = access.authenticate_key(made.text)
    assert who.allows("serving.use", demo)
    assert not who.allows("lake.read", demo)
    with pytest.raises(MoreThanYouHave):
        access.create_key(eve, CreateKey(workspace=demo, name="k", scopes=["lake.edit"]))
    with pytest.raises(Invalid):
        access.create_key(eve, CreateKey(workspace=demo, name="k", scopes=["lake.fly"]))


def test_a_narrow_key_cannot_make_a_wider_one(access: Access, admin: Principal, demo: str) -> None:
    access.create_service(admin, CreateService(workspace=demo, name="robot", role="admin"))
    text = access.create_key(admin, CreateKey(workspace=demo, name="k", scopes=["access.manage"])).text
    narrow = access.authenticate_key(text)
    with pytest.raises(MoreThanYouHave):
        access.create_key(narrow, CreateKey(workspace=demo, name="x", scopes=["lake.read"]))
    with pytest.raises(MoreThanYouHave):
        access.create_key(narrow, CreateKey(workspace=demo, name="x", service="robot"))
    with pytest.raises(MoreThanYouHave):
        access.give_role(narrow, GiveRole(workspace=demo, role="admin", user="root"))
    child = access.authenticate_key(access.create_key(narrow, CreateKey(workspace=demo, name="x")).text)
    assert child.allows("access.manage", demo)
    assert not child.allows("lake.read", demo)
    robots = access.create_key(admin, CreateKey(workspace=demo, name="r", service="robot"))
    with pytest.raises(MoreThanYouHave):
        access.rotate_key(narrow, RotateKey(workspace=demo, key=robots.key.id))


def test_a_key_expires_is_revoked_and_the_error_says_which(
    access: Access, admin: Principal, demo: str, clock: Any
) -> None:
    short = access.create_key(admin, CreateKey(workspace=demo, name="k", days=1))
    made = access.create_key(admin, CreateKey(workspace=demo, name="k"))
    access.revoke_key(admin, OneKey(workspace=demo, key=made.key.id))
    with pytest.raises(Unauthenticated, match="revoked"):
        access.authenticate_key(made.text)
    with pytest.raises(Conflict):
        access.revoke_key(admin, OneKey(workspace=demo, key=made.key.id))
    clock.forward(86401)
    with pytest.raises(Unauthenticated, match="expired"):
        access.authenticate_key(short.text)


def test_a_rotated_key_lives_on_for_its_grace(access: Access, admin: Principal, demo: str, clock: Any) -> None:
    old = access.create_key(admin, CreateKey(workspace=demo, name="k", scopes=["lake.read"]))
    new = access.rotate_key(admin, RotateKey(workspace=demo, key=old.key.id, grace_s=60))
    assert new.key.scopes == ["lake.read"]
    assert access.authenticate_key(old.text) == access.authenticate_key(new.text)
    assert len(access.gateway_keys()) == 2
    clock.forward(61)
    access._ground.memory.forget()
    with pytest.raises(Unauthenticated):
        access.authenticate_key(old.text)
    assert [key.id for key in access.gateway_keys()] == [new.key.id]


def test_own_keys_are_listed_and_all_of_them_for_administrators(
    access: Access, admin: Principal, demo: str, person: Person
) -> None:
    eve, adam = person("eve", "viewer"), person("adam", "viewer")
    mine = access.create_key(eve, CreateKey(workspace=demo, name="k")).key
    access.create_key(adam, CreateKey(workspace=demo, name="k"))
    assert [key.id for key in access.list_keys(eve, ListKeys(workspace=demo)).items] == [mine.id]
    assert len(access.list_keys(admin, ListKeys(workspace=demo)).items) == 2
    with pytest.raises(NotFound):
        access.revoke_key(adam, OneKey(workspace=demo, key=mine.id))
    access.revoke_key(admin, OneKey(workspace=demo, key=mine.id))


def test_the_use_of_a_key_is_noted_about_once_a_minute(access: Access, admin: Principal, demo: str, clock: Any) -> None:
    text = access.create_key(admin, CreateKey(workspace=demo, name="k")).text
    access.authenticate_key(text)
    first = access.list_keys(admin, ListKeys(workspace=demo)).items[0].last_used_at
    assert first == clock.now()
    clock.forward(30)
    access._ground.memory.forget()
    access.authenticate_key(text)
    assert access.list_keys(admin, ListKeys(workspace=demo)).items[0].last_used_at == first


def test_a_service_account_has_roles_and_keys_of_its_own(access: Access, admin: Principal, demo: str) -> None:
    robot = access.create_service(admin, CreateService(workspace=demo, name="Nightly robot", role="editor"))
    made = access.create_key(admin, CreateKey(workspace=demo, name="k", service=robot.slug))
    who = access.authenticate_key(made.text)
    assert (who.kind, who.id, who.allows("lake.edit", demo)) == ("service", robot.id, True)
    assert access.principal(robot.id) == who
    access.disable_service(admin, OneService(workspace=demo, service=robot.slug))
    with pytest.raises(Unauthenticated):
        access.authenticate_key(made.text)
    with pytest.raises(Unauthenticated):
        access.principal(robot.id)
    access.enable_service(admin, OneService(workspace=demo, service=robot.slug))
    assert access.authenticate_key(made.text).name == "nightly-robot"
    access.remove_service(admin, OneService(workspace=demo, service=robot.slug))
    with pytest.raises(Unauthenticated):
        access.authenticate_key(made.text)
    assert access.list_services(admin, ListServices(workspace=demo)).items == []


def test_only_who_manages_access_makes_service_accounts_and_their_keys(
    access: Access, admin: Principal, demo: str, person: Person
) -> None:
    eve = person("eve", "editor")
    access.create_service(admin, CreateService(workspace=demo, name="robot"))
    with pytest.raises(Forbidden):
        access.create_service(eve, CreateService(workspace=demo, name="mine"))
    with pytest.raises(Forbidden):
        access.create_key(eve, CreateKey(workspace=demo, name="k", service="robot"))


def test_a_revocation_in_another_process_is_seen_within_the_cache_time(
    database: Database, admin: Principal, demo: str, access: Access, tmp_path: Path
) -> None:
    quick = AccessSettings(password_memory_kib=1024, password_rounds=1, password_lanes=1, cache_s=0.0)
    other = Access(database, KeyFileSecrets(tmp_path / "keys" / "secrets.json"), tmp_path / "keys", quick)
    made = access.create_key(admin, CreateKey(workspace=demo, name="k"))
    assert other.authenticate_key(made.text).name == "root"
    access.revoke_key(admin, OneKey(workspace=demo, key=made.key.id))
    with pytest.raises(Unauthenticated):
        access.authenticate_key(made.text)
    with pytest.raises(Unauthenticated):
        other.authenticate_key(made.text)


def test_the_gateway_learns_who_may_call_what(access: Access, admin: Principal, demo: str, person: Person) -> None:
    people = {
        "analyst": person("analyst", "analyst"),
        "viewer": person("viewer", "viewer"),
        "limited": person("limited", "viewer"),
    }
    access.create_role(admin, CreateRole(workspace=demo, name="Caller", permissions=["serving.use"]))
    access.give_role(admin, GiveRole(workspace=demo, role="caller", user="limited", object="endpoint:churn"))
    people["limited"] = access.authenticate(_session(access, "limited"))
    made = {name: access.create_key(who, CreateKey(workspace=demo, name=name)) for name, who in people.items()}
    known = {key.id: key for key in access.gateway_keys()}
    use = {name: known[new.key.id].use for name, new in made.items()}
    assert use == {"analyst": ["*"], "viewer": [], "limited": ["churn"]}
    assert known[made["viewer"].key.id].consumer == "viewer"


def test_the_gateway_sees_roles_that_come_by_a_group(
    access: Access, admin: Principal, demo: str, person: Person
) -> None:
    eve = person("eve", "viewer")
    key = access.create_key(admin, CreateKey(workspace=demo, name="k"))
    access.create_group(admin, CreateGroup(name="Callers"))
    access.add_to_group(admin, GroupMember(group="callers", user="eve"))
    access.give_role(admin, GiveRole(workspace=demo, role="analyst", group="callers"))
    eve = access.authenticate(_session(access, "eve"))
    mine = access.create_key(eve, CreateKey(workspace=demo, name="k"))
    known = {found.id: found for found in access.gateway_keys()}
    assert known[mine.key.id].use == ["*"]
    assert known[key.key.id].expires_at is None
    access.take_from_group(admin, GroupMember(group="callers", user="eve"))
    assert {f.id: f.use for f in access.gateway_keys()}[mine.key.id] == []


def test_keys_of_a_deleted_workspace_stop(access: Access, admin: Principal, demo: str) -> None:
    key = access.create_key(admin, CreateKey(workspace=demo, name="k")).text
    access.delete_workspace(admin, OneWorkspace(workspace=demo))
    with pytest.raises(Unauthenticated):
        access.authenticate_key(key)
    assert access.gateway_keys() == []


def _session(access: Access, name: str) -> str:
    from aimass.access import SignIn
    from aimass.kernel.principal import ANONYMOUS

    return access.sign_in(ANONYMOUS, SignIn(name=name, password="four small brown bears")).token
