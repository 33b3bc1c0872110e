"""What the room needs, keeps and lets go; asked by collections."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aimass.infra.compute import Environment, remove_environment
from aimass.infra.database import Database
from aimass.kernel.keeping import Going, Holding, Needed
from aimass.kernel.layout import DataDir
from aimass.kernel.principal import ANYWHERE
from aimass.kernel.registry import Registry
from aimass.models import Models
from aimass.serving.service.serving import Serving

_DAYS = 1
_RULE = "an environment stays while a deployment runs in it, and for a day after that"


def blobs(registry: Registry) -> Iterator[Needed]:
    """Yield the packages that deployments answer with, or may be rolled back to; those that answer stay unpacked."""
    models = registry.get(Models)
    for digest, is_live in registry.get(Serving).needed_packages().items():
        for sha256 in models.blobs_of(digest):
            yield Needed(sha256=sha256, what="packages that serve", is_laid_out=is_live and sha256 == digest)


def storage(registry: Registry) -> list[Holding]:
    """Return how much the environments of packages take."""
    found = _environments(registry)
    return [Holding(part="environments", size_bytes=sum(map(_size, found)), count=len(found), rule=_RULE)]


def going(registry: Registry) -> list[Going]:
    """Return the environments in which no deployment runs, and when they go."""
    used = registry.get(Serving).used_environments()
    return [_going(path) for path in _environments(registry) if path not in used]


def collect(registry: Registry) -> list[Going]:
    """Remove the environments in which nothing has run for a day; they are made again when they are wanted."""
    now = registry.get(Database).clock.now()
    due = [one for one in going(registry) if one.goes_at <= now]
    root = registry.get(DataDir).environments
    return [one for one in due if remove_environment(Environment(root / one.name))]


def _environments(registry: Registry) -> list[Path]:
    """Return what lies in the folder of environments, with what a killed maker left."""
    root = registry.get(DataDir).environments
    return sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []


def _going(path: Path) -> Going:
    ready = path / "ready"
    since = datetime.fromtimestamp((ready if ready.exists() else path).stat().st_mtime, UTC)
    return Going(
        kind="environment",
        name=path.name,
        workspace=ANYWHERE,
        since=since,
        goes_at=since + timedelta(days=_DAYS),
        rule=_RULE,
        size_bytes=_size(path),
    )


def _size(path: Path) -> int:
    return sum(file.lstat().st_size for file in path.rglob("*") if not file.is_dir())
