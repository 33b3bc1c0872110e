"""What is kept of records and series, and segments that could not be read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Row

from aimass.infra.tables import tables_of
from aimass.kernel.keeping import Going, Holding
from aimass.kernel.principal import ANYWHERE
from aimass.monitoring.service.ground import Part
from aimass.monitoring.store import recorded

_BAD_DAYS = 30
_BAD = f"a segment that could not be read is kept for {_BAD_DAYS} days"
_WAITING = "requests and answers wait until they are in the lake, counters until they are in the database"
_MADE = "references are kept with their monitor; rows for a training go after a day"


class Kept(Part):
    """What takes room, what goes for good, and when."""

    def holdings(self) -> list[Holding]:
        """Return how much the records of each endpoint take, and what waits."""
        with self._database.read() as conn:
            rows = recorded.all_endpoints(conn)
        layout = self._ground.layout
        made = [file for name in ("_references", "_labelled") for file in layout.lake.glob(f"*/{name}/*.parquet")]
        waiting = [file for folder in (layout.records, layout.series) for file in folder.rglob("*")]
        return [
            *(self._holding(row) for row in rows),
            Holding(part="files of monitors", size_bytes=_size(made), count=len(made), rule=_MADE),
            Holding(part="on the way", size_bytes=_size(waiting), count=len(waiting), rule=_WAITING),
        ]

    def _holding(self, row: Row[Any]) -> Holding:
        paths = [Path(path) for path in self._tables(row.workspace, row.endpoint).values()]
        return Holding(
            part="records",
            name=row.endpoint,
            workspace=row.workspace,
            size_bytes=sum(file.size for path in paths for file in tables_of(path).files(path)),
            count=row.rows,
            rule=f"records are kept for {row.retention_days} days, and at most {row.max_bytes // 2**20} MiB of them",
            path="" if row.is_deleted else f"/{row.workspace}/services/{row.endpoint}/records",
        )

    def going(self) -> list[Going]:
        """Return the segments that could not be read."""
        return [_going(path) for path in self._bad()]

    def purge(self) -> list[Going]:
        """Remove the segments that could not be read and have had their time."""
        now = self._ground.now()
        gone: list[Going] = []
        for path in self._bad():
            going = _going(path)
            if going.goes_at <= now:
                path.unlink(missing_ok=True)
                gone.append(going)
        return gone

    def _bad(self) -> Iterator[Path]:
        for folder in (self._ground.layout.records, self._ground.layout.series):
            yield from sorted(folder.glob("*/*.bad"))


def _going(path: Path) -> Going:
    found = path.stat()
    since = datetime.fromtimestamp(found.st_mtime, UTC)
    return Going(
        kind="segment",
        name=f"{path.parent.name}/{path.name}",
        workspace=ANYWHERE,
        since=since,
        goes_at=since + timedelta(days=_BAD_DAYS),
        rule=_BAD,
        size_bytes=found.st_size,
    )


def _size(files: list[Path]) -> int:
    """Add up the bytes of files; those that go meanwhile do not count."""
    total = 0
    for file in files:
        try:
            total += file.stat().st_size if file.is_file() else 0
        except FileNotFoundError:
            continue
    return total
