"""``aimass apply`` and ``aimass export``: a workspace as YAML."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
import yaml

from aimass.cli.connect import Connection, connection_options
from aimass.cli.show import console, plain, show


@click.command(help="Bring a workspace to the state that a YAML file describes; '-' reads standard input.")
@click.option(
    "-f", "--file", "path", required=True, type=click.Path(allow_dash=True), help="File with one or more documents."
)
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
def _apply(path: str, connection: Connection, *, dry_run: bool) -> None:
    text = sys.stdin.read() if path == "-" else Path(path).read_text()
    try:
        documents: list[Any] = [document for document in yaml.safe_load_all(text) if document is not None]
    except yaml.YAMLError as reason:
        raise click.UsageError(f"{path} is no YAML: {reason}") from reason
    if any(not isinstance(document, dict) for document in documents):
        raise click.UsageError(f"{path}: every document is an object with kind and name")
    with connection.open() as client:
        changes = client.overview.apply_specs(documents=documents, dry_run=dry_run)
    if connection.as_json:
        show(changes, as_json=True)
        return
    for change in changes:
        console.print(f"{change.action:<7} {change.kind} {change.name}  {', '.join(change.fields)}", markup=False)
    if dry_run:
        console.print("nothing was changed (--dry-run)", style="dim")


@click.command(help="Write everything that has a spec as YAML; applying it again changes nothing.")
def _export(connection: Connection) -> None:
    with connection.open() as client:
        documents = plain(client.overview.export_specs())
    if connection.as_json:
        show(documents, as_json=True)
        return
    click.echo(yaml.safe_dump_all(documents, sort_keys=False, allow_unicode=True), nl=False)


apply = connection_options(_apply)
export = connection_options(_export)
