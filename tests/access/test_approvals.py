from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select

from aimass.access import Access, CreateKey, CreateService, RequestApproval
from aimass.access.domain.approvals import Approval, Decide, ListApprovals, OneApproval
from aimass.access.errors import OwnApproval
from aimass.infra.database import Database, events_log
from aimass.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from aimass.kernel.principal import SYSTEM, Principal, policy

Person = Callable[..., Principal]


@pytest.fixture
def author(person: Person) -> Principal:
    return person("author", "admin")


@pytest.fixture
def asked(access: Access, author: Principal, demo: str) -> Approval:
    question = RequestApproval(
        workspace=demo,
        subject="model_version:churn/3",
        reason="churn 3 goes live",
        permission="models.approve",
        key="r1",
    )
    return access.request_approval(author, question)


def decide(access: Access, who: Principal, found: Approval, decision: str = "approve") -> Approval:
    return access.decide(who, Decide(workspace=found.workspace, approval=found.id, decision=decision, comment="ok"))


def test_a_reviewer_decides_and_an_event_tells(
    access: Access, asked: Approval, person: Person, database: Database
) -> None:
    reviewer = person("reviewer", "reviewer")
    assert [a.id for a in access.pending_for(reviewer)] == [asked.id]
    done = decide(access, reviewer, asked)
    assert (done.state, done.decided_by, done.comment) == ("approved", reviewer.id, "ok")
    assert access.pending_for(reviewer) == []
    with database.read() as conn:
        told = conn.execute(select(events_log).where(events_log.c.type == "access.approval.decided")).one()
    assert (told.subject, told.data["decision"], told.data["approval"]) == (asked.subject, "approved", asked.id)


def test_the_author_does_not_decide_nor_does_his_robot(
    access: Access, asked: Approval, author: Principal, demo: str
) -> None:
    with pytest.raises(OwnApproval):
        decide(access, author, asked)
    access.create_service(author, CreateService(workspace=demo, name="robot", role="admin"))
    robot = access.authenticate(access.create_key(author, CreateKey(workspace=demo, name="k", service="robot")).text)
    with pytest.raises(OwnApproval):
        decide(access, robot, asked)
    assert access.pending_for(author) == []


@pytest.mark.parametrize("role", ["viewer", "analyst", "editor", "operator"])
def test_who_lacks_the_permission_does_not_decide(access: Access, asked: Approval, person: Person, role: str) -> None:
    with pytest.raises(Forbidden):
        decide(access, person("other", role), asked)


def test_a_policy_decides_under_its_own_name(access: Access, asked: Approval) -> None:
    assert decide(access, policy("auto"), asked).decided_by == "policy:auto"


def test_a_question_is_decided_once(access: Access, asked: Approval, person: Person, author: Principal) -> None:
    reviewer = person("reviewer", "reviewer")
    assert decide(access, reviewer, asked, "reject").state == "rejected"
    with pytest.raises(Conflict):
        decide(access, reviewer, asked)
    with pytest.raises(Conflict):
        access.withdraw_approval(author, OneApproval(workspace=asked.workspace, approval=asked.id))


def test_the_same_key_asks_once(access: Access, asked: Approval, author: Principal, demo: str) -> None:
    again = RequestApproval(workspace=demo, subject="x:y", reason="again", permission="models.approve", key="r1")
    assert access.request_approval(author, again) == asked
    assert len(access.list_approvals(author, ListApprovals(workspace=demo, state="pending")).items) == 1


def test_an_author_takes_his_question_back(access: Access, asked: Approval, author: Principal, person: Person) -> None:
    one = OneApproval(workspace=asked.workspace, approval=asked.id)
    with pytest.raises(Forbidden):
        access.withdraw_approval(person("other", "reviewer"), one)
    assert access.withdraw_approval(author, one).state == "withdrawn"


def test_strangers_and_other_workspaces_see_nothing(access: Access, asked: Approval, person: Person) -> None:
    with pytest.raises(NotFound):
        access.get_approval(person("stranger"), OneApproval(workspace=asked.workspace, approval=asked.id))
    with pytest.raises(NotFound):
        access.get_approval(SYSTEM, OneApproval(workspace="other", approval=asked.id))


def test_a_question_names_one_permission(access: Access, author: Principal, demo: str) -> None:
    for permission in ("*.manage", "lake.fly"):
        with pytest.raises(Invalid):
            access.request_approval(
                author, RequestApproval(workspace=demo, subject="a:b", reason="r", permission=permission)
            )
