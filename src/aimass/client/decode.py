"""Turn JSON replies into the typed objects that the SDK promises."""

from __future__ import annotations

import dataclasses
import types
from datetime import datetime
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from aimass.kernel.clock import parse_instant


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def decode(kind: Any, value: Any) -> Any:
    """Build a value of the given type from JSON; fields that a newer server adds are left out.

    Examples
    --------
    >>> decode(list[datetime], ["2026-05-01T12:00:00.000Z"])[0].year
    2026
    """
    origin = get_origin(kind)
    if value is None or kind in (Any, None) or origin is Literal:
        return value
    if origin is None:
        return _decode_plain(kind, value)
    if origin in (Union, types.UnionType):
        return _decode_union(kind, value)
    if origin in (list, tuple):
        return origin(decode(get_args(kind)[0], item) for item in value)
    if origin is dict:
        return {key: decode(get_args(kind)[1], item) for key, item in value.items()}
    return _decode_generic(origin, get_args(kind), value)


def _decode_union(kind: Any, value: Any) -> Any:
    options = [option for option in get_args(kind) if option is not type(None)]
    return decode(options[0], value) if len(options) == 1 else value


def _decode_plain(kind: Any, value: Any) -> Any:
    if kind is datetime:
        return parse_instant(value)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = _hints(kind)
        return kind(**{name: decode(hints[name], value[name]) for name in hints if name in value})
    return float(value) if kind is float else value


def _decode_generic(origin: Any, args: tuple[Any, ...], value: Any) -> Any:
    """Build ``Page[T]``, the one generic dataclass."""
    return origin(items=[decode(args[0], item) for item in value["items"]], next=value.get("next"))
