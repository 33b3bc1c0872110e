"""Recipes of people: a run whose recipe comes along as the text of a file."""

from __future__ import annotations

import re

from aimass.infra.compute import find_sandbox
from aimass.kernel.errors import Invalid, Unavailable
from aimass.kernel.principal import Principal
from aimass.kernel.usecase import use_case
from aimass.training.domain.runs import MAX_SOURCE, Artifact, Run, StartOwnRun
from aimass.training.domain.words import OWN
from aimass.training.service.results import Results
from aimass.training.service.runs import Order
from aimass.training.tasks import find_task

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,59}\.py")


class OwnRecipes(Results):
    """Runs of recipes that nobody installed."""

    @use_case(
        "POST /workspaces/{workspace}/runs/own",
        permission="training.edit",
        cli="train own",
        status=202,
        progress="training.get_run",
    )
    def start_own_run(self, who: Principal, command: StartOwnRun) -> Run:
        """Train a recipe of your own: the text of a file, which runs in a sandbox and is kept with the run."""
        _check_file(command)
        found = find_sandbox()
        if not found.is_there:
            raise Unavailable(
                f"a recipe of one's own runs in a sandbox, and there is none: {found.reason}",
                field="source",
                hint="install bubblewrap (apt-get install bubblewrap) and allow user namespaces, or install the recipe "
                "as a package with the entry point aimass.recipes",
            )
        text = command.source.encode()
        blob = self._ground.blobs.put(text)
        source = {"file": str(self._ground.blobs.path(blob.sha256)), "name": command.recipe}
        order = Order(
            kind=OWN,
            version=f"sha256:{blob.sha256[:12]}",
            params=dict(command.params),
            slots=command.slots,
            payload={"source": {**source, "hide": str(self._ground.data)}},
            files=(Artifact(name=command.recipe, sha256=blob.sha256, size=len(text)),),
            detail={"source": blob.sha256},
        )
        return self._begun(who, command, order, _check_task)


def _check_task(task: str) -> None:
    wanted = find_task(task)
    if wanted.is_windowed or wanted.needs_action or wanted.is_written:
        raise Invalid(
            f"recipes of one's own do not do {task}",
            field="split",
            value=task,
            hint="install the recipe as a package with the entry point aimass.recipes",
        )


def _check_file(command: StartOwnRun) -> None:
    """Refuse what can be no recipe; its text is read in the sandbox alone, where it may break what reads it."""
    if not _NAME.fullmatch(command.recipe):
        raise Invalid(
            f"{command.recipe!r} is no name of a recipe file",
            field="recipe",
            value=command.recipe,
            allowed=_NAME.pattern,
            hint="for example my_recipe.py",
        )
    if len(command.source.encode()) > MAX_SOURCE:
        raise Invalid("the text is too long", field="source", value=len(command.source), allowed=f"{MAX_SOURCE} bytes")
