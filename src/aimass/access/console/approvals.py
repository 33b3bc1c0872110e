"""Approvals: what waits for a decision, and the decision."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Form, Response

from aimass.access.domain.approvals import Approval, ApprovalState, Decide, ListApprovals, OneApproval
from aimass.access.service.access import Access
from aimass.web import PageVisit, Visit, page_router

router = page_router()
PATH = "/{workspace}/approvals"


@router.get(PATH)
def approvals(visit: Visit, state: ApprovalState | Literal["all"] = "pending", cursor: str | None = None) -> Response:
    """List the approvals.

    The question: what waits for a decision here, and which of it can I decide?
    """
    wish = ListApprovals(workspace=visit.workspace, state=None if state == "all" else state, cursor=cursor)
    page = visit.get(Access).list_approvals(visit.who, wish)
    found = [(approval, obstacle(visit, approval)) for approval in page.items]
    parts = {"approvals": "access/_approvals.html"}
    return visit.render("access/approvals.html", parts=parts, found=found, next=page.next, state=state)


@router.get(f"{PATH}/{{approval}}")
def approval(visit: Visit, approval: str) -> Response:
    """Show one approval.

    The question: what exactly is asked, by whom and on what evidence, and may I decide it?
    """
    found = visit.get(Access).get_approval(visit.who, OneApproval(workspace=visit.workspace, approval=approval))
    facts = [(key, value) for key, value in found.data.items() if _is_plain(value)]
    more = [(key, columns_of(value), value) for key, value in found.data.items() if not _is_plain(value)]
    parts, why_not = {"approval": "access/_approval.html"}, obstacle(visit, found)
    known = visit.document(found.subject)
    return visit.render(
        "access/approval.html",
        parts=parts,
        found=found,
        facts=facts,
        more=more,
        obstacle=why_not,
        page=known.href if known else "",
    )


@router.post(f"{PATH}/{{approval}}/decision")
def decide(
    visit: Visit,
    approval: str,
    decision: Annotated[Literal["approve", "reject"], Form()],
    comment: Annotated[str, Form()] = "",
) -> Response:
    """Approve or reject."""
    wish = Decide(workspace=visit.workspace, approval=approval, decision=decision, comment=comment)
    visit.get(Access).decide(visit.who, wish)
    return visit.done(visit.say("Approved") if decision == "approve" else visit.say("Rejected"))


@router.post(f"{PATH}/{{approval}}/withdrawal")
def withdraw(visit: Visit, approval: str) -> Response:
    """Take the question back."""
    visit.get(Access).withdraw_approval(visit.who, OneApproval(workspace=visit.workspace, approval=approval))
    return visit.done(visit.say("The question was taken back"))


def obstacle(visit: PageVisit, found: Approval) -> str:
    """Return why the visitor cannot decide; an empty text when he can."""
    if found.author == visit.who.id:
        return visit.say("You asked, so another person decides.")
    if not visit.who.allows(found.permission, found.workspace, found.subject):
        return visit.say("This needs %(permission)s; an administrator can give it.", permission=found.permission)
    return ""


def columns_of(value: Any) -> list[str]:
    """Return the columns of a list of records, so that it can be shown as a table; none for anything else.

    Examples
    --------
    >>> columns_of([{"name": "parity", "passed": True}]), columns_of({"a": 1})
    (['name', 'passed'], [])
    """
    records = value if isinstance(value, list) and value else []
    flat = all(isinstance(one, dict) and all(map(_is_plain, one.values())) for one in records)
    return list(dict.fromkeys(key for one in records for key in one)) if flat else []


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, (str, int, float, bool))
