"""Uploads: how long files are kept that were sent and collected."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Row

from aimass.collector.service.ground import Part
from aimass.collector.settings import CollectorSettings
from aimass.collector.store import all_uploads, collections, drop_upload, upload_of
from aimass.infra.database import Change, scrub
from aimass.kernel.erasing import Erased, Person
from aimass.kernel.keeping import Going
from aimass.kernel.principal import ANYWHERE, SYSTEM

_LOOK_S = 600.0


class Uploads(Part):
    """What is kept of uploads; the rows that were collected from them are the dataset's."""

    def kept_uploads(self) -> list[str]:
        """Return the hash of every file that is kept."""
        with self._database.read() as conn:
            return sorted({row.upload for row in all_uploads(conn)})

    def has_upload(self, workspace: str, upload: str) -> bool:
        """Tell whether the file of an upload is still kept, so that it can be collected again."""
        with self._database.read() as conn:
            return upload_of(conn, workspace, upload) is not None and self._ground.blobs.exists(upload)

    def ageing_uploads(self) -> list[Going]:
        """Return every upload with the moment at which it goes."""
        with self._database.read() as conn:
            return [_going(row) for row in all_uploads(conn)]

    def forget_uploads(self) -> list[Going]:
        """Forget the uploads that were not used for some time; their files go when nothing else needs them."""
        now = self._database.clock.now()
        with self._database.read() as conn:
            due = [row for row in all_uploads(conn) if _going(row).goes_at <= now]
        gone: list[Going] = []
        for row in due:
            with self._database.change(SYSTEM, row.workspace) as change:
                if _drop_unused(change, row):
                    gone.append(_going(row))
        return gone

    def erase_person(self, person: Person) -> list[Erased]:
        """Remove the uploaded files that name a person; what was collected from them is erased from the datasets."""
        with self._database.read() as conn:
            uploads = [row for row in all_uploads(conn) if person.looks_at(row.workspace)]
        found = [row for row in uploads if self._names(row.upload, person)]
        for row in found:
            with self._database.change(SYSTEM, row.workspace) as change:
                drop_upload(change, row.workspace, row.upload)
                change.audit(
                    "collector.upload.erase", object_=f"upload:{row.upload}", detail={"erasure": person.erasure}
                )
        for upload in {row.upload for row in found}.difference(self.kept_uploads()):
            self._ground.blobs.remove(upload)
        here = [] if person.workspace == ANYWHERE else [collections.c.workspace == person.workspace]
        with self._database.change(SYSTEM, person.workspace) as change:
            told = scrub(change, collections, ["filename", "error", "reasons"], person, *here)
        return [Erased(what="uploaded files", count=len(found)), Erased(what="collections", count=len(told))]

    def _names(self, upload: str, person: Person) -> bool:
        """Tell whether a file holds one of the words, as plain text and in its own encodings."""
        if not self._ground.blobs.exists(upload) or not person.words:
            return False
        args = {"path": str(self._ground.blobs.path(upload)), "texts": list(person.words)}
        told = self._ground.warm.call("aimass.collector.children.find:find", args, timeout_s=_LOOK_S)
        return bool(told["found"])


def _drop_unused(change: Change, row: Row[Any]) -> bool:
    """Forget an upload unless somebody used it at this moment."""
    if not drop_upload(change, row.workspace, row.upload, used_at=row.used_at):
        return False
    change.audit("collector.upload.forget", object_=f"upload:{row.upload}")
    return True


def _going(row: Row[Any]) -> Going:
    days = CollectorSettings().keep_uploads_days
    return Going(
        kind="upload",
        name=row.filename or row.upload[:12],
        workspace=row.workspace,
        since=row.used_at,
        goes_at=row.used_at + timedelta(days=days),
        rule=f"an uploaded file is kept for {days:g} days after it was sent or collected",
        size_bytes=row.size,
    )
