"""What every part of the service stands on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection

from aimass.cluster import Jobs
from aimass.infra.blobs import Blobs
from aimass.infra.compute import WarmChild
from aimass.infra.database import Database
from aimass.infra.live import LiveHub
from aimass.kernel.errors import NotFound, Stale
from aimass.kernel.principal import Principal
from aimass.models import Models
from aimass.training.domain.runs import Run
from aimass.training.domain.splits import Split
from aimass.training.store import find_run, find_split


class Located(Protocol):
    """Where the rows of a dataset version lie, as the lake says it."""

    @property
    def number(self) -> int:
        """Number of the version."""
        ...

    @property
    def version_id(self) -> str:
        """Id of the version, for lineage."""
        ...

    @property
    def path(self) -> str:
        """Folder of the Delta table."""
        ...

    @property
    def delta_version(self) -> int:
        """Version of the Delta table."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The ports and neighbours of the room.

    Attributes
    ----------
    locate
        Returns where a version of a dataset lies as far as somebody may see it: who, workspace, dataset, number or None for
        the newest.
    need_whole
        Refuses what cannot be cut to what somebody sees, if policies leave him a part of a dataset: who, workspace, dataset,
        what it is.
    columns
        Returns the names of the columns of a version of a dataset: who, workspace, dataset, number.
    data
        The data directory, of which somebody's code sees nothing.
    """

    database: Database
    blobs: Blobs
    jobs: Jobs
    models: Models
    live: LiveHub
    warm: WarmChild
    locate: Callable[[Principal, str, str, int | None], Located]
    need_whole: Callable[[Principal, str, str, str], None]
    columns: Callable[[Principal, str, str, int], Sequence[str]]
    data: Path


class Part:
    """A part of the service; :class:`aimass.training.service.training.Training` is made of all of them."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._database = ground.database


class Ordered(Protocol):
    """Something that somebody ordered, and the platform carries out later."""

    @property
    def created_by(self) -> str:
        """Id of who ordered it."""
        ...

    @property
    def created_by_name(self) -> str:
        """Name of who ordered it."""
        ...


def author_of(ordered: Ordered) -> Principal:
    """Return who ordered something: his right was checked then, and policies count for him now."""
    return Principal(id=ordered.created_by, name=ordered.created_by_name, kind="system")


def need_run(conn: Connection, workspace: str, run: str) -> Run:
    """Return a run, or say that there is none."""
    found = find_run(conn, workspace, run)
    if found is None:
        raise NotFound(f"there is no run {run!r} in workspace {workspace!r}", field="run", value=run)
    return found


def need_split(conn: Connection, workspace: str, split: str, *, field: str = "split") -> Split:
    """Return a split, or say that there is none."""
    found = find_split(conn, workspace, split)
    if found is None:
        raise NotFound(f"there is no split {split!r} in workspace {workspace!r}", field=field, value=split)
    return found


def need_fresh(version: int, expected: int | None) -> None:
    """Refuse a change of something that changed since it was read."""
    if expected is not None and expected != version:
        raise Stale(f"version {expected} was changed to {version} meanwhile", value=expected, hint="read it again")
