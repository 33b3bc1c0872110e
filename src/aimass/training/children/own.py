"""The job ``training.own``: what ``training.fit`` does, with a recipe from somebody's file in a sandbox."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aimass.training.children.fit import trained
from aimass.training.children.guest.host import guest


def fit_own(ctx: Any) -> dict[str, Any]:
    """Run a recipe file; the payload is that of ``training.fit``, with ``source`` (``file``, ``name``, ``hide``)."""
    source = ctx.params["source"]
    ctx.report(0.0, stage="open the sandbox")
    with guest(Path(source["file"]), source["name"], (Path(source["hide"]),)) as recipe:
        told = recipe.describe(ctx.params.get("task") or "classification")
        params = recipe.check(ctx.params.get("params", {}))
        about = {"name": source["name"], "version": told["version"]}
        return trained(ctx, recipe, params, {"recipe": about, "params": params})
