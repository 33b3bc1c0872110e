"""``aimass apply`` and ``aimass export``: a workspace as YAML."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path
from typing import Any

import click
import yaml

from aimass.cli.connect import Connection, connection_options
from aimass.cli.show import console, plain, show

_STYLES = {"+": "green", "-": "red"}


@click.command(help="Bring a workspace to the state that a YAML file describes; '-' reads standard input.")
@click.option(
    "-f",
    "--file",
    "path",
    required=True,
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    help="File with one or more documents.",
)
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
def _apply(path: str, connection: Connection, *, dry_run: bool) -> None:
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text("utf-8")
        documents: list[Any] = [document for document in yaml.safe_load_all(text) if document is not None]
    except (yaml.YAMLError, UnicodeDecodeError) as reason:
        raise click.UsageError(f"{path} is no YAML: {reason}") from reason
    if any(not isinstance(document, dict) for document in documents):
        raise click.UsageError(f"{path}: every document is an object with kind and name")
    with connection.open() as client:
        changes = client.overview.apply_specs(documents=documents, dry_run=dry_run)
    if connection.as_json:
        show(changes, as_json=True)
        return
    for change in changes:
        console.print(f"{change.action:<7} {change.kind} {change.name}", markup=False)
        for line in _difference(change.before, change.after):
            console.print(f"        {line}", style=_STYLES.get(line[:1]), markup=False)
    if dry_run:
        console.print("nothing was changed (--dry-run)", style="dim")


def _difference(before: Any, after: Any) -> Iterator[str]:
    """Yield the lines that differ, with those around them."""
    texts = [yaml.safe_dump(plain(side), sort_keys=True, allow_unicode=True).splitlines() for side in (before, after)]
    old, new = ([] if text == ["{}"] else text for text in texts)
    for line in unified_diff(old, new, n=1, lineterm=""):
        if not line.startswith(("---", "+++", "@@")):
            yield line


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
