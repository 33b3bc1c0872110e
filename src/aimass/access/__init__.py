"""People, service accounts, keys, roles, approvals, tokens, and the verification of the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimass.kernel.doors import door

if TYPE_CHECKING:
    from aimass.access.capability import CAPABILITY
    from aimass.access.domain.approvals import Approval, RequestApproval
    from aimass.access.domain.keys import CreateKey, CreateService, GatewayKey, NewKey, OneKey
    from aimass.access.domain.members import CreateWorkspace, GiveRole, ListWorkspaces, OneWorkspace, Workspace
    from aimass.access.domain.people import SignIn
    from aimass.access.domain.roles import Standing
    from aimass.access.domain.tokens import PublishedTokens
    from aimass.access.service.access import Access
    from aimass.access.service.hooks import closed_workspaces
    from aimass.access.settings import AccessSettings

__getattr__, __dir__ = door(
    __name__,
    {
        "Access": "aimass.access.service.access",
        "AccessSettings": "aimass.access.settings",
        "Approval": "aimass.access.domain.approvals",
        "CAPABILITY": "aimass.access.capability",
        "CreateKey": "aimass.access.domain.keys",
        "CreateService": "aimass.access.domain.keys",
        "CreateWorkspace": "aimass.access.domain.members",
        "GatewayKey": "aimass.access.domain.keys",
        "GiveRole": "aimass.access.domain.members",
        "ListWorkspaces": "aimass.access.domain.members",
        "NewKey": "aimass.access.domain.keys",
        "OneKey": "aimass.access.domain.keys",
        "OneWorkspace": "aimass.access.domain.members",
        "PublishedTokens": "aimass.access.domain.tokens",
        "RequestApproval": "aimass.access.domain.approvals",
        "SignIn": "aimass.access.domain.people",
        "Standing": "aimass.access.domain.roles",
        "Workspace": "aimass.access.domain.members",
        "closed_workspaces": "aimass.access.service.hooks",
    },
)
__all__ = [
    "CAPABILITY",
    "Access",
    "AccessSettings",
    "Approval",
    "CreateKey",
    "CreateService",
    "CreateWorkspace",
    "GatewayKey",
    "GiveRole",
    "ListWorkspaces",
    "NewKey",
    "OneKey",
    "OneWorkspace",
    "PublishedTokens",
    "RequestApproval",
    "SignIn",
    "Standing",
    "Workspace",
    "closed_workspaces",
]
