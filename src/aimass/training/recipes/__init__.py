"""Recipes: named, versioned algorithms. Each is a plug-in of the entry-point group ``aimass.recipes``.

A recipe is a package with a light ``manifest`` (``RECIPE``: name, parameters, needs) and a ``run`` part (``RUN``, see
:class:`aimass.training.recipes.protocol.Recipe`). A stranger's wheel uses the same door.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from aimass.kernel.errors import Failed, Invalid, MissingExtra

GROUP = "aimass.recipes"
COMPRESSIBLE = "compressible"
FINE_TUNES = "fine_tunes"
LEARNS_BESIDE = "learns_beside"


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What one run takes: job slots (each one processor), and memory as a first guess."""

    slots: int = 1
    memory_mb: int = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What the model selector knows of a recipe before it was ever used: figures of its default parameters.

    Attributes
    ----------
    place
        How well it does on most tables, from 0 to 1.
    few_rows, wide
        What is added for data of few rows, and of many columns for its rows.
    strength
        The reason for its place, as a part of a sentence.
    fit_s
        Processor seconds of one fit by million cells.
    row_us
        Microseconds of its exported file for one row.
    size
        Bytes of its package.
    is_explainable
        Whether its answers can be read off its coefficients.
    """

    place: float = 0.5
    few_rows: float = 0.0
    wide: float = 0.0
    strength: str = "nothing is known of it yet"
    fit_s: float = 10.0
    row_us: float = 500.0
    size: int = 1_000_000
    is_explainable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """Other parameters of a recipe that win on other data; the model selector knows it by its own traits."""

    name: str
    params: Mapping[str, Any]
    traits: Traits


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeManifest:
    """The light side of a recipe: readable in control, imports nothing heavy.

    Attributes
    ----------
    parameters
        A pydantic model; its defaults are the ones to start with, its ranges and descriptions make form and CLI help.
    tasks
        What it can be trained for, see :mod:`aimass.training.tasks`.
    capabilities
        Of ``resumable``, ``incremental``, ``distributed``, ``federated``, ``prunable``, ``compressible``, ``fine_tunes``
        (its parameter ``base`` names the version of a model to start from), ``learns_beside`` (its parameter ``beside`` names
        further targets), ``exportable:onnx``.
    space
        What a study tries unless somebody names other values; see :mod:`aimass.training.domain.space`.
    reads
        ``columns`` of a table, one column of ``lists`` alone, such as images, one of ``sounds`` alone, one of ``pictures``
        among others, ``moments``: columns of lists of one length, or a series, ``texts`` beside other columns, or one column
        of free ``text`` alone; or rows that follow each other in ``episodes``.
    steps
        The parameter that says how many steps it learns in, after each of which it offers a look (``ctx.look``): epochs, or
        trees; None where it learns in one go.
    extra, library
        The extra of AI Mass that brings what the run part imports, and the package by which it is known to be there.
    """

    name: str
    version: str
    title: str
    summary: str
    parameters: type[BaseModel]
    tasks: tuple[str, ...] = ("classification",)
    needs: Needs = field(default_factory=Needs)
    capabilities: frozenset[str] = frozenset()
    traits: Traits = field(default_factory=Traits)
    variants: tuple[Variant, ...] = ()
    space: Mapping[str, Any] = field(default_factory=dict[str, Any])
    reads: Literal["columns", "lists", "sounds", "pictures", "moments", "texts", "text", "episodes"] = "columns"
    steps: str | None = None
    extra: str | None = None
    library: str | None = None

    @property
    def learns_again(self) -> bool:
        """Tell whether its models can be made smaller and learn again what they lost."""
        return COMPRESSIBLE in self.capabilities

    @property
    def fine_tunes(self) -> bool:
        """Tell whether it can start from what another model has learned."""
        return FINE_TUNES in self.capabilities

    def beside(self, params: Mapping[str, Any]) -> list[str]:
        """Return the further targets that parameters name; none for a recipe that learns one target."""
        return list(params.get("beside") or ()) if LEARNS_BESIDE in self.capabilities else []

    @property
    def install(self) -> str | None:
        """Return the command that installs what it needs, None where nothing is missing."""
        missing = self.missing()
        return None if missing is None else missing.hint

    def kinds(self) -> Iterator[tuple[str, Mapping[str, Any], Traits]]:
        """Yield name, parameters and traits of the defaults, whose name is empty, and of each variant."""
        yield "", {}, self.traits
        for one in self.variants:
            yield one.name, one.params, one.traits

    def kind_of(self, params: Mapping[str, Any]) -> str | None:
        """Return the variant that whole parameters are, "" for the defaults, None for anything else."""
        return next((name for name, chosen, _ in self.kinds() if self.check(chosen) == dict(params)), None)

    def missing(self) -> MissingExtra | None:
        """Return what is not installed, with the command that installs it; imports nothing."""
        if self.extra is None or self.library is None or is_installed(self.library):
            return None
        return MissingExtra(self.extra)

    def need_installed(self) -> None:
        """Refuse a recipe whose library is not installed."""
        missing = self.missing()
        if missing is not None:
            raise missing

    @property
    def known(self) -> list[str]:
        """Return the names of its parameters."""
        return sorted(self.parameters.model_fields)

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of the parameters."""
        return self.parameters.model_json_schema()

    def check(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return all parameters, defaults filled in, or name the first one that is wrong."""
        try:
            return self.parameters.model_validate(dict(values)).model_dump()
        except ValidationError as reason:
            fault = reason.errors(include_url=False)[0]
            name = ".".join(str(part) for part in fault["loc"])
            known = self.parameters.model_fields
            allowed = known[name].metadata if name in known else sorted(known)
            raise Invalid(
                f"parameter {name!r} of recipe {self.name!r}: {fault['msg']}",
                field=f"params.{name}",
                value=fault["input"],
                allowed=[str(limit) for limit in allowed] or None,
            ) from reason


def is_installed(library: str) -> bool:
    """Tell whether a package can be imported, without importing it.

    Examples
    --------
    >>> is_installed("json"), is_installed("no_such_package")
    (True, False)
    """
    try:
        return find_spec(library) is not None
    except ValueError:  # something took it out of this process
        return False


@cache
def _points() -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=GROUP):
        if point.name in found and found[point.name].value != point.value:
            raise Failed(f"two installed packages bring a recipe {point.name!r}", hint="remove one of them")
        found[point.name] = point
    return dict(sorted(found.items()))


@cache
def recipes() -> dict[str, RecipeManifest]:
    """Return every installed recipe by name; reads manifests only."""
    return {name: import_module(f"{point.value}.manifest").RECIPE for name, point in _points().items()}


def beside_of(recipe: str, params: Mapping[str, Any]) -> list[str]:
    """Return the further targets of a run by its recipe, which need not be an installed one, and its parameters.

    Examples
    --------
    >>> beside_of("torch_mlp", {"beside": ["loop"]}), beside_of("my_recipe.py", {"beside": ["loop"]})
    (['loop'], [])
    """
    found = recipes().get(recipe)
    return [] if found is None else found.beside(params)


def find_recipe(name: str) -> RecipeManifest:
    """Return a recipe by name, or say which there are."""
    if name not in recipes():
        raise Invalid(f"there is no recipe {name!r}", field="recipe", value=name, allowed=sorted(recipes()))
    return recipes()[name]


def check_params(name: str, values: Mapping[str, Any]) -> None:
    """Refuse values that an installed recipe does not take; of a recipe from a file they are known in its sandbox alone."""
    if "@" not in name:
        find_recipe(name).check(values)


def check_task(recipe: RecipeManifest, task: str) -> None:
    """Refuse a recipe that cannot be trained for a task, with those that can."""
    if task not in recipe.tasks:
        able = [one.name for one in recipes().values() if task in one.tasks]
        raise Invalid(
            f"recipe {recipe.name!r} does not do {task}",
            field="recipe",
            value=recipe.name,
            allowed=able,
            hint=f"take one of {', '.join(able)}",
        )


def load_recipe(name: str) -> Any:
    """Import the run part of a recipe; heavy, for children only.

    Raises
    ------
    MissingExtra
        A library that it needs is not installed; the hint is the command that installs it.
    """
    find_recipe(name).need_installed()
    return import_module(f"{_points()[name].value}.run").RUN
