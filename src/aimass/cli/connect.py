"""The options that every command shares: where the platform is, who calls, how to print."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from aimass import client as sdk

if TYPE_CHECKING:
    from aimass.client import Client


_OWN = "connection_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How a command reaches the platform."""

    url: str | None
    key: str | None
    workspace: str | None
    as_json: bool

    def open(self) -> Client:
        """Connect."""
        return sdk.Client(self.url, key=self.key, workspace=self.workspace)


def connection_options(command: click.Command) -> click.Command:
    """Add ``--url``, ``--api-key``, ``--workspace`` and ``--json`` to a command, whatever its own values are called.

    ``--key`` means the same as ``--api-key`` in the commands that have no other key.
    """
    inner = command.callback
    if inner is None:
        return command

    @functools.wraps(inner)
    def callback(**values: Any) -> Any:
        names = ("url", "key", "workspace", "as_json")
        connection = Connection(**{name: values.pop(_OWN + name) for name in names})
        return inner(connection=connection, **values)

    command.callback = callback
    taken = {name for param in command.params for name in param.opts}

    def free(*names: str) -> list[str]:
        return [name for name in names if name not in taken]

    command.params += [
        click.Option([*free("--url"), _OWN + "url"], help="Address of the platform [env AIMASS_URL]."),
        click.Option([*free("--api-key", "--key"), _OWN + "key"], help="API key [env AIMASS_KEY]."),
        click.Option([*free("--workspace", "-w"), _OWN + "workspace"], help="Workspace [env AIMASS_WORKSPACE]."),
        click.Option([*free("--json"), _OWN + "as_json"], is_flag=True, help="Print JSON for programs."),
    ]
    return command
