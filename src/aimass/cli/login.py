"""``aimass login`` and ``logout``: keep address and key, or this device, for later commands."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import Any

import click

from aimass import client as sdk
from aimass.cli.show import show
from aimass.kernel.errors import Invalid, NotFound

_SESSION = "ais_"


@click.command(help="Sign in, and keep address and key for later commands.")
@click.option(
    "--url",
    default="http://127.0.0.1:8800",
    show_default=True,
    envvar="AIMASS_URL",
    help="Address of the platform [env AIMASS_URL].",
)
@click.option("--name", help="Name of the user; asked for when no key is given.")
@click.option("--code", help="Code of the authenticator, when the account has one.")
@click.option("--api-key", "--key", "key", help="API key instead of a password.")
@click.option(
    "--device",
    is_flag=True,
    help="Show a code that you type at the console, where you are signed in; also the way when nothing can be typed here.",
)
@click.option("--workspace", "-w", help="Workspace that later commands use.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def login(url: str, workspace: str | None, *, as_json: bool, **way: Any) -> None:
    """Sign in by password, asked for or piped in, by key, or by a code at another screen."""
    kept = _credential(sdk.ClientSettings(url=url, workspace=workspace), _Way(**way), is_told=not as_json)
    if kept.device is not None:
        sdk.save_settings(kept)
    with sdk.Client(url, key=kept.key) as client:
        me = client.access.who_am_i()
        note = _missing(client, workspace)
    path = sdk.save_settings(kept) if kept.device is None else sdk.config_path()
    if as_json:
        show({"name": me.name, "url": url, "workspace": workspace, "file": str(path), "note": note}, as_json=True)
    else:
        click.echo(f"signed in as {me.name!r}; kept in {path}")
        click.echo(note, nl=bool(note))


@click.command(help="Sign this device out, and forget its key.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def logout(*, as_json: bool) -> None:
    """End the session or the device at the platform; a key that somebody made stays as it is."""
    kept = sdk.saved_settings()
    if kept.device is not None:
        sdk.sign_device_out(kept.url, kept.device)
    elif (kept.key or "").startswith(_SESSION):
        with sdk.Client(kept.url, key="") as client:
            client.access.sign_out(token=kept.key or "")
    path = sdk.save_settings(replace(kept, key=None, device=None))
    if as_json:
        show({"url": kept.url, "file": str(path)}, as_json=True)
    else:
        click.echo(f"signed out; nothing secret is left in {path}")


@dataclass(frozen=True, slots=True)
class _Way:
    """How somebody wants to prove himself."""

    name: str | None
    code: str | None
    key: str | None
    device: bool


def _credential(where: sdk.ClientSettings, way: _Way, *, is_told: bool) -> sdk.ClientSettings:
    """Return the settings with the key, the session or the device that the way leads to."""
    if way.device and (way.key or way.name or way.code):
        raise Invalid("--device asks for no name, code or key", field="device", hint="leave them out")
    if way.key is not None:
        return replace(where, key=way.key)
    typed = None if way.device else _typed(way.name, is_told=is_told)
    if typed is None:
        return replace(where, device=sdk.sign_in_by_device(where.url, _tell))
    with sdk.Client(where.url, key="") as client:
        session = client.access.sign_in(name=typed[0], password=typed[1], totp=way.code, agent="aimass login")
    return replace(where, key=session.token)


def _typed(name: str | None, *, is_told: bool) -> tuple[str, str] | None:
    """Return name and password as typed or piped in; none where there is nobody to type and nothing in the pipe."""
    if sys.stdin.isatty():
        name = name or click.prompt("name", err=not is_told)
        return str(name), click.prompt("password", hide_input=True, err=True)
    name = name or sys.stdin.readline().rstrip("\n")
    return (name, sys.stdin.readline().rstrip("\n")) if name else None


def _tell(code: sdk.DeviceCode) -> None:
    """Say what to do at the other screen, on standard error: the answer may be read by a program."""
    click.echo(f"open {code.page} and enter {code.user_code}, or open {code.address}", err=True)
    click.echo(f"waiting, {code.expires_in_s // 60} minutes at most ...", err=True)


def _missing(client: sdk.Client, workspace: str | None) -> str:
    """Say that the workspace has to be made first, if it has."""
    try:
        if workspace is not None:
            client.access.get_workspace(workspace=workspace)
    except NotFound as reason:
        return f"{reason.message}: make it with 'aimass workspaces create {workspace}'"
    return ""
