"""Search spaces: which values a study may try for each parameter, checked before anything is tried."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from random import Random
from typing import Any, Literal

from aimass.kernel.errors import Invalid

Type = Literal["float", "int", "categorical"]
TYPES: tuple[Type, ...] = ("float", "int", "categorical")
GRID_POINTS = 5
MAX_GRID = 10_000
_KEYS = {"float": {"low", "high", "log", "step"}, "int": {"low", "high", "log", "step"}, "categorical": {"choices"}}
_ALWAYS = {"type", "when"}
_SCALARS = (str, int, float, bool, type(None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """The values of one parameter.

    Attributes
    ----------
    log
        Every order of magnitude is as likely as the next.
    step
        Only ``low``, ``low + step``, ... are tried.
    when
        By parent parameter the values with which this one counts; else it keeps its default.
    """

    type: Type
    low: float = 0
    high: float = 0
    log: bool = False
    step: float | None = None
    choices: tuple[Any, ...] = ()
    when: Mapping[str, tuple[Any, ...]] = field(default_factory=dict[str, tuple[Any, ...]])

    def is_active(self, params: Mapping[str, Any]) -> bool:
        """Tell whether the parameter counts beside others that were chosen already."""
        return all(parent in params and params[parent] in values for parent, values in self.when.items())

    def points(self) -> tuple[Any, ...]:
        """Return the values that a grid tries: all that have a step or a name, else five over the range.

        Examples
        --------
        >>> Dimension(type="float", low=0.01, high=100, log=True).points()
        (0.01, 0.1, 1.0, 10.0, 100.0)
        >>> Dimension(type="int", low=1, high=3).points()
        (1, 2, 3)
        """
        if self.type == "categorical":
            return self.choices
        count = self._count()
        if count is not None and (self.step is not None or count <= GRID_POINTS):
            return tuple(self._step_at(place) for place in range(count))
        shares = [place / (GRID_POINTS - 1) for place in range(GRID_POINTS)]
        return tuple(dict.fromkeys(self.value_at(share) for share in shares))

    def _count(self) -> int | None:
        step = self.step or (1 if self.type == "int" else None)
        return None if step is None else math.floor((self.high - self.low) / step + 1e-9) + 1

    def _step_at(self, place: int) -> float:
        value = self.low + place * (self.step or 1)
        return int(value) if self.type == "int" else min(value, self.high)

    def value_at(self, share: float) -> Any:
        """Return the value that lies at a share of the way from the low to the high end.

        Examples
        --------
        >>> Dimension(type="int", low=10, high=1000, log=True).value_at(0.5)
        100
        """
        if self.type == "categorical":
            return self.choices[min(int(share * len(self.choices)), len(self.choices) - 1)]
        if self.step is not None:
            count = self._count() or 1
            return self._step_at(min(int(share * count), count - 1))
        if self.log:
            exact = math.exp(math.log(self.low) + share * (math.log(self.high) - math.log(self.low)))
        else:
            exact = self.low + share * (self.high - self.low)
        value = min(max(float(f"{exact:.12g}"), self.low), self.high)
        return round(value) if self.type == "int" else value

    def draw(self, rng: Random) -> Any:
        """Return a value by chance."""
        if self.type == "int" and self.step is None and not self.log:
            return rng.randint(int(self.low), int(self.high))
        return self.value_at(rng.random())


Space = Mapping[str, Dimension]


def space_of(wished: Mapping[str, Any]) -> dict[str, Dimension]:
    """Return a checked search space, parents before the parameters that depend on them.

    Examples
    --------
    >>> space = space_of({"depth": {"type": "int", "low": 2, "high": 8, "when": {"kind": ["tree"]}},
    ...                   "kind": {"type": "categorical", "choices": ["tree", "line"]}})
    >>> list(space)
    ['kind', 'depth']
    >>> space_of({"rate": {"type": "float", "low": 0, "high": 1, "log": True}})
    Traceback (most recent call last):
    ...
    aimass.kernel.errors.Invalid: a logarithmic range of 'rate' begins at 0.0
    """
    if not wished:
        raise Invalid("the search space is empty", field="space", value={}, allowed="one parameter or more")
    found = {name: _dimension(name, values) for name, values in wished.items()}
    for name, dimension in found.items():
        _check_parents(name, dimension, found)
    return _ordered(found)


def _dimension(name: str, wish: Any) -> Dimension:
    at = f"space.{name}"
    if not isinstance(wish, Mapping):
        allowed = '{"type": "float", "low": 0.01, "high": 1}'
        raise Invalid(f"the range of {name!r} is no object", field=at, value=wish, allowed=allowed)
    kind = wish.get("type")
    if kind not in TYPES:
        raise Invalid(f"{name!r} has the type {kind!r}", field=f"{at}.type", value=kind, allowed=list(TYPES))
    known = _KEYS[kind] | _ALWAYS
    unknown = sorted(set(wish) - known)
    if unknown:
        message = f"a range of type {kind!r} has no {unknown[0]!r}"
        raise Invalid(message, field=f"{at}.{unknown[0]}", value=wish[unknown[0]], allowed=sorted(known))
    when = _when(at, wish.get("when") or {})
    if kind == "categorical":
        return Dimension(type="categorical", choices=_choices(name, wish.get("choices")), when=when)
    return _numeric(name, kind, wish, when)


def _when(at: str, wish: Any) -> dict[str, tuple[Any, ...]]:
    if not isinstance(wish, Mapping) or not all(
        isinstance(values, list | tuple) and values for values in wish.values()
    ):
        allowed = '{"parent": ["value"]}'
        raise Invalid("a condition names the values of a parent", field=f"{at}.when", value=wish, allowed=allowed)
    return {parent: tuple(values) for parent, values in wish.items()}


def _choices(name: str, wish: Any) -> tuple[Any, ...]:
    at = f"space.{name}.choices"
    if not isinstance(wish, list | tuple) or not wish:
        raise Invalid(f"{name!r} has no values to choose from", field=at, value=wish, allowed="a list of one or more")
    for value in wish:
        if not isinstance(value, _SCALARS) or (isinstance(value, float) and not math.isfinite(value)):
            raise Invalid(
                f"{value!r} cannot be chosen for {name!r}",
                field=at,
                value=value,
                allowed="text, number, truth value, null",
            )
    if len({repr(value) for value in wish}) < len(wish):
        raise Invalid(f"a value of {name!r} stands there twice", field=at, value=list(wish), allowed="each value once")
    return tuple(wish)


def _numeric(name: str, kind: Literal["float", "int"], wish: Mapping[str, Any], when: Any) -> Dimension:
    at = f"space.{name}"
    low, high = (_number(f"{at}.{end}", kind, wish.get(end)) for end in ("low", "high"))
    if low > high:
        message = f"the range of {name!r} has no value: it goes from {low} to {high}"
        raise Invalid(message, field=f"{at}.high", value=high, allowed=f"{low} or more")
    log, step = wish.get("log", False), wish.get("step")
    if not isinstance(log, bool):
        raise Invalid(f"'log' of {name!r} is true or false", field=f"{at}.log", value=log, allowed=[True, False])
    if log and low <= 0:
        message = f"a logarithmic range of {name!r} begins at {low}"
        raise Invalid(message, field=f"{at}.low", value=low, allowed="more than 0")
    if step is not None:
        step = _number(f"{at}.step", kind, step)
        if step <= 0 or log:
            message = f"{name!r} has steps of {step}" + (" on a logarithmic range" if log else "")
            allowed = "no step on a logarithmic range" if log else "more than 0"
            raise Invalid(message, field=f"{at}.step", value=step, allowed=allowed)
    return Dimension(type=kind, low=low, high=high, log=log, step=step, when=when)


def _number(at: str, kind: str, value: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or (kind == "int" and value != int(value)):
        noun = "a whole number" if kind == "int" else "a number"
        raise Invalid(f"{at} is {value!r}, not {noun}", field=at, value=value, allowed=noun)
    return int(value) if kind == "int" else float(value)


def _check_parents(name: str, dimension: Dimension, found: Mapping[str, Dimension]) -> None:
    for parent, values in dimension.when.items():
        at = f"space.{name}.when.{parent}"
        others = sorted(other for other in found if other != name and found[other].type == "categorical")
        if parent not in others:
            message = f"{name!r} depends on {parent!r}, which is no parameter of this space with values to choose from"
            raise Invalid(message, field=at, value=parent, allowed=others)
        for value in values:
            if value not in found[parent].choices:
                message = f"{parent!r} never is {value!r}"
                raise Invalid(message, field=at, value=value, allowed=list(found[parent].choices))


def _ordered(found: Mapping[str, Dimension]) -> dict[str, Dimension]:
    ordered: dict[str, Dimension] = {}
    left = dict(found)
    while left:
        ready = [name for name, dimension in left.items() if all(parent in ordered for parent in dimension.when)]
        if not ready:
            names = sorted(left)
            raise Invalid(
                f"{names[0]!r} depends on itself", field=f"space.{names[0]}.when", value=names, allowed="no circle"
            )
        ordered |= {name: left.pop(name) for name in ready}
    return ordered


def chance(seed: int) -> Random:
    """Return chance that comes out the same for the same seed."""
    return Random(seed)  # noqa: S311 nothing here is a secret


def seed_of(seed: int, number: int) -> int:
    """Return the seed of one trial: another for every trial, so that no two draw the same.

    Examples
    --------
    >>> seed_of(7, 0) == seed_of(7, 0), seed_of(7, 0) == seed_of(7, 1)
    (True, False)
    """
    return int.from_bytes(sha256(f"{seed}:{number}".encode()).digest()[:4])


def drawn(space: Space, rng: Random) -> dict[str, Any]:
    """Return a configuration by chance.

    Examples
    --------
    >>> drawn(space_of({"kind": {"type": "categorical", "choices": ["tree"]}}), chance(0))
    {'kind': 'tree'}
    """
    params: dict[str, Any] = {}
    for name, dimension in space.items():
        if dimension.is_active(params):
            params[name] = dimension.draw(rng)
    return params


def grid_of(space: Space, seed: int) -> list[dict[str, Any]]:
    """Return every configuration of the grid, in an order that the seed decides: a part of it is spread over the whole.

    Examples
    --------
    >>> len(grid_of(space_of({"x": {"type": "int", "low": 1, "high": 3}, "y": {"type": "int", "low": 1, "high": 2}}), 0))
    6
    """
    found: list[dict[str, Any]] = []
    for params in _combined(list(space.items()), {}):
        found.append(params)
        if len(found) > MAX_GRID:
            raise Invalid(
                f"the grid has more than {MAX_GRID} configurations",
                field="space",
                value=sorted(space),
                allowed=MAX_GRID,
                hint="make the steps larger, or take another sampler",
            )
    chance(seed).shuffle(found)
    return found


def _combined(left: list[tuple[str, Dimension]], params: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if not left:
        yield params
        return
    (name, dimension), rest = left[0], left[1:]
    if not dimension.is_active(params):
        yield from _combined(rest, params)
        return
    for value in dimension.points():
        yield from _combined(rest, {**params, name: value})


def is_smooth(space: Space) -> bool:
    """Tell whether two numbers or more, and nothing else, make the space: what CMA-ES can search.

    Examples
    --------
    >>> is_smooth(space_of({"x": {"type": "float", "low": 0, "high": 1}}))
    False
    """
    numbers = [dimension for dimension in space.values() if dimension.type != "categorical" and not dimension.when]
    return len(numbers) == len(space) > 1
