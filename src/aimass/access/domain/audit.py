"""The audit log as people read it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from annotated_types import MaxLen, doc

from aimass.access.domain.people import Cursor, Limit
from aimass.kernel.principal import ANYWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Who did what, when; ``hash`` is None until the sealer has bound the row."""

    seq: int
    id: str
    time: datetime
    actor_id: str
    actor: str
    actor_kind: str
    workspace: str
    action: str
    object: str
    detail: dict[str, Any]
    hash: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListAudit:
    """List the audit log, the newest entry first."""

    workspace: Annotated[str, MaxLen(63), doc("workspace, or * for the whole platform")] = ANYWHERE
    actor: Annotated[str | None, doc("name or id of who acted")] = None
    action: Annotated[str | None, doc("action, or its start with a * behind it")] = None
    object: Annotated[str | None, doc("object, for example dataset:telco-churn")] = None
    since: Annotated[datetime | None, doc("not before this moment")] = None
    until: Annotated[datetime | None, doc("before this moment")] = None
    limit: Limit = 50
    cursor: Cursor = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportAudit:
    """A stretch of the log with its hashes, oldest first."""

    after: Annotated[int, doc("sequence number behind which the stretch starts")] = 0
    limit: Limit = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditStretch:
    """Rows as they are hashed: ``hash = SHA-256(hash before it + row)``, first before: 64 zeros."""

    before: str
    rows: list[AuditLine]
    next: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLine:
    """One sealed row: its canonical text and its hash."""

    seq: int
    row: str
    hash: str
