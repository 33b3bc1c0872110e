"""What the platform calls: the sealer's loop, tidying, what waits for a person, erasing."""

from __future__ import annotations

from typing import Any

from aimass.access.service.access import Access, Waiting
from aimass.infra.notify import Notify
from aimass.kernel.erasing import Erased, Person
from aimass.kernel.findings import Finding, finding_of
from aimass.kernel.keeping import Going
from aimass.kernel.principal import ANYWHERE, Principal
from aimass.kernel.registry import Registry


def seal(registry: Registry) -> None:
    """Seal the audit log."""
    registry.get(Access).seal_audit()


def letters(registry: Registry) -> None:
    """Deliver mail and webhooks that are due."""
    registry.get(Notify).deliver_due()


def tidy(registry: Registry) -> None:
    """Forget sessions, links and counters that mean nothing any more; renew the key that signs tokens."""
    registry.get(Access).renew_token_key()
    registry.get(Access).tidy()


def attention(registry: Registry, who: Principal, workspace: str = ANYWHERE) -> list[dict[str, Any]]:
    """Return what waits for this principal: decisions; lost passwords, ending invitations and locked accounts."""
    access = registry.get(Access)
    found = [
        {
            "kind": "approval",
            "title": approval.reason,
            "subject": approval.subject,
            "workspace": approval.workspace,
            "since": approval.created_at,
            "path": f"/{approval.workspace}/approvals/{approval.id}",
        }
        for approval in access.pending_for(who)
        if workspace in (ANYWHERE, approval.workspace)
    ]
    people = access.waiting_people(who) if who.allows("access.manage", ANYWHERE) else []
    return [*found, *(_person(one) for one in people)]


def _person(one: Waiting) -> dict[str, Any]:
    titles = {
        "forgotten": f"{one.name} lost the password",
        "invitation": f"the invitation of {one.name} ends soon",
        "uninvited": f"the invitation of {one.name} has expired",
        "locked": f"{one.name} was locked out after wrong passwords",
    }
    path = f"/settings/users/{one.user}"
    subject = {"kind": one.kind, "title": titles[one.kind], "subject": f"user:{one.user}"}
    return {**subject, "workspace": one.workspace, "since": one.since, "path": path}


def doctor(registry: Registry) -> list[Finding]:
    """Look whether the audit log is whole."""
    report = registry.get(Access).inspect_audit()
    broken = [] if report.ok else [f"row {report.broken_row}: {report.reason}"]
    hint = "keep the files as they are, and compare with a backup"
    return [finding_of("audit log", f"{report.rows} entries verified", broken, hint)]


def erase(registry: Registry, person: Person) -> list[Erased]:
    """Erase a person, and what waits to be sent to him."""
    told = Erased(what="letters and calls", count=registry.get(Notify).forget(person))
    return [*registry.get(Access).erase_person(person), told]


def going(registry: Registry) -> list[Going]:
    """Return the deleted workspaces, and when their data goes."""
    return registry.get(Access).leaving()


def collect(registry: Registry) -> list[Going]:
    """Remove the data of workspaces that were deleted long ago."""
    return registry.get(Access).purge_workspaces()


def closed_workspaces(registry: Registry) -> frozenset[str]:
    """Return the workspaces that were deleted, for the rooms above: nothing of them serves, runs or fires.

    None where a part of the platform is built without this room.
    """
    return registry.get(Access).closed() if registry.has(Access) else frozenset()
