"""``aimass train my_recipe.py``: train a recipe of one's own; ``aimass train tune``: search its parameters, or those of another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from aimass.cli.connect import Connection, connection_options
from aimass.cli.derived import JsonType, command_of
from aimass.cli.follow import follow, send
from aimass.cli.show import show
from aimass.client import OPERATIONS

if TYPE_CHECKING:
    from aimass.client import Client

_START, _SPLIT, _TUNE = "training.start_own_run", "training.create_split", "training.create_study"
_OF_SPLITS = ("target", "task", "key_column", "group_column", "time_column")


@click.command(
    help="Train a recipe of your own: a file of Python that sets RECIPE and RUN. It runs in a sandbox and is kept with "
    "the run. Without --split the dataset is split first. 'aimass train my_recipe.py' does the same."
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--split", help="Split to train on; its dataset, target and task count.")
@click.option("--dataset", help="Dataset to split, where no split is named.")
@click.option("--target", help="Column to predict.")
@click.option("--task", help="What the target is predicted as; found from the target when absent.")
@click.option("--key-column", help="Column that names a row; never learned from.")
@click.option("--group-column", help="Rows with the same value stay together.")
@click.option("--time-column", help="Later rows go to later parts.")
@click.option("--param", "pairs", multiple=True, help="NAME=VALUE, a parameter of the recipe; may be repeated.")
@click.option("--params", type=JsonType(), help="Parameters as a JSON object, or @file with one.")
@click.option("--feature", "features", multiple=True, help="Column to learn from; all when absent; may be repeated.")
@click.option("--experiment", help="Experiment that the run belongs to.")
@click.option("--name", help="Any name; that of the file when absent.")
@click.option("--seed", type=int, help="The same seed gives the same model.")
@click.option("--folds", type=int, help="Folds of the cross-validation.")
@click.option("--slots", type=int, help="Threads that it may use.")
@click.option("--once", help="A key: the same key again is the same run.")
@click.option("--wait/--no-wait", default=True, help="Follow until the end, or only start it.")
def _file(file: Path, connection: Connection, **given: Any) -> None:
    wish = {"recipe": file.name, "source": _text(file), "params": _params(given["pairs"], given["params"])}
    wish |= {name: given[name] for name in ("experiment", "name", "seed", "folds", "slots")}
    wish |= {"features": list(given["features"]) or None, "key": given["once"]}
    with connection.open() as client:
        wish["split"] = given["split"] or _split(client, given, quiet=connection.as_json)
        reply = send(client, OPERATIONS[_START], wish)
        if given["wait"]:
            reply = follow(client, OPERATIONS[_START], wish, reply, quiet=connection.as_json)
    show(reply, as_json=connection.as_json)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as reason:
        raise click.UsageError(f"{file.name!r} is no text in UTF-8") from reason


def _params(pairs: tuple[str, ...], params: Any) -> dict[str, Any]:
    """Return the parameters; a value that is no JSON is a text.

    Examples
    --------
    >>> _params(("depth=3", "kind=rbf"), {"c": 0.5})
    {'c': 0.5, 'depth': 3, 'kind': 'rbf'}
    """
    found: dict[str, Any] = dict(params or {})
    for text in pairs:
        name, sign, value = text.partition("=")
        if not sign:
            raise click.UsageError(f"{text!r} is no NAME=VALUE")
        try:
            found[name] = orjson.loads(value)
        except orjson.JSONDecodeError:
            found[name] = value
    return found


def _split(client: Client, given: dict[str, Any], *, quiet: bool) -> str:
    """Split the dataset, and return the id of the split."""
    if not given["dataset"] or not given["target"]:
        raise click.UsageError("name --split, or --dataset and --target to split first")
    wish = {"dataset": given["dataset"], "seed": given["seed"], **{name: given[name] for name in _OF_SPLITS}}
    started = send(client, OPERATIONS[_SPLIT], wish)
    return str(follow(client, OPERATIONS[_SPLIT], wish, started, quiet=quiet)["id"])


file = connection_options(_file)


def _tuned() -> click.Command:
    """Return the command of a study, whose recipe may be a file of this machine."""
    made = command_of(OPERATIONS[_TUNE], "tune")
    made.params = [one for one in made.params if one.name != "source"]
    begin = made.callback

    def tune(**given: Any) -> Any:
        path = Path(given["recipe"])
        is_file = path.suffix == ".py" and "@" not in given["recipe"]
        if is_file and not path.is_file():
            raise click.UsageError(f"there is no file {given['recipe']!r}")
        if is_file:
            given |= {"recipe": path.name, "source": _text(path)}
        return begin(**given) if begin else None

    made.callback = tune
    return made


tune = _tuned()
