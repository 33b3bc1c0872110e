"""How a source of a connection is read: the rules that hold before anything is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from aimass.collector.commands import (
    WIDER,
    ChangeReading,
    CollectStreams,
    FoundStream,
    LoadedColumn,
    StreamWish,
)
from aimass.collector.connectors import ConnectorManifest
from aimass.kernel.errors import Invalid

_INTO: Mapping[str, tuple[str, ...]] = {
    "full": ("append", "replace", "merge"),
    "incremental": ("append", "merge"),
    "changes": ("merge", "append"),
    "stream": ("append", "merge"),
}
_BEST = ("changes", "stream", "incremental", "full")
_CURSORS = ("integer", "float", "decimal", "timestamp", "date", "string")
MAX_DIGITS = 38
PUSHED_EVERY_S = 0.0  # what is pushed is collected without being asked


def reading_of(
    command: CollectStreams, wish: StreamWish, found: FoundStream, manifest: ConnectorManifest
) -> dict[str, Any]:
    """Put together how a stream is read, from what was asked for and what the origin tells."""
    cursor = wish.cursor or (found.cursors[0] if found.cursors else None)
    mode = command.reading or _usual(found, cursor)
    keys = found.keys if wish.keys is None else wish.keys
    usual_into = {
        "full": "replace",
        "incremental": "merge" if keys else "append",
        "changes": "merge",
        "stream": "append",
    }
    told = {
        "stream": found.name,
        "parameters": dict(wish.stream_parameters),
        "mode": mode,
        "cursor": cursor if mode in ("incremental", "full") else None,
        "keys": list(keys),
        "lag_s": command.lag_s,
        "into": command.into or usual_into[mode],
        "drift": command.drift,
        "poison": command.poison or ("stop" if mode == "full" else "skip"),
        "with_run": command.with_run,
        "every_s": PUSHED_EVERY_S if command.every_s is None and manifest.family == "push" else command.every_s,
    }
    columns = wish.columns or found.columns
    if told["cursor"] and told["cursor"] not in {column.name for column in columns} and wish.cursor is None:
        told["cursor"] = None
    check_reading(told, columns, manifest, found.modes)
    return told


def _usual(found: FoundStream, cursor: str | None) -> str:
    offered = [mode for mode in _BEST if mode in found.modes and (mode != "incremental" or cursor)]
    return offered[0] if offered else "full"


def changed_reading(before: Mapping[str, Any], command: ChangeReading) -> dict[str, Any]:
    """Return the reading with what was asked for."""
    given = {
        "parameters": command.stream_parameters,
        "mode": command.reading,
        **{name: getattr(command, name) for name in ("into", "keys", "cursor", "lag_s", "drift", "poison", "with_run")},
    }
    told = {**before, **{name: value for name, value in given.items() if value is not None}}
    if command.every_s is not None:
        told["every_s"] = None if command.every_s < 0 else command.every_s
    return told


def check_reading(
    told: Mapping[str, Any], columns: Sequence[LoadedColumn], manifest: ConnectorManifest, modes: Sequence[str] = ()
) -> None:
    """Refuse a reading that cannot work, and say what could."""
    names = {column.name: column.type for column in columns}
    allowed = sorted(set(modes) & manifest.modes) if modes else sorted(manifest.modes)
    if told["mode"] not in allowed:
        raise Invalid(
            f"{told['stream']!r} cannot be read in mode {told['mode']!r}",
            field="reading",
            value=told["mode"],
            allowed=allowed,
        )
    if told["into"] not in _INTO[told["mode"]]:
        raise Invalid(
            f"a reading of mode {told['mode']!r} cannot {told['into']}",
            field="into",
            value=told["into"],
            allowed=list(_INTO[told["mode"]]),
        )
    if told["mode"] == "incremental" and told["cursor"] is None:
        raise Invalid("an incremental reading needs a cursor", field="cursor", allowed=sorted(names)[:50])
    if told["cursor"] is not None and names.get(told["cursor"]) not in _CURSORS:
        fitting = [name for name, kind in names.items() if kind in _CURSORS]
        raise Invalid(
            f"{told['cursor']!r} is no column that can be a cursor",
            field="cursor",
            value=told["cursor"],
            allowed=fitting[:50],
        )
    if told["into"] == "merge" and not told["keys"]:
        raise Invalid("a merge needs keys", field="keys", allowed=sorted(names)[:50], hint="name the key, or append")
    missing = [key for key in told["keys"] if key not in names]
    if missing:
        raise Invalid(
            f"the key {missing[0]!r} is no column", field="keys", value=missing[0], allowed=sorted(names)[:50]
        )


def check_columns(columns: Sequence[LoadedColumn]) -> list[dict[str, Any]]:
    """Return the columns as a plan keeps them, or say what is wrong with one."""
    seen: set[str] = set()
    for column in columns:
        if not column.name or column.name.lower() in seen:
            raise Invalid(f"column name {column.name!r} is empty or appears twice", field="columns", value=column.name)
        seen.add(column.name.lower())
        digits, behind = column.precision or MAX_DIGITS, column.scale or 0
        if column.type == "decimal" and not (1 <= digits <= MAX_DIGITS and 0 <= behind <= digits):
            raise Invalid(
                f"column {column.name!r} cannot have {digits} digits, {behind} of them behind the point",
                field="precision",
                value=digits,
                allowed=f"1 to {MAX_DIGITS}, and a scale of at most as many",
            )
    if not seen:
        raise Invalid("there are no columns", field="columns", hint="name the columns and their types")
    return [asdict(column) for column in columns]


def with_added(confirmed: Sequence[Mapping[str, Any]], stored: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the confirmed columns with what a collection added and widened; what was confirmed meanwhile stays.

    Examples
    --------
    >>> found = with_added([{"name": "a", "type": "string"}], [{"name": "a", "type": "integer"}, {"name": "b", "type": "date"}])
    >>> [(column["name"], column["type"]) for column in found]
    [('a', 'string'), ('b', 'date')]
    """
    there = {column["name"]: column for column in stored}
    kept = [dict(there[c["name"]] if _is_wider(there.get(c["name"]), c) else c) for c in confirmed]
    names = {column["name"] for column in confirmed}
    return [*kept, *(dict(column) for column in stored if column["name"] not in names)]


def _is_wider(stored: Mapping[str, Any] | None, confirmed: Mapping[str, Any]) -> bool:
    return stored is not None and stored["type"] in WIDER.get(confirmed["type"], ())
