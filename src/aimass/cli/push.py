"""``aimass data push``: push the rows of a file, or of standard input, to a source."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from aimass.cli.connect import Connection, connection_options
from aimass.cli.show import show


@click.command(help="Push rows to a source: JSON or an object a line, from a file or, with '-', from standard input.")
@click.argument("source")
@click.argument("path", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--delivery", help="Name of this delivery: the same one again within a day is stored once.")
def _push(source: str, path: Path, connection: Connection, delivery: str | None) -> None:
    with connection.open() as client:
        lines = (line for line in sys.stdin.buffer if line.strip()) if str(path) == "-" else path
        done = client.push(source, lines, key=delivery)
    show(done, as_json=connection.as_json)


push = connection_options(_push)
