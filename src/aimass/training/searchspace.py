"""The search space of a study, held against the recipe whose parameters it names: one that is installed, or one in a sandbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from aimass.kernel.errors import Invalid
from aimass.training.domain.space import Space, space_of

_BETWEEN = 0.377


class Searchable(Protocol):
    """What a space is checked against."""

    @property
    def name(self) -> str:
        """Name of the recipe."""
        ...

    @property
    def known(self) -> Sequence[str]:
        """Names of its parameters."""
        ...

    @property
    def space(self) -> Mapping[str, Any]:
        """What it wants to be tried."""
        ...

    def check(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return all parameters, or refuse a wrong one."""
        ...


def checked_space(
    recipe: Searchable, params: Mapping[str, Any], wished: Mapping[str, Any] | None
) -> tuple[Space, dict[str, Any]]:
    """Return the search space, and the same as it was written; or say which value the recipe would refuse.

    Without a wish it is the recipe's own space, as far as ``params`` do not fix it.
    """
    recipe.check(params)
    told = recipe.space if wished is None else wished
    written = {name: dict(values) if isinstance(values, Mapping) else values for name, values in told.items()}
    if wished is None:
        written = {name: values for name, values in written.items() if name not in params}
        if not written:
            raise Invalid(
                f"recipe {recipe.name!r} offers nothing to search",
                field="space",
                allowed=sorted(set(recipe.known) - set(params)),
                hint="name what is tried in `space`, or --space of `aimass studies create`; "
                "a file may offer it in its manifest (`space=`)",
            )
    space = space_of(written)
    for name, dimension in space.items():
        if name not in recipe.known:
            message = f"recipe {recipe.name!r} has no parameter {name!r}"
            raise Invalid(message, field=f"space.{name}", value=name, allowed=sorted(recipe.known))
        if name in params:
            message = f"{name!r} is searched and fixed at once"
            raise Invalid(message, field=f"params.{name}", value=params[name], allowed="only one of the two")
        if dimension.type == "categorical":
            _check_values(recipe, params, name, {"choices": list(dimension.choices)})
        else:
            _check_values(recipe, params, name, {"low": [dimension.low], "high": [dimension.high]})
            _check_values(recipe, params, name, {"type": [dimension.value_at(_BETWEEN)]})
    return space, written


def _check_values(recipe: Searchable, fixed: Mapping[str, Any], name: str, values: Mapping[str, list[Any]]) -> None:
    for end, found in values.items():
        for value in found:
            try:
                recipe.check({**fixed, name: value})
            except Invalid as reason:
                at = f"space.{name}.{end}"
                raise Invalid(reason.message, field=at, value=value, allowed=reason.allowed) from reason
