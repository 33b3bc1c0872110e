"""Recipes as people see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from annotated_types import MaxLen, doc


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeInfo:
    """A recipe as people see it.

    Attributes
    ----------
    parameters
        JSON schema of its parameters.
    tasks
        What it can be trained for.
    space
        The values that a study tries unless somebody names others.
    install
        The command that installs what it needs; None where nothing is missing.
    """

    name: str
    version: str
    title: str
    summary: str
    tasks: tuple[str, ...]
    slots: int
    memory_mb: int
    capabilities: tuple[str, ...]
    parameters: Mapping[str, Any]
    space: Mapping[str, Any]
    install: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneRecipe:
    """Name one recipe."""

    recipe: Annotated[str, MaxLen(63), doc("name of the recipe, for example lightgbm")]
