"""``aimass login``: keep address and key for later commands."""

from __future__ import annotations

import click

from aimass import client as sdk


@click.command(help="Sign in, and keep address and key for later commands.")
@click.option("--url", default="http://127.0.0.1:8800", show_default=True, help="Address of the platform.")
@click.option("--name", help="Name of the user; asked for when no key is given.")
@click.option("--code", help="Code of the authenticator, when the account has one.")
@click.option("--key", help="API key instead of a password.")
@click.option("--workspace", "-w", help="Workspace that later commands use.")
def login(url: str, name: str | None, code: str | None, key: str | None, workspace: str | None) -> None:
    """Sign in by password or key."""
    if key is None:
        name = name or click.prompt("name")
        password = click.prompt("password", hide_input=True)
        with sdk.Client(url) as client:
            session = client.access.sign_in(name=name, password=password, totp=code, agent="aimass login")
        key = session.token
    with sdk.Client(url, key=key) as client:
        me = client.access.who_am_i()
    path = sdk.save_settings(sdk.ClientSettings(url=url, key=key, workspace=workspace))
    click.echo(f"signed in as {me.name!r}; kept in {path}")
