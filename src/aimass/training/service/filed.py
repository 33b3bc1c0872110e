"""Recipes of people: a text that comes along, or one that an earlier run kept, named by ``my_recipe.py@<run>``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aimass.infra.compute import find_sandbox
from aimass.kernel.errors import Invalid, NotFound, Unavailable
from aimass.training.domain.runs import MAX_SOURCE, Artifact
from aimass.training.domain.words import OWN
from aimass.training.service.ground import Ground, need_run
from aimass.training.service.orders import Order
from aimass.training.store import artifacts_of
from aimass.training.tasks import find_task

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,59}\.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeFile:
    """The text of a recipe, kept by its hash.

    Attributes
    ----------
    run
        The run that kept it; None where the text has just come.
    """

    name: str
    sha256: str
    size: int
    run: str | None = None

    @property
    def version(self) -> str:
        """Return what tells one text from another: a recipe from a file has no version that could be believed."""
        return f"sha256:{self.sha256[:12]}"


def file_kept(ground: Ground, name: str, source: str) -> RecipeFile:
    """Keep the text of a recipe, or refuse what can be none; it is read in the sandbox alone, where it may break what reads it."""
    _check_name(name)
    text = source.encode()
    if len(text) > MAX_SOURCE:
        raise Invalid("the text is too long", field="source", value=len(source), allowed=f"{MAX_SOURCE} bytes")
    return RecipeFile(name=name, sha256=ground.blobs.put(text).sha256, size=len(text))


def file_named(ground: Ground, workspace: str, recipe: str) -> RecipeFile | None:
    """Return the file that a name such as ``my_recipe.py@<run>`` means; None where it is the name of an installed recipe.

    It is one that a run of the same workspace kept: whoever may train there brought it in.
    """
    name, sign, run = recipe.partition("@")
    if not sign:
        return None
    _check_name(name)
    with ground.database.read() as conn:
        known = artifacts_of(conn, need_run(conn, workspace, run).id)
    for one in known:
        if one.name == name:
            return RecipeFile(name=name, sha256=one.sha256, size=one.size, run=run)
    files = [f"{one.name}@{run}" for one in known if _NAME.fullmatch(one.name)]
    raise NotFound(
        f"run {run!r} kept no recipe {name!r}",
        field="recipe",
        value=recipe,
        allowed=files or None,
        hint="name a run that a file of a recipe was trained in",
    )


def own_order(ground: Ground, file: RecipeFile, params: Mapping[str, Any], slots: int = 1) -> Order:
    """Return what a run of the file is; its job refuses a text that is another one than the hash says."""
    ground.blobs.touch(file.sha256)  # what is named anew is not collected before the run holds it
    source = {"file": str(ground.blobs.path(file.sha256)), "name": file.name, "sha256": file.sha256}
    return Order(
        kind=OWN,
        version=file.version,
        params=dict(params),
        slots=slots,
        payload={"source": {**source, "hide": str(ground.data)}},
        files=(Artifact(name=file.name, sha256=file.sha256, size=file.size),),
        detail={"source": file.sha256},
        sources=() if file.run is None else (("run", file.run),),
    )


def need_a_sandbox() -> None:
    """Refuse somebody's code where nothing holds it."""
    found = find_sandbox()
    if not found.is_there:
        raise Unavailable(
            f"a recipe of one's own runs in a sandbox, and there is none: {found.reason}",
            field="source",
            hint="install bubblewrap (apt-get install bubblewrap) and allow user namespaces, or install the recipe "
            "as a package with the entry point aimass.recipes",
        )


def check_own_task(task: str) -> None:
    """Refuse a task whose answers do not cross the edge of the sandbox."""
    wanted = find_task(task)
    if wanted.is_windowed or wanted.needs_action or wanted.is_written:
        raise Invalid(
            f"recipes of one's own do not do {task}",
            field="split",
            value=task,
            hint="install the recipe as a package with the entry point aimass.recipes",
        )


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise Invalid(
            f"{name!r} is no name of a recipe file",
            field="recipe",
            value=name,
            allowed=_NAME.pattern,
            hint="for example my_recipe.py",
        )
