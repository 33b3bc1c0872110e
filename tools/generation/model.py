"""Gather the use cases and the types they speak of."""

from __future__ import annotations

import dataclasses
import enum
import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import annotated_types

from aimass.bootstrap import capabilities
from aimass.client.operations import Operation, Param
from aimass.kernel.capability import Capability, load
from aimass.kernel.pages import Page
from aimass.kernel.usecase import UseCase, use_cases

_REPEATED = ("str", "int", "float")
PLAIN = {str: "str", int: "int", float: "float", bool: "bool", datetime: "datetime", type(None): "None", Any: "Any"}


@dataclass(slots=True)
class Platform:
    """Everything that is generated from."""

    capabilities: list[Capability]
    cases: list[UseCase]
    types: list[type] = field(default_factory=list[type])


def gather() -> Platform:
    """Read every capability and its use cases."""
    found = capabilities()
    cases = [case for capability in found if capability.service for case in use_cases(load(capability.service))]
    platform = Platform(found, sorted(cases, key=lambda c: c.name))
    for case in platform.cases:
        collect(case.result, platform.types)
        if case.command is not None:
            for hint in get_type_hints(case.command).values():
                collect(hint, platform.types)
    return platform


def collect(kind: Any, found: list[type]) -> None:
    """Add the dataclasses that a type mentions, at any depth."""
    for one in mentioned(kind):
        if one not in found:
            found.append(one)
            for hint in get_type_hints(one).values():
                collect(hint, found)


def mentioned(kind: Any) -> list[type]:
    """Return the dataclasses that stand in a type itself."""
    if dataclasses.is_dataclass(kind) and isinstance(kind, type) and kind is not Page:
        return [kind]
    return [one for part in get_args(kind) for one in mentioned(part)]


def spell(kind: Any) -> str:
    """Write a type as source."""
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return "Literal[" + ", ".join(repr(member.value) for member in kind) + "]"
    origin, args = get_origin(kind), get_args(kind)
    if kind in PLAIN:
        return PLAIN[kind]
    if origin is Annotated:
        return spell(args[0])
    if origin in (Union, types.UnionType):
        return " | ".join(spell(a) for a in args)
    if origin is Literal:
        return "Literal[" + ", ".join(map(repr, args)) + "]"
    if origin is Page:
        return f"Page[{spell(args[0])}]"
    return _spell_container(kind, origin, args)


def _spell_container(kind: Any, origin: Any, args: tuple[Any, ...]) -> str:
    if origin in (list, tuple, set, frozenset) or (origin is not None and origin.__name__ in ("Sequence", "Iterable")):
        return f"list[{spell(args[0])}]"
    if origin is dict or origin is Mapping or (origin is not None and origin.__name__ == "Mapping"):
        return f"dict[{spell(args[0])}, {spell(args[1])}]"
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return kind.__name__
    return "dict[str, Any]" if kind is dict else "Any"


def operation_of(case: UseCase) -> Operation:
    """Describe a use case for the catalogue."""
    params = _params(case) if case.command is not None else ()
    return Operation(
        name=case.name,
        method=case.method,
        path=case.path,
        cli=case.cli,
        permission=case.permission,
        summary=case.summary,
        help=case.help,
        params=params,
        progress=case.progress,
    )


def _params(case: UseCase) -> tuple[Param, ...]:
    assert case.command is not None  # noqa: S101 the caller checked
    hints = get_type_hints(case.command, include_extras=True)
    return tuple(_param(case, f, hints[f.name]) for f in dataclasses.fields(case.command))


def _param(case: UseCase, field_: dataclasses.Field[Any], hint: Any) -> Param:
    notes = (
        [m for m in get_args(hint)[1:] if isinstance(m, annotated_types.DocInfo)]
        if get_origin(hint) is Annotated
        else []
    )
    bare = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    required = field_.default is MISSING and field_.default_factory is MISSING
    default = field_.default if field_.default is not MISSING and not required else None
    kind, many, choices = _kind_of(bare)
    return Param(
        name=field_.name,
        where=_where(case, field_.name),
        kind=kind,
        required=required,
        default=default.value
        if isinstance(default, enum.Enum)
        else (default if isinstance(default, str | int | float | bool) else None),
        many=many,
        choices=choices,
        help=notes[0].documentation if notes else "",
    )


def _where(case: UseCase, name: str) -> Literal["path", "query", "body", "if-match"]:
    if "{" + name + "}" in case.path:
        return "path"
    if name == "expected_version":
        return "if-match"
    return "query" if case.method in ("GET", "DELETE") else "body"


def _kind_of(kind: Any) -> tuple[str, bool, tuple[str, ...]]:
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _kind_of(args[0])
    if origin in (Union, types.UnionType):
        rest = [a for a in args if a is not type(None)]
        return _kind_of(rest[0]) if len(rest) == 1 else ("json", False, ())
    if origin is Literal:
        return "str", False, tuple(map(str, args))
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return "str", False, tuple(str(m.value) for m in kind)
    if origin in (list, tuple) and args:
        inner, is_many, choices = _kind_of(args[0])
        return (inner, True, choices) if inner in _REPEATED and not is_many else ("json", False, ())
    if kind in (str, int, float, bool):
        return PLAIN[kind], False, ()
    return ("str", False, ()) if kind is datetime else ("json", False, ())
