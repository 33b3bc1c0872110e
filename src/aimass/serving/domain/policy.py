"""What a traffic policy may say, and the static answer typed by the signature of a model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from aimass.kernel.errors import Invalid
from aimass.serving.domain.things import TROUBLES, WHOLE, Split

_HEADER = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}")
_SPLITS = ("random", "consumer", "header", "parameter")
_LONGEST_S = 3600
_SECRET = ("authorization", "x-api-key", "cookie")
_KINDS: dict[str, tuple[type, ...]] = {"string": (str,), "float": (int, float), "integer": (int,), "boolean": (bool,)}


class OutputLike(Protocol):
    """What the rules read of an output."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def type(self) -> str: ...  # noqa: D102
    @property
    def classes(self) -> Sequence[str] | None: ...  # noqa: D102
    @property
    def shape(self) -> Sequence[int] | None: ...  # noqa: D102
    @property
    def datatype(self) -> str | None: ...  # noqa: D102


PLAIN: Mapping[str, Any] = {
    "split": "random",
    "split_by": "",
    "shadow_percent": WHOLE,
    "fallback_on": list(TROUBLES),
    "fallback_after_s": None,
    "static": None,
}


def policy_of(row: Mapping[str, Any], shadow: str | None, fallback: str | None) -> dict[str, Any]:
    """Return a policy as its row keeps it in the fields of :class:`TrafficPolicy`, but for the weights.

    A row keeps the static answer with the types of its outputs, for the gateway.
    """
    static = row.get("static")
    values = None if static is None else {one["name"]: one["value"] for one in static}
    return {**PLAIN, **row, "static": values, "shadow": shadow, "fallback": fallback}


def told_policy(row: Mapping[str, Any], shadow: str | None, fallback: str | None) -> dict[str, Any]:
    """Return what of a policy differs from one that says nothing, for the history.

    Examples
    --------
    >>> told_policy({"split": "consumer", "split_by": "", "shadow_percent": 100}, None, "spare")
    {'split': 'consumer', 'fallback': 'spare'}
    """
    found = policy_of(row, shadow, fallback)
    return {name: value for name, value in found.items() if value and value != PLAIN.get(name)}


def check_split(split: Split, name: str) -> tuple[Split, str]:
    """Return a way to assign requests, or refuse one without a name that a request can carry.

    Examples
    --------
    >>> check_split("header", "X-Session"), check_split("consumer", "ignored")
    (('header', 'x-session'), ('consumer', ''))
    """
    if split not in _SPLITS:
        raise Invalid(f"{split!r} is no way to assign requests", field="split", value=split, allowed=list(_SPLITS))
    if split in ("random", "consumer"):
        return split, ""
    if not name:
        raise Invalid(f"a split by {split} needs its name", field="split_by", value=name, hint="for example x-session")
    if split == "parameter":
        return split, name
    if not _HEADER.fullmatch(name) or name.lower() in _SECRET:
        raise Invalid(
            f"{name!r} is no header to assign requests by", field="split_by", value=name, allowed=_HEADER.pattern
        )
    return split, name.lower()


def check_percent(percent: int) -> int:
    """Return a percentage of requests, or refuse one that is none."""
    if not isinstance(percent, int) or isinstance(percent, bool) or not 1 <= percent <= WHOLE:
        raise Invalid(f"{percent!r} is no percentage", field="shadow_percent", value=percent, allowed=f"1 to {WHOLE}")
    return percent


def check_after(seconds: float) -> float | None:
    """Return a time after which a deployment is given up, None for 0; or refuse one that is none."""
    if not _is(seconds, "float") or not 0 <= seconds <= _LONGEST_S:
        raise Invalid(
            f"{seconds!r} is no time", field="fallback_after_s", value=seconds, allowed=f"0 to {_LONGEST_S} seconds"
        )
    return float(seconds) or None


def check_troubles(on: Iterable[str]) -> list[str]:
    """Return the kinds of trouble in their order, or refuse one that is none."""
    given = set(on)
    for trouble in sorted(given - set(TROUBLES)):
        raise Invalid(f"{trouble!r} is no trouble", field="fallback_on", value=trouble, allowed=list(TROUBLES))
    return [trouble for trouble in TROUBLES if trouble in given]


def check_static(static: Mapping[str, Any], outputs: Sequence[OutputLike]) -> list[dict[str, Any]]:
    """Return a static answer that keeps to a signature, with the types of its outputs; or refuse it.

    Examples
    --------
    >>> from types import SimpleNamespace as Output
    >>> label = Output(name="label", type="string", classes=None, shape=(-1,), datatype=None)
    >>> shares = Output(name="probabilities", type="float", classes=("No", "Yes"), shape=(-1, 2), datatype=None)
    >>> [one["value"] for one in check_static({"label": "No", "probabilities": [1, 0]}, [label, shares])]
    ['No', [1.0, 0.0]]
    """
    if not isinstance(static, Mapping):
        raise Invalid("the static answer is no object", field="static", value=static, allowed="output to value")
    names = [one.name for one in outputs]
    for name in static:
        if name not in names:
            raise Invalid(f"the model has no output {name!r}", field="static", value=name, allowed=names)
    classes = next((one.classes for one in outputs if one.classes), None)
    found: list[dict[str, Any]] = []
    for one in outputs:
        if not one.classes and len(one.shape or ()) > 1:
            raise Invalid(
                f"output {one.name!r} is a tensor, and a static answer has one value for a row",
                field="static",
                value=one.name,
            )
        spec = {"name": one.name, "type": one.type, "value": _value(one, static.get(one.name), classes)}
        found.append(spec if one.datatype is None else {**spec, "datatype": one.datatype})
    return found


def _value(one: OutputLike, value: Any, classes: Sequence[str] | None) -> Any:
    if one.classes:
        if (
            not isinstance(value, list)
            or len(value) != len(one.classes)
            or not all(_is(item, "float") for item in value)
        ):
            raise Invalid(
                f"output {one.name!r} needs {len(one.classes)} numbers",
                field="static",
                value=value,
                allowed=list(one.classes),
            )
        return [float(item) for item in value]
    if not _is(value, one.type):
        raise Invalid(f"output {one.name!r} needs a {one.type}", field="static", value=value, allowed=one.type)
    if one.type == "string" and classes and value not in classes:
        raise Invalid(f"{value!r} is no class of the model", field="static", value=value, allowed=list(classes))
    return float(value) if one.type == "float" else value


def _is(value: Any, kind: str) -> bool:
    return isinstance(value, _KINDS[kind]) and (kind == "boolean") == isinstance(value, bool)
