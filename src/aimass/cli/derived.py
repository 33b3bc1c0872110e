"""Build a command for each operation of the catalogue."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click
import orjson

from aimass.cli.connect import Connection, connection_options
from aimass.cli.follow import follow, send
from aimass.cli.show import show
from aimass.client import OPERATIONS, Operation, Param

_TYPES: dict[str, click.ParamType] = {"str": click.STRING, "int": click.INT, "float": click.FLOAT, "bool": click.BOOL}
_SECTION = re.compile(r"\n\s*\n\s*(?:Raises|Returns|Parameters|Notes|References|Examples)\s*\n\s*-{3,}")
_NAMES = {"key": "once"}  # --key is the API key of every command


class JsonType(click.ParamType):
    """A JSON value, or ``@file`` with one."""

    name = "json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read the JSON text."""
        if not isinstance(value, str):
            return value
        try:
            return orjson.loads(Path(value[1:]).read_bytes() if value.startswith("@") else value)
        except OSError as reason:
            self.fail(f"{value[1:]!r} cannot be read: {reason.strerror}", param, ctx)
        except orjson.JSONDecodeError as reason:
            self.fail(f"{value[:60]!r} is no JSON: {reason}", param, ctx)


class TextsType(click.ParamType):
    """One of several texts, or ``@file`` with one a line; ``@@`` begins a text that begins with ``@``."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read the file, if it is one."""
        if not isinstance(value, str) or not value.startswith("@"):
            return value
        if value.startswith("@@"):
            return value[1:]
        try:
            lines = Path(value[1:]).read_text(encoding="utf-8").splitlines()
        except OSError as reason:
            self.fail(f"{value[1:]!r} cannot be read: {reason.strerror}", param, ctx)
        except UnicodeDecodeError:
            self.fail(f"{value[1:]!r} is no text in UTF-8", param, ctx)
        return [line.strip() for line in lines if line.strip()]


def words() -> dict[str, Operation]:
    """Return the command words of each operation that has any, ``"data create"``."""
    return {operation.cli: operation for operation in OPERATIONS.values() if operation.cli}


def command_of(operation: Operation, name: str) -> click.Command:
    """Return the click command of an operation."""
    subject = _subject(operation)
    params = [_parameter(p, positional=p is subject) for p in operation.params if p.name != "workspace"]
    if operation.progress:
        params.append(click.Option(["--wait/--no-wait"], default=True, help="Follow until the end, or only start it."))
    command = click.Command(
        name, params=params, help=_told(operation.help), short_help=operation.summary, callback=_run(operation)
    )
    return connection_options(command)


def _told(doc: str) -> str:
    r"""Return the prose of a docstring, without its sections for programmers.

    Examples
    --------
    >>> _told("Do it.\n\n    Well.\n\n    Raises\n    ------\n    Conflict\n        It is done.")
    'Do it.\n\n    Well.'
    """
    return _SECTION.split(doc, maxsplit=1)[0].rstrip()


def _subject(operation: Operation) -> Param | None:
    """Return the parameter given without an option: the last one in the path, else a required name."""
    in_path = [p for p in operation.params if p.where == "path" and p.name != "workspace"]
    if in_path:
        return in_path[-1]
    return next((p for p in operation.params if p.required and p.name in ("name", "sql", "query")), None)


def _parameter(param: Param, *, positional: bool) -> click.Parameter:
    kind: Any = click.Choice(param.choices) if param.choices else _TYPES.get(param.kind) or JsonType()
    if param.many and kind is click.STRING and not positional:
        kind = TextsType()
    if positional:
        return click.Argument([param.name], type=kind, required=param.required)
    option = "--" + _NAMES.get(param.name, param.name).replace("_", "-")
    note = param.help + (f" [default: {param.default}]" if param.default not in (None, "") else "")
    if param.kind == "bool" and not param.many:
        return click.Option(
            [f"{option}/--no-{option[2:]}", param.name], default=None, required=param.required, help=note
        )
    return click.Option([option, param.name], type=kind, required=param.required, multiple=param.many, help=note)


def _flat(given: tuple[Any, ...]) -> list[Any]:
    """Return the values of a repeated option, where a file may have given several."""
    return [one for value in given for one in (value if isinstance(value, list) else [value])]


def _run(operation: Operation) -> Any:
    def callback(**values: Any) -> None:
        connection: Connection = values.pop("connection")
        wait = values.pop("wait", False)
        given = {k: (_flat(v) or None) if isinstance(v, tuple) else v for k, v in values.items()}
        with connection.open() as client:
            reply = send(client, operation, given)
            if wait and isinstance(reply, dict):
                reply = follow(client, operation, given, reply, quiet=connection.as_json)
            show(reply if reply is not None else {"done": operation.summary}, as_json=connection.as_json)

    return callback
