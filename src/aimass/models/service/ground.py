"""What every part of the service stands on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from aimass.cluster import Jobs
from aimass.infra.database import Database
from aimass.kernel.errors import NotFound, Stale
from aimass.models.domain import Alias, Model, ModelVersion, OneVersion
from aimass.models.storage import PackageStore
from aimass.models.store import aliases_of, find_alias, find_model, find_version


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The ports and neighbours of the room.

    Attributes
    ----------
    payloads
        Returns the checks that apply to a version: name of the job kind and payload.
    environments
        Folder of the environments of packages that bring a lock.
    policy
        Returns the review policy of a workspace, ``auto`` or ``person``.
    """

    database: Database
    packages: PackageStore
    environments: Path
    jobs: Jobs
    payloads: Callable[[ModelVersion], Mapping[str, Mapping[str, Any]]]
    policy: Callable[[str], str]


class Part:
    """A part of the service; :class:`aimass.models.service.models.Models` is made of all of them."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._database = ground.database
        self._packages = ground.packages


def need_model(conn: Connection, workspace: str, model: str) -> Model:
    """Return a model, or say that there is none."""
    found = find_model(conn, workspace, model)
    if found is None:
        raise NotFound(f"there is no model {model!r} in workspace {workspace!r}", field="model", value=model)
    return found


def need_version(conn: Connection, workspace: str, model: str, number: int) -> ModelVersion:
    """Return a version, or say that there is none."""
    found = find_version(conn, workspace, model, number)
    if found is None:
        need_model(conn, workspace, model)
        raise NotFound(f"model {model!r} has no version {number}", field="number", value=number)
    return found


def one(version: ModelVersion) -> OneVersion:
    """Return the name of a version."""
    return OneVersion(workspace=version.workspace, model=version.model, number=version.number)


def need_fresh(version: int, expected: int | None) -> None:
    """Refuse a change of something that changed since it was read."""
    if expected is not None and expected != version:
        raise Stale(f"version {expected} was changed to {version} meanwhile", value=expected, hint="read it again")


def need_alias(conn: Connection, workspace: str, model: str, alias: str) -> Alias:
    """Return an alias, or say that there is none."""
    found = find_alias(conn, workspace, model, alias)
    if found is None:
        known = [item.alias for item in aliases_of(conn, workspace, model)]
        raise NotFound(f"model {model!r} has no alias {alias!r}", field="alias", value=alias, allowed=known)
    return found
