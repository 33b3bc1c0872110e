"""Approvals: a durable wait for a person."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal

from annotated_types import MaxLen, doc

from aimass.access.domain.members import Permission, WorkspaceSlug
from aimass.access.domain.people import Cursor, Limit

ApprovalState = Literal["pending", "approved", "rejected", "withdrawn"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """Something that waits for a decision, or was decided."""

    id: str
    workspace: str
    subject: str
    reason: str
    permission: str
    state: ApprovalState
    author: str
    author_name: str
    created_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    comment: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestApproval:
    """Ask for a decision; the same key asks the same question once."""

    workspace: WorkspaceSlug
    subject: Annotated[str, MaxLen(300), doc("the object, for example model_version:churn/3")]
    reason: Annotated[str, MaxLen(2000), doc("why it is asked")]
    permission: Annotated[Permission, doc("what the one who decides must hold on the object")]
    key: Annotated[str | None, MaxLen(120), doc("asks once, however often it is repeated")] = None
    data: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class ListApprovals:
    """List approvals, the newest first."""

    workspace: WorkspaceSlug
    state: ApprovalState | None = None
    limit: Limit = 50
    cursor: Cursor = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneApproval:
    """Name one approval."""

    workspace: WorkspaceSlug
    approval: Annotated[str, doc("id of the approval")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decide:
    """Approve or reject."""

    workspace: WorkspaceSlug
    approval: Annotated[str, doc("id of the approval")]
    decision: Annotated[Literal["approve", "reject"], doc("approve or reject")]
    comment: Annotated[str, MaxLen(2000), doc("a word for the author and the audit")] = ""
