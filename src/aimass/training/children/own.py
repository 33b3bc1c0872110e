"""The job ``training.own``: what ``training.fit`` does, with a recipe from somebody's file in a sandbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from aimass.kernel.errors import Conflict
from aimass.training.children.fit import trained
from aimass.training.children.guest.host import Guest, guest
from aimass.training.searchspace import checked_space

PATIENCE_S = 30.0


def fit_own(ctx: Any) -> dict[str, Any]:
    """Run a recipe file; the payload is that of ``training.fit``, with ``source`` (``file``, ``name``, ``sha256``, ``hide``)."""
    source = ctx.params["source"]
    check_text(source)
    ctx.report(0.0, stage="open the sandbox")
    with guest(Path(source["file"]), source["name"], (Path(source["hide"]),)) as recipe:
        told = recipe.describe(ctx.params.get("task") or "classification")
        params = recipe.check(ctx.params.get("params", {}))
        about = {"name": source["name"], "version": told["version"]}
        return trained(ctx, recipe, params, {"recipe": about, "params": params})


def check_text(source: Mapping[str, Any]) -> None:
    """Refuse to begin, or to go on, with another text than the one that was given."""
    found = sha256(Path(source["file"]).read_bytes()).hexdigest()
    if found != source["sha256"]:
        raise Conflict(
            f"the text of recipe {source['name']!r} is not the one that was given",
            field="source",
            value=found,
            allowed=source["sha256"],
            hint="restore the data directory, or train the file anew",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """A recipe in its sandbox, as its search space is checked against it."""

    name: str
    known: Sequence[str]
    space: Mapping[str, Any]
    recipe: Guest

    def check(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return self.recipe.check(values)


def searched(args: Mapping[str, Any]) -> dict[str, Any]:
    """Return the search ``space`` of a recipe file, checked value by value by the recipe itself.

    The arguments are ``source`` as in a run, ``task``, ``params`` that every trial has, and ``space``; None for that of the file.
    """
    source = args["source"]
    check_text(source)
    with guest(Path(source["file"]), source["name"], (Path(source["hide"]),), patience_s=PATIENCE_S) as recipe:
        told = recipe.describe(args["task"])
        found = _Told(name=source["name"], known=told["parameters"], space=told["space"], recipe=recipe)
        return {"space": checked_space(found, args["params"], args["space"])[1]}
