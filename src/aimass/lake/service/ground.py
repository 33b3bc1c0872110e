"""What the parts of the service share."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row

from aimass.access import Access
from aimass.cluster import Job, Jobs, SubmitJob
from aimass.infra.compute import Stop, WarmChild
from aimass.infra.database import Change, Database
from aimass.infra.secrets import Secrets
from aimass.kernel.clock import instant
from aimass.kernel.counters import Counters
from aimass.kernel.errors import Conflict, Invalid, NotFound, Stale
from aimass.kernel.principal import Principal
from aimass.lake.domain import DatasetVersion
from aimass.lake.running import Running, Together
from aimass.lake.settings import LakeSettings
from aimass.lake.store import dataset_row, version_at, version_by_tag, version_of, version_row
from aimass.lake.view_store import maker_of

_CHILDREN = "aimass.lake.children."
LONG_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What the room stands on."""

    database: Database
    jobs: Jobs
    warm: WarmChild
    access: Access
    secrets: Secrets
    folder: Path
    address: str
    settings: LakeSettings
    counters: Counters
    running: Running
    profiling: Together = field(default_factory=Together)


class Part:
    """One part of the service."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._database = ground.database

    def table_path(self, workspace: str, dataset: str) -> Path:
        """Return the folder of a dataset's Delta table."""
        return self._ground.folder / workspace / dataset

    def quarantine_path(self, workspace: str, dataset: str) -> Path:
        """Return the folder of the Delta table with the rows that a dataset did not take."""
        return self._ground.folder / workspace / "_quarantine" / dataset

    def _call(
        self, function: str, args: dict[str, Any], timeout_s: float = 60.0, stop: Stop | None = None
    ) -> dict[str, Any]:
        """Call a function of ``children/`` in the warm data child."""
        return self._ground.warm.call(_CHILDREN + function, args, timeout_s=timeout_s, stop=stop)

    def _row(
        self, conn: Connection, workspace: str, dataset: str, number: int | None, at: str | None = None
    ) -> tuple[Row[Any], DatasetVersion]:
        """Return a dataset with one of its versions: by number, by tag or moment, else the newest."""
        row = dataset_row(conn, workspace, dataset)
        if at is not None:
            if number is not None:
                raise Invalid("a version is named by its number or by a moment, not both", field="at", value=at)
            return row, version_of(_version_at(conn, row, at))
        if number is None and row.latest is None:
            raise Conflict(
                f"dataset {dataset!r} has no version yet", field="dataset", value=dataset, hint="collect some data"
            )
        found = version_of(version_row(conn, row.id, number or row.latest))
        return row, found

    def _named(
        self, conn: Connection, workspace: str, dataset: str, number: int | str | None
    ) -> tuple[Row[Any], DatasetVersion]:
        """Return a dataset with one of its versions; a text is a tag or a moment."""
        if isinstance(number, str):
            return self._row(conn, workspace, dataset, None, number)
        return self._row(conn, workspace, dataset, number)

    def _at(self, version: DatasetVersion) -> dict[str, Any]:
        if version.collected_at is not None:
            raise Conflict(
                f"version {version.number} of {version.dataset!r} was removed by retention", value=version.number
            )
        return {"path": str(self.table_path(version.workspace, version.dataset)), "version": version.delta_version}

    def describing(self, workspace: str, dataset: str, *, by: str | None = None) -> dict[str, Any]:
        """Return what a job needs to describe the next version: rules, classification, keys and the time; no profile.

        Raises
        ------
        Conflict
            A view makes the dataset, and it is not the one that is named by ``by``.
        """
        with self._database.read() as conn:
            row = dataset_row(conn, workspace, dataset)
            maker = maker_of(conn, row.id)
        if maker not in (None, by):
            raise Conflict(
                f"dataset {dataset!r} is made by view {maker!r}: what is written to it is lost with the next refresh",
                field="dataset",
                value=dataset,
                hint="write to another dataset, change what the view asks, or delete the view",
            )
        given: dict[str, Any] = {"keys": row.keys, "now": instant(self._database.clock.now()), "profile": False}
        if row.rules is not None:
            given["rules"] = row.rules
        if row.is_classified:
            given["classification"] = row.classification
        return given


def _version_at(conn: Connection, row: Row[Any], at: str) -> Row[Any]:
    """Return the version with a tag, or the one that was the newest at a moment; a moment without a zone is in UTC."""
    tagged = version_by_tag(conn, row.id, at)
    if tagged is not None:
        return tagged
    try:
        moment = datetime.fromisoformat(at)
    except ValueError as reason:
        allowed = "a tag, or a moment such as 2026-05-01T12:00:00Z"
        raise NotFound(
            f"no version of {row.slug!r} has the tag {at!r}", field="at", value=at, allowed=allowed
        ) from reason
    found = version_at(conn, row.id, moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    if found is None:
        raise NotFound(f"dataset {row.slug!r} had no version yet at {at}", field="at", value=at)
    return found


def submit_once(jobs: Jobs, who: Principal, wish: SubmitJob, *, beside: frozenset[str]) -> Job:
    """Submit a job, or return the one that was asked for before under the same key.

    ``beside`` names the parts of the payload that are facts of the moment and not wishes; they may differ.
    """
    known = jobs.submitted(wish.workspace, wish.key) if wish.key else None
    if known is not None:
        wishes = [
            {k: v for k, v in p.items() if k not in beside}
            for p in (known.payload, json.loads(json.dumps(wish.payload)))
        ]
        if wishes[0] == wishes[1]:
            return known
    return jobs.submit(who, wish)


def fresh(row: Row[Any], expected: int | None) -> None:
    """Refuse a change that was made on an older state."""
    if expected not in (None, row.version):
        raise Stale(f"{row.slug!r} has version {row.version}", field="expected_version", value=expected)


def tell(change: Change, event: str, dataset: str, facts: dict[str, Any]) -> None:
    """Write event and audit entry of a change to a dataset."""
    change.event(event, subject=f"dataset:{dataset}", data=facts)
    change.audit(event, object_=f"dataset:{dataset}", detail=facts)
