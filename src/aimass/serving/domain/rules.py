"""Pure rules: how weights are shared, and how the state of a deployment follows from facts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aimass.kernel.errors import Invalid
from aimass.serving.domain.things import WHOLE, State

_WORST: tuple[State, ...] = ("FAILED", "DEGRADED", "STARTING", "PENDING", "READY", "STOPPED")


def with_weight(weights: Mapping[str, int], name: str, weight: int) -> dict[str, int]:
    """Give one deployment its percent and share the rest among the others as before.

    The remainder of the division goes to those with the largest fractions, so the sum stays 100.

    Examples
    --------
    >>> with_weight({"champion": 100}, "canary", 10)
    {'champion': 90, 'canary': 10}
    >>> with_weight({"a": 50, "b": 49, "c": 1}, "c", 34)
    {'a': 33, 'b': 33, 'c': 34}
    >>> with_weight({}, "champion", 10)
    {'champion': 100}
    """
    others = {other: share for other, share in weights.items() if other != name}
    total = sum(others.values())
    if not total:
        return {**others, name: WHOLE if not others else weight} | _rest(others, weight)
    rest = WHOLE - weight
    exact = {other: share * rest / total for other, share in others.items()}
    shares = {other: int(value) for other, value in exact.items()}
    missing = rest - sum(shares.values())
    for other in sorted(exact, key=lambda key: (shares[key] - exact[key], key))[:missing]:
        shares[other] += 1
    return {**shares, name: weight}


def _rest(others: Mapping[str, int], weight: int) -> dict[str, int]:
    """Give what is left to the first of some deployments that have nothing."""
    return {next(iter(others)): WHOLE - weight} if others else {}


def check_weights(weights: Mapping[str, int], known: Iterable[str]) -> dict[str, int]:
    """Return the weight of every known deployment, or refuse weights that break a rule.

    Examples
    --------
    >>> check_weights({"canary": 10, "champion": 90}, ["champion", "canary", "old"])
    {'champion': 90, 'canary': 10, 'old': 0}
    """
    names = list(known)
    for name, weight in weights.items():
        if name not in names:
            raise Invalid(f"there is no deployment {name!r}", field="weights", value=name, allowed=names)
        if not 0 <= weight <= WHOLE:
            raise Invalid(
                f"weight {weight} of {name!r} is no percentage", field="weights", value=weight, allowed="0 to 100"
            )
    total = sum(weights.values())
    if total != WHOLE:
        raise Invalid(f"the weights sum to {total}", field="weights", value=total, allowed=WHOLE)
    return {name: weights.get(name, 0) for name in names}


def worst(states: Iterable[State]) -> State:
    """Return the state of an endpoint: the worst of its deployments that shall run; STOPPED when none shall.

    Examples
    --------
    >>> worst(["READY", "DEGRADED", "STOPPED"]), worst([])
    ('DEGRADED', 'STOPPED')
    """
    found = set(states)
    for state in _WORST:
        if state in found:
            return state
    return "STOPPED"
