"""Show results: tables and facts for people, JSON for programs."""

from __future__ import annotations

import dataclasses
import sys
from datetime import datetime
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from aimass.kernel.clock import instant

_WIDE = 2000  # where nobody looks, a row is a line
console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE)
_WHOLE = frozenset({"id", "slug", "name", "number", "state"})
_HIDDEN = frozenset({"version", "workspace"})
_MAX_COLUMNS = 8
_MAX_CELL = 60


def plain(value: Any) -> Any:
    """Turn objects into JSON values.

    Examples
    --------
    >>> plain({"a": (1, 2)})
    {'a': [1, 2]}
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return instant(value) if isinstance(value, datetime) else value


def cell(value: Any) -> str:
    """Write a value into a table cell.

    Examples
    --------
    >>> cell(None), cell(0.123456), cell([1, 2])
    ('-', '0.1235', '1, 2')
    """
    if value is None or value == "":
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        text = ", ".join(cell(v) for v in value)
    elif isinstance(value, dict):
        text = " ".join(f"{k}={cell(v)}" for k, v in value.items())
    else:
        text = str(value)
    return text if len(text) <= _MAX_CELL else text[: _MAX_CELL - 1] + "…"


def show(result: Any, *, as_json: bool) -> None:
    """Print a result."""
    value = plain(result)
    if as_json:
        print(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())  # noqa: T201 this is the output of the command
    elif isinstance(value, dict) and isinstance(value.get("items"), list):
        _rows(value["items"])
        if value.get("next"):
            console.print(f"[dim]more: --cursor {value['next']}[/dim]")
    elif isinstance(value, list):
        _rows(value)
    elif isinstance(value, dict) and isinstance(value.get("lines"), list):
        _log(value)
    elif isinstance(value, dict) and _is_answer(value):
        _answer(value)
    elif isinstance(value, dict):
        _facts(value)
    elif value is not None:
        console.print(cell(value), markup=False)


def _is_answer(value: dict[str, Any]) -> bool:
    """Tell rows with named columns: what a query or a preview answers."""
    return _is_table(value.get("columns")) and isinstance(value.get("rows"), list)


def _answer(value: dict[str, Any]) -> None:
    """Print rows below the names of their columns; numbers keep their digits, because they are what was asked for."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in value["columns"]:
        table.add_column(Text(column["name"]), overflow="fold")
    for row in value["rows"]:
        table.add_row(*[Text(f"{one:.15g}" if isinstance(one, float) else cell(one)) for one in row])
    console.print(table)
    if value.get("truncated"):
        console.print("[dim]there are more: --limit, or fewer rows by LIMIT and WHERE[/dim]")


def _log(value: dict[str, Any]) -> None:
    for line in value["lines"]:
        console.print(line["text"], markup=False)
    if not value.get("is_complete", True):
        console.print(f"[dim]more: --after {value['next']}[/dim]")


def _rows(items: list[Any]) -> None:
    if not items:
        console.print("[dim]nothing here yet[/dim]")
        return
    if not isinstance(items[0], dict):
        for item in items:
            console.print(cell(item), markup=False)
        return
    names = [n for n in items[0] if n not in _HIDDEN and any(not isinstance(i.get(n), dict | list) for i in items)]
    table, shown = Table(box=None, header_style="bold", pad_edge=False), chosen(names)
    for name in shown:
        table.add_column(name, overflow="fold", no_wrap=name in _WHOLE)
    for item in items:
        table.add_row(*[cell(item.get(n)) for n in shown])
    console.print(table)


def chosen(names: list[str]) -> list[str]:
    """Return the columns of a list that there is room for: the first ones, and the state wherever it stands.

    Examples
    --------
    >>> chosen(["id", *"abcdefghi", "state"])
    ['id', 'a', 'b', 'c', 'd', 'e', 'f', 'state']
    """
    first = names[:_MAX_COLUMNS]
    return [*first[:-1], "state"] if "state" in names[_MAX_COLUMNS:] else first


def _facts(value: dict[str, Any]) -> None:
    """Print the plain values of a thing, then each list of things that it has."""
    parts = {name: item for name, item in value.items() if _is_table(item)}
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, item in value.items():
        if name not in parts:
            table.add_row(name, cell(item))
    console.print(table)
    for name, items in parts.items():
        console.print(f"\n[bold]{name}[/bold]")
        _rows(items)


def _is_table(item: Any) -> bool:
    return isinstance(item, list) and bool(item) and all(isinstance(one, dict) for one in item)
