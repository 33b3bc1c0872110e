"""``aimass predict``: score rows through the gateway, or a whole dataset as a job."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from aimass.cli.calling import as_caller
from aimass.cli.connect import Connection, connection_options
from aimass.cli.show import cell, console, show

if TYPE_CHECKING:
    from aimass.client import Client

_OF_ROWS = ("request_id", "parameters", "outputs", "stream")
_OF_DATASETS = ("to", "dataset_version", "model_version", "alias", "columns", "keep", "prefix", "mode", "slots", "once")


@click.argument("endpoint")
@click.option("--row", "rows", multiple=True, help="A row as JSON: '{\"tenure\": 3, ...}'; may be repeated.")
@click.option(
    "--file",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    help="Rows as JSON lines; '-' reads standard input.",
)
@click.option("--request-id", help="Your own id of the request; feedback refers to it.")
@click.option("--parameters", help="What the model lets be chosen, as JSON: '{\"max_tokens\": 40}'.")
@click.option("--output", "outputs", multiple=True, help="Output that is wanted; all when absent; may be repeated.")
@click.option("--stream", is_flag=True, help="Show the answer piece by piece, while it is being made: of one row.")
@click.option("--dataset", help="Score this dataset as a job; the predictions become a version of the dataset --to.")
@click.option("--to", help="Dataset that gets the predictions; made when it is missing.")
@click.option("--dataset-version", type=int, help="Version to score; the newest when absent.")
@click.option("--model-version", type=int, help="Score with this version: the name is that of a model then.")
@click.option("--alias", help="Score with what this alias means: the name is that of a model then.")
@click.option("--column", "columns", multiple=True, help="INPUT=COLUMN where they differ; may be repeated.")
@click.option("--keep", multiple=True, help="Column to keep beside the predictions; all when absent; may be repeated.")
@click.option("--prefix", help="Put before the names of the prediction columns.")
@click.option("--mode", type=click.Choice(["overwrite", "append"]), help="Replace the predictions before, or add.")
@click.option("--slots", type=int, help="Threads that score.")
@click.option("--once", help="A key: the same key again is the same scoring.")
@click.option("--no-wait", is_flag=True, help="Start the job and return.")
@click.command(help="Score rows through an endpoint, or a whole dataset as a job.")
def _predict(endpoint: str, rows: tuple[str, ...], file: Path | None, connection: Connection, **options: Any) -> None:
    asked = {name: options.pop(name) for name in _OF_ROWS}
    if options["dataset"] is not None:
        wrong = [name for name, value in {"row": rows, "file": file, **asked}.items() if value]
        if wrong:
            raise click.UsageError(f"--dataset scores a dataset: leave {_option(wrong[0])} away")
        _score(endpoint, connection, options)
        return
    strange = [name for name in _OF_DATASETS if options[name] not in (None, ())]
    if strange:
        raise click.UsageError(f"{_option(strange[0])} needs --dataset")
    _ask(endpoint, [json_of(line) for line in lines(rows, file)], connection, asked)


def _option(name: str) -> str:
    return f"--{name.rstrip('s').replace('_', '-') if name != 'parameters' else name}"


def _ask(endpoint: str, rows: list[Any], connection: Connection, asked: dict[str, Any]) -> None:
    """Ask an endpoint, and show what it says of each row, or of one row while it is being said."""
    parameters = json_of(asked["parameters"], "--parameters") if asked["parameters"] else {}
    if not isinstance(parameters, dict):
        raise click.UsageError("--parameters is a JSON object, as '{\"max_tokens\": 40}'")
    wishes: dict[str, Any] = {"parameters": parameters, "request_id": asked["request_id"]}
    if asked["stream"] and (asked["outputs"] or len(rows) != 1):
        raise click.UsageError("--stream shows all that a model says of one row: give one, and no --output")
    with connection.open() as client:
        if asked["stream"]:
            as_caller(client, lambda caller: _stream(caller.stream(endpoint, rows[0], **wishes), connection.as_json))
            return
        answers = as_caller(client, lambda caller: caller.predict(endpoint, rows, outputs=asked["outputs"], **wishes))
    show(answers if connection.as_json else [_readable(answer) for answer in answers], as_json=connection.as_json)


def _stream(pieces: Iterator[dict[str, Any]], as_json: bool) -> None:
    """Write each piece as it comes: its texts for people, an object a line for programs."""
    for piece in pieces:
        if as_json:
            click.echo(orjson.dumps(piece))
        else:
            click.echo("".join(value for value in piece.values() if isinstance(value, str)), nl=False)
        sys.stdout.flush()
    if not as_json:
        click.echo()


def _readable(answer: Any) -> dict[str, Any]:
    """Put what the model says first."""
    outputs = {name: cell(value) for name, value in answer.outputs.items()}
    return {**outputs, "model": answer.model, "request_id": answer.request_id}


def lines(rows: tuple[str, ...], file: Path | None) -> list[str]:
    """Return the rows that were given, a text of JSON each: by options, from a file, or piped."""
    if file is None and not rows and sys.stdin.isatty():
        raise click.UsageError("nothing to score: give --row or --file, or send JSON lines to standard input")
    piped = str(file) == "-" or (file is None and not rows)
    kept = sys.stdin.read() if piped else file.read_text("utf-8") if file is not None else ""
    return [*rows, *(line for line in kept.splitlines() if line.strip())]


def json_of(text: str, what: str = "a row") -> Any:
    """Return what a text of JSON says."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as reason:
        raise click.UsageError(f"{what} is no JSON: {reason}") from reason


def _score(scorer: str, connection: Connection, batch: dict[str, Any]) -> None:
    if batch["to"] is None:
        raise click.UsageError("--dataset needs --to, the dataset that gets the predictions")
    pairs = [text.partition("=") for text in batch["columns"]]
    if not all(equals and column for _, equals, column in pairs):
        raise click.UsageError("--column is INPUT=COLUMN")
    names = ("model_version", "alias", "dataset_version", "prefix", "mode", "slots")
    wish = {name: batch[name] for name in names if batch[name] is not None}
    wish |= {"key": batch["once"]} if batch["once"] else {}
    wish |= {"columns": {name: column for name, _, column in pairs}} if pairs else {}
    wish |= {"keep": list(batch["keep"])} if batch["keep"] else {}
    with connection.open() as client:
        if batch["no_wait"]:
            show(client.score(scorer, batch["dataset"], batch["to"], wait=False, **wish), as_json=connection.as_json)
        else:
            show(_followed(client, scorer, batch, wish, quiet=connection.as_json), as_json=connection.as_json)


def _followed(client: Client, scorer: str, batch: dict[str, Any], wish: dict[str, Any], *, quiet: bool) -> Any:
    """Score with a progress bar that tells rows and rows a second."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[rate]}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task(f"{batch['dataset']} → {batch['to']}", total=1.0, rate="")

        def tell(now: Any) -> None:
            rate = f", {now.rows_per_s:,.0f} rows/s" if now.rows_per_s else ""
            bar.update(task, completed=now.fraction, rate=f"{now.rows:,} of {now.total:,} rows{rate}")

        return client.score(scorer, batch["dataset"], batch["to"], progress=tell, **wish)


predict = connection_options(_predict)
