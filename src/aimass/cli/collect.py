"""``aimass data collect``: bring a file into a dataset."""

from __future__ import annotations

from pathlib import Path

import click

from aimass.cli.connect import Connection, connection_options
from aimass.cli.progress import progress
from aimass.cli.show import show


@click.command(help="Bring a CSV, Parquet or NDJSON file into a dataset.")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--name", help="Name of the dataset; that of the file when absent.")
@click.option(
    "--type", "types", multiple=True, help="Type of a column, over the proposed one: --type TotalCharges=float"
)
@click.option("--key", "keys", multiple=True, help="Column that names a row, for a new dataset.")
@click.option(
    "--mode", type=click.Choice(["append", "replace"]), default="append", help="Add rows, or replace them all."
)
def _collect(path: Path, connection: Connection, **given: object) -> None:
    types = dict(_pair(str(text)) for text in given["types"])  # pyright: ignore[reportGeneralTypeIssues]
    title = f"collect {path.name}"
    with connection.open() as client, progress(title, quiet=connection.as_json) as told:
        version = client.collect(
            path,
            str(given["name"] or path.stem),
            types=types,
            keys=list(given["keys"]),  # pyright: ignore[reportArgumentType]
            mode=str(given["mode"]),
            progress=told,
        )
    show(version, as_json=connection.as_json)


def _pair(text: str) -> tuple[str, str]:
    name, sign, kind = text.rpartition("=")
    if not sign:
        raise click.UsageError(f"{text!r} is no COLUMN=TYPE")
    return name, kind


collect = connection_options(_collect)
