"""Pages of the room access: getting in, the own account, people, workspaces, keys, approvals, the audit log."""

from __future__ import annotations

from aimass.access.console import (
    account,
    approvals,
    audit,
    devices,
    entry,
    keys,
    members,
    people,
    services,
    single_sign_on,
    token_keys,
    workspaces,
)
from aimass.web import page_router

router = page_router()
for _part in (
    entry,
    account,
    devices,
    people,
    workspaces,
    members,
    keys,
    services,
    single_sign_on,
    token_keys,
    approvals,
    audit,
):
    router.include_router(_part.router)
