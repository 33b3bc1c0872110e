"""``aimass predict``: score rows through the gateway."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import orjson

from aimass.cli.connect import Connection, connection_options
from aimass.cli.show import show


@click.argument("endpoint")
@click.option("--row", "rows", multiple=True, help="A row as JSON: '{\"tenure\": 3, ...}'; may be repeated.")
@click.option(
    "--file", type=click.Path(exists=True, path_type=Path), help="Rows as JSON lines; '-' reads standard input."
)
@click.option("--request-id", help="Your own id of the request; feedback refers to it.")
@click.command(help="Score rows through an endpoint.")
def _predict(
    endpoint: str, rows: tuple[str, ...], file: Path | None, request_id: str | None, connection: Connection
) -> None:
    lines = list(rows)
    if file is not None:
        lines += [line for line in file.read_text().splitlines() if line.strip()]
    elif not rows:
        lines = [line for line in sys.stdin if line.strip()]
    try:
        values = [orjson.loads(line) for line in lines]
    except orjson.JSONDecodeError as reason:
        raise click.UsageError(f"a row is no JSON: {reason}") from reason
    with connection.open() as client:
        show(client.predict(endpoint, values, request_id=request_id), as_json=connection.as_json)


predict = connection_options(_predict)
