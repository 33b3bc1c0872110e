"""The log of a Delta table: its commits as they lie there, and its tidying.

Every commit is a file, and each look at the newest state lists them all: a table that takes a commit each second would be
twice as slow within an hour. So commits whose versions nobody keeps go, once a checkpoint sums them up. A version that is kept
far behind the one before gets a checkpoint of its own, and needs no commit before it any more; where nearly all are kept, the
commits stay, because checkpoints of all of them would be much dearer.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deltalake.exceptions import DeltaError

from aimass.infra.tables import LOG, tables_of
from aimass.kernel.clock import SystemClock
from aimass.lake.children.handles import opened

FAR = 8  # commits between two kept versions that are cheaper than a checkpoint
_COMMIT = re.compile(r"^(\d{20})\.json$")
_CHECKPOINT = re.compile(r"^(\d{20})\.checkpoint\.parquet$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A commit of the log: its version, and what its writer said of it."""

    version: int
    info: dict[str, Any]


def entries(path: str | Path, limit: int | None = None) -> Iterator[Entry]:
    """Yield the commits that the log still has, newest first."""
    tables_of(path).refresh(Path(path))
    for version in sorted(_versions(path, _COMMIT), reverse=True)[:limit]:
        found = entry(path, version)
        if found is not None:
            yield found


def entry(path: str | Path, version: int) -> Entry | None:
    """Return one commit, None where the log has it no more."""
    tables_of(path).refresh(Path(path), version)
    try:
        lines = _commit(path, version).read_bytes().splitlines()
    except FileNotFoundError:
        return None
    for line in lines:
        if line.startswith(b'{"commitInfo"'):
            return Entry(version=version, info=json.loads(line)["commitInfo"])
    return Entry(version=version, info={})


def readable(path: str | Path) -> set[int]:
    """Return the versions that the log can still tell: those with a checkpoint, and those that commits lead to."""
    tables_of(path).refresh(Path(path))
    commits, told = _versions(path, _COMMIT), set(_versions(path, _CHECKPOINT))
    for version in sorted(commits):
        if version == 0 or version - 1 in told:
            told.add(version)
    return told


def tidy(path: str | Path, kept: Iterable[int], *, hours: float) -> int:
    """Remove the commits before the newest checkpoint that no kept version needs; the caller holds the lease.

    Parameters
    ----------
    path
        The table.
    kept
        Versions that stay readable; the newest always does.
    hours
        Files of the log that are younger stay, so that a reader who has just begun finds them.

    Returns
    -------
    int
        Files that were removed. The last commit of a source stays: it finds there how far it came.
    """
    table = opened(path)
    newest, before = table.version(), SystemClock().now().timestamp() - hours * 3600
    wanted = {version for version in kept if version < newest} & readable(path)
    needed = _led_to(path, wanted)
    table.create_checkpoint()
    tables_of(path).refresh(Path(path))
    return _removed(path, newest, needed | _last_of_each(path, newest) | {newest}, before)


def _led_to(path: str | Path, wanted: set[int]) -> set[int]:
    """Return the files of the log that lead to some versions; one that is far behind the one before is summed up first."""
    checkpoints, needed, at = set(_versions(path, _CHECKPOINT)), set[int](), -1
    for version in sorted(wanted):
        at = max(at, max((known for known in checkpoints if known <= version), default=-1))
        if version - at > FAR:
            opened(path, version).create_checkpoint()
            at = version
        needed |= set(range(max(at, 0), version + 1))
        at = version
    return needed


def _removed(path: str | Path, newest: int, needed: set[int], before: float) -> int:
    removed: list[str] = []
    for kind in (_COMMIT, _CHECKPOINT):
        for version in sorted(_versions(path, kind)):
            file = _commit(path, version) if kind is _COMMIT else _checkpoint(path, version)
            if version < newest and version not in needed and file.stat().st_mtime < before:
                removed.append(f"{LOG}/{file.name}")
    tables_of(path).remove(Path(path), removed)
    return len(removed)


def _last_of_each(path: str | Path, newest: int) -> set[int]:
    """Return the last version of each name of transactions that goes on; what is done once has a name of its own."""
    last: dict[str, int] = {}
    for version in sorted(_versions(path, _COMMIT)):
        if version <= newest:
            for line in _commit(path, version).read_bytes().splitlines():
                if line.startswith(b'{"txn"') and not _is_once(told := json.loads(line)["txn"]):
                    last[told["appId"]] = version
    return set(last.values())


def _is_once(transaction: Mapping[str, Any]) -> bool:
    """Tell whether a transaction was the only one of its name: ``rows:<id>``, ``order:<id>`` and the like."""
    return transaction["version"] == 1 and ":" in transaction["appId"]


def without_checkpoint(path: str | Path, checkpoint: Path, kept: Iterable[int]) -> None:
    """Remove a checkpoint, after the kept versions that only it leads to got checkpoints of their own; the caller holds the lease.

    The version of the checkpoint itself goes with it unless every commit before it is there.
    """
    version = int(checkpoint.name[:20])
    if not set(_versions(path, _COMMIT)).issuperset(range(version + 1)):
        later = min((v for v in _versions(path, _CHECKPOINT) if v > version), default=None)
        for following in kept:
            if following > version and (later is None or following < later):
                _checkpointed(path, following)
        if later is None:
            opened(path).create_checkpoint()
    tables_of(path).remove(Path(path), (f"{LOG}/_last_checkpoint", f"{LOG}/{checkpoint.name}"))


def _checkpointed(path: str | Path, version: int) -> None:
    try:
        opened(path, version).create_checkpoint()
    except DeltaError as reason:
        raise OSError(f"version {version} of the table {Path(path).name!r} cannot be summed up") from reason


def _versions(path: str | Path, kind: re.Pattern[str]) -> list[int]:
    with os.scandir(Path(path) / LOG) as files:
        return [int(found[1]) for file in files if (found := kind.match(file.name))]


def _commit(path: str | Path, version: int) -> Path:
    return Path(path) / LOG / f"{version:020}.json"


def _checkpoint(path: str | Path, version: int) -> Path:
    return Path(path) / LOG / f"{version:020}.checkpoint.parquet"
