from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from aimass.access import Access, GiveRole, SignIn
from aimass.access.domain.members import CreateRole, ListMembers, TakeRole
from aimass.access.domain.people import (
    ChangePassword,
    ChangeUser,
    ForgotPassword,
    InviteUser,
    ListInvitations,
    ListUsers,
    OneUser,
    UseLink,
    WithdrawInvitation,
)
from aimass.access.errors import LastAdministrator, LinkSpent, MoreThanYouHave, WrongCredentials
from aimass.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Stale, Unauthenticated
from aimass.kernel.principal import ANONYMOUS, Principal

Person = Callable[..., Principal]
PASSWORD = "four small brown bears"


def test_the_first_administrator_is_made_once(access: Access) -> None:
    password = access.bootstrap_admin("root")
    assert password
    assert access.bootstrap_admin("other") is None
    root = access.authenticate(access.sign_in(ANONYMOUS, SignIn(name="ROOT", password=password)).token)
    assert root.allows("lake.manage", "anything")
    assert root.allows("models.approve", "anything")


def test_an_invitation_lets_in_once_and_sets_the_password(access: Access, admin: Principal, demo: str) -> None:
    link = access.invite_user(admin, InviteUser(name="爱丽丝 😀", workspace=demo, role="viewer"))
    with pytest.raises(WrongCredentials):
        access.sign_in(ANONYMOUS, SignIn(name="爱丽丝 😀", password=PASSWORD))
    user = access.accept_invitation(ANONYMOUS, UseLink(token=link.token, password=PASSWORD))
    assert (user.state, user.name) == ("active", "爱丽丝 😀")
    with pytest.raises(LinkSpent):
        access.accept_invitation(ANONYMOUS, UseLink(token=link.token, password="another good password"))
    alice = access.authenticate(access.sign_in(ANONYMOUS, SignIn(name="爱丽丝 😀", password=PASSWORD)).token)
    assert alice.allows("lake.read", demo)
    assert not alice.allows("lake.edit", demo)


def test_an_invitation_expires(access: Access, admin: Principal, clock: Any) -> None:
    link = access.invite_user(admin, InviteUser(name="eve"))
    assert [i.name for i in access.list_invitations(admin, ListInvitations())] == ["eve"]
    clock.forward(8 * 86400)
    with pytest.raises(LinkSpent):
        access.accept_invitation(ANONYMOUS, UseLink(token=link.token, password=PASSWORD))
    assert access.list_invitations(admin, ListInvitations()) == []


def test_a_withdrawn_invitation_leaves_nothing(access: Access, admin: Principal, demo: str) -> None:
    link = access.invite_user(admin, InviteUser(name="eve", workspace=demo, role="viewer"))
    access.withdraw_invitation(admin, WithdrawInvitation(invitation=link.id))
    with pytest.raises(LinkSpent):
        access.accept_invitation(ANONYMOUS, UseLink(token=link.token, password=PASSWORD))
    assert access.invite_user(admin, InviteUser(name="eve")).name == "eve"


def test_a_workspace_administrator_invites_into_his_workspace_only(access: Access, person: Person, demo: str) -> None:
    boss = person("boss", "admin")
    assert access.invite_user(boss, InviteUser(name="new", workspace=demo, role="editor")).name == "new"
    with pytest.raises(Forbidden):
        access.invite_user(boss, InviteUser(name="other"))
    with pytest.raises(NotFound):
        access.invite_user(boss, InviteUser(name="other", workspace="elsewhere", role="viewer"))


def test_nobody_gives_a_role_with_more_than_he_has(access: Access, admin: Principal, demo: str, person: Person) -> None:
    access.create_role(admin, CreateRole(workspace=demo, name="Doorman", permissions=["access.manage"]))
    doorman = person("doorman", "doorman")
    with pytest.raises(MoreThanYouHave):
        access.give_role(doorman, GiveRole(workspace=demo, role="admin", user="doorman"))
    with pytest.raises(MoreThanYouHave):
        access.create_role(doorman, CreateRole(workspace=demo, name="X", permissions=["lake.read"]))


def test_two_people_cannot_have_one_name(access: Access, admin: Principal) -> None:
    access.invite_user(admin, InviteUser(name="Eve"))
    with pytest.raises(Conflict, match="Eve"):
        access.invite_user(admin, InviteUser(name="eve"))


@pytest.mark.parametrize(
    "password", ["short", "password123", "aaaaaaaaaaaaaaa", "my name is eve ok", "x" * 300, "1234567890"]
)
def test_a_weak_password_is_refused_without_showing_it(access: Access, admin: Principal, password: str) -> None:
    link = access.invite_user(admin, InviteUser(name="eve"))
    with pytest.raises(Invalid) as caught:
        access.accept_invitation(ANONYMOUS, UseLink(token=link.token, password=password))
    assert password not in str(caught.value.problem())
    assert access.accept_invitation(ANONYMOUS, UseLink(token=link.token, password=PASSWORD)).state == "active"


def test_a_new_password_ends_every_other_session(access: Access, person: Person) -> None:
    eve = person("eve")
    mine, other = (access.sign_in(ANONYMOUS, SignIn(name="eve", password=PASSWORD)) for _ in range(2))
    new = "nine large white geese"
    access.change_password(eve, ChangePassword(password=PASSWORD, new_password=new, keep=mine.session))
    assert access.authenticate(mine.token).name == "eve"
    with pytest.raises(Unauthenticated):
        access.authenticate(other.token)
    with pytest.raises(WrongCredentials):
        access.sign_in(ANONYMOUS, SignIn(name="eve", password=PASSWORD))
    assert access.sign_in(ANONYMOUS, SignIn(name="eve", password=new)).name == "eve"


def test_a_lost_password_is_set_anew_by_a_link_of_an_administrator(
    access: Access, admin: Principal, person: Person
) -> None:
    eve = person("eve")
    access.forgot_password(ANONYMOUS, ForgotPassword(name="eve"))
    access.forgot_password(ANONYMOUS, ForgotPassword(name="nobody"))
    assert [w.kind for w in access.waiting_people(admin)] == ["forgotten"]
    link = access.create_reset_link(admin, OneUser(user="eve"))
    access.reset_password(ANONYMOUS, UseLink(token=link.token, password="nine large white geese"))
    assert access.waiting_people(admin) == []
    assert access.list_sessions(eve) == []
    with pytest.raises(LinkSpent):
        access.reset_password(ANONYMOUS, UseLink(token=link.token, password=PASSWORD))


def test_a_reset_link_opens_no_invitation(access: Access, admin: Principal, person: Person) -> None:
    person("eve")
    link = access.create_reset_link(admin, OneUser(user="eve"))
    with pytest.raises(LinkSpent):
        access.accept_invitation(ANONYMOUS, UseLink(token=link.token, password=PASSWORD))


def test_a_disabled_person_is_out_and_cannot_come_back_by_an_old_link(
    access: Access, admin: Principal, person: Person
) -> None:
    person("eve")
    token = access.sign_in(ANONYMOUS, SignIn(name="eve", password=PASSWORD)).token
    link = access.create_reset_link(admin, OneUser(user="eve"))
    assert access.disable_user(admin, OneUser(user="eve")).state == "disabled"
    with pytest.raises(Unauthenticated):
        access.authenticate(token)
    with pytest.raises(WrongCredentials):
        access.sign_in(ANONYMOUS, SignIn(name="eve", password=PASSWORD))
    with pytest.raises(LinkSpent):
        access.reset_password(ANONYMOUS, UseLink(token=link.token, password=PASSWORD))
    access.enable_user(admin, OneUser(user="eve"))
    assert access.sign_in(ANONYMOUS, SignIn(name="eve", password=PASSWORD)).name == "eve"


def test_the_last_administrator_stays(access: Access, admin: Principal, person: Person) -> None:
    for way in (access.disable_user, access.erase_user):
        with pytest.raises(LastAdministrator):
            way(admin, OneUser(user="root"))
    grant = access.list_members(admin, ListMembers(workspace="*")).items[0].grant
    with pytest.raises(LastAdministrator):
        access.take_role(admin, TakeRole(workspace="*", grant=grant))
    person("second")
    access.give_role(admin, GiveRole(workspace="*", role="admin", user="second"))
    assert access.disable_user(admin, OneUser(user="root")).state == "disabled"


def test_an_erased_person_leaves_an_id_alone(access: Access, admin: Principal, person: Person) -> None:
    eve = person("eve", "editor")
    access.change_user(admin, ChangeUser(user="eve", email="eve@example.org"))
    access.erase_user(admin, OneUser(user="eve"))
    left = access.get_user(admin, OneUser(user=eve.id))
    assert (left.email, left.state) == (None, "disabled")
    assert "eve" not in left.name
    with pytest.raises(NotFound):
        access.get_user(admin, OneUser(user="eve"))


def test_a_change_of_a_person_who_changed_meanwhile_is_stale(access: Access, admin: Principal, person: Person) -> None:
    person("eve")
    first = access.change_user(admin, ChangeUser(user="eve", name="Eva", expected_version=2))
    assert (first.name, first.version) == ("Eva", 3)
    with pytest.raises(Stale):
        access.change_user(admin, ChangeUser(user="eva", name="Evi", expected_version=2))
    with pytest.raises(Invalid):
        access.change_user(admin, ChangeUser(user="eva", email="no address"))


def test_people_are_listed_by_pages(access: Access, admin: Principal, person: Person) -> None:
    for name in ("eve", "adam", "Bob"):
        person(name)
    first = access.list_users(admin, ListUsers(limit=2))
    second = access.list_users(admin, ListUsers(limit=2, cursor=first.next))
    assert [u.name for u in first.items + second.items] == ["adam", "Bob", "eve", "root"]
    assert second.next is None
    assert [u.name for u in access.list_users(admin, ListUsers(find="B")).items] == ["Bob"]


def test_the_platform_is_for_its_administrators(access: Access, person: Person) -> None:
    boss = person("boss", "admin")
    with pytest.raises(Unauthenticated):
        access.list_users(ANONYMOUS, ListUsers())
    with pytest.raises(Forbidden, match="the platform"):
        access.list_users(boss, ListUsers())


def test_who_manages_access_is_told_of_people_who_need_help(
    access: Access, admin: Principal, person: Person, clock: Any
) -> None:
    def kinds() -> list[tuple[str, str]]:
        return [(one.kind, one.name) for one in access.waiting_people(admin)]

    person("eve")
    access.invite_user(admin, InviteUser(name="mara"))
    assert kinds() == []  # there is time to come
    clock.forward(6 * 86400)
    assert kinds() == [("invitation", "mara")]
    clock.forward(2 * 86400)
    assert kinds() == [("uninvited", "mara")]
    for name in ("EVE", "nobody"):
        for _ in range(5):
            with pytest.raises(WrongCredentials):
                access.sign_in(ANONYMOUS, SignIn(name=name, password="wrong"))
    assert kinds() == [("uninvited", "mara"), ("locked", "eve")]
    clock.forward(60)
    access.sign_in(ANONYMOUS, SignIn(name="eve", password=PASSWORD))
    assert kinds() == [("uninvited", "mara")]
