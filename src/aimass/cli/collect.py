"""``aimass data collect``: bring a file into a dataset."""

from __future__ import annotations

from pathlib import Path

import click

from aimass.cli.connect import Connection, connection_options
from aimass.cli.progress import progress
from aimass.cli.show import show


@click.command(
    help="Bring a file into a dataset: CSV, JSON, XML, fixed widths, Excel, Parquet, Arrow, Avro, ORC, WAV, pictures; texts may be packed."
)
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--name", help="Name of the dataset; that of the file when absent.")
@click.option(
    "--type", "types", multiple=True, help="Type of a column, over the proposed one: --type TotalCharges=float"
)
@click.option(
    "--read", "reading", multiple=True, help="How the file is written, over what is guessed: --read sheet=May"
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
            reading=dict(_said(str(text)) for text in given["reading"]),  # pyright: ignore[reportGeneralTypeIssues]
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


def _said(text: str) -> tuple[str, object]:
    """Read what is said of a file: numbers for rows and widths, yes or no for the header.

    Examples
    --------
    >>> _said("widths=3 5 2"), _said("header=no"), _said("sheet=May")
    (('widths', [3, 5, 2]), ('header', False), ('sheet', 'May'))
    """
    name, sign, value = text.partition("=")
    if not sign:
        raise click.UsageError(f"{text!r} is no NAME=VALUE")
    try:
        if name in ("skip_rows", "sample_rate", "clip_ms", "width", "height", "channels"):
            return name, int(value)
        if name == "widths":
            return name, [int(width) for width in value.replace(",", " ").split()]
    except ValueError:
        raise click.UsageError(f"{value!r} counts nothing: {name} takes whole numbers") from None
    return name, value.lower() in {"yes", "true"} if name == "header" else value


collect = connection_options(_collect)
