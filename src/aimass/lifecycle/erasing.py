"""Erasing a person from what runs of pipelines told."""

from __future__ import annotations

from sqlalchemy import select

from aimass.infra.database import Database, scrub
from aimass.kernel.erasing import Erased, Person
from aimass.kernel.principal import ANYWHERE, SYSTEM
from aimass.kernel.registry import Registry
from aimass.lifecycle.store import rollouts, runs, steps


def erase(registry: Registry, person: Person) -> list[Erased]:
    """Scrub causes, errors, notes and outputs of runs, and what rollouts tell."""
    here = [] if person.workspace == ANYWHERE else [runs.c.workspace == person.workspace]
    mine = select(runs.c.id).where(*here)
    with registry.get(Database).change(SYSTEM, person.workspace) as change:
        told = scrub(change, runs, ["cause", "error"], person, *here)
        told += scrub(change, steps, ["note", "output", "error", "hint"], person, steps.c.run.in_(mine))
        ours = [] if person.workspace == ANYWHERE else [rollouts.c.workspace == person.workspace]
        told += scrub(change, rollouts, ["reason", "verdict", "verdict_facts", "history"], person, *ours)
    return [Erased(what="runs of pipelines", count=len(told))]
