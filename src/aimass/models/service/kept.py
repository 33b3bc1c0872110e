"""What is kept of models: packages that are needed, deleted things that wait for their end, unpacked packages."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, delete, select

from aimass.infra.database import Change
from aimass.kernel.keeping import KEEP_DELETED_DAYS, Going
from aimass.kernel.principal import ANYWHERE, SYSTEM
from aimass.models.events import PURGED, VERSION_PURGED
from aimass.models.service.ground import Part
from aimass.models.storage import Layout
from aimass.models.store import aliases, cards, digests, models, reviews, versions

_RULE = f"deleted models and versions are kept for {KEEP_DELETED_DAYS} days"
_LAID_OUT = "an unpacked package goes a day after it was used last"
_LAYOUT_DAYS = 1


class Kept(Part):
    """What goes for good, and what is still needed."""

    def digests(self) -> list[str]:
        """Return the digest of every package that a version needs, deleted ones included until they are collected."""
        with self._database.read() as conn:
            return digests(conn)

    def blobs_of(self, digest: str) -> frozenset[str]:
        """Return the blobs of a package."""
        return self._packages.blobs_of(digest)

    def going(self) -> list[Going]:
        """Return the deleted models and versions with the day on which they go for good."""
        return [_going(row, name) for row, name in self._deleted()]

    def purge(self) -> list[Going]:
        """Remove for good what was deleted long enough ago."""
        now = self._database.clock.now()
        due = [(row, name) for row, name in self._deleted() if _goes_at(row) <= now]
        for row, name in due:
            with self._database.change(SYSTEM, row.workspace) as change:
                _purge(change, row, name)
        return [_going(row, name) for row, name in due]

    def _deleted(self) -> list[tuple[Row[Any], str]]:
        """Return the rows of what was deleted, each with the name that people knew it by."""
        with self._database.read() as conn:
            gone = conn.execute(select(models).where(models.c.deleted_at.is_not(None)).order_by(models.c.id)).all()
            query = select(versions).where(versions.c.deleted_at.is_not(None)).order_by(versions.c.id)
            alone = [row for row in conn.execute(query) if not row.model.startswith("~")]
        return [*((row, row.name) for row in gone), *((row, f"{row.model} version {row.number}") for row in alone)]

    def unused_layouts(self, used: Iterable[str]) -> list[Going]:
        """Return the unpacked packages that nothing uses, with the moment at which they go."""
        kept = set(used)
        return [_layout(found) for found in self._packages.laid_out() if found.name not in kept]

    def remove_layouts(self, used: Iterable[str]) -> list[Going]:
        """Remove the unpacked packages that nothing has used for a day."""
        now = self._database.clock.now()
        due = [found for found in self.unused_layouts(used) if found.goes_at <= now]
        return [found for found in due if self._packages.remove_layout(found.name, now - timedelta(days=_LAYOUT_DAYS))]

    def layouts(self) -> list[Layout]:
        """Return every unpacked package."""
        return list(self._packages.laid_out())


def _goes_at(row: Row[Any]) -> datetime:
    return row.deleted_at + timedelta(days=KEEP_DELETED_DAYS)


def _going(row: Row[Any], name: str) -> Going:
    is_model = "slug" in row._fields
    return Going(
        kind="model" if is_model else "model version",
        name=name,
        workspace=row.workspace,
        since=row.deleted_at,
        goes_at=_goes_at(row),
        rule=_RULE,
        size_bytes=0 if is_model else row.size,
    )


def _layout(found: Layout) -> Going:
    return Going(
        kind="unpacked package",
        name=found.name,
        workspace=ANYWHERE,
        since=found.used_at,
        goes_at=found.used_at + timedelta(days=_LAYOUT_DAYS),
        rule=_LAID_OUT,
        size_bytes=found.size_bytes,
    )


def _purge(change: Change, row: Row[Any], name: str) -> None:
    if "slug" not in row._fields:
        for table in (reviews, cards):
            where = (table.c.workspace == row.workspace, table.c.model == row.model, table.c.number == row.number)
            change.execute(delete(table).where(*where))
        change.execute(delete(versions).where(versions.c.id == row.id))
        subject = f"model_version:{row.model}/{row.number}"
        change.event(VERSION_PURGED, subject=subject)
    else:
        for table in (reviews, cards, aliases, versions):
            change.execute(delete(table).where(table.c.workspace == row.workspace, table.c.model == row.slug))
        change.execute(delete(models).where(models.c.id == row.id))
        subject = f"model:{row.id}"
        change.event(PURGED, subject=subject)
    change.audit(VERSION_PURGED if "slug" not in row._fields else PURGED, object_=subject, detail={"name": name})
