"""Approvals: a durable wait for a person, which any room may ask for."""

from __future__ import annotations

from typing import Any

from aimass.access.domain.approvals import Approval, Decide, ListApprovals, OneApproval, RequestApproval
from aimass.access.domain.roles import check_permission
from aimass.access.errors import OwnApproval
from aimass.access.service.ground import Part, need_workspace
from aimass.access.store import queries, rows
from aimass.access.store.tables import approvals, services
from aimass.infra.database import Change
from aimass.kernel.errors import Conflict, Invalid, NotFound
from aimass.kernel.ids import new_id
from aimass.kernel.pages import Page, decode_cursor, page_of
from aimass.kernel.principal import ANYWHERE, Principal
from aimass.kernel.usecase import use_case


class Approvals(Part):
    """Ask, list, decide."""

    @use_case("POST /workspaces/{workspace}/approvals", permission="access.use", status=201)
    def request_approval(self, who: Principal, command: RequestApproval) -> Approval:
        """Ask for a decision; ``access.approval.decided`` tells when it came."""
        if command.permission.startswith("*"):
            raise Invalid("a decision needs one permission", field="permission", value=command.permission)
        check_permission(command.permission)
        id_ = new_id()
        with self._change(who, command.workspace) as change:
            need_workspace(change.conn, command.workspace)
            asked = {"workspace": command.workspace, "ask_key": command.key or id_}
            before = rows.find(change.conn, approvals, **asked)
            if before is not None:
                return _approval(before)
            facts = {"subject": command.subject, "reason": command.reason, "permission": command.permission}
            author = {"author": who.id, "author_name": who.name, "created_at": change.now}
            more = {"data": command.data, "state": "pending", "comment": ""}
            rows.add(change.conn, approvals, id=id_, **asked, **facts, **author, **more)
            detail = {"approval": id_, "permission": command.permission}
            change.audit("access.approval.request", object_=command.subject, detail=detail)
            change.event("access.approval.requested", subject=command.subject, data=detail)
            return _find(change.conn, command.workspace, id_)

    @use_case("GET /workspaces/{workspace}/approvals", permission="access.read", cli="approvals list")
    def list_approvals(self, who: Principal, command: ListApprovals) -> Page[Approval]:
        """List approvals of a workspace, the newest first."""
        del who
        before = decode_cursor(command.cursor) if command.cursor else None
        with self._database.read() as conn:
            found = queries.approval_page(conn, command.workspace, command.state, before, command.limit + 1)
        page = page_of(found, command.limit, lambda row: row.id)
        return Page(items=[_approval(row) for row in page.items], next=page.next)

    @use_case("GET /workspaces/{workspace}/approvals/{approval}", permission="access.read", cli="approvals show")
    def get_approval(self, who: Principal, command: OneApproval) -> Approval:
        """Show one approval."""
        del who
        with self._database.read() as conn:
            return _find(conn, command.workspace, command.approval)

    @use_case(
        "POST /workspaces/{workspace}/approvals/{approval}/decision", permission="access.read", cli="approvals decide"
    )
    def decide(self, who: Principal, command: Decide) -> Approval:
        """Approve or reject; wants the permission that the approval names, and never its author."""
        with self._change(who, command.workspace) as change:
            found = _find(change.conn, command.workspace, command.approval)
            who.need(found.permission, command.workspace, found.subject)
            _need_other(change, found)
            state = "approved" if command.decision == "approve" else "rejected"
            return _close(change, found, state, command.comment)

    @use_case("POST /workspaces/{workspace}/approvals/{approval}/withdrawal", permission="access.read")
    def withdraw_approval(self, who: Principal, command: OneApproval) -> Approval:
        """Take a question back: its author, or who manages access."""
        with self._change(who, command.workspace) as change:
            found = _find(change.conn, command.workspace, command.approval)
            if found.author != who.id:
                who.need("access.manage", command.workspace)
            return _close(change, found, "withdrawn", "")

    def pending_for(self, who: Principal) -> list[Approval]:
        """Return what this principal could decide now, in all workspaces."""
        with self._database.read() as conn:
            everything = None if who.knows(ANYWHERE) else {grant.workspace for grant in who.grants}
            live = {row.slug for row in queries.workspace_page(conn, everything, "", 10_000)}
            found = [_approval(row) for row in rows.every(conn, approvals, state="pending") if row.workspace in live]
        return [a for a in found if a.author != who.id and who.allows(a.permission, a.workspace, a.subject)]


def _close(change: Change, found: Approval, state: str, comment: str) -> Approval:
    values = {"state": state, "decided_by": change.who.id, "decided_at": change.now, "comment": comment}
    if not rows.change(change.conn, approvals, {"id": found.id, "state": "pending"}, **values):
        raise Conflict(f"this was {found.state} already", field="approval", value=found.id)
    detail = {"approval": found.id, "decision": state, "author": found.author}
    change.audit("access.approval.decide", object_=found.subject, detail=detail)
    change.event("access.approval.decided", subject=found.subject, data=detail)
    return _find(change.conn, found.workspace, found.id)


def _need_other(change: Change, found: Approval) -> None:
    """Refuse the author, and a service account that the author made."""
    who = change.who
    service = rows.find(change.conn, services, id=who.id) if who.kind == "service" else None
    if found.author in (who.id, service.created_by if service else who.id):
        raise OwnApproval(
            f"{who.name!r} asked for this decision, so another person has to make it",
            value=found.id,
            hint=f"somebody else with {found.permission!r} can decide",
        )


def _find(conn: Any, workspace: str, id_: str) -> Approval:
    row = rows.find(conn, approvals, id=id_, workspace=workspace)
    if row is None:
        raise NotFound(f"there is no approval {id_!r}", field="approval", value=id_)
    return _approval(row)


def _approval(row: Any) -> Approval:
    return Approval(
        id=row.id,
        workspace=row.workspace,
        subject=row.subject,
        reason=row.reason,
        permission=row.permission,
        state=row.state,
        author=row.author,
        author_name=row.author_name,
        created_at=row.created_at,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        comment=row.comment,
        data=row.data,
    )
