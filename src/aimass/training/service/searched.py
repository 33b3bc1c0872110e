"""What a study searches: the parameters of an installed recipe, or those of a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aimass.kernel.principal import Principal
from aimass.training.domain.space import Space, space_of
from aimass.training.domain.studies import CreateStudy
from aimass.training.recipes import find_recipe
from aimass.training.searchspace import checked_space
from aimass.training.service.bases import BASE, base_of
from aimass.training.service.filed import (
    RecipeFile,
    check_own_task,
    file_kept,
    file_named,
    need_a_sandbox,
    own_order,
)
from aimass.training.service.ground import Ground

_OF_FILE = "aimass.training.children.own:searched"
_OF_FILE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """A recipe with what of it is searched: ``space``, also as it was ``written``; ``source`` is the hash of a file."""

    name: str
    version: str
    params: Mapping[str, Any]
    space: Space
    written: Mapping[str, Any]
    source: str | None = None


def file_of(ground: Ground, command: CreateStudy) -> RecipeFile | None:
    """Return the file whose parameters are searched; None for those of an installed recipe."""
    if command.source is not None:
        return file_kept(ground, command.recipe, command.source)
    return file_named(ground, command.workspace, command.recipe)


def installed(ground: Ground, who: Principal, command: CreateStudy) -> Searched:
    """Return what is searched of an installed recipe."""
    recipe = find_recipe(command.recipe)
    recipe.need_installed()
    base = base_of(ground, who, command.workspace, recipe, command.params)
    params = dict(command.params)
    if base is not None:  # all trials start from the same, though an alias moves
        params[BASE] = base.reference
    space, written = checked_space(recipe, params, command.space)
    return Searched(name=recipe.name, version=recipe.version, params=params, space=space, written=written)


def from_file(ground: Ground, command: CreateStudy, file: RecipeFile, task: str) -> Searched:
    """Let a file tell its space in a sandbox: control reads none of it, and a file that is no recipe is refused at once."""
    need_a_sandbox()
    check_own_task(task)
    params = dict(command.params)
    source = own_order(ground, file, params).payload["source"]
    wish = {"source": source, "task": task, "params": params, "space": command.space}
    written = ground.warm.call(_OF_FILE, wish, timeout_s=_OF_FILE_S)["space"]
    return Searched(
        name=file.name,
        version=file.version,
        params=params,
        space=space_of(written),
        written=written,
        source=file.sha256,
    )
