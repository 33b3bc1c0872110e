"""``aimass login``: keep address and key for later commands."""

from __future__ import annotations

import sys

import click

from aimass import client as sdk
from aimass.cli.show import show
from aimass.kernel.errors import NotFound


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
@click.option("--workspace", "-w", help="Workspace that later commands use.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def login(
    url: str, name: str | None, code: str | None, key: str | None, workspace: str | None, *, as_json: bool
) -> None:
    """Sign in by password, asked for or piped in, or by key."""
    if key is None:
        name = name or click.prompt("name", err=as_json)
        with sdk.Client(url, key="") as client:
            session = client.access.sign_in(name=name, password=_password(), totp=code, agent="aimass login")
        key = session.token
    with sdk.Client(url, key=key) as client:
        me = client.access.who_am_i()
        note = _missing(client, workspace)
    path = sdk.save_settings(sdk.ClientSettings(url=url, key=key, workspace=workspace))
    if as_json:
        show({"name": me.name, "url": url, "workspace": workspace, "file": str(path), "note": note}, as_json=True)
    else:
        click.echo(f"signed in as {me.name!r}; kept in {path}")
        click.echo(note, nl=bool(note))


def _password() -> str:
    if sys.stdin.isatty():
        return click.prompt("password", hide_input=True, err=True)
    return sys.stdin.readline().rstrip("\n")


def _missing(client: sdk.Client, workspace: str | None) -> str:
    """Say that the workspace has to be made first, if it has."""
    try:
        if workspace is not None:
            client.access.get_workspace(workspace=workspace)
    except NotFound as reason:
        return f"{reason.message}: make it with 'aimass workspaces create {workspace}'"
    return ""
