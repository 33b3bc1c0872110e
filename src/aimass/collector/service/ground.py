"""What the parts of the service share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aimass.cluster import Jobs
from aimass.collector.domain import Collection, Source
from aimass.collector.service.inboxes import Inboxes
from aimass.collector.store import need_collection, need_source
from aimass.infra.blobs import Blobs
from aimass.infra.compute import WarmChild
from aimass.infra.database import Change, Database
from aimass.infra.secrets import Secrets
from aimass.lake import Lake


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What the room stands on."""

    database: Database
    blobs: Blobs
    jobs: Jobs
    lake: Lake
    warm: WarmChild
    secrets: Secrets
    inboxes: Inboxes
    address: str


class Part:
    """One part of the service."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._database = ground.database

    def _source(self, workspace: str, slug: str) -> Source:
        with self._database.read() as conn:
            return need_source(conn, workspace, slug)

    def _now_ms(self) -> int:
        return int(self._database.clock.now().timestamp() * 1000)

    def _collection(self, workspace: str, id_: str) -> Collection:
        with self._database.read() as conn:
            return need_collection(conn, workspace, id_)


def tell(change: Change, event: str, subject: str, facts: dict[str, Any]) -> None:
    """Write event and audit entry of a change."""
    change.event(event, subject=subject, data=facts)
    change.audit(event, object_=subject, detail=facts)


def known_fields(kind: type, values: dict[str, Any]) -> dict[str, Any]:
    """Keep of the values those that a dataclass has."""
    return {name: values[name] for name in kind.__dataclass_fields__ if name in values}
