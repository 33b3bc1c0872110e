"""Erasing a person: revisions name the packages that took the place of theirs, and what they told is scrubbed."""

from __future__ import annotations

from aimass.infra.database import Database, scrub
from aimass.kernel.erasing import Erased, Person
from aimass.kernel.principal import ANYWHERE, SYSTEM
from aimass.kernel.registry import Registry
from aimass.models import Models
from aimass.serving.store import queries
from aimass.serving.store.tables import deployments, revisions, scorings

_TEXTS = ((deployments, ["reason"]), (revisions, ["error", "reason"]), (scorings, ["title", "error"]))


def erase(registry: Registry, person: Person) -> list[Erased]:
    """Follow packages, and scrub reasons and errors."""
    database, models = registry.get(Database), registry.get(Models)
    with database.read() as conn:
        known = queries.digests(conn)
    for old in known:
        new = models.successor(old)
        if new is not None:
            models.package_folder(new)
            with database.change(SYSTEM, person.workspace) as change:
                queries.put_digest(change, old, new)
    told = 0
    with database.change(SYSTEM, person.workspace) as change:
        for table, columns in _TEXTS:
            here = [] if person.workspace == ANYWHERE else [table.c.workspace == person.workspace]
            told += len(scrub(change, table, columns, person, *here))
    return [Erased(what="deployments", count=told)]
