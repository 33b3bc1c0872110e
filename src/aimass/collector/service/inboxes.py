"""The inboxes of a platform: a folder for each source that is pushed to, written to by this process alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from threading import Lock

from aimass.collector.connectors.push.segments import Place, Waiting, behind, waiting
from aimass.collector.connectors.push.spool import Bounds, Spool, held_bytes
from aimass.collector.domain import PUSHED, Source
from aimass.collector.settings import CollectorSettings
from aimass.kernel.names import check_slug


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The folder of an inbox, and what lies in it."""

    workspace: str
    source: str
    folder: Path
    size_bytes: int


class Inboxes:
    """Finds and opens inboxes; what a crash left unfinished is mended when one is opened."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._spools: dict[str, Spool] = {}
        self._opening = Lock()

    def folder(self, source: Source) -> Path:
        """Return where the pushes of a source lie."""
        return self._root / check_slug(source.workspace) / source.id

    def spool(self, source: Source) -> Spool:
        """Open the inbox of a source."""
        with self._opening:
            if source.id not in self._spools:
                told = CollectorSettings()
                bounds = Bounds(most_bytes=told.max_inbox_bytes, spare_bytes=told.spare_disk_bytes)
                self._spools[source.id] = Spool(self.folder(source), bounds, place_of(source).segment)
            return self._spools[source.id]

    def waiting(self, source: Source) -> Waiting:
        """Count what waits to be collected; it may have been committed by a collection that still runs."""
        return waiting(self.spool(source).folder, place_of(source))

    def has_waiting(self, source: Source) -> bool:
        """Tell whether anything waits to be collected."""
        return self.folder(source).exists() and behind(self.spool(source).folder, place_of(source)) > 0

    def taken(self, source: Source, now_ms: int) -> None:
        """Remove what a collection that has ended took over."""
        if source.kind == PUSHED and self.folder(source).exists():
            self.spool(source).taken(place_of(source), now_ms)

    def drop(self, source: Source, now_ms: int) -> None:
        """Remove the inbox of a source that is gone, with what waited in it."""
        with self._opening:
            found = self._spools.pop(source.id, None)
        if found is not None:
            found.close(now_ms)
        rmtree(self.folder(source), ignore_errors=True)

    def remove(self, held: Held) -> None:
        """Remove an inbox that belongs to no source."""
        rmtree(held.folder, ignore_errors=True)

    def leave(self, workspace: str) -> None:
        """Remove every inbox of a workspace that is gone."""
        folder = self._root / check_slug(workspace)
        with self._opening:
            gone = [id_ for id_, spool in self._spools.items() if spool.folder.parent == folder]
            for id_ in gone:
                self._spools.pop(id_).close(0)  # else what was erased stays on the disk behind an open file
        rmtree(folder, ignore_errors=True)

    def held(self) -> Iterator[Held]:
        """Yield every inbox that is on the disk."""
        for folder in sorted(self._root.glob("*/*")):
            yield Held(workspace=folder.parent.name, source=folder.name, folder=folder, size_bytes=held_bytes(folder))


def place_of(source: Source) -> Place:
    """Return what of its pushes a source has collected."""
    return Place.of(source.progress.get("state") or {})
